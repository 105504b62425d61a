use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

/// By kind: what OCI's create takes, and what its update takes.
const MODELS: &[(&str, &str, &str)] = &[
    (
        "Vcn",
        "compartmentId cidrBlock cidrBlocks ipv6PrivateCidrBlocks isOracleGuaAllocationEnabled \
         byoipv6CidrDetails definedTags displayName dnsLabel freeformTags securityAttributes isIpv6Enabled \
         isZprOnly",
        "definedTags displayName freeformTags securityAttributes isZprOnly",
    ),
    (
        "DhcpOptions",
        "compartmentId options vcnId definedTags displayName freeformTags domainNameType",
        "definedTags displayName freeformTags options domainNameType",
    ),
    (
        "Drg",
        "compartmentId definedTags displayName freeformTags",
        "definedTags defaultDrgRouteTables displayName freeformTags",
    ),
    (
        "DrgAttachment",
        "drgId displayName drgRouteTableId networkDetails definedTags freeformTags routeTableId vcnId \
         drgNatPolicyId doesPreserveOriginalRoutesWithNat",
        "displayName drgNatPolicyId doesPreserveOriginalRoutesWithNat drgRouteTableId networkDetails \
         definedTags freeformTags exportDrgRouteDistributionId routeTableId",
    ),
    (
        "InternetGateway",
        "compartmentId isEnabled vcnId definedTags displayName freeformTags routeTableId",
        "definedTags displayName freeformTags isEnabled routeTableId",
    ),
    (
        "PublicIp",
        "compartmentId lifetime definedTags displayName freeformTags privateIpId publicIpPoolId",
        "definedTags displayName freeformTags privateIpId",
    ),
    (
        "NatGateway",
        "compartmentId vcnId definedTags displayName freeformTags blockTraffic publicIpId routeTableId",
        "definedTags displayName freeformTags blockTraffic routeTableId",
    ),
    (
        "ServiceGateway",
        "compartmentId services vcnId definedTags displayName freeformTags routeTableId",
        "blockTraffic definedTags displayName freeformTags routeTableId services",
    ),
    (
        "LocalPeeringGateway",
        "compartmentId vcnId definedTags displayName freeformTags securityAttributes routeTableId",
        "definedTags displayName freeformTags securityAttributes routeTableId",
    ),
    (
        "RemotePeeringConnection",
        "compartmentId drgId definedTags displayName freeformTags",
        "definedTags displayName freeformTags",
    ),
    (
        "RouteTable",
        "compartmentId routeRules vcnId definedTags displayName freeformTags",
        "definedTags displayName freeformTags routeRules",
    ),
    (
        "SecurityList",
        "compartmentId egressSecurityRules ingressSecurityRules vcnId definedTags displayName freeformTags",
        "definedTags displayName egressSecurityRules freeformTags ingressSecurityRules",
    ),
    (
        "NetworkSecurityGroup",
        "compartmentId vcnId definedTags displayName freeformTags",
        "definedTags displayName freeformTags",
    ),
    (
        "Subnet",
        "compartmentId vcnId availabilityDomain cidrBlock ipv4CidrBlocks definedTags dhcpOptionsId \
         displayName dnsLabel freeformTags ipv6CidrBlock ipv6CidrBlocks prohibitInternetIngress \
         prohibitPublicIpOnVnic routeTableId securityListIds",
        "definedTags dhcpOptionsId displayName freeformTags routeTableId securityListIds cidrBlock \
         ipv6CidrBlock ipv6CidrBlocks",
    ),
    (
        "NetworkLoadBalancer",
        "compartmentId displayName subnetId isPreserveSourceDestination isSymmetricHashEnabled reservedIps \
         isPrivate networkSecurityGroupIds nlbIpVersion subnetIpv6Cidr assignedPrivateIpv4 assignedIpv6 \
         listeners backendSets freeformTags definedTags securityAttributes",
        "displayName isPreserveSourceDestination isSymmetricHashEnabled nlbIpVersion subnetIpv6Cidr \
         assignedIpv6 reservedIpv6Id freeformTags definedTags securityAttributes",
    ),
];

