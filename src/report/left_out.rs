//! What a plan does not show, in one line each: what rules pass over, and what was not asked for.

use std::collections::BTreeMap;

use crate::plan::Plan;
use crate::plan::ignore::IgnoredField;

/// `3 fields are ignored by rules: 2 by fleet.yaml:9:7, 1 by built-in oracle-tags`; none where none is.
pub(super) fn ignored(plan: &Plan) -> Option<String> {
    const NAMED: usize = 5;
    let mut by_rule: BTreeMap<String, usize> = BTreeMap::new();
    let by_rules = plan.ignored.iter().filter(|field| field.contested_by().is_none());
    for field in by_rules {
        *by_rule.entry(field.rule.to_string()).or_default() += 1;
    }
    let count: usize = by_rule.values().sum();
    let mut rules: Vec<(String, usize)> = by_rule.into_iter().collect();
    rules.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut named: Vec<String> = rules
        .iter()
        .take(NAMED)
        .map(|(rule, count)| format!("{count} by {rule}"))
        .collect();
    if rules.len() > NAMED {
        named.push(format!("and by {} more", rules.len() - NAMED));
    }
    let are = match count {
        0 => return None,
        1 => "field is",
        _ => "fields are",
    };
    Some(format!("{count} {are} ignored by rules: {}", named.join(", ")))
}

/// Which fields are fought over, and with whom; none where none is.
pub(super) fn contested(plan: &Plan) -> Option<String> {
    let said = plan.ignored.iter().filter_map(contest);
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| format!("Left as it is, since it is fought over: {}.", said.join("; ")))
}

/// How a field is fought over: `NodePool x: .spec.replicas is written again by scaler as often as it is mended`.
pub fn contest(field: &IgnoredField) -> Option<String> {
    let manager = field.contested_by()?;
    let IgnoredField { id, diff, .. } = field;
    Some(format!(
        "{id}: `{}` is written again by {manager} as often as it is mended",
        diff.field
    ))
}

/// What part of a plan is shown; none where it is all.
pub(super) fn narrowed(plan: &Plan) -> Option<String> {
    let narrowed = plan.narrowed.as_ref()?;
    let kinds = narrowed.to.kinds.join(", ");
    let what = match (narrowed.to.drift, kinds.is_empty()) {
        (true, true) => "what moved by itself".to_owned(),
        (true, false) => format!("what moved by itself of {kinds}"),
        (false, _) => kinds,
    };
    let hidden = match narrowed.hidden {
        0 => "there is no other change".to_owned(),
        1 => "1 other change is not shown".to_owned(),
        hidden => format!("{hidden} other changes are not shown"),
    };
    Some(format!("Only {what}; {hidden}."))
}

/// What it means that so many objects are not known; none where none is.
pub(super) fn unknown(objects: usize) -> Option<String> {
    let are = match objects {
        0 => return None,
        1 => "1 object; it is neither made, changed nor deleted until it is".to_owned(),
        objects => format!("{objects} objects; they are neither made, changed nor deleted until they are"),
    };
    Some(format!("{are} (`fleetwright doctor` looks for what is in the way)"))
}

