//! Where a cluster's workers live: a network that is there, by the OCIDs that its objects hold, and the ranges in it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::hub::{Hub, most_common};
use super::live::Object;
use super::names::plain;
use super::words::is_range;

type Settings = Map<String, Value>;

/// The subnet that most of some pools are in.
pub(super) fn most_used_subnet(pools: &[Object]) -> Option<String> {
    most_common(pools.iter().filter_map(|pool| pool.text("/platform/oci/subnet/ocid")))
}

/// `network` of a cluster.
pub(super) fn draft(cluster: &Object, oci: bool, workers: Option<String>) -> Value {
    let mut existing = Map::new();
    if oci {
        let of_cluster = |pointer: &str| cluster.text(pointer).map(str::to_owned);
        let parts = [
            ("vcn", of_cluster("/platform/oci/networkConfig/vcn/ocid")),
            (
                "endpointSubnet",
                of_cluster("/platform/oci/networkConfig/nlbSubnet/ocid"),
            ),
            ("workerSubnet", workers),
        ];
        for (key, ocid) in parts {
            existing.extend(ocid.map(|ocid| (key.to_owned(), ocid.into())));
        }
    }
    let mut network = Map::from_iter([("existing".to_owned(), Value::Object(existing))]);
    let mut set = |key: &str, value: Value| drop(network.insert(key.to_owned(), value));
    let list = |key: &str| {
        let found = cluster.spec.pointer(&format!("/networking/{key}"));
        found.and_then(Value::as_array).map(Vec::as_slice)
    };
    if let Some(machine) = list("machineNetwork").and_then(ranges) {
        set("machine", machine);
    }
    if let Some((pods, prefix)) = list("clusterNetwork").and_then(pods) {
        set("cluster", pods);
        // None at all is said by a null, since there is one for everybody.
        set("hostPrefix", prefix);
    }
    if let Some(services) = list("serviceNetwork").and_then(ranges) {
        set("service", services);
    }
    let kind = cluster.text("/networking/networkType");
    if let Some(kind) = kind.filter(|kind| ["OpenShiftSDN", "Calico", "Other"].contains(kind)) {
        set("type", kind.into());
    }
    Value::Object(network)
}

/// Finds the networks that some clusters have in common, and not all of them: each becomes a document of its own.
pub(super) fn share(clusters: &mut [(&Hub<'_>, &mut Settings)]) -> BTreeMap<String, Settings> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, (hub, settings)) in clusters.iter().enumerate() {
        let existing = settings.get("network").and_then(|network| network.get("existing"));
        if existing.is_some_and(|existing| existing.get("vcn").is_some()) {
            let place = [settings.get("region"), settings.get("tenancy"), existing];
            groups
                .entry(json!([hub.name, place]).to_string())
                .or_default()
                .push(number);
        }
    }
    let mut networks = BTreeMap::new();
    for members in groups.into_values() {
        if members.len() < 2 || members.len() == clusters.len() {
            continue;
        }
        let mut network = Settings::new();
        let mut name = String::new();
        for (number, (hub, settings)) in clusters
            .iter_mut()
            .enumerate()
            .filter(|(number, _)| members.contains(number))
        {
            let Some(own) = settings.get_mut("network").and_then(Value::as_object_mut) else {
                continue;
            };
            let Some(existing) = own.remove("existing") else {
                continue;
            };
            if number == members.first().copied().unwrap_or_default() {
                name = free_name(&existing, &networks);
                network.insert("existing".to_owned(), existing);
                network.insert("managementCluster".to_owned(), hub.name.as_str().into());
            }
            own.insert("shared".to_owned(), name.clone().into());
            for key in ["region", "tenancy"] {
                network.extend(settings.get(key).map(|value| (key.to_owned(), value.clone())));
            }
        }
        networks.insert(name, network);
    }
    networks
}

/// A name by which people who know the VCN know it again: the end of its OCID.
fn free_name(existing: &Value, taken: &BTreeMap<String, Settings>) -> String {
    const END: usize = 6;
    let vcn = existing.get("vcn").and_then(Value::as_str).unwrap_or_default();
    let vcn = vcn.rsplit('.').next().unwrap_or(vcn);
    let skipped = vcn.chars().count().saturating_sub(END);
    let name = plain(&format!("vcn-{}", vcn.chars().skip(skipped).collect::<String>()));
    let numbered = (2..).map(|number: u32| format!("{name}-{number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    names.find(|name| !taken.contains_key(name)).unwrap_or_default()
}

/// One range, or several, of entries that hold nothing else.
fn ranges(entries: &[Value]) -> Option<Value> {
    let range = |entry: &Value| {
        let entry = entry.as_object().filter(|entry| entry.len() == 1)?;
        entry
            .get("cidr")?
            .as_str()
            .filter(|text| is_range(text))
            .map(str::to_owned)
    };
    let ranges: Vec<String> = entries.iter().map(range).collect::<Option<_>>()?;
    match ranges.as_slice() {
        [] => None,
        [one] => Some(json!(one)),
        _ => Some(json!(ranges)),
    }
}

/// The ranges of pods, and the one prefix of all of them; null for none.
fn pods(entries: &[Value]) -> Option<(Value, Value)> {
    let prefix = entries.first()?.get("hostPrefix").cloned().unwrap_or_default();
    if !prefix.is_null() && !prefix.as_u64().is_some_and(|prefix| (9..=28).contains(&prefix)) {
        return None;
    }
    let mut bare = entries.to_vec();
    for entry in &mut bare {
        let found = entry.as_object_mut()?.remove("hostPrefix").unwrap_or_default();
        if found != prefix {
            return None;
        }
    }
    Some((ranges(&bare)?, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_said_once_and_what_has_more_to_it_is_left_to_a_patch() {
        assert_eq!(ranges(&[json!({"cidr": "10.0.0.0/16"})]), Some(json!("10.0.0.0/16")));
        assert_eq!(ranges(&[json!({"cidr": "10.0.0.1/16"})]), None);
        assert_eq!(ranges(&[json!({"cidr": "10.0.0.0/16", "more": 1})]), None);
        assert_eq!(ranges(&[json!("10.0.0.0/16")]), None);
        let two = [
            json!({"cidr": "10.0.0.0/16", "hostPrefix": 24}),
            json!({"cidr": "fd00::/48", "hostPrefix": 24}),
        ];
        assert_eq!(pods(&two), Some((json!(["10.0.0.0/16", "fd00::/48"]), json!(24))));
        let apart = [
            json!({"cidr": "10.0.0.0/16"}),
            json!({"cidr": "fd00::/48", "hostPrefix": 64}),
        ];
        assert_eq!(pods(&apart), None);
        assert_eq!(pods(&apart[..1]), Some((json!("10.0.0.0/16"), Value::Null)));
        assert_eq!(pods(&[]), None);
    }
}
