//! Guests' load balancers on the sandbox's OCI server.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::oci::{OciServer, Principal};
use super::operators::guest::{GuestCloud, GuestError};
use super::operators::text;

/// What the guest's cloud controller signs its calls as.
const USER: &str = "ocid1.user.oc1..aaaaaaaaguestcloudcontroller";

const BALANCERS: &str = "/20200501/networkLoadBalancers";

/// The guests' view of the OCI server.
#[derive(Debug)]
pub(super) struct GuestNetwork(Arc<OciServer>);

/// Where a guest's load balancer belongs.
struct Place<'a> {
    principal: Principal,
    region: &'a str,
    compartment: &'a str,
    vcn: &'a str,
    name: String,
}

impl GuestNetwork {
    /// On this server.
    pub(super) fn new(server: Arc<OciServer>) -> Self {
        Self(server)
    }

    fn act(&self, place: &Place<'_>, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let answer = self.0.act(&place.principal, place.region, method, path, body);
        answer.map_err(|refusal| refusal.message)
    }

    /// The load balancer, if there is one that is not gone.
    fn find(&self, place: &Place<'_>) -> Result<Option<Value>, String> {
        let path = format!(
            "{BALANCERS}?compartmentId={}&displayName={}",
            place.compartment, place.name
        );
        let found = items(self.act(place, "GET", &path, &Value::Null)?);
        Ok(found
            .into_iter()
            .find(|balancer| text(balancer, "/lifecycleState") != "DELETED"))
    }

    fn make(&self, cluster: &Value) -> Result<(), String> {
        let Some(place) = Place::of(cluster) else { return Ok(()) };
        if self.find(&place)?.is_some() {
            return Ok(());
        }
        let path = format!(
            "/20160918/subnets?compartmentId={}&vcnId={}",
            place.compartment, place.vcn
        );
        let subnets = items(self.act(&place, "GET", &path, &Value::Null)?);
        let usable = |subnet: &&Value| text(subnet, "/lifecycleState") == "AVAILABLE";
        let meant = |subnet: &&Value| text(subnet, "/displayName").contains("load-balancer");
        let subnet = subnets
            .iter()
            .filter(usable)
            .find(meant)
            .or_else(|| subnets.iter().find(usable));
        // A VCN that nobody made here has no subnets here: that guest is left without.
        let Some(subnet) = subnet else { return Ok(()) };
        let body = json!({
            "compartmentId": place.compartment, "displayName": place.name, "subnetId": subnet["id"], "isPrivate": true,
            "freeformTags": {"CreatedBy": "oci-cloud-controller-manager"},
        });
        self.act(&place, "POST", BALANCERS, &body).map(drop)
    }

    fn unmake(&self, cluster: &Value) -> Result<bool, String> {
        let Some(place) = Place::of(cluster) else {
            return Ok(true);
        };
        let Some(balancer) = self.find(&place)? else {
            return Ok(true);
        };
        if text(&balancer, "/lifecycleState") != "DELETING" {
            let path = format!("{BALANCERS}/{}", text(&balancer, "/id"));
            self.act(&place, "DELETE", &path, &Value::Null)?;
        }
        Ok(false)
    }
}

impl GuestCloud for GuestNetwork {
    fn ensure<'a>(&'a self, cluster: &'a Value) -> BoxFuture<'a, Result<(), GuestError>> {
        let made = self.make(cluster);
        async move { made.map_err(|message| GuestError { what: "made", message }) }.boxed()
    }

    fn remove<'a>(&'a self, cluster: &'a Value) -> BoxFuture<'a, Result<bool, GuestError>> {
        let unmade = self.unmake(cluster);
        async move {
            unmade.map_err(|message| GuestError {
                what: "deleted",
                message,
            })
        }
        .boxed()
    }
}

impl<'a> Place<'a> {
    /// None where the cluster says nothing of OCI, or says it otherwise than a real one could.
    fn of(cluster: &'a Value) -> Option<Self> {
        let oci = cluster.pointer("/spec/platform/oci")?;
        let filled = |pointer: &str| Some(text(oci, pointer)).filter(|value| value.starts_with("ocid1."));
        Some(Self {
            principal: Principal {
                tenancy: filled("/tenancy")?.to_owned(),
                user: USER.to_owned(),
            },
            region: text(oci, "/region"),
            compartment: filled("/compartment")?,
            vcn: filled("/networkConfig/vcn/ocid")?,
            name: format!("{}-router-default", text(cluster, "/spec/infraID")),
        })
    }
}

/// Some services list bare arrays, others `items`.
fn items(list: Value) -> Vec<Value> {
    match list {
        Value::Array(items) => items,
        Value::Object(mut list) => match list.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}
