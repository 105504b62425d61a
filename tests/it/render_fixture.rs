//! Fleets made by hand, as the loader would resolve them.

use std::collections::{BTreeMap, BTreeSet};

use fleetwright::diag::Typed;
use fleetwright::fleet::model::{
    Cap, Cluster, ClusterApi, ClusterKind, ClusterNetwork, Dialect, Etcd, ExistingNetwork, Fleet, Hosted, Identity,
    Limits, Manage, ManagementCluster, ManagementNetwork, Network, NetworkPlan, NetworkSource, NodePool, Peering,
    Preset, Release, Role, Scale, SecretRef, SecretUse, Service, SubnetPlan, Taint,
};
use fleetwright::resource::{
    ClusterName, Compartment, EnvironmentName, FleetName, FleetUid, ManagementClusterName, NetworkName, NodePoolName,
    OciId, Ocid,
};
use serde_json::Value;

pub(crate) fn ocid(kind: &str) -> Ocid {
    let region = if matches!(kind, "tenancy" | "compartment") {
        ""
    } else {
        "eu-frankfurt-1"
    };
    Ocid::new(format!("ocid1.{kind}.oc1.{region}.aaaa1"))
}

fn tags<const N: usize>(entries: [(&str, &str); N]) -> BTreeMap<String, String> {
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

pub(crate) fn release(version: &str) -> Release {
    Release {
        version: version.parse().unwrap(),
        image: format!("registry.example/ocp-release:{version}-multi"),
    }
}

pub(crate) fn existing() -> NetworkSource {
    NetworkSource::Existing(ExistingNetwork {
        vcn: Some(OciId::Known(ocid("vcn"))),
        endpoint_subnet: Some(OciId::Known(ocid("subnet"))),
        worker_subnet: Some(OciId::Known(ocid("subnet"))),
    })
}

/// A network that is made here: `hosted-private` or `hosted-public`.
pub(crate) fn managed(preset: Preset) -> NetworkSource {
    let subnet = |role, cidr: &str, public| SubnetPlan {
        role,
        cidrs: vec![cidr.parse().unwrap()],
        public,
    };
    let cidrs = vec!["10.0.0.0/16".parse().unwrap()];
    NetworkSource::Managed(Box::new(NetworkPlan {
        preset,
        vcn: vec!["10.32.0.0/20".parse().unwrap()],
        subnets: vec![
            subnet(Role::Workers, "10.32.0.0/21", false),
            subnet(Role::Endpoint, "10.32.8.0/26", false),
            subnet(Role::LoadBalancers, "10.32.9.0/24", preset == Preset::HostedPublic),
        ],
        dns_label: "payments".to_owned(),
        availability_domain: None,
        control_plane: cidrs.clone(),
        peering: Some(Peering {
            with: ManagementClusterName::new("fra-1"),
            remote: false,
            cidrs,
            far: management_network(),
        }),
        public_ips: Vec::new(),
        endpoint_balancer: false,
    }))
}

fn management_network() -> ManagementNetwork {
    ManagementNetwork {
        region: "eu-frankfurt-1".to_owned(),
        tenancy: Some(ocid("tenancy")),
        compartment: Compartment::Id(ocid("compartment")),
        vcn: ocid("vcn"),
        route_tables: vec![ocid("routetable")],
        drg: None,
        nodes: Vec::new(),
    }
}

pub(crate) fn pool(cluster: &str, name: &str) -> NodePool {
    NodePool {
        name: NodePoolName::new(name),
        object_name: format!("{cluster}-{name}"),
        release: release("4.20.3"),
        shape: "VM.Standard.E5.Flex".to_owned(),
        ocpus: Some(8),
        memory_gbs: Some(64),
        boot_volume_gbs: None,
        image: None,
        subnet: None,
        scale: Scale::Replicas(3),
        arch: "amd64".to_owned(),
        upgrade_type: "Replace".to_owned(),
        max_surge: None,
        max_unavailable: None,
        auto_repair: true,
        node_labels: BTreeMap::new(),
        taints: Vec::new(),
        config: Vec::new(),
        tuning: Vec::new(),
        drain_timeout: None,
        volume_detach_timeout: None,
        node_pool_patch: Value::Null,
    }
}

fn service(name: &str, strategy: &str) -> Service {
    Service {
        name: name.to_owned(),
        strategy: strategy.to_owned(),
        hostname: None,
        address: (strategy == "NodePort").then(|| "nodes.mgmt.example".to_owned()),
        port: None,
    }
}

pub(crate) fn routes(cluster: &str) -> Vec<Service> {
    let host = |name: &str, label: &str| Service {
        hostname: Some(format!("{label}.{cluster}.clusters.acme.example")),
        ..service(name, "Route")
    };
    vec![
        host("APIServer", "api"),
        host("OAuthServer", "oauth"),
        host("Konnectivity", "konnectivity"),
        host("Ignition", "ignition"),
    ]
}

pub(crate) fn cluster(name: &str, dialect: Dialect) -> Cluster {
    let secret = |stem: &str| SecretUse {
        name: format!("{name}-{stem}"),
        copy_from: Some(SecretRef {
            namespace: "fleetwright".to_owned(),
            name: stem.to_owned(),
        }),
    };
    let hosted = Hosted {
        dialect,
        control_plane_namespace: format!("clusters-{name}-{name}"),
        infra_id: format!("{name}-x1y2z"),
        release: release("4.20.3"),
        via: Vec::new(),
        known: Vec::new(),
        channel: Some("stable-4.20".to_owned()),
        base_domain: "clusters.acme.example".to_owned(),
        controller_availability: "HighlyAvailable".to_owned(),
        infrastructure_availability: "HighlyAvailable".to_owned(),
        etcd: Etcd {
            size: "8Gi".to_owned(),
            storage_class: Some("oci-bv".to_owned()),
        },
        fips: false,
        endpoint_access: "Private".to_owned(),
        services: ["Ignition", "APIServer", "Konnectivity", "OAuthServer"]
            .map(|name| service(name, "NodePort"))
            .into(),
        endpoint: None,
        dns_zone: None,
        pull_secret: secret("pull-secret"),
        ssh_key: Some(secret("ssh-key")),
        trust_bundle: Some(secret("trust-bundle")),
        encryption_key: Some(secret("etcd-key")),
        hosted_cluster_patch: Value::Null,
        node_pools: BTreeMap::from([(NodePoolName::new("general"), pool(name, "general"))]),
    };
    Cluster {
        name: ClusterName::new(name),
        object_name: name.to_owned(),
        id: format!("id-{name}"),
        environment: EnvironmentName::new("prod"),
        management_cluster: ManagementClusterName::new("fra-1"),
        owner: Some("payments-team".to_owned()),
        manage: Manage::All,
        region: "eu-frankfurt-1".to_owned(),
        tenancy: Some(ocid("tenancy")),
        compartment: Some(Compartment::Id(ocid("compartment"))),
        identity: Some("capoci-user".to_owned()),
        namespace: format!("clusters-{name}"),
        namespace_of_others: false,
        labels: tags([("team", "payments")]),
        annotations: tags([("hypershift.openshift.io/cleanup-cloud-resources", "true")]),
        freeform_tags: tags([("stage", "live")]),
        defined_tags: BTreeMap::from([("finance".to_owned(), tags([("costCenter", "42")]))]),
        protect_until: None,
        network: ClusterNetwork {
            machine: vec!["10.32.0.0/21".parse().unwrap()],
            cluster: vec!["10.132.0.0/14".parse().unwrap()],
            host_prefix: Some(23),
            service: vec!["172.31.0.0/16".parse().unwrap()],
            kind: "OVNKubernetes".to_owned(),
            source: existing(),
        },
        kind: ClusterKind::Hosted(Box::new(hosted)),
        extra_manifests: Vec::new(),
        typed: Typed::default(),
    }
}

/// What only a hosted cluster has.
pub(crate) fn hosted(cluster: &mut Cluster) -> &mut Hosted {
    cluster.hosted_mut().expect("a hosted cluster")
}

pub(crate) fn gpu_pool(cluster: &str) -> NodePool {
    NodePool {
        shape: "BM.GPU.A10.4".to_owned(),
        ocpus: None,
        memory_gbs: None,
        boot_volume_gbs: Some(200),
        image: Some(ocid("image")),
        scale: Scale::Autoscale { min: 1, max: 4 },
        upgrade_type: "InPlace".to_owned(),
        max_unavailable: Some("25%".into()),
        node_labels: tags([("accelerator", "a10")]),
        taints: vec![Taint {
            key: "nvidia.com/gpu".to_owned(),
            value: Some("true".to_owned()),
            effect: "NoSchedule".to_owned(),
        }],
        config: vec!["kubelet-limits".to_owned()],
        tuning: vec!["hugepages".to_owned()],
        drain_timeout: Some("30m".to_owned()),
        volume_detach_timeout: Some("5m".to_owned()),
        ..pool(cluster, "gpu")
    }
}

pub(crate) fn management() -> ManagementCluster {
    ManagementCluster {
        name: ManagementClusterName::new("fra-1"),
        context: "fra-1".to_owned(),
        region: "eu-frankfurt-1".to_owned(),
        oke: None,
        capacity: 80,
        dialect: Dialect::Oci,
        cluster_api: ClusterApi::V1Beta1,
        routes: false,
        operator_version: Some("4.20".to_owned()),
        cidrs: vec!["10.0.0.0/16".parse().unwrap()],
        network: Some(management_network()),
        nodes: None,
        compact: false,
        node_port_address: Some("nodes.mgmt.example".to_owned()),
        router_address: None,
        labels: BTreeMap::new(),
        identities: BTreeMap::from([(
            "capoci-user".to_owned(),
            Identity {
                name: "capoci-user".to_owned(),
                kind: "UserPrincipal".to_owned(),
                namespace: "capoci".to_owned(),
                principal_secret: Some(SecretRef {
                    namespace: "capoci".to_owned(),
                    name: "capoci-user-key".to_owned(),
                }),
                allowed_namespaces: vec!["clusters-payments-payments".to_owned()],
            },
        )]),
        extra_manifests: Vec::new(),
    }
}

pub(crate) fn fleet(clusters: impl IntoIterator<Item = Cluster>) -> Fleet {
    let limits = Limits {
        deletes: Cap::Count(2),
        disrupted_nodes: None,
    };
    Fleet {
        name: FleetName::new("acme"),
        uid: FleetUid::new("0b3c5f0e"),
        management_clusters: BTreeMap::from([(ManagementClusterName::new("fra-1"), management())]),
        networks: BTreeMap::new(),
        clusters: clusters
            .into_iter()
            .map(|cluster| (cluster.name.clone(), cluster))
            .collect(),
        failed: BTreeSet::new(),
        limits,
        decommission: BTreeMap::new(),
        moved: Vec::new(),
        conflicts: Vec::new(),
        drift: Vec::new(),
        ignore: fleetwright::fleet::model::Ignore::default(),
        suspend: fleetwright::fleet::model::Suspensions::default(),
        waived: BTreeMap::new(),
        remake: BTreeMap::new(),
        incomplete: false,
    }
}

/// A shared network to be made.
pub(crate) fn hub() -> Network {
    Network {
        name: NetworkName::new("hub"),
        object_name: "hub".to_owned(),
        id: "id-hub".to_owned(),
        region: "eu-frankfurt-1".to_owned(),
        tenancy: Some(ocid("tenancy")),
        compartment: Some(Compartment::Id(ocid("compartment"))),
        manage: Manage::All,
        management_cluster: ManagementClusterName::new("fra-1"),
        source: managed(Preset::HostedPublic),
        freeform_tags: BTreeMap::new(),
        defined_tags: BTreeMap::new(),
    }
}
