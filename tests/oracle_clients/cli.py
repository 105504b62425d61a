"""Oracle's command line against the sandbox.

usage: cli.py CONFIG_FILE URL PEER_REGION

Each command is a process of its own, forked from this one: loading the program takes longer than what it does.
Prints the name of each kind that went well; anything else is an exception and an exit code.
"""

import json
import os
import re
import sys
import tempfile
import time
import traceback

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from oci_cli import dynamic_loader
from oci_cli.cli import cli

for service in ("network", "nlb", "dns"):
    dynamic_loader.load_service(service)

CONFIG, URL, PEER_REGION = sys.argv[1:4]
FAR = f"{URL}/regions/{PEER_REGION}"
COMPARTMENT = "ocid1.compartment.oc1..aaaaoraclecli"
DEADLINE = 60


def run(*words, at=URL, config=CONFIG, **options):
    """The exit code, the output and the errors of a command."""
    command = ["oci", "--config-file", config, "--endpoint", at, "--no-retry", *words]
    for option, value in options.items():
        command.append("--" + option.replace("_", "-"))
        if value is not True:
            command.append(value if isinstance(value, str) else json.dumps(value))
    sys.stdout.flush()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.argv = command
            code = 1
            try:
                cli()
                code = 0
            except SystemExit as ended:
                # Words instead of a number are for the interpreter to print.
                code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
                if isinstance(ended.code, str):
                    print(ended.code, file=sys.stderr)
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        return os.waitstatus_to_exitcode(status), out.read(), err.read()


def done(*words, **options):
    code, out, err = run(*words, **options)
    assert code == 0, (words, out, err)
    return json.loads(out) if out.strip() else {}


def refused(code, *words, **options):
    exit_code, out, err = run(*words, **options)
    assert exit_code != 0 and f'"{code}"' in err, (words, out, err)


def eventually(words, holds):
    end = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < end, words


class Kind:
    """A kind, by the words that the command line has for it."""

    def __init__(self, *words, argument=None, ready="AVAILABLE", at=URL, filters=None, placed=True):
        self.words, self.ready, self.at, self.filters = words, ready, at, filters or {}
        # What hangs on something else is in the compartment of that.
        self.where = {"compartment_id": COMPARTMENT} if placed else {}
        self.argument = argument or words[-1].replace("-", "_") + "_id"

    def done(self, verb, *more, **options):
        return done(*self.words, verb, *more, at=self.at, **options)

    def refused(self, code, verb, **options):
        refused(code, *self.words, verb, at=self.at, **options)

    def get(self, identifier):
        return self.done("get", **{self.argument: identifier})

    def settle(self, identifier):
        def ready():
            return self.get(identifier)["data"]["lifecycle-state"] == self.ready

        eventually((self.words, identifier), ready)

    def make(self, **fields):
        fields = {**self.where, "display_name": "first", **fields}
        identifier = self.done("create", **fields)["data"]["id"]
        self.settle(identifier)
        return identifier

    def create(self, **fields):
        """Makes one, lists it, tags it under its etag, and is refused under another."""
        identifier = self.make(**fields)
        listed = self.done("list", compartment_id=COMPARTMENT, all=True, page_size="1", **self.filters)["data"]
        listed = listed["items"] if isinstance(listed, dict) else listed
        assert identifier in [item["id"] for item in listed], listed
        change = {self.argument: identifier, "freeform_tags": {"fleetwright-id": "cli"}, "force": True}
        self.refused("NoEtagMatch", "update", if_match="other", **change)
        self.done("update", if_match=self.get(identifier)["etag"], **change)
        self.settle(identifier)
        assert self.get(identifier)["data"]["freeform-tags"] == {"fleetwright-id": "cli"}
        print(" ".join(self.words), flush=True)
        return identifier

    def delete(self, identifier):
        """Deletes it, as soon as what was deleted before it is gone."""

        def deleted():
            code, _, err = run(*self.words, "delete", at=self.at, force=True, **{self.argument: identifier})
            assert code == 0 or '"Conflict"' in err, err
            return code == 0

        eventually((self.words, identifier), deleted)


vcns = Kind("network", "vcn")
subnets = Kind("network", "subnet")
gateways = Kind("network", "internet-gateway", argument="ig_id")
nats = Kind("network", "nat-gateway")
service_gateways = Kind("network", "service-gateway")
tables = Kind("network", "route-table", argument="rt_id")
lists = Kind("network", "security-list")
groups = Kind("network", "nsg")
dhcps = Kind("network", "dhcp-options", argument="dhcp_id")
locals_ = Kind("network", "local-peering-gateway")
drgs = Kind("network", "drg")
attachments = Kind("network", "drg-attachment", ready="ATTACHED", placed=False)
connections = Kind("network", "remote-peering-connection")
far_drgs = Kind("network", "drg", at=FAR)
far_connections = Kind("network", "remote-peering-connection", at=FAR)
addresses = Kind("network", "public-ip", filters={"scope": "REGION"})
balancers = Kind("nlb", "network-load-balancer", ready="ACTIVE")

