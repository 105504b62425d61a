//! Observation: one LIST for each kind in each compartment, and little besides.
//!
//! What a list does not hold is absent only where that list could be read; what the inventory knows by its OCID is asked
//! for by that, too, before it is called absent; and that only where the place has shown that it is the region that was
//! asked (see `region`). A list that fails makes unknown what should have been in it, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use futures::future::join;
use serde_json::{Map, Value};
use tokio::task::yield_now;

use super::api::Place;
use super::document::{ADOPT_ANNOTATION, Live, Phase};
use super::kinds::{Route, route};
use super::parts::Wholes;
use super::provider::{Known, OciProvider, Subject};
use super::region::Proofs;
use super::services::{self, OracleService};
use super::shelf::{Found, Shelf};
use super::shown::in_words;
use super::sought::{Sought, adopts, name, sought};
use crate::inventory::Entry;
use crate::providers::{Observation, ObserveRequest, Observed};
use crate::report::chain;
use crate::resource::ResourceId;
use crate::resource::oci::{self, Change, OciKind};
use crate::resource::reference::{Reference, at_field, references};

/// Lists of one kind, by compartment.
type Shelves = BTreeMap<(Place, String), Result<Shelf, String>>;

/// Objects that are looked for before others have their turn.
const IN_A_ROW: usize = 64;

/// Kinds that are listed at a time. What is listed is kept until its turn comes.
const AHEAD: usize = 3;

/// What there is of a kind.
struct Listed<'s, 'a> {
    kind: &'static OciKind,
    /// What of it is sought.
    ones: &'s [&'s Sought<'a>],
    beside: BTreeSet<(Place, String)>,
    shelves: Shelves,
}

/// What was found, by what was sought.
pub(super) type Sights<'a> = BTreeMap<&'a ResourceId, Sight>;

/// What was found of what is sought.
pub(super) enum Sight {
    There(Place, Arc<Live>),
    Observed(Observed),
}

impl OciProvider {
    /// See [`crate::providers::Provider::observe`].
    pub(super) async fn observe_all(&self, request: &ObserveRequest<'_>) -> Observation {
        let sought = sought(request.desired, request.recorded);
        let mut by_kind: BTreeMap<&str, Vec<&Sought<'_>>> = BTreeMap::new();
        for one in &sought {
            by_kind.entry(one.id.kind.as_str()).or_default().push(one);
        }
        let known = oci::KINDS.iter().map(|kind| kind.name);
        let known: BTreeSet<&str> = known.collect();
        let mut objects: BTreeMap<ResourceId, Observed> = sought
            .iter()
            .filter(|one| !known.contains(one.id.kind.as_str()))
            .map(|one| (one.id.clone(), Observed::Unknown("there is no such kind".to_owned())))
            .collect();
        let mut sights = Sights::new();
        let wholes = Wholes::default();
        let mut proofs = Proofs::default();
        self.begin_anew();
        // In the order in which a network is built: what names a VCN comes after the VCN. While one kind is taken in, the next ones are
        // listed; of each only its documents are kept, and what later ones refer to.
        let lists: Vec<_> = oci::KINDS.iter().map(|kind| self.listed(kind, &by_kind)).collect();
        let mut lists = std::pin::pin!(futures::stream::iter(lists).buffered(AHEAD));
        let mut listed = lists.next().await;
        while let Some(one) = listed {
            let seen = (&mut sights, &mut proofs, &mut objects);
            (listed, ()) = join(lists.next(), self.take_in(one, &wholes, seen)).await;
        }
        Observation {
            objects,
            ..Observation::default()
        }
    }

    /// What there is of a kind, before it is looked through.
    async fn listed<'s, 'a>(
        &self,
        kind: &'static OciKind,
        by_kind: &'s BTreeMap<&str, Vec<&'s Sought<'a>>>,
    ) -> Listed<'s, 'a> {
        let of_kind = |name: &str| by_kind.get(name).map(Vec::as_slice).unwrap_or_default();
        let ones = of_kind(kind.name);
        let beside = beside(kind, of_kind("Drg"));
        let shelves = self.shelves(kind, ones, &beside).await;
        Listed {
            kind,
            ones,
            beside,
            shelves,
        }
    }

