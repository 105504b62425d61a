//! Address blocks of VCNs and subnets after their creation: each comes and goes by an action of its own.

use ipnet::{Ipv4Net, Ipv6Net};
use serde_json::{Value, json};

use super::super::call::{Call, Reply, body, text, texts};
use super::super::generic;
use super::super::models::{self, Body};
use super::super::refusal::Refusal;
use super::super::state::{Record, State, Then, after};
use super::super::work;
use super::subnet::{self, SUBNET};
use super::vcn::{self, VCN};

/// Seconds for which something is `UPDATING` when its blocks change.
const CHANGE: i64 = 3;

/// Size of a VCN's IPv6 blocks.
const IPV6_PREFIX: u8 = 56;

fn details(call: &Call, model: &str) -> Result<Body, Refusal> {
    let mut fields = call.body.clone();
    models::check(model, &mut fields)?;
    Ok(fields)
}

/// Sets fields once the change is through.
fn begin(state: &mut State, call: &Call, id: &str, mut fields: Body) -> Reply {
    generic::record_write(state, call, id);
    generic::set(state, id, "lifecycleState", "UPDATING");
    fields.insert("lifecycleState".to_owned(), "AVAILABLE".into());
    state.schedule(id, [(after(call.now, CHANGE), Then::Set(fields))]);
    let request = work::begun(state, call, id, CHANGE);
    Reply::done(id).status(http::StatusCode::ACCEPTED).work_request(request)
}

fn add(blocks: &mut Vec<String>, block: &str) {
    blocks.push(block.to_owned());
}

fn modify(blocks: &mut [String], fields: &Body, of: &str) -> Result<(), Refusal> {
    let original = text(fields, "originalCidrBlock");
    let Some(block) = blocks.iter_mut().find(|block| *block == original) else {
        return Err(Refusal::invalid(format!("{original} is no CIDR of this {of}")));
    };
    text(fields, "newCidrBlock").clone_into(block);
    Ok(())
}

fn remove(blocks: &mut Vec<String>, block: &str, of: &str) -> Result<(), Refusal> {
    let before = blocks.len();
    blocks.retain(|other| other != block);
    match (before == blocks.len(), blocks.is_empty()) {
        (true, _) => Err(Refusal::invalid(format!("{block} is no CIDR of this {of}"))),
        (_, true) => Err(Refusal::invalid(format!("the last CIDR of a {of} can't be removed"))),
        _ => Ok(()),
    }
}

pub(super) fn add_vcn(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = details(call, "AddVcnCidrDetails")?;
    of_vcn(state, call, |blocks| {
        add(blocks, text(&fields, "cidrBlock"));
        Ok(())
    })
}

pub(super) fn modify_vcn(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = details(call, "ModifyVcnCidrDetails")?;
    of_vcn(state, call, |blocks| modify(blocks, &fields, "VCN"))
}

pub(super) fn remove_vcn(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = details(call, "RemoveVcnCidrDetails")?;
    of_vcn(state, call, |blocks| remove(blocks, text(&fields, "cidrBlock"), "VCN"))
}

fn of_vcn(
    state: &mut State,
    call: &Call,
    change: impl FnOnce(&mut Vec<String>) -> Result<(), Refusal>,
) -> Result<Reply, Refusal> {
    let vcn = generic::writable(state, call)?;
    let id = vcn.id.clone();
    let mut blocks: Vec<_> = texts(vcn.body(), "cidrBlocks").map(str::to_owned).collect();
    change(&mut blocks)?;
    let first = blocks.first().cloned().unwrap_or_default();
    let fields = body([("cidrBlock", first.into()), ("cidrBlocks", json!(blocks))]);
    vcn::disjoint(state, &fields)?;
    let parsed: Vec<Ipv4Net> = blocks.iter().filter_map(|block| block.parse().ok()).collect();
    let is_outside = |block: &Ipv4Net| !parsed.iter().any(|parsed| parsed.contains(block));
    let reaches_out = |subnet: &&Record| subnet.lives() && subnet::blocks(subnet).iter().any(is_outside);
    if let Some(subnet) = state.held(&id, &SUBNET).find(reaches_out) {
        return Err(Refusal::conflict(format!(
            "Subnet {} is in the CIDR that goes",
            subnet.id
        )));
    }
    Ok(begin(state, call, &id, fields))
}

/// A block of Oracle's.
pub(super) fn of_oracle(number: u64) -> String {
    format!(
        "2603:c020:{:x}:{:x}00::/{IPV6_PREFIX}",
        (number >> 8) & 0xffff,
        number & 0xff
    )
}

