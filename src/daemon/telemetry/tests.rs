use super::*;
use crate::daemon::queue;
use crate::resource::ClusterName;

fn unit(name: &str) -> UnitId {
    UnitId::Cluster(ClusterName::new(name))
}

fn written(telemetry: &Telemetry) -> String {
    telemetry.record(&Report::default());
    telemetry.registry().text()
}

fn looked(state: State, end: End) -> Looked {
    Looked {
        state,
        error: None,
        end,
        facts: None,
    }
}

#[test]
fn units_are_told_as_they_are_and_go_with_the_fleet() {
    let telemetry = Telemetry::default();
    let units = BTreeMap::from([
        (unit("a"), looked(State::InSync, End::Rest)),
        (unit("b"), looked(State::Pending { changes: 2 }, End::Failed)),
    ]);
    let hindered = Hindered {
        refused: BTreeMap::from([("protected", 3)]),
        drifted: 1,
    };
    let tally = Tally {
        hindered: BTreeMap::from([(unit("a"), hindered)]),
        ..Tally::default()
    };
    telemetry.looked(&units, &tally, Duration::from_secs(2), None);
    telemetry.queued(queue::Standing {
        due: 4,
        oldest: Some(Duration::from_secs(7)),
        under_way: 2,
    });
    let text = written(&telemetry);
    for line in [
        r#"fleetwright_units{kind="cluster",state="failed"} 1"#,
        r#"fleetwright_units{kind="cluster",state="in_sync"} 1"#,
        r#"fleetwright_unit_in_sync{kind="cluster",name="a"} 1"#,
        r#"fleetwright_unit_in_sync{kind="cluster",name="b"} 0"#,
        r#"fleetwright_refused_changes{guard="protected"} 3"#,
        r#"hypershift_hostedcluster_reconcile_errors_total{platform="unknown"} 1"#,
        r#"fleetwright_reconcile_seconds_count{kind="cluster",outcome="failed"} 1"#,
        "fleetwright_drifted_objects 1",
        "fleetwright_queue_length 4",
        "fleetwright_units_under_way 2",
        "fleetwright_source_refused 0",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
    assert!(!text.contains("fleetwright_revision_info"), "there is none yet");
    let line = text
        .lines()
        .find(|line| line.starts_with("fleetwright_queue_oldest_seconds "))
        .unwrap();
    assert!(
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() >= 7.0,
        "{line}"
    );

    telemetry.keep(&BTreeSet::from([unit("b")]));
    telemetry.failed(&BTreeSet::from([unit("b")]), Duration::ZERO, None);
    let text = written(&telemetry);
    assert!(!text.contains(r#"name="a""#) && !text.contains("protected"), "{text}");
}

#[test]
fn a_unit_that_was_never_looked_at_with_success_has_a_time_since_when() {
    let telemetry = Telemetry::default();
    let units = BTreeSet::from([unit("a")]);
    let seen = || {
        let text = written(&telemetry);
        let start = r#"fleetwright_unit_last_success_timestamp_seconds{kind="cluster",name="a"} "#;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(start).map(str::to_owned));
        line.map(|at| at.parse::<f64>().unwrap())
    };
    assert_eq!(seen(), None);
    telemetry.failed(&units, Duration::ZERO, None);
    let first = seen().unwrap();
    assert!(first > 1.0);
    telemetry.failed(&units, Duration::ZERO, None);
    assert_eq!(seen(), Some(first), "another failure is no success");
}
