//! Holding Leases: what raises the fences within which a process writes, and divides units among several.
//!
//! Each round reads all Leases of the fleet on one management cluster, judges by them (see [`crate::lease`]), and makes,
//! takes or renews its own; between two it listens for what others write. One that can't be renewed in time is lost: work is told to end, its fence has fallen by then, and
//! the next one is held under another name.
//!
//! Invariant: what is granted follows from a list that was read after the view which it shows was published.

mod claims;
mod ear;
mod hand;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

pub use self::claims::{Claim, Claims, Standing};
use self::ear::Ear;
pub use self::hand::{HandError, Hold, hold};
use crate::lease::{Record, Sightings, Timing, Turn, View};
use crate::providers::ProviderError;
use crate::providers::fence::Fence;
use crate::providers::kubernetes::{Draft, LeaseStore};
use crate::report::chain;
use crate::resource::ManagementClusterName;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All: one at a time has it.
    Whole,
    /// A share.
    Share,
}

/// One who holds Leases.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Its name: of the pod or the machine, for people.
    pub name: String,
    /// What it asks for.
    pub part: Part,
    /// How its Leases are held.
    pub timing: Timing,
}

/// How long a Lease may take to be released: what is left of the time that a pod is given to end.
const RELEASE: Duration = Duration::from_secs(1);

/// Holds a Lease on one management cluster.
pub struct Keeper {
    store: LeaseStore,
    /// By which connection they are reached: another one where credentials were renewed.
    stores: watch::Receiver<LeaseStore>,
    on: ManagementClusterName,
    claims: Arc<Claims>,
    part: Part,
    timing: Timing,
    whole: String,
    /// The Lease that it holds, or stands by for.
    lease: String,
    /// What all its selves begin with.
    base: String,
    /// Which self it is: another one each time that a Lease was lost.
    self_number: u32,
    sightings: Sightings,
    ear: Ear,
    held: Option<Held>,
    /// Whether work that is under way has to end before a view can be published.
    gives_up: bool,
    began: Instant,
}

struct Held {
    fence: Fence,
    /// For people, by this machine's clock.
    since: Timestamp,
    /// When it is lost, unless it is renewed.
    until: Instant,
    /// Digest of the view that it says to act on.
    published: Option<String>,
}

/// When the next round comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    AtOnce,
    AfterAPause,
}

impl Keeper {
    /// One that holds nothing yet.
    pub fn new(
        holder: &Holder,
        on: ManagementClusterName,
        stores: watch::Receiver<LeaseStore>,
        claims: Arc<Claims>,
    ) -> Self {
        let store = stores.borrow().clone();
        // Names of machines come back; a process does not.
        let base = format!("{}-{:08x}-", holder.name, chance());
        let whole = store.name_of_whole();
        let lease = match holder.part {
            Part::Whole => whole.clone(),
            Part::Share => store.name_of_member(&base),
        };
        Self {
            store,
            stores,
            on,
            claims,
            part: holder.part,
            timing: holder.timing,
            whole,
            lease,
            base,
            self_number: 0,
            sightings: Sightings::default(),
            ear: Ear::default(),
            held: None,
            gives_up: false,
            began: Instant::now(),
        }
    }

