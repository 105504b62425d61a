//! What a live control plane says of its release.

use semver::Version;
use serde_json::Value;

use super::path::version;
use crate::fleet::model::Release;
use crate::status::{Upgrade, upgrade};

/// A control plane as it is.
pub(super) struct ControlPlane {
    /// The image that it is asked for.
    pub(super) image: String,
    /// Its version.
    pub(super) asked: Version,
    /// The newest that it completed.
    pub(super) completed: Option<Release>,
    /// How far the one that it is asked for is, in words; none where it is complete.
    pub(super) running: Option<String>,
    /// Why it can't go on to another minor version.
    pub(super) not_upgradeable: Option<String>,
}

impl ControlPlane {
    /// By the live object; none where it doesn't tell its version. An image by digest is one of the fleet's, or one that
    /// the history tells.
    pub(super) fn of(object: &Value, known: &[&Release]) -> Option<Self> {
        let image = text(object, "/spec/release/image")?.to_owned();
        let asked = version_of(&image, object, known)?;
        let history = object.pointer("/status/version/history").and_then(Value::as_array);
        let completed = history.into_iter().flatten().find_map(|entry| {
            let is_complete = text(entry, "/state") == Some("Completed");
            let version = text(entry, "/version")?.parse().ok()?;
            let image = text(entry, "/image")?.to_owned();
            is_complete.then_some(Release { version, image })
        });
        let running = match upgrade(object) {
            Upgrade::Done => None,
            Upgrade::NotStarted => Some("it has not begun".to_owned()),
            Upgrade::Running { message } => Some(message),
        };
        Some(Self {
            image,
            asked,
            completed,
            running,
            not_upgradeable: not_upgradeable(object),
        })
    }

    /// As if what another rendering asks for had been completed: it has no status.
    pub(super) fn rendered(object: &Value, known: &[&Release]) -> Option<Self> {
        let image = text(object, "/spec/release/image")?.to_owned();
        let asked = version_of(&image, object, known)?;
        Some(Self {
            completed: Some(Release {
                version: asked.clone(),
                image: image.clone(),
            }),
            image,
            asked,
            running: None,
            not_upgradeable: None,
        })
    }
}

/// The image and the version that a live pool is asked for.
pub(super) fn pool(object: &Value, known: &[&Release]) -> Option<(String, Option<Version>)> {
    let image = text(object, "/spec/release/image")?.to_owned();
    let asked = version_of(&image, object, known);
    Some((image, asked))
}

/// The version that all nodes of a pool run; none where it doesn't say, or has none.
pub(super) fn nodes_run(object: &Value) -> Option<Version> {
    let nodes = object.pointer("/status/replicas").and_then(Value::as_i64)?;
    let version = text(object, "/status/version")?.parse().ok()?;
    (nodes > 0).then_some(version)
}

fn version_of(image: &str, object: &Value, known: &[&Release]) -> Option<Version> {
    let of_fleet = known.iter().find(|release| release.image == image);
    if let Some(release) = of_fleet {
        return Some(release.version.clone());
    }
    let history = object.pointer("/status/version/history").and_then(Value::as_array);
    let told = history
        .into_iter()
        .flatten()
        .find(|entry| text(entry, "/image") == Some(image));
    let told = told.and_then(|entry| text(entry, "/version")?.parse().ok());
    told.or_else(|| version(image))
}

/// Unless somebody forces the upgrade.
fn not_upgradeable(object: &Value) -> Option<String> {
    let annotations = object.pointer("/metadata/annotations").and_then(Value::as_object);
    let image = text(object, "/spec/release/image");
    let forced = annotations.and_then(|all| all.get("hypershift.openshift.io/force-upgrade-to"));
    if forced.is_some_and(|forced| forced.as_str() != image) {
        return None;
    }
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array)?;
    let condition = conditions
        .iter()
        .find(|condition| text(condition, "/type") == Some("ClusterVersionUpgradeable"))?;
    let said = text(condition, "/message").filter(|message| !message.is_empty());
    let said = said.or(text(condition, "/reason")).unwrap_or("it does not say why");
    (text(condition, "/status") == Some("False")).then(|| said.to_owned())
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}
