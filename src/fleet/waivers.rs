//! Waivers: rules that somebody decided not to follow.
//!
//! Invariant: a waiver names a rule that exists, says why, and ends on its day. What it let pass until then is no error from one
//! day to the next, without a commit: a guard refuses the changes of that cluster. One of `vanished`, a guard that asks before a
//! network is made anew, is of one unit and has a day: it is not to be forgotten in the files.

use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::check::did_you_mean;
use super::model::Waived;
use super::node::{Node, SourceFile};
use super::spec;
use crate::diag::{Code, Diagnostic, Severity};
use crate::resource::{ClusterName, ManagementClusterName, NetworkName, UnitId};

/// The rule of the guard that can be waived.
const VANISHED: &str = "vanished";

/// The waivers that hold now, and those that have ended.
#[derive(Debug, Default)]
pub(super) struct Waivers {
    now: Timestamp,
    holding: Vec<Holding>,
    remake: BTreeMap<UnitId, Timestamp>,
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
    /// Sorts out those that name nothing, and tells of those that have ended. `nodes` are the places of the `waivers`, in the
    /// same order.
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
        let mut remake = BTreeMap::new();
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
            let is_of_guard = waiver.rule == VANISHED;
            if code.is_none() && !is_of_guard {
                let message = format!("`{}` is no rule", waiver.rule);
                let known = Code::ALL.iter().filter_map(|code| rule_id(*code)).chain([VANISHED]);
                let mut problem = Diagnostic::new(Code::WaiverExpired, message);
                problem.hints.extend(did_you_mean(&waiver.rule, known));
                problem
                    .hints
                    .push("each rule's diagnostic ends with the waiver that would accept it".to_owned());
                report(problem, "rule");
                continue;
            }
            let mut ends = None;
            if let Some(until) = &waiver.until {
                match until.parse::<jiff::civil::Date>() {
                    Ok(day) if day >= today => ends = end_of(day),
                    Ok(day) => {
                        let mut message = format!("the waiver of `{}` ended on {until}", waiver.rule);
                        if code.is_some_and(|code| code.severity() == Severity::Error) {
                            message.push_str(": changes of the clusters that need it are refused");
                        }
                        let hint = "mend what the rule found, or agree on a later day";
                        report(Diagnostic::new(Code::WaiverExpired, message).hint(hint), "until");
                        if is_of_guard {
                            continue;
                        }
                        ends = end_of(day);
                    }
                    Err(_) => {
                        let mut problem = Diagnostic::new(Code::WrongType, format!("`{until}` is no day"));
                        problem.hints.push("write it like `2027-03-31`".to_owned());
                        report(problem, "until");
                        continue;
                    }
                }
            }
            let Some(code) = code else {
                match (named(waiver).as_slice(), ends) {
                    ([unit], Some(until)) => drop(remake.insert(unit.clone(), until)),
                    _ => {
                        let message = "a waiver of `vanished` names one `cluster`, `network` or `managementCluster`, and the \
                                       day `until` which it is to be made again";
                        report(Diagnostic::new(Code::MissingKey, message), "rule");
                    }
                }
                continue;
            };
            if waiver.network.is_some() || waiver.management_cluster.is_some() {
                let message = format!("the rule `{}` is of clusters alone", waiver.rule);
                let hint = "name a `cluster`, or none for all of them";
                report(Diagnostic::new(Code::NotAllowed, message).hint(hint), "rule");
                continue;
            }
            holding.push(Holding {
                code,
                cluster: waiver.cluster.clone(),
                until: ends,
            });
        }
        let waivers = Self {
            now,
            holding,
            remake,
            relied_on: RefCell::default(),
        };
        (waivers, found)
    }

    /// Whether a rule's finding about a cluster is waived. Where it is an error, it is remembered for how long, and then not
    /// reported either: that is for the guard.
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
        let has_ended = longest.until.is_some_and(|until| until <= self.now);
        if has_ended && (problem.severity != Severity::Error || cluster.is_none()) {
            return false;
        }
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

    /// The units of which may be made again what has vanished, and until when.
    pub(super) fn remake(&self) -> &BTreeMap<UnitId, Timestamp> {
        &self.remake
    }

    /// What clusters would have an error without: the first of them that ends, by cluster.
    pub(super) fn relied_on(&self) -> BTreeMap<ClusterName, Waived> {
        self.relied_on.borrow().clone()
    }
}