    /// Holds it until it is told to stop, and releases it then. Whoever stops it has ended all work before.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let next = tokio::select! {
                () = stop.cancelled() => break,
                next = self.round() => next,
            };
            let next = next.unwrap_or_else(|error| {
                self.check_hold();
                self.note(&Standing::Fails { error: chain(&error) });
                Next::AfterAPause
            });
            if next == Next::AtOnce {
                continue;
            }
            if self.rest(&stop).await.is_break() {
                break;
            }
        }
        self.release().await;
        self.claims.forget(&self.on);
    }

    /// Waits until there is something to look at; says whether it is told to stop.
    async fn rest(&mut self, stop: &CancellationToken) -> ControlFlow<()> {
        // Nobody writes beside the one who has all.
        if self.part == Part::Whole && self.held.is_some() {
            self.ear.close();
        } else {
            self.ear.listen(&self.store);
        }
        let next_look = Instant::now() + self.pause();
        loop {
            let next_end = self.sightings.next_end(&self.me(), self.began.elapsed());
            let until = next_end.map_or(next_look, |end| next_look.min(self.began + end));
            tokio::select! {
                () = stop.cancelled() => return ControlFlow::Break(()),
                () = self.claims.ended(), if self.gives_up => break,
                // One that is missed here is told with the next renewal.
                () = self.claims.spoken() => break,
                // What is written goes by the new connection from now on: that it leads to the Lease is to be seen at once.
                Ok(()) = self.stores.changed() => {
                    self.ear.close();
                    break;
                }
                heard = self.ear.hear() => match heard.record {
                    Some(record) if record.holder.is_some() => {
                        let before = self.sightings.get(&record.name).map(|before| before.view.clone());
                        let is_news = before.as_ref() != Some(&record.view);
                        self.sightings.hear(record, heard.at.saturating_duration_since(self.began));
                        if is_news {
                            break;
                        }
                    }
                    // One is free.
                    _ => break,
                },
                () = sleep_until(until) => break,
            }
        }
        ControlFlow::Continue(())
    }

    fn me(&self) -> String {
        format!("{}{}", self.base, self.self_number)
    }

    fn pause(&self) -> Duration {
        let left = self
            .held
            .as_ref()
            .map(|held| held.until.saturating_duration_since(Instant::now()));
        left.map_or(self.timing.retry, |left| left.min(self.timing.retry))
    }

    async fn round(&mut self) -> Result<Next, ProviderError> {
        self.store = self.stores.borrow_and_update().clone();
        let records = self.in_time(self.store.list()).await?;
        let now = self.began.elapsed();
        self.sightings.observe(records, now);
        self.check_hold();
        let view = self.sightings.view(&self.whole, now);
        let publish = self.judge(&view);
        self.clear_away().await;
        let me = self.me();
        let (record, transitions) = match self.sightings.turn(&self.lease, (&self.base, &me), now) {
            Turn::Wait { holder } => {
                self.note(&Standing::StandsBy { holder: Some(holder) });
                return Ok(Next::AfterAPause);
            }
            Turn::Create => (None, 0),
            Turn::Renew(record) if self.held.is_some() => (Some(record.version), record.transitions),
            Turn::Renew(record) | Turn::Take(record) => (Some(record.version), record.transitions + 1),
        };
        let since = self.held.as_ref().map_or_else(Timestamp::now, |held| held.since);
        let looked = self.claims.word(&self.on);
        let draft = Draft {
            name: &self.lease,
            holder: Some((&me, since)),
            duration: self.timing.lease,
            transitions,
            view: publish.as_deref(),
            looked: looked.as_deref(),
        };
        let sent = Instant::now();
        let written = match &record {
            None => self.in_time(self.store.create(&draft)).await?,
            Some(version) => self.in_time(self.store.replace(&draft, version)).await?,
        };
        // Another was faster: the next look tells who.
        let Some(written) = written else {
            return Ok(Next::AfterAPause);
        };
        self.sightings.note(written, self.began.elapsed());
        Ok(self.renewed((sent, since), publish))
    }

    /// A Lease is held for so long from when its renewal was sent: others saw it no earlier.
    fn renewed(&mut self, (sent, since): (Instant, Timestamp), published: Option<String>) -> Next {
        let until = sent + self.timing.renew;
        match &mut self.held {
            Some(held) => {
                held.fence.extend(until);
                held.until = until;
                let is_news = held.published != published;
                held.published = published;
                if is_news { Next::AtOnce } else { Next::AfterAPause }
            }
            None => {
                let fence = Fence::until(until);
                self.claims.hold(&self.on, &self.me(), fence.clone());
                self.held = Some(Held {
                    fence,
                    since,
                    until,
                    published,
                });
                Next::AtOnce
            }
        }
    }

    /// What follows from who is there; gives the digest of the view to be published.
    fn judge(&mut self, view: &View) -> Option<String> {
        let published = self.held.as_ref()?.published.clone();
        let digest = view.digest();
        let settled = self.claims.narrow(&self.on, view);
        self.gives_up = !settled;
        let behind = self.sightings.behind(view);
        if published.as_ref() == Some(&digest) && behind.is_empty() {
            self.claims.grant(&self.on, view);
            self.claims.hear(&self.on, self.sightings.looked(view));
            self.note(&match self.part {
                Part::Whole => Standing::Leads,
                Part::Share if view.whole.is_some() => Standing::StandsBy {
                    holder: view.whole.clone(),
                },
                Part::Share => Standing::Shares {
                    members: view.members.len(),
                },
            });
        } else {
            let members = behind.into_iter().map(str::to_owned).collect();
            self.note(&Standing::WaitsFor { members });
        }
        if settled { Some(digest) } else { published }
    }

    /// Lost is what was not renewed in time, or is somebody else's.
    fn check_hold(&mut self) {
        let Some(held) = &self.held else { return };
        let me = self.me();
        let ours = self
            .sightings
            .get(&self.lease)
            .is_some_and(|record| record.holder.as_ref() == Some(&me));
        if !held.fence.stands() || !ours {
            tracing::warn!(on = %self.on, lease = self.lease, "the lease was lost: nothing is written by it any more");
            self.claims.revoke(&self.on);
            self.held = None;
            self.self_number += 1;
        }
    }

    /// Waits for an answer no longer than what is held is held.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T, ProviderError>>) -> Result<T, ProviderError> {
        let left = self
            .held
            .as_ref()
            .map(|held| held.until.saturating_duration_since(Instant::now()));
        let left = left.unwrap_or(self.timing.renew);
        match timeout(left, call).await {
            Ok(result) => result,
            Err(elapsed) => Err(ProviderError::Transport {
                what: "asking for the leases".to_owned(),
                source: Box::new(elapsed),
            }),
        }
    }

    /// Takes away what is left of members that died; one a round, and that it can't be done is no harm.
    async fn clear_away(&self) {
        let mut abandoned = self.sightings.abandoned(&self.whole, self.began.elapsed());
        if self.held.is_some()
            && let Some(record) = abandoned.find(|record| record.name != self.lease)
            && let Err(error) = self.in_time(self.store.remove(record)).await
        {
            let error = chain(&error);
            tracing::debug!(error, lease = record.name, "an abandoned lease stays");
        }
    }

    async fn release(&mut self) {
        if self.held.take().is_none() {
            return;
        }
        self.claims.revoke(&self.on);
        let released = timeout(RELEASE, self.let_go()).await;
        match released {
            Ok(Ok(())) => tracing::info!(on = %self.on, lease = self.lease, "released the lease"),
            Ok(Err(error)) => {
                let error = chain(&error);
                tracing::warn!(error, on = %self.on, "the lease could not be released: others wait until it is over");
            }
            Err(_) => {
                tracing::warn!(on = %self.on, "the lease could not be released in time: others wait until it is over");
            }
        }
    }

    async fn let_go(&self) -> Result<(), ProviderError> {
        let me = self.me();
        loop {
            let records = self.store.list().await?;
            let ours = |record: &&Record| record.name == self.lease && record.holder.as_ref() == Some(&me);
            let Some(record) = records.iter().find(ours) else {
                return Ok(());
            };
            if self.part == Part::Share {
                self.store.remove(record).await?;
                continue;
            }
            let draft = Draft {
                name: &self.lease,
                holder: None,
                duration: self.timing.lease,
                transitions: record.transitions,
                view: None,
                looked: None,
            };
            // A renewal that was under way may have come in between.
            if self.store.replace(&draft, &record.version).await?.is_some() {
                return Ok(());
            }
        }
    }

    fn note(&self, standing: &Standing) {
        if self.claims.note(&self.on, standing) {
            match standing {
                Standing::Fails { error } => tracing::warn!(on = %self.on, error, "the leases can't be used"),
                standing => tracing::info!(on = %self.on, ?standing, "leases"),
            }
        }
    }
}

/// Random bits: the operating system's, by way of the hasher's keys.
fn chance() -> u32 {
    use std::hash::{BuildHasher as _, Hasher as _, RandomState};
    let bits = RandomState::new().build_hasher().finish();
    u32::try_from(bits >> 32).unwrap_or_default()
}
