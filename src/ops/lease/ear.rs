//! Hearing of Leases as they are written, beside the regular looks: one that is let go of is taken at once, and one whose
//! holder died as soon as it is over, and not a look later.
//!
//! Invariant: nothing is decided by what is heard. It says when to look, and since when what is seen then has been so; where
//! nothing can be heard, the regular looks go on, and all takes a pause longer.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use crate::lease::Record;
use crate::providers::kubernetes::LeaseStore;
use crate::report::chain;

/// Pauses before a watch begins anew.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// What may wait to be heard; more is seen by the next look.
const WAITING: usize = 64;

/// What was heard, and when.
pub(super) struct Heard {
    pub(super) at: Instant,
    /// The Lease; none: one is gone.
    pub(super) record: Option<Record>,
}

/// Listens, or not.
#[derive(Default)]
pub(super) struct Ear {
    listening: Option<(mpsc::Receiver<Heard>, AbortOnDropHandle<()>)>,
}

impl Ear {
    /// Listens to this one from now on, unless it listens already.
    pub(super) fn listen(&mut self, store: &LeaseStore) {
        self.listening.get_or_insert_with(|| {
            let (news, heard) = mpsc::channel(WAITING);
            let task = tokio::spawn(listen(store.clone(), news).in_current_span());
            (heard, AbortOnDropHandle::new(task))
        });
    }

    /// Listens no more.
    pub(super) fn close(&mut self) {
        self.listening = None;
    }

    /// Waits until something is heard; for good where it does not listen.
    pub(super) async fn hear(&mut self) -> Heard {
        if let Some((heard, _)) = &mut self.listening
            && let Some(heard) = heard.recv().await
        {
            return heard;
        }
        std::future::pending().await
    }
}

async fn listen(store: LeaseStore, news: mpsc::Sender<Heard>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let tell = |record| {
            let at = Instant::now();
            // Where nobody takes it, the next look shows it.
            drop(news.try_send(Heard { at, record }));
        };
        match store.follow(&tell).await {
            Ok(()) => pause = FIRST_PAUSE,
            Err(error) => {
                let error = chain(&error);
                tracing::debug!(error, "a watch ended");
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}
