//! Address blocks of VCNs and subnets: each is added and removed by an action of its own.

use serde_json::{Map, Value, json};

use super::super::step::Step;

/// OCI shows IPv6 by the blocks that it gave, and takes it as a flag; of two spellings of the IPv4 blocks, the list is ours.
pub(super) fn vcn_as_created(shown: &mut Map<String, Value>) {
    let ipv6 = ["ipv6CidrBlocks", "ipv6PrivateCidrBlocks", "byoipv6CidrBlocks"]
        .iter()
        .filter_map(|key| shown.get(*key)?.as_array())
        .any(|blocks| !blocks.is_empty());
    shown.insert("isIpv6Enabled".to_owned(), ipv6.into());
    if !shown.get("cidrBlocks").is_some_and(Value::is_array)
        && let Some(block) = shown.get("cidrBlock").filter(|block| !block.is_null()).cloned()
    {
        shown.insert("cidrBlocks".to_owned(), Value::Array(vec![block]));
    }
}

/// Whether a field comes with others: a VCN has IPv6 once a block of ours is added, and to ask for it alone would have OCI add
/// one of its own.
pub(in super::super) fn follows(field: &str, wanted: &Map<String, Value>) -> bool {
    let own = wanted.get("ipv6PrivateCidrBlocks").and_then(Value::as_array);
    field == "isIpv6Enabled" && own.is_some_and(|blocks| !blocks.is_empty())
}

/// The actions that bring one list of blocks to what is wanted: what comes is there before what goes.
pub(in super::super) fn steps(kind: &str, field: &str, wanted: &Value, live: Option<&Value>) -> Vec<Step> {
    let listed = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let wanted_blocks = listed(wanted);
    let live_blocks = live.map(listed).unwrap_or_default();
    let added = wanted_blocks.iter().filter(|block| !live_blocks.contains(block));
    let removed = live_blocks.iter().filter(|block| !wanted_blocks.contains(block));
    match (kind, field) {
        ("Vcn", "cidrBlocks") => added
            .map(|block| Step::action("AddVcnCidr", "addCidr", json!({"cidrBlock": block})))
            .chain(removed.map(|block| Step::action("RemoveVcnCidr", "removeCidr", json!({"cidrBlock": block}))))
            .collect(),
        ("Vcn", "ipv6PrivateCidrBlocks") => added
            .map(|block| Step::action("AddIpv6VcnCidr", "addIpv6Cidr", json!({"ipv6PrivateCidrBlock": block})))
            .chain(
                removed
                    .map(|block| Step::action("RemoveIpv6VcnCidr", "removeIpv6Cidr", json!({"ipv6CidrBlock": block}))),
            )
            .collect(),
        ("Vcn", "isIpv6Enabled") if *wanted == Value::Bool(true) => {
            let body = json!({"isOracleGuaAllocationEnabled": true});
            vec![Step::action("AddIpv6VcnCidr", "addIpv6Cidr", body)]
        }
        ("Subnet", "ipv4CidrBlocks") => added
            .map(|block| Step::action("AddIpv4SubnetCidr", "addIpv4Cidr", json!({"ipv4CidrBlock": block})))
            .chain(removed.map(|block| {
                Step::action(
                    "RemoveIpv4SubnetCidr",
                    "removeIpv4Cidr",
                    json!({"ipv4CidrBlock": block}),
                )
            }))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_our_own_brings_ipv6_with_it() {
        let wanted = |blocks: Value| json!({"isIpv6Enabled": true, "ipv6PrivateCidrBlocks": blocks});
        let follows = |field: &str, blocks| follows(field, wanted(blocks).as_object().unwrap());
        assert!(follows("isIpv6Enabled", json!(["fd12::/56"])));
        assert!(!follows("isIpv6Enabled", json!([])));
        assert!(!follows("ipv6PrivateCidrBlocks", json!(["fd12::/56"])));
    }

    #[test]
    fn a_block_is_added_before_another_is_removed() {
        let (wanted, live) = (
            json!(["10.1.0.0/16", "10.2.0.0/16"]),
            json!(["10.0.0.0/16", "10.1.0.0/16"]),
        );
        let steps = steps("Vcn", "cidrBlocks", &wanted, Some(&live));
        let operations: Vec<_> = steps.iter().map(|step| step.operation).collect();
        assert_eq!(operations, ["AddVcnCidr", "RemoveVcnCidr"]);
        assert_eq!(steps[1].body, Some(json!({"cidrBlock": "10.0.0.0/16"})));
    }
}
