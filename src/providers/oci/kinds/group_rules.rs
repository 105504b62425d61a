//! The rules of a security group: added and removed by number, read apart from the group, and with nothing that makes a
//! repeated call harmless. So they are read afresh before each change, and again after an answer that was lost.

use http::Method;
use serde_json::{Value, json};

use super::super::api::{Place, Service};
use super::super::calls::{change, get};
use super::super::client::Client;
use super::super::error::OciError;
use super::encode;
use crate::resource::Digest;
use crate::resource::oci::{Item, normal_item};

/// OCI takes so many rules a call.
const PER_CALL: usize = 25;
/// Rounds of reading and changing, where answers get lost.
const ROUNDS: usize = 4;

/// Reads a group's rules.
pub(in super::super) async fn read(client: &Client, place: &Place, group: &str) -> Result<Vec<Value>, OciError> {
    let path = format!("/networkSecurityGroups/{}/securityRules", encode(group));
    client
        .list(get(Service::Core, place, "ListNetworkSecurityGroupSecurityRules", path))
        .await
}

/// Brings a group's rules to what is wanted: what comes is there before what goes. Gives whether anything had to change.
pub(in super::super) async fn set(
    client: &Client,
    place: &Place,
    group: &str,
    wanted: &[Value],
) -> Result<bool, OciError> {
    let mut changed = false;
    let mut lost = None;
    for _ in 0..ROUNDS {
        let live = read(client, place, group).await?;
        let changes = Changes::between(wanted, &live);
        if changes.is_empty() {
            return Ok(changed);
        }
        changed = true;
        match changes.make(client, place, group).await {
            Ok(()) => return Ok(true),
            Err(error) if error.outcome_unknown() => lost = Some(error),
            Err(error) => return Err(error),
        }
    }
    lost.map_or(Ok(changed), Err)
}

/// What has to be called.
#[derive(Debug, Default, PartialEq)]
struct Changes {
    added: Vec<Value>,
    removed: Vec<String>,
}

impl Changes {
    fn between(wanted: &[Value], live: &[Value]) -> Self {
        let normal = |rule: &Value| normal_item(Item::SecurityRule, rule);
        let mut left: Vec<(Value, &Value)> = live.iter().map(|rule| (normal(rule), rule)).collect();
        let mut added = Vec::new();
        for rule in wanted.iter().map(normal) {
            match left.iter().position(|(other, _)| *other == rule) {
                Some(i) => drop(left.swap_remove(i)),
                None => added.push(rule),
            }
        }
        let removed = left
            .iter()
            .filter_map(|(_, rule)| rule.get("id")?.as_str().map(str::to_owned))
            .collect();
        Self { added, removed }
    }

    fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    async fn make(&self, client: &Client, place: &Place, group: &str) -> Result<(), OciError> {
        match self.add(client, place, group).await {
            // Old and new together are more than a group may hold.
            Err(error) if error.code() == Some("LimitExceeded") && !self.removed.is_empty() => {
                self.remove(client, place, group).await?;
                // How many of them were added before the limit is known to a fresh look alone.
                let live = read(client, place, group).await?;
                let rest = Self::between(&self.added, &live);
                rest.add(client, place, group).await
            }
            Err(error) => Err(error),
            Ok(()) => self.remove(client, place, group).await,
        }
    }

    async fn add(&self, client: &Client, place: &Place, group: &str) -> Result<(), OciError> {
        for rules in self.added.chunks(PER_CALL) {
            let body = json!({"securityRules": rules});
            act(
                client,
                place,
                group,
                ("AddNetworkSecurityGroupSecurityRules", "addSecurityRules"),
                body,
            )
            .await?;
        }
        Ok(())
    }

    async fn remove(&self, client: &Client, place: &Place, group: &str) -> Result<(), OciError> {
        for ids in self.removed.chunks(PER_CALL) {
            let body = json!({"securityRuleIds": ids});
            act(
                client,
                place,
                group,
                ("RemoveNetworkSecurityGroupSecurityRules", "removeSecurityRules"),
                body,
            )
            .await?;
        }
        Ok(())
    }
}

async fn act(
    client: &Client,
    place: &Place,
    group: &str,
    (operation, action): (&'static str, &str),
    body: Value,
) -> Result<(), OciError> {
    let path = format!("/networkSecurityGroups/{}/actions/{action}", encode(group));
    let call = change(Service::Core, place, operation, Method::POST, path, Some(body));
    client.call(call).await.map(drop)
}

/// In this hour of the day the rules of a group are read whatever its tag says: each has its own, which follows from its OCID, so
/// that all are read once a day by whoever looks all day, and each look reads a few.
pub(in super::super) fn is_turn(ocid: &str, now: jiff::Timestamp) -> bool {
    let turn = Digest::of(ocid.as_bytes())
        .to_hex()
        .bytes()
        .fold(0u64, |sum, byte| sum + u64::from(byte))
        % 24;
    let hour = now.as_second().rem_euclid(86_400) / 3_600;
    u64::try_from(hour) == Ok(turn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_has_one_hour_of_the_day() {
        let hours = |ocid: &str| -> Vec<i64> {
            let at = |hour: i64| jiff::Timestamp::from_second(hour * 3_600 + 59).unwrap();
            (0..48).filter(|hour| is_turn(ocid, at(*hour))).collect()
        };
        let mut all = std::collections::BTreeSet::new();
        for number in 0..200 {
            let hours = hours(&format!("ocid1.networksecuritygroup.oc1.iad.{number}"));
            assert!(hours.len() == 2 && hours[1] == hours[0] + 24, "{hours:?}");
            all.insert(hours[0]);
        }
        assert!(all.len() > 12, "they are spread: {all:?}");
    }

    #[test]
    fn rules_that_mean_the_same_are_left_alone() {
        let wanted = [
            json!({"direction": "EGRESS", "protocol": "all", "destination": "0.0.0.0/0"}),
            json!({"direction": "INGRESS", "protocol": "6", "source": "10.0.0.0/8"}),
        ];
        let live = [
            json!({"id": "1", "direction": "EGRESS", "protocol": "all", "destination": "0.0.0.0/0",
                "destinationType": "CIDR_BLOCK", "isStateless": false, "isValid": true}),
            json!({"id": "2", "direction": "INGRESS", "protocol": "17", "source": "10.0.0.0/8"}),
        ];
        let changes = Changes::between(&wanted, &live);
        assert_eq!(changes.removed, ["2"]);
        assert_eq!(changes.added.len(), 1);
        assert_eq!(changes.added[0]["protocol"], "6");
        assert!(Changes::between(&wanted[..1], &live[..1]).is_empty());
    }
}