/// The units that a waiver names.
fn named(waiver: &spec::Waiver) -> Vec<UnitId> {
    let cluster = waiver
        .cluster
        .as_deref()
        .map(|name| UnitId::Cluster(ClusterName::new(name)));
    let network = waiver
        .network
        .as_deref()
        .map(|name| UnitId::Network(NetworkName::new(name)));
    let hub = waiver.management_cluster.as_deref();
    let hub = hub.map(|name| UnitId::ManagementCluster(ManagementClusterName::new(name)));
    [cluster, network, hub].into_iter().flatten().collect()
}

/// The beginning of the day after.
fn end_of(day: jiff::civil::Date) -> Option<Timestamp> {
    let next = day.tomorrow().ok()?;
    next.to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|midnight| midnight.timestamp())
}

/// The id by which users know a rule: what stands in brackets at the end of its summary.
pub(crate) fn rule_id(code: Code) -> Option<&'static str> {
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
            network: None,
            management_cluster: None,
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
    fn what_has_vanished_is_made_again_of_one_unit_and_until_a_day() {
        let day = Some("2026-12-31");
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let read = |waiver: spec::Waiver| {
            let (waivers, found) = Waivers::new(&[waiver], None, now, &[]);
            let units = waivers.remake().iter().map(|(unit, until)| format!("{unit} {until}"));
            let codes: Vec<Code> = found.iter().map(|problem| problem.code).collect();
            (units.collect::<Vec<_>>(), codes)
        };
        let of = |cluster, until| spec::Waiver {
            rule: VANISHED.to_owned(),
            ..waiver(cluster, until)
        };
        let network = spec::Waiver {
            network: Some("shared".to_owned()),
            ..of(None, day)
        };
        let both = spec::Waiver {
            cluster: Some("a".to_owned()),
            ..network.clone()
        };
        let of_rule = spec::Waiver {
            rule: "cp-ha-prod".to_owned(),
            ..network.clone()
        };
        assert_eq!(
            read(of(Some("a"), day)),
            (vec!["cluster a 2027-01-01T00:00:00Z".to_owned()], vec![])
        );
        assert_eq!(
            read(network),
            (vec!["network shared 2027-01-01T00:00:00Z".to_owned()], vec![])
        );
        assert_eq!(
            read(of(Some("a"), Some("2026-11-20"))),
            (vec![], vec![Code::WaiverExpired])
        );
        for wrong in [of(Some("a"), None), of(None, day), both] {
            assert_eq!(read(wrong), (vec![], vec![Code::MissingKey]));
        }
        assert_eq!(read(of_rule), (vec![], vec![Code::NotAllowed]));
    }

    #[test]
    fn what_a_waiver_that_has_ended_let_pass_is_for_the_guard() {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let ended = waiver(Some("a"), Some("2026-11-20"));
        let (waivers, found) = Waivers::new(&[ended], None, now, &[]);
        assert_eq!(found[0].code, Code::WaiverExpired);
        assert!(found[0].message.ends_with("are refused"), "{found:?}");
        let error = Diagnostic::new(Code::CpHaProd, "one replica");
        assert!(waivers.waive(&error, Some("a")) && !waivers.waive(&error, Some("b")) && !waivers.waive(&error, None));
        let relied_on: Vec<_> = waivers.relied_on().into_values().map(|waived| waived.until).collect();
        assert_eq!(relied_on, ["2026-11-21T00:00:00Z".parse().unwrap()]);
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
