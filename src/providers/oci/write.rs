//! Writes: creates with a retry token, updates of what differs and nothing else.
//!
//! A create is one POST, after which the resource is brought to the rest of its document by the same code as an update: so
//! a run that was cut off between the two is finished by the next one.

use base64::Engine as _;
use http::Method;
use serde_json::{Map, Value, json};

use super::api::{Answer, Call, Place};
use super::calls::change;
use super::document::{Document, Live, Phase};
use super::error::OciError;
use super::failure::{failed, refused};
use super::kinds::{self, blocks, group_rules, load_balancer, peering, route};
use super::provider::{Known, OciProvider, Subject};
use super::region::of_region;
use super::services;
use super::step::{Guard, Step};
use super::tags::{self, Ours, Whose};
use crate::providers::{ProviderError, WriteRequest, WriteResponse};
use crate::resource::mark::OWNER_ANNOTATION;
use crate::resource::oci::{self, Call as By, Change, FieldDifference, Former, TAG_PREFIX, differences};
use crate::resource::{Digest, OwnerMark, ResourceId};

/// A document to be written, with all words in it resolved.
pub(super) struct Wanted<'a> {
    pub(super) id: &'a ResourceId,
    pub(super) place: Place,
    pub(super) compartment: String,
    pub(super) spec: Map<String, Value>,
    pub(super) mark: OwnerMark,
    /// Digest of the spec as it stands in the document.
    pub(super) digest: String,
}

impl OciProvider {
    /// See [`crate::providers::Provider::write`].
    pub(super) async fn write_one(&self, request: WriteRequest<'_>) -> Result<WriteResponse, ProviderError> {
        let id = request.id;
        let kind = oci::kind(&id.kind).ok_or_else(|| refused(id, "there is no such kind"))?;
        let wanted = self.wanted(id, request.body).await?;
        self.is_on_course(id, &wanted.place)?;
        let Some(route) = route(&id.kind) else {
            return self.write_part(&request, &wanted).await;
        };
        let subject = Subject {
            id,
            kind,
            route,
            place: &wanted.place,
        };
        let live = match request.uid {
            None if request.version.is_some() => return Err(refused(id, "an update needs the OCID that was read")),
            None => self.create(subject, &wanted, request.incarnation).await?,
            Some(ocid) => self.to_update(subject, ocid, request.version).await?,
        };
        self.learn(
            id,
            Known {
                place: wanted.place.clone(),
                compartment: wanted.compartment.clone(),
                ocid: Some(live.ocid.clone()),
            },
        );
        let live = self.converge(subject, &wanted, live).await?;
        let mut document = Document::of(id, &live, route, kind, &wanted.place);
        if let (Some(rules), By::Rules) = (wanted.spec.get("securityRules"), rules_call(kind)) {
            document.spec.insert("securityRules".to_owned(), rules.clone());
        }
        let object = document.into_live(&live.ocid, live.etag.as_deref());
        Ok(WriteResponse { object })
    }

