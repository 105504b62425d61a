//! The documents of what was seen, as an observation carries them.
//!
//! Invariant: a document is made of what was read, and asks for nothing. What it lacks beside the lists (the region's services,
//! the rules of a group) it says; that is asked for, and then the document is made anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::api::Place;
use super::document::{Document, Live, Phase};
use super::kinds::{group_rules, route};
use super::observe::{Sight, Sights, resolved};
use super::provider::{Details, OciProvider};
use super::services::{self, OracleService};
use super::sought::Sought;
use super::tags;
use crate::providers::{LiveObject, Observed};
use crate::report::chain;
use crate::resource::oci::{self, Call as By, OciKind};
use crate::resource::{Manifest, ResourceId};

/// What was asked for beside the lists, or why it could not be had.
#[derive(Default)]
struct Asked<'a> {
    services: BTreeMap<&'a Place, Result<Arc<[OracleService]>, String>>,
    rules: BTreeMap<&'a ResourceId, Result<Value, String>>,
}

/// What a document still lacks.
#[derive(Clone, Copy)]
enum Lack<'a> {
    Services(&'a Place),
    /// Those of the group that has this OCID.
    Rules(&'a ResourceId, &'a Place, &'a str),
}

/// What is known of a group's rules.
struct Rules {
    rules: Option<Value>,
    /// Where they were not read: as of when they are known.
    unread_since: Option<String>,
}

impl OciProvider {
    /// What is observed of each.
    pub(super) async fn show<'a>(
        &self,
        ones: &[&'a Sought<'a>],
        sights: &'a Sights<'a>,
    ) -> Vec<(ResourceId, Observed)> {
        let mut asked = Asked::default();
        let mut shown = Vec::with_capacity(ones.len());
        let mut open: Vec<&Sought<'_>> = ones.to_vec();
        while !open.is_empty() {
            // Thousands of documents are parsed and written here: work for all cores.
            let made: Vec<_> = open.par_iter().map(|one| self.shown(one, sights, &asked)).collect();
            let mut lacks = Vec::new();
            let mut still = Vec::new();
            for (one, made) in open.into_iter().zip(made) {
                match made {
                    Ok(observed) => shown.push((one.id.clone(), observed)),
                    Err(lack) => {
                        lacks.push(lack);
                        still.push(one);
                    }
                }
            }
            open = still;
            self.ask(&lacks, &mut asked).await;
        }
        shown
    }

    /// Asks for what is lacking; of a region's services once.
    async fn ask<'a>(&self, lacks: &[Lack<'a>], asked: &mut Asked<'a>) {
        let mut groups = Vec::new();
        for lack in lacks {
            match *lack {
                Lack::Services(place) => {
                    if !asked.services.contains_key(place) {
                        let services = self.services(place).await;
                        asked.services.insert(place, services.map_err(|error| chain(&error)));
                    }
                }
                Lack::Rules(id, place, ocid) => groups.push(async move {
                    let rules = group_rules::read(&self.client, place, ocid).await;
                    (id, rules.map(Value::Array).map_err(|error| chain(&error)))
                }),
            }
        }
        let rules: Vec<_> = futures::stream::iter(groups)
            .buffer_unordered(self.options.concurrency)
            .collect()
            .await;
        asked.rules.extend(rules);
    }

    /// The document of what was found, or what it lacks.
    fn shown<'a>(&self, one: &'a Sought<'_>, sights: &'a Sights<'_>, asked: &Asked<'_>) -> Result<Observed, Lack<'a>> {
        let (place, live) = match sights.get(one.id) {
            Some(Sight::There(place, live)) => (place, live),
            Some(Sight::Observed(observed)) => return Ok(observed.clone()),
            None => return Ok(Observed::Unknown("there is no such kind".to_owned())),
        };
        let (Some(kind), Some(route)) = (oci::kind(&one.id.kind), route(&one.id.kind)) else {
            return Ok(Observed::Unknown("there is no such kind".to_owned()));
        };
        if one.manifest.is_some() && live.phase(kind) == Phase::Going {
            return Ok(Observed::Unknown(format!("{} is being deleted", live.ocid)));
        }
        let empty = json!({});
        let has_rules = kind.field("securityRules").is_some_and(|field| field.call == By::Rules);
        // Of most documents nothing is needed here, and thousands are not parsed.
        let is_needed = |manifest: &Manifest| has_rules || manifest.canonical().contains(services::WORD);
        let body = if one.manifest.is_some_and(is_needed) {
            one.body()
        } else {
            Value::Null
        };
        let desired = body.get("spec").unwrap_or(&empty);
        let words = services::words(desired);
        let services = match (words.as_slice(), asked.services.get(place)) {
            ([], _) => Arc::from([]),
            (_, None) => return Err(Lack::Services(place)),
            (_, Some(Ok(services))) => Arc::clone(services),
            (_, Some(Err(reason))) => return Ok(Observed::Unknown(reason.clone())),
        };
        let mut document = Document::of(one.id, live, route, kind, place);
        if has_rules && one.manifest.is_some() {
            let read = match (
                self.known_rules(live, kind, resolved(desired, sights)),
                asked.rules.get(one.id),
            ) {
                (Some(known), _) => known,
                (None, None) => return Err(Lack::Rules(one.id, place, &live.ocid)),
                (None, Some(Ok(rules))) => Rules {
                    rules: Some(rules.clone()),
                    unread_since: None,
                },
                (None, Some(Err(reason))) => return Ok(Observed::Unknown(reason.clone())),
            };
            read.put_into(&mut document);
        }
        if !words.is_empty() {
            let values = document.spec.values_mut();
            values.for_each(|value| services::worded(value, &words, &services));
        }
        Ok(Observed::Present(document.into_live(&live.ocid, live.etag.as_deref())))
    }

    /// The rules of a group that need not be read: they are as they were left.
    fn known_rules(&self, live: &Live, kind: &OciKind, desired: Option<Value>) -> Option<Rules> {
        let desired = desired?;
        if self.options.details != Details::Changed || group_rules::is_turn(&live.ocid, (self.options.now)()) {
            return None;
        }
        match tags::digest(&live.shown) {
            Some((digest, Some(since))) if digest == tags::spec_digest(kind, &desired) => Some(Rules {
                rules: desired.get("securityRules").cloned(),
                unread_since: Some(since.to_owned()),
            }),
            _ => None,
        }
    }
}

impl Rules {
    fn put_into(self, document: &mut Document<'_>) {
        if let Some(rules) = self.rules {
            document.spec.insert("securityRules".to_owned(), rules);
        }
        if let Some(since) = self.unread_since {
            document
                .status
                .insert("unread".to_owned(), json!({"securityRules": since}));
        }
    }
}

/// A part, in the words that the desired document uses.
pub(super) fn in_words(live: LiveObject, words: &[String], known: &[OracleService]) -> LiveObject {
    if words.is_empty() {
        return live;
    }
    let Ok(mut document) = live.parse() else { return live };
    if let Some(spec) = document.get_mut("spec") {
        services::worded(spec, words, known);
    }
    LiveObject {
        text: document.to_string().into_boxed_str(),
        ..live
    }
}
