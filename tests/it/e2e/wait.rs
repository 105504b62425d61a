//! Waiting for what nobody tells of.

use std::time::{Duration, Instant};

/// No event is waited for longer: room for a busy machine, and no measure of anything.
pub(super) const CEILING: Duration = Duration::from_secs(180);

/// Lets so many milliseconds pass.
#[expect(
    clippy::disallowed_methods,
    reason = "a drawn moment, or a question asked again, is what is meant"
)]
pub(super) fn pass(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Asks until it is so.
#[track_caller]
pub(super) fn until<T>(what: &str, mut asked: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + CEILING;
    loop {
        if let Some(answer) = asked() {
            return answer;
        }
        assert!(Instant::now() < end, "not in time: {what}");
        pass(50);
    }
}
