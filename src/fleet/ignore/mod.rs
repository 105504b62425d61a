//! `ignore` of the `Fleet` document: rules on what of live objects is left as it is.
//!
//! Invariant: a rule that can't be followed breaks them all. To follow the others would be to write over what somebody wanted
//! left alone, so that then nothing is written.

mod built_in;
mod kinds;

pub use built_in::{ALL as BUILT_IN, BuiltIn};
pub use kinds::known_kinds;

use super::check::did_you_mean;
use super::index::Index;
use super::model::{Ignore, IgnoreRule, RuleSource};
use super::node::Node;
use super::problems::Problems;
use super::spec;
use crate::diag::{Code, Diagnostic, Typed};
use crate::resource::mark::{FLEET_LABEL, OWNER_ANNOTATION};
use crate::resource::pointer::Token;
use crate::resource::{ClusterName, Pointer, oci};

/// The field manager under which everything is written.
const OURSELVES: &str = "fleetwright";

/// What no rule may cover: what an object is, and the marks by which we know it.
const OURS: &[&[&str]] = &[
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "uid"],
    &["metadata", "labels", FLEET_LABEL],
    &["metadata", "annotations", OWNER_ANNOTATION],
];
/// Where an OCI resource is looked for.
const PLACES: &[&[&str]] = &[&["spec", "region"], &["spec", "tenancy"], &["spec", "compartmentId"]];

/// Makes the rules of what is typed, and adds those of this program.
pub(super) fn rules(index: &Index<'_>, spec: &spec::FleetSpec, problems: &mut Problems<'_>) -> Ignore {
    let node = index.fleet_spec().and_then(|fleet| fleet.get("ignore"));
    let typed = spec.ignore.as_ref();
    let mut own = problems.fresh(None);
    let mut all = Ignore::default();
    let list = node.and_then(|node| node.get("rules"));
    for (position, typed) in typed
        .iter()
        .flat_map(|ignore| ignore.rules.iter().flatten())
        .enumerate()
    {
        if let Some(node) = list.and_then(|list| list.item(position)) {
            all.rules.extend(rule(typed, node, &mut own));
        }
    }
    let without = typed.and_then(|ignore| ignore.without.as_deref()).unwrap_or_default();
    for (position, id) in without.iter().enumerate() {
        if !BUILT_IN.iter().any(|built_in| built_in.id == id) {
            let mut problem = Diagnostic::new(Code::IgnoreRule, format!("there is no built-in rule `{id}`"));
            problem
                .hints
                .extend(did_you_mean(id, BUILT_IN.iter().map(|built_in| built_in.id)));
            let item = node.and_then(|node| node.get("without")?.item(position));
            if let Some(item) = item {
                own.add(problem, item.place);
            }
        }
    }
    all.is_broken = own.failed();
    problems.found.append(&mut own.found);
    if typed.and_then(|ignore| ignore.built_in) != Some(false) {
        let holding = BUILT_IN
            .iter()
            .filter(|built_in| !without.iter().any(|id| id == built_in.id));
        all.rules.extend(holding.flat_map(expanded));
    }
    all
}

/// A built-in rule for each of its kinds and pointers.
fn expanded(built_in: &'static BuiltIn) -> impl Iterator<Item = IgnoreRule> {
    let kinds: Vec<&str> = match built_in.kinds {
        [] => oci::KINDS.iter().map(|kind| kind.name).collect(),
        kinds => kinds.to_vec(),
    };
    kinds.into_iter().flat_map(move |kind| {
        built_in.pointers.iter().filter_map(move |pointer| {
            Some(IgnoreRule {
                source: RuleSource::BuiltIn(built_in.id),
                kind: Some(kind.to_owned()),
                name: None,
                cluster: None,
                pointer: Some(Pointer::parse(pointer).ok()?),
                manager: None,
            })
        })
    })
}

