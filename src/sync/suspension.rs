//! Whether a unit is suspended: by the fleet files, by annotations, or because nobody can tell.
//!
//! Invariant: each wish holds by itself; no nearer one lifts a farther one. A wish that ended has no effect. What can't be
//! read suspends: better that a change waits than that it is made against somebody's word.

use std::fmt;

use jiff::Timestamp;

use super::annotations::{self, Asked};
use super::records::{Read, Record};
use super::types::{SuspensionReport, Time, UnitSync};
use crate::fleet::model::{Fleet, Suspend};
use crate::resource::{ManagementClusterName, UnitId};

/// That nothing of a unit is written or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// Why.
    pub reason: String,
    /// When it ends by itself; none: when somebody ends it.
    pub until: Option<Timestamp>,
    /// Whose wish it is.
    pub by: By,
}

/// Where a suspension is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// In the fleet files, at this place.
    Files(String),
    /// By annotations of this object.
    Annotations(String),
    /// Nobody knows whether it is.
    Unknown,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(place) => f.write_str(place),
            Self::Annotations(object) => write!(f, "annotations of {object}"),
            Self::Unknown => f.write_str("caution"),
        }
    }
}

impl fmt::Display for Suspension {
    /// `until 2026-12-01T00:00:00Z: a freeze (annotations of FleetStatus prod)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => write!(f, "until {until}")?,
            None if self.by == By::Unknown => f.write_str("as long as that is so")?,
            None => f.write_str("until resumed")?,
        }
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        write!(f, " ({})", self.by)
    }
}

impl From<&Suspension> for SuspensionReport {
    fn from(suspension: &Suspension) -> Self {
        Self {
            reason: super::cut(&suspension.reason),
            until: suspension.until.map(Time::new),
            by: suspension.by.to_string(),
        }
    }
}

/// A unit, and where it is recorded.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The unit.
    pub unit: &'a UnitId,
    /// The management cluster whose inventory holds it.
    pub on: &'a ManagementClusterName,
    /// What that one was seen to say.
    pub read: &'a Read,
}

/// Of which environment a unit is.
enum Environment<'a> {
    /// Of none: it is no cluster.
    None,
    /// Of this one.
    Known(&'a str),
    /// It left the files, and nobody wrote down of which it was.
    Lost,
}

/// Whether a unit is suspended, and of several wishes the one that holds longest.
pub fn suspended(fleet: &Fleet, place: Place<'_>, now: Timestamp) -> Option<Suspension> {
    let record = place.read.known().and_then(|records| records.unit(fleet, place.unit));
    let environment = environment(fleet, place.unit, record);
    let mut wishes = by_files(fleet, place.unit, &environment);
    match place.read {
        Read::NotInstalled => {}
        Read::Unknown(why) => wishes.push(unknown(format!(
            "it can't be read from {} whether it is suspended: {why}",
            place.on
        ))),
        Read::Known(records) => {
            if let Some(record) = records.fleet(fleet) {
                let object = format!("FleetStatus {}", record.name);
                wishes.extend(wish(annotations::asked(&record.annotations, None), &object));
                let environments = annotations::environments(&record.annotations);
                let meant = environments.into_iter().filter(|name| match environment {
                    Environment::Known(known) => *name == known,
                    Environment::Lost => true,
                    Environment::None => false,
                });
                for name in meant {
                    let object = format!("{object} for environment {name}");
                    wishes.extend(wish(annotations::asked(&record.annotations, Some(name)), &object));
                }
            }
            for record in records.once(fleet, place.unit) {
                let object = format!("ClusterSync {}", record.name);
                wishes.extend(wish(annotations::asked(&record.annotations, None), &object));
            }
        }
    }
    wishes.retain(|wish| wish.until.is_none_or(|until| until > now));
    // What somebody said is worth more to people than that something can't be read.
    wishes
        .into_iter()
        .max_by_key(|wish| (wish.by != By::Unknown, wish.until.is_none(), wish.until))
}

fn environment<'a>(fleet: &'a Fleet, unit: &UnitId, record: Option<&'a Record<UnitSync>>) -> Environment<'a> {
    let UnitId::Cluster(name) = unit else {
        return Environment::None;
    };
    let in_files = fleet.clusters.get(name).map(|cluster| cluster.environment.as_str());
    match in_files.or_else(|| record?.status.environment.as_deref()) {
        Some(name) => Environment::Known(name),
        None => Environment::Lost,
    }
}

fn by_files(fleet: &Fleet, unit: &UnitId, environment: &Environment<'_>) -> Vec<Suspension> {
    let all = &fleet.suspend;
    let mut wishes: Vec<&Suspend> = all.fleet.iter().collect();
    match environment {
        Environment::None => {}
        Environment::Known(name) => {
            wishes.extend(
                all.environments
                    .iter()
                    .filter(|(known, _)| known.as_str() == *name)
                    .map(|(_, it)| it),
            );
        }
        Environment::Lost => wishes.extend(all.environments.values()),
    }
    if let UnitId::Cluster(name) = unit {
        wishes.extend(all.clusters.get(name));
    }
    let said = |wish: &Suspend| Suspension {
        reason: wish.reason.clone(),
        until: wish.until,
        by: By::Files(wish.span.to_string()),
    };
    wishes.into_iter().map(said).collect()
}

fn wish(asked: Asked, object: &str) -> Option<Suspension> {
    match asked {
        Asked::Nothing => None,
        Asked::Suspended { reason, until } => Some(Suspension {
            reason,
            until,
            by: By::Annotations(object.to_owned()),
        }),
        Asked::Unclear(why) => Some(unknown(format!("{object}: {why}"))),
    }
}

