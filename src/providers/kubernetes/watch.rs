//! Following what happens to objects of a kind: one LIST of their metadata, then a watch.
//!
//! Invariant: what is told is "look again", never what the object is like: every decision is made on a read of its own. So
//! an event that is lost costs time until the next one, and nothing else; and no body of a Secret comes by here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::KubernetesProvider;
use super::discovery::kind_of;
use super::http::{Call, Http, HttpError, escape};
use super::list::{self, ListError};
use crate::providers::ProviderError;
use crate::resource::{Digest, ResourceId};

/// A server ends a watch after so long, and it is taken up again where it was.
const LENGTH: Duration = Duration::from_secs(290);
/// A server that says nothing for so long, although it sends bookmarks each minute, is not there any more.
const SILENCE: Duration = Duration::from_secs(150);
/// Metadata alone.
const WATCHED: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
/// Objects in one page.
const PAGE: usize = 500;
/// A line of a watch is one object's metadata; managedFields of large objects take some 100 KiB.
const LONGEST_LINE: usize = 4 << 20;

/// What is followed.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Any object of the kind, on the server that is asked; its name and namespace are of no account.
    pub sample: ResourceId,
    /// Its `apiVersion`.
    pub api_version: String,
    /// Only in this namespace; none: in all.
    pub within: Option<String>,
    /// Which of them.
    pub which: Which,
}

/// Which objects of a kind are followed.
#[derive(Clone, Debug)]
pub enum Which {
    /// Those that carry a label: its key and value.
    Labelled(String, String),
    /// The one of this name: rights can be given for it alone.
    Named(String),
}

impl Which {
    fn selector(&self) -> String {
        match self {
            Self::Labelled(key, value) => format!("labelSelector={}", escape(&format!("{key}={value}"))),
            Self::Named(name) => format!("fieldSelector={}", escape(&format!("metadata.name={name}"))),
        }
    }
}

/// What is told by the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// The server has taken the watch up: what happens from now on is heard of.
    Going,
    /// An object changed in what we look after.
    Changed(ResourceId),
}

/// Why it ended. Whoever follows begins anew, after a pause.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The server does not serve the kind, or could not be asked.
    #[error("can't follow {what}")]
    Call {
        /// The kind.
        what: String,
        /// Why.
        #[source]
        source: Box<ProviderError>,
    },
    /// The server does not know the state any more from which the watch was to go on.
    #[error("the server has forgotten the state from which the watch of {what} went on")]
    Expired {
        /// The kind.
        what: String,
    },
}

/// What of an object makes another look worth its while. Its status is none of that: it changes all the time.
type Fingerprint = Digest;

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow)]
    metadata: Meta<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta<'a> {
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    generation: Option<i64>,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    deletion_timestamp: Option<String>,
    #[serde(borrow, default)]
    labels: Option<&'a RawValue>,
    #[serde(borrow, default)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow, default)]
    owner_references: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type")]
    event: String,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// An `ERROR` event's object.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    code: u16,
}

/// A kind, as it was last seen.
pub struct Watch {
    followed: Followed,
    known: BTreeMap<(Option<String>, String), Fingerprint>,
    /// Where the watch goes on; none: it begins with a LIST.
    version: Option<String>,
}

impl Watch {
    /// Nothing is known yet: the first LIST is told object by object.
    pub fn new(followed: Followed) -> Self {
        Self {
            followed,
            known: BTreeMap::new(),
            version: None,
        }
    }

    fn id(&self, namespace: Option<&str>, name: &str) -> ResourceId {
        ResourceId {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
            ..self.followed.sample.clone()
        }
    }

    /// Follows until something goes wrong, telling each object that changed in what we look after. Called again, it goes on
    /// where it was.
    ///
    /// # Errors
    /// What went wrong. A watch that the server ends in the ordinary way is none, and is taken up again here.
    pub async fn follow(&mut self, provider: &KubernetesProvider, tell: &(dyn Fn(Told) + Sync)) -> WatchError {
        loop {
            if let Err(error) = self.once(provider, tell).await {
                if matches!(error, WatchError::Expired { .. }) {
                    self.version = None;
                }
                return error;
            }
        }
    }

