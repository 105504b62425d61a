//! Whatever fleet is rendered and made by others: its import renders to the same objects.

use fleetwright::diag::Severity;
use proptest::prelude::*;

use super::fleets::fleets;
use super::{found, imported, of_others, reloaded, rendered, specs};

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_imported_renders_to_what_is_there(fleet in fleets()) {
        let there = rendered(&fleet);
        prop_assert_eq!(&there.diagnostics, &[]);
        let objects = of_others(&there);
        let made = imported(&[found(&objects)]);
        let errors: Vec<_> = made.diagnostics.iter().filter(|said| said.severity == Severity::Error).collect();
        prop_assert!(errors.is_empty(), "{errors:#?}");
        prop_assert_eq!(made.clusters, fleet.clusters.len());
        prop_assert!(made.is_factored);
        let again = of_others(&reloaded(&made));
        let (before, after) = (specs(&objects), specs(&again));
        prop_assert_eq!(&after, &before, "{:#?}", made.files);
        // What the files say of labels and annotations is there already.
        for object in &again {
            let same = |other: &&serde_json::Value| {
                other["kind"] == object["kind"]
                    && other["metadata"]["name"] == object["metadata"]["name"]
                    && other["metadata"]["namespace"] == object["metadata"]["namespace"]
            };
            let there = objects.iter().find(same).expect("the object");
            for map in ["labels", "annotations"] {
                for (key, value) in object["metadata"][map].as_object().into_iter().flatten() {
                    prop_assert_eq!(&there["metadata"][map][key], value, "{} of {}", key, object);
                }
            }
        }
        // The same again, whatever else is done in between.
        prop_assert_eq!(imported(&[found(&objects)]).files, made.files);
    }
}