pub(super) fn add_ipv6(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = details(call, "AddVcnIpv6CidrDetails")?;
    let vcn = generic::writable(state, call)?;
    let id = vcn.id.clone();
    let listed = |vcn: &Record, field: &str| -> Vec<String> { texts(vcn.body(), field).map(str::to_owned).collect() };
    let (mut public, mut private) = (listed(vcn, "ipv6CidrBlocks"), listed(vcn, "ipv6PrivateCidrBlocks"));
    let own = text(&fields, "ipv6PrivateCidrBlock");
    match (fields.get("isOracleGuaAllocationEnabled"), own.is_empty()) {
        (Some(Value::Bool(true)), true) if !public.is_empty() => {
            return Err(Refusal::conflict("the VCN has a block of Oracle's already"));
        }
        (Some(Value::Bool(true)), true) => public.push(of_oracle(state.next())),
        (_, false) => {
            let block: Ipv6Net = own
                .parse()
                .map_err(|_| Refusal::invalid(format!("ipv6PrivateCidrBlock: {own} is no IPv6 CIDR")))?;
            if block.prefix_len() != IPV6_PREFIX || private.contains(&block.to_string()) {
                return Err(Refusal::invalid(format!(
                    "ipv6PrivateCidrBlock: {own} must be a /{IPV6_PREFIX} that the VCN does not have"
                )));
            }
            private.push(block.to_string());
        }
        (_, true) => return Err(Refusal::missing("ipv6PrivateCidrBlock")),
    }
    let fields = body([
        ("ipv6CidrBlocks", json!(public)),
        ("ipv6PrivateCidrBlocks", json!(private)),
    ]);
    Ok(begin(state, call, &id, fields))
}

pub(super) fn remove_ipv6(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = details(call, "RemoveVcnIpv6CidrDetails")?;
    let vcn = generic::writable(state, call)?;
    let id = vcn.id.clone();
    let gone = text(&fields, "ipv6CidrBlock").to_owned();
    let left = |field: &str| -> Vec<String> {
        let blocks = texts(vcn.body(), field).filter(|block| *block != gone);
        blocks.map(str::to_owned).collect()
    };
    let of = ["ipv6CidrBlocks", "ipv6PrivateCidrBlocks"];
    if !of
        .into_iter()
        .any(|field| texts(vcn.body(), field).any(|block| block == gone))
    {
        return Err(Refusal::invalid(format!("{gone} is no IPv6 CIDR of this VCN")));
    }
    let after = body(of.map(|field| (field, json!(left(field)))));
    let outer: Option<Ipv6Net> = gone.parse().ok();
    let within = |subnet: &&Record| {
        let own = std::iter::once(subnet.text("ipv6CidrBlock")).chain(texts(subnet.body(), "ipv6CidrBlocks"));
        let mut own = own.filter_map(|block| block.parse::<Ipv6Net>().ok());
        outer.is_some_and(|outer| own.any(|block| outer.contains(&block)))
    };
    if let Some(subnet) = state.held(&id, &SUBNET).filter(|subnet| subnet.lives()).find(within) {
        return Err(Refusal::conflict(format!(
            "Subnet {} is in the CIDR that goes",
            subnet.id
        )));
    }
    Ok(begin(state, call, &id, after))
}

pub(super) fn add_subnet(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = details(call, "AddSubnetIpv4CidrDetails")?;
    of_subnet(state, call, |blocks| {
        add(blocks, text(&fields, "ipv4CidrBlock"));
        Ok(())
    })
}

pub(super) fn modify_subnet(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = details(call, "ModifySubnetIpv4CidrDetails")?;
    of_subnet(state, call, |blocks| modify(blocks, &fields, "subnet"))
}

pub(super) fn remove_subnet(state: &mut State, call: &Call) -> Result<Reply, Refusal> {
    let fields = details(call, "RemoveSubnetIpv4CidrDetails")?;
    of_subnet(state, call, |blocks| {
        remove(blocks, text(&fields, "ipv4CidrBlock"), "subnet")
    })
}

fn of_subnet(
    state: &mut State,
    call: &Call,
    change: impl FnOnce(&mut Vec<String>) -> Result<(), Refusal>,
) -> Result<Reply, Refusal> {
    let subnet = generic::writable(state, call)?;
    let id = subnet.id.clone();
    let vcn = state.related(call, "vcnId", &VCN, subnet.text("vcnId"))?;
    let mut blocks: Vec<_> = subnet::blocks(subnet).iter().map(ToString::to_string).collect();
    change(&mut blocks)?;
    let mut placed: Vec<Ipv4Net> = Vec::new();
    for block in &blocks {
        let block = subnet::place(state, vcn, block, Some(&id))?;
        if let Some(other) = placed.iter().find(|other| super::super::cidr::overlap(other, &block)) {
            return Err(Refusal::invalid(format!("the CIDRs {other} and {block} overlap")));
        }
        placed.push(block);
    }
    subnet::holds_what_is_in_use(state, &id, &placed)?;
    let first = blocks.first().cloned().unwrap_or_default();
    let fields = body([("cidrBlock", first.into()), ("ipv4CidrBlocks", json!(blocks))]);
    Ok(begin(state, call, &id, fields))
}
