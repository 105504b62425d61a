//! Virtual time: the machine's, sped up.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A clock that begins at a time and runs at a speed. It goes by tokio's time: under a paused runtime it stands still
/// until everything waits, and then jumps, so that hours pass in no time and in the same way each time.
#[derive(Clone, Debug)]
pub struct Clock {
    origin: Timestamp,
    begun: Instant,
    speed: f64,
}

impl Clock {
    /// A clock that shows `origin` now and gains `speed` seconds a second.
    pub fn new(origin: Timestamp, speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 { speed } else { 1.0 };
        Self {
            origin,
            begun: Instant::now(),
            speed,
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        let passed = self.begun.elapsed().mul_f64(self.speed);
        let passed = jiff::SignedDuration::try_from(passed).unwrap_or(jiff::SignedDuration::MAX);
        self.origin.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Waits until the clock shows `time`.
    pub async fn until(&self, time: Timestamp) {
        let left = Duration::try_from(time.duration_since(self.now())).unwrap_or(Duration::ZERO);
        self.sleep(left).await;
    }

    /// Waits for a duration by this clock.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration.div_f64(self.speed)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn runs_at_its_speed_on_tokios_time() {
        let clock = Clock::new(Timestamp::UNIX_EPOCH, 60.0);
        let before = Instant::now();
        clock.until(Timestamp::from_second(3600).unwrap()).await;
        assert_eq!(before.elapsed().as_secs(), 60);
        assert_eq!(clock.now().as_second(), 3600);
    }
}
