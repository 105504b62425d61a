//! Until when this process may write.
//!
//! A Lease keeps two well-behaved processes apart; it does not stop one that was paused while it held it. So whoever holds a
//! Lease runs its writes within a [`Fence`], and each is looked at right before it is sent, and again each time that it goes
//! on: what has not reached the wire when the fence falls never does. What is left is a pause between that look and the wire;
//! there the precondition that every write carries has it fail or change nothing.
//!
//! Invariant: a fence that has fallen does not rise again. Writes of a task that runs within no fence are nobody's to stop.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use tokio::time::Instant;

tokio::task_local! {
    static FENCES: Arc<[Fence]>;
}

/// A moment after which nothing is written; whoever holds the Lease moves it on.
#[derive(Clone, Debug)]
pub struct Fence(Arc<Mutex<Option<Instant>>>);

/// The fence has fallen: nothing was sent, or its outcome is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lease was lost, and nothing is written without it")]
pub struct Fenced;

impl Fence {
    /// A fence that stands until then.
    pub fn until(until: Instant) -> Self {
        Self(Arc::new(Mutex::new(Some(until))))
    }

    /// Moves it on. One that has fallen stays so.
    pub fn extend(&self, until: Instant) {
        let mut moment = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if moment.is_some_and(|before| Instant::now() < before) {
            *moment = Some(until);
        }
    }

    /// Has it fall.
    pub fn fall(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether it stands.
    pub fn stands(&self) -> bool {
        let moment = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moment.is_some_and(|until| Instant::now() < until)
    }

    /// Runs something within fences: it writes as long as all of them stand.
    pub async fn around<F: Future>(fences: Vec<Self>, work: F) -> F::Output {
        FENCES.scope(fences.into(), work).await
    }
}

/// Sends a write, as long as the fences that this task runs within stand.
pub(super) async fn guarded<F: Future>(write: F) -> Result<F::Output, Fenced> {
    let fences = FENCES.try_with(Arc::clone).unwrap_or_default();
    tokio::pin!(write);
    std::future::poll_fn(|context| {
        if fences.iter().all(Fence::stands) {
            write.as_mut().poll(context).map(Ok)
        } else {
            Poll::Ready(Err(Fenced))
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_has_not_reached_the_wire_when_the_fence_falls_never_does() {
        let fence = Fence::until(Instant::now() + SECOND);
        let mut sent = false;
        let slow = async {
            tokio::time::sleep(2 * SECOND).await;
            sent = true;
        };
        assert_eq!(Fence::around(vec![fence], guarded(slow)).await, Err(Fenced));
        assert!(!sent);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fence_that_is_moved_on_lets_through_and_one_that_fell_stays_so() {
        let fence = Fence::until(Instant::now() + SECOND);
        let renewed = fence.clone();
        let write = async {
            tokio::time::sleep(SECOND / 2).await;
            renewed.extend(Instant::now() + 2 * SECOND);
            tokio::time::sleep(SECOND).await;
        };
        assert_eq!(Fence::around(vec![fence.clone()], guarded(write)).await, Ok(()));
        tokio::time::sleep(2 * SECOND).await;
        fence.extend(Instant::now() + SECOND);
        assert!(!fence.stands());
        let other = Fence::until(Instant::now() + SECOND);
        assert_eq!(
            Fence::around(vec![other, fence], guarded(async {})).await,
            Err(Fenced),
            "all have to stand"
        );
    }

    #[tokio::test]
    async fn who_runs_within_no_fence_writes() {
        assert_eq!(guarded(async { 7 }).await, Ok(7));
    }
}
