"""Oracle's Python SDK against the sandbox: every kind of resource is created, listed in pages, updated under its etag,
tagged and deleted.

usage: sdk.py CONFIG_FILE URL PEER_REGION

Prints the name of each kind that went well; anything else is an exception and an exit code.
"""

import sys
import tempfile
import time

import oci
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from oci import core, dns, identity, network_load_balancer as nlb

COMPARTMENT = "ocid1.compartment.oc1..aaaaoracleclients"
DEADLINE = 60

config = oci.config.from_file(sys.argv[1])
url, peer_region = sys.argv[2], sys.argv[3]


def client(kind, at=url):
    return kind(config, service_endpoint=at, retry_strategy=oci.retry.NoneRetryStrategy())


network = client(core.VirtualNetworkClient)
remote = client(core.VirtualNetworkClient, f"{url}/regions/{peer_region}")
balancers = client(nlb.NetworkLoadBalancerClient)
zones = client(dns.DnsClient)
people = client(identity.IdentityClient)


def refused(status, code, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except oci.exceptions.ServiceError as error:
        assert (error.status, error.code) == (status, code), error
        assert error.request_id, "a refusal has a request id"
    else:
        raise AssertionError(f"{call} should be refused with {status} {code}")


def settled(get, identifier, *states):
    """Reads until the resource is in one of the states."""
    end = time.monotonic() + DEADLINE
    while True:
        answer = get(identifier)
        if answer.data.lifecycle_state in states:
            return answer
        assert time.monotonic() < end, f"{identifier} is {answer.data.lifecycle_state}, not {states}"
        time.sleep(0.02)


def gone(get, identifier, word="TERMINATED"):
    settled(get, identifier, word)


class Kind:
    """The five calls of a kind, by the names that the SDK gives them."""

    def __init__(
        self, api, name, model, plural=None, ready="AVAILABLE", ended="TERMINATED", models=core.models, placed=True
    ):
        self.api, self.name, self.ready, self.ended = api, name, ready, ended
        # What hangs on something else is in the compartment of that.
        self.where = {"compartment_id": COMPARTMENT} if placed else {}
        self.create_model = getattr(models, f"Create{model}Details")
        self.update_model = getattr(models, f"Update{model}Details")
        self.plural = plural or f"{name}s"

    def call(self, verb):
        return getattr(self.api, f"{verb}_{self.plural if verb == 'list' else self.name}")

    def create(self, **fields):
        details = self.create_model(display_name="first", **self.where, **fields)
        token = f"{self.name}-{fields.get('vcn_id', '')[-20:]}{time.monotonic_ns()}"
        made = self.call("create")(details, opc_retry_token=token)
        again = self.call("create")(details, opc_retry_token=token)
        assert made.data.id == again.data.id, "a retry token makes one resource"
        settled(self.call("get"), made.data.id, self.ready)
        return made.data.id

    def listed(self, identifier, **filters):
        """Lists in pages of one, by hand and by the SDK's own pagination."""
        filters = {"compartment_id": COMPARTMENT, **filters}
        seen, page = [], None
        while True:
            answer = self.call("list")(limit=1, **filters, **({"page": page} if page else {}))
            items = getattr(answer.data, "items", answer.data)
            assert len(items) <= 1
            seen += [item.id for item in items]
            page = answer.next_page
            if not page:
                break
        assert identifier in seen and len(seen) == len(set(seen)), seen
        whole = oci.pagination.list_call_get_all_results(self.call("list"), **filters).data
        whole = getattr(whole, "items", whole)
        assert sorted(item.id for item in whole) == sorted(seen)

    def updated(self, identifier, **fields):
        read = self.call("get")(identifier)
        etag = read.headers["etag"]
        tags = {"fleetwright-id": self.name}
        details = self.update_model(display_name="second", freeform_tags=tags, **fields)
        self.call("update")(identifier, details, if_match=etag)
        now = settled(self.call("get"), identifier, self.ready)
        assert now.data.display_name == "second" and now.data.freeform_tags == tags
        assert now.headers["etag"] != etag
        refused(412, "NoEtagMatch", self.call("update"), identifier, details, if_match=etag)

    def deleted(self, identifier):
        etag = self.call("get")(identifier).headers["etag"]
        refused(412, "NoEtagMatch", self.call("delete"), identifier, if_match="other")
        self.call("delete")(identifier, if_match=etag)
        gone(self.call("get"), identifier, self.ended)
        print(self.name, flush=True)


vcns = Kind(network, "vcn", "Vcn")
subnets = Kind(network, "subnet", "Subnet")
internet = Kind(network, "internet_gateway", "InternetGateway")
nat = Kind(network, "nat_gateway", "NatGateway")
service = Kind(network, "service_gateway", "ServiceGateway")
tables = Kind(network, "route_table", "RouteTable")
lists = Kind(network, "security_list", "SecurityList")
groups = Kind(network, "network_security_group", "NetworkSecurityGroup")
options = Kind(network, "dhcp_options", "Dhcp", plural="dhcp_options")
local = Kind(network, "local_peering_gateway", "LocalPeeringGateway")
drgs = Kind(network, "drg", "Drg")
attachments = Kind(
    network, "drg_attachment", "DrgAttachment", ready="ATTACHED", ended="DETACHED", placed=False
)
connections = Kind(network, "remote_peering_connection", "RemotePeeringConnection")
far_drgs = Kind(remote, "drg", "Drg")
far_connections = Kind(remote, "remote_peering_connection", "RemotePeeringConnection")
addresses = Kind(network, "public_ip", "PublicIp")
balanced = Kind(
    balancers, "network_load_balancer", "NetworkLoadBalancer", ready="ACTIVE", ended="DELETED", models=nlb.models
)

# Identity
assert any(region.name == config["region"] for region in people.list_regions().data)
assert people.get_tenancy(config["tenancy"]).data.id == config["tenancy"]
assert people.list_region_subscriptions(config["tenancy"]).data
domains = people.list_availability_domains(COMPARTMENT).data
assert people.list_fault_domains(COMPARTMENT, domains[0].name).data[0].name == "FAULT-DOMAIN-1"
assert people.get_user(config["user"]).data.id == config["user"]
assert people.get_compartment(COMPARTMENT).data.lifecycle_state == "ACTIVE"
made = people.create_compartment(
    identity.models.CreateCompartmentDetails(compartment_id=COMPARTMENT, name="payments", description="x")
).data
assert made.id in [item.id for item in people.list_compartments(COMPARTMENT).data]
print("compartment", flush=True)

# What a network consists of
vcn = vcns.create(cidr_blocks=["10.0.0.0/16"], dns_label="first")
other = vcns.create(cidr_blocks=["10.1.0.0/16"], dns_label="second")
vcns.listed(vcn)
vcns.updated(vcn)
added = network.add_vcn_cidr(vcn, core.models.AddVcnCidrDetails(cidr_block="10.5.0.0/16"))
assert added.headers["opc-work-request-id"]
assert "10.5.0.0/16" in settled(network.get_vcn, vcn, "AVAILABLE").data.cidr_blocks

gateway = internet.create(vcn_id=vcn, is_enabled=True)
internet.listed(gateway, vcn_id=vcn)
internet.updated(gateway)
nat_gateway = nat.create(vcn_id=vcn)
nat.listed(nat_gateway, vcn_id=vcn)
nat.updated(nat_gateway, block_traffic=True)
labels = network.list_services().data
everything = next(label for label in labels if label.cidr_block.startswith("all-"))
reached = [core.models.ServiceIdRequestDetails(service_id=everything.id)]
service_gateway = service.create(vcn_id=vcn, services=reached)
service.listed(service_gateway, vcn_id=vcn)
service.updated(service_gateway)


def rule(target, destination, kind="CIDR_BLOCK"):
    return core.models.RouteRule(network_entity_id=target, destination=destination, destination_type=kind)


rules = [
    rule(gateway, "0.0.0.0/0"),
    rule(service_gateway, everything.cidr_block, "SERVICE_CIDR_BLOCK"),
]
table = tables.create(vcn_id=vcn, route_rules=rules)
tables.listed(table, vcn_id=vcn)
tables.updated(table, route_rules=rules[:1])
assert len(network.get_route_table(table).data.route_rules) == 1

ports = core.models.PortRange(min=6443, max=6443)
into = core.models.IngressSecurityRule(
    protocol="6", source="10.0.0.0/16", tcp_options=core.models.TcpOptions(destination_port_range=ports)
)
out = core.models.EgressSecurityRule(protocol="all", destination="0.0.0.0/0")
security_list = lists.create(vcn_id=vcn, ingress_security_rules=[into], egress_security_rules=[out])
lists.listed(security_list, vcn_id=vcn)
lists.updated(security_list, ingress_security_rules=[])

group = groups.create(vcn_id=vcn)
groups.listed(group, vcn_id=vcn)
groups.updated(group)
added = network.add_network_security_group_security_rules(
    group,
    core.models.AddNetworkSecurityGroupSecurityRulesDetails(
        security_rules=[
            core.models.AddSecurityRuleDetails(
                direction="INGRESS", protocol="6", source=group, source_type="NETWORK_SECURITY_GROUP", description=text
            )
            for text in ("one", "two")
        ]
    ),
).data.security_rules
network.update_network_security_group_security_rules(
    group,
    core.models.UpdateNetworkSecurityGroupSecurityRulesDetails(
        security_rules=[
            core.models.UpdateSecurityRuleDetails(
                id=added[0].id, direction="INGRESS", protocol="17", source="10.0.0.0/8", source_type="CIDR_BLOCK"
            )
        ]
    ),
)
network.remove_network_security_group_security_rules(
    group, core.models.RemoveNetworkSecurityGroupSecurityRulesDetails(security_rule_ids=[added[1].id])
)
left = network.list_network_security_group_security_rules(group).data
assert [(rule.id, rule.protocol, rule.source) for rule in left] == [(added[0].id, "17", "10.0.0.0/8")], left

servers = core.models.DhcpDnsOption(server_type="CustomDnsServer", custom_dns_servers=["10.0.0.53"])
search = core.models.DhcpSearchDomainOption(search_domain_names=["first.oraclevcn.com"])
dhcp = options.create(vcn_id=vcn, options=[servers, search])
options.listed(dhcp, vcn_id=vcn)
options.updated(dhcp)
assert isinstance(network.get_dhcp_options(dhcp).data.options[0], core.models.DhcpDnsOption)

subnet = subnets.create(
    vcn_id=vcn,
    cidr_block="10.0.1.0/24",
    dns_label="workers",
    route_table_id=table,
    security_list_ids=[security_list],
    dhcp_options_id=dhcp,
    prohibit_public_ip_on_vnic=True,
)
subnets.listed(subnet, vcn_id=vcn)
subnets.updated(subnet)
refused(409, "Conflict", network.delete_route_table, table)
refused(409, "Conflict", network.delete_vcn, vcn)

# Peering
near, far = local.create(vcn_id=vcn), local.create(vcn_id=other)
local.listed(near)
local.updated(near)
network.connect_local_peering_gateways(near, core.models.ConnectLocalPeeringGatewaysDetails(peer_id=far))
assert network.get_local_peering_gateway(far).data.peering_status == "PEERED"

drg = drgs.create()
drgs.listed(drg)
drgs.updated(drg)
in_vcn = core.models.VcnDrgAttachmentNetworkCreateDetails
attachment = attachments.create(drg_id=drg, network_details=in_vcn(id=vcn))
attachments.create(drg_id=drg, network_details=in_vcn(id=other))
read = network.get_drg_attachment(attachment).data
assert isinstance(read.network_details, core.models.VcnDrgAttachmentNetworkDetails)
attachments.listed(attachment, drg_id=drg)
attachments.updated(attachment)
assert network.list_drg_route_tables(drg).data

far_drg = far_drgs.create()
connection, far_connection = connections.create(drg_id=drg), far_connections.create(drg_id=far_drg)
connections.listed(connection)
connections.updated(connection)
network.connect_remote_peering_connections(
    connection,
    core.models.ConnectRemotePeeringConnectionsDetails(peer_id=far_connection, peer_region_name=peer_region),
)
assert remote.get_remote_peering_connection(far_connection).data.peering_status == "PEERED"

address = addresses.create(lifetime="RESERVED")
addresses.listed(address, scope="REGION")
addresses.updated(address)

# A load balancer in the subnet
checker = nlb.models.HealthChecker(protocol="TCP", port=6443)
balancer = balanced.create(
    subnet_id=subnet,
    is_private=True,
    network_security_group_ids=[group],
    backend_sets={"api": nlb.models.BackendSetDetails(policy="FIVE_TUPLE", health_checker=checker)},
    listeners={
        "api": nlb.models.ListenerDetails(name="api", default_backend_set_name="api", port=6443, protocol="TCP")
    },
)
balanced.listed(balancer)
balanced.updated(balancer)
changed = balancers.create_backend(
    balancer, nlb.models.CreateBackendDetails(ip_address="10.0.1.9", port=6443), "api"
)
work = balancers.get_work_request(changed.headers["opc-work-request-id"]).data
assert work.operation_type == "CREATE_BACKEND", work
settled(balancers.get_network_load_balancer, balancer, "ACTIVE")
assert [item.name for item in balancers.list_backends(balancer, "api").data.items] == ["10.0.1.9:6443"]
refused(409, "Conflict", network.delete_subnet, subnet)
refused(409, "Conflict", network.delete_network_security_group, group)

# Names
zone = zones.create_zone(
    dns.models.CreateZoneDetails(name="clusters.example.com", compartment_id=COMPARTMENT, zone_type="PRIMARY")
).data
settled(zones.get_zone, zone.id, "ACTIVE")
record = dns.models.RecordDetails(domain="api.clusters.example.com", rtype="A", rdata="10.0.1.9", ttl=60)
zones.update_rr_set(
    zone.id, "api.clusters.example.com", "A", dns.models.UpdateRRSetDetails(items=[record])
)
found = zones.get_rr_set("clusters.example.com", "api.clusters.example.com", "A")
assert [item.rdata for item in found.data.items] == ["10.0.1.9"]
stale = found.headers["etag"]
more = dns.models.RecordOperation(
    domain="api.clusters.example.com", rtype="A", rdata="10.0.1.10", ttl=60, operation="ADD"
)
zones.patch_rr_set(
    zone.id, "api.clusters.example.com", "A", dns.models.PatchRRSetDetails(items=[more]), if_match=stale
)
refused(
    412,
    "NoEtagMatch",
    zones.delete_rr_set,
    zone.id,
    "api.clusters.example.com",
    "A",
    if_match=stale,
)
paged = oci.pagination.list_call_get_all_results(zones.get_zone_records, zone.id, limit=1).data
assert len(getattr(paged, "items", paged)) == 4, paged
zones.delete_rr_set(zone.id, "api.clusters.example.com", "A")
assert zones.get_rr_set(zone.id, "api.clusters.example.com", "A").data.items == []
zones.update_zone(zone.id, dns.models.UpdateZoneDetails(freeform_tags={"a": "b"}))
assert zone.id in [item.id for item in zones.list_zones(COMPARTMENT).data]
zones.delete_zone(zone.id)
print("zone", flush=True)

# Away with it all, from the leaves
balanced.deleted(balancer)
addresses.deleted(address)
connections.deleted(connection)
far_connections.deleted(far_connection)
far_drgs.deleted(far_drg)
# That of the peering connection goes with it.
for each in network.list_drg_attachments(COMPARTMENT, drg_id=drg, attachment_type="VCN").data:
    attachments.deleted(each.id)
drgs.deleted(drg)
local.deleted(near)
local.deleted(far)
subnets.deleted(subnet)
options.deleted(dhcp)
groups.deleted(group)
lists.deleted(security_list)
tables.deleted(table)
service.deleted(service_gateway)
nat.deleted(nat_gateway)
internet.deleted(gateway)
vcns.deleted(vcn)
vcns.deleted(other)
people.delete_compartment(made.id)

# Who is not known is not answered
stranger = dict(config, fingerprint=":".join(["00"] * 16))
unknown = core.VirtualNetworkClient(stranger, service_endpoint=url, retry_strategy=oci.retry.NoneRetryStrategy())
refused(401, "NotAuthenticated", unknown.list_vcns, COMPARTMENT)

# Nor who signs with another key than the one that the fingerprint is of
other_key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
with tempfile.NamedTemporaryFile(suffix=".pem") as key:
    key.write(other_key + b"OCI_API_KEY\n")
    key.flush()
    forger = core.VirtualNetworkClient(
        dict(config, key_file=key.name), service_endpoint=url, retry_strategy=oci.retry.NoneRetryStrategy()
    )
    refused(401, "NotAuthenticated", forger.list_vcns, COMPARTMENT)
print("signature", flush=True)
