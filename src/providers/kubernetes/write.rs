//! Server-side apply with preconditions.
//!
//! Apply-patches have none of their own; they are put into the document:
//!
//! - an update carries the `resourceVersion` and the `uid` that were read. Another version is a 409; so is an object that
//!   is gone, because a document with a UID is never created.
//! - a create carries the `resourceVersion` 1, which no object ever has: etcd begins at 1, and the first write makes it 2.
//!   Where an object exists, that is a 409 and nothing is changed; where none does, the server ignores it and creates.
//!   So a create never changes what it did not expect, which a look at 201 or 200 afterwards could only report.

use ::http::Method;
use serde_json::{Value, json};

use super::KubernetesProvider;
use super::discovery::kind_of;
use super::http::{Answer, Call, HttpError, escape};
use super::list::Item;
use super::retry::Effect;
use super::status::Refusal;
use crate::providers::{Kind, LiveObject, Observed, ProviderError, WriteRequest, WriteResponse};
use crate::resource::ResourceId;
use crate::resource::mark::OWNER_ANNOTATION;

/// Our name in managedFields.
pub(super) const FIELD_MANAGER: &str = "fleetwright";
/// The resourceVersion that nothing has.
const NEVER: &str = "1";
/// Times that a create may conflict with what is not there.
const CONFLICTS: u32 = 3;

/// Whether the server is to do it, or to say what it would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// `dryRun=All`.
    Preview,
    /// For good.
    Write,
}

impl Mode {
    fn query(self) -> &'static str {
        match self {
            Self::Preview => "&dryRun=All",
            Self::Write => "",
        }
    }

    /// A create is refused where the object is there by now, and then it is looked at. That of an update would not tell our own
    /// change from another's.
    fn effect(self, creating: bool) -> Effect {
        match self {
            Self::Preview => Effect::Nothing,
            Self::Write if creating => Effect::Once,
            Self::Write => Effect::Change,
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Preview => "preview",
            Self::Write => "patch",
        }
    }
}

impl KubernetesProvider {
    /// Applies, or previews that.
    ///
    /// A preview of a take-over (`managed_fields`) can't be had in one request, and two can't be previewed: it forces the
    /// apply instead. That shows the values right, except that fields which only the other manager set, and which we
    /// don't want, are still there.
    pub(super) async fn apply(&self, request: WriteRequest<'_>, mode: Mode) -> Result<WriteResponse, ProviderError> {
        let kind = kind_of(request.id, request.api_version);
        let discovery = self.discovered(&kind).await?;
        let path = discovery
            .path(&kind, request.id)
            .map_err(|message| ProviderError::Invalid {
                id: Box::new(request.id.clone()),
                message,
            })?;
        let target = Target {
            id: request.id,
            kind: &kind,
            path: &path,
            mode,
        };
        let taken = match (request.managed_fields, request.version, mode) {
            (Some(fields), Some(version), Mode::Write) => Some(self.take_over(&target, fields, version).await?),
            _ => None,
        };
        let version = taken.as_deref().or(request.version);
        let force = request.force || (request.managed_fields.is_some() && mode == Mode::Preview);
        let creating = version.is_none();
        let call = || {
            Ok(Call {
                method: Method::PATCH,
                path: format!(
                    "{path}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict&force={force}{}",
                    mode.query()
                ),
                effect: mode.effect(creating),
                content_type: "application/apply-patch+yaml",
                body: document(&request, version)?,
                ..Call::get("")
            })
        };
        let mut conflicts = 0;
        loop {
            let answer = self.http.send(call()?).await;
            let answer = answer.map_err(|error| error.during(target.what()))?;
            let exists = || Err(ProviderError::Exists(Box::new(request.id.clone())));
            return match answer.status {
                200 if creating => exists(),
                409 if creating && mode == Mode::Write => {
                    conflicts += 1;
                    match self.read_one(request.id, request.api_version).await {
                        Observed::Present(live) if is_made_of(&live, request.body) => {
                            Ok(WriteResponse { object: live })
                        }
                        // It conflicted with something else: a quota that changed meanwhile, or what is gone again.
                        Observed::Absent if conflicts < CONFLICTS => continue,
                        Observed::Absent => Err(target.refusal(&answer)),
                        Observed::Present(_) | Observed::Unknown(_) => exists(),
                    }
                }
                // Whichever of its checks the server came to first, the object is there.
                409 if creating => exists(),
                200 | 201 => target.response(&answer),
                _ => Err(target.refusal(&answer)),
            };
        }
    }

