//! From a request to its answer.

use std::sync::Arc;

use ::http::{HeaderMap, Method, StatusCode, header};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};

use super::kind::{Kind, ResourceName, Version};
use super::list::ListQuery;
use super::place::Place;
use super::refusal::Refusal;
use super::request::{Address, DeleteOptions, Form, Query, Target, WriteOptions};
use super::scale::{scale, scale_of};
use super::watch::{Subject, Watch};
use super::write::{Way, Writer, Written};
use super::{ApiServer, Inner, body, discovery, openapi, patch, strategic, table};
use crate::http_server::{Api, Body, Request, Response, full};
use crate::sandbox::fault::Point;
use crate::schema::Origin;

impl Api for ApiServer {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        let answer = self.0.answer(&request).unwrap_or_else(|refusal| refused(&refusal));
        futures::future::ready(answer).boxed()
    }
}

fn refused(refusal: &Refusal) -> Response {
    json_answer(refusal.code, refusal.status().to_string())
}

fn json_answer(code: u16, text: String) -> Response {
    typed(code, "application/json", full(text))
}

fn typed(code: u16, content_type: &str, body: Body) -> Response {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = content_type.parse() {
        answer.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    answer
}

fn text_header<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// A request about a resource, its parts read.
struct Call<'a> {
    request: &'a Request,
    query: Query,
    address: Address,
    kind: Arc<Kind>,
    form: Form,
}

impl Inner {
    fn answer(self: &Arc<Self>, request: &Request) -> Result<Response, Refusal> {
        let query = Query::parse(request.uri().query().unwrap_or_default());
        let form = Form::accepted(text_header(request.headers(), &header::ACCEPT));
        let target = Target::parse(request.uri().path());
        let document = |value: Value| Ok(json_answer(200, value.to_string()));
        match target {
            Target::Resource(address) => self.resource(request, query, address, form),
            Target::Nothing => Ok(nothing()),
            Target::Plain("version") => document(discovery::version()),
            Target::Plain(_) => Ok(typed(200, "text/plain; charset=utf-8", full("ok"))),
            Target::Api | Target::Apis => {
                let kinds = self.lock().kinds();
                let core = target == Target::Api;
                if let Some(Form::Aggregated(version)) = form {
                    let text = discovery::aggregated(&kinds, core, version).to_string();
                    let media = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
                    return Ok(typed(200, &media, full(text)));
                }
                document(if core {
                    discovery::api_versions()
                } else {
                    discovery::group_list(&kinds)
                })
            }
            Target::Group(group) => {
                let kinds = self.lock().kinds();
                discovery::group(&kinds, &group).map_or_else(|| Ok(nothing()), document)
            }
            Target::GroupVersion(group, version) => {
                let kinds = self.lock().kinds();
                discovery::resource_list(&kinds, &group, &version).map_or_else(|| Ok(nothing()), document)
            }
            Target::OpenApi => {
                let kinds = self.lock().kinds();
                document(openapi::index(&kinds))
            }
            Target::OpenApiDocument(path) => {
                let kinds = self.lock().kinds();
                openapi::document(&kinds, &path).map_or_else(|| Ok(nothing()), document)
            }
        }
    }

    fn resource(
        self: &Arc<Self>,
        request: &Request,
        query: Query,
        address: Address,
        form: Option<Form>,
    ) -> Result<Response, Refusal> {
        if let Some(answer) = review(&address, request) {
            return answer;
        }
        let (kind, known) = {
            let state = self.lock();
            let kind = state.kind(&ResourceName::new(&address.group, &address.plural));
            let kinds = state.kinds();
            let known = kinds
                .iter()
                .any(|kind| kind.name.group == address.group && kind.version(&address.version).is_some());
            (kind, known)
        };
        let kind = kind.filter(|kind| kind.version(&address.version).is_some());
        let Some(kind) = kind else {
            return if known {
                Err(Refusal::no_such_resource())
            } else {
                Ok(nothing())
            };
        };
        let wrong_scope = match (kind.namespaced, &address.namespace, &address.name) {
            (true, None, Some(_)) | (false, Some(_), _) => true,
            (true, None, None) => request.method() != Method::GET && request.method() != Method::POST,
            _ => false,
        };
        if wrong_scope {
            return Err(Refusal::no_such_resource());
        }
        let Some(form) = form else {
            return Err(Refusal::not_acceptable());
        };
        let call = Call {
            request,
            query,
            address,
            kind,
            form,
        };
        let Some(version) = call.kind.version(&call.address.version) else {
            return Err(Refusal::no_such_resource());
        };
        match call.address.name {
            Some(_) => self.one(&call, version),
            None => self.collection(&call, version),
        }
    }

