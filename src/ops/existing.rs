//! Whether the VCNs and subnets that others made are there, and fit what they are used for.
//!
//! Invariant: what OCI does not answer for is neither there nor missing, and does not fail to fit.

use serde_json::Value;

use super::cloud;
use super::load::LoadedFleet;
use crate::plan::preconditions::{Finding, Met};
use crate::providers::oci::api::Place;
use crate::providers::oci::{LookupError, OciProvider};
use crate::render::Precondition;
use crate::resource::{OciId, UnitId};

/// What a subnet is used for asks of it.
struct Use<'a> {
    /// OCID of the VCN that it is to be in.
    vcn: Option<&'a str>,
    /// Ranges of which one has to hold its own; any where empty.
    within: &'a [String],
    /// Whether something in it gets a public address.
    public: bool,
}

/// Looks at one.
pub(super) async fn look(
    precondition: &Precondition,
    unit: &UnitId,
    loaded: &LoadedFleet,
    provider: &OciProvider,
) -> Finding {
    match found(precondition, unit, loaded, provider).await {
        Ok(finding) => finding,
        Err(LookupError::None { .. }) => Finding::plain(Met::No),
        Err(error @ LookupError::Several { .. }) => Finding {
            met: Met::No,
            why: vec![crate::report::chain(&error)],
        },
        // A 404 may hide what is there.
        Err(error @ (LookupError::Kind(_) | LookupError::Call { .. } | LookupError::NoTenancy(_))) => {
            Finding::unchecked(crate::report::chain(&error))
        }
    }
}

async fn found(
    precondition: &Precondition,
    unit: &UnitId,
    loaded: &LoadedFleet,
    provider: &OciProvider,
) -> Result<Finding, LookupError> {
    let Precondition::Existing {
        resource,
        region,
        role,
        within,
        vcn,
        public,
    } = precondition
    else {
        return Ok(Finding::plain(Met::Unchecked));
    };
    let place = Place {
        tenancy: tenancy(unit, loaded),
        region: region.clone(),
    };
    let ocid = ocid(resource, &place, provider).await?;
    let kind = if role == "vcn" { "Vcn" } else { "Subnet" };
    let shown = provider.find_by_ocid(&place, kind, &ocid).await?.shown;
    let vcn = match vcn {
        Some(vcn) => Some(self::ocid(vcn, &place, provider).await?),
        None => None,
    };
    let used = Use {
        vcn: vcn.as_deref(),
        within,
        public: *public,
    };
    let why = misfits(&shown, &used);
    let met = if why.is_empty() { Met::Yes } else { Met::No };
    Ok(Finding { met, why })
}

fn tenancy(unit: &UnitId, loaded: &LoadedFleet) -> Option<String> {
    let fleet = &loaded.fleet;
    let tenancy = match unit {
        UnitId::Cluster(name) => fleet.clusters.get(name)?.tenancy.as_ref(),
        UnitId::Network(name) => fleet.networks.get(name)?.tenancy.as_ref(),
        UnitId::ManagementCluster(_) => None,
    };
    tenancy.map(ToString::to_string)
}

async fn ocid(resource: &OciId, place: &Place, provider: &OciProvider) -> Result<String, LookupError> {
    match resource {
        OciId::Known(ocid) => Ok(ocid.to_string()),
        OciId::Named(lookup) => cloud::resource(lookup, place.tenancy.as_deref(), provider).await,
    }
}

/// In which points what OCI shows of a VCN or subnet does not fit its use.
fn misfits(shown: &Value, used: &Use<'_>) -> Vec<String> {
    let text = |key: &str| shown.get(key).and_then(Value::as_str);
    let mut why = Vec::new();
    if let Some(state) = text("lifecycleState").filter(|state| *state != "AVAILABLE") {
        why.push(format!("it is {state}"));
    }
    if let (Some(own), Some(wanted)) = (text("vcnId"), used.vcn)
        && own != wanted
    {
        why.push(format!("it is in {own}, not in {wanted}"));
    }
    if let Some(own) = text("cidrBlock")
        && !used.within.is_empty()
        && !used.within.iter().any(|range| holds(range, own))
    {
        why.push(format!("its range {own} is not within {}", used.within.join(", ")));
    }
    if used.public && shown.get("prohibitPublicIpOnVnic") == Some(&Value::Bool(true)) {
        why.push("it is private: nothing in it gets a public address, and the endpoint is to have one".to_owned());
    }
    why
}

/// Ranges that are none are said elsewhere.
fn holds(range: &str, own: &str) -> bool {
    let parse = |text: &str| text.parse::<ipnet::IpNet>();
    match (parse(range), parse(own)) {
        (Ok(range), Ok(own)) => range.contains(&own),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ANY: Use<'_> = Use {
        vcn: None,
        within: &[],
        public: false,
    };

    #[test]
    fn a_subnet_fits_where_nothing_speaks_against_it() {
        let within = ["10.0.0.0/16".to_owned()];
        let used = Use {
            vcn: Some("ocid1.vcn.oc1..a"),
            within: &within,
            public: true,
        };
        let shown = json!({"cidrBlock": "10.0.64.0/20", "vcnId": "ocid1.vcn.oc1..a", "lifecycleState": "AVAILABLE",
            "prohibitPublicIpOnVnic": false});
        assert_eq!(misfits(&shown, &used), Vec::<String>::new());
        assert_eq!(
            misfits(&json!({"cidrBlocks": ["10.1.0.0/16"]}), &ANY),
            Vec::<String>::new()
        );
    }

    #[test]
    fn each_point_that_does_not_fit_is_named() {
        let within = ["10.1.0.0/16".to_owned()];
        let used = Use {
            vcn: Some("ocid1.vcn.oc1..a"),
            within: &within,
            public: true,
        };
        let shown = json!({"cidrBlock": "10.0.64.0/20", "vcnId": "ocid1.vcn.oc1..b", "lifecycleState": "TERMINATING",
            "prohibitPublicIpOnVnic": true});
        let why = misfits(&shown, &used).join("\n");
        for said in [
            "TERMINATING",
            "in ocid1.vcn.oc1..b, not in",
            "10.0.64.0/20 is not within 10.1.0.0/16",
            "private",
        ] {
            assert!(why.contains(said), "{said}: {why}");
        }
        assert!(misfits(&json!({"prohibitPublicIpOnVnic": true}), &ANY).is_empty());
    }
}
