//! What a plan costs those who run on the clusters, in words.

use crate::plan::disruption::{Class, Count, Disruption, PoolRollout, Rollout, Totals, is_volume};
use crate::resource::ResourceId;

/// What one change costs; none where nobody would notice, and where the plan says it as a refusal.
pub fn line(disruption: &Disruption, id: &ResourceId) -> Option<String> {
    let mut parts = Vec::new();
    match disruption.class {
        Class::None | Class::InPlace | Class::Refused => return None,
        Class::DataLoss if is_volume(id) => parts.push("data loss: what is on its volume goes".to_owned()),
        Class::DataLoss => parts.push("data loss: the control plane, its etcd and all nodes go".to_owned()),
        Class::RollingRestart => parts.push("rolling restart".to_owned()),
        Class::ControlPlaneRollout | Class::NodeReplacement => {}
    }
    if disruption.control_plane {
        parts.push("control-plane rollout".to_owned());
    }
    for (how, words) in [
        (Rollout::Replace, "nodes replaced"),
        (Rollout::InPlace, "nodes updated in place"),
        (Rollout::OnDelete, "nodes replaced as somebody deletes them"),
        (
            Rollout::Paused,
            "nodes to be replaced, once the pool is no longer paused",
        ),
    ] {
        let pools: Vec<String> = disruption
            .pools
            .iter()
            .filter(|pool| pool.how == how)
            .map(|one| match disruption.clusters.len() {
                0 => pool(one),
                _ => format!("{} of {}", pool(one), one.cluster),
            })
            .collect();
        if !pools.is_empty() {
            parts.push(format!("{words}: {}", pools.join(", ")));
        }
    }
    if !disruption.removed.is_zero() {
        parts.push(format!("{} removed", nodes(disruption.removed)));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn pool(pool_of: &PoolRollout) -> String {
    let PoolRollout {
        pool,
        nodes: count,
        surge,
        unavailable,
        minutes,
        ..
    } = pool_of;
    if !pool_of.how.disrupts() {
        return format!("{pool} ({})", nodes(*count));
    }
    let at_a_time = match (surge, unavailable) {
        (0, missing) => format!("{missing} away at a time"),
        (more, 0) => format!("{more} more at a time"),
        (more, missing) => format!("{more} more and {missing} away at a time"),
    };
    format!("{pool} ({}, {at_a_time}, about {minutes} min)", nodes(*count))
}

fn nodes(count: Count) -> String {
    counted(count, "node")
}

fn counted(count: Count, word: &str) -> String {
    let plural = if count.max == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}

fn number(count: usize, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}

/// What all that goes ahead costs; none where nobody would notice.
pub fn totals(totals: &Totals) -> Option<String> {
    let Totals {
        clusters,
        control_planes,
        pools,
        nodes: count,
        updated,
        removed,
        lost,
        volumes,
        minutes,
    } = *totals;
    if clusters == 0 {
        return None;
    }
    let mut parts = vec![number(clusters, "cluster")];
    if pools > 0 {
        parts.push(number(pools, "pool"));
    }
    if !count.is_zero() {
        parts.push(format!("{} replaced", nodes(count)));
    }
    if !updated.is_zero() {
        parts.push(format!("{} updated in place", nodes(updated)));
    }
    let mut text = format!("Disruption: {}", parts.join(", "));
    if control_planes > 0 {
        let verb = if control_planes == 1 { "rolls" } else { "roll" };
        text.push_str(&format!("; {} {verb}", number(control_planes, "control plane")));
    }
    if !removed.is_zero() {
        text.push_str(&format!("; {} removed", nodes(removed)));
    }
    for (lost, noun) in [(lost - volumes, "control plane"), (volumes, "volume")] {
        if lost > 0 {
            text.push_str(&format!("; {} lost with all data", number(lost, noun)));
        }
    }
    if !minutes.is_zero() {
        text.push_str(&format!("; the slowest pool takes about {minutes} min"));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::Action;
    use crate::plan::change::tests::change;

    fn rollout(name: &str, how: Rollout, nodes: Count) -> PoolRollout {
        PoolRollout {
            cluster: "a".to_owned(),
            pool: name.to_owned(),
            object_name: format!("a-{name}"),
            how,
            nodes,
            surge: 1,
            unavailable: 0,
            minutes: Count::exactly(30),
        }
    }

    fn cluster() -> ResourceId {
        change("a", "HostedCluster", "a", Action::Update).id
    }

    #[test]
    fn says_what_rolls_and_for_how_long() {
        let disruption = Disruption {
            class: Class::NodeReplacement,
            control_plane: true,
            pools: vec![
                rollout("general", Rollout::Replace, Count::exactly(3)),
                rollout("gpu", Rollout::Replace, Count { min: 0, max: 1 }),
            ],
            ..Disruption::default()
        };
        assert_eq!(
            line(&disruption, &cluster()).unwrap(),
            "control-plane rollout; nodes replaced: general (3 nodes, 1 more at a time, about 30 min), \
             gpu (0–1 node, 1 more at a time, about 30 min)"
        );
        let in_place = Disruption {
            class: Class::InPlace,
            ..Disruption::default()
        };
        assert_eq!(line(&in_place, &cluster()), None);
    }

    #[test]
    fn totals_are_one_line() {
        let all = Totals {
            clusters: 37,
            control_planes: 37,
            pools: 112,
            nodes: Count::exactly(804),
            minutes: Count::exactly(120),
            ..Totals::default()
        };
        assert_eq!(
            totals(&all).unwrap(),
            "Disruption: 37 clusters, 112 pools, 804 nodes replaced; 37 control planes roll; the slowest pool takes about 120 min"
        );
        assert_eq!(totals(&Totals::default()), None);
    }
}
