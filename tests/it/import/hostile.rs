//! Live objects with parts exchanged at random: nothing panics, and what is left out is said.

use fleetwright::fleet::model::Dialect;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::{found, imported, of_others, rendered};
use crate::admit_hostile::places;
use crate::render_fixture::{cluster, fleet, gpu_pool, hosted};

fn odd() -> impl Strategy<Value = Value> {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("\u{0}\u{202e}é\u{2028}\n- {"),
        json!("x".repeat(300)),
        json!("a: b # c"),
        json!([]),
        json!([null, {}, []]),
        json!([{"a": 1}, {"a": 1}]),
        json!({}),
        json!({"": {"": {"": {}}}}),
        json!({"$ref": {"kind": "Vcn", "name": "x"}, "field": "id"}),
    ];
    proptest::sample::select(values.to_vec())
}

fn objects() -> Vec<Value> {
    let clusters = ["a", "b"].map(|name| {
        let mut cluster = cluster(name, Dialect::Oci);
        let pool = gpu_pool(name);
        hosted(&mut cluster).node_pools.insert(pool.name.clone(), pool);
        cluster
    });
    of_others(&rendered(&fleet(clusters)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_there_something_is_made_of_it(changes in prop::collection::vec((any::<Index>(), any::<Index>(), odd()), 1..5)) {
        let mut objects = objects();
        for (which, place, value) in changes {
            let object = which.get(&objects[..]).clone();
            let mut all = Vec::new();
            places(&object, "", &mut all);
            let at = place.get(&all);
            // What kind an object is of is what it was listed as.
            if at.is_empty() || at == "/kind" {
                continue;
            }
            let same = objects.iter_mut().find(|other| **other == object).expect("it");
            *same.pointer_mut(at).expect("a place") = value;
        }
        let made = imported(&[found(&objects)]);
        prop_assert!(made.files.contains_key("fleet.yaml"));
        let live = objects.iter().filter(|object| object["kind"] == "HostedCluster").count();
        let left_out = made.diagnostics.iter().filter(|said| said.code.id() == "FW0701").count();
        prop_assert!(made.clusters + left_out >= live, "{:#?}", made.diagnostics);
        let fleet = super::reloaded(&made);
        prop_assert!(fleet.failed.is_empty());
    }
}

#[test]
fn nothing_is_an_empty_fleet() {
    let made = imported(&[found(&[])]);
    assert_eq!((made.clusters, made.pools), (0, 0));
    super::reloaded(&made);
}
