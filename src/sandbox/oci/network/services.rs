//! Oracle's services that a service gateway reaches: two labels a region.

use serde_json::{Value, json};

use super::super::call::{Call, Reply};
use super::super::list;
use super::super::refusal::Refusal;
use super::super::state::State;
use crate::resource::regions::Region;

/// One label.
pub(super) struct Service {
    pub(super) id: String,
    /// `cidrBlock` of the service, the destination of rules.
    pub(super) label: String,
    pub(super) name: String,
}

impl Service {
    fn view(&self) -> Value {
        json!({"id": self.id, "cidrBlock": self.label, "name": self.name, "description": self.name})
    }
}

/// The labels of a region.
pub(super) fn all(region: &Region) -> [Service; 2] {
    let Region { id, key, realm } = region;
    let upper = key.to_ascii_uppercase();
    let service = |unique: &str, name: String| Service {
        id: format!("ocid1.service.{realm}.{id}.{unique}"),
        label: name.to_ascii_lowercase().replace(' ', "-"),
        name,
    };
    [
        service(
            "aaaaaaaaallservices",
            format!("All {upper} Services In Oracle Services Network"),
        ),
        service("aaaaaaaaobjectstorage", format!("OCI {upper} ObjectStorage")),
    ]
}

/// Whether a label is one of the region's.
pub(super) fn known(region: &Region, label: &str) -> bool {
    all(region).iter().any(|service| service.label == label)
}

pub(in super::super) fn list(_: &mut State, call: &Call) -> Result<Reply, Refusal> {
    list::values(call, all(call.region).iter().map(Service::view))
}

pub(in super::super) fn get(_: &mut State, call: &Call) -> Result<Reply, Refusal> {
    all(call.region)
        .iter()
        .find(|service| service.id == call.param(0))
        .map(|service| Reply::value(service.view()))
        .ok_or_else(Refusal::not_found)
}
