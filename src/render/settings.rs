//! Which settings of the fleet files a field of what the built-in templates render comes from: so that what is wrong with
//! an object is shown where somebody can mend it.

use crate::resource::oci;

type Table = [(&'static str, &'static [&'static str])];

/// Settings that a cluster's release comes from.
const RELEASE: &[&str] = &["version", "ring.controlPlane", "ring", "release", "releaseRepository"];

/// Settings that a pool's release comes from where the pool names none.
const RELEASE_OF_POOLS: &[&str] = &[
    "version",
    "ring.pools",
    "ring.controlPlane",
    "ring",
    "release",
    "releaseRepository",
];

/// Fields of HostedClusters below `spec`, and the settings that they come from.
const HOSTED_CLUSTER: &Table = &[
    ("release", RELEASE),
    (
        "channel",
        &["channel", "version", "ring.controlPlane", "ring", "release"],
    ),
    ("fips", &["fips"]),
    ("controllerAvailabilityPolicy", &["availability"]),
    (
        "infrastructureAvailabilityPolicy",
        &["infrastructureAvailability", "availability"],
    ),
    ("dns", &["baseDomain"]),
    ("etcd.managed.storage.persistentVolume.size", &["etcd.size"]),
    (
        "etcd.managed.storage.persistentVolume.storageClassName",
        &["etcd.storageClass"],
    ),
    ("etcd", &["etcd"]),
    ("networking.networkType", &["network.type"]),
    ("networking.machineNetwork", &["network.machine", "network.vcn"]),
    ("networking.clusterNetwork", &["network.cluster", "network.hostPrefix"]),
    ("networking.serviceNetwork", &["network.service"]),
    ("networking", &["network"]),
    ("platform.oci.tenancy", &["tenancy"]),
    ("platform.oci.compartment", &["compartment"]),
    ("platform.oci.region", &["region"]),
    ("platform.oci.endpointAccess", &["endpointAccess"]),
    ("platform.oci.networkConfig", &["network"]),
    ("services", &["services", "publish"]),
    ("pullSecret", &["pullSecret"]),
    ("sshKey", &["sshKey"]),
    ("additionalTrustBundle", &["trustBundle"]),
    ("secretEncryption", &["encryptionKey"]),
    ("pausedUntil", &["pausedUntil"]),
];

/// Fields of NodePools below `spec`, and the pool's settings that they come from.
const NODE_POOL: &Table = &[
    ("release", &["version"]),
    ("autoScaling", &["autoscale"]),
    ("replicas", &["replicas"]),
    ("arch", &["arch"]),
    ("management.upgradeType", &["upgradeType"]),
    ("management.autoRepair", &["autoRepair"]),
    ("management.replace", &["maxSurge", "maxUnavailable"]),
    ("management.inPlace", &["maxUnavailable"]),
    ("nodeLabels", &["nodeLabels"]),
    ("taints", &["taints"]),
    ("config", &["config"]),
    ("tuningConfig", &["tuning"]),
    ("nodeDrainTimeout", &["drainTimeout"]),
    ("nodeVolumeDetachTimeout", &["volumeDetachTimeout"]),
    ("platform.oci.instanceType", &["shape"]),
    ("platform.oci.ocpus", &["ocpus", "shape"]),
    ("platform.oci.memoryInGBs", &["memoryInGBs", "shape"]),
    ("platform.oci.bootVolumeSizeInGBs", &["bootVolumeSizeInGBs"]),
    ("platform.oci.subnet", &["subnet"]),
    ("platform.oci.imageID", &["image"]),
    ("platform", &["shape"]),
];

/// What a machine is made of.
const MACHINE: &[&str] = &[
    "shape",
    "ocpus",
    "memoryInGBs",
    "image",
    "bootVolumeSizeInGBs",
    "failureDomain",
    "failureDomains",
];

/// Fields of what Cluster API has below `spec` of a pool, or of a control plane, and the settings of that.
const MACHINES: &Table = &[
    ("replicas", &["replicas", "autoscale", "failureDomains"]),
    ("version", &["version"]),
    ("rolloutStrategy", &["maxSurge", "maxUnavailable"]),
    ("rollout", &["maxSurge", "maxUnavailable"]),
    ("strategy", &["maxSurge", "maxUnavailable"]),
    ("nodePoolCyclingDetails", &["maxSurge", "maxUnavailable"]),
    ("machineTemplate", MACHINE),
    ("template.spec", MACHINE),
    ("template.spec.version", &["version"]),
    ("template.spec.deletion", &["drainTimeout", "volumeDetachTimeout"]),
    ("template.spec.nodeDrainTimeout", &["drainTimeout"]),
    ("template.spec.nodeVolumeDetachTimeout", &["volumeDetachTimeout"]),
    ("template.spec.bootstrap", &["taints", "nodeLabels"]),
    ("template.spec.joinConfiguration", &["taints", "nodeLabels"]),
    ("joinConfiguration", &["taints", "nodeLabels"]),
    ("kubeadmConfigSpec", &["taints", "nodeLabels"]),
    ("taints", &["taints"]),
    ("initialNodeLabels", &["nodeLabels"]),
    ("initialVirtualNodeLabels", &["nodeLabels"]),
    ("instanceConfiguration", MACHINE),
    ("nodeShape", &["shape"]),
    ("nodeShapeConfig", &["ocpus", "memoryInGBs", "shape"]),
    ("nodeSourceViaImage", &["image", "bootVolumeSizeInGBs"]),
    ("unhealthyConditions", &["healthCheck"]),
    ("nodeStartupTimeout", &["healthCheck"]),
    ("maxUnhealthy", &["healthCheck"]),
    ("checks", &["healthCheck"]),
    ("remediation", &["healthCheck"]),
];

/// Fields of what Cluster API has below `spec` of a cluster of machines.
const CLUSTER_OF_MACHINES: &Table = &[
    ("clusterNetwork", &["network"]),
    ("networkSpec", &["network"]),
    ("compartmentId", &["compartment"]),
    ("region", &["region"]),
    ("freeformTags", &["tags"]),
    ("definedTags", &["definedTags"]),
    ("version", &["version"]),
    ("topology.class", &["class"]),
    ("topology.classNamespace", &["class"]),
    ("topology.classRef", &["class"]),
    ("topology.controlPlane", &["controlPlane"]),
    ("topology.variables", &["variables"]),
    ("topology.version", &["version"]),
    ("topology.workers", &["pools"]),
];

/// What rules and routes follow from.
const REACH: &[&str] = &[
    "network.preset",
    "network.peerWith",
    "network.vcn",
    "publish",
    "managementCluster.cidrs",
    "managementCluster.network",
];

/// Fields of OCI documents below `spec`. A shared network has those of `network` at its top.
const OCI: &Table = &[
    ("compartmentId", &["compartment"]),
    ("region", &["region"]),
    ("tenancy", &["tenancy"]),
    ("freeformTags", &["tags"]),
    ("definedTags", &["definedTags"]),
    ("cidrBlocks", &["network.vcn"]),
    ("cidrBlock", &["network.vcn"]),
    ("ipv6PrivateCidrBlocks", &["network.vcn"]),
    ("ipv6CidrBlock", &["network.vcn"]),
    ("ipv6CidrBlocks", &["network.vcn"]),
    ("isIpv6Enabled", &["network.vcn"]),
    ("availabilityDomain", &["network.availabilityDomain"]),
    ("prohibitInternetIngress", &["network.preset"]),
    ("prohibitPublicIpOnVnic", &["network.preset"]),
    ("publicIpId", &["network.publicIps"]),
    ("peerId", &["network.peerWith", "managementCluster.network"]),
    ("drgId", &["network.peerWith", "managementCluster.network"]),
    ("routeRules", REACH),
    ("ingressSecurityRules", REACH),
    ("egressSecurityRules", REACH),
    ("securityRules", REACH),
    ("backends", &["managementCluster.network", "services"]),
    ("listeners", &["services", "network.endpoint"]),
];

/// Settings that are maps with keys of the user's, which are rendered as they are.
const MAPS: &[&str] = &["annotations", "definedTags", "labels", "nodeLabels", "tags"];

/// What one entry of a map is set by, where the field is one: `nodeLabels.tier`.
fn entry(setting: &str, below: &str) -> Option<String> {
    let key = below.strip_prefix('.')?;
    MAPS.contains(&setting).then(|| format!("{setting}.{key}"))
}

/// Whether a setting is a map with keys of the user's: what one of them is says nothing about another.
pub fn is_map(setting: &str) -> bool {
    let name = setting.rsplit('.').next().unwrap_or(setting);
    MAPS.contains(&name)
}

/// What a kind's fields come from: where its raw patch stands, and its table.
fn kind(kind: &str) -> Option<(String, &'static Table)> {
    let of_machines = |table| Some((format!("patches.{kind}"), table));
    match kind {
        "HostedCluster" => Some(("hostedCluster".to_owned(), HOSTED_CLUSTER)),
        "NodePool" => Some(("nodePool".to_owned(), NODE_POOL)),
        "Cluster" | "OCICluster" | "OCIManagedCluster" | "OCIManagedControlPlane" => of_machines(CLUSTER_OF_MACHINES),
        "KubeadmControlPlane"
        | "OCIMachineTemplate"
        | "KubeadmConfigTemplate"
        | "MachineDeployment"
        | "MachinePool"
        | "KubeadmConfig"
        | "OCIMachinePool"
        | "OCIManagedMachinePool"
        | "OCIVirtualMachinePool"
        | "MachineHealthCheck" => of_machines(MACHINES),
        _ => oci::kind(kind).map(|_| (String::new(), OCI)),
    }
}

/// Settings that may have set a field (`spec.platform.oci.region`) of an object of this kind, the likeliest first, as
/// `explain` names them; what the management cluster's document says begins with `managementCluster.`. `part` is what of the
/// cluster the object is of: `pools.gpu`, `controlPlane`.
pub fn of_field(kind: &str, part: Option<&str>, path: &str) -> Vec<String> {
    let prefix = |setting: &str| match part {
        Some(part) => format!("{part}.{setting}"),
        None => setting.to_owned(),
    };
    for (metadata, setting) in [("metadata.labels", "labels"), ("metadata.annotations", "annotations")] {
        if is_within(path, metadata) {
            let below = path.strip_prefix(metadata).unwrap_or_default();
            return entry(setting, below).into_iter().chain([setting.to_owned()]).collect();
        }
    }
    let (Some((patch, table)), Some(path)) = (self::kind(kind), path.strip_prefix("spec.")) else {
        return Vec::new();
    };
    let mut settings = item(path);
    // An item of another list is set with its list.
    let path = path.split('[').next().unwrap_or(path);
    let mut patched = (!patch.is_empty()).then_some(path);
    while let Some(field) = patched {
        settings.push(prefix(&format!("{patch}.{field}")));
        if part.is_some() {
            settings.push(format!("{patch}.{field}"));
        }
        patched = field.rsplit_once('.').map(|(above, _)| above);
    }
    let fits = table.iter().filter(|(field, _)| is_within(path, field));
    if let Some((field, of)) = fits.max_by_key(|(field, _)| field.len()) {
        let below = path.strip_prefix(field).unwrap_or_default();
        settings.extend(of.iter().filter_map(|setting| Some(prefix(&entry(setting, below)?))));
        settings.extend(of.iter().map(|setting| prefix(setting)));
        if part.is_some() && of.contains(&"version") {
            // A part that names no version of its own runs what its cluster's settings say.
            settings.extend(RELEASE_OF_POOLS.iter().map(|setting| (*setting).to_owned()));
        }
    }
    settings
}

/// What an item of a Cluster's topology, which has a name, is set by.
fn item(path: &str) -> Vec<String> {
    let Some((list, rest)) = path.split_once("[name=") else {
        return Vec::new();
    };
    let Some((name, field)) = rest.split_once(']') else {
        return Vec::new();
    };
    let name = name.trim_matches('"');
    match list {
        "topology.variables" => vec![format!("variables.{name}")],
        "topology.workers.machineDeployments" | "topology.workers.machinePools" => {
            let field = field.strip_prefix('.').unwrap_or_default();
            let fits = MACHINES.iter().filter(|(of, _)| is_within(field, of));
            let of = fits.max_by_key(|(of, _)| of.len()).map_or(&[][..], |(_, of)| of);
            let of = of.iter().map(|setting| format!("pools.{name}.{setting}"));
            of.chain([format!("pools.{name}.{field}"), format!("pools.{name}")])
                .collect()
        }
        _ => Vec::new(),
    }
}

fn is_within(path: &str, of: &str) -> bool {
    path.strip_prefix(of)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_comes_before_the_setting_that_is_rendered() {
        assert_eq!(
            of_field("HostedCluster", None, "spec.platform.oci.region"),
            [
                "hostedCluster.platform.oci.region",
                "hostedCluster.platform.oci",
                "hostedCluster.platform",
                "region"
            ]
        );
        assert_eq!(
            of_field("NodePool", Some("pools.gpu"), "spec.taints[0].effect"),
            ["pools.gpu.nodePool.taints", "nodePool.taints", "pools.gpu.taints"]
        );
        assert_eq!(
            of_field("NodePool", Some("pools.gpu"), "spec.release.image")[4..8],
            ["pools.gpu.version", "version", "ring.pools", "ring.controlPlane"]
        );
        let of_template = of_field("MachineDeployment", Some("pools.gpu"), "spec.template.spec.version");
        assert!(of_template.contains(&"pools.gpu.patches.MachineDeployment.template".to_owned()));
        assert!(of_template.contains(&"pools.gpu.version".to_owned()) && of_template.contains(&"version".to_owned()));
        let of_plane = of_field("KubeadmControlPlane", Some("controlPlane"), "spec.replicas");
        assert!(of_plane.contains(&"controlPlane.replicas".to_owned()), "{of_plane:?}");
        assert_eq!(
            of_field("OCICluster", None, "spec.region"),
            ["patches.OCICluster.region", "region"]
        );
        assert_eq!(of_field("Subnet", None, "spec.cidrBlock"), ["network.vcn"]);
        let of_class = |path: &str| of_field("Cluster", None, &format!("spec.topology.{path}"));
        assert_eq!(of_class("variables[name=\"imageId\"].value")[0], "variables.imageId");
        let size = of_class("workers.machineDeployments[name=\"gpu\"].replicas");
        assert_eq!(size[..2], ["pools.gpu.replicas", "pools.gpu.autoscale"]);
        assert_eq!(size.last().map(String::as_str), Some("pools"));
        assert_eq!(
            of_field("HostedCluster", None, "metadata.labels.a.b/c"),
            ["labels.a.b/c", "labels"]
        );
        assert_eq!(of_field("Namespace", None, "metadata.labels.a"), ["labels.a", "labels"]);
        let of_label = of_field("NodePool", Some("pools.gpu"), "spec.nodeLabels.a.b/c");
        let label = of_label
            .iter()
            .position(|one| one == "pools.gpu.nodeLabels.a.b/c")
            .unwrap();
        assert_eq!(of_label[label + 1], "pools.gpu.nodeLabels");
        assert!(is_map(&of_label[label + 1]) && !is_map("network"));
        assert!(of_field("ConfigMap", None, "data").is_empty());
        assert!(of_field("HostedCluster", None, "<nil>").is_empty());
    }
}
