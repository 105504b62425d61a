//! What a request asks for: its path, its query, what it accepts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::refusal::{About, Cause, Refusal};

/// The parameters of a query, the first of each name.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub(super) fn parse(query: &str) -> Self {
        let mut all = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            all.entry(decode(name, true)).or_insert_with(|| decode(value, true));
        }
        Self(all)
    }

    /// A parameter; none where it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A switch as the real server reads one: all but `false` and `0` is true.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| value != "false" && value != "0")
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let number = text.parse().map_err(|_| {
            let quoted = Value::from(text);
            Refusal::bad_request(format!("strconv.ParseInt: parsing {quoted}: invalid syntax"))
        })?;
        Ok(Some(number))
    }
}

/// Undoes percent-encoding; what is no UTF-8 afterwards becomes replacement characters, which no name has.
pub(super) fn decode(text: &str, plus: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        rest = after;
        match (byte, after.get(..2).and_then(hex)) {
            (b'%', Some(value)) => {
                bytes.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _) if plus => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// `/version`, `/readyz` and the like.
    Plain(&'static str),
    Api,
    Apis,
    Group(String),
    GroupVersion(String, String),
    OpenApi,
    OpenApiDocument(String),
    Resource(Address),
    Nothing,
}

/// A resource, and what of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) group: String,
    pub(super) version: String,
    pub(super) plural: String,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) subresource: Option<String>,
}

const PLAIN: [&str; 4] = ["version", "healthz", "livez", "readyz"];

impl Target {
    pub(super) fn parse(path: &str) -> Self {
        let parts: Vec<String> = path
            .trim_matches('/')
            .split('/')
            .map(|part| decode(part, false))
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            ["api"] => Self::Api,
            ["apis"] => Self::Apis,
            ["api", version] => Self::GroupVersion(String::new(), (*version).to_owned()),
            ["apis", group] => Self::Group((*group).to_owned()),
            ["apis", group, version] => Self::GroupVersion((*group).to_owned(), (*version).to_owned()),
            ["api", version, rest @ ..] => Self::resource("", version, rest),
            ["apis", group, version, rest @ ..] => Self::resource(group, version, rest),
            ["openapi", "v3"] => Self::OpenApi,
            ["openapi", "v3", rest @ ..] => Self::OpenApiDocument(rest.join("/")),
            [first, ..] => match PLAIN.iter().find(|plain| *plain == first) {
                Some(plain) => Self::Plain(plain),
                None => Self::Nothing,
            },
            [] => Self::Nothing,
        }
    }

    fn resource(group: &str, version: &str, rest: &[&str]) -> Self {
        let text = |text: &str| Some(text.to_owned());
        let address = |namespace, plural: &str, name, subresource| {
            Self::Resource(Address {
                group: group.to_owned(),
                version: version.to_owned(),
                plural: plural.to_owned(),
                namespace,
                name,
                subresource,
            })
        };
        match rest {
            // Of a namespace itself there are subresources, which look like resources in it.
            ["namespaces", name, sub @ ("status" | "finalize")] => address(None, "namespaces", text(name), text(sub)),
            ["namespaces", namespace, plural] => address(text(namespace), plural, None, None),
            ["namespaces", namespace, plural, name] => address(text(namespace), plural, text(name), None),
            ["namespaces", namespace, plural, name, sub] => address(text(namespace), plural, text(name), text(sub)),
            [plural] => address(None, plural, None, None),
            [plural, name] => address(None, plural, text(name), None),
            [plural, name, sub] => address(None, plural, text(name), text(sub)),
            _ => Self::Nothing,
        }
    }
}

/// What becomes of fields that nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// How a write is made.
#[derive(Clone, Debug, Default)]
pub(super) struct WriteOptions {
    pub(super) manager: String,
    pub(super) dry_run: bool,
    pub(super) validation: FieldValidation,
    pub(super) force: Option<bool>,
    /// Fields that the text of the object has more than once.
    pub(super) repeated: Vec<String>,
}

impl WriteOptions {
    /// Of a writer in this process.
    pub(super) fn by(manager: &str) -> Self {
        Self {
            manager: manager.to_owned(),
            validation: FieldValidation::Ignore,
            ..Self::default()
        }
    }

    /// Reads them from a query; `kind` is `CreateOptions`, `UpdateOptions` or `PatchOptions`.
    pub(super) fn parse(query: &Query, kind: &str, agent: &str) -> Result<Self, Refusal> {
        let mut causes = Vec::new();
        let dry_run = dry_run(query.get("dryRun"), &mut causes);
        let validation = match query.get("fieldValidation") {
            None | Some("Warn") => FieldValidation::Warn,
            Some("Ignore") => FieldValidation::Ignore,
            Some("Strict") => FieldValidation::Strict,
            Some(other) => {
                let supported = ["", "Ignore", "Strict", "Warn"];
                causes.push(Cause::unsupported(
                    "fieldValidation",
                    &Value::from(other).to_string(),
                    &supported,
                ));
                FieldValidation::Warn
            }
        };
        let manager = match query.get("fieldManager") {
            Some(manager) if manager.chars().count() > 128 => {
                causes.push(Cause {
                    reason: "FieldValueTooLong",
                    message: "Too long: may not be more than 128 bytes".to_owned(),
                    field: "fieldManager".to_owned(),
                });
                String::new()
            }
            Some(manager) => manager.to_owned(),
            None if kind == "ApplyOptions" => {
                causes.push(Cause::required("fieldManager", "is required for apply patch"));
                String::new()
            }
            // The program that asks, without its version.
            None => agent.split('/').next().unwrap_or_default().chars().take(128).collect(),
        };
        let force = query.get("force").map(|_| query.is_set("force"));
        if kind == "PatchOptions" && force.is_some() {
            causes.push(Cause::forbidden("force", "may not be specified for non-apply patch"));
        }
        let kind = if kind == "ApplyOptions" { "PatchOptions" } else { kind };
        refuse(kind, causes)?;
        Ok(Self {
            manager,
            dry_run,
            validation,
            force,
            repeated: Vec::new(),
        })
    }
}

