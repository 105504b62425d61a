//! Decisions about OCI documents: there are no field managers there, so what is wanted is compared with what is there.

use serde_json::Value;

use super::change::{Action, Block, Body, Change, FieldDiff, Ownership, Payload, Preview, Reason};
use super::ignore::{self, About, IgnoredField};
use super::known::restore;
use super::unwanted::seen;
use crate::inventory::{Entry, OciEntry};
use crate::providers::{Observation, Observed};
use crate::resource::oci::{self, FieldDifference, Former, RecordSet};
use crate::resource::{Manifest, Stewardship};

/// The document is there: nothing to do, or an update, or an adoption.
pub(super) fn present(
    mut change: Change,
    manifest: &Manifest,
    wanted: &Value,
    live: &Value,
    entry: Option<&Entry>,
    (about, ignored): (&About<'_>, &mut Vec<IgnoredField>),
) -> Option<Change> {
    let Some(kind) = oci::kind(&manifest.id.kind) else {
        let message = format!("{} is no kind of OCI document", manifest.id.kind);
        change.blocks.push(Block::Invalid { message });
        return Some(change);
    };
    let recorded = entry.and_then(|entry| entry.oci.as_ref());
    let mut former = recorded.map_or_else(Former::default, |entry| Former {
        tags: &entry.tags,
        fields: &entry.fields,
    });
    let left = ignore::oci(about, &change, kind, (wanted, live), former);
    if let Some(left) = &left {
        ignored.extend_from_slice(&left.ignored);
        former.fields = &left.former;
    }
    let wanted = left.as_ref().map_or(wanted, |left| &left.document);
    let differences = oci::differences(kind, &wanted["spec"], &live["spec"], former);
    if manifest.stewardship == Stewardship::Observed {
        change.reason = Reason::Found;
        change.fields = differences.into_iter().map(field_diff).collect();
        change.preview = Preview::Predicted;
        return (!change.fields.is_empty()).then_some(change);
    }
    let found = matches!(
        change.ownership,
        Ownership::Foreign | Ownership::Replaced | Ownership::Unrecorded
    );
    // Nothing is written to what another fleet has marked, and it is not taken for ours either: a guard refuses it.
    let of_others = matches!(change.ownership, Ownership::Fleet(_));
    // What cannot carry a tag has no mark to lose.
    let unmarked = change.ownership == Ownership::Unmarked && kind.is_tagged();
    if differences.is_empty() && !found && !of_others && !unmarked {
        return None;
    }
    let unchanged = entry.and_then(|entry| entry.digest) == Some(manifest.digest());
    (change.action, change.reason) = match (found || of_others, unchanged) {
        (true, _) if change.ownership == Ownership::Unrecorded => (Action::Adopt, Reason::Unrecorded),
        (true, _) => (Action::Adopt, Reason::Found),
        (false, true) => (Action::Update, Reason::Drifted),
        (false, false) => (Action::Update, Reason::Changed),
    };
    // What carries our mark we made ourselves, as far as can be known.
    if let (Some(entry), Ownership::Foreign | Ownership::Replaced) = (&mut change.oci, &change.ownership) {
        entry.adopted = true;
    }
    change.preview = Preview::Predicted;
    change.fields = differences.into_iter().map(field_diff).collect();
    // Of thousands of documents few come to this.
    let mut wanted = wanted.clone();
    restore(&mut wanted, &change.unresolved);
    take_off(&mut wanted, former.tags);
    if let Some(spec) = wanted["spec"].as_object_mut() {
        oci::say_outright(kind, spec, former);
    }
    change.payload.body = Body::Plain(wanted.to_string().into());
    Some(change)
}

/// Whether it is a side of a peering of ours that has ended: it can't be connected again, to anything.
pub(super) fn has_ended(change: &Change) -> bool {
    let ended = |diff: &FieldDiff| {
        let before = diff.before.as_ref();
        diff.field == ".spec.peerId" && before.is_some_and(|before| before.get(oci::ENDED).is_some())
    };
    change.action == Action::Update && change.ownership == Ownership::Ours && change.fields.iter().any(ended)
}

/// Whether a route of the fleet's may lead to a gateway: OCI keeps it as long as one does.
pub(super) fn may_be_routed_to(observation: Option<&Observation>, ocid: &str) -> bool {
    let objects = observation.into_iter().flat_map(|observation| &observation.objects);
    let mut tables = objects.filter(|(id, _)| id.kind.starts_with("RouteTable"));
    tables.any(|(_, seen)| match seen {
        Observed::Present(live) => live.text.contains(ocid),
        Observed::Unknown(_) => true,
        Observed::Absent => false,
    })
}

/// It goes, and the next plan makes it anew.
pub(super) fn remade(change: Change, live: &Value) -> Change {
    Change {
        action: Action::Delete,
        reason: Reason::Ended,
        fields: Vec::new(),
        preview: Preview::Document,
        seen: Some(seen(&change.id, live)),
        depends_on: Vec::new(),
        payload: Payload::none(),
        unresolved: Vec::new(),
        later: None,
        ..change
    }
}

/// Says of tags that were ours and are no longer wanted that they are to go.
fn take_off(document: &mut Value, former: &[String]) {
    if let Some(tags) = document["spec"].get_mut("freeformTags").and_then(Value::as_object_mut) {
        for key in former {
            tags.entry(key.clone()).or_insert(Value::Null);
        }
    }
}

pub(super) fn field_diff(difference: FieldDifference) -> FieldDiff {
    let FieldDifference {
        path,
        before,
        after,
        change,
    } = difference;
    FieldDiff {
        field: path.to_string(),
        before,
        after,
        owner: None,
        replaces: change != oci::Change::InPlace,
    }
}

/// What the record should keep of a document beside its OCID: where it is, and the fields and tags that are ours.
///
/// `incarnation` is that of its next create.
pub(super) fn entry(document: &Value, before: Option<&OciEntry>, incarnation: u32) -> OciEntry {
    let spec = &document["spec"];
    let text = |name: &str| spec[name].as_str().map(str::to_owned);
    let tags = spec["freeformTags"].as_object();
    let kind = document["kind"].as_str().and_then(oci::kind);
    OciEntry {
        region: text("region").unwrap_or_default(),
        compartment: text("compartmentId").unwrap_or_default(),
        tenancy: text("tenancy"),
        incarnation,
        tags: tags.into_iter().flat_map(|tags| tags.keys().cloned()).collect(),
        fields: kind
            .zip(spec.as_object())
            .map_or_else(Vec::new, |(kind, spec)| oci::named(kind, spec)),
        at: spec.as_object().and_then(RecordSet::of).map(|set| set.uid()),
        adopted: before.is_some_and(|entry| entry.adopted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::tests::change;
    use crate::providers::LiveObject;

    #[test]
    fn where_a_route_table_is_not_known_it_may_lead_there() {
        let routed = |kind: &str, seen: Observed| {
            let id = change("a", kind, "x", Action::Leave).id;
            let objects = [(id, seen)].into();
            let observation = Observation {
                objects,
                ..Observation::default()
            };
            may_be_routed_to(Some(&observation), "ocid1.gateway.a")
        };
        let table = |leads_to: &str| {
            Observed::Present(LiveObject {
                uid: "t".to_owned(),
                version: "1".to_owned(),
                text: format!(r#"{{"routeRules": [{{"networkEntityId": "{leads_to}"}}]}}"#).into(),
            })
        };
        assert!(routed("RouteTable", table("ocid1.gateway.a")) && routed("RouteTableRules", table("ocid1.gateway.a")));
        assert!(!routed("RouteTable", table("ocid1.gateway.b")) && !routed("RouteTable", Observed::Absent));
        assert!(routed("RouteTable", Observed::Unknown("no answer".to_owned())));
        assert!(!routed("Subnet", Observed::Unknown("no answer".to_owned())));
    }
}
