//! The stable codes. A code is never reused for another problem.

use std::fmt;

use serde::Serialize;

use super::Severity;

/// Lists the codes: variant, number, severity, and one line that the reference page shows.
macro_rules! codes {
    ($($variant:ident = $number:literal, $severity:ident, $summary:literal;)+) => {
        /// A stable diagnostic code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $summary] $variant,)+
        }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code as printed.
            pub fn id(self) -> &'static str {
                match self { $(Self::$variant => $number,)+ }
            }

            /// The severity that it has unless a rule says otherwise.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)+ }
            }

            /// One line on what it means.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$variant => $summary,)+ }
            }
        }
    };
}

codes! {
    // FW01xx: reading files
    Unreadable = "FW0101", Error, "A file can't be read.";
    TooLarge = "FW0102", Error, "A file, or the whole tree, is larger than the budget.";
    Syntax = "FW0103", Error, "A file is not YAML.";
    Budget = "FW0104", Error, "A document is nested too deep, or expands too far through aliases.";
    DuplicateKey = "FW0105", Error, "A key is given twice in one mapping.";
    // FW02xx: the form of a document
    UnknownKind = "FW0201", Error, "`kind` names no kind of fleet document.";
    UnknownKey = "FW0202", Error, "A key that this kind does not have.";
    WrongType = "FW0203", Error, "A value of the wrong type or form.";
    MissingKey = "FW0204", Error, "A key that this kind needs is missing.";
    NotAllowed = "FW0205", Error, "A value outside the allowed set or range.";
    OtherKind = "FW0206", Error, "A key that says nothing to this kind of cluster or pool.";
    // FW03xx: names and references
    Duplicate = "FW0301", Error, "Two documents have the same kind and name.";
    Dangling = "FW0302", Error, "A reference to something that does not exist.";
    NoFleet = "FW0303", Error, "There is no `Fleet` document, or more than one.";
    MovedTwice = "FW0304", Error, "A `Moved` record that can't be followed.";
    UnknownRegion = "FW0305", Warning, "A region that this version does not know.";
    IgnoreRule = "FW0306", Error, "A rule of `ignore` that can't be followed: nothing is written until it can.";
    IgnoreIdle = "FW0307", Warning, "A rule of `ignore` that nothing in the whole fleet matches.";
    ListedTwice = "FW0308", Error, "Two fleets of a daemon's list have the same name, or lead to the same files.";
    LeftBehind = "FW0309", Error, "A management cluster that the lock knows has left the files without a word.";
    LeavesLater = "FW0310", Warning, "Something is listed under `decommission` and is still in the files.";
    // FW04xx: the lock, addresses and placement
    LockBroken = "FW0401", Error, "A file of the lock can't be read.";
    AddressClash = "FW0402", Error, "Two blocks of the lock overlap.";
    NoAddresses = "FW0403", Error, "No address block is left, or no pool is given.";
    NoPlacement = "FW0404", Error, "No management cluster takes this cluster.";
    BadRange = "FW0405", Error, "An address range that can't be used.";
    NoTemplates = "FW0406", Error, "The lock names a version of the templates that this program does not have.";
    // FW05xx: semantic rules; each can be waived with a reason
    ScaleHc = "FW0501", Warning, "Many hosted clusters on one management cluster (scale-hc).";
    ScaleNp = "FW0502", Warning, "Many node pools in one cluster (scale-np).";
    ScaleWorkers = "FW0503", Warning, "Many workers in one cluster (scale-workers).";
    CpHaProd = "FW0504", Error, "A production control plane without replicas (cp-ha-prod).";
    InfraHa = "FW0505", Warning, "Production infrastructure without replicas (infra-ha).";
    EtcdStorage = "FW0506", Warning, "etcd without a storage class (etcd-storage).";
    Latency = "FW0507", Warning, "Control plane and workers in different regions (latency).";
    MceSkew = "FW0508", Error, "A version that the operator does not support (mce-skew).";
    NpSkew = "FW0509", Error, "A node pool too far from its control plane (np-skew).";
    SvcFour = "FW0510", Error, "The four services are not all published (svc-four).";
    SvcMatrix = "FW0511", Error, "A service published in a way that does not work (svc-matrix).";
    SvcRoute = "FW0512", Error, "A route where there is no Route API (svc-route).";
    SvcHostUnique = "FW0513", Error, "Two services share a host name (svc-host-unique).";
    ApiserverRouteHost = "FW0514", Error, "An API server route without a host name (apiserver-route-host).";
    CidrOverlap = "FW0515", Error, "Address ranges of one cluster overlap (cidr-overlap).";
    CidrPeering = "FW0516", Error, "Address ranges of peered networks overlap (cidr-peering).";
    NpPlatform = "FW0517", Error, "A node pool of another platform than its cluster (np-platform).";
    Cni = "FW0518", Warning, "A network plugin that is not the platform's own (cni).";
    HcpKind = "FW0519", Error, "An object that only the operator may make (hcp-kind).";
    FlexShape = "FW0520", Error, "A flexible shape without a size, or a fixed one with (flex-shape).";
    OcidKind = "FW0521", Error, "An OCID of the wrong kind (ocid-kind).";
    OcidRealm = "FW0522", Error, "OCIDs of different realms (ocid-realm).";
    OcidRegion = "FW0523", Error, "An OCID of another region (ocid-region).";
    PrivateNeedsNlb = "FW0524", Warning, "Private access without a subnet for its load balancer (private-needs-nlb).";
    Kms = "FW0525", Error, "KMS encryption, which OCI has no provider for (kms).";
    ArchPlatform = "FW0526", Warning, "An architecture that the platform does not admit (arch).";
    AutoscaleZero = "FW0527", Error, "Autoscaling from zero (autoscale-zero).";
    PausedExpired = "FW0528", Warning, "A pause that is over, or unreadable (paused-expired).";
    Annotations = "FW0529", Warning, "An unsupported override in production (annotations).";
    NsLength = "FW0530", Error, "Names that make a namespace too long (ns-length).";
    CapociName = "FW0531", Error, "A name that Cluster API Provider OCI refuses (capoci-name).";
    WaiverExpired = "FW0532", Warning, "A waiver that has expired, or names no rule.";
    ScaleDensity = "FW0533", Warning, "Many control planes on few nodes (scale-density).";
    OciLimits = "FW0534", Warning, "More of a thing than OCI gives unless asked (oci-limits).";
    SuspendExpired = "FW0535", Warning, "A suspension that is over and has no effect any more.";
    UpgradeStep = "FW0536", Error, "Versions to go through that don't lead to the release (upgrade-step).";
    // FW06xx: rendering
    Template = "FW0601", Error, "A template failed.";
    TemplateBudget = "FW0602", Error, "A template ran out of its budget of steps or output.";
    TemplateOutput = "FW0603", Error, "A template's output is no list of manifests.";
    DuplicateObject = "FW0604", Error, "Two manifests are the same object.";
    ForbiddenObject = "FW0605", Error, "A manifest that must not be rendered: a HostedControlPlane, or a Secret in plain text.";
    NotAdmitted = "FW0606", Error, "An object that an API server would refuse, by the definition of its kind.";
    Definition = "FW0607", Error, "A definition below `schemas/` that can't be used.";
    StoredTwice = "FW0608", Error, "Of what `admit --old` is given, two objects are the same.";
    // FW07xx: importing
    ImportLeftOut = "FW0701", Error, "A live object that is not imported, and is in no file.";
    ImportInexact = "FW0702", Error, "A live object that does not come out of the imported files as it is.";
    ImportWaived = "FW0703", Warning, "An imported cluster breaks a rule, which is waived for it.";
    ImportPatch = "FW0704", Info, "Fields that the files have no words for: they are kept as a raw patch.";
    ImportUnsaid = "FW0705", Info, "Labels and annotations that the files have no place for: they stay as they are.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
