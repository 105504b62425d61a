//! Documents against their schema: every problem, each at its place.
//!
//! Invariant: goes on after a problem; what it lets through decodes into the types of [`super::spec`].

use super::node::{Entry, Node, Place, SourceFile, Yaml};
use super::shape::{Field, Shape, quoted};
use crate::diag::{Code, Diagnostic, nearest};

/// Checks a tree.
pub(super) fn check(node: &Node, shape: &Shape, files: &[SourceFile]) -> Vec<Diagnostic> {
    let mut checker = Checker {
        files,
        found: Vec::new(),
        key: String::new(),
    };
    checker.node(node, shape);
    checker.found
}

struct Checker<'a> {
    files: &'a [SourceFile],
    found: Vec<Diagnostic>,
    /// The key whose value is being checked, for messages.
    key: String,
}

impl Checker<'_> {
    fn report(&mut self, problem: Diagnostic, place: Place) {
        self.found.push(problem.at(&place.span(self.files)));
    }

    /// The mapping that is being checked, in words.
    fn owner(&self) -> String {
        match self.key.as_str() {
            "" => "this document".to_owned(),
            key => format!("`{key}`"),
        }
    }

    fn node(&mut self, node: &Node, shape: &Shape) {
        match (shape, &node.value) {
            (Shape::Any, _) | (Shape::Bool, Yaml::Bool(_)) => {}
            (Shape::Int { min, max }, Yaml::Int(value)) => self.range(node, *value, (*min, *max)),
            (Shape::Text { pattern, min }, Yaml::Str(text)) => {
                if text.trim().len() < *min {
                    let message = format!("`{}` must not be empty", self.key);
                    self.report(Diagnostic::new(Code::NotAllowed, message), node.place);
                } else if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
                    let message = format!("`{text}` is not of the form that `{}` takes", self.key);
                    let mut problem = Diagnostic::new(Code::WrongType, message);
                    let renames = pattern.as_str().contains("|network|");
                    match form(&self.key) {
                        _ if renames => problem.hints.push(
                            "write it like `cluster/<name>`, `network/<name>`, `management/<name>` or `environment/<name>`"
                                .to_owned(),
                        ),
                        Some(example) => problem.hints.push(format!("write it like {example}")),
                        None => problem.hints.push(format!("it has to match {}", pattern.as_str())),
                    }
                    self.report(problem, node.place);
                }
            }
            (Shape::Word(words), Yaml::Str(text)) => self.word(node, text, words),
            (Shape::List { item, most }, Yaml::List(items)) => {
                if let Some(most) = most.filter(|most| items.len() > *most) {
                    let message = format!("`{}` takes at most {most} items, these are {}", self.key, items.len());
                    self.report(Diagnostic::new(Code::NotAllowed, message), node.place);
                }
                for node in items {
                    self.node(node, item);
                }
            }
            (Shape::Map(values), Yaml::Map(entries)) => {
                for entry in entries {
                    if !(takes_null(values) && matches!(entry.value.value, Yaml::Null)) {
                        let outer = std::mem::replace(&mut self.key, entry.key.to_string());
                        self.node(&entry.value, values);
                        self.key = outer;
                    }
                }
            }
            (Shape::Object { fields, required }, Yaml::Map(entries)) => {
                for entry in entries {
                    self.field(entry, fields);
                }
                for key in required {
                    if node.entry(key).is_none() {
                        let owner = self.owner();
                        let message = format!("{owner} needs the key `{key}`");
                        self.report(Diagnostic::new(Code::MissingKey, message), first_key(node));
                    }
                }
            }
            (Shape::OneOf(shapes), _) => self.one_of(node, shape, shapes),
            (_, Yaml::Null) => {
                let message = format!("`{}` has no value, {} is expected", self.key, shape.expected());
                self.report(Diagnostic::new(Code::WrongType, message), node.place);
            }
            _ => self.wrong(node, shape),
        }
    }

    fn wrong(&mut self, node: &Node, shape: &Shape) {
        let message = format!("`{}` takes {}, this is {}", self.key, shape.expected(), node.kind());
        let mut problem = Diagnostic::new(Code::WrongType, message);
        let wants_text = matches!(shape, Shape::Text { .. })
            || matches!(shape, Shape::OneOf(shapes) if shapes.iter().any(|shape| matches!(shape, Shape::Text { .. })));
        match &node.value {
            Yaml::Int(_) | Yaml::Float(..) if wants_text && form(&self.key).is_some() => {
                problem
                    .hints
                    .extend(form(&self.key).map(|example| format!("write it like {example}")));
            }
            Yaml::Int(value) if wants_text => problem.hints.push(format!("write it in quotes: \"{value}\"")),
            Yaml::Float(_, text) if wants_text => problem.hints.push(format!("write it in quotes: \"{text}\"")),
            Yaml::Bool(value) if wants_text => problem.hints.push(format!("write it in quotes: \"{value}\"")),
            Yaml::Str(text) if matches!(shape, Shape::Bool) => {
                let value = ["yes", "on", "true", "True"].contains(&&**text);
                problem.hints.push(format!("write {value}"));
            }
            _ => {}
        }
        self.report(problem, node.place);
    }

    fn one_of(&mut self, node: &Node, shape: &Shape, shapes: &[Shape]) {
        let fits = |shape: &&Shape| {
            matches!(
                (shape, &node.value),
                (Shape::Bool, Yaml::Bool(_))
                    | (Shape::Int { .. }, Yaml::Int(_))
                    | (Shape::Text { .. } | Shape::Word(_), Yaml::Str(_))
                    | (Shape::List { .. }, Yaml::List(_))
                    | (Shape::Map(_) | Shape::Object { .. }, Yaml::Map(_))
            )
        };
        match shapes.iter().find(fits) {
            Some(shape) => self.node(node, shape),
            None => self.wrong(node, shape),
        }
    }

    fn range(&mut self, node: &Node, value: i64, (min, max): (Option<i64>, Option<i64>)) {
        let low = min.is_some_and(|min| value < min);
        let high = max.is_some_and(|max| value > max);
        if !low && !high {
            return;
        }
        let bounds = match (min, max) {
            (Some(min), Some(max)) => format!("from {min} to {max}"),
            (Some(min), None) => format!("from {min} up"),
            (None, Some(max)) => format!("up to {max}"),
            (None, None) => return,
        };
        let message = format!("`{}` takes numbers {bounds}, this is {value}", self.key);
        self.report(Diagnostic::new(Code::NotAllowed, message), node.place);
    }

    fn word(&mut self, node: &Node, text: &str, words: &[String]) {
        if words.iter().any(|word| word == text) {
            return;
        }
        let message = format!("`{}` takes {}, not `{text}`", self.key, quoted(words));
        let mut problem = Diagnostic::new(Code::NotAllowed, message);
        if words.len() > 1 {
            problem
                .hints
                .extend(did_you_mean(text, words.iter().map(String::as_str)));
        }
        self.report(problem, node.place);
    }

    fn field(&mut self, entry: &Entry, fields: &std::collections::BTreeMap<String, Field>) {
        let Some(field) = fields.get(&*entry.key) else {
            let message = format!("{} has no key `{}`", self.owner(), entry.key);
            let mut problem = Diagnostic::new(Code::UnknownKey, message);
            let known: Vec<_> = fields.keys().map(String::as_str).collect();
            match did_you_mean(&entry.key, known.iter().copied()) {
                Some(hint) => problem.hints.push(hint),
                None if known.len() <= 12 => problem.hints.push(format!("it has {}", quoted(&known))),
                None if fields.contains_key("hostedCluster") => problem.hints.push(
                    "what has no short name goes under `hostedCluster:`, spelt as in HostedCluster's spec".to_owned(),
                ),
                None if fields.contains_key("nodePool") => problem
                    .hints
                    .push("what has no short name goes under `nodePool:`, spelt as in NodePool's spec".to_owned()),
                None => {}
            }
            return self.report(problem, entry.place);
        };
        if field.nullable && matches!(entry.value.value, Yaml::Null) {
            return;
        }
        let outer = std::mem::replace(&mut self.key, entry.key.to_string());
        if matches!(entry.value.value, Yaml::Null) {
            let message = format!("`{}` has no value, {} is expected", self.key, field.shape.expected());
            self.report(Diagnostic::new(Code::WrongType, message), entry.place);
        } else {
            self.node(&entry.value, &field.shape);
        }
        self.key = outer;
    }
}

