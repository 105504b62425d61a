//! OCI: one signed call for each tenancy and region.

use std::collections::BTreeSet;

use http::Method;

use super::clock;
use crate::ops::cloud;
use crate::ops::connect::Access;
use crate::ops::load::LoadedFleet;
use crate::providers::oci::api::{Call, Place, Service};
use crate::providers::oci::error::OciError;
use crate::report::chain;
use crate::report::doctor_text::Finding;
use crate::resource::{Target, UnitId};

const CHECK: &str = "credentials";

/// Nothing where nothing of the fleet is on OCI.
pub(super) async fn examine(loaded: &LoadedFleet, access: &Access) -> Vec<Finding> {
    let places = places(loaded);
    if places.is_empty() {
        return Vec::new();
    }
    let provider = match cloud::connect(access, loaded, std::iter::empty()).await {
        Ok(provider) => provider,
        Err(error) => {
            return vec![Finding::fail(
                CHECK,
                "oci",
                chain(&error),
                "--oci-auth says whose are used",
            )];
        }
    };
    let mut findings = Vec::new();
    for place in places {
        let subject = match &place.tenancy {
            Some(tenancy) => format!("{} ({tenancy})", place.region),
            None => place.region.clone(),
        };
        // Any signature that is good is answered: what the fleet may do there, only the policies know.
        let call = Call {
            service: Service::Identity,
            place,
            operation: "ListRegions",
            method: Method::GET,
            path: "/regions".to_owned(),
            query: Vec::new(),
            body: None,
            retry_token: None,
            if_match: None,
        };
        findings.push(match provider.client().call(call).await {
            Ok(_) => Finding::ok(CHECK, &subject, "a signed call is answered"),
            Err(error) => Finding::fail(CHECK, &subject, chain(&error), hint(&error)),
        });
        findings.extend(
            provider
                .client()
                .clock_ahead()
                .map(|ahead| clock::judge(&subject, ahead)),
        );
    }
    findings
}

/// What to do about a call that was not answered.
fn hint(error: &OciError) -> &'static str {
    match error.service() {
        Some(refusal) if refusal.skew.is_some() => {
            "set this machine's clock by NTP, and look again: nothing is known of the key before that"
        }
        Some(refusal) if refusal.status == 401 => {
            "is the key uploaded for this user of this tenancy, and its fingerprint that of the configuration?"
        }
        Some(_) => "the service says why; who asks Oracle for help gives the opc-request-id",
        None => "is the key that of a user of this tenancy, and port 443 open from here?",
    }
}

/// Where the units are that have anything on OCI.
fn places(loaded: &LoadedFleet) -> BTreeSet<Place> {
    let units = loaded.rendered.units.iter();
    let on_oci = units.filter(|(_, unit)| unit.manifests.iter().any(|manifest| manifest.id.target == Target::Oci));
    on_oci
        .filter_map(|(unit, _)| {
            let (region, tenancy) = match unit {
                UnitId::Cluster(name) => {
                    let cluster = loaded.fleet.clusters.get(name)?;
                    (&cluster.region, &cluster.tenancy)
                }
                UnitId::Network(name) => {
                    let network = loaded.fleet.networks.get(name)?;
                    (&network.region, &network.tenancy)
                }
                UnitId::ManagementCluster(_) => return None,
            };
            Some(Place {
                tenancy: tenancy.as_ref().map(ToString::to_string),
                region: region.clone(),
            })
        })
        .collect()
}
