//! Address blocks: handed out from a region's pool at a slot derived from the id, so that parallel branches rarely choose
//! alike, and split into subnets.
//!
//! Invariant: a block once pinned is never given to another, and none overlaps an excluded range.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::model::{Preset, Role, SubnetPlan};
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

/// Cuts a VCN into the subnets of a preset: the lower half for workers (pods, where they have addresses), of the upper half
/// the first fourth for load balancers, and a small one behind it for the endpoint. The rest is for what else a preset has,
/// or stays free. A VCN is a /16 to a /24: OCI takes no larger one, and a smaller one has no room. Of an IPv6 range each
/// subnet gets a /64.
pub(super) fn split(vcn: Ipv4Net, v6: Option<Ipv6Net>, preset: Preset) -> Option<Vec<SubnetPlan>> {
    let prefix = vcn.prefix_len();
    if !(16..=24).contains(&prefix) {
        return None;
    }
    let half = 1u32 << (31 - prefix);
    let upper = u32::from(vcn.network()) + half;
    let small = (prefix + 6).min(29);
    let lower_half = (u32::from(vcn.network()), prefix + 1);
    let balancers = (upper, prefix + 3);
    let endpoint = (upper + half / 4, small);
    let behind = upper + half / 2;
    let private = |role, cut| (role, cut, false);
    let public = |role, cut| (role, cut, true);
    let cuts = match preset {
        Preset::HostedPrivate | Preset::HostedPublic => vec![
            private(Role::Workers, lower_half),
            private(Role::Endpoint, endpoint),
            (Role::LoadBalancers, balancers, preset == Preset::HostedPublic),
        ],
        Preset::SelfManaged => vec![
            public(Role::ControlPlaneEndpoint, endpoint),
            private(Role::ControlPlane, (behind, small)),
            private(Role::Worker, lower_half),
            public(Role::ServiceLb, balancers),
        ],
        Preset::Oke => vec![
            public(Role::ControlPlaneEndpoint, endpoint),
            private(Role::Worker, (behind, prefix + 2)),
            private(Role::Pod, lower_half),
            public(Role::ServiceLb, balancers),
        ],
    };
    let mut sixes = v6.and_then(|net| net.subnets(64).ok());
    cuts.into_iter()
        .map(|(role, (address, length), public)| {
            let v4 = IpNet::V4(Ipv4Net::new(Ipv4Addr::from(address), length).ok()?);
            let v6 = sixes.as_mut().and_then(Iterator::next).map(IpNet::V6);
            Some(SubnetPlan {
                role,
                cidrs: std::iter::once(v4).chain(v6).collect(),
                public,
            })
        })
        .collect()
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
        let v6: Ipv6Net = "fd12:3456:789a::/60".parse().unwrap();
        for (prefix, preset) in (16..=24).flat_map(|prefix| Preset::ALL.map(|preset| (prefix, preset))) {
            let vcn = Ipv4Net::new(Ipv4Addr::new(10, 16, 0, 0), prefix).unwrap();
            let subnets = split(vcn, Some(v6), preset).unwrap();
            assert!(subnets.len() >= 3);
            let mut seen: Vec<IpNet> = Vec::new();
            for net in subnets.iter().flat_map(|subnet| &subnet.cidrs) {
                assert!(IpNet::V4(vcn).contains(net) || IpNet::V6(v6).contains(net));
                let apart = |other: &IpNet| !other.contains(net) && !net.contains(other);
                assert!(seen.iter().all(apart), "{net} of {vcn}, {preset:?}");
                seen.push(*net);
            }
            assert_eq!(seen.len(), 2 * subnets.len());
        }
        assert_eq!(split("10.0.0.0/8".parse().unwrap(), None, Preset::HostedPrivate), None);
    }
}
