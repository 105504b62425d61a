//! The table. What stands here is what OCI's update calls and actions take; the comments say where it is not plain.

use super::Shape::{DefinedTags, Map, Named, Set, Tags, Unseen};
use super::{Call, Change, Field, Item, OciKind, Shape, States, Unset};

/// Every kind, in the order in which a network is built.
pub const KINDS: &[&OciKind] = &[
    &VCN,
    &DHCP_OPTIONS,
    &DRG,
    &DRG_ATTACHMENT,
    &INTERNET_GATEWAY,
    &PUBLIC_IP,
    &NAT_GATEWAY,
    &SERVICE_GATEWAY,
    &LOCAL_PEERING_GATEWAY,
    &REMOTE_PEERING_CONNECTION,
    &ROUTE_TABLE,
    &ROUTE_TABLE_RULES,
    &SECURITY_LIST,
    &NETWORK_SECURITY_GROUP,
    &SUBNET,
    &NETWORK_LOAD_BALANCER,
    &DNS_RECORDS,
];

/// Changed by the kind's update.
const fn update(name: &'static str) -> Field {
    Field {
        name,
        change: Change::InPlace,
        call: Call::Update,
        shape: Shape::Plain,
        once: false,
        in_create: true,
        unset: Unset::Never,
    }
}

/// Fixed at the create.
const fn replace(name: &'static str) -> Field {
    Field {
        change: Change::Replace,
        call: Call::Create,
        ..update(name)
    }
}

/// Changed by calls of its own.
const fn by(call: Call, name: &'static str) -> Field {
    Field { call, ..update(name) }
}