    /// Reads a document: where its resource is, whose, and what is wanted of it.
    pub(super) async fn wanted<'a>(&self, id: &'a ResourceId, body: &Value) -> Result<Wanted<'a>, ProviderError> {
        let spec = body
            .get("spec")
            .ok_or_else(|| refused(id, "the document has no spec"))?;
        let (place, compartment) = placed(spec).ok_or_else(|| refused(id, "region or compartment is missing"))?;
        if let Some(word) = unresolved(spec) {
            return Err(refused(id, format!("`{word}` is not resolved yet")));
        }
        let mark = body
            .pointer("/metadata/annotations")
            .and_then(|annotations| annotations.get(OWNER_ANNOTATION)?.as_str())
            .and_then(|text| OwnerMark::parse(text).ok())
            .filter(|mark| mark.is_for(id, &self.fleet))
            .ok_or_else(|| refused(id, "the document carries no owner mark of this fleet for it"))?;
        let digest = oci::kind(&id.kind).map_or_else(String::new, |kind| tags::spec_digest(kind, spec));
        let spec = if services::words(spec).is_empty() {
            spec.clone()
        } else {
            let known = self
                .services(&place)
                .await
                .map_err(|error| failed("list the services for", id, error))?;
            services::resolved(spec, &known)
                .map_err(|word| refused(id, format!("the region has no service `{word}`")))?
        };
        let spec = spec.as_object().cloned().unwrap_or_default();
        if let Some(tag) = spec
            .get("freeformTags")
            .and_then(Value::as_object)
            .and_then(|tags| tags.keys().find(|key| key.starts_with(TAG_PREFIX)))
        {
            return Err(refused(id, format!("the tag `{tag}` is not the document's to set")));
        }
        Ok(Wanted {
            id,
            place,
            compartment,
            spec,
            mark,
            digest,
        })
    }

    async fn create(&self, subject: Subject<'_>, wanted: &Wanted<'_>, incarnation: u32) -> Result<Live, ProviderError> {
        let Subject { id, kind, route, place } = subject;
        let mut body: Map<String, Value> = kind
            .all_fields()
            .filter(|field| field.in_create)
            .filter_map(|field| Some((field.name.to_owned(), wanted.spec.get(field.name)?.clone())))
            .filter(|(_, value)| !value.is_null())
            .collect();
        // The digest of a group stands for its rules, which are not there yet.
        let ours = Ours {
            id,
            mark: &wanted.mark,
            digest: (rules_call(kind) != By::Rules).then_some(wanted.digest.as_str()),
        };
        let merged = tags::merged(&Value::Null, wanted.spec.get("freeformTags"), &ours);
        body.insert("freeformTags".to_owned(), Value::Object(merged));
        let body = Value::Object(body);
        let fresh = self.names_fresh(&body);
        let token = self.token([id.kind.as_str(), id.name.as_str()], &incarnation.to_be_bytes());
        let mut call = change(
            route.service,
            place,
            route.operations.create,
            Method::POST,
            route.collection.to_owned(),
            Some(body),
        );
        call.retry_token = Some(token);
        match self.send(call, fresh).await {
            Ok(Answer {
                body,
                etag,
                work_request,
                ..
            }) => {
                if let Some(ocid) = body.get("id").and_then(Value::as_str) {
                    if let Err(error) = of_region(ocid, place, route.operations.create) {
                        return Err(self.strayed(id, place, &error));
                    }
                    self.made(ocid);
                }
                if let (Some(work), By::Parts) = (&work_request, parts_call(kind)) {
                    self.until_done(id, route, place, work).await?;
                }
                let live = Live::new(body, etag).ok_or_else(|| refused(id, "the answer to its create has no id"))?;
                self.until_ready(subject, live).await
            }
            // It may be there: without its answer, or since an earlier run that was cut off.
            Err(error) if error.outcome_unknown() || error.code() == Some("InvalidatedRetryToken") => {
                match self.find_marked(subject, &wanted.compartment).await {
                    Ok(Some(live)) => {
                        let seen = self.get(subject, &live.ocid).await;
                        let live = seen.map_err(|error| failed("read", id, error))?;
                        self.until_ready(subject, live).await
                    }
                    Ok(None) => Err(failed("create", id, error)),
                    Err(source) => Err(failed("look for the outcome of the create of", id, source)),
                }
            }
            Err(error) => Err(failed("create", id, error)),
        }
    }

    /// The one resource that carries this very mark, where there is one.
    pub(super) async fn find_marked(&self, subject: Subject<'_>, compartment: &str) -> Result<Option<Live>, OciError> {
        let listed = self.list(subject.route, subject.place, compartment).await?;
        let mut ours = listed.into_iter().filter(|live| {
            tags::whose(&live.shown, subject.id, &self.fleet) == Whose::Ours
                && !matches!(live.phase(subject.kind), Phase::Gone | Phase::Going)
        });
        Ok(ours.next())
    }

    /// A retry token: the same for every attempt at the same thing, another one for the next resource of that name. What is
    /// sent is no part of it: of two who make a resource from different commits, the second is refused, and finds the first's.
    fn token(&self, what: [&str; 2], which: &[u8]) -> String {
        let [first, second] = what.map(str::as_bytes);
        let digest = Digest::of_parts([self.fleet.as_str().as_bytes(), first, second, which]);
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.as_bytes())
    }

    async fn send(&self, call: Call, fresh: bool) -> Result<Answer, OciError> {
        if fresh {
            self.client.call_fresh(call).await
        } else {
            self.client.call(call).await
        }
    }

    /// Reads what is to be updated, and makes sure that it is what was planned for.
    async fn to_update(&self, subject: Subject<'_>, ocid: &str, version: Option<&str>) -> Result<Live, ProviderError> {
        let Subject { id, kind, .. } = subject;
        let live = self
            .get(subject, ocid)
            .await
            .map_err(|error| failed("read", id, error))?;
        // Lists give no etags: what comes from one is compared with what is there now, field by field, and no older state
        // can come back by that.
        if let Some(version) = version.filter(|version| !version.is_empty())
            && live.etag.as_deref() != Some(version)
        {
            return Err(ProviderError::Stale(Box::new(id.clone())));
        }
        if matches!(live.phase(kind), Phase::Gone | Phase::Going) {
            return Err(ProviderError::Stale(Box::new(id.clone())));
        }
        if tags::whose(&live.shown, id, &self.fleet) == Whose::Others {
            return Err(refused(id, format!("{ocid} carries the mark of something else")));
        }
        self.until_ready(subject, live).await
    }

    /// Calls what has to be called until the resource is as it is wanted.
    async fn converge(&self, subject: Subject<'_>, wanted: &Wanted<'_>, mut live: Live) -> Result<Live, ProviderError> {
        let Subject { id, kind, route, place } = subject;
        let desired = Value::Object(wanted.spec.clone());
        let spec = live.spec(route, kind, place);
        let mut found = differences(kind, &desired, &Value::Object(spec.clone()), Former::default());
        // Its rules are no field of what was read.
        found.retain(|difference| field_of(kind, difference).is_none_or(|field| field.call != By::Rules));
        if let Some(difference) = found.iter().find(|difference| difference.change != Change::InPlace) {
            let path = &difference.path;
            return Err(refused(id, format!("`{path}` can't be changed in place")));
        }
        let called = |by: By| {
            found
                .iter()
                .any(|d| field_of(kind, d).is_some_and(|field| field.call == by))
        };

        if called(By::ChangeCompartment) {
            live = self.change_compartment(subject, wanted, live).await?;
        }
        if called(By::Blocks) {
            for field in kind.all_fields().filter(|field| field.call == By::Blocks) {
                let value = wanted.spec.get(field.name).filter(|value| !value.is_null());
                let differs = |value: &&Value| spec.get(field.name) != Some(*value);
                if let Some(value) = value.filter(differs) {
                    if blocks::follows(field.name, &wanted.spec) {
                        continue;
                    }
                    let steps = blocks::steps(kind.name, field.name, value, spec.get(field.name));
                    live = self.take_steps(subject, live, steps).await?;
                }
            }
        }
        if called(By::Connect) {
            live = self
                .take_steps(subject, live, peering::steps(kind.name, &wanted.spec))
                .await?;
        }
        if called(By::Parts) {
            live = self
                .take_steps(subject, live, load_balancer::steps(&wanted.spec, &spec))
                .await?;
        }
        let rules = match rules_call(kind) {
            By::Rules => wanted.spec.get("securityRules").and_then(Value::as_array),
            _ => None,
        };
        if let Some(rules) = rules {
            live = self.group_rules(subject, wanted, live, rules).await?;
        }
        self.update(subject, wanted, live, &found).await
    }

    /// Sets a group's rules. The digest comes off before they are touched and goes on after: it stands for rules that are
    /// known to be as the document has them, whenever this run is cut off.
    async fn group_rules(
        &self,
        subject: Subject<'_>,
        wanted: &Wanted<'_>,
        live: Live,
        rules: &[Value],
    ) -> Result<Live, ProviderError> {
        let Subject { id, place, .. } = subject;
        let said = tags::digest(&live.shown).map(|(digest, _)| digest.to_owned());
        let live = match said {
            Some(said) if said != wanted.digest => self.put_tags(subject, wanted, live, None).await?,
            _ => live,
        };
        let changed = group_rules::set(&self.client, place, &live.ocid, rules)
            .await
            .map_err(|error| failed("set the rules of", id, error))?;
        // The etag is that of the group as it was before.
        let mut live = live;
        if changed {
            live.etag = None;
        }
        Ok(live)
    }

    async fn change_compartment(
        &self,
        subject: Subject<'_>,
        wanted: &Wanted<'_>,
        live: Live,
    ) -> Result<Live, ProviderError> {
        let step = Step::action(
            subject.route.operations.change_compartment,
            "changeCompartment",
            json!({"compartmentId": wanted.compartment}),
        );
        self.take_steps(subject, live, vec![step.by_token()]).await
    }

    /// Takes steps one after the other, each as of the state that the one before led to.
    async fn take_steps(&self, subject: Subject<'_>, live: Live, steps: Vec<Step>) -> Result<Live, ProviderError> {
        let Subject { id, route, place, .. } = subject;
        let mut live = live;
        for step in steps {
            let mut call = change(
                route.service,
                place,
                step.operation,
                step.method.clone(),
                format!("{}{}", route.path(&live.ocid), step.suffix),
                step.body.clone(),
            );
            match step.guard {
                Guard::Etag => {
                    live = self.with_etag(subject, live).await?;
                    call.if_match.clone_from(&live.etag);
                }
                // Of two who act on the same state one is refused, unless they ask for the same.
                Guard::Token => {
                    live = self.with_etag(subject, live).await?;
                    let etag = live.etag.as_deref().unwrap_or_default();
                    call.retry_token = Some(self.token([step.operation, live.ocid.as_str()], etag.as_bytes()));
                }
                Guard::None => {}
            }
            let fresh = step.body.as_ref().is_some_and(|body| self.names_fresh(body)) || self.is_fresh(&live.ocid);
            let answer = self.send(call, fresh).await;
            let answer = answer.map_err(|error| failed("update", id, error))?;
            if let (Some(work), By::Parts) = (&answer.work_request, parts_call(subject.kind)) {
                self.until_done(id, route, place, work).await?;
            }
            let seen = self.get(subject, &live.ocid).await;
            live = self
                .until_ready(subject, seen.map_err(|error| failed("read", id, error))?)
                .await?;
        }
        Ok(live)
    }

    async fn with_etag(&self, subject: Subject<'_>, live: Live) -> Result<Live, ProviderError> {
        if live.etag.is_some() {
            return Ok(live);
        }
        let read = self.get(subject, &live.ocid).await;
        read.map_err(|error| failed("read", subject.id, error))
    }

    /// One PUT of the fields that differ, our tags among them; none where nothing does.
    async fn update(
        &self,
        subject: Subject<'_>,
        wanted: &Wanted<'_>,
        live: Live,
        found: &[FieldDifference],
    ) -> Result<Live, ProviderError> {
        let Subject { id, kind, .. } = subject;
        let shown = live.whole();
        let mut body = Map::new();
        for difference in found {
            let Some(field) = field_of(kind, difference).filter(|field| field.call == By::Update) else {
                continue;
            };
            if let Some(value) = wanted.spec.get(field.name).filter(|_| field.name != "freeformTags") {
                body.insert(
                    field.name.to_owned(),
                    kinds::as_updated(field, value, shown.get(field.name)),
                );
            }
        }
        let said = tags::digest(&live.shown).map(|(digest, _)| digest);
        let tags_differ = said != Some(wanted.digest.as_str())
            || tags::whose(&live.shown, id, &self.fleet) != Whose::Ours
            || tags::tag(&live.shown, tags::UNIT) != Some(wanted.mark.unit.to_string().as_str())
            || found
                .iter()
                .any(|difference| field_of(kind, difference).is_some_and(|field| field.name == "freeformTags"));
        if body.is_empty() && !tags_differ {
            return self.with_etag(subject, live).await;
        }
        self.put(subject, wanted, live, body, Some(&wanted.digest)).await
    }

    async fn put_tags(
        &self,
        subject: Subject<'_>,
        wanted: &Wanted<'_>,
        live: Live,
        digest: Option<&str>,
    ) -> Result<Live, ProviderError> {
        self.put(subject, wanted, live, Map::new(), digest).await
    }

    async fn put(
        &self,
        subject: Subject<'_>,
        wanted: &Wanted<'_>,
        live: Live,
        mut body: Map<String, Value>,
        digest: Option<&str>,
    ) -> Result<Live, ProviderError> {
        let Subject { id, route, place, .. } = subject;
        let live = self.with_etag(subject, live).await?;
        let stamp = digest.map(|digest| match rules_call(subject.kind) {
            By::Rules => tags::stamped(digest, (self.options.now)()),
            _ => digest.to_owned(),
        });
        let ours = Ours {
            id,
            mark: &wanted.mark,
            digest: stamp.as_deref(),
        };
        let merged = tags::merged(&live.shown, wanted.spec.get("freeformTags"), &ours);
        body.insert("freeformTags".to_owned(), Value::Object(merged));
        let body = Value::Object(body);
        let fresh = self.names_fresh(&body) || self.is_fresh(&live.ocid);
        let mut call = change(
            route.service,
            place,
            route.operations.update,
            Method::PUT,
            route.path(&live.ocid),
            Some(body),
        );
        call.if_match.clone_from(&live.etag);
        let sent = self.send(call, fresh).await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => return Err(failed("update", id, error)),
        };
        if let (Some(work), By::Parts) = (&answer.work_request, parts_call(subject.kind)) {
            self.until_done(id, route, place, work).await?;
        }
        let live = match Live::new(answer.body, answer.etag) {
            Some(live) => live,
            None => self
                .get(subject, &live.ocid)
                .await
                .map_err(|error| failed("read", id, error))?,
        };
        self.until_ready(subject, live).await
    }
}

