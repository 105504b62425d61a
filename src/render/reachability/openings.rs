//! Sets of what passes: protocols and ranges of destination ports.

use std::fmt;

/// The protocol numbers that have ports here.
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;

/// One stretch of what passes: a protocol, and of it ports, or ICMP's type and code as one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Opening {
    /// IANA's number; none: every one.
    pub(super) protocol: Option<u8>,
    pub(super) from: u16,
    pub(super) to: u16,
}

/// What passes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Openings(Vec<Opening>);

impl Openings {
    /// Of stretches that may overlap and touch.
    pub(super) fn new(mut all: Vec<Opening>) -> Self {
        if let Some(everything) = all.iter().find(|one| one.protocol.is_none()) {
            return Self(vec![*everything]);
        }
        all.sort();
        let mut merged: Vec<Opening> = Vec::new();
        for one in all {
            match merged.last_mut() {
                Some(last) if last.protocol == one.protocol && u32::from(one.from) <= u32::from(last.to) + 1 => {
                    last.to = last.to.max(one.to);
                }
                _ => merged.push(one),
            }
        }
        Self(merged)
    }

    /// What OCI's resolver, time and metadata services listen on.
    pub(super) fn of_link_local() -> Self {
        let at = |(protocol, port)| Opening {
            protocol: Some(protocol),
            from: port,
            to: port,
        };
        Self::new([(TCP, 53), (TCP, 80), (UDP, 53), (UDP, 123)].map(at).into())
    }

    /// Whether nothing passes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What passes both.
    pub(super) fn and(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        for ours in &self.0 {
            for theirs in &other.0 {
                let protocol = match (ours.protocol, theirs.protocol) {
                    (None, protocol) | (protocol, None) => protocol,
                    (a, b) if a == b => a,
                    _ => continue,
                };
                let (from, to) = (ours.from.max(theirs.from), ours.to.min(theirs.to));
                if from <= to {
                    both.push(Opening { protocol, from, to });
                }
            }
        }
        Self::new(both)
    }

    /// What of it is ICMP.
    pub(super) fn icmp(&self) -> Self {
        let icmp = Opening {
            protocol: Some(ICMP),
            from: 0,
            to: u16::MAX,
        };
        self.and(&Self(vec![icmp]))
    }

    /// Whether a port of TCP (6) or UDP (17) passes.
    pub fn admits(&self, protocol: u8, port: u16) -> bool {
        let fits = |one: &Opening| one.protocol.is_none_or(|number| number == protocol);
        self.0
            .iter()
            .any(|one| fits(one) && (one.from..=one.to).contains(&port))
    }
}

impl fmt::Display for Openings {
    /// `icmp, tcp 443 9000-9999, udp 53`, protocols in order of their numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = None;
        for one in &self.0 {
            if before != Some(one.protocol) {
                if before.is_some() {
                    f.write_str(", ")?;
                }
                match one.protocol {
                    None => f.write_str("all")?,
                    Some(ICMP) => f.write_str("icmp")?,
                    Some(4) => f.write_str("ipip")?,
                    Some(TCP) => f.write_str("tcp")?,
                    Some(UDP) => f.write_str("udp")?,
                    Some(50) => f.write_str("esp")?,
                    Some(other) => write!(f, "protocol {other}")?,
                }
                before = Some(one.protocol);
            }
            match (one.protocol, one.from, one.to) {
                (_, 0, u16::MAX) => {}
                (Some(ICMP), from, _) => write!(f, " {}/{}", from >> 8, from & 0xff)?,
                (_, from, to) if from == to => write!(f, " {from}")?,
                (_, from, to) => write!(f, " {from}-{to}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(from: u16, to: u16) -> Opening {
        Opening {
            protocol: Some(TCP),
            from,
            to,
        }
    }

    #[test]
    fn what_touches_is_one_and_what_both_admit_passes() {
        let ours = Openings::new(vec![tcp(443, 443), tcp(80, 90), tcp(91, 99)]);
        assert_eq!(ours.to_string(), "tcp 80-99 443");
        let theirs = Openings::new(vec![tcp(95, 443)]);
        assert_eq!(ours.and(&theirs).to_string(), "tcp 95-99 443");
        assert!(ours.and(&theirs).admits(TCP, 96) && !ours.and(&theirs).admits(TCP, 94));
        assert!(!ours.admits(UDP, 443));
    }

    #[test]
    fn everything_holds_whatever_else_there_is() {
        let all = Opening {
            protocol: None,
            from: 0,
            to: u16::MAX,
        };
        let all = Openings::new(vec![tcp(1, 2), all]);
        assert_eq!(all.to_string(), "all");
        assert_eq!(all.and(&Openings::new(vec![tcp(22, 22)])).to_string(), "tcp 22");
        assert!(all.and(&Openings::default()).is_empty());
    }
}
