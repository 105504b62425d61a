//! The templates: the built-in ones, a fleet's own in their place, and their evaluation within budgets.
//!
//! Templates see values and nothing else: no disk, no network, no clock, no randomness.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use super::bounds;
use super::built_in::{BUILT_IN, Version};
use super::emit::{self, Bounded, OverBudget};
use crate::diag::{Code, Diagnostic, Span, nearest};
use crate::resource::Digest;

/// Instructions that one template may take for one unit; a cluster with 500 node pools stays well within them by test.
const FUEL: u64 = 2_000_000;
/// Nested includes and macro calls.
const RECURSION: usize = 40;
/// Size of one template's text.
const SOURCE_BUDGET: usize = 256 << 10;

/// The templates that are rendered, by the unit that they are rendered for.
pub(super) const HOSTED: &[&str] = &[
    "namespace.yaml.j2",
    "copies.yaml.j2",
    "hosted-cluster.yaml.j2",
    "node-pools.yaml.j2",
    "endpoint.yaml.j2",
];
pub(super) const SELF_MANAGED: &[&str] = &["namespace.yaml.j2", "self-managed.yaml.j2", "machine-pools.yaml.j2"];
pub(super) const OKE: &[&str] = &["namespace.yaml.j2", "oke.yaml.j2", "machine-pools.yaml.j2"];
pub(super) const TOPOLOGY: &[&str] = &["namespace.yaml.j2", "topology.yaml.j2"];
/// What those of clusters of machines import.
#[cfg(test)]
pub(super) const PARTS: &[&str] = &["cluster-api.yaml.j2"];
pub(super) const MANAGEMENT_CLUSTER: &[&str] = &[
    "namespace.yaml.j2",
    "copies.yaml.j2",
    "identities.yaml.j2",
    "management-network.yaml.j2",
];
/// Of a network that is to be made, be it one cluster's or shared.
pub(super) const NETWORK: &[&str] = &["network.yaml.j2"];

/// Compiled templates.
pub struct TemplateSet {
    environment: Environment<'static>,
    paths: BTreeMap<String, Arc<str>>,
    digest: Digest,
}

impl TemplateSet {
    /// The newest built-in templates with a fleet's own in their place.
    ///
    /// # Errors
    /// As [`TemplateSet::of`].
    pub fn new(overrides: &[(String, String, Arc<str>)]) -> Result<Self, Vec<Diagnostic>> {
        Self::of(BUILT_IN.newest(), overrides)
    }

    /// A version of the built-in templates with a fleet's own in their place: each a name (`hosted-cluster.yaml.j2`), its text, and the
    /// path that diagnostics show. A name that begins with `_` is no override but a part that others include or import.
    ///
    /// # Errors
    /// Every template that can't be compiled, is too large, or whose name is no built-in template's.
    pub fn of(version: Version, overrides: &[(String, String, Arc<str>)]) -> Result<Self, Vec<Diagnostic>> {
        let number = version.number.to_be_bytes();
        let own = overrides
            .iter()
            .flat_map(|(name, text, _)| [name.as_bytes(), text.as_bytes()]);
        let mut set = Self {
            environment: environment(),
            paths: BTreeMap::new(),
            digest: Digest::of_parts(std::iter::once(number.as_slice()).chain(own)),
        };
        let mut diagnostics = Vec::new();
        for (name, text) in version.texts {
            if !overrides.iter().any(|(other, ..)| other == name) {
                set.add(name, text, &format!("<built-in>/{name}").into(), &mut diagnostics);
            }
        }
        for (name, text, path) in overrides {
            if name.starts_with('_') || version.texts.iter().any(|(built_in, _)| built_in == name) {
                match bounds::unbounded_operator(text) {
                    Some((range, why)) => {
                        let message = format!("template `{name}` lets a value grow where it is kept");
                        let span = stretch(path, text, range);
                        diagnostics.push(Diagnostic::new(Code::TemplateBudget, message).at(&span).label(why));
                    }
                    None => set.add(name, text, path, &mut diagnostics),
                }
            } else {
                diagnostics.push(unknown_name(name, path));
            }
        }
        if diagnostics.is_empty() {
            Ok(set)
        } else {
            Err(diagnostics)
        }
    }

