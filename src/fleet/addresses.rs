//! Address blocks: handed out from a region's pool at a slot derived from the id, so that parallel branches rarely choose
//! alike, and split into subnets.
//!
//! Invariant: a block once pinned is never given to another, and none overlaps an excluded range.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::resource::Digest;

/// Which ranges are in use.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// First address → last address; they don't overlap, being merged when added.
    ranges: BTreeMap<u32, u32>,
}

impl Taken {
    /// Takes a range out.
    pub(super) fn add(&mut self, net: Ipv4Net) {
        let (mut first, mut last) = (u32::from(net.network()), u32::from(net.broadcast()));
        while let Some((&from, &to)) = self.ranges.range(..=last).next_back() {
            if to < first {
                break;
            }
            first = first.min(from);
            last = last.max(to);
            self.ranges.remove(&from);
        }
        self.ranges.insert(first, last);
    }

    /// Whether any of it is in use.
    fn overlaps(&self, net: Ipv4Net) -> bool {
        let (first, last) = (u32::from(net.network()), u32::from(net.broadcast()));
        self.ranges
            .range(..=last)
            .next_back()
            .is_some_and(|(_, to)| *to >= first)
    }

    /// A free block of the pool, at or behind the slot that the id falls on. It is not marked as taken.
    pub(super) fn free(&self, pool: Ipv4Net, prefix: u8, id: &str) -> Option<Ipv4Net> {
        let bits = u32::from(prefix.checked_sub(pool.prefix_len())?);
        let slots = 1u64.checked_shl(bits)?;
        let size = 1u64.checked_shl(32u32.checked_sub(u32::from(prefix))?)?;
        let hash = Digest::of(id.as_bytes());
        let hash = hash
            .as_bytes()
            .iter()
            .take(8)
            .fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let base = u64::from(u32::from(pool.network()));
        (0..slots).find_map(|step| {
            let slot = (hash % slots + step) % slots;
            let address = u32::try_from(base + slot * size).ok()?;
            let net = Ipv4Net::new(Ipv4Addr::from(address), prefix).ok()?;
            (!self.overlaps(net)).then_some(net)
        })
    }
}

/// The subnets of a VCN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subnets {
    pub(super) workers: Ipv4Net,
    pub(super) load_balancers: Ipv4Net,
    pub(super) endpoint: Ipv4Net,
}

/// The lower half for workers; of the upper half the first fourth for load balancers and a small one behind it for the
/// private endpoint. The rest stays free. A VCN is a /16 to a /24: OCI takes no larger one, and a smaller one has no room.
pub(super) fn split(vcn: Ipv4Net) -> Option<Subnets> {
    let prefix = vcn.prefix_len();
    if !(16..=24).contains(&prefix) {
        return None;
    }
    let half = 1u32 << (31 - prefix);
    let upper = u32::from(vcn.network()) + half;
    let small = (prefix + 6).min(29);
    Some(Subnets {
        workers: Ipv4Net::new(vcn.network(), prefix + 1).ok()?,
        load_balancers: Ipv4Net::new(Ipv4Addr::from(upper), prefix + 3).ok()?,
        endpoint: Ipv4Net::new(Ipv4Addr::from(upper + half / 4), small).ok()?,
    })
}

/// The same net without host bits, if it is IPv4.
pub(super) fn v4(net: IpNet) -> Option<Ipv4Net> {
    match net.trunc() {
        IpNet::V4(net) => Some(net),
        IpNet::V6(_) => None,
    }
}

/// Reads a range; one with host bits set is no range.
pub(super) fn parse(text: &str) -> Result<IpNet, String> {
    match text.parse::<IpNet>() {
        Ok(net) if net.trunc() == net => Ok(net),
        Ok(net) => Err(format!("`{text}` has host bits set, its network is `{}`", net.trunc())),
        Err(_) if text.parse::<IpAddr>().is_ok() => Err(format!("`{text}` is an address, a range ends in `/<length>`")),
        Err(_) => Err(format!("`{text}` is no address range, such as `10.16.0.0/16`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_block_is_in_the_pool_and_overlaps_nothing() {
        let pool: Ipv4Net = "10.16.0.0/16".parse().unwrap();
        let mut taken = Taken::default();
        taken.add("10.16.128.0/17".parse().unwrap());
        let mut seen = Vec::new();
        for id in 0..8 {
            let net = taken.free(pool, 20, &id.to_string()).unwrap();
            assert!(pool.contains(&net));
            assert!(!taken.overlaps(net));
            taken.add(net);
            seen.push(net);
        }
        assert_eq!(taken.free(pool, 20, "one more"), None, "the pool is used up: {seen:?}");
    }

    #[test]
    fn subnets_are_disjoint_and_inside() {
        for prefix in 16..=24 {
            let vcn = Ipv4Net::new(Ipv4Addr::new(10, 16, 0, 0), prefix).unwrap();
            let subnets = split(vcn).unwrap();
            let all = [subnets.workers, subnets.load_balancers, subnets.endpoint];
            let mut taken = Taken::default();
            for net in all {
                assert!(vcn.contains(&net));
                assert!(!taken.overlaps(net), "{net} of {vcn}");
                taken.add(net);
            }
        }
        assert_eq!(split("10.0.0.0/8".parse().unwrap()), None);
    }
}