fn unknown(reason: String) -> Suspension {
    Suspension {
        reason,
        until: None,
        by: By::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::diag::Span;
    use crate::fleet::model::{Cap, Limits, Suspensions};
    use crate::resource::{ClusterName, EnvironmentName, FleetName, FleetUid};
    use crate::sync::{FleetSync, Records};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn fleet(suspend: Suspensions) -> Fleet {
        Fleet {
            name: FleetName::new("f"),
            uid: FleetUid::new("u"),
            management_clusters: BTreeMap::new(),
            networks: BTreeMap::new(),
            clusters: BTreeMap::new(),
            failed: BTreeSet::new(),
            limits: Limits {
                deletes: Cap::Count(0),
                disrupted_nodes: None,
            },
            decommission: BTreeMap::new(),
            moved: Vec::new(),
            conflicts: Vec::new(),
            drift: Vec::new(),
            ignore: crate::fleet::model::Ignore::default(),
            incomplete: false,
            suspend,
            waived: BTreeMap::new(),
            remake: BTreeMap::new(),
        }
    }

    fn typed(reason: &str, until: Option<&str>) -> Suspend {
        Suspend {
            reason: reason.to_owned(),
            until: until.map(at),
            span: Span {
                file: "fleet.yaml".into(),
                line: 3,
                column: 1,
                start: 0,
                end: 0,
            },
        }
    }

    fn cluster(name: &str) -> UnitId {
        UnitId::Cluster(ClusterName::new(name))
    }

    fn annotated<T>(name: &str, status: T, pairs: &[(&str, &str)]) -> (String, Record<T>) {
        let record = Record {
            name: name.to_owned(),
            uid: "u".to_owned(),
            version: "1".to_owned(),
            generation: 1,
            annotations: pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            status,
        };
        (name.to_owned(), record)
    }

    fn verdict(fleet: &Fleet, read: &Read, unit: &UnitId, now: &str) -> Option<String> {
        let on = ManagementClusterName::new("m");
        let place = Place { unit, on: &on, read };
        suspended(fleet, place, at(now)).map(|suspension| suspension.to_string())
    }

    const BEFORE: &str = "2026-11-30T00:00:00Z";
    const END: &str = "2026-12-01T00:00:00Z";

    #[test]
    fn a_suspension_of_the_files_ends_at_its_time_and_not_before() {
        let fleet = fleet(Suspensions {
            fleet: Some(typed("freeze", Some(END))),
            ..Suspensions::default()
        });
        let said = verdict(&fleet, &Read::NotInstalled, &cluster("a"), BEFORE);
        assert_eq!(
            said.as_deref(),
            Some("until 2026-12-01T00:00:00Z: freeze (fleet.yaml:3:1)")
        );
        assert_eq!(verdict(&fleet, &Read::NotInstalled, &cluster("a"), END), None);
    }

    #[test]
    fn of_several_the_longest_is_told_and_no_near_one_lifts_a_far_one() {
        let fleet = fleet(Suspensions {
            fleet: Some(typed("freeze", None)),
            clusters: BTreeMap::from([(ClusterName::new("a"), typed("own", Some(END)))]),
            ..Suspensions::default()
        });
        let said = verdict(&fleet, &Read::NotInstalled, &cluster("a"), BEFORE).unwrap();
        assert!(said.contains("freeze"), "{said}");
        assert!(verdict(&fleet, &Read::NotInstalled, &cluster("a"), END).is_some());
    }

    #[test]
    fn what_cannot_be_read_suspends_and_what_is_not_installed_does_not() {
        let fleet = fleet(Suspensions::default());
        let said = verdict(&fleet, &Read::Unknown("403".to_owned()), &cluster("a"), BEFORE).unwrap();
        assert!(said.contains("403"), "{said}");
        assert_eq!(verdict(&fleet, &Read::NotInstalled, &cluster("a"), BEFORE), None);
        let garbled = Records {
            fleets: BTreeMap::from([annotated(
                "f",
                FleetSync::default(),
                &[("fleetwright.dev/suspended-until", "later")],
            )]),
            ..Records::default()
        };
        let said = verdict(&fleet, &Read::Known(garbled), &cluster("a"), BEFORE).unwrap();
        assert!(said.contains("later"), "{said}");
    }

    #[test]
    fn a_cluster_that_left_the_files_keeps_its_environment() {
        let fleet = fleet(Suspensions {
            environments: BTreeMap::from([(EnvironmentName::new("prod"), typed("freeze", None))]),
            ..Suspensions::default()
        });
        let of = |environment: Option<&str>| {
            let status = UnitSync {
                environment: environment.map(str::to_owned),
                ..UnitSync::default()
            };
            Read::Known(Records {
                units: BTreeMap::from([annotated("f.gone", status, &[])]),
                ..Records::default()
            })
        };
        assert!(verdict(&fleet, &of(Some("prod")), &cluster("gone"), BEFORE).is_some());
        assert_eq!(verdict(&fleet, &of(Some("dev")), &cluster("gone"), BEFORE), None);
        // Nobody knows of which it was: it may have been that one.
        assert!(verdict(&fleet, &of(None), &cluster("gone"), BEFORE).is_some());
        let network = UnitId::Network(crate::resource::NetworkName::new("hub"));
        assert_eq!(verdict(&fleet, &of(None), &network, BEFORE), None);
    }
}
