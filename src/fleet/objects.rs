//! Objects of Kubernetes in YAML files, with the place of every field: what is sent to a server, before it is sent.
//!
//! Invariant: bounded as the fleet files are; what can't be read is a diagnostic, and holds up no other file. JSON is YAML
//! here.

use serde_json::Value;

use super::node::{Node, SourceFile, Yaml};
use super::yaml::{self, Form};
use crate::diag::{Code, Diagnostic, Span};

/// What the files hold.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// Every object, those of lists one by one, in order of files and places.
    pub objects: Vec<SourceObject>,
    /// What could not be read.
    pub diagnostics: Vec<Diagnostic>,
    files: Vec<SourceFile>,
}

/// One object.
#[derive(Clone, Debug)]
pub struct SourceObject {
    /// Its value; of a field that comes twice, the last one.
    pub value: Value,
    /// Paths of the fields that come twice, `spec.items[0].name`.
    pub repeated: Vec<String>,
    node: Node,
}

impl SourceObject {
    /// `apiVersion`, `kind` and the like; empty where it is absent or no string.
    pub fn text(&self, pointer: &str) -> &str {
        self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Lists in lists, and no deeper.
const LISTS: usize = 4;

/// Reads the objects of files.
pub fn read(files: &[SourceFile]) -> Objects {
    let parsed = yaml::parse(files, Form::Objects);
    let mut read = Objects {
        objects: Vec::new(),
        diagnostics: parsed.diagnostics,
        files: files.to_vec(),
    };
    for (node, _) in parsed.documents {
        read.document(node, 0);
    }
    read
}

impl Objects {
    /// The place of an object.
    pub fn place(&self, of: &SourceObject) -> Span {
        of.node.place.span(&self.files)
    }

    /// The place of a field, or of the nearest one above it that is written down. Paths are a server's: `spec.items[0]`,
    /// `metadata.labels[x]`, `<nil>` for the whole object; keys of maps may hold dots.
    pub fn place_of(&self, of: &SourceObject, path: &str) -> Span {
        find(&of.node, path).span(&self.files)
    }

    fn document(&mut self, node: Node, depth: usize) {
        if matches!(node.value, Yaml::Null) {
            return;
        }
        let wrong = |code, message: String| Diagnostic::new(code, message).at(&node.place.span(&self.files));
        if !matches!(node.value, Yaml::Map(_)) {
            let message = format!("an object is a mapping, this is {}", node.kind());
            self.diagnostics.push(wrong(Code::WrongType, message));
            return;
        }
        for key in ["apiVersion", "kind"] {
            if node.get(key).and_then(Node::as_str).is_none_or(str::is_empty) {
                let message = format!("`{key}` is missing, or is no string");
                let problem = wrong(Code::MissingKey, message)
                    .hint("every object has `apiVersion` and `kind`, as `kubectl explain` shows them");
                self.diagnostics.push(problem);
                return;
            }
        }
        let is_list = node
            .get("kind")
            .and_then(Node::as_str)
            .is_some_and(|kind| kind.ends_with("List"));
        match node.get("items").map(|items| &items.value) {
            Some(Yaml::List(items)) if is_list && depth < LISTS => {
                for item in items.clone() {
                    self.document(item, depth + 1);
                }
            }
            _ => {
                let mut repeated = Vec::new();
                visit(&node, &mut String::new(), &mut repeated);
                self.objects.push(SourceObject {
                    value: node.to_json(),
                    repeated,
                    node,
                });
            }
        }
    }
}

/// Finds the fields that come twice.
fn visit(node: &Node, path: &mut String, repeated: &mut Vec<String>) {
    let end = path.len();
    match &node.value {
        Yaml::Map(entries) => {
            let mut seen = std::collections::BTreeSet::new();
            for entry in entries {
                if end > 0 {
                    path.push('.');
                }
                path.push_str(&entry.key);
                if !seen.insert(&entry.key) && !repeated.contains(path) {
                    repeated.push(path.clone());
                }
                visit(&entry.value, path, repeated);
                path.truncate(end);
            }
        }
        Yaml::List(items) => {
            for (at, item) in items.iter().enumerate() {
                path.push_str(&format!("[{at}]"));
                visit(item, path, repeated);
                path.truncate(end);
            }
        }
        _ => {}
    }
}

/// The place of the deepest field of a path that is there: a field's key, an item's beginning.
fn find(node: &Node, path: &str) -> super::node::Place {
    let (mut here, mut place, mut rest) = (node, node.place, path);
    while !rest.is_empty() {
        let step = match &here.value {
            Yaml::Map(entries) => {
                let wanted = rest.trim_start_matches('.');
                // The longest key counts: `a.b` is one where a map has it.
                let fits = entries
                    .iter()
                    .filter_map(|entry| Some((entry, after_key(wanted, &entry.key)?)));
                let longest = fits.max_by_key(|(entry, _)| entry.key.len());
                longest.map(|(entry, rest)| (&entry.value, entry.place, rest))
            }
            Yaml::List(_) => item(here, rest),
            _ => None,
        };
        let Some((below, at, behind)) = step else { break };
        (here, place, rest) = (below, at, behind);
    }
    place
}

/// What is left of a path behind a key, where the path begins with it.
fn after_key<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    let bracketed = path
        .strip_prefix('[')
        .and_then(|path| path.strip_prefix(key)?.strip_prefix(']'));
    let plain = || {
        path.strip_prefix(key)
            .filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    bracketed.or_else(plain)
}

fn item<'n, 'p>(list: &'n Node, path: &'p str) -> Option<(&'n Node, super::node::Place, &'p str)> {
    let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
    let item = list.item(index.parse().ok()?)?;
    Some((item, item.place, rest))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(text: &str) -> Objects {
        read(&[SourceFile {
            path: "a.yaml".into(),
            text: text.into(),
        }])
    }

    #[test]
    fn documents_and_lists_are_taken_apart() {
        let read = of(
            "---\n---\napiVersion: v1\nkind: A\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: B}\n\
                       - {apiVersion: v1, kind: CList, items: [{apiVersion: v1, kind: C}]}\n",
        );
        assert_eq!(read.diagnostics, []);
        let kinds: Vec<_> = read
            .objects
            .iter()
            .map(|object| (object.text("/kind"), read.place(object).line))
            .collect();
        assert_eq!(kinds, [("A", 3), ("B", 9), ("C", 10)]);
    }

    #[test]
    fn json_is_read_too() {
        let read = of("{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"A\",\n\t\"spec\": {\"url\": \"http:\\/\\/x\"}\n}\n");
        assert_eq!(read.diagnostics, []);
        assert_eq!(read.objects[0].value["spec"], json!({"url": "http://x"}));
    }

    #[test]
    fn fields_are_found_by_a_servers_paths() {
        let read = of(
            "apiVersion: v1\nkind: A\nmetadata:\n  labels:\n    a.b/c: x\nspec:\n  items:\n  - name: a\n  - name: b\n    a: 1\n    a: 2\n",
        );
        let object = &read.objects[0];
        let line = |path: &str| read.place_of(object, path).line;
        assert_eq!(line("metadata.labels[a.b/c]"), 5);
        assert_eq!(line("metadata.labels.a.b/c"), 5);
        assert_eq!(line("spec.items[1].name"), 9);
        assert_eq!(line("spec.items[1].absent.deeper"), 9);
        assert_eq!(line("spec.items[7]"), 7);
        assert_eq!(line("spec.other"), 6);
        assert_eq!((line("<nil>"), line("")), (1, 1));
        assert_eq!(object.repeated, ["spec.items[1].a"]);
        assert_eq!(object.value["spec"]["items"][1]["a"], 2);
    }

    #[test]
    fn what_is_no_object_is_a_diagnostic() {
        let read = of("- 1\n---\nkind: A\n---\n7\n---\napiVersion: v1\nkind: A\n");
        let codes: Vec<Code> = read.diagnostics.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, [Code::WrongType, Code::MissingKey, Code::WrongType]);
        assert_eq!(read.objects.len(), 1);
    }

    #[test]
    fn hostile_text_is_bounded() {
        let deep = format!(
            "apiVersion: v1\nkind: A\nspec: {}{}\n",
            "[".repeat(5000),
            "]".repeat(5000)
        );
        assert_eq!(of(&deep).objects.len(), 0);
        assert_eq!(of(&deep).diagnostics.len(), 1);
        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (name, of) in [("b", "a"), ("c", "b"), ("d", "c"), ("e", "d"), ("f", "e"), ("g", "f")] {
            bomb.push_str(&format!(
                "{name}: &{name} [*{of},*{of},*{of},*{of},*{of},*{of},*{of},*{of},*{of},*{of}]\n"
            ));
        }
        assert_eq!(of(&bomb).diagnostics[0].code, Code::Budget);
        for text in [
            "a: [",
            "\u{0}",
            "%YAML 9\n---",
            "a: *b",
            "? {a: b}\n: c",
            "<<: {a: b}",
            "\t- a",
        ] {
            let read = of(text);
            assert!(!read.diagnostics.is_empty() && read.objects.is_empty(), "{text:?}");
        }
    }
}
