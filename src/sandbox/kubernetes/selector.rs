//! Label and field selectors.

use std::collections::BTreeMap;

use serde_json::Value;

use super::object::Stored;
use super::refusal::Refusal;
use super::request::Query;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

/// Which objects of a collection are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    labels: Vec<Requirement>,
    /// `metadata.name` and `metadata.namespace`: the value, and whether it is wanted or unwanted.
    fields: Vec<(String, String, bool)>,
}

impl Selector {
    pub(super) fn parse(query: &Query, namespaced: bool, kind: &super::kind::Kind) -> Result<Self, Refusal> {
        let labels = match query.get("labelSelector") {
            Some(text) => Parser::new(text).requirements()?,
            None => Vec::new(),
        };
        let mut fields = Vec::new();
        for term in query
            .get("fieldSelector")
            .unwrap_or_default()
            .split(',')
            .filter(|term| !term.is_empty())
        {
            let parsed = term
                .split_once("!=")
                .map(|(field, value)| (field, value, false))
                .or_else(|| term.split_once("==").map(|(field, value)| (field, value, true)))
                .or_else(|| term.split_once('=').map(|(field, value)| (field, value, true)));
            let Some((field, value, wanted)) = parsed else {
                let message = format!("invalid selector: '{term}'; can't understand '{term}'");
                return Err(Refusal::bad_request(message));
            };
            if !is_selectable(kind, field, namespaced) {
                let message = match kind.origin {
                    crate::schema::Origin::BuiltIn => format!(
                        "\"{field}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                    ),
                    crate::schema::Origin::Custom => format!("field label not supported: {field}"),
                };
                return Err(Refusal::bad_request(message));
            }
            fields.push((field.to_owned(), value.to_owned(), wanted));
        }
        Ok(Self { labels, fields })
    }

    /// Whether everything is meant.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(super) fn matches(&self, stored: &Stored) -> bool {
        self.labels
            .iter()
            .all(|requirement| requirement.matches(&stored.labels))
            && self.fields.iter().all(|(field, value, wanted)| {
                let is = match field.as_str() {
                    "metadata.name" => stored.key.name == *value,
                    "metadata.namespace" => stored.key.namespace == *value,
                    other => {
                        let object: Value = serde_json::from_str(&stored.text).unwrap_or_default();
                        let found = object.pointer(&format!("/{}", other.replace('.', "/")));
                        found.and_then(Value::as_str).unwrap_or_default() == value
                    }
                };
                is == *wanted
            })
    }
}

fn is_selectable(kind: &super::kind::Kind, field: &str, namespaced: bool) -> bool {
    match field {
        "metadata.name" => true,
        "metadata.namespace" => namespaced || kind.origin == crate::schema::Origin::BuiltIn,
        "type" => kind.is("", "secrets") || kind.is("", "events"),
        "status.phase" => kind.is("", "namespaces"),
        "reason" | "source" | "reportingComponent" => kind.is("", "events"),
        other => kind.is("", "events") && other.starts_with("involvedObject."),
    }
}

impl Requirement {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::In(name, values) => labels.get(name).is_some_and(|value| values.contains(value)),
            Self::NotIn(name, values) => labels.get(name).is_none_or(|value| !values.contains(value)),
            Self::Exists(name) => labels.contains_key(name),
            Self::Absent(name) => !labels.contains_key(name),
        }
    }
}

struct Parser<'a> {
    tokens: Vec<&'a str>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                '(' | ')' | ',' => 1,
                '=' | '!' => rest.find(|c| !"=!".contains(c)).unwrap_or(rest.len()).min(2),
                _ => rest
                    .find(|c: char| c.is_whitespace() || "(),=!".contains(c))
                    .unwrap_or(rest.len()),
            };
            let (token, after) = rest.split_at(length);
            tokens.push(token);
            rest = after.trim_start();
        }
        Self { tokens, at: 0 }
    }

    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).copied().unwrap_or_default()
    }

    fn next(&mut self) -> &'a str {
        let token = self.peek();
        self.at += 1;
        token
    }

    fn failed(found: &str, expected: &str) -> Refusal {
        Refusal::bad_request(format!("found '{found}', expected: {expected}"))
    }

    fn requirements(mut self) -> Result<Vec<Requirement>, Refusal> {
        let mut all = Vec::new();
        while !self.peek().is_empty() {
            all.push(self.requirement()?);
            match self.next() {
                "" => break,
                "," if self.peek().is_empty() => return Err(Self::failed("", "identifier after ','")),
                "," => {}
                other => return Err(Self::failed(other, "',' or 'end of string'")),
            }
        }
        Ok(all)
    }

    fn requirement(&mut self) -> Result<Requirement, Refusal> {
        let wrong = |why: &str| Refusal::bad_request(format!("unable to parse requirement: {why}"));
        let first = self.next();
        if first == "!" {
            return Ok(Requirement::Absent(self.next().to_owned()));
        }
        if first.is_empty() || "(),=!==".contains(first) {
            return Err(wrong(&format!(
                "found '{first}', expected: !, identifier, or 'end of string'"
            )));
        }
        let name = first.to_owned();
        match self.peek() {
            "" | "," => Ok(Requirement::Exists(name)),
            "=" | "==" => {
                self.at += 1;
                Ok(Requirement::In(name, vec![self.value()]))
            }
            "!=" => {
                self.at += 1;
                Ok(Requirement::NotIn(name, vec![self.value()]))
            }
            word @ ("in" | "notin") => {
                self.at += 1;
                let values = self.values().map_err(|why| wrong(&why))?;
                Ok(if word == "in" {
                    Requirement::In(name, values)
                } else {
                    Requirement::NotIn(name, values)
                })
            }
            other => {
                let expected = "in, notin, =, ==, !=, gt, lt";
                Err(wrong(&format!("found '{other}', expected: {expected}")))
            }
        }
    }

    /// A value, which may be nothing at all.
    fn value(&mut self) -> String {
        match self.peek() {
            "," | "" | "=" | "!" | "==" | "!=" => String::new(),
            value => {
                self.at += 1;
                value.to_owned()
            }
        }
    }

    fn values(&mut self) -> Result<Vec<String>, String> {
        let open = self.next();
        if open != "(" {
            return Err(format!("found '{open}' expected: '('"));
        }
        let mut values = Vec::new();
        loop {
            match self.next() {
                ")" => return Ok(values),
                "," => {}
                "" => return Err("found '', expected: ',', ')' or identifier".to_owned()),
                value => values.push(value.to_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let requirements = Parser::new(selector).requirements().unwrap();
        requirements.iter().all(|requirement| requirement.matches(&labels))
    }

    #[test]
    fn requirements_are_all_asked_for() {
        let labels = [("a", "1"), ("b", ""), ("x.io/c", "z")];
        for good in [
            "a=1",
            "a==1,b",
            "a in (1, 2),!q",
            "a notin (2)",
            "q!=1",
            "b=",
            "x.io/c=z",
            "a!=2, b",
            "",
        ] {
            assert!(matches(good, &labels), "{good}");
        }
        for bad in ["a=2", "q", "!a", "a notin (1)", "a in (2,3)", "a=1,q"] {
            assert!(!matches(bad, &labels), "{bad}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for wrong in ["a==b==c", "a in", "a in (", "a b", "=1", "a,"] {
            assert!(Parser::new(wrong).requirements().is_err(), "{wrong}");
        }
        let refusal = Parser::new("a in").requirements().unwrap_err();
        assert_eq!(refusal.message, "unable to parse requirement: found '' expected: '('");
    }
}
