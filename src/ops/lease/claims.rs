//! Which units may be worked on, and what is being worked on.
//!
//! Invariant: a unit is begun with only while every Lease of it is held and every view that stands makes it ours; what was
//! begun is known until it has ended, so that whoever gives a unit up can wait for that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

use crate::lease::View;
use crate::providers::fence::Fence;
use crate::resource::{ManagementClusterName, UnitId};

/// How this process stands on one management cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "standing", rename_all = "camelCase")]
pub enum Standing {
    /// Somebody else has it.
    StandsBy {
        /// Who, where it is known.
        holder: Option<String>,
    },
    /// The Lease is held; others have yet to say that they make room.
    WaitsFor {
        /// They.
        members: Vec<String>,
    },
    /// All is ours.
    Leads,
    /// Some is ours.
    Shares {
        /// Among so many.
        members: usize,
    },
    /// The Leases can't be used.
    Fails {
        /// Why.
        error: String,
    },
}

/// Which units may be worked on.
#[derive(Debug, Default)]
pub struct Claims {
    inner: Mutex<Inner>,
    /// For whoever works.
    news: Notify,
    /// For whoever gives up.
    ended: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whether no Lease is asked for.
    open: bool,
    rights: BTreeMap<ManagementClusterName, Right>,
    works: BTreeMap<u64, Work>,
    next: u64,
    standings: BTreeMap<ManagementClusterName, Standing>,
}

#[derive(Debug)]
struct Right {
    me: String,
    fence: Fence,
    /// A unit is ours where all of them say so; none: nothing is.
    views: Vec<View>,
}

#[derive(Debug)]
struct Work {
    units: BTreeMap<UnitId, BTreeSet<ManagementClusterName>>,
    interrupted: Arc<AtomicBool>,
}

/// Work that was begun; it has ended when this is dropped.
#[derive(Debug)]
pub struct Claim {
    claims: Arc<Claims>,
    number: u64,
    /// What it runs within.
    pub fences: Vec<Fence>,
    /// Set when it is to come to an end.
    pub interrupted: Arc<AtomicBool>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.inner().works.remove(&self.number);
        self.claims.ended.notify_waiters();
    }
}

impl Claims {
    /// For one who works alone: everything may be worked on.
    pub fn open() -> Self {
        let claims = Self::default();
        claims.inner().open = true;
        claims
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no Lease is asked for.
    pub fn is_open(&self) -> bool {
        self.inner().open
    }

    /// Whether a unit that is recorded there may be worked on.
    pub fn may(&self, unit: &UnitId, homes: &BTreeSet<ManagementClusterName>) -> bool {
        self.inner().may(unit, homes)
    }

    /// The fences within which something besides units is written on a management cluster; none where nothing may be.
    pub fn fences(&self, on: &ManagementClusterName) -> Option<Vec<Fence>> {
        let inner = self.inner();
        if inner.open {
            return Some(Vec::new());
        }
        let right = inner.rights.get(on).filter(|right| !right.views.is_empty());
        right.map(|right| vec![right.fence.clone()])
    }

    /// Begins with those of some units that may be worked on; the others are left out.
    pub fn begin(
        self: &Arc<Self>,
        mut units: BTreeMap<UnitId, BTreeSet<ManagementClusterName>>,
    ) -> (Claim, BTreeSet<UnitId>) {
        let mut inner = self.inner();
        units.retain(|unit, homes| inner.may(unit, homes));
        let names: BTreeSet<UnitId> = units.keys().cloned().collect();
        let homes: BTreeSet<&ManagementClusterName> = units.values().flatten().collect();
        let fences = homes
            .iter()
            .filter_map(|name| inner.rights.get(*name))
            .map(|right| right.fence.clone());
        let fences: Vec<Fence> = fences.collect();
        let interrupted = Arc::new(AtomicBool::new(false));
        let number = inner.next;
        inner.next += 1;
        let work = Work {
            units,
            interrupted: interrupted.clone(),
        };
        inner.works.insert(number, work);
        drop(inner);
        let claim = Claim {
            claims: self.clone(),
            number,
            fences,
            interrupted,
        };
        (claim, names)
    }

    /// Has all that is under way come to an end.
    pub fn interrupt(&self) {
        for work in self.inner().works.values() {
            work.interrupted.store(true, Ordering::Relaxed);
        }
    }

    /// How this process stands, by management cluster.
    pub fn standings(&self) -> BTreeMap<ManagementClusterName, Standing> {
        self.inner().standings.clone()
    }

    /// Waits until what may be worked on has changed, or how this process stands.
    pub async fn changed(&self) {
        self.news.notified().await;
    }

    /// Waits until some work has ended.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }

    /// A Lease is held from now on; nothing is ours by it yet.
    pub(super) fn hold(&self, on: &ManagementClusterName, me: &str, fence: Fence) {
        let right = Right {
            me: me.to_owned(),
            fence,
            views: Vec::new(),
        };
        self.inner().rights.insert(on.clone(), right);
    }

    /// What is not ours in this view is given up: it is not begun with any more, and what is under way of it is to end.
    /// Says whether it has.
    pub(super) fn narrow(&self, on: &ManagementClusterName, view: &View) -> bool {
        let mut inner = self.inner();
        let mut changed = false;
        if let Some(right) = inner.rights.get_mut(on)
            && !right.views.is_empty()
            && !right.views.contains(view)
        {
            right.views.push(view.clone());
            changed = true;
        }
        let settled = inner.end_what_is_not_ours(on);
        drop(inner);
        if changed {
            self.news.notify_one();
        }
        settled
    }

    /// All who live act on this view: what is ours in it is, and nothing else.
    pub(super) fn grant(&self, on: &ManagementClusterName, view: &View) {
        let mut inner = self.inner();
        let Some(right) = inner.rights.get_mut(on) else { return };
        if right.views != [view.clone()] {
            right.views = vec![view.clone()];
            drop(inner);
            self.news.notify_one();
        }
    }

    /// The Lease is not held any more: nothing is ours, at once.
    pub(super) fn revoke(&self, on: &ManagementClusterName) {
        let mut inner = self.inner();
        let Some(right) = inner.rights.remove(on) else { return };
        right.fence.fall();
        inner.end_what_is_not_ours(on);
        drop(inner);
        self.news.notify_one();
    }

    /// Notes how this process stands; says whether that is news.
    pub fn note(&self, on: &ManagementClusterName, standing: &Standing) -> bool {
        let before = self.inner().standings.insert(on.clone(), standing.clone());
        let is_news = before.as_ref() != Some(standing);
        if is_news {
            self.news.notify_one();
        }
        is_news
    }

    /// Forgets a management cluster that is no longer ours to stand on.
    pub fn forget(&self, on: &ManagementClusterName) {
        self.revoke(on);
        self.inner().standings.remove(on);
        self.news.notify_one();
    }
}

impl Inner {
    fn may(&self, unit: &UnitId, homes: &BTreeSet<ManagementClusterName>) -> bool {
        let by = |right: &Right| {
            let ours = |view: &View| view.owner(unit) == Some(&right.me);
            right.fence.stands() && !right.views.is_empty() && right.views.iter().all(ours)
        };
        self.open || (!homes.is_empty() && homes.iter().all(|home| self.rights.get(home).is_some_and(by)))
    }

