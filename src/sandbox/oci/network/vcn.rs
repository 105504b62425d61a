//! Virtual cloud networks, born with a route table, a security list and DHCP options.

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::super::call::{Call, body, texts};
use super::super::cidr;
use super::super::generic;
use super::super::kind::Kind;
use super::super::models::Body;
use super::super::refusal::Refusal;
use super::super::state::{Record, State};
use super::blocks;
use super::dhcp::DHCP_OPTIONS;
use super::label;
use super::route_table::ROUTE_TABLE;
use super::security_list::SECURITY_LIST;

pub(in super::super) static VCN: Kind = Kind {
    name: "Vcn",
    ocid: "vcn",
    create: "CreateVcnDetails",
    update: "UpdateVcnDetails",
    prepare,
    born,
    dies,
    ..Kind::PLAIN
};

fn prepare(state: &mut State, call: &Call, fields: &mut Body) -> Result<(), Refusal> {
    let blocks = match (fields.remove("cidrBlock"), fields.get("cidrBlocks")) {
        (Some(_), Some(_)) => return Err(Refusal::invalid("cidrBlock and cidrBlocks can't both be given")),
        (Some(block), None) => vec![block],
        (None, Some(Value::Array(blocks))) if !blocks.is_empty() => blocks.clone(),
        (None, _) => return Err(Refusal::missing("cidrBlocks")),
    };
    fields.insert("cidrBlock".to_owned(), blocks.first().cloned().unwrap_or_default());
    fields.insert("cidrBlocks".to_owned(), Value::Array(blocks));
    disjoint(state, fields)?;
    label(fields)?;
    let vcns = state
        .all(&VCN)
        .filter(|vcn| vcn.region == call.region.id && vcn.tenancy == call.principal.tenancy && vcn.lives());
    if vcns.count() >= state.limits.vcns {
        return Err(Refusal::limit(format!(
            "the region has {} VCNs already",
            state.limits.vcns
        )));
    }
    if let Some(label) = fields.get("dnsLabel").and_then(Value::as_str) {
        let domain = format!("{label}.oraclevcn.com");
        fields.insert("vcnDomainName".to_owned(), domain.into());
    }
    let of_oracle = fields.get("isOracleGuaAllocationEnabled") != Some(&Value::Bool(false));
    if fields.remove("isIpv6Enabled") == Some(Value::Bool(true)) && of_oracle {
        let block = blocks::of_oracle(state.next());
        fields.insert("ipv6CidrBlocks".to_owned(), json!([block]));
    }
    fields.remove("isOracleGuaAllocationEnabled");
    fields.remove("byoipv6CidrDetails");
    Ok(())
}

pub(super) fn disjoint(state: &State, fields: &Body) -> Result<(), Refusal> {
    let blocks: Vec<_> = texts(fields, "cidrBlocks")
        .map(|text| cidr::network("cidrBlocks", text))
        .collect::<Result<_, _>>()?;
    if blocks.len() > state.limits.vcn_cidrs {
        return Err(Refusal::limit(format!(
            "a VCN has at most {} CIDRs",
            state.limits.vcn_cidrs
        )));
    }
    for (index, block) in blocks.iter().enumerate() {
        if let Some(other) = blocks.iter().take(index).find(|other| cidr::overlap(block, other)) {
            return Err(Refusal::invalid(format!("the CIDRs {other} and {block} overlap")));
        }
    }
    Ok(())
}

fn born(state: &mut State, call: &Call, id: &str) {
    let Some(vcn) = state.find(id) else { return };
    let name = vcn.text("displayName").to_owned();
    let shared = |what: &str| {
        body([
            ("compartmentId", Value::from(vcn.compartment())),
            ("vcnId", Value::from(id)),
            ("displayName", format!("Default {what} for {name}").into()),
            ("lifecycleState", "AVAILABLE".into()),
        ])
    };
    let mut table = shared("Route Table");
    table.insert("routeRules".to_owned(), json!([]));
    let mut list = shared("Security List");
    list.extend(default_rules());
    let mut options = shared("DHCP Options");
    options.insert("domainNameType".to_owned(), "CUSTOM_DOMAIN".into());
    options.insert(
        "options".to_owned(),
        json!([{"type": "DomainNameServer", "serverType": "VcnLocalPlusInternet", "customDnsServers": []}]),
    );
    let defaults = body([
        (
            "defaultRouteTableId",
            generic::beget(state, call, &ROUTE_TABLE, table).into(),
        ),
        (
            "defaultSecurityListId",
            generic::beget(state, call, &SECURITY_LIST, list).into(),
        ),
        (
            "defaultDhcpOptionsId",
            generic::beget(state, call, &DHCP_OPTIONS, options).into(),
        ),
    ]);
    state.amend(id, |vcn| vcn.body_mut().extend(defaults));
}

/// SSH and path discovery in, everything out.
fn default_rules() -> Body {
    let port = json!({"destinationPortRange": {"min": 22, "max": 22}});
    body([
        (
            "ingressSecurityRules",
            json!([
                {"protocol": "6", "source": "0.0.0.0/0", "sourceType": "CIDR_BLOCK", "isStateless": false, "tcpOptions": port},
                {"protocol": "1", "source": "0.0.0.0/0", "sourceType": "CIDR_BLOCK", "isStateless": false,
                 "icmpOptions": {"type": 3, "code": 4}},
            ]),
        ),
        (
            "egressSecurityRules",
            json!([{"protocol": "all", "destination": "0.0.0.0/0", "destinationType": "CIDR_BLOCK", "isStateless": false}]),
        ),
    ])
}

fn dies(state: &mut State, call: &Call, vcn: &Record) {
    for default in ["defaultRouteTableId", "defaultSecurityListId", "defaultDhcpOptionsId"] {
        generic::end(state, call, vcn.text(default));
    }
}

/// The CIDRs of a VCN.
pub(super) fn blocks(vcn: &Record) -> Vec<Ipv4Net> {
    texts(vcn.body(), "cidrBlocks")
        .filter_map(|text| text.parse().ok())
        .collect()
}
