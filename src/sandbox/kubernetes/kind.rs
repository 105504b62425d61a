//! One resource that the server serves: how it is called, at which versions, and of what shape.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use serde_json::Value;

use super::openapi;
use crate::resource::Digest;
use crate::schema::admission::Admission;
use crate::schema::{Gvk, Origin, Schema};

/// Group and plural, which name a collection whatever the version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ResourceName {
    pub(super) group: String,
    pub(super) plural: String,
}

impl ResourceName {
    pub(super) fn new(group: &str, plural: &str) -> Self {
        Self {
            group: group.to_owned(),
            plural: plural.to_owned(),
        }
    }
}

/// The scale subresource: where in the object its numbers stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scale {
    pub(super) spec: String,
    pub(super) status: String,
    pub(super) selector: Option<String>,
}

/// A column of `kubectl get`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) json_type: String,
    pub(super) format: String,
    pub(super) description: String,
    pub(super) priority: i64,
    /// A JSON path without braces.
    pub(super) path: String,
}

/// A version of a kind.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) name: String,
    pub(super) served: bool,
    pub(super) status: bool,
    pub(super) scale: Option<Scale>,
    /// None where the server's usual ones apply.
    pub(super) columns: Option<Vec<Column>>,
    /// `openAPIV3Schema` of a custom resource.
    pub(super) declared: Option<Value>,
    schema: OnceLock<Option<Arc<Schema>>>,
    admission: OnceLock<Option<Admission>>,
}

/// A resource.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: ResourceName,
    pub(super) singular: String,
    pub(super) short: Vec<String>,
    pub(super) categories: Vec<String>,
    pub(super) kind: String,
    pub(super) list_kind: String,
    pub(super) namespaced: bool,
    pub(super) origin: Origin,
    pub(super) versions: Vec<Version>,
    pub(super) storage: usize,
    /// What defines it, if it is a custom one.
    pub(super) definition: Option<Arc<Value>>,
}

impl Version {
    fn built_in(name: &str, status: bool) -> Self {
        Self {
            name: name.to_owned(),
            served: true,
            status,
            scale: None,
            columns: None,
            declared: None,
            schema: OnceLock::new(),
            admission: OnceLock::new(),
        }
    }

    fn declared(version: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let scale = &version["subresources"]["scale"];
        let columns = version["additionalPrinterColumns"].as_array().map(|columns| {
            let column = |column: &Value| Column {
                name: text(&column["name"]),
                json_type: text(&column["type"]),
                format: text(&column["format"]),
                description: text(&column["description"]),
                priority: column["priority"].as_i64().unwrap_or_default(),
                path: text(&column["jsonPath"]),
            };
            columns.iter().map(column).collect()
        });
        Some(Self {
            name: version["name"].as_str()?.to_owned(),
            served: version["served"].as_bool().unwrap_or_default(),
            status: version["subresources"]["status"].is_object(),
            scale: scale.is_object().then(|| Scale {
                spec: text(&scale["specReplicasPath"]),
                status: text(&scale["statusReplicasPath"]),
                selector: scale["labelSelectorPath"].as_str().map(str::to_owned),
            }),
            columns,
            declared: version["schema"].get("openAPIV3Schema").cloned(),
            schema: OnceLock::new(),
            admission: OnceLock::new(),
        })
    }
}

/// Custom kinds in use, by the spec that defines them. The servers of a sandbox have the same ones, and HostedCluster's schema
/// alone takes megabytes, compiled rules and all.
static SHARED: Mutex<BTreeMap<Digest, Weak<Kind>>> = Mutex::new(BTreeMap::new());

impl Kind {
    /// A custom resource; none where its definition is not of the right form, which validation has told its author.
    pub(super) fn of_definition(definition: &Value) -> Option<Arc<Self>> {
        let digest = Digest::of(definition["spec"].to_string().as_bytes());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shared.get(&digest).and_then(Weak::upgrade) {
            return Some(known);
        }
        let kind = Arc::new(Self::parse(definition)?);
        shared.retain(|_, kind| kind.strong_count() > 0);
        shared.insert(digest, Arc::downgrade(&kind));
        Some(kind)
    }

    fn parse(definition: &Value) -> Option<Self> {
        let spec = &definition["spec"];
        let names = &spec["names"];
        let text = |value: &Value| Some(value.as_str()?.to_owned());
        let texts =
            |value: &Value| -> Vec<String> { value.as_array().into_iter().flatten().filter_map(text).collect() };
        let versions = spec["versions"].as_array()?;
        let storage = versions.iter().position(|version| version["storage"] == true)?;
        let versions = versions.iter().map(Version::declared).collect::<Option<Vec<_>>>()?;
        let kind = text(&names["kind"])?;
        Some(Self {
            name: ResourceName::new(spec["group"].as_str()?, names["plural"].as_str()?),
            singular: text(&names["singular"]).unwrap_or_else(|| kind.to_lowercase()),
            short: texts(&names["shortNames"]),
            categories: texts(&names["categories"]),
            list_kind: text(&names["listKind"]).unwrap_or_else(|| format!("{kind}List")),
            kind,
            namespaced: spec["scope"] == "Namespaced",
            origin: Origin::Custom,
            versions,
            storage,
            definition: Some(Arc::new(definition.clone())),
        })
    }

