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
use crate::resource::{Digest, ManagementClusterName, UnitId};

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
    /// For whoever renews.
    spoken: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whether no Lease is asked for.
    open: bool,
    rights: BTreeMap<ManagementClusterName, Right>,
    works: BTreeMap<u64, Work>,
    next: u64,
    standings: BTreeMap<ManagementClusterName, Standing>,
    words: BTreeMap<ManagementClusterName, Words>,
}

/// What is known of a request to look at everything on a management cluster. With each other view it is all found out anew.
#[derive(Debug, Default)]
struct Words {
    /// Of this one nothing that is ours is left to look at.
    looked: Option<String>,
    /// Of this one all that is ours is told of besides: our own word.
    told: Option<String>,
    /// What all who share say: the digest of a request, which may be of any length.
    by_all: Option<String>,
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

    /// Notes what is left to look at of a request to look at everything, be it ours or not; says whether that is news.
    pub fn looked<'a>(
        &self,
        on: &ManagementClusterName,
        request: &str,
        mut left: impl Iterator<Item = (&'a UnitId, &'a BTreeSet<ManagementClusterName>)>,
    ) -> bool {
        let mut inner = self.inner();
        let is_done = inner.is_agreed(on) && !left.any(|(unit, homes)| inner.may(unit, homes));
        let words = inner.words.entry(on.clone()).or_default();
        let looked = is_done.then(|| request.to_owned());
        let is_news = words.looked != looked;
        if is_news {
            words.looked = looked;
            words.told = None;
        }
        is_news
    }

    /// The request of which nothing that is ours is left to look at.
    pub fn looked_at(&self, on: &ManagementClusterName) -> Option<String> {
        self.inner().words.get(on)?.looked.clone()
    }

    /// All that is ours is told of, as it was seen after this request.
    pub fn tell(&self, on: &ManagementClusterName, request: &str) {
        let mut inner = self.inner();
        if let Some(words) = inner.words.get_mut(on)
            && words.looked.as_deref() == Some(request)
            && words.told.as_deref() != Some(request)
        {
            words.told = Some(request.to_owned());
            drop(inner);
            self.spoken.notify_waiters();
        }
    }

    /// The request that is answered: all that is there was looked at, by whomever, and is told of.
    pub fn answered(&self, on: &ManagementClusterName) -> Option<String> {
        let inner = self.inner();
        let words = inner.words.get(on)?;
        if inner.is_all_ours(on) {
            return words.told.clone();
        }
        let is_by_all = |told: &&String| words.by_all.as_ref() == Some(&digest(told));
        words.told.as_ref().filter(is_by_all).cloned()
    }

    /// Our own word, for the others.
    pub(super) fn word(&self, on: &ManagementClusterName) -> Option<String> {
        self.inner().words.get(on)?.told.as_deref().map(digest)
    }

    /// What all who share say, each in the view that is agreed on.
    pub(super) fn hear(&self, on: &ManagementClusterName, by_all: Option<&str>) {
        let mut inner = self.inner();
        let Some(words) = inner.words.get_mut(on) else { return };
        if words.by_all.as_deref() != by_all {
            words.by_all = by_all.map(str::to_owned);
            drop(inner);
            self.news.notify_one();
        }
    }

    /// Waits until we have something to say.
    pub(super) async fn spoken(&self) {
        self.spoken.notified().await;
    }

    /// A Lease is held from now on; nothing is ours by it yet.
    pub(super) fn hold(&self, on: &ManagementClusterName, me: &str, fence: Fence) {
        let right = Right {
            me: me.to_owned(),
            fence,
            views: Vec::new(),
        };
        let mut inner = self.inner();
        inner.words.remove(on);
        inner.rights.insert(on.clone(), right);
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
            inner.words.remove(on);
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
            inner.words.remove(on);
            drop(inner);
            self.news.notify_one();
        }
    }

    /// The Lease is not held any more: nothing is ours, at once.
    pub(super) fn revoke(&self, on: &ManagementClusterName) {
        let mut inner = self.inner();
        let Some(right) = inner.rights.remove(on) else { return };
        right.fence.fall();
        inner.words.remove(on);
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

fn digest(request: &str) -> String {
    Digest::of(request.as_bytes()).to_hex().chars().take(20).collect()
}

impl Inner {
    fn may(&self, unit: &UnitId, homes: &BTreeSet<ManagementClusterName>) -> bool {
        let by = |right: &Right| {
            let ours = |view: &View| view.owner(unit) == Some(&right.me);
            right.fence.stands() && !right.views.is_empty() && right.views.iter().all(ours)
        };
        self.open || (!homes.is_empty() && homes.iter().all(|home| self.rights.get(home).is_some_and(by)))
    }

    /// The one view that all act on; none where it is not agreed on, or nobody asks for one.
    fn agreed(&self, on: &ManagementClusterName) -> Option<(&Right, &View)> {
        let right = self.rights.get(on).filter(|right| right.fence.stands())?;
        match right.views.as_slice() {
            [view] => Some((right, view)),
            _ => None,
        }
    }

    /// Whether it is known what is ours, and nobody has taken all of it for a while.
    fn is_agreed(&self, on: &ManagementClusterName) -> bool {
        let is_shared = |(right, view): (&Right, &View)| view.whole.as_ref().is_none_or(|whole| *whole == right.me);
        self.open || self.agreed(on).is_some_and(is_shared)
    }

    /// Whether nobody else has anything there.
    fn is_all_ours(&self, on: &ManagementClusterName) -> bool {
        let is_alone = |(right, view): (&Right, &View)| match &view.whole {
            Some(whole) => *whole == right.me,
            None => view.members.iter().eq([&right.me]),
        };
        self.open || self.agreed(on).is_some_and(is_alone)
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
    async fn a_request_is_answered_when_all_who_share_say_so_of_what_is_theirs_now() {
        let (claims, on, homes) = held(&["a", "b"]);
        let both = view(&["a", "b"]);
        let of = |name: &str| (0..99).map(unit).find(|unit| both.owner(unit) == Some(name)).unwrap();
        let (ours, theirs) = (of("a"), of("b"));
        let looked = |left: &[&UnitId]| claims.looked(&on, "t", left.iter().map(|unit| (*unit, &homes)));
        assert!(!looked(&[&ours, &theirs]), "ours is left");
        claims.tell(&on, "t");
        assert_eq!((claims.looked_at(&on), claims.word(&on)), (None, None));
        assert!(looked(&[&theirs]) && !looked(&[&theirs]));
        assert_eq!(claims.looked_at(&on).as_deref(), Some("t"));
        assert_eq!(claims.word(&on), None, "it is not told yet");
        claims.tell(&on, "t");
        let word = claims.word(&on).unwrap();
        assert_eq!(claims.answered(&on), None, "the other has not said so");
        claims.hear(&on, Some("another's word"));
        assert_eq!(claims.answered(&on), None);
        claims.hear(&on, Some(&word));
        assert_eq!(claims.answered(&on).as_deref(), Some("t"));

        // The other goes, and what was its own is ours to look at: all that was said is said no more.
        let alone = view(&["a"]);
        claims.narrow(&on, &alone);
        assert_eq!((claims.answered(&on), claims.word(&on)), (None, None));
        assert!(!looked(&[]), "nothing is agreed on yet");
        claims.grant(&on, &alone);
        assert!(!looked(&[&theirs]), "it is left");
        assert!(looked(&[]));
        claims.tell(&on, "t");
        assert_eq!(claims.answered(&on).as_deref(), Some("t"), "there is nobody else");

        // While somebody has taken all, nothing is said of what he does.
        let taken = View {
            whole: Some("hand".to_owned()),
            ..alone
        };
        claims.narrow(&on, &taken);
        claims.grant(&on, &taken);
        assert!(!looked(&[]) && claims.looked_at(&on).is_none());
        // One who works alone has nobody to ask.
        let open = Claims::open();
        assert!(!open.looked(&on, "t", [(&ours, &homes)].into_iter()));
        assert!(open.looked(&on, "t", std::iter::empty()));
        open.tell(&on, "t");
        assert_eq!(open.answered(&on).as_deref(), Some("t"));
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
