//! IPv4 blocks as the API takes them.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::refusal::Refusal;

/// Largest and smallest block of a VCN or subnet.
const PREFIXES: std::ops::RangeInclusive<u8> = 16..=30;

/// A block of a VCN or subnet.
pub(super) fn network(field: &str, text: &str) -> Result<Ipv4Net, Refusal> {
    let block = any(field, text)?;
    if !PREFIXES.contains(&block.prefix_len()) {
        return Err(Refusal::invalid(format!("{field}: {text} must be from /16 to /30")));
    }
    Ok(block)
}

/// A block of any size, as rules have them.
pub(super) fn any(field: &str, text: &str) -> Result<Ipv4Net, Refusal> {
    let block: Ipv4Net = text
        .parse()
        .map_err(|_| Refusal::invalid(format!("{field}: {text} is no IPv4 CIDR")))?;
    if block.trunc() != block {
        return Err(Refusal::invalid(format!("{field}: {text} has host bits set")));
    }
    Ok(block)
}

/// Whether they have an address in common.
pub(super) fn overlap(left: &Ipv4Net, right: &Ipv4Net) -> bool {
    left.contains(right) || right.contains(left)
}

/// The address of a subnet's router, its first host.
pub(super) fn router(block: &Ipv4Net) -> Ipv4Addr {
    block.hosts().next().unwrap_or_else(|| block.network())
}

/// The first address that may be handed out and is not taken: the first two and the last of a block never are.
pub(super) fn free(block: &Ipv4Net, taken: impl Fn(Ipv4Addr) -> bool) -> Option<Ipv4Addr> {
    block.hosts().skip(1).find(|address| !taken(*address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_addresses_are_not_handed_out() {
        let block = network("cidrBlock", "10.0.0.0/30").unwrap();
        assert_eq!(router(&block).to_string(), "10.0.0.1");
        assert_eq!(free(&block, |_| false).unwrap().to_string(), "10.0.0.2");
        assert_eq!(free(&block, |_| true), None);
        assert!(network("cidrBlock", "10.0.0.1/24").is_err());
        assert!(network("cidrBlock", "10.0.0.0/31").is_err());
    }
}
