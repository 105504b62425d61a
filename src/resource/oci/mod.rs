//! The OCI kinds as data: what of each changes in place, what needs a replacement, what its states mean, and what blocks
//! its deletion.
//!
//! Invariant: data and pure functions, with one entry for every field that a document may hold. The planner asks it what a
//! change would come to, and the provider which call makes it: so a plan never promises what the provider can't do.
//! May depend on `resource` alone.

mod differences;
mod former;
mod kinds;
mod normal;
mod record_set;

pub use self::differences::{FieldDifference, differences};
pub use self::former::{Former, named, say_outright};
pub use self::kinds::KINDS;
pub use self::normal::{normal_item, normal_spec, without_nulls};
pub use self::record_set::RecordSet;

/// The key under which a gateway shows the peer of a peering that has ended: what nobody wants, so that it is seen to differ.
pub const ENDED: &str = "ended";

/// Prefix of the freeform tags by which we know our resources. A document may hold no such tag of its own.
pub const TAG_PREFIX: &str = "fleetwright-";

/// One kind.
#[derive(Debug)]
pub struct OciKind {
    /// `Subnet`.
    pub name: &'static str,
    /// The fields of its spec that it has in common with others.
    pub common: &'static [Field],
    /// The fields of its spec that are its own.
    pub fields: &'static [Field],
    /// What its `lifecycleState` means.
    pub states: States,
    /// Kinds that have to be gone, or to let go of it, before OCI deletes it; some are not ours to make (`Vnic`).
    pub blocked_by: &'static [&'static str],
}

/// The values of `lifecycleState`; all empty for what has none.
#[derive(Clone, Copy, Debug)]
pub struct States {
    /// There, and usable.
    pub ready: &'static [&'static str],
    /// On its way from or to that, or being changed.
    pub moving: &'static [&'static str],
    /// On its way out.
    pub going: &'static [&'static str],
    /// Gone, though lists and reads may show it for a while.
    pub gone: &'static [&'static str],
    /// Broken for good.
    pub failed: &'static [&'static str],
}

/// What a change of a field comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// The resource stays.
    InPlace,
    /// Only a new resource can have it.
    Replace,
    /// Nothing can: it is no field that can be asked for.
    ReadOnly,
}

/// The call that makes a change in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The create alone; nothing afterwards.
    Create,
    /// The kind's update.
    Update,
    /// The action `changeCompartment`.
    ChangeCompartment,
    /// Actions that add and remove one address block a call.
    Blocks,
    /// Actions that add and remove rules of a group.
    Rules,
    /// The action `connect`.
    Connect,
    /// Calls of the parts (listeners, backend sets, groups of a load balancer).
    Parts,
    /// None: it says where the resource is.
    Place,
}

/// How two values of a field are compared.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// As a whole.
    Plain,
    /// As a list whose order does not matter.
    Set(Item),
    /// Field by field, those that are wanted.
    Map(&'static [Field]),
    /// As a map of parts by name: no other parts may be there; within one, field by field, those that are wanted.
    Named(&'static [Field]),
    /// As freeform tags: those that are wanted; others stay.
    Tags,
    /// As defined tags (and security attributes, which have the same form): those that are wanted; others stay.
    DefinedTags,
    /// Not at all: OCI takes it and never shows it.
    Unseen,
}

/// What a list whose order does not matter is made of; says how an item is brought to its normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// Strings, numbers.
    Plain,
    /// A rule of a security list or a group.
    SecurityRule,
    /// A rule of a route table.
    RouteRule,
    /// A service of a service gateway.
    Service,
    /// A DHCP option; told apart by `type`.
    DhcpOption,
    /// A record of a set in a DNS zone.
    Record,
    /// A backend of a load balancer.
    Backend,
}

/// What becomes of a field that a document named, and names no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// It is as a replacement: OCI has no value that takes it away, or falls back to one of its own that no file describes.
    Never,
    /// It is set to nothing: an empty list or map.
    Empty,
    /// It is set to `false`, which is what OCI has where nobody says anything.
    Off,
    /// It is set to an empty text, by which OCI lets go of what it names.
    Blank,
    /// Nothing: OCI goes on with what it has, and that is no loss.
    Stays,
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// OCI's name for it.
    pub name: &'static str,
    /// What its change comes to.
    pub change: Change,
    /// By which call.
    pub call: Call,
    /// How it is compared.
    pub shape: Shape,
    /// In place as long as nothing (or `false`) is there; a replacement after that.
    pub once: bool,
    /// Whether the create takes it; what it does not take is set by a call of its own right after.
    pub in_create: bool,
    /// What becomes of it once no document names it any more.
    pub unset: Unset,
}

impl Field {
    /// The value that takes it away.
    fn unset_to(&self) -> Option<serde_json::Value> {
        match (self.unset, self.shape) {
            (Unset::Empty, Shape::Named(_)) => Some(serde_json::Map::new().into()),
            (Unset::Empty, _) => Some(Vec::<serde_json::Value>::new().into()),
            (Unset::Off, _) => Some(false.into()),
            (Unset::Blank, _) => Some("".into()),
            (Unset::Never | Unset::Stays, _) => None,
        }
    }
}

impl OciKind {
    /// All fields of its spec.
    pub fn all_fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.common.iter().chain(self.fields)
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.all_fields().find(|field| field.name == name)
    }

    /// Whether its resources can carry freeform tags, and with them our mark.
    pub fn is_tagged(&self) -> bool {
        self.field("freeformTags").is_some()
    }
}

/// The kind of that name.
pub fn kind(name: &str) -> Option<&'static OciKind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests;