/// Fields that a create takes and a document has another word or no word for.
const NOT_OURS: &[(&str, &str)] = &[
    // The old spelling of `cidrBlocks`.
    ("Vcn", "cidrBlock"),
    // Of the update alone: an address is chosen when the balancer is made.
    ("NetworkLoadBalancer", "reservedIpv6Id"),
];

#[expect(clippy::needless_pass_by_value, reason = "called with literals")]
fn spec_differences(kind_name: &str, desired: Value, live: Value) -> Vec<(String, Change)> {
    differences(kind(kind_name).unwrap(), &desired, &live, Former::default())
        .into_iter()
        .map(|difference| (difference.path.to_string(), difference.change))
        .collect()
}

#[test]
fn every_field_of_a_create_and_an_update_has_a_verdict_that_those_calls_can_keep() {
    for (name, create, update) in MODELS {
        let kind = kind(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        let create: BTreeSet<&str> = create.split_whitespace().collect();
        let update: BTreeSet<&str> = update.split_whitespace().collect();
        for field in create.union(&update).filter(|field| !NOT_OURS.contains(&(name, field))) {
            assert!(kind.field(field).is_some(), "{name}.{field} has no verdict");
        }
        for field in kind.all_fields() {
            let what = format!("{name}.{}", field.name);
            assert_eq!(
                field.in_create,
                create.contains(field.name),
                "{what}: whether the create takes it"
            );
            let updates = update.contains(field.name);
            match field.call {
                Call::Update => assert!(updates, "{what}: the update does not take it"),
                Call::Create => {
                    let seen = !matches!(field.shape, Shape::Unseen);
                    assert!(!(updates && seen), "{what}: the update takes it");
                    assert_eq!(field.change, Change::Replace, "{what}");
                }
                Call::ChangeCompartment | Call::Blocks | Call::Rules | Call::Connect | Call::Parts | Call::Place => {
                    assert!(!updates, "{what}: the update takes it");
                }
            }
        }
    }
}

#[test]
fn what_needs_a_replacement_is_what_oci_can_not_change() {
    let replaced = |name: &str| -> Vec<&str> {
        kind(name)
            .unwrap()
            .fields
            .iter()
            .filter(|field| field.change == Change::Replace && !matches!(field.shape, Shape::Unseen))
            .map(|field| field.name)
            .collect()
    };
    assert_eq!(replaced("Vcn"), ["dnsLabel"]);
    assert_eq!(
        replaced("Subnet"),
        [
            "vcnId",
            "availabilityDomain",
            "dnsLabel",
            "prohibitInternetIngress",
            "prohibitPublicIpOnVnic"
        ]
    );
    for gateway in [
        "InternetGateway",
        "ServiceGateway",
        "RouteTable",
        "SecurityList",
        "NetworkSecurityGroup",
    ] {
        assert_eq!(replaced(gateway), ["vcnId"], "{gateway}");
    }
    assert_eq!(replaced("NatGateway"), ["vcnId", "publicIpId"]);
    assert_eq!(replaced("DhcpOptions"), ["vcnId"]);
    assert_eq!(replaced("LocalPeeringGateway"), ["vcnId"]);
    assert_eq!(replaced("Drg"), Vec::<&str>::new());
    assert_eq!(replaced("RemotePeeringConnection"), ["drgId"]);
    assert_eq!(replaced("PublicIp"), ["lifetime", "publicIpPoolId"]);
    assert_eq!(
        replaced("NetworkLoadBalancer"),
        ["subnetId", "isPrivate", "reservedIps"]
    );
}

#[test]
fn what_blocks_a_deletion_is_a_kind_of_ours_or_one_that_others_make() {
    for one in KINDS {
        assert!(
            one.blocked_by
                .iter()
                .all(|name| { kind(name).is_some() || ["Vnic", "PrivateIp", "LoadBalancer"].contains(name) })
        );
        let mut names: Vec<&str> = one.all_fields().map(|field| field.name).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before, "{} names a field twice", one.name);
    }
}

