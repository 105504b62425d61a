//! What a plan says of some forty situations, word for word, against `tests/cases/reports/`. `FLEETWRIGHT_BLESS=1` writes
//! those files anew: read them as whoever has to decide by them.
//!
//! Each is a plan of a fleet that stands in a sandbox on paused time, but for one that needs a real server; nothing of it
//! depends on the day or on chance.

mod cloud;
mod others;
mod refused;
mod stage;
mod upgrades;
mod usual;

use std::collections::BTreeSet;

use crate::golden;

/// Every situation, by the folder of its reports.
const SITUATIONS: [&str; 46] = [
    "adoption",
    "adoption-agreed",
    "broken-file",
    "cidr-change",
    "cluster-decommissioned",
    "cluster-protected",
    "cluster-removed",
    "config-map-edit",
    "conflict",
    "delete-cap",
    "downgrade",
    "drift-asked-for",
    "drift-only",
    "empty-fleet",
    "eus-upgrade",
    "eus-upgrade-by-rings",
    "eus-upgrade-under-way",
    "expired-waiver",
    "first-plan",
    "first-plan-with-network",
    "first-plan-without-rights",
    "foreign-owner",
    "ignored-by-rules",
    "immutable-field",
    "left-to-others",
    "lost-permission",
    "mark-lost",
    "minor-left-out",
    "moved-cluster",
    // On a real server, which has webhooks: see `e2e`.
    "mutating-webhook",
    "network-not-there",
    "network-replaced",
    "node-cap",
    "nothing-to-do",
    "oci-resource-lost",
    "older-revision",
    "pool-removed",
    "pool-scaled",
    "profile-edit",
    "pull-secret-changed",
    "pull-secret-renamed",
    "release-not-supported",
    "reviewed-commit",
    "secrets-masked",
    "suspended",
    "terminating",
];

#[test]
fn there_is_a_test_for_every_folder() {
    let wanted: BTreeSet<String> = SITUATIONS.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(golden::names(&golden::folder("reports")), wanted);
}
