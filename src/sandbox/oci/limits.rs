//! Service limits: what a tenancy may have of each kind.

/// The limits of a region, of a VCN, or of a resource. The defaults are those of a new tenancy.
#[derive(Clone, Debug)]
pub struct Limits {
    /// VCNs in a region.
    pub vcns: usize,
    /// IPv4 CIDRs of a VCN.
    pub vcn_cidrs: usize,
    /// Subnets in a VCN.
    pub subnets: usize,
    /// Route tables in a VCN.
    pub route_tables: usize,
    /// Rules in a route table.
    pub route_rules: usize,
    /// Security lists in a VCN.
    pub security_lists: usize,
    /// Rules of each direction in a security list.
    pub list_rules: usize,
    /// Network security groups in a VCN.
    pub groups: usize,
    /// Rules of a network security group, both directions together.
    pub group_rules: usize,
    /// Local peering gateways in a VCN.
    pub peering_gateways: usize,
    /// DRGs in a region.
    pub drgs: usize,
    /// Remote peering connections of a DRG.
    pub remote_peerings: usize,
    /// Reserved public IPs in a region.
    pub public_ips: usize,
    /// Network load balancers in a region.
    pub network_load_balancers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            vcns: 50,
            vcn_cidrs: 5,
            subnets: 300,
            route_tables: 300,
            route_rules: 200,
            security_lists: 300,
            list_rules: 200,
            groups: 1000,
            group_rules: 120,
            peering_gateways: 10,
            drgs: 5,
            remote_peerings: 10,
            public_ips: 50,
            network_load_balancers: 50,
        }
    }
}

impl Limits {
    /// No limits on how many resources there are; those on the size of one stay.
    pub fn lifted() -> Self {
        Self {
            vcns: usize::MAX,
            peering_gateways: usize::MAX,
            drgs: usize::MAX,
            public_ips: usize::MAX,
            network_load_balancers: usize::MAX,
            ..Self::default()
        }
    }
}