#[test]
fn only_what_is_wanted_is_compared() {
    let live = json!({
        "region": "eu-frankfurt-1", "compartmentId": "c", "displayName": "a", "vcnId": "v", "cidrBlock": "10.0.0.0/24",
        "ipv4CidrBlocks": ["10.0.0.0/24"], "prohibitPublicIpOnVnic": true, "dnsLabel": "workers",
        "securityListIds": ["s1", "s2"], "routeTableId": "r",
        "freeformTags": {"team": "net", "fleetwright-id": "1"}, "definedTags": {"Oracle-Tags": {"CreatedBy": "x"}},
    });
    let mut desired = json!({
        "region": "eu-frankfurt-1", "tenancy": null, "displayName": "a", "cidrBlock": "10.0.0.0/24",
        "securityListIds": ["s2", "s1"], "availabilityDomain": null, "freeformTags": {"team": "net"}, "definedTags": {},
    });
    assert_eq!(spec_differences("Subnet", desired.clone(), live.clone()), []);
    desired["cidrBlock"] = "10.0.0.0/23".into();
    desired["dnsLabel"] = "w".into();
    desired["securityListIds"] = json!(["s2", "s3"]);
    desired["noSuchField"] = 1.into();
    desired["vcnId"] = json!({"$ref": {"kind": "Vcn", "name": "a"}, "field": "id"});
    assert_eq!(
        spec_differences("Subnet", desired, live),
        [
            (".spec.vcnId".to_owned(), Change::Replace),
            (".spec.cidrBlock".to_owned(), Change::InPlace),
            (".spec.dnsLabel".to_owned(), Change::Replace),
            (".spec.securityListIds[=\"s1\"]".to_owned(), Change::InPlace),
            (".spec.securityListIds[=\"s3\"]".to_owned(), Change::InPlace),
            (".spec.noSuchField".to_owned(), Change::ReadOnly),
        ]
    );
}

#[test]
fn rules_are_sets_in_a_normal_form() {
    let wanted = json!({"securityRules": [
        {"direction": "INGRESS", "protocol": "6", "source": "10.0.0.0/16",
         "tcpOptions": {"destinationPortRange": {"min": 6443, "max": 6443}}},
        {"direction": "EGRESS", "protocol": "all", "destination": "0.0.0.0/0", "destinationType": "CIDR_BLOCK",
         "isStateless": false, "description": ""},
    ]});
    let mut live = json!({"securityRules": [
        {"id": "2", "direction": "EGRESS", "protocol": "all", "destination": "0.0.0.0/0", "destinationType": "CIDR_BLOCK",
         "isStateless": false, "isValid": true, "timeCreated": "2026-01-01T00:00:00Z", "sourceType": null, "source": null},
        {"id": "1", "direction": "INGRESS", "protocol": "6", "source": "10.0.0.0/16", "sourceType": "CIDR_BLOCK",
         "isStateless": false, "udpOptions": null, "destinationType": null,
         "tcpOptions": {"destinationPortRange": {"min": 6443, "max": 6443}, "sourcePortRange": null}},
    ]});
    assert_eq!(
        spec_differences("NetworkSecurityGroup", wanted.clone(), live.clone()),
        []
    );
    live["securityRules"][1]["tcpOptions"]["destinationPortRange"]["max"] = 6444.into();
    let found = differences(kind("NetworkSecurityGroup").unwrap(), &wanted, &live, Former::default());
    assert_eq!(found.len(), 2);
    assert_eq!(
        found[0].before.as_ref().unwrap()["tcpOptions"]["destinationPortRange"]["max"],
        6444
    );
    assert_eq!(
        found[1].after.as_ref().unwrap()["tcpOptions"]["destinationPortRange"]["max"],
        6443
    );
    let twice = json!({"securityRules": [wanted["securityRules"][0], wanted["securityRules"][0]]});
    let once = json!({"securityRules": [wanted["securityRules"][0]]});
    assert_eq!(spec_differences("NetworkSecurityGroup", twice, once).len(), 1);
}

