//! What an observation of OCI left out.

use std::collections::BTreeMap;

use crate::providers::{Observation, Observed};
use crate::resource::Target;

/// Documents of which something was not read, for it is as we last wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many.
    pub count: usize,
    /// As of when the one is known that was read or written longest ago, RFC 3339; none where there is none.
    pub since: Option<String>,
}

/// How the observation says so: by the time, in a document of its own among the others.
const MARK: &str = "\"unread\":{";

impl Unread {
    /// Of what was seen.
    pub(super) fn of(observed: &BTreeMap<Target, Observation>) -> Self {
        let objects = observed.get(&Target::Oci).into_iter();
        let texts = objects
            .flat_map(|seen| seen.objects.values())
            .filter_map(|seen| match seen {
                Observed::Present(live) => Some(&*live.text),
                Observed::Absent | Observed::Unknown(_) => None,
            });
        // Documents by the thousand: to parse them all for that would take longer than the rest of a plan.
        let marked: Vec<&str> = texts.filter_map(|text| Some(text.split_once(MARK)?.1)).collect();
        let time = |rest: &&str| Some(rest.split('"').nth(3)?.to_owned());
        Self {
            count: marked.len(),
            since: marked.iter().filter_map(time).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::LiveObject;
    use crate::resource::reference::oci_id;

    #[test]
    fn the_oldest_of_them_is_told() {
        let seen = |text: &str| {
            Observed::Present(LiveObject {
                uid: "u".to_owned(),
                version: "1".to_owned(),
                text: text.into(),
            })
        };
        let mut observation = Observation::default();
        for (name, text) in [
            ("a", r#"{"spec":{},"unread":{"securityRules":"2026-11-02T00:00:00Z"}}"#),
            ("b", r#"{"unread":{"securityRules":"2026-11-01T00:00:00Z"},"spec":{}}"#),
            ("c", r#"{"spec":{}}"#),
        ] {
            observation
                .objects
                .insert(oci_id("NetworkSecurityGroup", name), seen(text));
        }
        let unread = Unread::of(&BTreeMap::from([(Target::Oci, observation)]));
        assert_eq!(
            (unread.count, unread.since.as_deref()),
            (2, Some("2026-11-01T00:00:00Z"))
        );
        assert_eq!(Unread::of(&BTreeMap::new()), Unread::default());
    }
}
