//! Waivers: rules that somebody decided not to follow.
//!
//! Invariant: a waiver names a rule that exists, says why, and ends on its day.

use super::check::did_you_mean;
use super::node::{Node, SourceFile};
use super::spec;
use crate::diag::{Code, Diagnostic};

/// The waivers that hold now.
#[derive(Debug, Default)]
pub(super) struct Waivers(Vec<(Code, Option<String>)>);

impl Waivers {
    /// Sorts out those that have expired or name nothing. `nodes` are the places of the `waivers`, in the same order.
    pub(super) fn new(
        waivers: &[spec::Waiver],
        nodes: Option<&Node>,
        now: jiff::Timestamp,
        files: &[SourceFile],
    ) -> (Self, Vec<Diagnostic>) {
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let places = match nodes.map(|node| &node.value) {
            Some(super::node::Yaml::List(items)) => items.as_slice(),
            _ => &[],
        };
        let mut found = Vec::new();
        let mut holding = Vec::new();
        for (index, waiver) in waivers.iter().enumerate() {
            let node = places.get(index);
            let mut report = |problem: Diagnostic, key: &str| {
                let place = node.map(|node| node.get(key).unwrap_or(node).place);
                found.push(match place {
                    Some(place) => problem.at(&place.span(files)),
                    None => problem,
                });
            };
            let code = Code::ALL
                .iter()
                .copied()
                .find(|code| rule_id(*code) == Some(waiver.rule.as_str()));
            let Some(code) = code else {
                let message = format!("`{}` is no rule", waiver.rule);
                let known = Code::ALL.iter().filter_map(|code| rule_id(*code));
                let mut problem = Diagnostic::new(Code::WaiverExpired, message);
                problem.hints.extend(did_you_mean(&waiver.rule, known));
                problem
                    .hints
                    .push("each rule's diagnostic ends with the waiver that would accept it".to_owned());
                report(problem, "rule");
                continue;
            };
            if let Some(until) = &waiver.until {
                match until.parse::<jiff::civil::Date>() {
                    Ok(day) if day >= today => {}
                    Ok(_) => {
                        let message = format!("the waiver of `{}` ended on {until}", waiver.rule);
                        let hint = "mend what the rule found, or agree on a later day";
                        report(Diagnostic::new(Code::WaiverExpired, message).hint(hint), "until");
                        continue;
                    }
                    Err(_) => {
                        let mut problem = Diagnostic::new(Code::WrongType, format!("`{until}` is no day"));
                        problem.hints.push("write it like `2027-03-31`".to_owned());
                        report(problem, "until");
                        continue;
                    }
                }
            }
            holding.push((code, waiver.cluster.clone()));
        }
        (Self(holding), found)
    }

    /// Whether a rule's finding about a cluster is waived.
    pub(super) fn waive(&self, code: Code, cluster: Option<&str>) -> bool {
        self.0
            .iter()
            .any(|(waived, who)| *waived == code && (who.is_none() || who.as_deref() == cluster))
    }
}

/// The id by which users know a rule: what stands in brackets at the end of its summary.
pub(super) fn rule_id(code: Code) -> Option<&'static str> {
    if !code.id().starts_with("FW05") {
        return None;
    }
    code.summary().strip_suffix(").")?.rsplit_once('(').map(|(_, id)| id)
}