#[test]
fn routes_of_oci_and_old_spellings_make_no_difference() {
    let wanted = json!({"routeRules": [{"cidrBlock": "0.0.0.0/0", "networkEntityId": "n"}]});
    let live = json!({"routeRules": [
        {"destination": "10.0.0.0/16", "destinationType": "CIDR_BLOCK", "networkEntityId": "v", "routeType": "LOCAL"},
        {"destination": "0.0.0.0/0", "cidrBlock": "0.0.0.0/0", "destinationType": "CIDR_BLOCK", "networkEntityId": "n",
         "routeType": "STATIC", "description": null},
    ]});
    assert_eq!(spec_differences("RouteTable", wanted, live), []);
    let (wanted, live) = (
        json!({"cidrBlock": "10.0.0.0/16"}),
        json!({"cidrBlocks": ["10.0.0.0/16"], "cidrBlock": "10.0.0.0/16"}),
    );
    assert_eq!(spec_differences("Vcn", wanted, live), []);
    let options = json!({"options": [{"type": "DomainNameServer", "serverType": "VcnLocalPlusInternet"}]});
    let live = json!({"options": [
        {"type": "SearchDomain", "searchDomainNames": ["a.oraclevcn.com"]},
        {"type": "DomainNameServer", "serverType": "VcnLocalPlusInternet", "customDnsServers": []},
    ]});
    assert_eq!(spec_differences("DhcpOptions", options, live), []);
}

#[test]
fn tags_of_others_stay_and_former_ones_of_ours_go() {
    let subnet = kind("Subnet").unwrap();
    let live = json!({
        "freeformTags": {"ours": "1", "old": "2", "theirs": "3", "fleetwright-id": "x"},
        "definedTags": {"ops": {"cost": "1", "other": "2"}},
    });
    let wanted = json!({"freeformTags": {"ours": "9"}, "definedTags": {"ops": {"cost": "2"}}});
    let former = [
        "ours".to_owned(),
        "old".to_owned(),
        "fleetwright-id".to_owned(),
        "gone".to_owned(),
    ];
    let former = Former {
        tags: &former,
        fields: &[],
    };
    let paths = |found: Vec<FieldDifference>| -> Vec<String> { found.iter().map(|d| d.path.to_string()).collect() };
    assert_eq!(
        paths(differences(subnet, &wanted, &live, former)),
        [
            ".spec.freeformTags.ours",
            ".spec.freeformTags.old",
            ".spec.definedTags.ops.cost"
        ]
    );
    let by_null = json!({"freeformTags": {"old": null, "gone": null}});
    assert_eq!(
        paths(differences(subnet, &by_null, &live, Former::default())),
        [".spec.freeformTags.old"]
    );
    assert_eq!(paths(differences(subnet, &json!({}), &live, former)).len(), 2);
}

#[test]
fn what_can_be_set_once_is_set_in_place_and_changed_by_replacement() {
    let once = |live: Value| spec_differences("LocalPeeringGateway", json!({"peerId": "p"}), live);
    assert_eq!(
        once(json!({"peerId": null})),
        [(".spec.peerId".to_owned(), Change::InPlace)]
    );
    assert_eq!(once(json!({"peerId": "p"})), []);
    assert_eq!(
        once(json!({"peerId": "q"})),
        [(".spec.peerId".to_owned(), Change::Replace)]
    );
    // The side that does not connect is of no use either, once the other one has ended it.
    let passive = |live: Value| spec_differences("RemotePeeringConnection", json!({}), live);
    assert_eq!(passive(json!({"peerId": "p", "peerRegionName": "r"})), []);
    assert_eq!(
        passive(json!({"peerId": {"ended": "p"}, "peerRegionName": "r"})),
        [(".spec.peerId".to_owned(), Change::Replace)]
    );
    let ipv6 = |wanted: bool, live: bool| {
        spec_differences("Vcn", json!({"isIpv6Enabled": wanted}), json!({"isIpv6Enabled": live}))
    };
    assert_eq!(ipv6(true, false)[0].1, Change::InPlace);
    assert_eq!(ipv6(false, true)[0].1, Change::Replace);
}

