//! Several fleets in one process.
//!
//! Each fleet has a loop of its own, with its own source, connections, watches, queue, Leases, caps and registry of metrics: a
//! repository that hangs, an API server that is away or a fleet of errors holds up nobody else. They have in common the
//! addresses for probes and webhooks, the budget of calls to OCI, which is that of a tenancy and region whoever calls, and what
//! libgit2 has for the whole process. Connections to a management cluster that two fleets have in common are not among it:
//! how it is reached is said by each fleet's files, and what would be saved is a connection and the schemas.
//!
//! Invariant: no two loops follow one fleet. A loop that breaks off begins anew, as after a kill, and the others go on.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::join_all;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span, info_span};

use super::Options;
use crate::resource::FleetUid;

/// A loop that broke off begins anew after so long, and after twice as long each time that it does so again.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Who follows which fleet.
#[derive(Debug, Default)]
pub struct Taken(Mutex<BTreeMap<FleetUid, String>>);

impl Taken {
    /// Takes a fleet in place of the one that this loop had. Says who has it, where somebody else does.
    pub(super) fn take(&self, fleet: &FleetUid, by: &str) -> Result<(), String> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get(fleet) {
            Some(other) if other != by => Err(other.clone()),
            Some(_) => Ok(()),
            None => {
                taken.retain(|_, who| who != by);
                taken.insert(fleet.clone(), by.to_owned());
                Ok(())
            }
        }
    }
}

/// Follows all of these fleets until it is told to stop, each as [`super::run`] does.
pub async fn run(fleets: Vec<Options>, stop: CancellationToken) {
    let loops = fleets.into_iter().map(|options| {
        let stop = stop.clone();
        let span = span(&options);
        // A task of its own for each: a loop that has much to do at once takes no turn from another.
        tokio::spawn(
            async move { again_and_again(|| super::run(options.clone(), stop.clone()), &stop).await }.instrument(span),
        )
    });
    join_all(loops.collect::<Vec<_>>()).await;
}

/// What the log of a fleet's loop stands in; nothing where there is but one, which needs no name.
fn span(options: &Options) -> Span {
    match &options.name {
        Some(name) => info_span!("fleet", name),
        None => Span::none(),
    }
}

/// Runs a loop to its end, and anew where it broke off.
async fn again_and_again<F: Future<Output = ()>>(run: impl Fn() -> F, stop: &CancellationToken) {
    let mut pause = FIRST_PAUSE;
    // What it held is dropped with it, as by the end of a process.
    while AssertUnwindSafe(run()).catch_unwind().await.is_err() {
        tracing::error!(
            pause = pause.as_secs(),
            "the loop broke off, which is a fault of this program: it begins anew"
        );
        tokio::select! {
            () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = stop.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::time::Instant;

    use super::*;

    #[test]
    fn a_fleet_is_followed_once() {
        let taken = Taken::default();
        let (a, b) = (FleetUid::new("a"), FleetUid::new("b"));
        assert_eq!(taken.take(&a, "one"), Ok(()));
        assert_eq!(taken.take(&a, "one"), Ok(()), "as with each revision");
        assert_eq!(taken.take(&a, "other"), Err("one".to_owned()));
        assert_eq!(taken.take(&b, "other"), Ok(()));
        assert_eq!(taken.take(&b, "one"), Err("other".to_owned()));
        assert_eq!(taken.take(&a, "one"), Ok(()), "it has that one still");
        // The files of the one are another fleet's now.
        assert_eq!(taken.take(&FleetUid::new("c"), "one"), Ok(()));
        assert_eq!(taken.take(&a, "other"), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_breaks_off_begins_anew_until_it_is_told_to_stop() {
        let stop = CancellationToken::new();
        let began = Instant::now();
        let times = Cell::new(0);
        let breaks_twice = || async {
            times.set(times.get() + 1);
            assert!(times.get() > 2, "it breaks off");
        };
        again_and_again(breaks_twice, &stop).await;
        assert_eq!((times.get(), began.elapsed().as_secs()), (3, 15));

        stop.cancel();
        let always = || async { panic!("it breaks off") };
        again_and_again(always, &stop).await;
    }
}