/// Whether a map's values may be `null`.
fn takes_null(shape: &Shape) -> bool {
    match shape {
        Shape::Any => true,
        Shape::OneOf(shapes) => shapes.iter().any(|shape| matches!(shape, Shape::Any)),
        _ => false,
    }
}

/// Where to point when a key is missing: the mapping's first key, which is one line.
pub(super) fn first_key(node: &Node) -> Place {
    node.entries().first().map_or(node.place, |entry| entry.place)
}

/// The nearest known word, if any is near.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, known).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The nearest known word, or all of them where they are few.
pub(super) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<_> = known.into_iter().collect();
    did_you_mean(word, known.iter().copied()).or_else(|| match known.as_slice() {
        [] => None,
        [only] => Some(format!("there is only `{only}`")),
        few if few.len() <= 12 => Some(format!("there are {}", quoted(few))),
        _ => None,
    })
}

/// An example of a form that a key takes.
fn form(key: &str) -> Option<&'static str> {
    Some(match key {
        "version" | "controlPlane" | "pools" => "`4.20.3`",
        "operatorVersion" => "`\"4.20\"`",
        "deletes" | "maxSurge" | "maxUnavailable" => "`2` or `10%`",
        "until" => "`2027-03-31`, and of a suspension `2027-03-31T12:00:00Z`",
        "tenancy" => "`ocid1.tenancy.oc1..<unique id>`",
        "name" => "`payments-eu`: lower-case letters, digits and `-`, a letter or digit at both ends",
        "from" | "principalSecret" => "`<namespace>/<name>`",
        "size" => "`8Gi`",
        "shape" => "`VM.Standard.E5.Flex`",
        "autoscale" => "`3-12`",
        "taints" => "`nvidia.com/gpu=true:NoSchedule`",
        "drainTimeout" | "volumeDetachTimeout" => "`30m`",
        "hostname" => "`api.payments.example.com`",
        _ => return None,
    })
}
