//! Objects, definitions and texts with parts exchanged at random: whatever is said of them, nothing panics, and it ends.

use fleetwright::fleet::SourceFile;
use fleetwright::fleet::objects;
use fleetwright::render::crds::OWN;
use fleetwright::schema::admission::{Definitions, FieldValidation, Submission, Verdict, review};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

const OBJECT: &str = "\
apiVersion: hypershift.openshift.io/v1beta1
kind: HostedCluster
metadata: {name: a, namespace: b, labels: {c: d}, ownerReferences: [{apiVersion: v1, kind: A, name: b, uid: c}]}
spec:
  release: {image: quay.io/a/b:4.20.1}
  pullSecret: {name: pull}
  fips: false
  channel: stable-4.20
  dns: {baseDomain: a.example}
  etcd: {managementType: Managed, managed: {storage: {type: PersistentVolume, persistentVolume: {size: 8Gi}}}}
  networking:
    clusterNetwork: [{cidr: 10.132.0.0/14, hostPrefix: 23}]
    serviceNetwork: [{cidr: 172.31.0.0/16}]
  platform: {type: None}
  services:
  - {service: APIServer, servicePublishingStrategy: {type: NodePort, nodePort: {address: a.example}}}
  - {service: OAuthServer, servicePublishingStrategy: {type: Route}}
  - {service: Konnectivity, servicePublishingStrategy: {type: Route}}
  - {service: Ignition, servicePublishingStrategy: {type: Route}}
";

/// Values that are rarely what is expected.
fn odd() -> impl Strategy<Value = Value> {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(u64::MAX),
        json!(""),
        json!("\u{0}\u{202e}é"),
        json!("x".repeat(5000)),
        json!("("),
        json!("self.x.y(oldSelf)"),
        json!("9223372036854775807Ei"),
        json!([]),
        json!([null, {}, []]),
        json!([{"a": 1}, {"a": 1}]),
        json!({}),
        json!({"": {"": {"": {}}}}),
        json!({"type": "object", "properties": {"a": {"$ref": "#/a"}}}),
        json!({"x-kubernetes-validations": [{"rule": "oldSelf == self"}]}),
    ];
    proptest::sample::select(values.to_vec())
}

/// Every place in a document.
pub(crate) fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(entries) => {
            for (name, entry) in entries {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(entry, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

fn exchanged(mut document: Value, changes: &[(Index, Value)]) -> Value {
    for (index, value) in changes {
        let mut all = Vec::new();
        places(&document, "", &mut all);
        if let Some(place) = document.pointer_mut(&all[index.index(all.len())]) {
            *place = value.clone();
        }
    }
    document
}

fn judge(definitions: &Definitions, object: &Value, old: Option<&Value>) -> Verdict {
    let submission = Submission {
        object,
        old,
        field_validation: FieldValidation::Warn,
        repeated: &[],
    };
    review(definitions, submission)
}

fn object() -> Value {
    serde_yaml::from_str(OBJECT).unwrap()
}

fn own() -> Value {
    serde_yaml::from_str(OWN[0].1).unwrap()
}

fn changes() -> impl Strategy<Value = Vec<(Index, Value)>> {
    proptest::collection::vec((any::<Index>(), odd()), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn objects_with_parts_exchanged_get_a_verdict(new in changes(), old in changes()) {
        let mut definitions = Definitions::default();
        definitions.add(own()).unwrap();
        let good = judge(&definitions, &object(), None);
        prop_assert!(matches!(good, Verdict::Admitted(_)), "{good:?}");
        let (new, old) = (exchanged(object(), &new), exchanged(object(), &old));
        for verdict in [judge(&definitions, &new, None), judge(&definitions, &new, Some(&old))] {
            prop_assert!(!matches!(verdict, Verdict::Broken(_)), "{verdict:?}");
        }
    }

    #[test]
    fn definitions_with_parts_exchanged_are_refused_or_serve(crd in changes(), new in changes()) {
        let mut definitions = Definitions::default();
        let added = definitions.add(exchanged(own(), &crd));
        let verdict = judge(&definitions, &exchanged(object(), &new), None);
        let is_unknown = verdict == Verdict::NotChecked;
        prop_assert!(added.is_ok() || is_unknown || !matches!(verdict, Verdict::NotServed(_)), "{verdict:?}");
    }

    #[test]
    fn texts_with_bytes_exchanged_are_read_or_refused(edits in proptest::collection::vec((any::<Index>(), any::<char>()), 1..6)) {
        let mut text: Vec<char> = OBJECT.chars().collect();
        for (index, c) in &edits {
            let at = index.index(text.len());
            text[at] = *c;
        }
        let text: String = text.into_iter().collect();
        let read = objects::read(&[SourceFile { path: "a.yaml".into(), text: text.as_str().into() }]);
        for object in &read.objects {
            let place = read.place_of(object, "spec.services[1].service");
            prop_assert!(place.line as usize <= text.lines().count() + 1);
        }
    }
}
