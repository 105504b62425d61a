//! How each kind is called: paths, operations, and what OCI shows in another form than it takes.
//!
//! What can change, and by which sort of call, stands in `resource::oci`; here is only what those calls are. Each kind that
//! needs more than the five usual calls has a file of its own.

pub(super) mod blocks;
pub(super) mod group_rules;
pub(super) mod load_balancer;
pub(super) mod peering;
pub(super) mod records;
pub(super) mod route_rules;

use serde_json::{Map, Value};

use super::api::Service;
use crate::resource::oci::{Change, Field, Shape};

/// How a kind is called.
#[derive(Debug)]
pub(super) struct Route {
    /// The kind.
    pub(super) name: &'static str,
    /// The service.
    pub(super) service: Service,
    /// Path of the collection.
    pub(super) collection: &'static str,
    /// Names of the operations.
    pub(super) operations: Operations,
    /// What a LIST asks for beside the compartment.
    pub(super) list_query: &'static [(&'static str, &'static str)],
    /// Brings what OCI shows to the form that its create takes, as far as renaming fields does not do.
    pub(super) as_created: fn(&mut Map<String, Value>),
}

/// Names of operations in OCI's reference.
#[derive(Debug)]
pub(super) struct Operations {
    pub(super) create: &'static str,
    pub(super) get: &'static str,
    pub(super) list: &'static str,
    pub(super) update: &'static str,
    pub(super) delete: &'static str,
    pub(super) change_compartment: &'static str,
}

impl Route {
    /// Path of one resource.
    pub(super) fn path(&self, ocid: &str) -> String {
        format!("{}/{}", self.collection, encode(ocid))
    }
}

/// The route of a kind; none for what is a part of something else.
pub(super) fn route(kind: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.name == kind)
}

/// A field's value as an update takes it: the whole of it, also where only a part is wanted.
pub(super) fn as_updated(field: &Field, wanted: &Value, live: Option<&Value>) -> Value {
    let partial = matches!(field.shape, Shape::Map(_) | Shape::DefinedTags);
    let mut value = match live {
        Some(live) if partial => over(live, wanted),
        _ => wanted.clone(),
    };
    if let (Shape::DefinedTags, Some(namespaces)) = (field.shape, value.as_object_mut()) {
        take_off(namespaces, wanted);
    }
    if let (Shape::Map(fields), Some(map)) = (field.shape, value.as_object_mut()) {
        // What an attachment attaches is fixed, and its kind still has to be said.
        map.retain(|key, value| {
            !value.is_null() && (key == "type" || fields.iter().any(|f| f.name == key && f.change == Change::InPlace))
        });
    }
    value
}

/// Takes out the keys that are wanted with null, and the namespaces that have none left.
fn take_off(namespaces: &mut Map<String, Value>, wanted: &Value) {
    namespaces.retain(|namespace, keys| {
        let Some(keys) = keys.as_object_mut() else { return true };
        let before = keys.len();
        keys.retain(|key, _| wanted[namespace.as_str()].get(key).is_none_or(|value| !value.is_null()));
        !keys.is_empty() || before == 0
    });
}

/// `wanted` laid over `there`, map by map; lists replace.
fn over(there: &Value, wanted: &Value) -> Value {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => {
            let mut merged = there.clone();
            for (key, value) in wanted.iter().filter(|(_, value)| !value.is_null()) {
                let value = merged
                    .get(key)
                    .map_or_else(|| value.clone(), |before| over(before, value));
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        _ => wanted.clone(),
    }
}

/// A path segment. What is not plain is encoded, so that no name can lead a call elsewhere.
pub(super) fn encode(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') || (byte == b'.' && !is_dots(segment)) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// `.` and `..` would be steps of the path.
fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | "..")
}

