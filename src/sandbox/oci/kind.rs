//! Kinds of resource: what each is called, where it is found, how it lives, and what is particular about it.

use super::call::Call;
use super::models::Body;
use super::refusal::Refusal;
use super::state::{Record, State};

/// The words of a kind for the stations of its life, and how long it takes between them.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) making: &'static str,
    pub(super) ready: &'static str,
    pub(super) unmaking: &'static str,
    pub(super) gone: &'static str,
    /// Seconds from made to ready.
    pub(super) makes: i64,
    /// Seconds from deleted to gone.
    pub(super) unmakes: i64,
}

/// The words of most networking kinds.
pub(super) const COMMON: Life = Life {
    making: "PROVISIONING",
    ready: "AVAILABLE",
    unmaking: "TERMINATING",
    gone: "TERMINATED",
    makes: 1,
    unmakes: 1,
};

/// Of what shows no state: it is there or not.
pub(super) const STATELESS: Life = Life {
    making: "",
    ready: "",
    unmaking: "going",
    gone: "gone",
    makes: 0,
    unmakes: 0,
};

/// A kind of resource.
pub(super) struct Kind {
    /// `Vcn`.
    pub(super) name: &'static str,
    /// The type part of its OCIDs.
    pub(super) ocid: &'static str,
    pub(super) life: Life,
    /// Model of a create's body.
    pub(super) create: &'static str,
    /// Model of an update's body.
    pub(super) update: &'static str,
    /// Query parameters of its list that are compared with the field of the same name.
    pub(super) filters: &'static [&'static str],
    /// The OCID of what the path calls by another name.
    pub(super) alias: fn(&State, &Call) -> Option<String>,
    /// Whether every region sees it.
    pub(super) global: bool,
    /// Whether its list is an object with `items`.
    pub(super) collection: bool,
    /// Checks a create's body, and completes it with what the server sets.
    pub(super) prepare: fn(&mut State, &Call, &mut Body) -> Result<(), Refusal>,
    /// Makes what is born with it.
    pub(super) born: fn(&mut State, &Call, &str),
    /// Checks an update's fields, and completes them.
    pub(super) change: fn(&mut State, &Call, &Record, &mut Body) -> Result<(), Refusal>,
    /// Whether it may be deleted, references aside.
    pub(super) release: fn(&State, &Record) -> Result<(), Refusal>,
    /// What goes with it when it is deleted.
    pub(super) dies: fn(&mut State, &Call, &Record),
}

impl Kind {
    pub(super) fn is(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Kind {
    /// What a kind is where it says nothing else.
    pub(super) const PLAIN: Self = Self {
        name: "",
        ocid: "",
        life: COMMON,
        create: "",
        update: "",
        filters: &["displayName", "lifecycleState", "vcnId"],
        alias: |_, _| None,
        global: false,
        collection: false,
        prepare: |_, _, _| Ok(()),
        born: |_, _, _| {},
        change: |_, _, _, _| Ok(()),
        release: |_, _| Ok(()),
        dies: |_, _, _| {},
    };
}
