#!/usr/bin/env python3
"""Applies a fleet of clusters with networks of their own in the sandbox, and plans it again: sandbox.py BINARY [CLUSTERS]

Prints wall time and the most memory of each, and what was asked of OCI. The sandbox runs in the same process: its memory and
its work are part of the figures. No budget bounds the calls there; what the default one (10 a second) would have taken for them
is printed beside it.
"""

import re
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "peers"))

from bench import measured  # noqa: E402

FLEET = """kind: Fleet
metadata: {name: bench}
spec:
  addresses:
    pools: {us-ashburn-1: 10.0.0.0/9}
    perCluster: 20
  defaults:
    tenancy: ocid1.tenancy.oc1..aaaaaaaabench
    compartment: ocid1.compartment.oc1..aaaaaaaabench
    baseDomain: bench.example
    pullSecret: {from: fleetwright/pull-secret}
    sshKey: {from: fleetwright/ssh-key}
    network:
      {cluster: 10.132.0.0/14, service: 172.31.0.0/16, preset: hosted-public, peerWith: management, publicIps: [nat],
       endpoint: {loadBalancer: true}}
    dns: {zone: bench.example}
---
kind: Environment
metadata: {name: bench}
spec: {version: 4.20.3, region: us-ashburn-1, availability: single}
---
kind: NodePoolProfile
metadata: {name: small}
spec: {shape: VM.Standard.E5.Flex, ocpus: 2, memoryInGBs: 16, replicas: 2}
"""

# A management cluster holds a hundred.
HUNDRED = """---
kind: ManagementCluster
metadata: {name: NAME}
spec:
  region: us-ashburn-1
  nodes: 100
  dialect: oci
  operatorVersion: "4.20"
  cidrs: [10.NUMBER.0.0/16]
  nodePortAddress: NAME.bench.example
  network:
    vcn: ocid1.vcn.oc1.iad.benchNUMBER
    compartment: ocid1.compartment.oc1..aaaaaaaabench
    routeTables: [ocid1.routetable.oc1.iad.benchNUMBER]
    nodes: [10.NUMBER.0.10, 10.NUMBER.0.11]
---
kind: Clusters
spec:
  environment: bench
  managementCluster: NAME
  pools: [small]
  clusters:
"""


SERVICES = ["APIServer", "OAuthServer", "Konnectivity", "Ignition"]


def cluster(number):
    # Its load balancer leads to node ports, which are the management cluster's.
    first = 30000 + number % 100 * len(SERVICES)
    ports = ", ".join(f"{service}: {{port: {first + i}}}" for i, service in enumerate(SERVICES))
    return f"    c{number:05}: {{services: {{{ports}}}}}\n"


def fleet(clusters):
    text = FLEET
    for first in range(0, clusters, 100):
        text += HUNDRED.replace("NAME", f"m{first // 100:02}").replace("NUMBER", str(200 + first // 100))
        text += "".join(map(cluster, range(first, min(first + 100, clusters))))
    return text


def main():
    binary, clusters = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "fleet"
        directory.mkdir()
        (directory / "fleet.yaml").write_text(fleet(clusters))
        measured([binary, "lock", "--quiet", "--fleet", directory])
        sandbox = ["--fleet", directory, "--sandbox", Path(folder) / "sandbox", "--no-limits"]
        for name, command in [
            ("apply, first", ["apply", "--yes", *sandbox]),
            # The simulated operators still bring clusters up while this one looks.
            ("plan, no change", ["plan", "--detailed-exitcode", *sandbox]),
            ("plan, once more", ["plan", "--detailed-exitcode", *sandbox]),
            ("plan, and once more", ["plan", "--detailed-exitcode", *sandbox]),
        ]:
            took = measured([binary, *command])
            print(f"{clusters} clusters: {name}: {took.seconds:.2f} s, CPU {took.cpu:.2f} s, {took.mebibytes:.0f} MiB")
            for line in took.output.splitlines():
                if line.startswith(("OCI:", "Applied:", "Nothing to do")):
                    print(f"  {line}")
                if calls := re.match(r"OCI: (\d+) calls", line):
                    print(f"  at 10 calls a second these would take {max(0, int(calls[1]) - 20) / 10:.0f} s")


if __name__ == "__main__":
    main()
