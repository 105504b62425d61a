//! Waivers: rules that somebody decided not to follow.
//!
//! Invariant: a waiver names a rule that exists, says why, and ends on its day.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::check::did_you_mean;
use super::model::Waived;
use super::node::{Node, SourceFile};
use super::spec;
use crate::diag::{Code, Diagnostic, Severity};
use crate::resource::ClusterName;

/// The waivers that hold now.
#[derive(Debug, Default)]
pub(super) struct Waivers {
    holding: Vec<Holding>,
    relied_on: RefCell<BTreeMap<ClusterName, Waived>>,
}

#[derive(Debug)]
struct Holding {
    code: Code,
    cluster: Option<String>,
    /// When it ends; none where it doesn't.
    until: Option<Timestamp>,
}

impl Waivers {
    /// Sorts out those that have expired or name nothing. `nodes` are the places of the `waivers`, in the same order.
    pub(super) fn new(
        waivers: &[spec::Waiver],
        nodes: Option<&Node>,
        now: Timestamp,
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
            let mut ends = None;
            if let Some(until) = &waiver.until {
                match until.parse::<jiff::civil::Date>() {
                    Ok(day) if day >= today => ends = end_of(day),
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
            holding.push(Holding {
                code,
                cluster: waiver.cluster.clone(),
                until: ends,
            });
        }
        let waivers = Self {
            holding,
            relied_on: RefCell::default(),
        };
        (waivers, found)
    }

    /// Whether a rule's finding about a cluster is waived. Where it is an error, it is remembered for how long.
    pub(super) fn waive(&self, problem: &Diagnostic, cluster: Option<&str>) -> bool {
        let holds = |waiver: &&Holding| {
            waiver.code == problem.code && (waiver.cluster.is_none() || waiver.cluster.as_deref() == cluster)
        };
        // Of several the one that ends last counts, if any ends.
        let longest = self
            .holding
            .iter()
            .filter(holds)
            .max_by_key(|waiver| waiver.until.unwrap_or(Timestamp::MAX));
        let Some(longest) = longest else { return false };
        if let (Severity::Error, Some(until), Some(cluster)) = (problem.severity, longest.until, cluster) {
            let waived = Waived {
                rule: rule_id(problem.code).unwrap_or_default().to_owned(),
                until,
            };
            let mut relied_on = self.relied_on.borrow_mut();
            let first = relied_on
                .entry(ClusterName::new(cluster))
                .or_insert_with(|| waived.clone());
            if until < first.until {
                *first = waived;
            }
        }
        true
    }

    /// What clusters would have an error without: the first of them that ends, by cluster.
    pub(super) fn relied_on(&self) -> BTreeMap<ClusterName, Waived> {
        self.relied_on.borrow().clone()
    }
}

/// The beginning of the day after.
fn end_of(day: jiff::civil::Date) -> Option<Timestamp> {
    let next = day.tomorrow().ok()?;
    next.to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|midnight| midnight.timestamp())
}

/// The id by which users know a rule: what stands in brackets at the end of its summary.
pub(super) fn rule_id(code: Code) -> Option<&'static str> {
    if !code.id().starts_with("FW05") {
        return None;
    }
    code.summary().strip_suffix(").")?.rsplit_once('(').map(|(_, id)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiver(cluster: Option<&str>, until: Option<&str>) -> spec::Waiver {
        spec::Waiver {
            rule: "cp-ha-prod".to_owned(),
            cluster: cluster.map(str::to_owned),
            reason: "a test".to_owned(),
            until: until.map(str::to_owned),
        }
    }

    fn relied_on(waivers: &[spec::Waiver]) -> Vec<String> {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let (waivers, found) = Waivers::new(waivers, None, now, &[]);
        assert!(found.is_empty(), "{found:?}");
        assert!(waivers.waive(&Diagnostic::new(Code::CpHaProd, "one replica"), Some("a")));
        assert!(!waivers.waive(&Diagnostic::new(Code::NpSkew, "too far"), Some("a")));
        let relied_on = waivers.relied_on().into_iter();
        relied_on
            .map(|(cluster, waived)| format!("{cluster} {} {}", waived.rule, waived.until))
            .collect()
    }

    #[test]
    fn what_would_be_an_error_is_remembered_until_the_last_of_its_waivers_ends() {
        let day = waiver(None, Some("2026-12-31"));
        assert_eq!(
            relied_on(std::slice::from_ref(&day)),
            ["a cp-ha-prod 2027-01-01T00:00:00Z"]
        );
        let later = waiver(Some("a"), Some("2027-01-31"));
        assert_eq!(relied_on(&[day.clone(), later]), ["a cp-ha-prod 2027-02-01T00:00:00Z"]);
        assert_eq!(relied_on(&[day, waiver(Some("a"), None)]), Vec::<String>::new());
    }
}