#[test]
fn parts_are_compared_by_name_and_nested_fields_one_by_one() {
    let live = json!({
        "backendSets": {
            "api": {"name": "api", "policy": "FIVE_TUPLE", "isPreserveSource": true,
                "healthChecker": {"protocol": "TCP", "port": 6443, "retries": 3, "timeoutInMillis": 3000},
                "backends": [{"name": "10.0.0.2:6443", "ipAddress": "10.0.0.2", "targetId": null, "port": 6443, "weight": 1,
                    "isBackup": false, "isDrain": false, "isOffline": false}]},
            "foreign": {"name": "foreign"},
        },
        "listeners": {},
    });
    let wanted = json!({
        "backendSets": {"api": {"name": "api", "policy": "FIVE_TUPLE", "healthChecker": {"protocol": "TCP", "port": 6444},
            "backends": [{"ipAddress": "10.0.0.2", "port": 6443}]}},
        "listeners": {"api": {"name": "api", "port": 6443}},
    });
    assert_eq!(
        spec_differences("NetworkLoadBalancer", wanted, live),
        [
            (".spec.backendSets.foreign".to_owned(), Change::InPlace),
            (".spec.backendSets.api.healthChecker.port".to_owned(), Change::InPlace),
            (".spec.listeners.api".to_owned(), Change::InPlace),
        ]
    );
    let attachment = spec_differences(
        "DrgAttachment",
        json!({"networkDetails": {"type": "VCN", "id": "v2", "routeTableId": "r"}}),
        json!({"networkDetails": {"type": "VCN", "id": "v1", "routeTableId": null, "vcnRouteType": "VCN_CIDRS"}}),
    );
    assert_eq!(
        attachment,
        [
            (".spec.networkDetails.id".to_owned(), Change::Replace),
            (".spec.networkDetails.routeTableId".to_owned(), Change::InPlace),
        ]
    );
}

#[test]
fn specs_that_ask_for_the_same_have_one_normal_form() {
    let list = kind("SecurityList").unwrap();
    let a =
        json!({"egressSecurityRules": [{"protocol": "6", "destination": "a"}, {"protocol": "17", "destination": "a"}]});
    let b = json!({"ingressSecurityRules": null, "egressSecurityRules": [
        {"protocol": "17", "destination": "a", "isStateless": false}, {"protocol": "6", "destination": "a", "description": null},
    ]});
    assert_eq!(normal_spec(list, &a), normal_spec(list, &b));
    let c = json!({"egressSecurityRules": [{"protocol": "6", "destination": "a"}]});
    assert_ne!(normal_spec(list, &a), normal_spec(list, &c));
}

/// What differs once a document that asked for `before` asks for `after`, all as it was made meanwhile.
#[expect(clippy::needless_pass_by_value, reason = "called with literals")]
fn taken_out(kind_name: &str, before: Value, after: Value) -> Vec<(String, Change)> {
    let kind = kind(kind_name).unwrap();
    let fields = named(kind, before.as_object().unwrap());
    let former = Former {
        tags: &[],
        fields: &fields,
    };
    let found = differences(kind, &after, &before, former);
    // What an update sends says the same outright.
    let mut said = after;
    say_outright(kind, said.as_object_mut().unwrap(), former);
    let in_place = |found: &[FieldDifference]| -> Vec<String> {
        let in_place = found.iter().filter(|difference| difference.change == Change::InPlace);
        in_place.map(|difference| difference.path.to_string()).collect()
    };
    assert_eq!(
        in_place(&differences(kind, &said, &before, Former::default())),
        in_place(&found)
    );
    found
        .into_iter()
        .map(|difference| (difference.path.to_string(), difference.change))
        .collect()
}