impl Field {
    const fn of(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    const fn once(self) -> Self {
        Self { once: true, ..self }
    }

    const fn after_create(self) -> Self {
        Self {
            in_create: false,
            ..self
        }
    }

    const fn unset(self, unset: Unset) -> Self {
        Self { unset, ..self }
    }
}

const REGION: Field = Field {
    call: Call::Place,
    ..replace("region").after_create()
};
const TENANCY: Field = Field {
    call: Call::Place,
    ..replace("tenancy").after_create()
};
/// Where to look for it, and no property of it.
const LISTED_IN: Field = Field {
    call: Call::Place,
    ..replace("compartmentId").of(Unseen).after_create()
};
const COMPARTMENT: Field = by(Call::ChangeCompartment, "compartmentId");
// A resource without a name has the one that OCI makes up: the old one is as good.
const DISPLAY_NAME: Field = update("displayName").unset(Unset::Stays);
const FREEFORM_TAGS: Field = update("freeformTags").of(Tags);
const DEFINED_TAGS: Field = update("definedTags").of(DefinedTags);
const SECURITY_ATTRIBUTES: Field = update("securityAttributes").of(DefinedTags);
const ROUTE_RULES: Field = update("routeRules").of(Set(Item::RouteRule)).unset(Unset::Empty);

/// Which of the two sides connects is all one, and none of them can let go: a side that names its peer no longer is as good as
/// one that never did. A connection that was ended is seen by what OCI shows of it.
const PEER: Field = by(Call::Connect, "peerId").once().after_create().unset(Unset::Stays);

/// Of all that has a compartment, a name and tags.
const COMMON: &[Field] = &[REGION, TENANCY, COMPARTMENT, DISPLAY_NAME, FREEFORM_TAGS, DEFINED_TAGS];
/// Of what OCI puts into the compartment of something else.
const ATTACHED: &[Field] = &[REGION, TENANCY, LISTED_IN, DISPLAY_NAME, FREEFORM_TAGS, DEFINED_TAGS];
/// Of what is a part of something else: no name, no tags.
const PART: &[Field] = &[REGION, TENANCY, LISTED_IN];

const NETWORKING: States = States {
    ready: &["AVAILABLE"],
    moving: &["PROVISIONING", "UPDATING"],
    going: &["TERMINATING"],
    gone: &["TERMINATED"],
    failed: &[],
};
const STATELESS: States = States {
    ready: &[],
    moving: &[],
    going: &[],
    gone: &[],
    failed: &[],
};

const VCN: OciKind = OciKind {
    name: "Vcn",
    common: COMMON,
    fields: &[
        by(Call::Blocks, "cidrBlocks").of(Set(Item::Plain)),
        // Can be switched on, never off: nor can the last of the blocks go.
        by(Call::Blocks, "ipv6PrivateCidrBlocks").of(Set(Item::Plain)),
        by(Call::Blocks, "isIpv6Enabled").once(),
        replace("isOracleGuaAllocationEnabled").of(Unseen),
        replace("byoipv6CidrDetails").of(Unseen),
        replace("dnsLabel"),
        update("isZprOnly").unset(Unset::Off),
        SECURITY_ATTRIBUTES,
    ],
    states: NETWORKING,
    blocked_by: &[
        "Subnet",
        "InternetGateway",
        "NatGateway",
        "ServiceGateway",
        "LocalPeeringGateway",
        "DrgAttachment",
        "NetworkSecurityGroup",
        "RouteTable",
        "SecurityList",
        "DhcpOptions",
    ],
};

const SUBNET: OciKind = OciKind {
    name: "Subnet",
    common: COMMON,
    fields: &[
        replace("vcnId"),
        replace("availabilityDomain"),
        update("cidrBlock"),
        by(Call::Blocks, "ipv4CidrBlocks").of(Set(Item::Plain)),
        update("ipv6CidrBlock"),
        update("ipv6CidrBlocks").of(Set(Item::Plain)).unset(Unset::Empty),
        // Without these three OCI falls back to those that the VCN was born with: options of no domain, a table that leads nowhere,
        // and a list that lets SSH in from everywhere. No file describes them, and nodes are cut off, or open, by a line that is
        // missing: whoever wants them names them.
        update("dhcpOptionsId"),
        replace("dnsLabel"),
        replace("prohibitInternetIngress"),
        replace("prohibitPublicIpOnVnic"),
        update("routeTableId"),
        update("securityListIds").of(Set(Item::Plain)),
    ],
    states: NETWORKING,
    blocked_by: &["NetworkLoadBalancer", "LoadBalancer", "Vnic", "PrivateIp"],
};

const INTERNET_GATEWAY: OciKind = OciKind {
    name: "InternetGateway",
    common: COMMON,
    fields: &[replace("vcnId"), update("isEnabled"), update("routeTableId")],
    states: NETWORKING,
    blocked_by: &["RouteTable"],
};

const NAT_GATEWAY: OciKind = OciKind {
    name: "NatGateway",
    common: COMMON,
    fields: &[
        replace("vcnId"),
        update("blockTraffic").unset(Unset::Off),
        replace("publicIpId"),
        update("routeTableId"),
    ],
    states: NETWORKING,
    blocked_by: &["RouteTable"],
};

const SERVICE_GATEWAY: OciKind = OciKind {
    name: "ServiceGateway",
    common: COMMON,
    fields: &[
        replace("vcnId"),
        update("services").of(Set(Item::Service)).unset(Unset::Empty),
        update("blockTraffic").after_create().unset(Unset::Off),
        update("routeTableId"),
    ],
    states: NETWORKING,
    blocked_by: &["RouteTable"],
};

const ROUTE_TABLE: OciKind = OciKind {
    name: "RouteTable",
    common: COMMON,
    fields: &[replace("vcnId"), ROUTE_RULES],
    states: NETWORKING,
    blocked_by: &[
        "Subnet",
        "InternetGateway",
        "NatGateway",
        "ServiceGateway",
        "LocalPeeringGateway",
        "DrgAttachment",
    ],
};

/// Our own rules in a route table of somebody else.
const ROUTE_TABLE_RULES: OciKind = OciKind {
    name: "RouteTableRules",
    common: PART,
    fields: &[replace("routeTableId"), ROUTE_RULES],
    states: STATELESS,
    blocked_by: &[],
};

const SECURITY_LIST: OciKind = OciKind {
    name: "SecurityList",
    common: COMMON,
    fields: &[
        replace("vcnId"),
        update("ingressSecurityRules")
            .of(Set(Item::SecurityRule))
            .unset(Unset::Empty),
        update("egressSecurityRules")
            .of(Set(Item::SecurityRule))
            .unset(Unset::Empty),
    ],
    states: NETWORKING,
    blocked_by: &["Subnet"],
};

const NETWORK_SECURITY_GROUP: OciKind = OciKind {
    name: "NetworkSecurityGroup",
    common: COMMON,
    fields: &[
        replace("vcnId"),
        by(Call::Rules, "securityRules")
            .of(Set(Item::SecurityRule))
            .after_create()
            .unset(Unset::Empty),
    ],
    states: NETWORKING,
    blocked_by: &["Vnic", "NetworkLoadBalancer", "NetworkSecurityGroup"],
};

const DHCP_OPTIONS: OciKind = OciKind {
    name: "DhcpOptions",
    common: COMMON,
    fields: &[
        replace("vcnId"),
        update("options").of(Set(Item::DhcpOption)),
        update("domainNameType"),
    ],
    states: NETWORKING,
    blocked_by: &["Subnet"],
};

const LOCAL_PEERING_GATEWAY: OciKind = OciKind {
    name: "LocalPeeringGateway",
    common: COMMON,
    fields: &[replace("vcnId"), update("routeTableId"), PEER, SECURITY_ATTRIBUTES],
    states: NETWORKING,
    blocked_by: &["RouteTable"],
};

const DRG: OciKind = OciKind {
    name: "Drg",
    common: COMMON,
    fields: &[update("defaultDrgRouteTables")
        .of(Map(DEFAULT_DRG_ROUTE_TABLES))
        .after_create()],
    states: NETWORKING,
    blocked_by: &["DrgAttachment", "RemotePeeringConnection"],
};
const DEFAULT_DRG_ROUTE_TABLES: &[Field] = &[
    update("vcn"),
    update("ipsecTunnel"),
    update("virtualCircuit"),
    update("remotePeeringConnection"),
];

const DRG_ATTACHMENT: OciKind = OciKind {
    name: "DrgAttachment",
    common: ATTACHED,
    fields: &[
        replace("drgId"),
        replace("vcnId"),
        update("routeTableId"),
        update("networkDetails").of(Map(NETWORK_DETAILS)),
        update("drgRouteTableId"),
        update("exportDrgRouteDistributionId").after_create(),
        update("drgNatPolicyId"),
        update("doesPreserveOriginalRoutesWithNat").unset(Unset::Off),
    ],
    states: States {
        ready: &["ATTACHED"],
        moving: &["ATTACHING"],
        going: &["DETACHING"],
        gone: &["DETACHED"],
        failed: &[],
    },
    blocked_by: &["RouteTable"],
};
const NETWORK_DETAILS: &[Field] = &[
    replace("type"),
    replace("id"),
    update("routeTableId"),
    update("vcnRouteType"),
];

const REMOTE_PEERING_CONNECTION: OciKind = OciKind {
    name: "RemotePeeringConnection",
    common: COMMON,
    fields: &[
        replace("drgId"),
        PEER,
        by(Call::Connect, "peerRegionName")
            .once()
            .after_create()
            .unset(Unset::Stays),
    ],
    states: NETWORKING,
    blocked_by: &[],
};

const PUBLIC_IP: OciKind = OciKind {
    name: "PublicIp",
    common: COMMON,
    fields: &[
        replace("lifetime"),
        replace("publicIpPoolId"),
        update("privateIpId").unset(Unset::Blank),
    ],
    states: States {
        ready: &["AVAILABLE", "ASSIGNED", "UNASSIGNED"],
        moving: &["PROVISIONING", "ASSIGNING", "UNASSIGNING"],
        going: &["TERMINATING"],
        gone: &["TERMINATED"],
        failed: &[],
    },
    blocked_by: &["NatGateway", "NetworkLoadBalancer", "PrivateIp"],
};

const NETWORK_LOAD_BALANCER: OciKind = OciKind {
    name: "NetworkLoadBalancer",
    common: COMMON,
    fields: &[
        replace("subnetId"),
        replace("isPrivate"),
        // OCI shows the addresses themselves, in a form that only `reservedIps` can be read back from.
        replace("reservedIps").of(Set(Item::Plain)),
        replace("assignedPrivateIpv4").of(Unseen),
        replace("assignedIpv6").of(Unseen),
        replace("subnetIpv6Cidr").of(Unseen),
        update("isPreserveSourceDestination").unset(Unset::Off),
        update("isSymmetricHashEnabled").unset(Unset::Off),
        update("nlbIpVersion"),
        by(Call::Parts, "networkSecurityGroupIds")
            .of(Set(Item::Plain))
            .unset(Unset::Empty),
        by(Call::Parts, "backendSets")
            .of(Named(BACKEND_SET))
            .unset(Unset::Empty),
        by(Call::Parts, "listeners").of(Named(LISTENER)).unset(Unset::Empty),
        SECURITY_ATTRIBUTES,
    ],
    states: States {
        ready: &["ACTIVE"],
        moving: &["CREATING", "UPDATING"],
        going: &["DELETING"],
        gone: &["DELETED"],
        failed: &["FAILED"],
    },
    blocked_by: &[],
};
const BACKEND_SET: &[Field] = &[
    update("name"),
    update("policy"),
    update("healthChecker").of(Map(HEALTH_CHECKER)),
    update("ipVersion"),
    update("isPreserveSource"),
    update("isFailOpen").unset(Unset::Off),
    update("isInstantFailoverEnabled").unset(Unset::Off),
    update("isInstantFailoverTcpResetEnabled"),
    update("areOperationallyActiveBackendsPreferred").unset(Unset::Off),
    update("backends").of(Set(Item::Backend)).unset(Unset::Empty),
];
const HEALTH_CHECKER: &[Field] = &[
    update("protocol"),
    update("port"),
    update("retries"),
    update("timeoutInMillis"),
    update("intervalInMillis"),
    update("urlPath"),
    update("responseBodyRegex"),
    update("returnCode"),
    update("requestData"),
    update("responseData"),
    update("dns"),
];
const LISTENER: &[Field] = &[
    update("name"),
    update("defaultBackendSetName"),
    update("port"),
    update("protocol"),
    update("ipVersion"),
    update("isPpv2Enabled").unset(Unset::Off),
    update("tcpIdleTimeout"),
    update("udpIdleTimeout"),
    update("l3IpIdleTimeout"),
];

/// A set of records of one name and type in a zone that is there already.
const DNS_RECORDS: OciKind = OciKind {
    name: "DnsRecords",
    common: PART,
    fields: &[
        replace("zoneNameOrId"),
        replace("domain"),
        replace("rtype"),
        replace("viewId"),
        update("items").of(Set(Item::Record)),
    ],
    states: STATELESS,
    blocked_by: &[],
};
