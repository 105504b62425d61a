//! Kinds that are a part of something else, and have no OCID and no tags of their own: dispatch, and how they are marked.
//!
//! Their mark is text: of one word of ours, the hash of fleet and resource, and the unit. It stands where the part has room
//! for text.

use serde_json::Value;

use super::api::Place;
use super::failure::refused;
use super::kinds::records::Zones;
use super::kinds::route_rules::Tables;
use super::kinds::{records, route_rules};
use super::provider::{Known, OciProvider};
use super::tags;
use super::write::Wanted;
use crate::providers::{Observed, ProviderError, WriteRequest, WriteResponse};
use crate::resource::{Digest, FleetUid, OwnerMark, ResourceId, UnitId};

/// The word that begins a mark.
pub(super) const WORD: &str = "fleetwright";
/// Hex digits of the hash.
const HASH_LENGTH: usize = 24;

/// What stands in the text of a part of ours: `fleetwright 0123… cluster payments`.
pub(super) fn text_mark(fleet: &FleetUid, id: &ResourceId, unit: &UnitId) -> String {
    format!("{} {unit}", prefix(fleet, id))
}

/// The beginning of the mark, that no other fleet's or resource's has.
fn prefix(fleet: &FleetUid, id: &ResourceId) -> String {
    let parts = [fleet.as_str(), &id.group, &id.kind, &id.name];
    let mut hash = Digest::of_parts(parts.map(str::as_bytes)).to_hex();
    hash.truncate(HASH_LENGTH);
    format!("{WORD} {hash}")
}

/// The mark that a text holds, where it was made for this resource by this fleet.
pub(super) fn read_mark(text: &str, fleet: &FleetUid, id: &ResourceId) -> Option<OwnerMark> {
    let unit = text.strip_prefix(&prefix(fleet, id))?.strip_prefix(' ')?;
    Some(OwnerMark::for_object(fleet, &tags::parse_unit(unit)?, id))
}

/// The mark of somebody else: a text that begins like one of ours, and was made by another fleet or for another resource.
/// Which fleet that is can't be read from it; its hash stands for it.
pub(super) fn others_mark(text: &str, fleet: &FleetUid, id: &ResourceId) -> Option<OwnerMark> {
    let (hash, unit) = text.strip_prefix(WORD)?.strip_prefix(' ')?.split_once(' ')?;
    let of_ours = text.starts_with(&prefix(fleet, id));
    let mark = || {
        Some(OwnerMark::for_object(
            &FleetUid::new(hash),
            &tags::parse_unit(unit)?,
            id,
        ))
    };
    if of_ours { None } else { mark() }
}

/// What several parts are in, as it was read for one observation.
#[derive(Default)]
pub(super) struct Wholes {
    tables: Tables,
    zones: Zones,
}

impl OciProvider {
    /// Reads a part. `spec` is the desired one with all in it resolved; none where only its mark is looked for.
    /// Tables and zones that were read before are not read again.
    pub(super) async fn read_part(
        &self,
        id: &ResourceId,
        place: &Place,
        spec: Option<&Value>,
        wholes: &Wholes,
    ) -> Observed {
        let uid = self.known(id).and_then(|known| known.ocid);
        let read = match id.kind.as_str() {
            "RouteTableRules" => route_rules::read(self, id, place, spec, uid.as_deref(), &wholes.tables).await,
            "DnsRecords" => records::read(self, id, place, (spec, uid.as_deref()), &wholes.zones).await,
            _ => Observed::Unknown("there is no such kind".to_owned()),
        };
        if let (Observed::Present(live), Some(known)) = (&read, self.known(id)) {
            let ocid = Some(live.uid.clone());
            self.learn(id, Known { ocid, ..known });
        }
        read
    }

    pub(super) async fn write_part(
        &self,
        request: &WriteRequest<'_>,
        wanted: &Wanted<'_>,
    ) -> Result<WriteResponse, ProviderError> {
        let id = wanted.id;
        let object = match id.kind.as_str() {
            "RouteTableRules" => route_rules::write(self, wanted, request.uid).await?,
            "DnsRecords" => records::write(self, wanted, (request.uid, request.version)).await?,
            _ => return Err(refused(id, "there is no such kind")),
        };
        self.learn(
            id,
            Known {
                place: wanted.place.clone(),
                compartment: wanted.compartment.clone(),
                ocid: Some(object.uid.clone()),
            },
        );
        Ok(WriteResponse { object })
    }

    pub(super) async fn delete_part(&self, id: &ResourceId, place: &Place, uid: &str) -> Result<(), ProviderError> {
        match id.kind.as_str() {
            "RouteTableRules" => route_rules::delete(self, id, place, uid).await,
            "DnsRecords" => records::delete(self, id, place, uid).await,
            _ => Err(refused(id, "there is no such kind")),
        }
    }
}
