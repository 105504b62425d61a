//! Which release a control plane and its pools run: a version, or a ring of a `Release` document.
//!
//! Invariant: a version in the files has passed the schema's pattern; whatever still is no version is reported.

use std::collections::BTreeMap;

use semver::Version;

use super::cluster::Merged;
use super::decode::decode;
use super::index::Index;
use super::kind::Kind;
use super::load::Document;
use super::model::Release;
use super::node::{Node, Place, Yaml};
use super::problems::Problems;
use super::rules::versions::row_of;
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
        Some((ring, place)) => {
            let place = typed_in(merged, index, "controlPlane").unwrap_or(place);
            release(&ring.control_plane, merged, place, problems)
        }
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
    let Some(pools) = &ring.pools else {
        return release(&ring.control_plane, merged, place, &mut problems.fresh(None));
    };
    let place = typed_in(merged, index, "pools").unwrap_or(place);
    release(pools, merged, place, problems)
}

/// Where the `Release` document says what a cluster's ring runs.
fn typed_in(merged: &Merged, index: &Index<'_>, key: &str) -> Option<Place> {
    Some(ring_in_force(&merged.node, index)?.get(key)?.place)
}

/// What the control plane goes through on its way to that, the lowest first.
pub(super) fn via(merged: &Merged, index: &Index<'_>, problems: &mut Problems<'_>) -> Vec<Release> {
    let typed = merged
        .settings
        .via
        .as_ref()
        .map(|via| (via.clone(), merged.node.get("via")));
    let of_ring = || {
        let (ring, _) = ring(merged, index, &mut problems.fresh(None))?;
        Some((ring.via?, merged.node.get("ring")))
    };
    // A version that was typed beside a ring goes its own way.
    let found = typed.or_else(|| merged.node.get("version").is_none().then(of_ring).flatten());
    let Some((versions, Some(node))) = found else {
        return Vec::new();
    };
    let read = |(at, version): (usize, &String)| {
        let place = node.item(at).unwrap_or(node).place;
        release(version, merged, place, problems)
    };
    let mut releases: Vec<Release> = versions.iter().enumerate().filter_map(read).collect();
    releases.sort_by(|a, b| a.version.cmp(&b.version));
    releases
}

/// The highest release of each minor version that `Release` documents name, by the row of that.
pub(super) type Known = BTreeMap<u64, Version>;

/// Those of all documents that have no error. One that is no final release is not chosen for anybody.
pub(super) fn known(index: &Index<'_>) -> Known {
    let mut known = Known::new();
    let documents = index.of(Kind::Release).filter(|document| !index.is_broken(document));
    for rings in documents.filter_map(|document| document.spec.get("rings")) {
        for ring in rings
            .entries()
            .iter()
            .filter_map(|entry| decode::<spec::RingSpec>(&entry.value).ok())
        {
            let named = std::iter::once(ring.control_plane)
                .chain(ring.pools)
                .chain(ring.via.into_iter().flatten());
            for version in named.filter_map(|text| Version::parse(&text).ok()) {
                if version.pre.is_empty() {
                    let highest = known.entry(row_of(&version)).or_insert_with(|| version.clone());
                    *highest = version.max(highest.clone());
                }
            }
        }
    }
    known
}

/// What a control plane may go through on its way to a release where nothing else is said: the lowest first.
pub(super) fn before(target: &Version, known: &Known, merged: &Merged) -> Vec<Release> {
    let lower = known.range(..row_of(target));
    lower.map(|(_, version)| of(version.clone(), merged)).collect()
}

/// A version's release.
pub(super) fn release(text: &str, merged: &Merged, place: Place, problems: &mut Problems<'_>) -> Option<Release> {
    let Ok(version) = Version::parse(text) else {
        let problem =
            Diagnostic::new(Code::WrongType, format!("`{text}` is no version")).hint("write it like `4.20.3`");
        problems.add(problem, place);
        return None;
    };
    Some(of(version, merged))
}

fn of(version: Version, merged: &Merged) -> Release {
    let repository = merged.settings.release_repository.as_deref().unwrap_or_default();
    let image = format!("{repository}:{version}-multi");
    Release { version, image }
}

/// The ring that a cluster runs, as its `Release` document has it: what sets its versions, where it names none itself.
pub(super) fn ring_in_force<'n>(merged: &Node, index: &Index<'n>) -> Option<&'n Node> {
    if merged.get("version").is_some() {
        return None;
    }
    let name = ring_name(merged.get("ring")?)?;
    document(merged, index)?.spec.get("rings")?.get(&name)
}

fn ring_name(node: &Node) -> Option<String> {
    match &node.value {
        Yaml::Int(number) => Some(number.to_string()),
        _ => node.as_str().map(str::to_owned),
    }
}

/// The `Release` document that a cluster names, or the only one.
fn document<'n>(merged: &Node, index: &Index<'n>) -> Option<&'n Document> {
    if let Some(chosen) = merged.get("release") {
        return index.get(Kind::Release, chosen.as_str()?);
    }
    let mut all = index.of(Kind::Release);
    all.next().filter(|_| all.next().is_none())
}

/// Says why there is no such document.
fn report_missing(merged: &Node, ring: &Node, index: &Index<'_>, problems: &mut Problems<'_>) {
    if let Some(chosen) = merged.get("release") {
        let Some(name) = chosen.as_str() else { return };
        let mut problem = Diagnostic::new(Code::Dangling, format!("there is no release called `{name}`"));
        problem
            .hints
            .extend(super::check::suggest(name, index.names(Kind::Release)));
        problems.add(problem, chosen.place);
    } else if index.of(Kind::Release).next().is_none() {
        let problem = Diagnostic::new(Code::Dangling, "`ring` is set, but there is no `Release` document")
            .hint("add one with `rings`, or set `version` instead");
        problems.add(problem, ring.place);
    } else {
        let names = super::shape::quoted(&index.names(Kind::Release));
        let problem = Diagnostic::new(Code::MissingKey, "there are several releases, name one of them")
            .hint(format!("`release: <name>`; there are {names}"));
        problems.add(problem, ring.place);
    }
}

/// The ring, and where it is chosen.
fn ring(merged: &Merged, index: &Index<'_>, problems: &mut Problems<'_>) -> Option<(spec::RingSpec, Place)> {
    let node = merged.node.get("ring")?;
    let name = ring_name(node)?;
    let Some(document) = document(&merged.node, index) else {
        report_missing(&merged.node, node, index, problems);
        return None;
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