#[test]
fn what_is_taken_out_of_a_document_is_to_go() {
    let cases = [
        (
            "NatGateway",
            json!({"publicIpId": "p"}),
            ".spec.publicIpId",
            Change::Replace,
        ),
        (
            "NatGateway",
            json!({"blockTraffic": true}),
            ".spec.blockTraffic",
            Change::InPlace,
        ),
        ("Vcn", json!({"dnsLabel": "a"}), ".spec.dnsLabel", Change::Replace),
        (
            "Vcn",
            json!({"isIpv6Enabled": true}),
            ".spec.isIpv6Enabled",
            Change::Replace,
        ),
        (
            "Vcn",
            json!({"ipv6PrivateCidrBlocks": ["fd00::/56"]}),
            ".spec.ipv6PrivateCidrBlocks",
            Change::Replace,
        ),
        (
            "Subnet",
            json!({"ipv6CidrBlocks": ["fd00::/64"]}),
            ".spec.ipv6CidrBlocks[=\"fd00::/64\"]",
            Change::InPlace,
        ),
        (
            "Subnet",
            json!({"availabilityDomain": "AD-1"}),
            ".spec.availabilityDomain",
            Change::Replace,
        ),
        (
            "Subnet",
            json!({"dhcpOptionsId": "d"}),
            ".spec.dhcpOptionsId",
            Change::Replace,
        ),
        (
            "Subnet",
            json!({"securityListIds": ["s"]}),
            ".spec.securityListIds",
            Change::Replace,
        ),
        (
            "Subnet",
            json!({"definedTags": {"ops": {"cost": "1"}}}),
            ".spec.definedTags.ops.cost",
            Change::InPlace,
        ),
        (
            "NetworkLoadBalancer",
            json!({"networkSecurityGroupIds": ["g"]}),
            ".spec.networkSecurityGroupIds[=\"g\"]",
            Change::InPlace,
        ),
        (
            "PublicIp",
            json!({"privateIpId": "i"}),
            ".spec.privateIpId",
            Change::InPlace,
        ),
        (
            "DrgAttachment",
            json!({"networkDetails": {"routeTableId": "r"}}),
            ".spec.networkDetails.routeTableId",
            Change::Replace,
        ),
        (
            "NetworkLoadBalancer",
            json!({"listeners": {"api": {"port": 6443}}}),
            ".spec.listeners.api",
            Change::InPlace,
        ),
    ];
    for (kind, before, path, change) in cases {
        assert_eq!(
            taken_out(kind, before.clone(), json!({})),
            [(path.to_owned(), change)],
            "{kind}"
        );
        assert_eq!(taken_out(kind, before.clone(), before.clone()), [], "{kind}");
        assert_eq!(
            spec_differences(kind, json!({}), before),
            [],
            "{kind}: nothing is recorded"
        );
    }
    let part = |part: Value| json!({"backendSets": {"api": part}});
    assert_eq!(
        taken_out(
            "NetworkLoadBalancer",
            part(json!({"policy": "P", "isFailOpen": true, "healthChecker": {"port": 1, "retries": 3}})),
            part(json!({"policy": "P", "healthChecker": {"port": 1}})),
        ),
        [
            (
                ".spec.backendSets.api.healthChecker.retries".to_owned(),
                Change::Replace
            ),
            (".spec.backendSets.api.isFailOpen".to_owned(), Change::InPlace),
        ]
    );
}

#[test]
fn what_is_said_by_another_name_or_is_no_loss_is_not_taken_out() {
    for (kind, before, after) in [
        (
            "Subnet",
            json!({"cidrBlock": "10.0.0.0/24"}),
            json!({"ipv4CidrBlocks": ["10.0.0.0/24"]}),
        ),
        (
            "Vcn",
            json!({"cidrBlock": "10.0.0.0/16"}),
            json!({"cidrBlocks": ["10.0.0.0/16"]}),
        ),
        ("Vcn", json!({"displayName": "a"}), json!({})),
        ("Subnet", json!({"prohibitInternetIngress": false}), json!({})),
        ("LocalPeeringGateway", json!({"peerId": "p"}), json!({})),
        (
            "Vcn",
            json!({"region": "r", "tenancy": "t", "compartmentId": "c"}),
            json!({}),
        ),
    ] {
        let live = before.as_object().unwrap().iter().chain(after.as_object().unwrap());
        let live: Value = live.map(|(key, value)| (key.clone(), value.clone())).collect();
        let table = super::kind(kind).unwrap();
        let fields = named(table, before.as_object().unwrap());
        let former = Former {
            tags: &[],
            fields: &fields,
        };
        assert_eq!(differences(table, &after, &live, former), [], "{kind}");
    }
}

#[test]
fn what_takes_a_field_away_is_a_value_that_its_call_can_set() {
    fn check(kind: &str, field: &Field) {
        let what = format!("{kind}.{}", field.name);
        match field.unset {
            Unset::Empty => assert!(matches!(field.shape, Shape::Set(_) | Shape::Named(_)), "{what}"),
            Unset::Off | Unset::Blank => assert!(matches!(field.shape, Shape::Plain), "{what}"),
            Unset::Never | Unset::Stays => return,
        }
        assert_eq!(field.change, Change::InPlace, "{what}");
        assert!(!field.once, "{what}");
        assert!(
            matches!(field.call, Call::Update | Call::Blocks | Call::Rules | Call::Parts),
            "{what}"
        );
    }
    for kind in KINDS {
        for field in kind.all_fields() {
            check(kind.name, field);
            if let Shape::Map(inner) | Shape::Named(inner) = field.shape {
                inner.iter().for_each(|inner| check(kind.name, inner));
            }
        }
    }
}
