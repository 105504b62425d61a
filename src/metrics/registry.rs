//! The values.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::catalog::{self, BUCKETS, SERIES_DROPPED};
use super::{Family, Kind};

/// Series of one family: ten times what a fleet of a thousand clusters needs.
const MOST_SERIES: usize = 20_000;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Durations {
        /// How many fell into each bucket, those above all of them last.
        counts: [u64; BUCKETS.len() + 1],
        sum: f64,
    },
}

pub(super) type Series = BTreeMap<Vec<String>, Value>;

/// All values, shared by whoever records them.
#[derive(Debug, Default)]
pub struct Registry(Mutex<BTreeMap<&'static str, Series>>);

impl Registry {
    /// Adds to a counter.
    pub fn count<const N: usize>(&self, family: &Family<N>, labels: [&str; N], more: f64) {
        debug_assert_eq!(family.kind, Kind::Counter, "{}", family.name);
        self.change(family, labels, Value::Number(0.0), |value| {
            if let Value::Number(number) = value {
                *number += more.max(0.0);
            }
        });
    }

    /// Sets a gauge; or a counter that is kept elsewhere.
    pub fn set<const N: usize>(&self, family: &Family<N>, labels: [&str; N], number: f64) {
        debug_assert_ne!(family.kind, Kind::Histogram, "{}", family.name);
        self.change(family, labels, Value::Number(0.0), |value| {
            *value = Value::Number(number);
        });
    }

    /// Sets a gauge that has no value yet.
    pub fn set_first<const N: usize>(&self, family: &Family<N>, labels: [&str; N], number: f64) {
        debug_assert_eq!(family.kind, Kind::Gauge, "{}", family.name);
        self.change(family, labels, Value::Number(number), |_| {});
    }

    /// Adds a duration to a histogram.
    pub fn observe<const N: usize>(&self, family: &Family<N>, labels: [&str; N], time: Duration) {
        debug_assert_eq!(family.kind, Kind::Histogram, "{}", family.name);
        let none = Value::Durations {
            counts: [0; BUCKETS.len() + 1],
            sum: 0.0,
        };
        let seconds = time.as_secs_f64();
        self.change(family, labels, none, |value| {
            if let Value::Durations { counts, sum } = value {
                counts[BUCKETS.partition_point(|bound| *bound < seconds)] += 1;
                *sum += seconds;
            }
        });
    }

    /// Makes these all the series of a gauge: what is not among them is gone.
    pub fn replace<const N: usize>(&self, family: &Family<N>, series: impl IntoIterator<Item = ([String; N], f64)>) {
        debug_assert_eq!(family.kind, Kind::Gauge, "{}", family.name);
        let series = series.into_iter().take(MOST_SERIES);
        let series = series.map(|(labels, number)| (labels.to_vec(), Value::Number(number)));
        self.lock().insert(family.name, series.collect());
    }

    /// Drops the series whose labels are not as they should be.
    pub fn retain<const N: usize>(&self, family: &Family<N>, keep: impl Fn(&[String]) -> bool) {
        if let Some(series) = self.lock().get_mut(family.name) {
            series.retain(|labels, _| keep(labels));
        }
    }

    /// Everything, in the text format 0.0.4.
    pub fn text(&self) -> String {
        text_of(&[(None, self)])
    }

    fn change<const N: usize>(
        &self,
        family: &Family<N>,
        labels: [&str; N],
        none: Value,
        change: impl FnOnce(&mut Value),
    ) {
        let mut all = self.lock();
        let series = all.entry(family.name).or_default();
        let labels = labels.map(str::to_owned).to_vec();
        if series.len() < MOST_SERIES || series.contains_key(&labels) {
            change(series.entry(labels).or_insert(none));
        } else {
            let dropped = all.entry(SERIES_DROPPED.name).or_default();
            if let Value::Number(number) = dropped.entry(Vec::new()).or_insert(Value::Number(0.0)) {
                *number += 1.0;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Series>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything that some registries hold, in the text format 0.0.4; the series of one that is a fleet's bear its name.
pub fn text_of(parts: &[(Option<&str>, &Registry)]) -> String {
    let parts: Vec<_> = parts
        .iter()
        .map(|(fleet, registry)| (*fleet, registry.lock()))
        .collect();
    let mut text = String::new();
    for entry in catalog::ALL {
        let series: Vec<_> = parts.iter().map(|(fleet, all)| (*fleet, all.get(entry.name))).collect();
        super::text::write(&mut text, entry, &series);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::catalog::{CHANGES, KUBERNETES_SECONDS, PROCESS_CPU, UNIT_IN_SYNC, UNITS};

    fn has(registry: &Registry, line: &str) -> bool {
        registry.text().lines().any(|one| one == line)
    }

    #[test]
    fn what_is_recorded_is_written() {
        let registry = Registry::default();
        let labels = ["create", "NodePool", "files", "done"];
        registry.count(&CHANGES, labels, 1.0);
        registry.count(&CHANGES, labels, 2.0);
        let line = r#"fleetwright_changes_total{action="create",kind="NodePool",cause="files",result="done"} 3"#;
        assert!(has(&registry, line), "{}", registry.text());
        for milliseconds in [5, 6, 400_000] {
            registry.observe(&KUBERNETES_SECONDS, ["GET"], Duration::from_millis(milliseconds));
        }
        for line in [
            r#"fleetwright_kubernetes_request_seconds_bucket{verb="GET",le="0.005"} 1"#,
            r#"fleetwright_kubernetes_request_seconds_bucket{verb="GET",le="0.025"} 2"#,
            r#"fleetwright_kubernetes_request_seconds_bucket{verb="GET",le="300"} 2"#,
            r#"fleetwright_kubernetes_request_seconds_bucket{verb="GET",le="+Inf"} 3"#,
            r#"fleetwright_kubernetes_request_seconds_count{verb="GET"} 3"#,
            r#"fleetwright_kubernetes_request_seconds_sum{verb="GET"} 400.011"#,
            // A counter without labels is there from the start: a rate needs a first value.
            "fleetwright_source_errors_total 0",
        ] {
            assert!(has(&registry, line), "{line}\n{}", registry.text());
        }
    }

    #[test]
    fn what_is_gone_has_no_series() {
        let registry = Registry::default();
        let units = |names: &[&str]| {
            let series: Vec<_> = names
                .iter()
                .map(|name| (["cluster".to_owned(), (*name).to_owned()], 1.0))
                .collect();
            registry.replace(&UNIT_IN_SYNC, series);
        };
        units(&["a", "b"]);
        units(&["b"]);
        assert!(!registry.text().contains(r#"name="a""#) && registry.text().contains(r#"name="b""#));
        registry.set(&UNITS, ["cluster", "failed"], 1.0);
        registry.retain(&UNITS, |labels| labels[1] != "failed");
        assert!(!registry.text().contains("failed"));
    }

    #[test]
    fn of_several_fleets_each_series_says_whose_it_is_and_a_family_stands_in_one_place() {
        let (one, other, process) = (Registry::default(), Registry::default(), Registry::default());
        one.set(&UNITS, ["cluster", "in_sync"], 1.0);
        other.set(&UNITS, ["cluster", "in_sync"], 2.0);
        one.observe(&KUBERNETES_SECONDS, ["GET"], Duration::ZERO);
        process.set(&PROCESS_CPU, [], 3.0);
        let text = text_of(&[(Some("one"), &one), (Some("other"), &other), (None, &process)]);
        let has = |line: &str| text.lines().any(|one| one == line);
        for line in [
            r#"fleetwright_units{fleet="one",kind="cluster",state="in_sync"} 1"#,
            r#"fleetwright_units{fleet="other",kind="cluster",state="in_sync"} 2"#,
            r#"fleetwright_kubernetes_request_seconds_count{fleet="one",verb="GET"} 1"#,
            r#"fleetwright_kubernetes_request_seconds_bucket{fleet="one",verb="GET",le="+Inf"} 1"#,
            r#"fleetwright_source_errors_total{fleet="one"} 0"#,
            r#"fleetwright_source_errors_total{fleet="other"} 0"#,
            "process_cpu_seconds_total 3",
        ] {
            assert!(has(line), "{line}\n{text}");
        }
        assert!(!has("fleetwright_source_errors_total 0"), "that is no fleet's");
        assert_eq!(text.matches("# TYPE fleetwright_units ").count(), 1, "{text}");
        assert_eq!(text.matches("process_cpu_seconds_total").count(), 3, "{text}");
    }

    #[test]
    fn labels_are_escaped_and_bounded_in_number() {
        let registry = Registry::default();
        registry.set(&UNIT_IN_SYNC, ["cluster", "a\"b\\c\nd"], 1.0);
        let line = r#"fleetwright_unit_in_sync{kind="cluster",name="a\"b\\c\nd"} 1"#;
        assert!(has(&registry, line), "{}", registry.text());
        for n in 0..MOST_SERIES + 5 {
            registry.set(&UNITS, ["cluster", &n.to_string()], 1.0);
        }
        assert!(has(&registry, "fleetwright_metric_series_dropped_total 5"));
    }
}
