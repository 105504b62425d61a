//! The rules that come with this program: what HyperShift, Cluster API, its OCI provider and OCI write back themselves.
//!
//! Invariant: data alone. Of Kubernetes' objects such a rule covers what a controller wrote last, and nothing that a person's
//! tool wrote: that somebody edited one of these fields is drift as ever. No field is here in which a fleet says what it
//! wants of a running cluster (counts, versions, sizes).

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn {
    /// Its name, for `without`.
    pub id: &'static str,
    /// Whose fields these are.
    pub writer: &'static str,
    /// The kinds; empty for every kind of OCI resource.
    pub kinds: &'static [&'static str],
    /// The fields.
    pub pointers: &'static [&'static str],
    /// What is written there.
    pub what: &'static str,
}

/// All of them, in the order of the reference page.
pub const ALL: &[BuiltIn] = &[
    BuiltIn {
        id: "hypershift-ids",
        writer: "HyperShift",
        kinds: &["HostedCluster"],
        pointers: &["/spec/clusterID", "/spec/infraID", "/spec/networking/allocateNodeCIDRs"],
        what: "ids that the operator draws, and what it derives from the network type",
    },
    BuiltIn {
        id: "hypershift-bookkeeping",
        writer: "HyperShift",
        kinds: &["HostedCluster", "NodePool"],
        pointers: &[
            "/metadata/finalizers",
            "/metadata/ownerReferences",
            "/metadata/annotations/hypershift.openshift.io~1HasBeenAvailable",
        ],
        what: "finalizers, the pool's owner, and the note that a cluster has been available",
    },
    BuiltIn {
        id: "cluster-api-bookkeeping",
        writer: "Cluster API",
        kinds: CAPI,
        pointers: &["/metadata/finalizers", "/metadata/ownerReferences"],
        what: "finalizers and owners",
    },
    BuiltIn {
        id: "cluster-api-endpoint",
        writer: "Cluster API",
        kinds: &["Cluster", "OCICluster", "OCIManagedCluster", "OCIManagedControlPlane"],
        pointers: &["/spec/controlPlaneEndpoint"],
        what: "the address under which the API server was published",
    },
    BuiltIn {
        id: "cluster-api-provider-ids",
        writer: "Cluster API",
        kinds: &[
            "MachinePool",
            "OCIMachinePool",
            "OCIManagedMachinePool",
            "OCIVirtualMachinePool",
            "Machine",
            "OCIMachine",
        ],
        pointers: &["/spec/providerID", "/spec/providerIDList"],
        what: "the ids of the instances that were made",
    },
    BuiltIn {
        id: "capoci-identifier",
        writer: "Cluster API Provider OCI",
        kinds: &["OCICluster", "OCIManagedCluster"],
        pointers: &["/spec/ociResourceIdentifier", "/spec/availabilityDomains"],
        what: "the id by which its resources are tagged, and the domains of the region",
    },
    BuiltIn {
        id: "capoci-network-ids",
        writer: "Cluster API Provider OCI",
        kinds: &["OCICluster", "OCIManagedCluster"],
        pointers: &[
            "/spec/networkSpec/apiServerLoadBalancer/loadBalancerId",
            "/spec/networkSpec/apiServerLoadBalancer/name",
            "/spec/networkSpec/vcn/id",
            "/spec/networkSpec/vcn/internetGateway/id",
            "/spec/networkSpec/vcn/natGateway/id",
            "/spec/networkSpec/vcn/serviceGateway/id",
            "/spec/networkSpec/vcn/networkSecurityGroup/list/*/id",
            "/spec/networkSpec/vcn/routeTable/privateRouteTableId",
            "/spec/networkSpec/vcn/routeTable/publicRouteTableId",
            "/spec/networkSpec/vcn/subnets/*/id",
            "/spec/networkSpec/vcn/subnets/*/securityList/id",
        ],
        what: "OCIDs of the network that it made",
    },
    BuiltIn {
        id: "oracle-tags",
        writer: "OCI",
        kinds: &[],
        pointers: &["/spec/definedTags/Oracle-Tags"],
        what: "who made a resource and when, by the tag defaults of a tenancy",
    },
];

const CAPI: &[&str] = &[
    "Cluster",
    "MachineDeployment",
    "MachinePool",
    "MachineHealthCheck",
    "KubeadmControlPlane",
    "KubeadmConfigTemplate",
    "OCICluster",
    "OCIManagedCluster",
    "OCIManagedControlPlane",
    "OCIMachinePool",
    "OCIManagedMachinePool",
    "OCIMachineTemplate",
    "OCIClusterIdentity",
];
