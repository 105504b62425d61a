//! What machines were made by stays until none is made by it any more.
//!
//! A template of Cluster API is named by its content, so that another content leaves the old one behind. It goes once what
//! made machines by it has rolled out the new one: a machine that is lost before is made again by the old one.

use serde_json::Value;

use super::change::{Action, Block, Change};
use crate::providers::Observed;
use crate::resource::{Manifest, Part, ResourceId};
use crate::status;

/// What a delete of a template waits for; none where it need not wait.
pub(super) fn block<'a>(
    change: &Change,
    wanted: &[Manifest],
    observed: impl Fn(&ResourceId) -> Option<&'a Observed>,
) -> Option<Block> {
    if change.action != Action::Delete || Part::of(&change.id.kind) != Some(Part::Template) {
        return None;
    }
    let (stem, _) = change.id.name.rsplit_once('-')?;
    let holder = wanted.iter().find(|manifest| {
        let part = Part::of(&manifest.id.kind);
        let holds = part == Some(Part::Pool) || part == Some(Part::ControlPlane);
        holds && manifest.id.name == stem && manifest.id.namespace == change.id.namespace
    })?;
    let live = match observed(&holder.id) {
        // What is not there makes no machines.
        Some(Observed::Absent) => return None,
        Some(Observed::Present(live)) => live.parse().ok(),
        Some(Observed::Unknown(_)) | None => None,
    };
    let waits = |how: &str| {
        Some(Block::Upgrade {
            after: format!(
                "{} {} to make its machines anew ({how})",
                holder.id.kind, holder.id.name
            ),
        })
    };
    let Some(live) = live else {
        return waits("it can't be looked at");
    };
    if live.get("spec").is_some_and(|spec| names(spec, &change.id)) {
        return waits("it has not begun");
    }
    let readiness = status::readiness(&live);
    if readiness.is_ready() {
        return None;
    }
    waits(if readiness.message.is_empty() {
        &readiness.reason
    } else {
        &readiness.message
    })
}

/// Whether something below names an object by kind and name.
fn names(value: &Value, id: &ResourceId) -> bool {
    match value {
        Value::Object(map) => {
            let is = |key: &str, word: &str| map.get(key).and_then(Value::as_str) == Some(word);
            (is("kind", &id.kind) && is("name", &id.name)) || map.values().any(|value| names(value, id))
        }
        Value::Array(items) => items.iter().any(|value| names(value, id)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::change::tests::change;
    use super::*;
    use crate::providers::LiveObject;
    use crate::resource::{ClusterName, ManagementClusterName, Stewardship, Target, UnitId};

    fn holder(kind: &str, name: &str) -> Manifest {
        let body = json!({"apiVersion": "cluster.x-k8s.io/v1beta1", "kind": kind,
            "metadata": {"name": name, "namespace": "clusters-a"}});
        let target = Target::Kubernetes(ManagementClusterName::new("m"));
        let unit = UnitId::Cluster(ClusterName::new("a"));
        Manifest::new(target, unit, Stewardship::Managed, &body).unwrap()
    }

    fn deployment(template: &str, available: u32) -> Observed {
        let body = json!({
            "apiVersion": "cluster.x-k8s.io/v1beta1", "kind": "MachineDeployment",
            "metadata": {"name": "a-md", "namespace": "clusters-a", "generation": 2},
            "spec": {"replicas": 3, "template": {"spec": {"infrastructureRef": {
                "kind": "OCIMachineTemplate", "name": template}}}},
            "status": {"observedGeneration": 2, "replicas": 3, "updatedReplicas": available,
                "availableReplicas": available, "conditions": [{"type": "Ready", "status": "True"}]},
        });
        Observed::Present(LiveObject {
            uid: "u".to_owned(),
            version: "1".to_owned(),
            text: body.to_string().into(),
        })
    }

    #[test]
    fn an_old_template_waits_for_its_pool() {
        let old = change("a", "OCIMachineTemplate", "a-md-11111111", Action::Delete);
        let wanted = [holder("MachineDeployment", "a-md"), holder("MachineDeployment", "a")];
        let waits = |live: Observed| match block(&old, &wanted, |_| Some(&live)) {
            Some(Block::Upgrade { after }) => after,
            None => String::new(),
            other => panic!("{other:?}"),
        };
        assert!(waits(deployment("a-md-11111111", 3)).contains("has not begun"));
        assert!(waits(deployment("a-md-22222222", 1)).contains("up-to-date machines: 1 of 3"));
        assert_eq!(waits(deployment("a-md-22222222", 3)), "");
        assert_eq!(waits(Observed::Absent), "");
        assert!(waits(Observed::Unknown("no answer".to_owned())).contains("can't be looked at"));
    }

    #[test]
    fn what_nothing_wanted_is_made_by_need_not_wait() {
        let live = deployment("a-md-11111111", 0);
        let wanted = [holder("MachineDeployment", "a-other"), holder("OCICluster", "a-md")];
        for gone in [
            change("a", "OCIMachineTemplate", "a-md-11111111", Action::Delete),
            change("a", "Secret", "a-other-11111111", Action::Delete),
            change("a", "OCIMachineTemplate", "a-other-11111111", Action::Forget),
        ] {
            assert_eq!(block(&gone, &wanted, |_| Some(&live)), None, "{}", gone.id);
        }
    }
}
