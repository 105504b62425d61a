//! The resources of a kind in a compartment, as one list showed them, and how a document's is found among them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::{Live, Phase};
use super::tags;
use crate::resource::oci::OciKind;
use crate::resource::{FleetUid, ResourceId};

/// A list.
pub(super) struct Shelf {
    items: Vec<Arc<Live>>,
    by_ocid: BTreeMap<String, usize>,
    /// By the hash in their tags: those of this fleet.
    by_mark: BTreeMap<String, Vec<usize>>,
    /// The same: those of other fleets.
    of_others: BTreeMap<String, Vec<usize>>,
    /// Those without any mark.
    by_name: BTreeMap<String, Vec<usize>>,
}

/// What was found.
pub(super) enum Found<'a> {
    /// It.
    One(&'a Arc<Live>),
    /// Nothing that could be it.
    Nothing,
    /// More than one carries its mark.
    Several(Vec<&'a str>),
}

impl Shelf {
    /// Whether the list held nothing that lives.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Sorts a list; what is gone is left out.
    pub(super) fn new(items: Vec<Live>, kind: &OciKind, fleet: &FleetUid) -> Self {
        let items: Vec<Arc<Live>> = items
            .into_iter()
            .filter(|live| live.phase(kind) != Phase::Gone)
            .map(Arc::new)
            .collect();
        let (mut by_ocid, mut by_name) = (BTreeMap::new(), BTreeMap::new());
        let (mut by_mark, mut of_others) = (BTreeMap::new(), BTreeMap::new());
        for (i, live) in items.iter().enumerate() {
            by_ocid.insert(live.ocid.clone(), i);
            match (tags::tag(&live.shown, tags::FLEET), tags::tag(&live.shown, tags::ID)) {
                (Some(f), Some(hash)) => {
                    let marked = if f == fleet.as_str() {
                        &mut by_mark
                    } else {
                        &mut of_others
                    };
                    marked.entry(hash.to_owned()).or_insert_with(Vec::new).push(i);
                }
                (None, None) => {
                    if let Some(name) = live.text("displayName") {
                        by_name.entry(name.to_owned()).or_insert_with(Vec::new).push(i);
                    }
                }
                _ => {}
            }
        }
        Self {
            items,
            by_ocid,
            by_mark,
            of_others,
            by_name,
        }
    }

    /// The one with this OCID.
    pub(super) fn by_ocid(&self, ocid: &str) -> Option<&Arc<Live>> {
        self.by_ocid.get(ocid).map(|&i| &self.items[i])
    }

    /// The one that carries the mark of a resource. One that is on its way out steps back for another.
    pub(super) fn marked(&self, id: &ResourceId, kind: &OciKind) -> Found<'_> {
        let all: Vec<&Arc<Live>> = self
            .by_mark
            .get(&tags::id_hash(id))
            .into_iter()
            .flatten()
            .map(|&i| &self.items[i])
            .collect();
        let staying: Vec<&Arc<Live>> = all
            .iter()
            .copied()
            .filter(|live| live.phase(kind) != Phase::Going)
            .collect();
        match (staying.as_slice(), all.as_slice()) {
            ([one], _) => Found::One(one),
            ([], [one, ..]) => Found::One(one),
            ([], []) => Found::Nothing,
            _ => Found::Several(staying.iter().map(|live| live.ocid.as_str()).collect()),
        }
    }

    /// What stands under the name that a resource is to have, in that VCN where one is given: made by others and unmarked,
    /// or by another fleet for a resource that is called the same there.
    pub(super) fn named(&self, id: &ResourceId, name: &str, vcn: Option<&str>, kind: &OciKind) -> Found<'_> {
        let hash = tags::id_hash(id);
        let unmarked = self.by_name.get(name).into_iter().flatten();
        let of_others = self.of_others.get(&hash).into_iter().flatten();
        let of_others = of_others.filter(|&&i| self.items[i].text("displayName") == Some(name));
        let fitting: Vec<&Arc<Live>> = unmarked
            .chain(of_others)
            .map(|&i| &self.items[i])
            .filter(|live| live.phase(kind) != Phase::Going)
            .filter(|live| match (vcn, live.text("vcnId")) {
                (Some(wanted), Some(found)) => wanted == found,
                _ => true,
            })
            .collect();
        match fitting.as_slice() {
            [] => Found::Nothing,
            [one] => Found::One(one),
            several => Found::Several(several.iter().map(|live| live.ocid.as_str()).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::oci;
    use crate::resource::reference::oci_id;

    fn item(ocid: &str, state: &str, mark: Option<&ResourceId>, vcn: &str) -> Live {
        let tags = mark.map_or(json!({}), |id| json!({tags::FLEET: "f", tags::ID: tags::id_hash(id)}));
        let shown =
            json!({"id": ocid, "displayName": "workers", "vcnId": vcn, "lifecycleState": state, "freeformTags": tags});
        Live::new(shown, None).unwrap()
    }

    #[test]
    fn a_mark_finds_the_one_that_stays() {
        let (kind, fleet, id) = (oci::kind("Subnet").unwrap(), FleetUid::new("f"), oci_id("Subnet", "a"));
        let shelf = |states: &[(&str, &str)]| {
            let items = states
                .iter()
                .map(|(ocid, state)| item(ocid, state, Some(&id), "v"))
                .collect();
            Shelf::new(items, kind, &fleet)
        };
        let found = |shelf: &Shelf| match shelf.marked(&id, kind) {
            Found::One(live) => live.ocid.clone(),
            Found::Nothing => "nothing".to_owned(),
            Found::Several(ocids) => ocids.join("+"),
        };
        assert_eq!(found(&shelf(&[("1", "TERMINATED")])), "nothing");
        assert_eq!(found(&shelf(&[("1", "TERMINATING"), ("2", "AVAILABLE")])), "2");
        assert_eq!(found(&shelf(&[("1", "TERMINATING")])), "1");
        assert_eq!(found(&shelf(&[("1", "AVAILABLE"), ("2", "PROVISIONING")])), "1+2");
        assert!(matches!(
            shelf(&[("1", "AVAILABLE")]).marked(&oci_id("Subnet", "b"), kind),
            Found::Nothing
        ));
    }

    #[test]
    fn a_name_finds_the_only_unmarked_one() {
        let (kind, fleet, id) = (oci::kind("Subnet").unwrap(), FleetUid::new("f"), oci_id("Subnet", "a"));
        let items = vec![
            item("1", "AVAILABLE", None, "v1"),
            item("2", "AVAILABLE", None, "v2"),
            item("3", "AVAILABLE", Some(&id), "v3"),
        ];
        let found = |shelf: &Shelf, name: &str, vcn| match shelf.named(&id, name, vcn, kind) {
            Found::One(live) => live.ocid.clone(),
            Found::Nothing => "nothing".to_owned(),
            Found::Several(ocids) => ocids.join("+"),
        };
        let shelf = Shelf::new(items.clone(), kind, &fleet);
        assert_eq!(found(&shelf, "workers", Some("v1")), "1");
        assert_eq!(found(&shelf, "workers", None), "1+2");
        assert_eq!(found(&shelf, "workers", Some("v3")), "nothing", "that one is marked");
        assert_eq!(found(&shelf, "others", None), "nothing");
        // To another fleet the third is somebody's: under that name it is seen, and not made beside it.
        let shelf = Shelf::new(items, kind, &FleetUid::new("g"));
        assert_eq!(found(&shelf, "workers", Some("v3")), "3");
    }
}
