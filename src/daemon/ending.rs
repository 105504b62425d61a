//! How the daemon ends: within ten seconds, whatever hangs.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

/// How long what is under way may take once it is to stop.
const GRACE: Duration = Duration::from_secs(7);
/// When Leases have to be let go of by then; those that are not run out. A little of ten seconds is left for listeners.
const LATEST: Duration = Duration::from_secs(9);

/// Waits for what is under way, then for what lets go of Leases, each no longer than there is time. Nothing is let go of while
/// something may write still.
pub(super) async fn in_time<T: 'static>(under_way: &mut JoinSet<T>, let_go: impl Future<Output = ()>) {
    let latest = Instant::now() + LATEST;
    let finish = async { while under_way.join_next().await.is_some() {} };
    if timeout(GRACE, finish).await.is_err() {
        tracing::warn!("something was still under way; the next run goes on from there");
        if timeout_at(latest, under_way.shutdown()).await.is_err() {
            tracing::warn!("it does not end; what it holds runs out");
            return;
        }
    }
    if timeout_at(latest, let_go).await.is_err() {
        tracing::warn!("not all leases were let go of in time: they run out");
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_within_ten_seconds_whatever_hangs() {
        let mut under_way = JoinSet::new();
        under_way.spawn(pending::<()>());
        let began = Instant::now();
        in_time(&mut under_way, pending()).await;
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

        let mut done = JoinSet::new();
        done.spawn(async {});
        let began = Instant::now();
        in_time(&mut done, async {}).await;
        assert_eq!(began.elapsed(), Duration::ZERO, "nothing is waited for that has ended");
    }
}