    /// Looks for what is sought in the lists of its kind.
    async fn take_in<'a>(
        &self,
        listed: Listed<'_, 'a>,
        wholes: &Wholes,
        (sights, proofs, objects): (&mut Sights<'a>, &mut Proofs, &mut BTreeMap<ResourceId, Observed>),
    ) {
        let Listed {
            kind,
            ones,
            beside,
            shelves,
        } = listed;
        for ((place, _), shelf) in &shelves {
            if let (Some(route), Ok(shelf)) = (route(kind.name), shelf) {
                proofs.note(route.service, place, shelf);
            }
        }
        for (i, one) in ones.iter().enumerate() {
            let sight = match route(kind.name) {
                Some(route) => {
                    let lists = (&shelves, &beside, &*proofs);
                    self.look_for(one, (kind, route), lists, sights).await
                }
                None => Sight::Observed(self.look_for_part(one, sights, wholes).await),
            };
            sights.insert(one.id, sight);
            if i % IN_A_ROW == 0 {
                // The next lists are asked for page by page meanwhile.
                yield_now().await;
            }
        }
        drop(shelves);
        objects.extend(self.show(ones, sights).await);
        for one in ones {
            if let Some(Sight::There(_, live)) = sights.get_mut(one.id) {
                *live = Arc::new(live.referred_to());
            }
        }
    }

