//! A NodePool → what the files would say of it.

use serde_json::{Map, Value, json};

use super::live::Object;
use super::release::{self, Release};
use super::words::{is_count_or_percent, is_duration, is_label, is_shape};

/// The shape of machines where no object tells it: the files want one, and nothing is rendered of it.
pub(super) const NO_SHAPE: &str = "VM.Standard2.1";

/// Drafts one; `workers` is the subnet of the cluster's workers.
pub(super) fn draft(
    pool: &Object,
    (cluster, of_cluster): (&Object, &Release),
    oci: bool,
    workers: Option<&str>,
) -> Map<String, Value> {
    let mut settings = Map::new();
    let mut set = |key: &str, value: Value| drop(settings.insert(key.to_owned(), value));
    let same_image = pool.text("/release/image") == cluster.text("/release/image");
    let own = release::of(pool).filter(|own| !same_image && own.version != of_cluster.version);
    if let Some(own) = own {
        set("version", own.version.to_string().into());
    }
    if oci {
        let shape = pool.text("/platform/oci/instanceType").filter(|shape| is_shape(shape));
        set("shape", shape.unwrap_or(NO_SHAPE).into());
        for (key, from, to) in [
            ("ocpus", 1, 256),
            ("memoryInGBs", 1, 4096),
            ("bootVolumeSizeInGBs", 51, 32768),
        ] {
            let found = pool
                .spec
                .pointer(&format!("/platform/oci/{key}"))
                .and_then(Value::as_u64);
            if let Some(number) = found.filter(|number| (from..=to).contains(number)) {
                set(key, number.into());
            }
        }
        if let Some(image) = pool.text("/platform/oci/imageID").filter(|image| !image.is_empty()) {
            set("image", image.into());
        }
        if let Some(subnet) = pool
            .text("/platform/oci/subnet/ocid")
            .filter(|subnet| Some(*subnet) != workers)
        {
            set("subnet", subnet.into());
        }
    }
    let (key, size) = size(pool);
    set(key, size);
    if pool.text("/arch") == Some("arm64") {
        set("arch", "arm64".into());
    }
    for (key, value) in updates(pool) {
        set(key, value);
    }
    if pool.spec.pointer("/management/autoRepair") != Some(&Value::Bool(true)) {
        set("autoRepair", false.into());
    }
    if let Some(labels) = labels(pool) {
        set("nodeLabels", labels);
    }
    if let Some(taints) = taints(pool) {
        set("taints", taints);
    }
    for (key, live) in [("config", "config"), ("tuning", "tuningConfig")] {
        if let Some(names) = names(pool.spec.get(live)) {
            set(key, names);
        }
    }
    for (key, pointer) in [
        ("drainTimeout", "/nodeDrainTimeout"),
        ("volumeDetachTimeout", "/nodeVolumeDetachTimeout"),
    ] {
        if let Some(time) = pool.text(pointer).filter(|time| is_duration(time)) {
            set(key, time.into());
        }
    }
    settings
}

/// `autoscale`, or `replicas`: none of them for a pool that says neither, and a patch takes that out again.
fn size(pool: &Object) -> (&'static str, Value) {
    let number = |pointer: &str| {
        let number = pool.spec.pointer(pointer)?.as_u64()?;
        u32::try_from(number).ok()
    };
    if let (Some(min), Some(max)) = (number("/autoScaling/min"), number("/autoScaling/max"))
        && min <= max
        && max > 0
    {
        let is_short = max < 100_000;
        let range = if is_short {
            json!(format!("{min}-{max}"))
        } else {
            json!({"min": min, "max": max})
        };
        return ("autoscale", range);
    }
    ("replicas", number("/replicas").unwrap_or(0).into())
}

/// How its nodes are updated, as far as it is not as usual.
fn updates(pool: &Object) -> Vec<(&'static str, Value)> {
    let mut said = Vec::new();
    let is_zero = |value: &Value| *value == 0 || *value == "0%";
    let count = |pointer: &str, usual: u64| {
        let found = pool.spec.pointer(pointer).filter(|value| is_count_or_percent(value));
        found.cloned().unwrap_or_else(|| usual.into())
    };
    if pool.text("/management/upgradeType") == Some("InPlace") {
        said.push(("upgradeType", json!("InPlace")));
        let missing = count("/management/inPlace/maxUnavailable", 1);
        if missing != 1 && !is_zero(&missing) {
            said.push(("maxUnavailable", missing));
        }
        return said;
    }
    let rolling = "/management/replace/rollingUpdate";
    let surge = count(&format!("{rolling}/maxSurge"), 1);
    let missing = count(&format!("{rolling}/maxUnavailable"), 0);
    // Of a pool that could never be updated the files would make an error.
    if is_zero(&surge) && is_zero(&missing) {
        return said;
    }
    if surge != 1 {
        said.push(("maxSurge", surge));
    }
    if missing != 0 {
        said.push(("maxUnavailable", missing));
    }
    said
}

