//! Whether a control plane's clock and ours agree.

use jiff::{SignedDuration, Timestamp};

use crate::report::doctor_text::Finding;

const CHECK: &str = "clock";
/// A network's delay and a header's whole seconds are no fault of a clock.
const TOLERATED: SignedDuration = SignedDuration::from_secs(10);
/// OCI takes no request that is dated further off than this; tokens are refused beyond it too.
const REFUSED: SignedDuration = SignedDuration::from_mins(5);

/// Compares what a server said with what was read here when it said so.
pub(super) fn compare(subject: &str, theirs: Option<Timestamp>, ours: Timestamp) -> Finding {
    match theirs {
        Some(theirs) => judge(subject, theirs.duration_since(ours)),
        None => Finding::warn(
            CHECK,
            subject,
            "the server does not say what time it is",
            "a proxy between here and there may take the Date header away",
        ),
    }
}

/// Judges by how far theirs is ahead.
pub(super) fn judge(subject: &str, ahead: SignedDuration) -> Finding {
    let seconds = ahead.as_secs();
    let off = format!(
        "the clock there is {} s {} ours",
        seconds.abs(),
        if seconds < 0 { "behind" } else { "ahead of" }
    );
    let hint = "set one of the two by NTP: tokens and signed requests are only good for minutes";
    match ahead.abs() {
        distance if distance > REFUSED => Finding::fail(CHECK, subject, off, hint),
        distance if distance > TOLERATED => Finding::warn(CHECK, subject, off, hint),
        _ => Finding::ok(CHECK, subject, "the clock there agrees with ours"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::doctor_text::Verdict;

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off_either_way() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(9000);
        for (seconds, verdict) in [
            (0, Verdict::Ok),
            (-10, Verdict::Ok),
            (11, Verdict::Warn),
            (-300, Verdict::Warn),
            (301, Verdict::Fail),
            (-4000, Verdict::Fail),
        ] {
            let theirs = now + SignedDuration::from_secs(seconds);
            assert_eq!(compare("m", Some(theirs), now).verdict, verdict, "{seconds}");
        }
        let behind = compare("m", Some(now - SignedDuration::from_secs(400)), now);
        assert_eq!(behind.message, "the clock there is 400 s behind ours");
        assert_eq!(compare("m", None, now).verdict, Verdict::Warn);
    }
}