    /// Whether nothing is under way there that is not ours; what is, is told to end.
    fn end_what_is_not_ours(&self, on: &ManagementClusterName) -> bool {
        let mut settled = true;
        for work in self.works.values() {
            let mut there = work.units.iter().filter(|(_, homes)| homes.contains(on));
            if there.any(|(unit, homes)| !self.may(unit, homes)) {
                work.interrupted.store(true, Ordering::Relaxed);
                settled = false;
            }
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::resource::ClusterName;

    fn unit(n: usize) -> UnitId {
        UnitId::Cluster(ClusterName::new(format!("c{n}")))
    }

    fn view(members: &[&str]) -> View {
        View {
            whole: None,
            members: members.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn held(members: &[&str]) -> (Arc<Claims>, ManagementClusterName, BTreeSet<ManagementClusterName>) {
        let claims = Arc::new(Claims::default());
        let on = ManagementClusterName::new("m");
        claims.hold(&on, "a", Fence::until(Instant::now() + Duration::from_secs(10)));
        claims.grant(&on, &view(members));
        (claims, on.clone(), BTreeSet::from([on]))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_up_is_not_begun_with_and_has_ended_before_it_is_said_to_be() {
        let (claims, on, homes) = held(&["a"]);
        let both = view(&["a", "b"]);
        let goes = (0..99).map(unit).find(|unit| both.owner(unit) == Some("b")).unwrap();
        let stays = (0..99).map(unit).find(|unit| both.owner(unit) == Some("a")).unwrap();
        let wanted = BTreeMap::from([(goes.clone(), homes.clone()), (stays.clone(), homes.clone())]);
        let (claim, begun) = claims.begin(wanted.clone());
        assert_eq!(begun.len(), 2);
        assert!(!claims.narrow(&on, &both), "it is under way");
        assert!(claim.interrupted.load(Ordering::Relaxed));
        assert!(!claims.may(&goes, &homes) && claims.may(&stays, &homes));
        drop(claim);
        assert!(claims.narrow(&on, &both));
        let (_claim, begun) = claims.begin(wanted);
        assert_eq!(begun, BTreeSet::from([stays]));
        // Back before all had agreed: it was nobody else's meanwhile, but who knows that?
        assert!(claims.narrow(&on, &view(&["a"])));
        assert!(!claims.may(&goes, &homes));
        claims.grant(&on, &view(&["a"]));
        assert!(claims.may(&goes, &homes));
    }

    #[tokio::test(start_paused = true)]
    async fn without_its_lease_nothing_is_ours() {
        let (claims, on, homes) = held(&["a"]);
        assert!(claims.may(&unit(0), &homes));
        let other = BTreeSet::from([on.clone(), ManagementClusterName::new("n")]);
        assert!(!claims.may(&unit(0), &other), "all of them are needed");
        assert!(!claims.may(&unit(0), &BTreeSet::new()));
        let (claim, _) = claims.begin(BTreeMap::from([(unit(0), homes.clone())]));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert!(!claims.may(&unit(0), &homes), "the fence has fallen");
        claims.revoke(&on);
        assert!(claim.interrupted.load(Ordering::Relaxed) && !claim.fences[0].stands());
        assert!(Claims::open().may(&unit(0), &BTreeSet::new()));
    }
}