fn labels(pool: &Object) -> Option<Value> {
    let labels = pool.spec.get("nodeLabels")?.as_object()?;
    let fits = |(key, value): (&String, &Value)| value.as_str().is_some_and(|value| is_label(key, value));
    (!labels.is_empty() && labels.iter().all(fits)).then(|| Value::Object(labels.clone()))
}

/// In short, where all of them can be: `key=value:Effect`.
fn taints(pool: &Object) -> Option<Value> {
    let short = |taint: &Value| {
        let taint = taint.as_object()?;
        let text = |key: &str| taint.get(key).map(|value| value.as_str());
        let (key, effect) = (text("key")??, text("effect")??);
        let word = |word: &str| !word.contains(['=', ':']) && !word.contains(char::is_whitespace);
        let known = ["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect);
        if key.is_empty()
            || !word(key)
            || !known
            || taint.keys().any(|key| !["key", "value", "effect"].contains(&&**key))
        {
            return None;
        }
        match text("value") {
            None => Some(format!("{key}:{effect}")),
            Some(value) => value
                .filter(|value| word(value))
                .map(|value| format!("{key}={value}:{effect}")),
        }
    };
    let taints = pool
        .spec
        .get("taints")?
        .as_array()
        .filter(|taints| !taints.is_empty())?;
    let short: Vec<String> = taints.iter().map(short).collect::<Option<_>>()?;
    Some(json!(short))
}

/// The names of a list that holds nothing else.
fn names(list: Option<&Value>) -> Option<Value> {
    let name = |entry: &Value| {
        let entry = entry.as_object().filter(|entry| entry.len() == 1)?;
        Some(entry.get("name")?.as_str()?.to_owned())
    };
    let list = list?.as_array().filter(|list| (1..=10).contains(&list.len()))?;
    let names: Vec<String> = list.iter().map(name).collect::<Option<_>>()?;
    Some(json!(names))
}

#[cfg(test)]
mod tests {
    use super::super::Found;
    use super::super::live::read;
    use super::*;

    fn pool(spec: &Value) -> Object {
        let mut found = Found::of("m");
        let named = |name: &str| json!({"namespace": "n", "name": name});
        found.hosted_clusters = vec![json!({"metadata": named("a"), "spec": {}})];
        found.node_pools = vec![json!({"metadata": named("p"), "spec": spec})];
        read(&found, &mut Vec::new()).remove(0).pools.remove(0)
    }

    #[test]
    fn taints_are_short_or_left_to_a_patch() {
        let taints = |list: Value| taints(&pool(&json!({"clusterName": "a", "taints": list})));
        let short =
            taints(json!([{"key": "a", "value": "", "effect": "NoSchedule"}, {"key": "b", "effect": "NoExecute"}]));
        assert_eq!(short, Some(json!(["a=:NoSchedule", "b:NoExecute"])));
        for odd in [
            json!([{"key": "a=b", "effect": "NoSchedule"}]),
            json!([{"key": "a", "effect": "Sometimes"}]),
            json!([{"key": "a", "effect": "NoSchedule", "timeAdded": "now"}]),
            json!([{"key": "a", "value": 7, "effect": "NoSchedule"}]),
            json!(["a"]),
            json!([]),
            json!("a"),
        ] {
            assert_eq!(taints(odd.clone()), None, "{odd}");
        }
    }

    #[test]
    fn sizes_and_updates() {
        let of = |spec: Value| {
            let mut whole = json!({"clusterName": "a"});
            whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
            pool(&whole)
        };
        assert_eq!(
            size(&of(json!({"autoScaling": {"min": 3, "max": 12}}))),
            ("autoscale", json!("3-12"))
        );
        assert_eq!(
            size(&of(json!({"autoScaling": {"min": 3, "max": 1}}))),
            ("replicas", json!(0))
        );
        assert_eq!(size(&of(json!({"replicas": -1}))), ("replicas", json!(0)));
        let rolling = |surge: Value, missing: Value| {
            updates(&of(
                json!({"management": {"upgradeType": "Replace", "replace": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": missing}}}}),
            ))
        };
        assert_eq!(rolling(json!(1), json!(0)), []);
        assert_eq!(rolling(json!(0), json!("0%")), []);
        assert_eq!(
            rolling(json!("10%"), json!(1)),
            [("maxSurge", json!("10%")), ("maxUnavailable", json!(1))]
        );
    }
}
