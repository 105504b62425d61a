//! Which settings of the fleet files a field of what the built-in templates render comes from: so that what is wrong with
//! an object is shown where somebody can mend it.

/// Settings that a cluster's release comes from.
const RELEASE: &[&str] = &["version", "ring", "release", "releaseRepository"];

/// Fields of HostedClusters below `spec`, and the settings that they come from.
const HOSTED_CLUSTER: &[(&str, &[&str])] = &[
    ("release", RELEASE),
    ("channel", &["channel", "version"]),
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
const NODE_POOL: &[(&str, &[&str])] = &[
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

/// Settings that may have set a field (`spec.platform.oci.region`) of an object of this kind, the likeliest first, as
/// `explain` names them. A pool is named for what is a pool's.
pub fn of_field(kind: &str, pool: Option<&str>, path: &str) -> Vec<String> {
    let (patch, table) = match kind {
        "HostedCluster" => ("hostedCluster", HOSTED_CLUSTER),
        "NodePool" => ("nodePool", NODE_POOL),
        _ => return Vec::new(),
    };
    let prefix = |setting: &str| match pool {
        Some(pool) => format!("pools.{pool}.{setting}"),
        None => setting.to_owned(),
    };
    for (metadata, setting) in [("metadata.labels", "labels"), ("metadata.annotations", "annotations")] {
        if is_within(path, metadata) {
            return vec![setting.to_owned()];
        }
    }
    let Some(path) = path.strip_prefix("spec.") else {
        return Vec::new();
    };
    // An item of a list is set with its list.
    let path = path.split('[').next().unwrap_or(path);
    let mut settings = Vec::new();
    let mut patched = Some(path);
    while let Some(field) = patched {
        settings.push(prefix(&format!("{patch}.{field}")));
        if pool.is_some() {
            settings.push(format!("{patch}.{field}"));
        }
        patched = field.rsplit_once('.').map(|(above, _)| above);
    }
    let fits = table.iter().filter(|(field, _)| is_within(path, field));
    if let Some((_, of)) = fits.max_by_key(|(field, _)| field.len()) {
        settings.extend(of.iter().map(|setting| prefix(setting)));
    }
    if pool.is_some() && is_within(path, "release") {
        // A pool that names no version of its own runs what its cluster's settings say.
        settings.extend(RELEASE.iter().map(|setting| (*setting).to_owned()));
    }
    settings
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
            of_field("NodePool", Some("gpu"), "spec.taints[0].effect"),
            ["pools.gpu.nodePool.taints", "nodePool.taints", "pools.gpu.taints"]
        );
        assert_eq!(
            of_field("NodePool", Some("gpu"), "spec.release.image")[4..],
            ["pools.gpu.version", "version", "ring", "release", "releaseRepository"]
        );
        assert_eq!(of_field("HostedCluster", None, "metadata.labels[a.b]"), ["labels"]);
        assert!(of_field("ConfigMap", None, "data").is_empty());
        assert!(of_field("HostedCluster", None, "<nil>").is_empty());
    }
}
