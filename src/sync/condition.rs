//! Conditions in the convention of Kubernetes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::types::Time;

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Truth {
    /// It does.
    True,
    /// It does not.
    False,
    /// Not known.
    #[default]
    Unknown,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// A condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `Ready`, `Drifted`, `Suspended`, `Stalled`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it holds.
    pub status: Truth,
    /// Why, in one word.
    pub reason: String,
    /// Why, for people.
    #[serde(default)]
    pub message: String,
    /// When `status` last changed.
    pub last_transition_time: Time,
    /// The generation of the object that was looked at.
    #[serde(default)]
    pub observed_generation: i64,
}

/// Puts a condition in place of the one of its type. The time of its transition stays where its status does.
pub fn set(conditions: &mut Vec<Condition>, mut condition: Condition) {
    match conditions.iter_mut().find(|known| known.kind == condition.kind) {
        Some(known) => {
            if known.status == condition.status {
                condition.last_transition_time = known.last_transition_time;
            }
            *known = condition;
        }
        None => conditions.push(condition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_is_a_change_of_status_and_of_nothing_else() {
        let condition = |status, reason: &str, second| Condition {
            kind: "Ready".to_owned(),
            status,
            reason: reason.to_owned(),
            last_transition_time: Time::of_second(second),
            ..Condition::default()
        };
        let mut conditions = Vec::new();
        set(&mut conditions, condition(Truth::False, "Refused", 1));
        set(&mut conditions, condition(Truth::False, "Waiting", 2));
        assert_eq!(conditions, [condition(Truth::False, "Waiting", 1)]);
        set(&mut conditions, condition(Truth::True, "InSync", 3));
        assert_eq!(conditions, [condition(Truth::True, "InSync", 3)]);
    }
}
