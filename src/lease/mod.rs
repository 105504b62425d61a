//! Who may write: Leases as they were seen, and how units are divided among those who hold them.
//!
//! Invariant: pure; time is what the caller says it is, measured from any fixed moment. Times that others wrote are never
//! compared with ours: a holder is judged by how long ago its Lease was last seen to change.

mod sightings;
mod view;

use std::time::Duration;

pub use self::sightings::{Sightings, Turn};
pub use self::view::View;

/// How Leases are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// So long after its last change a Lease is up for others.
    pub lease: Duration,
    /// So long after a renewal was sent its holder writes; shorter than the Lease, for clocks that run at different speeds.
    pub renew: Duration,
    /// The pause between two looks, each of which renews what is held.
    pub retry: Duration,
}

impl Timing {
    /// The times that belong to a Lease of this length: two thirds of it, and two fifteenths, but no more than two seconds,
    /// since one that is released is to be taken soon.
    pub fn of(lease: Duration) -> Self {
        Self {
            lease,
            renew: lease * 2 / 3,
            retry: (lease * 2 / 15).min(Duration::from_secs(2)),
        }
    }
}

impl Default for Timing {
    /// 15 s, 10 s, 2 s.
    fn default() -> Self {
        Self::of(Duration::from_secs(15))
    }
}

/// A Lease as the server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its resourceVersion.
    pub version: String,
    /// Who holds it; none where it was released.
    pub holder: Option<String>,
    /// For how long, from its last change on.
    pub duration: Duration,
    /// The holder's word on when it was renewed; only ever compared for being another one.
    pub renewed: String,
    /// How often it passed to another.
    pub transitions: u64,
    /// Digest of the view that its holder acts on.
    pub view: Option<String>,
    /// Digest of the request to look at everything of which its holder has done its share in that view.
    pub looked: Option<String>,
}
