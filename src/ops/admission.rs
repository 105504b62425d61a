//! What API servers would say of what a fleet renders, with the places in the fleet files that it comes from.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::load::{LoadedFleet, Scope};
use super::tracer::Tracer;
use crate::diag::{Code, Diagnostic, Span};
use crate::plan::admission::{Checked, Inadmissible, check, lift, told};
use crate::report::admission::why_not_checked;
use crate::resource::{Manifest, Target, UnitId};

/// What came of a check.
#[derive(Clone, Debug, Default)]
pub struct AdmissionCheck {
    /// What servers would refuse, what several clusters have alike told once.
    pub diagnostics: Vec<Diagnostic>,
    /// Kinds that no definition is about: `apiVersion` and kind, sorted; OCI documents are not among them.
    pub not_checked: BTreeSet<(String, String)>,
    /// Objects that were judged.
    pub checked: usize,
}

impl AdmissionCheck {
    /// Whether a kind that some definition could be about was not checked.
    pub fn is_complete(&self) -> bool {
        !self.not_checked.iter().any(|(api_version, _)| is_custom(api_version))
    }

    /// One line on what was not checked; none where nothing was left out.
    pub fn note(&self) -> Option<String> {
        let kinds = |custom: bool| {
            let of = self
                .not_checked
                .iter()
                .filter(|(api_version, _)| is_custom(api_version) == custom);
            of.map(|(_, kind)| kind.as_str()).collect::<Vec<_>>().join(", ")
        };
        let (custom, own) = (kinds(true), kinds(false));
        let mut parts = Vec::new();
        if !custom.is_empty() {
            parts.push(format!(
                "{custom} (no definition below schemas/: `fleetwright schemas pull` reads those of the management clusters)"
            ));
        }
        if !own.is_empty() {
            parts.push(format!("{own} (Kubernetes' own)"));
        }
        (!parts.is_empty()).then(|| format!("note: not checked against a definition: {}", parts.join("; ")))
    }
}

fn is_custom(api_version: &str) -> bool {
    !why_not_checked(api_version).contains("Kubernetes itself")
}

/// Judges every Kubernetes object in scope as a new one.
pub fn check_admission(loaded: &LoadedFleet, scope: &Scope) -> AdmissionCheck {
    let view = loaded.scope(scope);
    let units = loaded.rendered.units.iter().filter(|(unit, _)| view.holds(unit));
    let manifests: Vec<&Manifest> = units
        .flat_map(|(_, unit)| &unit.manifests)
        .filter(|manifest| manifest.id.target != Target::Oci)
        .collect();
    let definitions = &loaded.definitions.sets;
    let checked: Vec<Checked> = manifests
        .par_iter()
        .map(|manifest| check(manifest, definitions))
        .collect();
    let mut result = AdmissionCheck::default();
    let (mut bad, mut broken) = (Vec::new(), BTreeSet::new());
    for (manifest, checked) in manifests.into_iter().zip(checked) {
        match checked {
            Checked::Good => result.checked += 1,
            Checked::Bad(one) => {
                result.checked += 1;
                bad.push(one);
            }
            Checked::Broken(why) => drop(broken.insert((manifest.id.kind.clone(), why))),
            Checked::NotChecked => {
                let kind = (manifest.api_version.clone(), manifest.id.kind.clone());
                result.not_checked.insert(kind);
            }
        }
    }
    let told = |(kind, why): (String, String)| {
        Diagnostic::new(
            Code::Definition,
            format!("the definition of {kind} can't be used: {why}"),
        )
    };
    result.diagnostics = broken.into_iter().map(told).chain(diagnostics(loaded, &bad)).collect();
    result
}

/// What is wrong, in the places where somebody can mend it. What comes from one place for several clusters is told once.
pub(super) fn diagnostics(loaded: &LoadedFleet, bad: &[Inadmissible]) -> Vec<Diagnostic> {
    if bad.is_empty() {
        return Vec::new();
    }
    let mut tracer = Tracer::new(loaded);
    let mut places: BTreeMap<(Option<Span>, String), usize> = BTreeMap::new();
    let mut all: Vec<Diagnostic> = Vec::new();
    for one in bad {
        for cause in &one.causes {
            let span = tracer.place(&one.unit, &one.id, &cause.0);
            let message = format!("the API server would refuse this {}: {}", one.id.kind, told(cause));
            let at = *places.entry((span.clone(), message.clone())).or_insert(all.len());
            if at == all.len() {
                let mut new = Diagnostic::new(Code::NotAdmitted, message)
                    .label(one.id.to_string())
                    .hint(lift(one.is_update));
                new.span = span;
                all.push(new);
            }
            if let (Some(told), UnitId::Cluster(name)) = (all.get_mut(at), &one.unit) {
                let name = name.as_str().to_owned();
                if !told.clusters.contains(&name) {
                    told.clusters.push(name);
                }
            }
        }
    }
    all.sort_by(|a, b| (&a.span, &a.message).cmp(&(&b.span, &b.message)));
    all
}
