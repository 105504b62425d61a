//! Peering gateways: one side connects, both are peered then, and for good.

use serde_json::{Map, Value, json};

use super::super::step::Step;
use crate::resource::oci::ENDED;

/// A peering that the other side ended can't be taken up again, even with the same peer: it is shown as what nobody wants,
/// so that it is seen to need a replacement.
pub(super) fn as_created(shown: &mut Map<String, Value>) {
    let ended = matches!(
        shown.get("peeringStatus").and_then(Value::as_str),
        Some("REVOKED" | "INVALID")
    );
    let peer = shown.get("peerId").and_then(Value::as_str).unwrap_or_default();
    if ended {
        let peer = json!({ENDED: peer});
        shown.insert("peerId".to_owned(), peer);
    } else if peer.is_empty() {
        shown.remove("peerId");
        shown.remove("peerRegionName");
    }
}

/// The action that connects.
pub(in super::super) fn steps(kind: &str, spec: &Map<String, Value>) -> Vec<Step> {
    let Some(peer) = spec.get("peerId").filter(|peer| !peer.is_null()) else {
        return Vec::new();
    };
    if kind == "LocalPeeringGateway" {
        let body = json!({"peerId": peer});
        return vec![Step::action("ConnectLocalPeeringGateways", "connect", body).unguarded()];
    }
    let body = json!({"peerId": peer, "peerRegionName": spec.get("peerRegionName")});
    vec![Step::action("ConnectRemotePeeringConnections", "connect", body).unguarded()]
}
