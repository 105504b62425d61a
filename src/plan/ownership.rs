//! Whose a live object is.

use serde_json::Value;

use super::change::Ownership;
use crate::inventory::Entry;
use crate::resource::mark::OWNER_ANNOTATION;
use crate::resource::{FleetUid, OwnerMark, ResourceId};

/// Whose this object is, by the mark that it carries and by the inventory's entry.
///
/// A mark without an entry proves nothing: marks are copied with the objects that carry them.
pub(super) fn ownership(
    id: &ResourceId,
    uid: &str,
    live: &Value,
    entry: Option<&Entry>,
    fleet: &FleetUid,
) -> Ownership {
    let mark = live
        .pointer("/metadata/annotations")
        .and_then(|annotations| annotations.get(OWNER_ANNOTATION)?.as_str())
        .and_then(|text| OwnerMark::parse(text).ok());
    match (mark, entry) {
        (Some(mark), _) if mark.fleet != *fleet && mark.is_for(id, &mark.fleet) => {
            Ownership::Fleet(mark.fleet.to_string())
        }
        (Some(mark), None) if mark.is_for(id, fleet) => Ownership::Unrecorded,
        (_, None) => Ownership::Foreign,
        (Some(mark), Some(_)) if mark.is_for(id, fleet) => Ownership::Ours,
        // The create was announced and never confirmed; what stands there without our mark is somebody else's.
        (_, Some(Entry { uid: None, .. })) => Ownership::Foreign,
        (
            _,
            Some(Entry {
                uid: Some(recorded), ..
            }),
        ) if recorded != uid => Ownership::Replaced,
        (_, Some(_)) => Ownership::Unmarked,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::change::Action;
    use crate::plan::change::tests::change;

    fn live(mark: Option<&OwnerMark>) -> Value {
        match mark {
            Some(mark) => json!({"metadata": {"annotations": {OWNER_ANNOTATION: mark.to_annotation()}}}),
            None => json!({"metadata": {}}),
        }
    }

    fn entry(id: &ResourceId, uid: Option<&str>) -> Entry {
        Entry {
            id: id.clone(),
            api_version: "v1".to_owned(),
            uid: uid.map(str::to_owned),
            digest: None,
            oci: None,
            going: false,
        }
    }

    #[test]
    fn needs_both_the_inventory_and_a_mark_of_its_own() {
        let object = change("a", "Secret", "s", Action::Delete);
        let (id, unit) = (&object.id, &object.unit);
        let fleet = FleetUid::new("f");
        let own = OwnerMark::for_object(&fleet, unit, id);
        let copied = OwnerMark::for_object(&fleet, unit, &change("a", "HostedCluster", "a", Action::Delete).id);
        let other = OwnerMark::for_object(&FleetUid::new("g"), unit, id);
        let whose = |mark, entry: Option<&Entry>| ownership(id, "u1", &live(mark), entry, &fleet);

        assert_eq!(whose(Some(&own), Some(&entry(id, Some("u1")))), Ownership::Ours);
        assert_eq!(whose(Some(&own), Some(&entry(id, None))), Ownership::Ours);
        assert_eq!(whose(Some(&own), None), Ownership::Unrecorded);
        assert_eq!(whose(Some(&copied), None), Ownership::Foreign);
        assert_eq!(whose(Some(&copied), Some(&entry(id, Some("u1")))), Ownership::Unmarked);
        assert_eq!(whose(None, Some(&entry(id, Some("u1")))), Ownership::Unmarked);
        assert_eq!(whose(None, Some(&entry(id, Some("u0")))), Ownership::Replaced);
        assert_eq!(whose(None, Some(&entry(id, None))), Ownership::Foreign);
        assert_eq!(
            whose(Some(&other), Some(&entry(id, Some("u1")))),
            Ownership::Fleet("g".to_owned())
        );
    }
}