    /// All lists of a kind, a few at a time.
    async fn shelves(
        &self,
        kind: &'static OciKind,
        sought: &[&Sought<'_>],
        beside: &BTreeSet<(Place, String)>,
    ) -> Shelves {
        let Some(route) = route(kind.name) else {
            return Shelves::new();
        };
        let own = sought.iter().flat_map(|one| one.compartments());
        let keys: BTreeSet<(Place, String)> = match sought {
            [] => BTreeSet::new(),
            _ => own.chain(beside.iter().cloned()).collect(),
        };
        let lists = keys.into_iter().map(|(place, compartment)| async move {
            let shelf = match self.list(route, &place, &compartment).await {
                Ok(items) => Ok(Shelf::new(items, kind, &self.fleet)),
                Err(error) => Err(chain(&error)),
            };
            ((place, compartment), shelf)
        });
        let lists: Vec<_> = lists.collect();
        futures::stream::iter(lists)
            .buffer_unordered(self.options.concurrency)
            .collect()
            .await
    }

    async fn look_for(
        &self,
        one: &Sought<'_>,
        (kind, route): (&'static OciKind, &'static Route),
        (shelves, beside, proofs): (&Shelves, &BTreeSet<(Place, String)>, &Proofs),
        sights: &Sights<'_>,
    ) -> Sight {
        let unknown = |reason: String| Sight::Observed(Observed::Unknown(reason));
        let compartments = one.compartments();
        if compartments.is_empty() {
            return unknown("its region or compartment is not known".to_owned());
        }
        let mut failure = None;
        let near = |(place, _): &&(Place, String)| compartments.iter().any(|(own, _)| own == place);
        for (place, compartment) in compartments.iter().chain(beside.iter().filter(near)) {
            let shelf = match shelves.get(&(place.clone(), compartment.clone())) {
                Some(Ok(shelf)) => shelf,
                Some(Err(error)) => {
                    failure = Some(error.clone());
                    continue;
                }
                None => continue,
            };
            let recorded = one.entry.and_then(|entry| shelf.by_ocid(entry.uid.as_deref()?));
            let live = match shelf.marked(one.id, kind) {
                Found::One(live) => Some(live),
                Found::Several(ocids) => match recorded {
                    Some(live) => Some(live),
                    None => return unknown(format!("more than one resource carries its mark: {}", ocids.join(", "))),
                },
                Found::Nothing => recorded,
            };
            if let Some(live) = live {
                self.seen(one, place, live);
                return Sight::There(place.clone(), live.clone());
            }
        }
        if let Some(error) = failure {
            return unknown(error);
        }
        // Every list was read, and none has it. Lists lag behind, and things are moved to other compartments.
        let (place, compartment) = &compartments[0];
        let subject = Subject {
            id: one.id,
            kind,
            route,
            place,
        };
        let known = self.known(one.id).and_then(|known| known.ocid);
        let recorded = one.entry.and_then(|entry| entry.uid.clone()).or(known);
        let body = one.body();
        let adopts = adopts(&body);
        for ocid in recorded.iter().map(String::as_str).chain(adopts) {
            match self.get(subject, ocid).await {
                Ok(live) if live.phase(kind) == Phase::Gone => {}
                Ok(live) => {
                    self.seen(one, place, &live);
                    return Sight::There(place.clone(), Arc::new(live));
                }
                Err(error) if error.is_not_found() => {
                    if adopts == Some(ocid) {
                        return unknown(format!("{ocid}, which is to be adopted, can't be seen"));
                    }
                }
                Err(error) => return unknown(chain(&error)),
            }
        }
        self.learn(
            one.id,
            Known {
                place: place.clone(),
                compartment: compartment.clone(),
                ocid: None,
            },
        );
        let shelf = shelves.get(&(place.clone(), compartment.clone()));
        match shelf.and_then(|shelf| by_name(one.id, &body, shelf.as_ref().ok()?, kind, sights)) {
            Some(Found::One(live)) => {
                self.seen(one, place, live);
                Sight::There(place.clone(), live.clone())
            }
            // Which of them is meant is nobody's to guess, and one more of that name would be one too many.
            Some(Found::Several(ocids)) => unknown(format!(
                "{} {}s are called `{}` here, and none carries our mark: delete or rename all but one, or say which by the \
                 annotation `{ADOPT_ANNOTATION}` ({})",
                ocids.len(),
                kind.name,
                name(&body).unwrap_or_default(),
                ocids.join(", ")
            )),
            Some(Found::Nothing) | None => {
                for (place, _) in &compartments {
                    if let Err(reason) = self.prove(place, proofs).await {
                        return unknown(reason);
                    }
                }
                Sight::Observed(Observed::Absent)
            }
        }
    }

    fn seen(&self, one: &Sought<'_>, place: &Place, live: &Live) {
        let compartment = live
            .text("compartmentId")
            .map(str::to_owned)
            .or_else(|| one.compartments().first().map(|(_, compartment)| compartment.clone()));
        self.learn(
            one.id,
            Known {
                place: place.clone(),
                compartment: compartment.unwrap_or_default(),
                ocid: Some(live.ocid.clone()),
            },
        );
    }

    async fn look_for_part(&self, one: &Sought<'_>, sights: &Sights<'_>, wholes: &Wholes) -> Observed {
        let spec = if one.manifest.is_some() {
            let body = one.body();
            let wanted = body.get("spec");
            let whole = wanted.and_then(|spec| resolved(spec, sights));
            match whole.or_else(|| part_in_place(wanted?, one.id, &body, sights)) {
                Some(spec) => Some(spec),
                // What it is a part of is not there: neither is it.
                None => return self.part_of_nothing(one, sights),
            }
        } else {
            None
        };
        let Some((place, compartment)) = one.compartments().into_iter().next() else {
            return Observed::Unknown("its region or compartment is not known".to_owned());
        };
        let announced = |entry: &Entry| entry.oci.as_ref()?.at.clone();
        let ocid = one
            .entry
            .and_then(|entry| entry.uid.clone().or_else(|| announced(entry)));
        self.learn(
            one.id,
            Known {
                place: place.clone(),
                compartment,
                ocid,
            },
        );
        let words = spec.as_ref().map(services::words).unwrap_or_default();
        let known = match self.words(&place, &words).await {
            Ok(known) => known,
            Err(reason) => return Observed::Unknown(reason),
        };
        let concrete = match spec.as_ref().map(|spec| services::resolved(spec, &known)).transpose() {
            Ok(concrete) => concrete,
            Err(word) => return Observed::Unknown(format!("the region has no service `{word}`")),
        };
        match self.read_part(one.id, &place, concrete.as_ref(), wholes).await {
            Observed::Present(live) => Observed::Present(in_words(live, &words, &known)),
            other => other,
        }
    }

    async fn words(&self, place: &Place, words: &[String]) -> Result<Arc<[OracleService]>, String> {
        if words.is_empty() {
            return Ok(Arc::from([]));
        }
        let services = self.services(place).await;
        services.map_err(|error| chain(&error))
    }

    /// A part whose references lead to nothing yet. Where they lead to what is unknown, so is the part.
    fn part_of_nothing(&self, one: &Sought<'_>, sights: &Sights<'_>) -> Observed {
        let unknown = references(&one.body())
            .iter()
            .find_map(|(_, reference)| match sights.get(&reference.id) {
                Some(Sight::Observed(Observed::Unknown(reason))) => Some(format!("{}: {reason}", reference.id)),
                _ => None,
            });
        match (unknown, one.entry.and_then(|entry| entry.uid.as_ref())) {
            (Some(reason), _) => Observed::Unknown(reason),
            (None, None) => Observed::Absent,
            (None, Some(_)) => Observed::Unknown("what it is a part of is gone".to_owned()),
        }
    }
}

/// Where else things of a kind may be listed: an attachment is where its gateway is, whatever its document says.
fn beside(kind: &OciKind, gateways: &[&Sought<'_>]) -> BTreeSet<(Place, String)> {
    match kind.name {
        "DrgAttachment" => gateways.iter().flat_map(|gateway| gateway.compartments()).collect(),
        _ => BTreeSet::new(),
    }
}

fn by_name<'s>(
    id: &ResourceId,
    body: &Value,
    shelf: &'s Shelf,
    kind: &OciKind,
    sights: &Sights<'_>,
) -> Option<Found<'s>> {
    let vcn = match body.get("spec")?.get("vcnId") {
        None | Some(Value::Null) => None,
        // In a VCN that is not there yet, nothing can be.
        Some(vcn) => Some(resolved(vcn, sights)?.as_str()?.to_owned()),
    };
    Some(shelf.named(id, name(body)?, vcn.as_deref(), kind))
}

