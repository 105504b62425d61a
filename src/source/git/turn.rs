//! One fetch at a time into a copy, within this process: a file's lock can't be waited for with a deadline, and a thread
//! for each who waits would pile up behind a server that does not end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

static UNDER_WAY: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
static ENDED: Condvar = Condvar::new();

/// The right to fetch into a copy, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn(PathBuf);

impl Turn {
    /// Waits for it; none where that took too long.
    pub(super) fn wait(copy: &Path, limit: Duration) -> Option<Self> {
        let under_way = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut under_way, _) = ENDED
            .wait_timeout_while(under_way, limit, |under_way| under_way.contains(copy))
            .unwrap_or_else(PoisonError::into_inner);
        under_way.insert(copy.to_owned()).then(|| Self(copy.to_owned()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
        ENDED.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_has_the_turn_and_the_next_gets_it() {
        let (copy, other) = (Path::new("/copies/a"), Path::new("/copies/b"));
        let first = Turn::wait(copy, Duration::ZERO).unwrap();
        assert!(Turn::wait(copy, Duration::ZERO).is_none());
        assert!(Turn::wait(other, Duration::ZERO).is_some());
        let waiting = std::thread::spawn(|| Turn::wait(Path::new("/copies/a"), Duration::from_secs(60)).is_some());
        drop(first);
        assert!(waiting.join().unwrap());
        assert!(Turn::wait(copy, Duration::ZERO).is_some());
    }
}
