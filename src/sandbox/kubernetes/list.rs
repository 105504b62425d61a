//! Lists: which objects, as of which revision, a page at a time.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::kind::{Kind, Version};
use super::object::{Key, Stored};
use super::refusal::{About, Cause, Refusal};
use super::request::Query;
use super::selector::Selector;
use super::state::State;
use crate::schema::Origin;

/// What a list asks for.
pub(super) struct ListQuery {
    pub(super) selector: Selector,
    limit: Option<usize>,
    from: From,
}

enum From {
    /// The most recent state.
    Now,
    /// A state that is at least as recent.
    NotOlder(u64),
    /// This very state.
    Exact(u64),
    /// The next page of a list that began at a revision, or goes on with whatever is there now.
    Next(Option<u64>, Key),
}

/// A page.
pub(super) struct Page {
    pub(super) items: Vec<Arc<Stored>>,
    pub(super) version: u64,
    pub(super) token: Option<String>,
    pub(super) remaining: Option<usize>,
}

/// What a client hands back to get the next page.
#[derive(Deserialize, Serialize)]
struct Token {
    v: String,
    /// -1: whatever is there now.
    rv: i64,
    /// The last key of the page before, and the byte that comes after none.
    start: String,
}

impl Token {
    fn encode(version: Option<u64>, last: &Key, cluster: bool) -> String {
        let token = Self {
            v: "meta.k8s.io/v1".to_owned(),
            rv: version.and_then(|version| i64::try_from(version).ok()).unwrap_or(-1),
            start: if cluster {
                format!("{}/{}\0", last.namespace, last.name)
            } else {
                format!("/{}\0", last.name)
            },
        };
        URL_SAFE_NO_PAD.encode(serde_json::to_string(&token).unwrap_or_default())
    }

    fn decode(text: &str, namespace: &str) -> Result<From, Refusal> {
        let bad = |why: &str| Refusal::bad_request(format!("invalid continue token: continue key is not valid: {why}"));
        let bytes = URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .map_err(|_| bad("illegal base64 data"))?;
        let token: Self = serde_json::from_slice(&bytes).map_err(|_| {
            let first = bytes.first().copied().map_or(' ', char::from);
            bad(&format!("invalid character '{first}' looking for beginning of value"))
        })?;
        if token.v != "meta.k8s.io/v1" {
            return Err(bad("server does not recognize this encoded version"));
        }
        let (before, name) = token
            .start
            .rsplit_once('/')
            .ok_or_else(|| bad("incorrect encoded start key"))?;
        let namespace = if namespace.is_empty() { before } else { namespace };
        Ok(From::Next(u64::try_from(token.rv).ok(), Key::new(namespace, name)))
    }
}

fn invalid_options(cause: Cause) -> Refusal {
    let about = About {
        group: "meta.k8s.io",
        what: "ListOptions",
        name: "",
    };
    Refusal::invalid(about, vec![cause])
}

impl ListQuery {
    pub(super) fn parse(query: &Query, kind: &Kind, namespace: &str) -> Result<Self, Refusal> {
        let selector = Selector::parse(query, kind.namespaced, kind)?;
        let limit = query.number("limit")?.and_then(|limit| usize::try_from(limit).ok());
        if query.get("sendInitialEvents").is_some() {
            let why = "sendInitialEvents is forbidden for list";
            return Err(invalid_options(Cause::forbidden("sendInitialEvents", why)));
        }
        let version = query.get("resourceVersion");
        let matching = query.get("resourceVersionMatch");
        let forbidden = |why: &str| invalid_options(Cause::forbidden("resourceVersionMatch", why));
        if let Some(matching) = matching {
            if version.is_none() {
                return Err(forbidden(
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                ));
            }
            if query.get("continue").is_some() {
                return Err(forbidden("resourceVersionMatch is forbidden when continue is provided"));
            }
            if !["Exact", "NotOlderThan"].contains(&matching) {
                let supported = ["Exact", "NotOlderThan", ""];
                let shown = Value::from(matching).to_string();
                return Err(invalid_options(Cause::unsupported(
                    "resourceVersionMatch",
                    &shown,
                    &supported,
                )));
            }
            if matching == "Exact" && version == Some("0") {
                let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
                return Err(forbidden(why));
            }
        }
        let from = match (query.get("continue"), version) {
            (Some(token), None | Some("0")) => Token::decode(token, namespace)?,
            (Some(_), Some(_)) => {
                let message = "specifying resource version is not allowed when using continue";
                return Err(Refusal::bad_request(message));
            }
            (None, None | Some("0")) => From::Now,
            (None, Some(text)) => {
                let version: u64 = text.parse().map_err(|_| {
                    let quoted = Value::from(text);
                    Refusal::bad_request(format!(
                        "invalid resource version: resourceVersion: Invalid value: {quoted}: strconv.ParseUint: parsing {quoted}: invalid syntax"
                    ))
                })?;
                // A limit alone has always meant the very state.
                let exact = matching == Some("Exact") || (matching.is_none() && limit.is_some());
                if exact {
                    From::Exact(version)
                } else {
                    From::NotOlder(version)
                }
            }
        };
        Ok(Self { selector, limit, from })
    }

