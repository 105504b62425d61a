//! What a definition says of a kind, as others read it.

use serde_json::Value;

use super::super::{SchemaError, object, text};

/// Where the objects of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In namespaces.
    Namespaced,
    /// In the cluster itself.
    Cluster,
}

/// What a kind is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `hostedclusters`, as in paths.
    pub plural: String,
    /// `hostedcluster`.
    pub singular: String,
    /// `HostedCluster`.
    pub kind: String,
    /// `HostedClusterList`.
    pub list_kind: String,
    /// `hc`, `hcs`.
    pub short_names: Vec<String>,
    /// `cluster-api`.
    pub categories: Vec<String>,
}

/// The fields that the scale subresource reads and writes: paths with a leading dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale {
    /// `.spec.replicas`.
    pub spec_replicas: String,
    /// `.status.replicas`.
    pub status_replicas: String,
    /// `.status.selector`.
    pub selector: Option<String>,
}

/// A column of what `kubectl get` prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The heading.
    pub name: String,
    /// `string`, `integer`, `number`, `boolean`, `date`.
    pub of_type: String,
    /// The format; empty where there is none.
    pub format: String,
    /// What it shows; may be empty.
    pub description: String,
    /// Columns above 0 are printed on request only.
    pub priority: i64,
    /// Where its value is: a JSON path such as `.status.phase`.
    pub json_path: String,
}

/// One version.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// `v1beta1`.
    pub name: String,
    /// Whether it is served.
    pub served: bool,
    /// Whether objects are stored at it.
    pub storage: bool,
    /// What its users are told, where it is deprecated.
    pub deprecation: Option<String>,
    /// The schema as it is written (`openAPIV3Schema`); null where there is none.
    pub schema: Value,
    /// Whether `status` is a subresource.
    pub has_status: bool,
    /// The scale subresource.
    pub scale: Option<Scale>,
    /// Columns beside the name.
    pub columns: Vec<Column>,
    /// Paths that field selectors may name.
    pub selectable: Vec<String>,
}

/// A definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// `hypershift.openshift.io`.
    pub group: String,
    /// What the kind is called.
    pub names: Names,
    /// Where its objects live.
    pub scope: Scope,
    /// In the order of the document.
    pub versions: Vec<Version>,
}

impl Definition {
    /// Reads a definition (`apiextensions.k8s.io/v1`); names that may be left out are filled in as a server does.
    ///
    /// # Errors
    /// Where the document isn't of the shape of a definition. That a server would take it is [`super::check()`]'s to say.
    pub fn parse(crd: &Value) -> Result<Self, SchemaError> {
        let spec = object(crd.get("spec"), "spec")?;
        let names = object(spec.get("names"), "spec.names")?;
        let kind = text(names.get("kind"), "spec.names.kind")?.to_owned();
        let named = |key: &str, otherwise: String| {
            let given = names.get(key).and_then(Value::as_str).filter(|name| !name.is_empty());
            given.map_or(otherwise, str::to_owned)
        };
        let listed = |key: &str| strings(names.get(key));
        let versions = spec
            .get("versions")
            .and_then(Value::as_array)
            .ok_or_else(|| SchemaError::Malformed("spec.versions".to_owned()))?;
        Ok(Self {
            group: text(spec.get("group"), "spec.group")?.to_owned(),
            scope: match text(spec.get("scope"), "spec.scope")? {
                "Namespaced" => Scope::Namespaced,
                "Cluster" => Scope::Cluster,
                _ => return Err(SchemaError::Malformed("spec.scope".to_owned())),
            },
            names: Names {
                plural: text(names.get("plural"), "spec.names.plural")?.to_owned(),
                singular: named("singular", kind.to_lowercase()),
                list_kind: named("listKind", format!("{kind}List")),
                short_names: listed("shortNames"),
                categories: listed("categories"),
                kind,
            },
            versions: versions.iter().map(version).collect::<Result<_, _>>()?,
        })
    }

    /// The version at which objects are stored.
    pub fn storage(&self) -> Option<&Version> {
        self.versions.iter().find(|version| version.storage)
    }

    /// The version of a name.
    pub fn version(&self, name: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.name == name)
    }
}

fn strings(list: Option<&Value>) -> Vec<String> {
    let all = list.and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn version(json: &Value) -> Result<Version, SchemaError> {
    let flag = |key: &str| json[key] == Value::Bool(true);
    let own = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = text(json.get("name"), "spec.versions[].name")?.to_owned();
    let subresources = &json["subresources"];
    let scale = &subresources["scale"];
    let columns = json["additionalPrinterColumns"].as_array().into_iter().flatten();
    let selectable = json["selectableFields"].as_array().into_iter().flatten();
    Ok(Version {
        served: flag("served"),
        storage: flag("storage"),
        deprecation: flag("deprecated").then(|| own(&json["deprecationWarning"])),
        schema: json["schema"]["openAPIV3Schema"].clone(),
        has_status: subresources["status"].is_object(),
        scale: scale.is_object().then(|| Scale {
            spec_replicas: own(&scale["specReplicasPath"]),
            status_replicas: own(&scale["statusReplicasPath"]),
            selector: scale["labelSelectorPath"].as_str().map(str::to_owned),
        }),
        columns: columns
            .map(|column| Column {
                name: own(&column["name"]),
                of_type: own(&column["type"]),
                format: own(&column["format"]),
                description: own(&column["description"]),
                priority: column["priority"].as_i64().unwrap_or_default(),
                json_path: own(&column["jsonPath"]),
            })
            .collect(),
        selectable: selectable.map(|field| own(&field["jsonPath"])).collect(),
        name,
    })
}