    /// The version of this name, if it is served.
    pub(super) fn version(&self, name: &str) -> Option<&Version> {
        self.versions
            .iter()
            .find(|version| version.name == name && version.served)
    }

    /// The version at which objects are stored.
    pub(super) fn stored(&self) -> Option<&Version> {
        self.versions.get(self.storage)
    }

    /// `apps/v1`, or `v1`.
    pub(super) fn api_version(&self, version: &str) -> String {
        if self.name.group.is_empty() {
            version.to_owned()
        } else {
            format!("{}/{version}", self.name.group)
        }
    }

    /// The schema at a version; the one that lets everything through where the declared one can't be read.
    pub(super) fn schema(&self, version: &Version) -> Arc<Schema> {
        let gvk = Gvk {
            group: &self.name.group,
            version: &version.name,
            kind: &self.kind,
        };
        let read = || {
            let schema = match &self.definition {
                Some(definition) => Schema::from_crd(definition, &version.name),
                None => Schema::from_openapi_v3(&openapi::document_of(self, version), gvk),
            };
            schema.ok().map(Arc::new)
        };
        let schema = version.schema.get_or_init(read).clone();
        schema.unwrap_or_else(|| Arc::new(Schema::deduced(gvk)))
    }

    /// What judges custom resources of a version; none where its rules can't be read.
    pub(super) fn admission<'a>(&self, version: &'a Version) -> Option<&'a Admission> {
        let compile = || Admission::new(self.definition.as_deref()?, &version.name).ok();
        version.admission.get_or_init(compile).as_ref()
    }

    /// Whether its objects are looked after by this very group and plural.
    pub(super) fn is(&self, group: &str, plural: &str) -> bool {
        self.name.group == group && self.name.plural == plural
    }

    /// Verbs on the resource itself, in the order of discovery.
    pub(super) fn verbs(&self) -> &'static [&'static str] {
        const ALL: [&str; 8] = [
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        ];
        const NAMESPACES: [&str; 7] = ["create", "delete", "get", "list", "patch", "update", "watch"];
        const CUSTOM: [&str; 8] = [
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "create",
            "update",
            "watch",
        ];
        if self.origin == Origin::Custom {
            &CUSTOM
        } else if self.is("", "namespaces") {
            &NAMESPACES
        } else {
            &ALL
        }
    }
}

/// The kinds of Kubernetes itself: group, plural, kind, short names, in namespaces, with a status of its own.
type BuiltIn = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    bool,
    bool,
);
const BUILT_IN: [BuiltIn; 14] = [
    ("", "configmaps", "ConfigMap", &["cm"], true, false),
    ("", "events", "Event", &["ev"], true, false),
    ("", "namespaces", "Namespace", &["ns"], false, true),
    ("", "secrets", "Secret", &[], true, false),
    ("", "serviceaccounts", "ServiceAccount", &["sa"], true, false),
    ("", "services", "Service", &["svc"], true, true),
    (
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        &["crd", "crds"],
        false,
        true,
    ),
    ("coordination.k8s.io", "leases", "Lease", &[], true, false),
    ("events.k8s.io", "events", "Event", &["ev"], true, false),
    (
        "rbac.authorization.k8s.io",
        "clusterrolebindings",
        "ClusterRoleBinding",
        &[],
        false,
        false,
    ),
    (
        "rbac.authorization.k8s.io",
        "clusterroles",
        "ClusterRole",
        &[],
        false,
        false,
    ),
    (
        "rbac.authorization.k8s.io",
        "rolebindings",
        "RoleBinding",
        &[],
        true,
        false,
    ),
    ("rbac.authorization.k8s.io", "roles", "Role", &[], true, false),
    (
        "scheduling.k8s.io",
        "priorityclasses",
        "PriorityClass",
        &["pc"],
        false,
        false,
    ),
];

/// The kinds that every server has.
pub(super) fn built_in() -> Vec<Kind> {
    let kinds = BUILT_IN.iter().map(|(group, plural, kind, short, namespaced, status)| {
        let categories: &[&str] = match *plural {
            "services" => &["all"],
            "customresourcedefinitions" => &["api-extensions"],
            _ => &[],
        };
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Kind {
            name: ResourceName::new(group, plural),
            singular: kind.to_lowercase(),
            short: texts(short),
            categories: texts(categories),
            kind: (*kind).to_owned(),
            list_kind: format!("{kind}List"),
            namespaced: *namespaced,
            origin: Origin::BuiltIn,
            versions: vec![Version::built_in("v1", *status)],
            storage: 0,
            definition: None,
        }
    });
    kinds.collect()
}