vcn = vcns.create(cidr_blocks=["10.0.0.0/16"])
other = vcns.make(cidr_blocks=["10.1.0.0/16"])
gateway = gateways.create(vcn_id=vcn, is_enabled="true")
nat = nats.create(vcn_id=vcn)
label = next(it for it in done("network", "service", "list")["data"] if it["cidr-block"].startswith("all-"))
service_gateway = service_gateways.create(vcn_id=vcn, services=[{"serviceId": label["id"]}])
rule = {"networkEntityId": gateway, "destination": "0.0.0.0/0", "destinationType": "CIDR_BLOCK"}
table = tables.create(vcn_id=vcn, route_rules=[rule])
ports = {"destinationPortRange": {"min": 22, "max": 22}}
into = {"protocol": "6", "source": "10.0.0.0/16", "tcpOptions": ports}
security_list = lists.create(vcn_id=vcn, ingress_security_rules=[into], egress_security_rules=[])
group = groups.create(vcn_id=vcn)
into = {"direction": "INGRESS", "protocol": "all", "source": "10.0.0.0/16", "sourceType": "CIDR_BLOCK"}
done("network", "nsg", "rules", "add", nsg_id=group, security_rules=[into])
rules = done("network", "nsg", "rules", "list", nsg_id=group, all=True)["data"]
done("network", "nsg", "rules", "remove", nsg_id=group, security_rule_ids=[rules[0]["id"]])
resolver = {"type": "DomainNameServer", "serverType": "VcnLocalPlusInternet"}
dhcp = dhcps.create(vcn_id=vcn, options=[resolver])
subnet = subnets.create(
    vcn_id=vcn, cidr_block="10.0.1.0/24", route_table_id=table, security_list_ids=[security_list], dhcp_options_id=dhcp
)
near, far = locals_.create(vcn_id=vcn), locals_.make(vcn_id=other)
done("network", "local-peering-gateway", "connect", local_peering_gateway_id=near, peer_id=far)
assert locals_.get(far)["data"]["peering-status"] == "PEERED"
drg, far_drg = drgs.create(), far_drgs.make()
attachment = attachments.create(drg_id=drg, vcn_id=vcn)
connection, far_connection = connections.create(drg_id=drg), far_connections.make(drg_id=far_drg)
done(
    "network",
    "remote-peering-connection",
    "connect",
    remote_peering_connection_id=connection,
    peer_id=far_connection,
    peer_region_name=PEER_REGION,
)
assert connections.get(connection)["data"]["peering-status"] == "PEERED"
address = addresses.create(lifetime="RESERVED")
balancer = balancers.create(subnet_id=subnet, is_private="true")

zone = "clusters.example.com"
name = f"api.{zone}"
created = done("dns", "zone", "create", compartment_id=COMPARTMENT, name=zone, zone_type="PRIMARY")["data"]["id"]
eventually(zone, lambda: done("dns", "zone", "get", zone_name_or_id=zone)["data"]["lifecycle-state"] == "ACTIVE")
item = {"domain": name, "rtype": "A", "rdata": "10.0.1.9", "ttl": 60}
rrset = {"zone_name_or_id": created, "domain": name, "rtype": "A"}
refused("NoEtagMatch", "dns", "record", "rrset", "update", items=[item], force=True, if_match="other", **rrset)
done("dns", "record", "rrset", "update", items=[item], force=True, **rrset)
assert done("dns", "record", "rrset", "get", **rrset)["data"]["items"][0]["rdata"] == "10.0.1.9"
done("dns", "record", "rrset", "delete", force=True, **rrset)
another = "other.example.com"
done("dns", "zone", "create", compartment_id=COMPARTMENT, name=another, zone_type="PRIMARY")
eventually(another, lambda: done("dns", "zone", "get", zone_name_or_id=another)["data"]["lifecycle-state"] == "ACTIVE")
first = done("dns", "zone", "list", compartment_id=COMPARTMENT, limit="1")
assert len(first["data"]) == 1 and first["opc-next-page"], first
pages = done("dns", "zone", "list", compartment_id=COMPARTMENT, all=True, page_size="1")["data"]
assert {each["name"] for each in pages} >= {zone, another}, pages
done("dns", "zone", "update", zone_name_or_id=zone, freeform_tags={"team": "net"}, force=True)
assert done("dns", "zone", "get", zone_name_or_id=zone)["data"]["freeform-tags"]["team"] == "net"
done("dns", "zone", "delete", zone_name_or_id=another, force=True)
done("dns", "zone", "delete", zone_name_or_id=zone, force=True)
print("dns zone", flush=True)

# Who signs with another key than the one that the fingerprint is of is not answered
with tempfile.TemporaryDirectory() as folder:
    key = os.path.join(folder, "key.pem")
    with open(key, "wb") as file:
        stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        encoding = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        file.write(stranger.private_bytes(*encoding) + b"OCI_API_KEY\n")
    os.chmod(key, 0o600)
    forged = os.path.join(folder, "config")
    with open(CONFIG) as ours, open(forged, "w") as file:
        file.write(re.sub(r"(?m)^key_file *=.*$", f"key_file={key}", ours.read()))
    os.chmod(forged, 0o600)
    refused("NotAuthenticated", "network", "vcn", "list", config=forged, compartment_id=COMPARTMENT)
print("signature", flush=True)

refused("Conflict", "network", "vcn", "delete", vcn_id=vcn, force=True)
balancers.delete(balancer)
addresses.delete(address)
connections.delete(connection)
far_connections.delete(far_connection)
attachments.delete(attachment)
far_drgs.delete(far_drg)
drgs.delete(drg)
locals_.delete(near)
locals_.delete(far)
subnets.delete(subnet)
dhcps.delete(dhcp)
groups.delete(group)
lists.delete(security_list)
tables.delete(table)
service_gateways.delete(service_gateway)
nats.delete(nat)
gateways.delete(gateway)
vcns.delete(vcn)
vcns.delete(other)
print("deleted", flush=True)
