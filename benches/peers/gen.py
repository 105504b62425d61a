#!/usr/bin/env python3
"""Writes one and the same fleet in the forms of all contenders: gen.py OUTDIR CLUSTERS [FORM...]

OUTDIR/fleet       for fleetwright: some lines a cluster
OUTDIR/chart       a Helm chart: what differs between clusters stands in values.yaml
OUTDIR/kustomize   a base, and an overlay a cluster
OUTDIR/flat        plain manifests, a file a cluster
OUTDIR/sources     what fleetwright copies Secrets from

A cluster is six objects in each of them: Namespace, two Secrets, HostedCluster, two NodePools. Their fields are those that
fleetwright renders, without the annotation by which it knows its own. The platform is `None`, for upstream's CRDs, which
every API server takes unpatched, know no OCI.
"""

import sys
from pathlib import Path

FLEET = """\
kind: Fleet
metadata: {name: bench}
spec:
  waivers: [{rule: scale-hc, reason: one server takes it all}]
  defaults:
    baseDomain: bench.example
    version: 4.19.12
    pullSecret: {from: bench-sources/pull-secret}
    sshKey: {from: bench-sources/ssh-key}
    etcd: {storageClass: oci-bv}
    region: us-ashburn-1
    network:
      existing: {vcn: ocid1.vcn.oc1.iad.aaaa, workerSubnet: ocid1.subnet.oc1.iad.aaaa}
---
kind: ManagementCluster
metadata: {name: management}
spec: {region: us-ashburn-1, context: bench, dialect: none, nodePortAddress: api.bench.example, capacity: 100000}
---
kind: Environment
metadata: {name: dev}
spec: {availability: single}
---
kind: Environment
metadata: {name: prod}
spec: {availability: high}
---
kind: NodePoolProfile
metadata: {name: workers}
spec: {shape: VM.Standard.E5.Flex, ocpus: 4, memoryInGBs: 32, replicas: 3}
---
kind: NodePoolProfile
metadata: {name: infra}
spec: {shape: VM.Standard.E5.Flex, ocpus: 4, memoryInGBs: 32, replicas: 2}
"""

CLUSTER = """\
kind: Cluster
metadata: {name: @NAME@}
spec:
  environment: @ENV@
  network: {machine: @CIDR@}
  pools: [workers, infra]
"""

SOURCES = """\
apiVersion: v1
kind: Namespace
metadata:
  name: bench-sources
---
apiVersion: v1
kind: Secret
metadata:
  name: pull-secret
  namespace: bench-sources
type: kubernetes.io/dockerconfigjson
stringData:
  .dockerconfigjson: '{"auths":{}}'
---
apiVersion: v1
kind: Secret
metadata:
  name: ssh-key
  namespace: bench-sources
stringData:
  id_rsa.pub: ssh-ed25519 AAAA
"""

LABELS = """\
    app.kubernetes.io/managed-by: bench
    fleetwright.dev/cluster: @NAME@
    fleetwright.dev/environment: @ENV@
    fleetwright.dev/fleet: bench
"""

NAMESPACE = f"""\
apiVersion: v1
kind: Namespace
metadata:
  name: clusters-@NAME@
  labels:
{LABELS}"""

PULL_SECRET = f"""\
apiVersion: v1
kind: Secret
metadata:
  name: pull-secret
  namespace: clusters-@NAME@
  labels:
    hypershift.openshift.io/safe-to-delete-with-cluster: "true"
{LABELS}type: kubernetes.io/dockerconfigjson
data:
  .dockerconfigjson: eyJhdXRocyI6e319
"""

SSH_KEY = f"""\
apiVersion: v1
kind: Secret
metadata:
  name: ssh-key
  namespace: clusters-@NAME@
  labels:
    hypershift.openshift.io/safe-to-delete-with-cluster: "true"
{LABELS}type: Opaque
data:
  id_rsa.pub: c3NoLWVkMjU1MTkgQUFBQQ==
"""


def service(name):
    return f"""\
  - service: {name}
    servicePublishingStrategy:
      type: NodePort
      nodePort:
        address: api.bench.example
"""


HOSTED_CLUSTER = f"""\
apiVersion: hypershift.openshift.io/v1beta1
kind: HostedCluster
metadata:
  name: @NAME@
  namespace: clusters-@NAME@
  labels:
{LABELS}spec:
  channel: stable-4.19
  controllerAvailabilityPolicy: @AVAILABILITY@
  infrastructureAvailabilityPolicy: @AVAILABILITY@
  dns:
    baseDomain: bench.example
  etcd:
    managementType: Managed
    managed:
      storage:
        type: PersistentVolume
        persistentVolume:
          size: 8Gi
          storageClassName: oci-bv
  fips: false
  infraID: @NAME@-12345
  issuerURL: https://kubernetes.default.svc
  networking:
    networkType: OVNKubernetes
    clusterNetwork:
    - cidr: 10.132.0.0/14
      hostPrefix: 23
    machineNetwork:
    - cidr: @CIDR@
    serviceNetwork:
    - cidr: 172.31.0.0/16
  olmCatalogPlacement: management
  platform:
    type: None
  pullSecret:
    name: pull-secret
  sshKey:
    name: ssh-key
  release:
    image: quay.io/openshift-release-dev/ocp-release:4.19.12-multi
  services:
""" + "".join(map(service, ["APIServer", "OAuthServer", "Konnectivity", "Ignition"]))

