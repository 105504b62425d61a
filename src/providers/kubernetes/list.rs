//! LISTs, page by page, kept as text.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::discovery::{Addressing, group_version};
use super::http::{Call, Http, HttpError, escape};
use super::status::Refusal;
use crate::providers::{Kind, LiveObject};

/// A LIST in this form shows names and versions without what the objects hold.
pub(super) const METADATA: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
/// A page's token is refused once the state that it belongs to is forgotten; then the whole LIST starts again.
const RESTARTS: usize = 2;

/// An object of a LIST, or the answer to a GET.
pub(super) struct Item {
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) object: LiveObject,
}

/// Why a LIST came to nothing.
pub(super) enum ListError {
    Http(HttpError),
    Refused(Refusal),
}

impl From<HttpError> for ListError {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl ListError {
    /// Why the objects asked for are not known.
    pub(super) fn unknown(&self, what: &str) -> String {
        match self {
            Self::Http(error) => format!("list {what}: {}", error.line()),
            Self::Refused(refusal) => refusal.unknown("list", what),
        }
    }

    /// Whether it takes a rule more.
    pub(super) fn lacks_rights(&self) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.lacks_rights())
    }
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default)]
    metadata: PageMeta,
    /// `null` from some servers where there are none.
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
struct PageMeta {
    #[serde(default, rename = "continue")]
    token: Option<String>,
    #[serde(default, rename = "resourceVersion")]
    version: Option<String>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    metadata: HeadMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadMeta {
    name: String,
    #[serde(default)]
    namespace: Option<String>,
    uid: String,
    resource_version: String,
}

impl Item {
    /// Reads the few fields that every object has, and keeps the rest as it came. Objects of built-in kinds come without
    /// their kind in LISTs: it is put back, so that one object has one form.
    pub(super) fn parse(text: &str, kind: &Kind) -> Result<Self, HttpError> {
        const NONSENSE: HttpError = HttpError::Nonsense("an object in it has no name, UID or resourceVersion");
        let head: Head<'_> = serde_json::from_str(text).map_err(|_| NONSENSE)?;
        let text = match head.kind {
            Some(_) => text.into(),
            None => {
                let rest = text.trim_start().strip_prefix('{').ok_or(NONSENSE)?;
                format!(
                    r#"{{"apiVersion":"{}","kind":"{}",{rest}"#,
                    group_version(kind),
                    kind.kind
                )
                .into_boxed_str()
            }
        };
        Ok(Self {
            namespace: head.metadata.namespace,
            name: head.metadata.name,
            object: LiveObject {
                uid: head.metadata.uid,
                version: head.metadata.resource_version,
                text,
            },
        })
    }
}

/// A LIST from its first page to its last.
pub(super) struct Listing {
    pub(super) items: Vec<Item>,
    /// The state of the server that it shows; empty where the server does not say.
    pub(super) version: String,
}

/// Lists all objects of a kind that carry a label, so many at a time.
pub(super) async fn labelled(
    http: &Http,
    kind: &Kind,
    addressing: &Addressing,
    label: (&str, &str),
    page: usize,
) -> Result<Listing, ListError> {
    let selector = escape(&format!("{}={}", label.0, label.1));
    let first = format!("{}?labelSelector={selector}&limit={page}", addressing.all(kind));
    all_pages(http, kind, &first).await
}

/// Follows a LIST of whole objects to its end.
pub(super) async fn all_pages(http: &Http, kind: &Kind, first: &str) -> Result<Listing, ListError> {
    let (items, version) = pages(http, "application/json", first, |text| Item::parse(text, kind)).await?;
    Ok(Listing { items, version })
}

/// Follows a LIST to its end; gives what was read of each item, and the state of the server that it shows.
pub(super) async fn pages<T>(
    http: &Http,
    accept: &'static str,
    first: &str,
    read: impl Fn(&str) -> Result<T, HttpError>,
) -> Result<(Vec<T>, String), ListError> {
    let mut restarts = 0;
    let mut items = Vec::new();
    let mut path = first.to_owned();
    loop {
        let call = Call {
            accept,
            ..Call::get(path)
        };
        let answer = http.send(call).await?;
        if answer.status == 410 && restarts < RESTARTS {
            restarts += 1;
            items.clear();
            path = first.to_owned();
            continue;
        }
        if !answer.is_success() {
            return Err(ListError::Refused(Refusal::of(&answer)));
        }
        let page: Page<'_> = serde_json::from_str(&answer.text).map_err(|_| HttpError::Nonsense("it is no list"))?;
        for item in page.items.unwrap_or_default() {
            items.push(read(item.get())?);
        }
        match page.metadata.token.filter(|token| !token.is_empty()) {
            Some(token) => path = format!("{first}&continue={}", escape(&token)),
            None => return Ok((items, page.metadata.version.unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_item_without_its_kind_gets_it_back() {
        let kind = Kind {
            group: "apps".to_owned(),
            version: "v1".to_owned(),
            kind: "Deployment".to_owned(),
        };
        let bare = json!({"metadata": {"name": "a", "uid": "u", "resourceVersion": "7"}, "spec": {"kind": "inner"}});
        let item = Item::parse(&bare.to_string(), &kind).ok().unwrap();
        let whole: Value = item.object.parse().unwrap();
        assert_eq!(whole["kind"], "Deployment");
        assert_eq!(whole["apiVersion"], "apps/v1");
        assert_eq!(whole["spec"], bare["spec"]);
        assert_eq!((item.object.uid.as_str(), item.object.version.as_str()), ("u", "7"));
        assert!(Item::parse(r#"{"metadata": {"name": "a"}}"#, &kind).is_err());
    }
}