/// A networking kind, whose operations are all named by one pattern.
macro_rules! networking {
    ($kind:literal, $plural:literal, $collection:literal $(, $key:ident: $value:expr)*) => {
        Route {
            $($key: $value,)*
            ..Route {
                name: $kind,
                service: Service::Core,
                collection: $collection,
                operations: Operations {
                    create: concat!("Create", $kind),
                    get: concat!("Get", $kind),
                    list: concat!("List", $plural),
                    update: concat!("Update", $kind),
                    delete: concat!("Delete", $kind),
                    change_compartment: concat!("Change", $kind, "Compartment"),
                },
                list_query: &[],
                as_created: |_| {},
            }
        }
    };
}

/// Every kind that is a resource of its own.
const ROUTES: &[Route] = &[
    networking!("Vcn", "Vcns", "/vcns", as_created: blocks::vcn_as_created),
    networking!("Subnet", "Subnets", "/subnets"),
    networking!("InternetGateway", "InternetGateways", "/internetGateways"),
    networking!("NatGateway", "NatGateways", "/natGateways"),
    networking!("ServiceGateway", "ServiceGateways", "/serviceGateways"),
    networking!("RouteTable", "RouteTables", "/routeTables"),
    networking!("SecurityList", "SecurityLists", "/securityLists"),
    networking!(
        "NetworkSecurityGroup",
        "NetworkSecurityGroups",
        "/networkSecurityGroups"
    ),
    networking!("DhcpOptions", "DhcpOptions", "/dhcps"),
    networking!(
        "LocalPeeringGateway",
        "LocalPeeringGateways",
        "/localPeeringGateways",
        as_created: peering::as_created
    ),
    networking!("Drg", "Drgs", "/drgs"),
    networking!("DrgAttachment", "DrgAttachments", "/drgAttachments"),
    networking!(
        "RemotePeeringConnection",
        "RemotePeeringConnections",
        "/remotePeeringConnections",
        as_created: peering::as_created
    ),
    // Those that somebody reserved; the others come and go with what they are on.
    networking!(
        "PublicIp",
        "PublicIps",
        "/publicIps",
        list_query: &[("scope", "REGION"), ("lifetime", "RESERVED")]
    ),
    networking!(
        "NetworkLoadBalancer",
        "NetworkLoadBalancers",
        "/networkLoadBalancers",
        service: Service::NetworkLoadBalancer,
        as_created: load_balancer::as_created
    ),
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resource::oci::{self, OciKind};

    #[test]
    fn every_kind_can_be_called() {
        for kind in oci::KINDS {
            let part = matches!(kind.name, "RouteTableRules" | "DnsRecords");
            assert_eq!(route(kind.name).is_none(), part, "{}", kind.name);
        }
        for route in ROUTES {
            assert!(oci::kind(route.name).is_some_and(OciKind::is_tagged), "{}", route.name);
        }
    }

    #[test]
    fn a_defined_tag_that_is_to_go_is_left_out_and_those_of_others_are_sent_again() {
        let field = oci::kind("Vcn").and_then(|kind| kind.field("definedTags")).unwrap();
        let live = json!({"ops": {"cost": "1", "theirs": "2"}, "old": {"stage": "3"}});
        let wanted = json!({"ops": {"cost": null, "team": "4"}, "old": {"stage": null}});
        assert_eq!(
            as_updated(field, &wanted, Some(&live)),
            json!({"ops": {"theirs": "2", "team": "4"}})
        );
        assert_eq!(as_updated(field, &wanted, None), json!({"ops": {"team": "4"}}));
    }

    #[test]
    fn no_name_leads_a_call_elsewhere() {
        assert_eq!(
            encode("ocid1.vcn.oc1.eu-frankfurt-1.aaaa"),
            "ocid1.vcn.oc1.eu-frankfurt-1.aaaa"
        );
        assert_eq!(encode("../x?y#z"), "..%2Fx%3Fy%23z");
        assert_eq!(encode(".."), "%2E%2E");
        assert_eq!(encode("a b:c"), "a%20b%3Ac");
    }
}
