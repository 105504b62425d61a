//! Which release a control plane and its pools run: a version, or a ring of a `Release` document.
//!
//! Invariant: a version in the files has passed the schema's pattern; whatever still is no version is reported.

use semver::Version;

use super::cluster::Merged;
use super::decode::decode;
use super::index::Index;
use super::kind::Kind;
use super::model::Release;
use super::node::{Node, Place, Yaml};
use super::problems::Problems;
use super::spec;
use crate::diag::{Code, Diagnostic};

/// The control plane's release.
pub(super) fn control_plane(
    merged: &Merged,
    (index, place): (&Index<'_>, Place),
    problems: &mut Problems<'_>,
) -> Option<Release> {
    if let Some(node) = merged.node.get("version") {
        return release(node.as_str()?, merged, node.place, problems);
    }
    match ring(merged, index, problems) {
        Some((ring, place)) => release(&ring.control_plane, merged, place, problems),
        None => {
            if merged.settings.ring.is_none() {
                let problem = Diagnostic::new(Code::MissingKey, "this cluster has neither a `version` nor a `ring`")
                    .hint("set `version: <x.y.z>` here, or `ring: <n>` in its environment");
                problems.add(problem, place);
            }
            None
        }
    }
}

/// What pools run that don't say otherwise. Problems were reported for the control plane.
pub(super) fn pools(merged: &Merged, index: &Index<'_>, problems: &mut Problems<'_>) -> Option<Release> {
    if let Some(node) = merged.node.get("version") {
        return release(node.as_str()?, merged, node.place, problems);
    }
    let (ring, place) = ring(merged, index, &mut problems.fresh(None))?;
    release(
        ring.pools.as_deref().unwrap_or(&ring.control_plane),
        merged,
        place,
        problems,
    )
}

/// A version's release.
pub(super) fn release(text: &str, merged: &Merged, place: Place, problems: &mut Problems<'_>) -> Option<Release> {
    let Ok(version) = Version::parse(text) else {
        let problem =
            Diagnostic::new(Code::WrongType, format!("`{text}` is no version")).hint("write it like `4.20.3`");
        problems.add(problem, place);
        return None;
    };
    let repository = merged.settings.release_repository.as_deref().unwrap_or_default();
    let image = format!("{repository}:{version}-multi");
    Some(Release { version, image })
}

/// The ring, and where it is chosen.
fn ring(merged: &Merged, index: &Index<'_>, problems: &mut Problems<'_>) -> Option<(spec::RingSpec, Place)> {
    let node = merged.node.get("ring")?;
    let name = match &node.value {
        Yaml::Int(number) => number.to_string(),
        _ => node.as_str()?.to_owned(),
    };
    let document = match merged.node.get("release") {
        Some(chosen) => {
            let name = chosen.as_str()?;
            let found = index.get(Kind::Release, name);
            if found.is_none() {
                let mut problem = Diagnostic::new(Code::Dangling, format!("there is no release called `{name}`"));
                problem
                    .hints
                    .extend(super::check::suggest(name, index.names(Kind::Release)));
                problems.add(problem, chosen.place);
            }
            found?
        }
        None => {
            let mut all = index.of(Kind::Release);
            match (all.next(), all.next()) {
                (Some(only), None) => only,
                (None, _) => {
                    let problem = Diagnostic::new(Code::Dangling, "`ring` is set, but there is no `Release` document")
                        .hint("add one with `rings`, or set `version` instead");
                    problems.add(problem, node.place);
                    return None;
                }
                (Some(_), Some(_)) => {
                    let names = super::shape::quoted(&index.names(Kind::Release));
                    let problem = Diagnostic::new(Code::MissingKey, "there are several releases, name one of them")
                        .hint(format!("`release: <name>`; there are {names}"));
                    problems.add(problem, node.place);
                    return None;
                }
            }
        }
    };
    if index.is_broken(document) {
        problems.add(
            Diagnostic::new(Code::Dangling, format!("the release `{}` has an error", document.name)),
            node.place,
        );
        return None;
    }
    let rings = document.spec.get("rings")?;
    let Some(ring) = rings.get(&name) else {
        let names: Vec<_> = rings.entries().iter().map(|entry| entry.key.as_ref()).collect();
        let message = format!("release `{}` has no ring `{name}`", document.name);
        let problem = Diagnostic::new(Code::Dangling, message)
            .related(&rings_place(rings, document.place).span(problems.files), "its rings")
            .hint(format!("it has {}", super::shape::quoted(&names)));
        problems.add(problem, node.place);
        return None;
    };
    decode(ring).ok().map(|ring| (ring, node.place))
}

fn rings_place(rings: &Node, otherwise: Place) -> Place {
    rings.entries().first().map_or(otherwise, |entry| entry.place)
}
