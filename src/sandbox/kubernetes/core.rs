//! What Kubernetes' own kinds do that their schemas don't say: defaults, and the checks that matter.

use base64::Engine as _;
use serde_json::{Value, json};

use super::kind::Kind;
use super::object::{meta_text, metadata_mut};
use super::refusal::Cause;
use super::validate;
use crate::schema::admission::Rejected;

/// Fills in what the server's code fills in when it reads an object.
pub(super) fn default(kind: &Kind, object: &mut Value) {
    match (kind.name.group.as_str(), kind.name.plural.as_str()) {
        ("", "namespaces") => namespace(object),
        ("", "secrets") => secret(object),
        ("", "services") => service(object),
        ("apiextensions.k8s.io", "customresourcedefinitions") => definition(object),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => binding(object),
        ("scheduling.k8s.io", "priorityclasses") => put(object, "preemptionPolicy", json!("PreemptLowerPriority")),
        _ => {}
    }
}

fn put(object: &mut Value, field: &str, default: Value) {
    if let Some(entries) = object.as_object_mut()
        && entries.get(field).is_none_or(|value| value.is_null() || value == "")
    {
        entries.insert(field.to_owned(), default);
    }
}

fn namespace(object: &mut Value) {
    let name = meta_text(object, "name").to_owned();
    if name.is_empty() {
        return;
    }
    if let Some(metadata) = metadata_mut(object) {
        let labels = metadata.entry("labels").or_insert(Value::Null);
        if labels.is_null() {
            *labels = json!({});
        }
        if let Some(labels) = labels.as_object_mut() {
            labels.insert("kubernetes.io/metadata.name".to_owned(), Value::from(name));
        }
    }
}

fn secret(object: &mut Value) {
    put(object, "type", json!("Opaque"));
    let Some(entries) = object.as_object_mut() else { return };
    let Some(Value::Object(plain)) = entries.remove("stringData") else {
        return;
    };
    let data = entries.entry("data").or_insert(Value::Null);
    if data.is_null() {
        *data = json!({});
    }
    let Some(data) = data.as_object_mut() else { return };
    for (name, value) in plain {
        let text = value.as_str().unwrap_or_default();
        let encoded = base64::engine::general_purpose::STANDARD.encode(text);
        data.insert(name, Value::from(encoded));
    }
}