NODE_POOL = f"""\
apiVersion: hypershift.openshift.io/v1beta1
kind: NodePool
metadata:
  name: @NAME@-@POOL@
  namespace: clusters-@NAME@
  labels:
{LABELS}spec:
  arch: amd64
  clusterName: @NAME@
  management:
    autoRepair: true
    upgradeType: Replace
    replace:
      strategy: RollingUpdate
      rollingUpdate:
        maxSurge: 1
        maxUnavailable: 0
  platform:
    type: None
  release:
    image: quay.io/openshift-release-dev/ocp-release:4.19.12-multi
  replicas: @REPLICAS@
"""

POOLS = {"workers": 3, "infra": 2}
ONCE = [PULL_SECRET, SSH_KEY, HOSTED_CLUSTER]


def cluster(number):
    """What differs between clusters."""
    production = number % 3 == 2
    return {
        "NAME": f"c{number:05d}",
        "ENV": "prod" if production else "dev",
        "AVAILABILITY": "HighlyAvailable" if production else "SingleReplica",
        "CIDR": f"10.{number // 256 % 128}.{number % 256}.0/24",
    }


def fill(text, values):
    for key, value in values.items():
        text = text.replace(f"@{key}@", str(value))
    return text


def stream(documents):
    return "---\n".join(documents)


def pools(values):
    return [fill(NODE_POOL, {**values, "POOL": name, "REPLICAS": replicas}) for name, replicas in POOLS.items()]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def fleet(out, clusters):
    write(out / "fleet.yaml", FLEET)
    for values in clusters:
        write(out / "clusters" / f"{values['NAME']}.yaml", fill(CLUSTER, values))


def flat(out, clusters):
    for values in clusters:
        documents = [fill(text, values) for text in [NAMESPACE, *ONCE]] + pools(values)
        write(out / f"{values['NAME']}.yaml", stream(documents))


def chart(out, clusters):
    write(out / "Chart.yaml", "apiVersion: v2\nname: fleet\nversion: 0.1.0\n")
    lines = ["clusters:"]
    for values in clusters:
        lines += [
            f"- name: {values['NAME']}",
            f"  environment: {values['ENV']}",
            f"  availability: {values['AVAILABILITY']}",
            f"  cidr: {values['CIDR']}",
            "  pools:",
        ]
        lines += [f"  - {{name: {name}, replicas: {replicas}}}" for name, replicas in POOLS.items()]
    write(out / "values.yaml", "\n".join(lines) + "\n")
    fields = {"NAME": "name", "ENV": "environment", "AVAILABILITY": "availability", "CIDR": "cidr"}
    holes = {key: f"{{{{ $c.{field} }}}}" for key, field in fields.items()}
    body = stream(fill(text, holes) for text in [NAMESPACE, *ONCE])
    pool = fill(NODE_POOL, {**holes, "POOL": "{{ .name }}", "REPLICAS": "{{ .replicas }}"})
    text = f"{{{{- range $c := .Values.clusters }}}}\n---\n{body}"
    text += f"{{{{- range $c.pools }}}}\n---\n{pool}{{{{- end }}}}\n{{{{- end }}}}\n"
    write(out / "templates" / "clusters.yaml", text)


def kustomize(out, clusters):
    base = {**cluster(0), "NAME": "base"}
    write(out / "base" / "objects.yaml", stream([fill(text, base) for text in ONCE] + pools(base)))
    write(out / "base" / "kustomization.yaml", "resources: [objects.yaml]\n")
    for values in clusters:
        write(out / values["NAME"] / "namespace.yaml", fill(NAMESPACE, values))
        write(out / values["NAME"] / "kustomization.yaml", fill(OVERLAY, values))
    overlays = "".join(f"- {values['NAME']}\n" for values in clusters)
    write(out / "kustomization.yaml", f"resources:\n{overlays}")


OVERLAY = """\
resources: [../base, namespace.yaml]
namespace: clusters-@NAME@
labels:
- pairs:
    fleetwright.dev/cluster: @NAME@
    fleetwright.dev/environment: @ENV@
patches:
- target: {kind: HostedCluster}
  patch: |
    - {op: replace, path: /metadata/name, value: @NAME@}
    - {op: replace, path: /spec/infraID, value: @NAME@-12345}
    - {op: replace, path: /spec/controllerAvailabilityPolicy, value: @AVAILABILITY@}
    - {op: replace, path: /spec/infrastructureAvailabilityPolicy, value: @AVAILABILITY@}
    - {op: replace, path: /spec/networking/machineNetwork/0/cidr, value: @CIDR@}
""" + "".join(
    f"""\
- target: {{kind: NodePool, name: base-{name}}}
  patch: |
    - {{op: replace, path: /metadata/name, value: @NAME@-{name}}}
    - {{op: replace, path: /spec/clusterName, value: @NAME@}}
"""
    for name in POOLS
)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    out, forms = Path(sys.argv[1]), sys.argv[3:]
    clusters = [cluster(number) for number in range(int(sys.argv[2]))]
    write(out / "sources" / "sources.yaml", SOURCES)
    for make in (fleet, flat, chart, kustomize):
        if not forms or make.__name__ in forms:
            make(out / make.__name__, clusters)
    print(f"{len(clusters)} clusters, {6 * len(clusters)} objects", file=sys.stderr)


if __name__ == "__main__":
    main()
