//! Our freeform tags: whose a resource is, and as of which document.
//!
//! Four of the ten that a resource may have. They prove ownership, so a document may hold none of them; a resource that
//! carries those of another fleet, or of another resource of ours, is never written.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::resource::oci::{OciKind, TAG_PREFIX, normal_spec};
use crate::resource::{
    ClusterName, Digest, FleetUid, ManagementClusterName, NetworkName, OwnerMark, ResourceId, UnitId,
};

/// The fleet's uid.
pub(super) const FLEET: &str = "fleetwright-fleet";
/// A hash of kind and name.
pub(super) const ID: &str = "fleetwright-id";
/// The unit, as it is shown.
pub(super) const UNIT: &str = "fleetwright-unit";
/// Digest of the spec, and when it was found to be so.
pub(super) const DIGEST: &str = "fleetwright-digest";

/// Hex digits of a hash in a tag: 96 bits are more than enough to tell a fleet's resources apart.
const HASH_LENGTH: usize = 24;

/// What [`ID`] says of this resource. The same name in another kind is another resource.
pub(super) fn id_hash(id: &ResourceId) -> String {
    let parts = [id.group.as_bytes(), id.kind.as_bytes(), id.name.as_bytes()];
    short(Digest::of_parts(parts))
}

/// The digest of a spec: of its normal form, our own tags and what says where it is looked for left out.
pub(super) fn spec_digest(kind: &OciKind, spec: &Value) -> String {
    short(Digest::of(normal_spec(kind, spec).to_string().as_bytes()))
}

fn short(digest: Digest) -> String {
    let mut hex = digest.to_hex();
    hex.truncate(HASH_LENGTH);
    hex
}

/// Whose a resource is by its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// This resource of this fleet.
    Ours,
    /// Nobody's, as far as we can tell.
    Unmarked,
    /// Another fleet's, or another resource of ours.
    Others,
}

/// Reads the tags of a resource as OCI shows it.
pub(super) fn whose(live: &Value, id: &ResourceId, fleet: &FleetUid) -> Whose {
    match (tag(live, FLEET), tag(live, ID)) {
        (Some(f), Some(i)) if f == fleet.as_str() && i == id_hash(id) => Whose::Ours,
        (None, None) => Whose::Unmarked,
        _ => Whose::Others,
    }
}

/// One freeform tag.
pub(super) fn tag<'a>(live: &'a Value, key: &str) -> Option<&'a str> {
    live.get("freeformTags")?.get(key)?.as_str()
}

/// The digest that a resource was left with, and since when it is known to be so.
pub(super) fn digest(live: &Value) -> Option<(&str, Option<&str>)> {
    let text = tag(live, DIGEST)?;
    Some(
        text.split_once(' ')
            .map_or((text, None), |(digest, since)| (digest, Some(since))),
    )
}

/// The digest with a time, to the second.
pub(super) fn stamped(digest: &str, now: Timestamp) -> String {
    let seconds = Timestamp::from_second(now.as_second()).unwrap_or(now);
    format!("{digest} {seconds}")
}

/// The owner mark that the tags stand for, where they name this very resource; for another fleet's, the mark of that.
pub(super) fn mark(live: &Value, id: &ResourceId) -> Option<OwnerMark> {
    let fleet = tag(live, FLEET)?;
    let unit = parse_unit(tag(live, UNIT)?)?;
    (tag(live, ID)? == id_hash(id)).then(|| OwnerMark::for_object(&FleetUid::new(fleet), &unit, id))
}

/// The tags to write: those of others, those that are wanted (null: to go), and ours.
pub(super) fn merged(live: &Value, wanted: Option<&Value>, ours: &Ours<'_>) -> Map<String, Value> {
    let mut tags = live
        .get("freeformTags")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    tags.retain(|key, _| !key.starts_with(TAG_PREFIX));
    for (key, value) in wanted.and_then(Value::as_object).into_iter().flatten() {
        if value.is_null() {
            tags.remove(key);
        } else if !key.starts_with(TAG_PREFIX) {
            tags.insert(key.clone(), value.clone());
        }
    }
    let Ours { id, mark, digest } = ours;
    tags.insert(FLEET.to_owned(), mark.fleet.as_str().into());
    tags.insert(ID.to_owned(), id_hash(id).into());
    tags.insert(UNIT.to_owned(), mark.unit.to_string().into());
    if let Some(digest) = digest {
        tags.insert(DIGEST.to_owned(), (*digest).into());
    }
    tags
}

/// What our tags say.
pub(super) struct Ours<'a> {
    /// The resource.
    pub(super) id: &'a ResourceId,
    /// Its mark.
    pub(super) mark: &'a OwnerMark,
    /// What [`DIGEST`] says; none while the resource is not yet, or no longer, as its document has it.
    pub(super) digest: Option<&'a str>,
}

/// Units are tagged as they are shown, so that people who look at a resource in OCI's console can read it.
pub(super) fn parse_unit(text: &str) -> Option<UnitId> {
    let (kind, name) = text.split_once(' ')?;
    match kind {
        "management" => Some(UnitId::ManagementCluster(ManagementClusterName::new(name))),
        "network" => Some(UnitId::Network(NetworkName::new(name))),
        "cluster" => Some(UnitId::Cluster(ClusterName::new(name))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::oci;
    use crate::resource::reference::oci_id;

    #[test]
    fn tags_stand_for_the_mark_of_one_resource_and_leave_those_of_others() {
        let (id, fleet) = (oci_id("Subnet", "a"), FleetUid::new("f"));
        let unit = UnitId::Cluster(ClusterName::new("a b"));
        let made = OwnerMark::for_object(&fleet, &unit, &id);
        let ours = Ours {
            id: &id,
            mark: &made,
            digest: Some("d"),
        };
        let before = json!({"freeformTags": {"theirs": "1", "old": "2", DIGEST: "before"}});
        let wanted = json!({"team": "net", "old": null, FLEET: "forged"});
        let live = json!({"freeformTags": merged(&before, Some(&wanted), &ours)});
        assert_eq!(
            live["freeformTags"],
            json!({"theirs": "1", "team": "net", FLEET: "f", ID: id_hash(&id), UNIT: "cluster a b", DIGEST: "d"})
        );
        assert_eq!(mark(&live, &id), Some(made));
        assert_eq!(mark(&live, &oci_id("Vcn", "a")), None);
        assert_eq!(whose(&live, &id, &fleet), Whose::Ours);
        assert_eq!(whose(&live, &oci_id("Subnet", "b"), &fleet), Whose::Others);
        assert_eq!(whose(&live, &id, &FleetUid::new("g")), Whose::Others);
        assert_eq!(whose(&before, &id, &fleet), Whose::Unmarked);
    }

    #[test]
    fn the_digest_is_of_what_is_asked_for() {
        let kind = oci::kind("RouteTable").unwrap();
        let a = json!({"routeRules": [{"destination": "0.0.0.0/0", "networkEntityId": "n"}], "vcnId": null});
        let b = json!({"routeRules": [{"cidrBlock": "0.0.0.0/0", "networkEntityId": "n", "description": null}]});
        assert_eq!(spec_digest(kind, &a), spec_digest(kind, &b));
        assert_eq!(spec_digest(kind, &a).len(), HASH_LENGTH);
        assert_ne!(spec_digest(kind, &a), spec_digest(kind, &json!({"routeRules": []})));
    }
}