fn service(object: &mut Value) {
    let Some(entries) = object.as_object_mut() else { return };
    let spec = entries.entry("spec").or_insert_with(|| json!({}));
    // What has another form is refused later, by its schema.
    if !spec.is_object() {
        return;
    }
    put(spec, "type", json!("ClusterIP"));
    put(spec, "sessionAffinity", json!("None"));
    let kind = spec["type"].as_str().unwrap_or_default().to_owned();
    if kind != "ExternalName" {
        put(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    if spec["sessionAffinity"] == "ClientIP" && spec["sessionAffinityConfig"].is_null() {
        spec["sessionAffinityConfig"] = json!({"clientIP": {"timeoutSeconds": 10800}});
    }
    if kind == "NodePort" || kind == "LoadBalancer" {
        put(spec, "externalTrafficPolicy", json!("Cluster"));
    }
    if kind == "LoadBalancer" && spec["allocateLoadBalancerNodePorts"].is_null() {
        spec["allocateLoadBalancerNodePorts"] = json!(true);
    }
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter(|port| port.is_object()) {
        put(port, "protocol", json!("TCP"));
        let number = port["port"].clone();
        if port["targetPort"].is_null() || port["targetPort"] == 0 || port["targetPort"] == "" {
            port["targetPort"] = number;
        }
    }
}

fn definition(object: &mut Value) {
    let spec = &mut object["spec"];
    if !spec.is_object() {
        return;
    }
    if spec["conversion"].is_null() {
        spec["conversion"] = json!({"strategy": "None"});
    }
    let kind = spec["names"]["kind"].as_str().unwrap_or_default().to_owned();
    if !kind.is_empty() {
        put(&mut spec["names"], "singular", json!(kind.to_lowercase()));
        put(&mut spec["names"], "listKind", json!(format!("{kind}List")));
    }
    if spec["preserveUnknownFields"] == false
        && let Some(spec) = spec.as_object_mut()
    {
        spec.remove("preserveUnknownFields");
    }
}

fn binding(object: &mut Value) {
    const GROUP: &str = "rbac.authorization.k8s.io";
    if object["roleRef"].is_object() {
        put(&mut object["roleRef"], "apiGroup", json!(GROUP));
    }
    for subject in object["subjects"].as_array_mut().into_iter().flatten() {
        if subject["kind"] == "User" || subject["kind"] == "Group" {
            put(subject, "apiGroup", json!(GROUP));
        }
    }
}

/// What an object gets when it is created, after it was read.
pub(super) fn prepare(kind: &Kind, object: &mut Value, address: &str) {
    match (kind.name.group.as_str(), kind.name.plural.as_str()) {
        ("", "namespaces") => {
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            object["status"] = json!({"phase": "Active"});
        }
        ("", "services") => {
            let spec = &mut object["spec"];
            if spec.is_object() && spec["type"] != "ExternalName" {
                put(spec, "clusterIP", json!(address));
                spec["clusterIPs"] = json!([spec["clusterIP"]]);
                if spec["ipFamilies"].is_null() {
                    spec["ipFamilies"] = json!(["IPv4"]);
                }
                put(spec, "ipFamilyPolicy", json!("SingleStack"));
            }
        }
        _ => {}
    }
}

/// What is wrong with an object; `old` is the one that it replaces.
pub(super) fn validate(kind: &Kind, object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut causes = Vec::new();
    match (kind.name.group.as_str(), kind.name.plural.as_str()) {
        ("", "secrets") => validate_secret(object, old, &mut causes),
        ("", "configmaps") => {
            keys(object, "data", &mut causes);
            keys(object, "binaryData", &mut causes);
            immutable_data(object, old, &mut causes);
        }
        ("", "services") => {
            let wants_ports = object["spec"]["type"] != "ExternalName" && object["spec"]["clusterIP"] != "None";
            if wants_ports && object["spec"]["ports"].as_array().is_none_or(Vec::is_empty) {
                causes.push(Cause::required("spec.ports", ""));
            }
            let ports = object["spec"]["ports"].as_array().into_iter().flatten();
            for (i, port) in ports.enumerate().filter(|(_, port)| !port.is_object()) {
                causes.push(Cause::invalid(format!("spec.ports[{i}]"), port, "must be an object"));
            }
            if let Some(old) = old {
                unchanged(
                    object,
                    old,
                    "spec.clusterIPs[0]",
                    "/spec/clusterIP",
                    "may not change once set",
                    &mut causes,
                );
            }
        }
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => {
            if object["roleRef"]["name"].as_str().unwrap_or_default().is_empty() {
                causes.push(Cause::required("roleRef.name", ""));
            }
            if old.is_some_and(|old| old["roleRef"] != object["roleRef"]) {
                let role = &object["roleRef"];
                let shown = json!({"APIGroup": role["apiGroup"], "Kind": role["kind"], "Name": role["name"]});
                causes.push(Cause::invalid("roleRef", &shown, "cannot change roleRef"));
            }
        }
        ("scheduling.k8s.io", "priorityclasses") if old.is_some_and(|old| old["value"] != object["value"]) => {
            causes.push(Cause::forbidden("value", "may not be changed in an update."));
        }
        ("apiextensions.k8s.io", "customresourcedefinitions") => validate_definition(object, &mut causes),
        _ => {}
    }
    causes
}

fn unchanged(object: &Value, old: &Value, field: &str, at: &str, why: &str, causes: &mut Vec<Cause>) {
    let (new, old) = (object.pointer(at), old.pointer(at));
    if old.is_some() && new != old {
        causes.push(Cause::invalid(field, new.unwrap_or(&Value::Null), why));
    }
}

fn keys(object: &Value, field: &str, causes: &mut Vec<Cause>) {
    for name in object[field].as_object().into_iter().flat_map(|data| data.keys()) {
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || !name.chars().all(good) {
            let why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
            causes.push(Cause::invalid(
                format!("{field}[{name}]"),
                &Value::from(name.as_str()),
                why,
            ));
        }
    }
}

fn immutable_data(object: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    let Some(old) = old.filter(|old| old["immutable"] == true) else {
        return;
    };
    let why = "field is immutable when `immutable` is set";
    for field in ["immutable", "data", "binaryData"] {
        if old[field] != object[field] {
            causes.push(Cause::forbidden(field, why));
        }
    }
}

fn validate_secret(object: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    keys(object, "data", causes);
    let required: &[&str] = match object["type"].as_str().unwrap_or_default() {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        _ => &[],
    };
    for name in required.iter().filter(|name| object["data"].get(**name).is_none()) {
        causes.push(Cause::required(format!("data[{name}]"), ""));
    }
    if let Some(old) = old {
        unchanged(object, old, "type", "/type", "field is immutable", causes);
    }
    immutable_data(object, old, causes);
}

fn validate_definition(object: &Value, causes: &mut Vec<Cause>) {
    match crate::schema::crd::check(object) {
        Ok(_) => {}
        Err(Rejected::Invalid { errors, .. }) => causes.extend(errors.iter().map(validate::cause)),
        Err(Rejected::Unreadable { message }) => causes.push(Cause::invalid("spec", &Value::Null, &message)),
    }
}