/// One rule; none where it can't be followed.
fn rule(typed: &spec::IgnoreRule, node: &Node, problems: &mut Problems<'_>) -> Option<IgnoreRule> {
    let before = problems.found.len();
    let at = |key: &str| node.get(key).unwrap_or(node).place;
    if typed.pointer.is_none() && typed.manager.is_none() {
        let problem = Diagnostic::new(
            Code::IgnoreRule,
            "this rule names no field: it would be about whole objects",
        )
        .hint("give it a `pointer`, a `manager` or both; `manage:` of a cluster leaves whole objects to others");
        problems.add(problem, node.place);
    }
    let pointer = typed.pointer.as_deref().and_then(|text| match Pointer::parse(text) {
        Ok(pointer) => Some(pointer),
        Err(error) => {
            let problem = Diagnostic::new(Code::IgnoreRule, format!("`{text}` is no JSON pointer: {error}"))
                .hint("write it like `/spec/replicas`, or `/metadata/annotations/example.com~1note`");
            problems.add(problem, at("pointer"));
            None
        }
    });
    let of_oci = typed.kind.as_deref().and_then(oci::kind);
    if let Some((pointer, problem)) = pointer
        .as_ref()
        .and_then(|it| Some((it, objection(it, typed, of_oci)?)))
    {
        let message = format!("`{pointer}` {problem}");
        problems.add(Diagnostic::new(Code::IgnoreRule, message), at("pointer"));
    }
    match (typed.manager.as_deref(), of_oci) {
        (Some(OURSELVES), _) => {
            let message = format!("`{OURSELVES}` is ourselves: what we wrote is not ours to ignore");
            problems.add(Diagnostic::new(Code::IgnoreRule, message), at("manager"));
        }
        (Some(_), Some(kind)) => {
            let message = format!(
                "OCI records no field managers, so that none owns anything of a {}",
                kind.name
            );
            let problem = Diagnostic::new(Code::IgnoreRule, message).hint("name the field by a `pointer`");
            problems.add(problem, at("manager"));
        }
        (Some(_) | None, _) => {}
    }
    (problems.found.len() == before).then(|| IgnoreRule {
        source: RuleSource::Typed(Typed(Some(node.place.span(problems.files)))),
        kind: typed.kind.clone(),
        name: typed.name.clone(),
        cluster: typed.cluster.as_deref().map(ClusterName::new),
        pointer,
        manager: typed.manager.clone(),
    })
}

/// What is wrong with where a pointer leads.
fn objection(pointer: &Pointer, typed: &spec::IgnoreRule, of_oci: Option<&oci::OciKind>) -> Option<String> {
    if OURS.iter().any(|ours| pointer.may_hold(ours)) {
        return Some(
            "covers what an object is, or the marks by which we know it: name what is in it one by one".to_owned(),
        );
    }
    if pointer.may_hold(&["spec"]) {
        return Some(
            "is all that the files say of an object: `manage:` of a cluster leaves whole objects to others".to_owned(),
        );
    }
    let maybe_oci = of_oci.is_some() || typed.kind.is_none();
    if maybe_oci && PLACES.iter().any(|place| pointer.may_hold(place)) {
        return Some("is where an OCI resource is looked for".to_owned());
    }
    let kind = of_oci?;
    let mut steps = pointer.tokens().iter();
    let (first, second) = (steps.next()?, steps.next());
    let name = match (first, second) {
        (Token::Name(first), Some(Token::Name(name))) if &**first == "spec" => name,
        _ => {
            return Some(format!(
                "leads to no field of a {}: they are below `/spec`, one by one",
                kind.name
            ));
        }
    };
    let Some(field) = kind.field(name) else {
        let hint = did_you_mean(name, kind.all_fields().map(|field| field.name));
        let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
        return Some(format!("leads to no field of a {}{hint}", kind.name));
    };
    let is_list = matches!(field.shape, oci::Shape::Set(_));
    (is_list && steps.next().is_some())
        .then(|| format!("leads into a list, which OCI's calls take as a whole: ignore `/spec/{name}`, or none of it"))
}
