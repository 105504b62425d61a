//! Pools that are alike → node pool profiles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::hub::most_common;
use super::names::plain;

type Settings = Map<String, Value>;

/// What is each pool's own, however alike two are.
const OWN: [&str; 4] = ["replicas", "autoscale", "subnet", "version"];

/// Finds profiles for the pools of all clusters, and leaves in these what is their own.
pub(super) fn extract(clusters: &mut [&mut Settings]) -> BTreeMap<String, Settings> {
    let mut groups: BTreeMap<String, Vec<(String, &mut Settings)>> = BTreeMap::new();
    for cluster in clusters {
        let pools = cluster
            .get_mut("pools")
            .and_then(Value::as_object_mut)
            .into_iter()
            .flatten();
        for (name, pool) in pools {
            if let Some(pool) = pool.as_object_mut() {
                groups.entry(signature(pool)).or_default().push((name.clone(), pool));
            }
        }
    }
    let mut groups: Vec<_> = groups.into_iter().filter(|(_, pools)| pools.len() > 1).collect();
    // The name that several want is that of the greatest.
    groups.sort_by_key(|(signature, pools)| (std::cmp::Reverse(pools.len()), signature.clone()));
    let mut profiles: BTreeMap<String, Settings> = BTreeMap::new();
    for (_, mut pools) in groups {
        let mut profile: Settings = pools.first().map(|(_, pool)| (**pool).clone()).unwrap_or_default();
        profile.retain(|key, _| !OWN.contains(&key.as_str()));
        if let Some((key, size)) = usual_size(&pools) {
            profile.insert(key, size);
        }
        let name = name(&pools, &profile, &profiles.keys().cloned().collect());
        for (_, pool) in &mut pools {
            pool.retain(|key, value| profile.get(key) != Some(value));
            pool.insert("profile".to_owned(), name.clone().into());
        }
        profiles.insert(name, profile);
    }
    profiles
}

fn signature(pool: &Settings) -> String {
    let mut machine = pool.clone();
    machine.retain(|key, _| !OWN.contains(&key.as_str()));
    Value::Object(machine).to_string()
}

/// The size that most have, if two have it: a nearer size takes the place of it, whichever way it is said.
fn usual_size(pools: &[(String, &mut Settings)]) -> Option<(String, Value)> {
    let mut counts: BTreeMap<(String, String), (usize, Value)> = BTreeMap::new();
    for (_, pool) in pools {
        for key in ["replicas", "autoscale"] {
            if let Some(size) = pool.get(key) {
                let count = counts.entry((key.to_owned(), size.to_string()));
                count.or_insert((0, size.clone())).0 += 1;
            }
        }
    }
    let ((key, _), (count, size)) = counts.into_iter().max_by_key(|(_, (count, _))| *count)?;
    (count > 1).then_some((key, size))
}

/// What most of its pools are called; else with the shape of its machines.
fn name(pools: &[(String, &mut Settings)], profile: &Settings, taken: &BTreeSet<String>) -> String {
    let own = most_common(pools.iter().map(|(name, _)| name.as_str())).unwrap_or_default();
    let shape = profile.get("shape").and_then(Value::as_str).unwrap_or_default();
    let shape = shape.trim_start_matches("VM.").trim_start_matches("Standard.");
    let mut longer = plain(&format!("{own}-{shape}"));
    for key in ["ocpus", "memoryInGBs"] {
        if let Some(number) = profile.get(key).and_then(Value::as_u64) {
            longer.push_str(&format!("-{number}"));
        }
    }
    let numbered = (2..).map(|number: u32| format!("{longer}-{number}"));
    let mut names = [own, longer.clone()].into_iter().chain(numbered);
    names.find(|name| !taken.contains(name)).unwrap_or_default()
}

/// Says `pools: [a, b]` where each has the profile of its name and nothing else.
pub(super) fn shorten(settings: &mut Settings) {
    let Some(pools) = settings.get("pools").and_then(Value::as_object) else {
        return;
    };
    let is_plain = |(name, pool): (&String, &Value)| {
        pool.as_object()
            .is_some_and(|pool| pool.len() == 1 && pool.get("profile").and_then(Value::as_str) == Some(name))
    };
    if !pools.is_empty() && pools.iter().all(is_plain) {
        let names: Vec<Value> = pools.keys().map(|name| name.clone().into()).collect();
        settings.insert("pools".to_owned(), Value::Array(names));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pools_that_are_alike_have_one_profile_and_keep_their_size() {
        let mut clusters: Vec<Settings> = serde_json::from_value(json!([
            {"pools": {"general": {"shape": "VM.Standard.E5.Flex", "ocpus": 4, "replicas": 2}}},
            {"pools": {"general": {"shape": "VM.Standard.E5.Flex", "ocpus": 4, "replicas": 2}, "gpu": {"shape": "BM.GPU", "replicas": 1}}},
            {"pools": {"general": {"shape": "VM.Standard.E5.Flex", "ocpus": 4, "autoscale": "1-3", "subnet": "s"}}},
            {"pools": {"general": {"shape": "VM.Standard.E5.Flex", "ocpus": 8, "replicas": 3}}},
            {"pools": {"general": {"shape": "VM.Standard.E5.Flex", "ocpus": 8, "replicas": 4}}},
        ]))
        .unwrap();
        let profiles = extract(&mut clusters.iter_mut().collect::<Vec<_>>());
        assert_eq!(
            json!(profiles),
            json!({
                "general": {"shape": "VM.Standard.E5.Flex", "ocpus": 4, "replicas": 2},
                "general-e5-flex-8": {"shape": "VM.Standard.E5.Flex", "ocpus": 8},
            })
        );
        clusters.iter_mut().for_each(shorten);
        assert_eq!(
            json!(clusters),
            json!([
                {"pools": ["general"]},
                {"pools": {"general": {"profile": "general"}, "gpu": {"shape": "BM.GPU", "replicas": 1}}},
                {"pools": {"general": {"profile": "general", "autoscale": "1-3", "subnet": "s"}}},
                {"pools": {"general": {"profile": "general-e5-flex-8", "replicas": 3}}},
                {"pools": {"general": {"profile": "general-e5-flex-8", "replicas": 4}}},
            ])
        );
    }
}
