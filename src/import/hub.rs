//! A management cluster, as what runs on it tells of it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::live::Hosted;
use super::{Found, Options, note};
use crate::diag::{Code, Diagnostic};
use crate::resource::ManagementClusterName;

/// A management cluster.
pub(super) struct Hub<'a> {
    pub(super) name: ManagementClusterName,
    pub(super) found: &'a Found,
    pub(super) region: String,
    dialect: &'static str,
    /// Whether its HostedClusters are of the platform OCI.
    pub(super) oci: bool,
    /// The address that most services are published at by node port.
    pub(super) node_port_address: Option<String>,
    routes: bool,
    clusters: usize,
}

impl<'a> Hub<'a> {
    /// Of what runs on it.
    pub(super) fn of(found: &'a Found, hosted: &[Hosted], options: &Options) -> Result<Self, Diagnostic> {
        let texts = |pointer: &'static str| hosted.iter().filter_map(move |hosted| hosted.cluster.text(pointer));
        let region = match &options.region {
            Some(region) => region.clone(),
            None => most_common(texts("/platform/oci/region")).ok_or_else(|| {
                let message = format!("no object on management cluster `{}` tells its OCI region", found.name);
                note(Code::MissingKey, message).hint("say it: `--region us-ashburn-1`")
            })?,
        };
        // The dialect is the management cluster's, and an OCI platform can't be made up: where one cluster lacks it, the others
        // have it as a patch.
        let all = |platform: &str| texts("/platform/type").all(|typed| typed == platform);
        let dialect = match (all("OCI"), all("Agent")) {
            (true, _) => "oci",
            (_, true) => "agent",
            _ => "none",
        };
        let services = || {
            hosted
                .iter()
                .flat_map(|hosted| super::services::published(&hosted.cluster))
        };
        let at = |strategy: &'static str, pointer: &'static str| {
            let of = services().filter(move |service| super::services::strategy(service) == Some(strategy));
            of.filter_map(move |service| service.pointer(pointer)?.as_str())
        };
        Ok(Self {
            name: found.name.clone(),
            region,
            dialect,
            oci: dialect == "oci",
            node_port_address: most_common(at("NodePort", "/servicePublishingStrategy/nodePort/address")),
            routes: at("Route", "/servicePublishingStrategy/type").next().is_some(),
            clusters: hosted.len(),
            found,
        })
    }

    /// Its document's spec.
    pub(super) fn spec(&self) -> Map<String, Value> {
        let mut spec = Map::new();
        let mut set = |key: &str, value: Value| drop(spec.insert(key.to_owned(), value));
        set("region", self.region.clone().into());
        if self.found.context != self.name.as_str() {
            set("context", self.found.context.clone().into());
        }
        if !self.oci {
            set("dialect", self.dialect.into());
        }
        if let Some(address) = &self.node_port_address {
            set("nodePortAddress", address.clone().into());
        }
        if self.routes {
            set("routes", true.into());
        }
        // What a management cluster takes unless it says otherwise.
        if self.clusters > 80 {
            set("capacity", self.clusters.into());
        }
        spec
    }
}

/// What comes most often; of several the first in order.
pub(super) fn most_common<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in texts.filter(|text| !text.is_empty()) {
        *counts.entry(text).or_default() += 1;
    }
    let most = counts
        .iter()
        .max_by_key(|(text, count)| (**count, std::cmp::Reverse(**text)))?;
    Some((*most.0).to_owned())
}