    /// Whether a page can be shorter than asked for.
    pub(super) fn can_be_shorter(&self) -> bool {
        self.limit.is_some_and(|limit| limit > 1)
    }

    /// Cuts the page; `short` makes it shorter than asked for.
    pub(super) fn page(&self, state: &State, kind: &Kind, namespace: &str, short: bool) -> Result<Page, Refusal> {
        let current = state.revision;
        let (version, start) = match &self.from {
            From::Now => (current, None),
            From::NotOlder(version) | From::Exact(version) if *version > current => {
                return Err(Refusal::too_large_version(*version, current));
            }
            From::NotOlder(_) => (current, None),
            From::Exact(version) => (*version, None),
            From::Next(version, start) => (version.unwrap_or(current), Some(start)),
        };
        let objects = state.as_of(&kind.name, version, start, namespace);
        let Some(mut items) = objects else {
            return Err(self.forgotten(namespace));
        };
        items.retain(|stored| self.selector.matches(stored));
        let limit = self
            .limit
            .filter(|limit| *limit > 0)
            .map(|limit| if short { limit.div_ceil(2) } else { limit });
        let mut page = Page {
            items,
            version,
            token: None,
            remaining: None,
        };
        if let Some(limit) = limit.filter(|limit| *limit < page.items.len()) {
            let left = page.items.len() - limit;
            page.items.truncate(limit);
            page.token = page
                .items
                .last()
                .map(|last| Token::encode(Some(version), &last.key, namespace.is_empty()));
            page.remaining = self.selector.is_empty().then_some(left);
        }
        Ok(page)
    }

    fn forgotten(&self, namespace: &str) -> Refusal {
        let From::Next(_, start) = &self.from else {
            return Refusal::expired("The resourceVersion for the provided list is too old.");
        };
        let last = Key::new(&start.namespace, start.name.trim_end_matches('\0'));
        let mut refusal = Refusal::expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list \
             without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
             results. Continuing with the provided token results in an inconsistent list - objects that were created, \
             modified, or deleted between the time the first chunk was returned and now may show up in the list.",
        );
        refusal.token = Some(Token::encode(None, &last, namespace.is_empty()));
        refusal
    }
}

impl Page {
    /// The list as text: objects that are stored as they are read are copied, never parsed.
    pub(super) fn text(&self, kind: &Kind, version: &Version) -> String {
        let size: usize = self.items.iter().map(|item| item.text.len() + 1).sum();
        let mut text = String::with_capacity(size + 512);
        let api_version = kind.api_version(&version.name);
        text.push_str(&format!(
            "{{\"kind\":\"{}\",\"apiVersion\":\"{api_version}\",\"metadata\":{},\"items\":[",
            kind.list_kind,
            self.metadata()
        ));
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            if kind.origin == Origin::BuiltIn || item.is_at(kind, version) {
                text.push_str(&item.text);
            } else {
                text.push_str(&item.text_at(kind, version));
            }
        }
        text.push_str("]}");
        text
    }

    /// The list's own metadata.
    pub(super) fn metadata(&self) -> Value {
        let mut metadata = serde_json::json!({"resourceVersion": self.version.to_string()});
        if let Some(token) = &self.token {
            metadata["continue"] = Value::from(token.as_str());
        }
        if let Some(remaining) = self.remaining {
            metadata["remainingItemCount"] = Value::from(remaining);
        }
        metadata
    }
}