    /// The newest built-in templates' names and texts.
    pub fn built_in() -> &'static [(&'static str, &'static str)] {
        BUILT_IN.newest().texts
    }

    /// Digest of the version and of the fleet's own templates: of two sets of one program, those with the same digest give the
    /// same output.
    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    fn add(&mut self, name: &str, text: &str, path: &Arc<str>, diagnostics: &mut Vec<Diagnostic>) {
        self.paths.insert(name.to_owned(), path.clone());
        if text.len() > SOURCE_BUDGET {
            let message = format!("template `{name}` is larger than {} KiB", SOURCE_BUDGET >> 10);
            diagnostics.push(Diagnostic::new(Code::TooLarge, message).at(&start(path)));
        } else if let Err(error) = self.environment.add_template_owned(name.to_owned(), text.to_owned()) {
            diagnostics.push(self.diagnose(name, Some(text), &error));
        }
    }

    /// Evaluates one template.
    ///
    /// # Errors
    /// A diagnostic at the place in the template that failed.
    pub(super) fn evaluate(&self, name: &str, context: &Value) -> Result<String, Box<Diagnostic>> {
        let mut out = Bounded::default();
        self.environment
            .get_template(name)
            .and_then(|template| template.render_captured_to(context.clone(), &mut out).map(drop))
            .map_err(|error| Box::new(self.diagnose(name, None, &error)))?;
        String::from_utf8(out.into_bytes()).map_err(|_| {
            let message = format!("the output of template `{name}` is no text");
            Box::new(Diagnostic::new(Code::TemplateOutput, message).at(&self.start(name)))
        })
    }

    /// The beginning of a template.
    pub(super) fn start(&self, name: &str) -> Span {
        match self.paths.get(name) {
            Some(path) => start(path),
            None => start(&Arc::from(name)),
        }
    }

    fn diagnose(&self, asked: &str, text: Option<&str>, error: &Error) -> Diagnostic {
        let origin = origin(error);
        let name = origin.name().unwrap_or(asked);
        let source = text.or_else(|| origin.template_source()).unwrap_or("");
        let path = self.paths.get(name).cloned().unwrap_or_else(|| Arc::from(name));
        let span = span(&path, source, origin);
        let why = origin.detail().map_or_else(|| origin.kind().to_string(), str::to_owned);
        if is_budget(error) {
            let message = format!("template `{name}` takes too many steps, nests too deep, or writes too much");
            return Diagnostic::new(Code::TemplateBudget, message).at(&span).label(why);
        }
        let message = match origin.kind() {
            ErrorKind::UndefinedError => format!("template `{name}` uses a value that is not defined"),
            ErrorKind::SyntaxError => format!("template `{name}` is not well formed"),
            _ => format!("template `{name}` failed"),
        };
        Diagnostic::new(Code::Template, message).at(&span).label(why)
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    // Ranges of errors are kept in debug mode only; it costs nothing until there is an error.
    environment.set_debug(true);
    // Not for the escaping, which `emit::format` does, but so that what macros and captured blocks give counts as safe.
    environment.set_auto_escape_callback(|_| AutoEscape::Json);
    environment.set_formatter(emit::format);
    bounds::install(&mut environment);
    environment.add_filter("text", |value: &Value| emit::text(value));
    environment.add_function("fail", |message: &str| emit::fail(message));
    environment.add_function("ref", |kind: &str, name: &str, field: Option<&str>| {
        emit::reference(kind, name, field)
    });
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    environment
}

/// The innermost template error: that of the included template or the macro, not of the line that called it.
fn origin(error: &Error) -> &Error {
    let mut origin = error;
    while let Some(inner) = origin.source().and_then(|source| source.downcast_ref::<Error>()) {
        origin = inner;
    }
    origin
}

fn is_budget(error: &Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(error) = current.downcast_ref::<Error>() {
            let deep = error.detail().is_some_and(|detail| detail.contains("recursion limit"));
            if error.kind() == ErrorKind::OutOfFuel || deep {
                return true;
            }
        }
        let io = current.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if current.is::<OverBudget>() || io.is_some_and(|inner| inner.is::<OverBudget>()) {
            return true;
        }
        cause = current.source();
    }
    false
}

fn start(path: &Arc<str>) -> Span {
    Span {
        file: path.clone(),
        line: 1,
        column: 1,
        start: 0,
        end: 0,
    }
}

/// The span of an error: its range where the engine knows it, else its line.
fn span(path: &Arc<str>, source: &str, error: &Error) -> Span {
    let line = error.line().unwrap_or(1);
    let range = error.range().unwrap_or_else(|| {
        let start: usize = source
            .split_inclusive('\n')
            .take(line.saturating_sub(1))
            .map(str::len)
            .sum();
        let length = source
            .get(start..)
            .and_then(|rest| rest.lines().next())
            .map_or(0, str::len);
        start..start + length
    });
    let mut span = stretch(path, source, range);
    if source.is_empty() {
        span.line = u32::try_from(line).unwrap_or(u32::MAX);
    }
    span
}

/// A range of a template's text.
fn stretch(path: &Arc<str>, source: &str, range: Range<usize>) -> Span {
    let before = source.get(..range.start).unwrap_or("");
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    let line = before.matches('\n').count() + 1;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Span {
        file: path.clone(),
        line: number(line),
        column: number(column),
        start: number(range.start),
        end: number(range.end),
    }
}

fn unknown_name(name: &str, path: &Arc<str>) -> Diagnostic {
    let message = format!("there is no built-in template `{name}` that this could replace");
    let near = nearest(name, BUILT_IN.newest().texts.iter().map(|(known, _)| *known));
    let diagnostic = Diagnostic::new(Code::NotAllowed, message).at(&start(path));
    match near {
        Some(known) => diagnostic.hint(format!("did you mean `{known}`?")),
        None => diagnostic.hint("a part that other templates include has a name that begins with `_`"),
    }
}