/// A value with its references resolved by what was seen; none where one leads to nothing that is there.
pub(super) fn resolved(value: &Value, sights: &Sights<'_>) -> Option<Value> {
    if let Some(Reference { id, field }) = Reference::parse(value) {
        return match sights.get(&id)? {
            Sight::There(_, live) => at_field(&live.shown, &field).cloned(),
            Sight::Observed(_) => None,
        };
    }
    match value {
        Value::Object(map) => {
            if map.keys().any(|key| key.starts_with('$') && key != "$service") {
                return None;
            }
            let map: Option<Map<String, Value>> = map
                .iter()
                .map(|(key, value)| Some((key.clone(), resolved(value, sights)?)))
                .collect();
            map.map(Value::Object)
        }
        Value::Array(items) => items
            .iter()
            .map(|item| resolved(item, sights))
            .collect::<Option<_>>()
            .map(Value::Array),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Some(value.clone()),
    }
}

/// The spec of a part whose place is known, with what it leads to still to be made: what stands there now is seen all the
/// same, be it ours or somebody else's. None where its place is not known, or where it leads to what can't be seen.
fn part_in_place(spec: &Value, id: &ResourceId, body: &Value, sights: &Sights<'_>) -> Option<Value> {
    let open = references(body);
    let unseen = |id| {
        !matches!(
            sights.get(id),
            Some(Sight::There(..) | Sight::Observed(Observed::Absent))
        )
    };
    if open.iter().any(|(_, reference)| unseen(&reference.id)) {
        return None;
    }
    let fixed = |name: &str| {
        oci::kind(&id.kind)
            .and_then(|kind| kind.field(name))
            .is_none_or(|field| field.change != Change::InPlace)
    };
    let fields = spec
        .as_object()?
        .iter()
        .map(|(name, value)| match resolved(value, sights) {
            Some(value) => Some((name.clone(), value)),
            None => (!fixed(name)).then(|| (name.clone(), value.clone())),
        });
    fields.collect::<Option<Map<_, _>>>().map(Value::Object)
}
