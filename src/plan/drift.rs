//! What is done about what moved by itself, object by object.
//!
//! Invariant: pure, and about drift alone: what the files changed is not its affair.

use super::change::{Change, Reason};
use crate::fleet::model::{DriftAction, DriftRule};
use crate::resource::UnitId;

/// What is done about a change that is drift. Each of its fields has the first rule that matches, else `otherwise`; an object is
/// written as a whole, so the field for which most is to be done decides.
pub fn action(rules: &[DriftRule], change: &Change, otherwise: DriftAction) -> DriftAction {
    let of_field = |field: Option<&str>| {
        let rule = rules.iter().find(|rule| is_meant(rule, change, field));
        rule.map_or(otherwise, |rule| rule.action)
    };
    // Of an object that is gone, or goes, no field has moved.
    if change.reason == Reason::Vanished || change.fields.is_empty() {
        return of_field(None);
    }
    let actions = change.fields.iter().map(|field| of_field(Some(&field.field)));
    actions.max().unwrap_or(otherwise)
}

fn is_meant(rule: &DriftRule, change: &Change, field: Option<&str>) -> bool {
    let is = |wanted: &Option<String>, there: &str| wanted.as_deref().is_none_or(|wanted| wanted == there);
    let of_cluster = match (&rule.cluster, &change.unit) {
        (None, _) => true,
        (Some(wanted), UnitId::Cluster(name)) => wanted == name,
        (Some(_), UnitId::ManagementCluster(_) | UnitId::Network(_)) => false,
    };
    let of_field = match (&rule.field, field) {
        (None, _) => true,
        (Some(wanted), Some(field)) => is_below(field, wanted),
        (Some(_), None) => false,
    };
    is(&rule.kind, &change.id.kind) && is(&rule.name, &change.id.name) && of_cluster && of_field
}

/// Whether a dotted path is another one, or below it.
pub(super) fn is_below(field: &str, wanted: &str) -> bool {
    let wanted = wanted.trim_start_matches('.');
    let rest = field.trim_start_matches('.').strip_prefix(wanted);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::tests::change;
    use crate::plan::change::{Action, FieldDiff};
    use crate::resource::ClusterName;

    fn drifted(fields: &[&str]) -> Change {
        let mut change = change("a", "NodePool", "a-general", Action::Update);
        change.reason = Reason::Drifted;
        change.fields = fields
            .iter()
            .map(|field| FieldDiff {
                field: (*field).to_owned(),
                before: None,
                after: None,
                owner: None,
                replaces: false,
            })
            .collect();
        change
    }

    fn rule(action: DriftAction) -> DriftRule {
        DriftRule {
            kind: None,
            name: None,
            cluster: None,
            field: None,
            action,
        }
    }

    #[test]
    fn the_first_rule_that_matches_counts_and_without_one_what_everybody_has() {
        let rules = [
            DriftRule {
                cluster: Some(ClusterName::new("b")),
                ..rule(DriftAction::Off)
            },
            DriftRule {
                kind: Some("NodePool".to_owned()),
                name: Some("a-general".to_owned()),
                ..rule(DriftAction::Report)
            },
            rule(DriftAction::Off),
        ];
        let change = drifted(&[".spec.replicas"]);
        assert_eq!(action(&rules, &change, DriftAction::Correct), DriftAction::Report);
        assert_eq!(action(&rules[..1], &change, DriftAction::Correct), DriftAction::Correct);
        assert_eq!(action(&rules[2..], &change, DriftAction::Correct), DriftAction::Off);
    }

    #[test]
    fn an_object_is_mended_where_one_field_of_it_is_to_be() {
        let rules = [DriftRule {
            field: Some("spec.replicas".to_owned()),
            ..rule(DriftAction::Off)
        }];
        let of = |fields: &[&str]| action(&rules, &drifted(fields), DriftAction::Correct);
        assert_eq!(of(&[".spec.replicas"]), DriftAction::Off);
        assert_eq!(of(&[".spec.replicas", ".spec.paused"]), DriftAction::Correct);
        assert_eq!(of(&[".spec.replicasAtMost"]), DriftAction::Correct, "another field");
        assert_eq!(of(&[]), DriftAction::Correct, "it is gone, and no field is");
    }
}
