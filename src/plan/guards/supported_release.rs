//! No control plane is sent to a release that the operator on its management cluster does not manage.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde_json::Value;

use super::Refusal;
use crate::plan::change::Change;
use crate::plan::upgrade::{IMAGE, version};
use crate::plan::{Plan, document};
use crate::resource::{ManagementClusterName, Target};

/// Its name.
pub const GUARD: &str = "supported-release";

/// The minor versions, as `(4, 20)`, that an operator manages.
pub type Supported = BTreeSet<(u64, u64)>;

/// What an operator says that it manages, in the form in which it is published: `{"versions": ["4.20", …]}`. None where that
/// can't be understood.
pub fn parse(text: &str) -> Option<Supported> {
    let value: Value = serde_json::from_str(text).ok()?;
    let minor = |text: &str| {
        let mut parts = text.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    let versions = value.get("versions")?.as_array()?.iter();
    let supported: Option<Supported> = versions.map(|version| minor(version.as_str()?)).collect();
    supported.filter(|supported| !supported.is_empty())
}

/// The release that a change asks a control plane for, where it is another than before and its image tells it.
pub fn asked_for(change: &Change) -> Option<(&ManagementClusterName, Version)> {
    let Target::Kubernetes(on) = &change.id.target else {
        return None;
    };
    if change.id.kind != "HostedCluster" || !change.goes_ahead() || !change.writes() {
        return None;
    }
    // What the server's dry-run answered counts, where it was asked.
    let image = match change.fields.iter().find(|diff| diff.field == IMAGE) {
        Some(diff) => diff.after.as_ref()?.as_str()?.to_owned(),
        None if change.precondition.is_none() => {
            let body = document(change)?;
            body.expose().pointer("/spec/release/image")?.as_str()?.to_owned()
        }
        None => return None,
    };
    Some((on, version(&image)?))
}

/// Refuses control planes of releases that their operators don't name; of an operator that doesn't say nothing is refused.
pub fn check(plan: &Plan, supported: &BTreeMap<ManagementClusterName, Supported>) -> Vec<Refusal> {
    let refused = plan.changes.iter().filter_map(|change| {
        let (on, version) = asked_for(change)?;
        let supported = supported.get(on)?;
        let (lowest, highest) = (supported.first()?, supported.last()?);
        (!supported.contains(&(version.major, version.minor))).then(|| Refusal {
            guard: GUARD,
            message: format!(
                "{} is to run {version}, and the operator on {on} manages {}.{} to {}.{}",
                change.id, lowest.0, lowest.1, highest.0, highest.1
            ),
            lift: "name a release within that window, or bring the operator forward first".to_owned(),
            objects: vec![change.id.clone()],
        })
    });
    refused.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::change::tests::{change, plan};
    use crate::plan::change::{Action, Body, FieldDiff, Precondition};

    #[test]
    fn refuses_what_the_operator_does_not_name_and_nothing_where_it_says_nothing() {
        let mut new = change("a", "HostedCluster", "a", Action::Create);
        let image = "registry.example/release:4.21.0-multi";
        let body = json!({"spec": {"release": {"image": image}}});
        new.payload.body = Body::Plain(body.to_string().into());
        let plan = plan(vec![new, change("a", "NodePool", "a-x", Action::Create)]);
        let on = ManagementClusterName::new("m");
        let said = |text: &str| check(&plan, &BTreeMap::from([(on.clone(), parse(text).unwrap())]));
        assert!(said(r#"{"versions": ["4.21", "4.20"]}"#).is_empty());
        let refused = said(r#"{"versions": ["4.20", "4.19", "4.18"]}"#);
        assert_eq!(refused[0].objects, [plan.changes[0].id.clone()]);
        assert!(refused[0].message.contains("manages 4.18 to 4.20"), "{refused:?}");
        assert!(check(&plan, &BTreeMap::new()).is_empty());
    }

    #[test]
    fn what_the_server_makes_of_an_update_is_what_counts() {
        let mut upgrade = change("a", "HostedCluster", "a", Action::Update);
        let image = |version: &str| Some(json!(format!("registry.example/release:{version}-multi")));
        let body = json!({"spec": {"release": {"image": image("4.20.3")}}});
        upgrade.payload.body = Body::Plain(body.to_string().into());
        upgrade.precondition = Some(Precondition {
            uid: "u".to_owned(),
            version: "1".to_owned(),
        });
        upgrade.fields = vec![FieldDiff {
            field: IMAGE.to_owned(),
            before: image("4.20.1"),
            after: image("4.21.0"),
            owner: None,
            replaces: false,
        }];
        assert_eq!(
            asked_for(&upgrade).map(|(_, version)| version),
            Some(Version::new(4, 21, 0))
        );
    }

    #[test]
    fn what_is_not_understood_is_not_taken_for_an_empty_window() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"versions": []}"#,
            r#"{"versions": ["latest"]}"#,
            r#"{"versions": [4.20]}"#,
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(
            parse(r#"{"versions": ["5.0", "4.22.0"]}"#),
            Some(BTreeSet::from([(4, 22), (5, 0)]))
        );
    }
}