/// How a plan without a change begins.
pub(super) fn nothing(plan: &Plan) -> &'static str {
    match &plan.narrowed {
        Some(narrowed) if narrowed.to.drift => "Nothing moved by itself",
        Some(_) => "Nothing to do of that",
        None => "Nothing to do",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diag::{Span, Typed};
    use crate::fleet::model::RuleSource;
    use crate::plan::change::tests::{change, plan as plan_of};
    use crate::plan::change::{Action, Block, Change, FieldDiff, FieldOwner, OwnedBy, Reason};
    use crate::plan::narrow::Narrow;
    use crate::report::plan_text::PlanText;

    fn diff(field: &str, before: u8, after: u8, manager: &str) -> FieldDiff {
        FieldDiff {
            field: field.to_owned(),
            before: Some(json!(before)),
            after: Some(json!(after)),
            owner: Some(FieldOwner {
                manager: manager.to_owned(),
                time: Some("2026-11-21T12:00:00Z".to_owned()),
            }),
            replaces: false,
        }
    }

    fn of(reason: Reason, action: Action, kind: &str, name: &str) -> Change {
        let mut one = change("a", kind, name, action);
        one.reason = reason;
        one
    }

    fn moved() -> Plan {
        let mut drifted = of(Reason::Drifted, Action::Update, "NodePool", "a-general");
        drifted.fields = vec![diff(".spec.replicas", 9, 2, "kubectl-edit")];
        let gone = of(Reason::Vanished, Action::Create, "NodePool", "a-gone");
        let mut fought = of(Reason::Drifted, Action::Update, "NodePool", "a-spare");
        fought.fields = vec![diff(".spec.replicas", 7, 3, "scaler")];
        fought.blocks.push(Block::Contested {
            fields: vec![OwnedBy {
                field: ".spec.replicas".to_owned(),
                manager: "scaler".to_owned(),
            }],
        });
        let mut unseen = of(Reason::Unseen, Action::Leave, "Secret", "pull-secret");
        unseen.blocks.push(Block::Unknown {
            reason: "the server is busy".to_owned(),
        });
        let mut plan = plan_of(vec![
            of(Reason::Changed, Action::Update, "HostedCluster", "a"),
            drifted,
            gone,
            fought,
            unseen,
        ]);
        plan.unchanged = 4;
        let ignored = |rule: RuleSource, field: &str| IgnoredField {
            id: plan.changes[1].id.clone(),
            unit: plan.changes[1].unit.clone(),
            diff: diff(field, 1, 2, "x"),
            rule,
        };
        let typed = Typed(Some(Span {
            file: "fleet.yaml".into(),
            line: 9,
            column: 7,
            start: 0,
            end: 1,
        }));
        plan.ignored = vec![
            ignored(RuleSource::BuiltIn("oracle-tags"), ".spec.a"),
            ignored(RuleSource::Typed(typed.clone()), ".spec.b"),
            ignored(RuleSource::Typed(typed), ".spec.c"),
        ];
        plan
    }

    #[test]
    fn a_plan_of_drift_alone_reads_like_this() {
        let mut plan = moved();
        let to = Narrow {
            drift: true,
            ..Narrow::default()
        };
        plan.narrow(&to, 0);
        let text = PlanText::default().render(&plan);
        let wanted = "\
cluster a on m
  ~ NodePool clusters-a/a-general  drift: changed by someone else
      ~ .spec.replicas: 9 → 2  was set by kubectl-edit, 2026-11-21T12:00:00Z
  + NodePool clusters-a/a-gone  was deleted by someone else: made again
  ~ NodePool clusters-a/a-spare  drift: changed by someone else
      ~ .spec.replicas: 7 → 3  was set by scaler, 2026-11-21T12:00:00Z
      waits: .spec.replicas is written again by scaler as often as it is mended
        to leave it to whoever writes it, add to `ignore.rules` in the Fleet document:
          - {kind: NodePool, name: a-spare, pointer: /spec/replicas}
  ? Secret clusters-a/pull-secret  not known
      waits: its live state is not known: the server is busy

not known: 1 object; it is neither made, changed nor deleted until it is (`fleetwright doctor` looks for what is in the way)
3 fields are ignored by rules: 2 by fleet.yaml:9:7, 1 by built-in oracle-tags
Only what moved by itself; 1 other change is not shown.
Plan: 1 to create, 1 to update, 1 not known, 1 waiting; 4 unchanged.
";
        assert_eq!(text, wanted);
    }

    #[test]
    fn where_nothing_is_to_be_shown_it_says_of_what() {
        let mut plan = moved();
        plan.ignored.truncate(1);
        let to = Narrow {
            drift: false,
            kinds: vec!["Namespace".to_owned()],
        };
        plan.narrow(&to, 1);
        let text = PlanText::default().render(&plan);
        let wanted = "Only Namespace; 5 other changes are not shown.\nNothing to do of that: 1 object is as the fleet files say.\n";
        assert_eq!(text, wanted, "what is ignored of other kinds is not said either");
        assert!(ignored(&moved()).is_some_and(|line| line.starts_with("3 fields are")));
    }

    #[test]
    fn what_is_fought_over_is_named_with_its_writer_and_is_no_rule_s() {
        let mut plan = moved();
        assert_eq!(contested(&plan), None);
        let fought = IgnoredField {
            rule: RuleSource::Contested {
                field: ".spec.replicas".to_owned(),
                manager: "scaler".to_owned(),
            },
            diff: diff(".spec.replicas", 7, 3, "scaler"),
            ..plan.ignored[0].clone()
        };
        plan.ignored.push(fought);
        let said = contested(&plan).unwrap();
        let line = "a-general: `.spec.replicas` is written again by scaler as often as it is mended.";
        assert!(said.starts_with("Left as it is") && said.ends_with(line), "{said}");
        assert!(ignored(&plan).is_some_and(|line| line.starts_with("3 fields are")));
    }
}