    /// Replaces managedFields, as of one version of the object; the answer is the version after that.
    async fn take_over(&self, target: &Target<'_>, fields: &Value, version: &str) -> Result<String, ProviderError> {
        // A replaced resourceVersion is a precondition, and says 409 where a failed `test` says 422.
        let patch = json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/metadata/managedFields", "value": fields},
        ]);
        let call = Call {
            content_type: "application/json-patch+json",
            ..Call::json(
                Method::PATCH,
                format!("{}?fieldManager={FIELD_MANAGER}", target.path),
                &patch,
            )
        };
        let answer = self
            .http
            .send(call)
            .await
            .map_err(|error| error.during(target.what()))?;
        if answer.status == 200 {
            Ok(target.response(&answer)?.object.version)
        } else {
            Err(target.refusal(&answer))
        }
    }
}

/// Whether an object is what a create of this makes. A create is sent again where it is open whether the first came through.
fn is_made_of(live: &LiveObject, sent: &Value) -> bool {
    let Ok(object) = live.parse() else { return false };
    let mark = |object: &Value| object.pointer("/metadata/annotations")?.get(OWNER_ANNOTATION).cloned();
    // Without a mark of ours there is nothing to tell it from what somebody else made alike.
    let is_ours = mark(sent).is_some_and(|wanted| mark(&object) == Some(wanted));
    is_ours && object.pointer("/metadata/deletionTimestamp").is_none() && holds(&object, sent)
}

/// Whether a live object has all that was sent, to the letter. What the server writes in another form is not recognised:
/// then the next run finds the object with its mark, and goes on from there.
fn holds(live: &Value, sent: &Value) -> bool {
    match (live, sent) {
        (Value::Object(live), Value::Object(sent)) => sent
            .iter()
            .all(|(key, value)| live.get(key).is_some_and(|live| holds(live, value))),
        (Value::Array(live), Value::Array(sent)) => {
            live.len() == sent.len() && live.iter().zip(sent).all(|(live, sent)| holds(live, sent))
        }
        (live, sent) => live == sent,
    }
}

/// The object of a request, for its errors.
struct Target<'a> {
    id: &'a ResourceId,
    kind: &'a Kind,
    path: &'a str,
    mode: Mode,
}

impl Target<'_> {
    fn what(&self) -> String {
        format!("{} {}", self.mode.verb(), self.id)
    }

    fn response(&self, answer: &Answer) -> Result<WriteResponse, ProviderError> {
        let item = Item::parse(&answer.text, self.kind).map_err(|error| error.during(self.what()))?;
        Ok(WriteResponse { object: item.object })
    }

    fn refusal(&self, answer: &Answer) -> ProviderError {
        Refusal::about(answer, self.id).into_error(self.mode.verb(), self.id)
    }
}

/// The document with its preconditions.
fn document(request: &WriteRequest<'_>, version: Option<&str>) -> Result<Vec<u8>, ProviderError> {
    let mut body = request.body.clone();
    let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) else {
        return Err(HttpError::Nonsense("the document has no metadata").during(format!("patch {}", request.id)));
    };
    metadata.insert("resourceVersion".to_owned(), Value::from(version.unwrap_or(NEVER)));
    // Without one, an update whose object is gone would make a new one.
    match (version, request.uid) {
        (Some(_), Some(uid)) => {
            metadata.insert("uid".to_owned(), Value::from(uid));
        }
        (Some(_), None) => {
            return Err(ProviderError::Invalid {
                id: Box::new(request.id.clone()),
                message: "an update needs the UID that was read".to_owned(),
            });
        }
        (None, _) => {
            metadata.remove("uid");
        }
    }
    Ok(body.to_string().into_bytes())
}

/// The query of a write that is no apply.
pub(super) fn manager_query() -> String {
    format!("fieldManager={}", escape(FIELD_MANAGER))
}
