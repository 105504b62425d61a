//! Addresses, networks and URLs.

#![expect(
    clippy::disallowed_types,
    reason = "what the crate's map is made of; no order of it is seen"
)]

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use cel::common::types::{CelBool, CelInt, CelList, CelMap, CelMapKey, CelString};
use cel::common::value::Val;
use cel::{DeclarationError, Env, ExecutionError};
use ipnet::IpNet;

use super::super::url::{Url as Parts, parse};
use super::value::opaque;

opaque!(Ip, IpAddr, "net.IP");
opaque!(Cidr, IpNet, "net.CIDR");
opaque!(Url, Parts, "kubernetes.URL");

pub(super) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    cel::add_overload!(env, fn is_ip: (CelString) -> CelBool, name = "isIP")?;
    cel::add_overload!(env, fn ip: (CelString) -> Result<Ip>)?;
    cel::add_overload!(env, fn is_canonical: (CelString) -> Result<CelBool>, name = "ip.isCanonical")?;
    cel::add_overload!(env, fn ip_text: (Ip) -> CelString, name = "string")?;
    cel::add_member_overload!(env, fn family: (Ip) -> CelInt)?;
    cel::add_member_overload!(env, fn is_loopback: (Ip) -> CelBool)?;
    cel::add_member_overload!(env, fn is_unspecified: (Ip) -> CelBool)?;
    cel::add_member_overload!(env, fn is_link_local_unicast: (Ip) -> CelBool)?;
    cel::add_member_overload!(env, fn is_link_local_multicast: (Ip) -> CelBool)?;
    cel::add_member_overload!(env, fn is_global_unicast: (Ip) -> CelBool)?;
    cel::add_overload!(env, fn is_cidr: (CelString) -> CelBool, name = "isCIDR")?;
    cel::add_overload!(env, fn cidr: (CelString) -> Result<Cidr>)?;
    cel::add_overload!(env, fn cidr_text: (Cidr) -> CelString, name = "string")?;
    cel::add_member_overload!(env, fn cidr_ip: (Cidr) -> Ip, name = "ip")?;
    cel::add_member_overload!(env, fn masked: (Cidr) -> Cidr)?;
    cel::add_member_overload!(env, fn prefix_length: (Cidr) -> CelInt)?;
    cel::add_member_overload!(env, fn contains_ip: (Cidr, CelString) -> Result<CelBool>, name = "containsIP")?;
    cel::add_member_overload!(env, fn contains_ip_value: (Cidr, Ip) -> CelBool, name = "containsIP")?;
    cel::add_member_overload!(env, fn contains_cidr: (Cidr, CelString) -> Result<CelBool>, name = "containsCIDR")?;
    cel::add_member_overload!(env, fn contains_cidr_value: (Cidr, Cidr) -> CelBool, name = "containsCIDR")?;
    cel::add_overload!(env, fn is_url: (CelString) -> CelBool, name = "isURL")?;
    cel::add_overload!(env, fn url: (CelString) -> Result<Url>)?;
    cel::add_member_overload!(env, fn get_scheme: (Url) -> CelString)?;
    cel::add_member_overload!(env, fn get_host: (Url) -> CelString)?;
    cel::add_member_overload!(env, fn get_hostname: (Url) -> CelString)?;
    cel::add_member_overload!(env, fn get_port: (Url) -> CelString)?;
    cel::add_member_overload!(env, fn get_escaped_path: (Url) -> CelString)?;
    cel::add_member_overload!(env, fn get_query: (Url) -> CelMap)
}

/// No zone, no IPv4 within IPv6.
fn parse_ip(text: &str) -> Option<IpAddr> {
    let ip: IpAddr = text.parse().ok()?;
    match ip {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => None,
        IpAddr::V4(_) | IpAddr::V6(_) => Some(ip),
    }
}

fn parse_cidr(text: &str) -> Option<IpNet> {
    let (ip, length) = text.split_once('/')?;
    parse_ip(ip)?;
    // `/08` and `/+8` are numbers to Rust, and no lengths.
    let plain = length == "0" || (!length.starts_with('0') && length.bytes().all(|b| b.is_ascii_digit()));
    if plain { text.parse().ok() } else { None }
}

fn is_ip(text: &CelString<'_>) -> CelBool {
    parse_ip(text.inner()).is_some().into()
}