    async fn once(&mut self, provider: &KubernetesProvider, tell: &(dyn Fn(Told) + Sync)) -> Result<(), WatchError> {
        let kind = kind_of(&self.followed.sample, &self.followed.api_version);
        let failed = |source| WatchError::Call {
            what: kind.kind.clone(),
            source: Box::new(source),
        };
        let discovery = provider.discovered(&kind).await.map_err(failed)?;
        let addressing = discovery.find(&kind).map_err(|reason| {
            failed(ProviderError::Transport {
                what: format!("following {}", kind.kind),
                source: reason.into(),
            })
        })?;
        let path = format!(
            "{}?{}",
            match &self.followed.within {
                Some(namespace) => addressing.within(&kind, namespace),
                None => addressing.all(&kind),
            },
            self.followed.which.selector()
        );
        let during = |error: HttpError| failed(error.during(format!("following {}", addressing.plural)));
        let version = match self.version.clone() {
            Some(version) => version,
            None => {
                let version = self.list(&provider.http, &path, tell).await.map_err(during)?;
                self.version = Some(version.clone());
                version
            }
        };
        let path = format!(
            "{path}&watch=true&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
            LENGTH.as_secs(),
            escape(&version)
        );
        match self.watch(&provider.http, path, tell).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(WatchError::Expired {
                what: kind.kind.clone(),
            }),
            Err(error) => Err(during(error)),
        }
    }

    /// Lists, tells what differs from what was known, and gives the state that it shows.
    async fn list(&mut self, http: &Http, path: &str, tell: &(dyn Fn(Told) + Sync)) -> Result<String, HttpError> {
        let first = format!("{path}&limit={PAGE}");
        let (seen, version) = list::pages(http, list::METADATA, &first, |text| {
            let meta = parse(text)?.metadata;
            let fingerprint = meta.fingerprint();
            Ok(((meta.namespace, meta.name), fingerprint))
        })
        .await
        .map_err(|error| match error {
            ListError::Http(error) => error,
            ListError::Refused(refusal) => HttpError::Refused(refusal),
        })?;
        let seen: BTreeMap<_, _> = seen.into_iter().collect();
        let gone = self.known.keys().filter(|key| !seen.contains_key(*key));
        let changed = seen
            .iter()
            .filter(|(key, fingerprint)| self.known.get(*key) != Some(*fingerprint));
        for (namespace, name) in gone.chain(changed.map(|(key, _)| key)) {
            tell(Told::Changed(self.id(namespace.as_deref(), name)));
        }
        self.known = seen;
        Ok(version)
    }

    /// Watches until the server ends it; `false` where it does not know the state any more.
    async fn watch(&mut self, http: &Http, path: String, tell: &(dyn Fn(Told) + Sync)) -> Result<bool, HttpError> {
        let call = Call {
            accept: WATCHED,
            ..Call::get(path)
        };
        let mut lines = match http.stream(&call).await? {
            Ok(lines) => lines,
            Err(refusal) if refusal.code == 410 => return Ok(false),
            Err(refusal) => return Err(HttpError::Refused(refusal)),
        };
        tell(Told::Going);
        while let Some(line) = lines.next(SILENCE, LONGEST_LINE).await? {
            let line: Line<'_> =
                serde_json::from_str(&line).map_err(|_| HttpError::Nonsense("it is no watch event"))?;
            if line.event == "ERROR" {
                let said: Said = serde_json::from_str(line.object.get()).unwrap_or(Said { code: 0 });
                return match said.code {
                    410 => Ok(false),
                    _ => Err(HttpError::Nonsense("the server ended the watch with an error")),
                };
            }
            let object: Object<'_> = parse(line.object.get())?;
            let meta = object.metadata;
            if line.event != "BOOKMARK" {
                let key = (meta.namespace.clone(), meta.name.clone());
                let (before, now) = match line.event.as_str() {
                    "DELETED" => (self.known.remove(&key), None),
                    _ => {
                        let now = meta.fingerprint();
                        (self.known.insert(key, now), Some(now))
                    }
                };
                if before != now || now.is_none() {
                    tell(Told::Changed(self.id(meta.namespace.as_deref(), &meta.name)));
                }
            }
            if !meta.resource_version.is_empty() {
                self.version = Some(meta.resource_version);
            }
        }
        Ok(true)
    }
}

fn parse<'a>(text: &'a str) -> Result<Object<'a>, HttpError> {
    serde_json::from_str(text).map_err(|_| HttpError::Nonsense("an object in it has no metadata"))
}

impl Meta<'_> {
    fn fingerprint(&self) -> Fingerprint {
        // A kind without generations changes as a whole.
        let spec = match self.generation {
            Some(generation) if generation > 0 => generation.to_string(),
            _ => self.resource_version.clone(),
        };
        let parts = [
            self.uid.as_str(),
            &spec,
            self.deletion_timestamp.as_deref().unwrap_or_default(),
            self.labels.map_or("", RawValue::get),
            self.annotations.map_or("", RawValue::get),
            self.owner_references.map_or("", RawValue::get),
        ];
        Digest::of_parts(parts.map(str::as_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::Target;

    fn fingerprint(text: &str) -> Fingerprint {
        parse(text).unwrap().metadata.fingerprint()
    }

    #[test]
    fn a_status_alone_is_no_reason_to_look_and_a_label_is() {
        let before = fingerprint(r#"{"metadata":{"name":"a","uid":"u","generation":3,"resourceVersion":"7"}}"#);
        let status = fingerprint(r#"{"metadata":{"name":"a","uid":"u","generation":3,"resourceVersion":"8"}}"#);
        assert_eq!(before, status);
        let label = r#"{"metadata":{"name":"a","uid":"u","generation":3,"resourceVersion":"9","labels":{"a":"b"}}}"#;
        assert_ne!(before, fingerprint(label));
        let without = |version| format!(r#"{{"metadata":{{"name":"a","uid":"u","resourceVersion":"{version}"}}}}"#);
        assert_ne!(
            fingerprint(&without(1)),
            fingerprint(&without(2)),
            "a ConfigMap has no generation"
        );
    }

    #[test]
    fn a_sample_gives_the_ids_of_all() {
        let sample = ResourceId {
            target: Target::Oci,
            group: String::new(),
            kind: "ConfigMap".to_owned(),
            namespace: None,
            name: String::new(),
        };
        let followed = Followed {
            sample,
            api_version: "v1".to_owned(),
            within: None,
            which: Which::Named("pull".to_owned()),
        };
        assert_eq!(followed.which.selector(), "fieldSelector=metadata.name%3Dpull");
        let id = Watch::new(followed).id(Some("n"), "x");
        assert_eq!(
            (id.kind.as_str(), id.namespace.as_deref(), id.name.as_str()),
            ("ConfigMap", Some("n"), "x")
        );
    }
}
