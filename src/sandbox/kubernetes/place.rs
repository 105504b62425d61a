//! Where a request writes.

use super::kind::{Kind, Version};
use super::object::Key;
use super::refusal::About;

/// A kind at a version, and an object of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) kind: &'a Kind,
    pub(super) version: &'a Version,
    /// Empty for kinds without namespaces.
    pub(super) namespace: &'a str,
    /// Empty for a create.
    pub(super) name: &'a str,
    /// Empty for the object itself.
    pub(super) subresource: &'a str,
}

impl<'a> Place<'a> {
    pub(super) fn key(&self) -> Key {
        Key::new(self.namespace, self.name)
    }

    /// As refusals name it: by its plural.
    pub(super) fn about(&self) -> About<'a> {
        About {
            group: &self.kind.name.group,
            what: &self.kind.name.plural,
            name: self.name,
        }
    }

    /// The same by its kind.
    pub(super) fn about_kind(&self) -> About<'a> {
        About {
            what: &self.kind.kind,
            ..self.about()
        }
    }

    pub(super) fn api_version(&self) -> String {
        self.kind.api_version(&self.version.name)
    }
}