fn ip(text: &CelString<'_>) -> Result<Ip, ExecutionError> {
    parse_ip(text.inner())
        .map(Ip)
        .ok_or_else(|| ExecutionError::function_error("ip", "no IP address"))
}

fn is_canonical(text: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    Ok((ip(text)?.0.to_string() == text.inner()).into())
}

fn ip_text(ip: &Ip) -> CelString<'static> {
    ip.0.to_string().into()
}

fn family(ip: &Ip) -> CelInt {
    CelInt::from(if ip.0.is_ipv4() { 4 } else { 6 })
}

fn is_loopback(ip: &Ip) -> CelBool {
    ip.0.is_loopback().into()
}

fn is_unspecified(ip: &Ip) -> CelBool {
    ip.0.is_unspecified().into()
}

fn link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn is_link_local_unicast(ip: &Ip) -> CelBool {
    link_local(ip.0).into()
}

fn is_link_local_multicast(ip: &Ip) -> CelBool {
    let local = match ip.0 {
        IpAddr::V4(v4) => v4.octets()[..3] == [224, 0, 0],
        IpAddr::V6(v6) => v6.segments()[0] & 0xff0f == 0xff02,
    };
    local.into()
}

fn is_global_unicast(ip: &Ip) -> CelBool {
    let broadcast = matches!(ip.0, IpAddr::V4(v4) if v4.is_broadcast());
    let special = ip.0.is_unspecified() || ip.0.is_loopback() || ip.0.is_multicast() || link_local(ip.0);
    (!broadcast && !special).into()
}

fn is_cidr(text: &CelString<'_>) -> CelBool {
    parse_cidr(text.inner()).is_some().into()
}

fn cidr(text: &CelString<'_>) -> Result<Cidr, ExecutionError> {
    parse_cidr(text.inner())
        .map(Cidr)
        .ok_or_else(|| ExecutionError::function_error("cidr", "no CIDR"))
}

fn cidr_text(cidr: &Cidr) -> CelString<'static> {
    cidr.0.to_string().into()
}

fn cidr_ip(cidr: &Cidr) -> Ip {
    Ip(cidr.0.addr())
}

fn masked(cidr: &Cidr) -> Cidr {
    Cidr(cidr.0.trunc())
}

fn prefix_length(cidr: &Cidr) -> CelInt {
    CelInt::from(i64::from(cidr.0.prefix_len()))
}

fn contains_ip(cidr: &Cidr, other: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    Ok(cidr.0.contains(&ip(other)?.0).into())
}

fn contains_ip_value(cidr: &Cidr, other: &Ip) -> CelBool {
    cidr.0.contains(&other.0).into()
}

fn contains_cidr(this: &Cidr, other: &CelString<'_>) -> Result<CelBool, ExecutionError> {
    Ok(this.0.contains(&cidr(other)?.0).into())
}

fn contains_cidr_value(this: &Cidr, other: &Cidr) -> CelBool {
    this.0.contains(&other.0).into()
}

fn is_url(text: &CelString<'_>) -> CelBool {
    parse(text.inner()).is_some().into()
}

fn url(text: &CelString<'_>) -> Result<Url, ExecutionError> {
    parse(text.inner())
        .map(Url)
        .ok_or_else(|| ExecutionError::function_error("url", "no URL"))
}

fn get_scheme(url: &Url) -> CelString<'static> {
    url.0.scheme.clone().into()
}

fn get_host(url: &Url) -> CelString<'static> {
    url.0.host.clone().into()
}

fn get_hostname(url: &Url) -> CelString<'static> {
    url.0.hostname().to_owned().into()
}

fn get_port(url: &Url) -> CelString<'static> {
    url.0.port().to_owned().into()
}

fn get_escaped_path(url: &Url) -> CelString<'static> {
    url.0.path.clone().into()
}

fn get_query(url: &Url) -> CelMap<'static> {
    let mut values: BTreeMap<&str, Vec<Box<dyn Val>>> = BTreeMap::new();
    for pair in url.0.query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = Box::new(CelString::from(value.to_owned()));
        values.entry(key).or_default().push(value);
    }
    let list = |values| Box::new(CelList::from(values)) as Box<dyn Val>;
    let query: HashMap<CelMapKey<'static>, Box<dyn Val>> = values
        .into_iter()
        .map(|(key, values)| (key.to_owned().into(), list(values)))
        .collect();
    CelMap::from(query)
}
