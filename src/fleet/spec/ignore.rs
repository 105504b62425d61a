//! `ignore` of the `Fleet` document.

use schemars::JsonSchema;
use serde::Deserialize;

/// What of live objects is left as it is, whatever the files say: its differences are neither changes nor drift, and are
/// never written over. What is made afresh is made as the files say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(in crate::fleet) struct Ignore {
    /// Whether this program's own rules hold, for what controllers and OCI write themselves; true.
    pub(in crate::fleet) built_in: Option<bool>,
    /// Own rules that do not hold, by their names.
    pub(in crate::fleet) without: Option<Vec<String>>,
    /// The fleet's rules.
    pub(in crate::fleet) rules: Option<Vec<IgnoreRule>>,
}

/// A rule on what to leave as it is: fields by `pointer`, or all that a `manager` owns, or what it owns of them. What else is
/// absent matches everything.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(in crate::fleet) struct IgnoreRule {
    /// The object's kind.
    #[schemars(length(min = 1))]
    pub(in crate::fleet) kind: Option<String>,
    /// The object's name.
    #[schemars(length(min = 1))]
    pub(in crate::fleet) name: Option<String>,
    /// The cluster that it belongs to.
    #[schemars(length(min = 1))]
    pub(in crate::fleet) cluster: Option<String>,
    /// A JSON pointer, such as `/spec/replicas`: what it leads to and all below. `*` stands for every key or item.
    pub(in crate::fleet) pointer: Option<String>,
    /// A field manager other than ourselves; OCI knows none.
    #[schemars(length(min = 1))]
    pub(in crate::fleet) manager: Option<String>,
    /// Why, for people.
    pub(in crate::fleet) reason: Option<String>,
}
