//! The built-in templates, in every version that there has been.
//!
//! Invariant: what a version makes of a fleet never changes once it was released: a fleet's lock names its version, and another
//! program that has that version makes the same of it, byte for byte. What is to be made otherwise is a new version, which a
//! fleet takes by `lock --upgrade`.

/// One version.
#[derive(Clone, Copy, Debug)]
pub struct Version {
    /// Its number, from 1; each is one more than the one before.
    pub number: u32,
    /// Names and texts.
    pub texts: &'static [(&'static str, &'static str)],
}

/// Versions to choose from, the oldest first.
#[derive(Clone, Copy, Debug)]
pub struct BuiltIn(pub &'static [Version]);

/// Those of this program.
pub const BUILT_IN: BuiltIn = BuiltIn(&[Version {
    number: 1,
    texts: &[
        (
            "cluster-api.yaml.j2",
            include_str!("../../templates/1/cluster-api.yaml.j2"),
        ),
        ("copies.yaml.j2", include_str!("../../templates/1/copies.yaml.j2")),
        ("endpoint.yaml.j2", include_str!("../../templates/1/endpoint.yaml.j2")),
        (
            "hosted-cluster.yaml.j2",
            include_str!("../../templates/1/hosted-cluster.yaml.j2"),
        ),
        (
            "identities.yaml.j2",
            include_str!("../../templates/1/identities.yaml.j2"),
        ),
        (
            "machine-pools.yaml.j2",
            include_str!("../../templates/1/machine-pools.yaml.j2"),
        ),
        (
            "management-network.yaml.j2",
            include_str!("../../templates/1/management-network.yaml.j2"),
        ),
        ("namespace.yaml.j2", include_str!("../../templates/1/namespace.yaml.j2")),
        ("network.yaml.j2", include_str!("../../templates/1/network.yaml.j2")),
        (
            "node-pools.yaml.j2",
            include_str!("../../templates/1/node-pools.yaml.j2"),
        ),
        ("oke.yaml.j2", include_str!("../../templates/1/oke.yaml.j2")),
        (
            "self-managed.yaml.j2",
            include_str!("../../templates/1/self-managed.yaml.j2"),
        ),
        ("topology.yaml.j2", include_str!("../../templates/1/topology.yaml.j2")),
    ],
}]);

impl Default for BuiltIn {
    fn default() -> Self {
        BUILT_IN
    }
}

impl BuiltIn {
    /// The version of a number; none where this program does not have it.
    pub fn version(self, number: u32) -> Option<Version> {
        self.0.iter().find(|version| version.number == number).copied()
    }

    /// The newest version.
    pub fn newest(self) -> Version {
        const NONE: Version = Version { number: 0, texts: &[] };
        self.0.last().copied().unwrap_or(NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_counted_from_one_and_each_has_every_template() {
        let numbers: Vec<u32> = BUILT_IN.0.iter().map(|version| version.number).collect();
        assert_eq!(numbers, (1..=BUILT_IN.newest().number).collect::<Vec<_>>());
        for version in BUILT_IN.0 {
            use super::super::templates::{HOSTED, MANAGEMENT_CLUSTER, NETWORK, OKE, PARTS, SELF_MANAGED, TOPOLOGY};
            for name in [HOSTED, SELF_MANAGED, OKE, TOPOLOGY, MANAGEMENT_CLUSTER, NETWORK, PARTS].concat() {
                assert!(version.texts.iter().any(|(there, _)| *there == name), "{name}");
            }
        }
        assert!(BUILT_IN.version(0).is_none());
    }
}