    fn collection(self: &Arc<Self>, call: &Call<'_>, version: &Version) -> Result<Response, Refusal> {
        let namespace = call.address.namespace.as_deref().unwrap_or_default();
        match *call.request.method() {
            Method::GET if call.query.is_set("watch") => {
                let subject = Subject {
                    kind: Arc::clone(&call.kind),
                    version: version.name.clone(),
                    namespace: namespace.to_owned(),
                    form: call.form,
                };
                Ok(stream_of(Watch::begin(self, subject, &call.query)?))
            }
            Method::GET => self.list(call, version, namespace),
            Method::POST => {
                if call.kind.namespaced && call.address.namespace.is_none() {
                    return Err(Refusal::method_not_allowed());
                }
                let mut options = call.write_options("CreateOptions")?;
                let document = body::object(call.content_type(), call.request.body(), &call.kind)?;
                options.repeated = document.repeated;
                let mut object = document.value;
                body::check_kind(&mut object, &call.kind, version)?;
                let place = call.place(version);
                self.written(call, version, |writer| writer.create(place, object, &options))
            }
            Method::DELETE if call.kind.verbs().contains(&"deletecollection") => {
                self.delete_collection(call, version, namespace)
            }
            _ => Err(Refusal::method_not_allowed()),
        }
    }