/// The field of the kind in which a difference is.
fn field_of(kind: &oci::OciKind, difference: &FieldDifference) -> Option<&'static oci::Field> {
    match difference.path.elements().get(1)? {
        crate::resource::PathElement::Field(name) => kind.field(name),
        crate::resource::PathElement::Key(_)
        | crate::resource::PathElement::Value(_)
        | crate::resource::PathElement::Index(_) => None,
    }
}

fn rules_call(kind: &oci::OciKind) -> By {
    kind.field("securityRules").map_or(By::Place, |field| field.call)
}

fn parts_call(kind: &oci::OciKind) -> By {
    kind.field("listeners").map_or(By::Place, |field| field.call)
}

/// Where a spec says that its resource is; none where that is not known yet.
pub(super) fn placed(spec: &Value) -> Option<(Place, String)> {
    let text = |key: &str| spec.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let tenancy = match spec.get("tenancy") {
        None | Some(Value::Null) => None,
        Some(_) => Some(text("tenancy")?.to_owned()),
    };
    let place = Place {
        tenancy,
        region: text("region")?.to_owned(),
    };
    Some((place, text("compartmentId")?.to_owned()))
}

/// The first word of ours that stands where a value should be, `$service` left out.
fn unresolved(value: &Value) -> Option<&str> {
    match value {
        Value::Object(map) => map.iter().find_map(|(key, value)| {
            if key.starts_with('$') && key != "$service" {
                Some(key.as_str())
            } else {
                unresolved(value)
            }
        }),
        Value::Array(items) => items.iter().find_map(unresolved),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
