//! OCIDs: kind, realm and region against what is expected.
//!
//! Invariant: an OCID with a short region key is of that key's region.

use super::node::Place;
use super::problems::Problems;
use crate::diag::{Code, Diagnostic};
use crate::resource::Ocid;
use crate::resource::regions;

/// What an OCID should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    /// The key under which it stands.
    pub(super) key: &'a str,
    /// The kinds that fit.
    pub(super) kinds: &'a [&'a str],
    /// The region that it should be of, where it is of any.
    pub(super) region: Option<&'a str>,
}

/// Checks one, and reports what is wrong with it. Gives it back in any case: the problem has failed the cluster, or is waived.
pub(super) fn check(text: &str, expected: Expected<'_>, place: Place, problems: &mut Problems<'_>) -> Ocid {
    let key = expected.key;
    let parts: Vec<_> = text.split('.').collect();
    let well_formed =
        parts.len() >= 5 && parts.first() == Some(&"ocid1") && parts.last().is_some_and(|id| !id.is_empty());
    if !well_formed {
        problems.rule(
            Diagnostic::new(Code::OcidKind, format!("`{text}` is no OCID")).hint(format!(
                "`{key}` takes one like `ocid1.{}.oc1.<region>.<unique id>`",
                expected.kinds.join("|")
            )),
            place,
        );
        return Ocid::new(text);
    }
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    let (kind, realm, region) = (part(1), part(2), part(3));
    if !expected.kinds.contains(&kind) {
        problems.rule(
            Diagnostic::new(
                Code::OcidKind,
                format!(
                    "`{key}` takes the OCID of a {}, this is one of a {kind}",
                    expected.kinds.join(" or ")
                ),
            ),
            place,
        );
    }
    let Some(wanted) = expected.region.and_then(regions::find) else {
        return Ocid::new(text);
    };
    if realm != wanted.realm {
        problems.rule(
            Diagnostic::new(
                Code::OcidRealm,
                format!(
                    "this OCID is of realm `{realm}`, the region `{}` is of `{}`",
                    wanted.id, wanted.realm
                ),
            ),
            place,
        );
    } else if !region.is_empty() && region != wanted.id && region != wanted.key {
        let of = regions::find(region).map_or(region, |region| region.id);
        problems.rule(
            Diagnostic::new(
                Code::OcidRegion,
                format!("`{key}` names a thing in `{of}`, this is for `{}`", wanted.id),
            )
            .hint(format!(
                "an OCID of that region has `{}` or `{}` in its fourth part",
                wanted.key, wanted.id
            )),
            place,
        );
    }
    Ocid::new(text)
}