    fn list(&self, call: &Call<'_>, version: &Version, namespace: &str) -> Result<Response, Refusal> {
        let query = ListQuery::parse(&call.query, &call.kind, namespace)?;
        let short = query.can_be_shorter() && self.faults.strikes(Point::ShortPage);
        let page = query.page(&self.lock(), &call.kind, namespace, short)?;
        if call.form == Form::Json {
            return Ok(json_answer(200, page.text(&call.kind, version)));
        }
        let objects: Vec<Value> = page.items.iter().map(|item| item.at(&call.kind, version)).collect();
        let answer = if call.form == Form::Table {
            table::of(&call.kind, version, &objects, &page.metadata(), self.clock.now())
        } else {
            let items: Vec<Value> = objects.iter().map(table::partial).collect();
            json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": page.metadata(),
                "items": items})
        };
        Ok(json_answer(200, answer.to_string()))
    }

    fn delete_collection(&self, call: &Call<'_>, version: &Version, namespace: &str) -> Result<Response, Refusal> {
        let options = DeleteOptions::parse(&call.query, call.request.body())?;
        let query = ListQuery::parse(&call.query, &call.kind, namespace)?;
        let text = self.write(|writer| {
            let page = query.page(writer.state, &call.kind, namespace, false)?;
            for stored in &page.items {
                let place = Place {
                    kind: &call.kind,
                    version,
                    namespace: &stored.key.namespace,
                    name: &stored.key.name,
                    subresource: "",
                };
                match writer.delete(place, &options) {
                    Ok(_) => {}
                    // Gone along with another one.
                    Err(refusal) if refusal.code == 404 => {}
                    Err(refusal) => return Err(refusal),
                }
            }
            Ok(page.text(&call.kind, version))
        })?;
        Ok(json_answer(200, text))
    }

    fn one(self: &Arc<Self>, call: &Call<'_>, version: &Version) -> Result<Response, Refusal> {
        let place = call.place(version);
        let known = match place.subresource {
            "" => true,
            "status" => version.status,
            "scale" => version.scale.is_some(),
            "finalize" => call.kind.is("", "namespaces"),
            _ => false,
        };
        if !known {
            return Err(Refusal::no_such_resource());
        }
        let method = call.request.method();
        match *method {
            Method::GET if call.query.is_set("watch") => {
                // The older way to watch one object.
                Err(Refusal::method_not_allowed())
            }
            Method::GET => {
                let stored = self.lock().get(&call.kind.name, &place.key());
                let stored = stored.ok_or_else(|| Refusal::not_found(place.about()))?;
                if place.subresource == "scale" || call.form != Form::Json {
                    let object = stored.at(&call.kind, version);
                    return Ok(self.shown(call, version, object, 200));
                }
                Ok(json_answer(200, stored.text_at(&call.kind, version)))
            }
            Method::PUT => {
                let mut options = call.write_options("UpdateOptions")?;
                let document = body::object(call.content_type(), call.request.body(), &call.kind)?;
                options.repeated = document.repeated;
                let mut object = document.value;
                if place.subresource != "scale" {
                    body::check_kind(&mut object, &call.kind, version)?;
                }
                self.written(call, version, |writer| match place.subresource {
                    "scale" => scale(writer, place, |_| Ok(object), &options),
                    "finalize" => finalize(writer, place, &object, &options),
                    _ => writer.update(place, object, Way::Put, &options),
                })
            }
            Method::PATCH => self.patch(call, version),
            Method::DELETE if place.subresource.is_empty() => {
                let options = DeleteOptions::parse(&call.query, call.request.body())?;
                let answer = self.write(|writer| writer.delete(place, &options))?;
                Ok(json_answer(200, answer.to_string()))
            }
            _ => Err(Refusal::method_not_allowed()),
        }
    }

    fn patch(&self, call: &Call<'_>, version: &Version) -> Result<Response, Refusal> {
        let place = call.place(version);
        let media = call.content_type().split(';').next().unwrap_or_default().trim();
        let document = call.request.body();
        if media == "application/apply-patch+yaml" {
            let options = call.write_options("ApplyOptions")?;
            let config = body::parse(document)?;
            if place.subresource == "scale" {
                return Err(Refusal::unsupported_patch());
            }
            return self.written(call, version, |writer| writer.apply(place, config, &options));
        }
        let custom = call.kind.origin == Origin::Custom;
        let kind = match media {
            "application/json-patch+json" => Patch::Json,
            "application/merge-patch+json" => Patch::Merge,
            "application/strategic-merge-patch+json" if !custom => Patch::Strategic,
            "application/strategic-merge-patch+json" => {
                let accepted =
                    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
                return Err(Refusal::unsupported_body(accepted));
            }
            _ => return Err(Refusal::unsupported_patch()),
        };
        let options = call.write_options("PatchOptions")?;
        let unreadable = |error| Refusal::bad_request(format!("error decoding patch: {error}"));
        let change: Value = serde_json::from_slice(document).map_err(unreadable)?;
        if kind != Patch::Json && !change.is_object() {
            let message =
                "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}";
            return Err(Refusal::bad_request(message));
        }
        let definition = openapi::definition_name(&call.kind, version);
        let patched = |mut live: Value| match kind {
            Patch::Json => patch::json_patch(live, &change),
            Patch::Merge => {
                patch::merge_patch(&mut live, &change);
                Ok(live)
            }
            Patch::Strategic => {
                strategic::merge(&mut live, &change, &definition);
                Ok(live)
            }
        };
        self.written(call, version, |writer| {
            if place.subresource == "scale" {
                return scale(writer, place, patched, &options);
            }
            let stored = writer.state.get(&call.kind.name, &place.key());
            let stored = stored.ok_or_else(|| Refusal::not_found(place.about()))?;
            let object = patched(stored.at(&call.kind, version))?;
            writer.update(place, object, Way::Patch, &options)
        })
    }

    /// Makes a write, and shows what came of it.
    fn written(
        &self,
        call: &Call<'_>,
        version: &Version,
        write: impl FnOnce(&mut Writer<'_>) -> Result<Written, Refusal>,
    ) -> Result<Response, Refusal> {
        let (result, warnings) = self.write(|writer| {
            let result = write(writer);
            (result, std::mem::take(&mut writer.warnings))
        });
        let written = result?;
        let code = if written.created { 201 } else { 200 };
        let mut answer = self.shown(call, version, written.object, code);
        for warning in warnings {
            if let Ok(value) = format!("299 - {}", Value::from(warning)).parse() {
                answer.headers_mut().append(header::WARNING, value);
            }
        }
        Ok(answer)
    }

    fn shown(&self, call: &Call<'_>, version: &Version, object: Value, code: u16) -> Response {
        let place = call.place(version);
        let object = match place.subresource {
            "scale" => scale_of(place, &object).unwrap_or(object),
            _ => object,
        };
        let shown = match call.form {
            Form::Table => {
                let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                table::of(&call.kind, version, &[object], &metadata, self.clock.now())
            }
            Form::Metadata => table::partial(&object),
            Form::Json | Form::Aggregated(_) => object,
        };
        json_answer(code, shown.to_string())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Patch {
    Json,
    Merge,
    Strategic,
}

impl Call<'_> {
    fn content_type(&self) -> &str {
        text_header(self.request.headers(), &header::CONTENT_TYPE)
    }

    fn write_options(&self, kind: &str) -> Result<WriteOptions, Refusal> {
        WriteOptions::parse(
            &self.query,
            kind,
            text_header(self.request.headers(), &header::USER_AGENT),
        )
    }

    fn place<'p>(&'p self, version: &'p Version) -> Place<'p> {
        Place {
            kind: &self.kind,
            version,
            namespace: self.address.namespace.as_deref().unwrap_or_default(),
            name: self.address.name.as_deref().unwrap_or_default(),
            subresource: self.address.subresource.as_deref().unwrap_or_default(),
        }
    }
}

/// Lets go of a namespace.
fn finalize(
    writer: &mut Writer<'_>,
    place: Place<'_>,
    sent: &Value,
    options: &WriteOptions,
) -> Result<Written, Refusal> {
    let stored = writer.state.get(&place.kind.name, &place.key());
    let live = stored
        .ok_or_else(|| Refusal::not_found(place.about()))?
        .at(place.kind, place.version);
    let mut object = live.clone();
    object["spec"]["finalizers"] = sent["spec"]["finalizers"].clone();
    writer.replace(place, object, &live, options)
}

/// What no path leads to.
fn nothing() -> Response {
    typed(404, "text/plain; charset=utf-8", full("404 page not found\n"))
}

fn stream_of(watch: Watch) -> Response {
    let frames = stream::unfold(watch, |mut watch| async move {
        let line: Bytes = watch.next().await?;
        Some((Ok(Frame::data(line)), watch))
    });
    typed(200, "application/json", StreamBody::new(frames).boxed_unsync())
}

/// Answers to questions about the asker's rights: whoever reaches the sandbox may do everything.
fn review(address: &Address, request: &Request) -> Option<Result<Response, Refusal>> {
    let status = match (address.group.as_str(), address.plural.as_str()) {
        ("authorization.k8s.io", "selfsubjectaccessreviews") => json!({"allowed": true}),
        ("authorization.k8s.io", "selfsubjectrulesreviews") => json!({
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}], "incomplete": false}),
        ("authentication.k8s.io", "selfsubjectreviews") => {
            json!({"userInfo": {"username": "sandbox", "groups": ["system:masters", "system:authenticated"]}})
        }
        _ => return None,
    };
    if address.version != "v1" {
        return None;
    }
    if request.method() != Method::POST {
        return Some(Err(Refusal::method_not_allowed()));
    }
    let sent = super::protobuf::read(request.body()).map_or_else(|| body::parse(request.body()), Ok);
    let answer = sent.map(|mut review| {
        review["status"] = status;
        json_answer(201, review.to_string())
    });
    Some(answer)
}
