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
    /// Sorts a list; what is gone is left out.
    pub(super) fn new(items: Vec<Live>, kind: &OciKind, fleet: &FleetUid) -> Self {
        let items: Vec<Arc<Live>> = items
            .into_iter()
            .filter(|live| live.phase(kind) != Phase::Gone)
            .map(Arc::new)
            .collect();
        let (mut by_ocid, mut by_mark, mut by_name) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (i, live) in items.iter().enumerate() {
            by_ocid.insert(live.ocid.clone(), i);
            match (tags::tag(&live.shown, tags::FLEET), tags::tag(&live.shown, tags::ID)) {
                (Some(f), Some(hash)) if f == fleet.as_str() => {
                    by_mark.entry(hash.to_owned()).or_insert_with(Vec::new).push(i);
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

    /// The only one without any mark of that name, in that VCN where one is given.
    pub(super) fn named(&self, name: &str, vcn: Option<&str>, kind: &OciKind) -> Option<&Arc<Live>> {
        let mut fitting = self
            .by_name
            .get(name)
            .into_iter()
            .flatten()
            .map(|&i| &self.items[i])
            .filter(|live| live.phase(kind) != Phase::Going)
            .filter(|live| match (vcn, live.text("vcnId")) {
                (Some(wanted), Some(found)) => wanted == found,
                _ => true,
            });
        let first = fitting.next();
        if fitting.next().is_some() { None } else { first }
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
        let shelf = Shelf::new(items, kind, &fleet);
        assert_eq!(
            shelf.named("workers", Some("v1"), kind).map(|live| live.ocid.as_str()),
            Some("1")
        );
        assert!(shelf.named("workers", None, kind).is_none(), "two fit");
        assert!(shelf.named("workers", Some("v3"), kind).is_none(), "that one is marked");
        assert!(shelf.named("others", None, kind).is_none());
    }
}
