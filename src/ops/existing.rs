//! Whether the VCNs and subnets that others made are there, and fit what they are used for.
//!
//! Invariant: what OCI does not answer for is neither there nor missing, and does not fail to fit.

use ipnet::IpNet;
use serde_json::Value;

use super::cloud;
use super::load::LoadedFleet;
use crate::plan::preconditions::{Finding, Met};
use crate::providers::oci::api::Place;
use crate::providers::oci::error::OciError;
use crate::providers::oci::{LookupError, OciProvider};
use crate::render::Precondition;
use crate::resource::{OciId, UnitId};

/// What a subnet is used for asks of it.
struct Use<'a> {
    /// OCID of the VCN that it is to be in.
    vcn: Option<&'a str>,
    /// Ranges of machines: a VCN has to hold them, and of a subnet they have to hold its own.
    machine: &'a [String],
    /// Whether something in it gets a public address.
    public: bool,
}

/// What to do where OCI did not answer for it.
const UNANSWERED: &str = "mend the OCID, or let the identity that looks read what is there";

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
        // Without credentials nobody was asked: whoever keeps control planes alone need have none.
        Err(
            ref error @ LookupError::Call {
                source: OciError::Credentials { .. },
                ..
            },
        ) => Finding::of(Met::Unchecked, crate::report::chain(error)),
        // A 404 may hide what is there, and may be of an OCID that nothing has.
        Err(error @ LookupError::Call { .. }) => Finding {
            met: Met::Unknown,
            why: vec![crate::report::chain(&error), UNANSWERED.to_owned()],
        },
        Err(error @ (LookupError::Kind(_) | LookupError::NoTenancy(_))) => {
            Finding::of(Met::Unchecked, crate::report::chain(&error))
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
        machine,
        vcn,
        public,
        ..
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
        machine,
        public: *public,
    };
    let why = misfits(&shown, &used);
    if why.is_empty() {
        return Ok(Finding::of(Met::Yes, shape(&ocid, &shown)));
    }
    Ok(Finding { met: Met::No, why })
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
    let own = ranges(shown);
    if shown.get("vcnId").is_some() {
        let is_told = |range: &&String| used.machine.iter().any(|machine| is_of_family(machine, range));
        for range in own.iter().filter(is_told).filter(|range| !is_held(range, used.machine)) {
            why.push(format!("its range {range} is not within {}", used.machine.join(", ")));
        }
    } else {
        for range in used.machine.iter().filter(|range| !is_held(range, &own)) {
            why.push(format!(
                "machines are to be in {range}, and it has {} alone",
                own.join(", ")
            ));
        }
    }
    if used.public && shown.get("prohibitPublicIpOnVnic") == Some(&Value::Bool(true)) {
        why.push("it is private: nothing in it gets a public address, and the endpoint is to have one".to_owned());
    }
    why
}

/// The ranges of a VCN or subnet, of both families.
fn ranges(shown: &Value) -> Vec<String> {
    const ONE: [&str; 2] = ["cidrBlock", "ipv6CidrBlock"];
    const SEVERAL: [&str; 4] = [
        "cidrBlocks",
        "ipv4CidrBlocks",
        "ipv6CidrBlocks",
        "ipv6PrivateCidrBlocks",
    ];
    let several = SEVERAL.iter().filter_map(|key| shown.get(key)?.as_array()).flatten();
    let one = ONE.iter().filter_map(|key| shown.get(key));
    let mut found: Vec<String> = several
        .chain(one)
        .filter_map(|range| Some(range.as_str()?.to_owned()))
        .collect();
    found.sort();
    found.dedup();
    found
}

fn is_of_family(one: &str, other: &str) -> bool {
    one.contains(':') == other.contains(':')
}

/// Whether these hold a range, together where they lie side by side. Ranges that are none are told elsewhere.
fn is_held(range: &str, by: &[String]) -> bool {
    let parse = |text: &str| text.parse::<IpNet>().ok();
    let by: Vec<IpNet> = by.iter().filter_map(|one| parse(one)).collect();
    parse(range).is_none_or(|range| IpNet::aggregate(&by).iter().any(|one| one.contains(&range)))
}

/// What was found, in words.
fn shape(ocid: &str, shown: &Value) -> String {
    let name = shown.get("displayName").and_then(Value::as_str).unwrap_or_default();
    let access = match shown.get("prohibitPublicIpOnVnic").and_then(Value::as_bool) {
        Some(true) => ", private",
        Some(false) => ", public",
        None => "",
    };
    format!("`{name}`, {ocid}, {}{access}", ranges(shown).join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ANY: Use<'_> = Use {
        vcn: None,
        machine: &[],
        public: false,
    };

    #[test]
    fn a_subnet_fits_where_nothing_speaks_against_it() {
        let machine = ["10.0.0.0/16".to_owned()];
        let used = Use {
            vcn: Some("ocid1.vcn.oc1..a"),
            machine: &machine,
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
    fn a_vcn_holds_what_machines_are_to_be_in_and_a_subnet_is_held_by_it() {
        let machine = ["10.0.0.0/20".to_owned(), "fd00:1::/56".to_owned()];
        let used = Use {
            machine: &machine,
            ..ANY
        };
        let vcn = |ranges: Value| {
            misfits(
                &json!({"cidrBlocks": ranges, "ipv6CidrBlocks": ["2603:c020::/56"], "ipv6PrivateCidrBlocks": ["fd00:1::/48"]}),
                &used,
            )
        };
        assert_eq!(vcn(json!(["10.9.0.0/16", "10.0.0.0/16"])), Vec::<String>::new());
        assert_eq!(
            vcn(json!(["10.9.0.0/16"])),
            ["machines are to be in 10.0.0.0/20, and it has 10.9.0.0/16, 2603:c020::/56, fd00:1::/48 alone"]
        );
        assert_eq!(
            vcn(json!(["10.0.0.0/21", "10.0.8.0/21"])),
            Vec::<String>::new(),
            "both together"
        );
        assert_eq!(
            misfits(&json!({"cidrBlocks": ["10.0.0.0/16"]}), &used),
            ["machines are to be in fd00:1::/56, and it has 10.0.0.0/16 alone"]
        );
        let subnet = |ranges: Value| {
            misfits(
                &json!({"vcnId": "v", "cidrBlock": "10.0.1.0/24", "ipv6CidrBlocks": ranges}),
                &used,
            )
        };
        assert_eq!(subnet(json!(["fd00:1::/64"])), Vec::<String>::new());
        assert_eq!(
            subnet(json!(["fd00:2::/64"])),
            ["its range fd00:2::/64 is not within 10.0.0.0/20, fd00:1::/56"]
        );
        // A family of which nothing is said may have any range.
        let used = Use {
            machine: &machine[..1],
            ..ANY
        };
        assert!(misfits(&json!({"vcnId": "v", "ipv6CidrBlock": "fd00:2::/64"}), &used).is_empty());
    }

    #[test]
    fn each_point_that_does_not_fit_is_named() {
        let machine = ["10.1.0.0/16".to_owned()];
        let used = Use {
            vcn: Some("ocid1.vcn.oc1..a"),
            machine: &machine,
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
