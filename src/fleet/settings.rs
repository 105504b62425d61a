//! Settings of this program in a file, read as fleet files are: against the schema of their type, every problem at its place.
//!
//! Invariant: what comes out has the form of its type; what it means is its reader's business, who says where it stands.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::check::check;
use super::decode::decode;
use super::kind::schema_of;
use super::node::{Node, Place, SourceFile};
use super::shape::{Patterns, Shape};
use super::yaml;
use crate::diag::{Code, Diagnostic, Severity, Span};

/// Settings, and where each of them stands.
#[derive(Debug)]
pub struct Settings<T> {
    /// What they are.
    pub value: T,
    root: Node,
    file: SourceFile,
}

impl<T: JsonSchema + DeserializeOwned> Settings<T> {
    /// Reads the one document of a file.
    ///
    /// # Errors
    /// Where it has not the form of the type: everything that is wrong.
    pub fn read(file: SourceFile) -> Result<Self, Vec<Diagnostic>> {
        let files = std::slice::from_ref(&file);
        let mut parsed = yaml::parse(files, yaml::Form::Fleet);
        let mut found = parsed.diagnostics;
        let document = parsed.documents.pop();
        let Some((root, inside)) = document.filter(|_| parsed.documents.is_empty()) else {
            if found.is_empty() {
                let place = Place {
                    file: 0,
                    line: 1,
                    column: 1,
                    start: 0,
                    end: 0,
                };
                let problem = Diagnostic::new(Code::WrongType, "this file holds no document, or more than one");
                found.push(problem.at(&place.span(files)).hint("it holds one, without `---`"));
            }
            return Err(found);
        };
        found.extend(inside);
        let shape = Shape::of(&schema_of::<T>(), &mut Patterns::new());
        found.extend(check(&root, &shape, files));
        if found.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(found);
        }
        match decode(&root) {
            Ok(value) => Ok(Self { value, root, file }),
            Err(error) => {
                let place = error.place.unwrap_or(root.place);
                found.push(Diagnostic::new(Code::WrongType, error.message).at(&place.span(files)));
                Err(found)
            }
        }
    }
}

impl<T> Settings<T> {
    /// Where the value at a path of keys stands, items of lists by their number; as far as the path leads.
    pub fn span(&self, path: &[&str]) -> Span {
        let mut node = &self.root;
        for key in path {
            let item = || node.item(key.parse().ok()?);
            match node.get(key).or_else(item) {
                Some(next) => node = next,
                None => break,
            }
        }
        node.place.span(std::slice::from_ref(&self.file))
    }
}