fn dry_run(value: Option<&str>, causes: &mut Vec<Cause>) -> bool {
    match value {
        None => false,
        Some("All") => true,
        Some(other) => {
            let shown = Value::from(vec![other]).to_string();
            causes.push(Cause::unsupported("dryRun", &shown, &["All"]));
            true
        }
    }
}

fn refuse(kind: &str, causes: Vec<Cause>) -> Result<(), Refusal> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(
        About {
            group: "meta.k8s.io",
            what: kind,
            name: "",
        },
        causes,
    ))
}

/// What becomes of those that a deleted object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Propagation {
    /// They go afterwards.
    #[default]
    Background,
    /// They go first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How a delete is made.
#[derive(Clone, Debug, Default)]
pub(super) struct DeleteOptions {
    pub(super) dry_run: bool,
    pub(super) propagation: Propagation,
    pub(super) uid: Option<String>,
    pub(super) version: Option<String>,
}

impl DeleteOptions {
    pub(super) fn parse(query: &Query, body: &[u8]) -> Result<Self, Refusal> {
        let body: Value = if body.is_empty() {
            Value::Null
        } else {
            super::body::parse(body)?
        };
        let mut causes = Vec::new();
        let in_body = body["dryRun"].as_array().and_then(|all| all.first()?.as_str());
        let dry_run = dry_run(in_body.or(query.get("dryRun")), &mut causes);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let propagation = match body["propagationPolicy"].as_str().or(query.get("propagationPolicy")) {
            None | Some("Background" | "") => Propagation::Background,
            Some("Foreground") => Propagation::Foreground,
            Some("Orphan") => Propagation::Orphan,
            Some(other) => {
                let supported = ["Foreground", "Background", "Orphan", "nil"];
                let shown = Value::from(other).to_string();
                causes.push(Cause::unsupported("propagationPolicy", &shown, &supported));
                Propagation::Background
            }
        };
        refuse("DeleteOptions", causes)?;
        Ok(Self {
            dry_run,
            propagation,
            uid: text(&body["preconditions"]["uid"]),
            version: text(&body["preconditions"]["resourceVersion"]),
        })
    }
}

/// In which form an answer is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Table,
    /// `PartialObjectMetadata`
    Metadata,
    /// `APIGroupDiscoveryList`, and at which version.
    Aggregated(&'static str),
}

impl Form {
    /// The first form of an Accept header that is known; none where there is none.
    pub(super) fn accepted(accept: &str) -> Option<Self> {
        if accept.trim().is_empty() {
            return Some(Self::Json);
        }
        accept.split(',').find_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            if !matches!(media, "application/json" | "*/*" | "application/*") {
                return None;
            }
            let parameters: BTreeMap<&str, &str> = parts.filter_map(|part| part.split_once('=')).collect();
            match parameters.get("as").copied() {
                None => Some(Self::Json),
                Some("Table") => (parameters.get("v") == Some(&"v1")).then_some(Self::Table),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Some(Self::Metadata),
                Some("APIGroupDiscoveryList") => match parameters.get("v").copied() {
                    Some("v2") => Some(Self::Aggregated("v2")),
                    Some("v2beta1") => Some(Self::Aggregated("v2beta1")),
                    _ => None,
                },
                Some(_) => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_what_the_real_server_takes_them_for() {
        let Target::Resource(one) = Target::parse("/api/v1/namespaces/a/status") else {
            panic!()
        };
        assert_eq!((one.plural.as_str(), one.name.as_deref()), ("namespaces", Some("a")));
        assert_eq!(one.subresource.as_deref(), Some("status"));
        let Target::Resource(one) = Target::parse("/apis/x.io/v1/namespaces/a/things/b%2Fc/scale") else {
            panic!()
        };
        assert_eq!(
            (one.namespace.as_deref(), one.name.as_deref()),
            (Some("a"), Some("b/c"))
        );
        assert_eq!(one.subresource.as_deref(), Some("scale"));
        assert_eq!(Target::parse("/readyz/etcd"), Target::Plain("readyz"));
        assert_eq!(Target::parse("/nowhere"), Target::Nothing);
    }

    #[test]
    fn the_first_known_form_is_given() {
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
        assert_eq!(Form::accepted(table), Some(Form::Table));
        let protobuf = "application/vnd.kubernetes.protobuf, application/json";
        assert_eq!(Form::accepted(protobuf), Some(Form::Json));
        assert_eq!(Form::accepted("text/html"), None);
        assert_eq!(Form::accepted(""), Some(Form::Json));
    }

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("labelSelector=a%3Db%2Cc&limit=x&force");
        assert_eq!(query.get("labelSelector"), Some("a=b,c"));
        assert!(query.is_set("force") && !query.is_set("watch"));
        assert_eq!(query.number("limit").unwrap_err().code, 400);
    }
}
