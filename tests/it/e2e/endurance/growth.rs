//! Whether a figure grows.
//!
//! A figure that is measured beside the work that makes it goes up and down; what is never given back lifts the lowest value.
//! So the lowest values of two times are compared: of the second third and of the last. The first third is for what fills once.

use std::fmt;

/// How much higher the lowest value may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Growth(f64);

/// The lowest values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judged {
    earlier: f64,
    later: f64,
    slack: f64,
}

impl Growth {
    pub(super) const fn by(slack: f64) -> Self {
        Self(slack)
    }

    /// Judges values that were taken at equal distances.
    pub(super) fn judge(self, values: &[f64]) -> Judged {
        let third = values.len() / 3;
        assert!(third > 0, "too few values: {values:?}");
        let lowest = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
        let (earlier, later) = (lowest(&values[third..2 * third]), lowest(&values[2 * third..]));
        Judged {
            earlier,
            later,
            slack: self.0,
        }
    }
}

impl Judged {
    pub(super) fn has_grown(self) -> bool {
        self.later > self.earlier + self.slack
    }
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { earlier, later, slack } = self;
        write!(f, "{earlier:.0}, then {later:.0}, at most {:.0}", earlier + slack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROWTH: Growth = Growth::by(10.0);

    /// Work that takes 100 and gives it back, over something that stays.
    fn values(stays: impl Fn(u32) -> f64) -> Vec<f64> {
        (0..180).map(|n| stays(n) + f64::from(n * 37 % 100)).collect()
    }

    #[test]
    fn what_goes_up_and_down_or_fills_once_does_not_grow() {
        assert!(!GROWTH.judge(&values(|_| 500.0)).has_grown());
        assert!(!GROWTH.judge(&values(|n| f64::from(n.min(60)) * 50.0)).has_grown());
        assert!(!GROWTH.judge(&values(|n| f64::from(180 - n))).has_grown());
    }

    #[test]
    fn what_is_never_given_back_is_found_however_much_goes_up_and_down_over_it() {
        assert!(GROWTH.judge(&values(|n| 500.0 + f64::from(n) * 0.5)).has_grown());
        assert!(GROWTH.judge(&values(|n| f64::from(n / 10) * 3.0)).has_grown());
        let judged = GROWTH.judge(&values(|n| 10_000.0 + f64::from(n) / 10.0));
        assert!(!judged.has_grown(), "6: {judged}");
    }
}
