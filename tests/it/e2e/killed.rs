//! Whoever works is killed in the midst of it, again and again: nothing is made or changed twice.

use std::collections::BTreeMap;

use serde_json::Value;

use super::lease::{Replica, STANDBY, draw, holder, lease, wish};
use super::wait::{pass, until};
use super::{Stage, list, text};

/// Clusters that each commit changes besides the one that is looked at closely: whoever is killed is in the midst of them.
const BESIDE: usize = 20;

/// How often the one that works is killed: ten times, or as often as `FLEETWRIGHT_KILLS` says.
fn kills() -> usize {
    let told = std::env::var_os("FLEETWRIGHT_KILLS");
    told.map_or(10, |text| text.to_string_lossy().parse().expect("a number"))
}

/// The pool `a` of each cluster, by its name.
fn first_pools(stage: &Stage) -> BTreeMap<String, Value> {
    let label = format!("fleetwright.dev/fleet={}", stage.name);
    let pools = stage.login.get(&["nodepools", "--all-namespaces", "-l", &label]);
    let named = list(&pools["items"])
        .iter()
        .map(|pool| (text(&pool["metadata"]["name"]), pool.clone()));
    named.filter(|(name, _)| name.ends_with("-a")).collect()
}

#[test]
fn whoever_works_is_killed_again_and_again_and_nothing_is_made_or_changed_twice() {
    let names: Vec<String> = (0..BESIDE).map(|number| format!("killed-{number:02}")).collect();
    let all: Vec<&str> = std::iter::once("killed")
        .chain(names.iter().map(String::as_str))
        .collect();
    let Some(stage) = Stage::of("killed", "", &all) else {
        return;
    };
    let mut pools = Vec::new();
    all.iter().for_each(|cluster| wish(&stage, cluster, 2, &[]));
    let mut replicas = [
        Replica::start(&stage, "first", &STANDBY),
        Replica::start(&stage, "second", &STANDBY),
    ];
    let have = |replicas: usize| {
        until("all clusters have their nodes", || {
            let pools = first_pools(&stage);
            let have = |pool: &Value| pool["spec"]["replicas"] == replicas;
            (pools.len() == all.len() && pools.values().all(have)).then_some(pools)
        })
    };
    let begun = have(2);
    let mut uids = stage.uids("killed");
    let (rounds, mut seed) = (kills(), 7);
    let mut took = Vec::new();
    for round in 0..rounds {
        let working = until("one of them works", || {
            let holder = holder(&stage);
            replicas.iter().position(|replica| holder.starts_with(replica.name))
        });
        if round % 3 == 0 {
            pools.push(format!("p{round}: {{profile: general}}"));
        }
        // Work on every cluster, in one commit or the few that a directory is seen in.
        names.iter().for_each(|cluster| wish(&stage, cluster, 100 + round, &[]));
        wish(&stage, "killed", 100 + round, &pools);
        // Anywhere from before the commit is seen until after all of it is applied.
        pass(draw(&mut seed, 1500));
        let name = replicas[working].name;
        let killed = jiff::Timestamp::now();
        replicas[working].signal("-KILL");
        replicas[1 - working].says(&["Leads"]);
        let (_, acquired, _) = lease(&stage).expect("a lease");
        took.push(acquired.duration_since(killed).as_millis());
        replicas[working] = Replica::start(&stage, name, &STANDBY);
        let now = have(100 + round);
        // Each commit changes a pool once: a second change would be of one who did not know of the first.
        for (name, pool) in &now {
            let made = |pool: &Value| (pool["metadata"]["uid"].clone(), pool["metadata"]["generation"].as_u64());
            let ((uid, first), (uid_now, last)) = (made(&begun[name]), made(pool));
            assert_eq!(
                (uid_now, last),
                (uid, first.map(|first| first + round as u64 + 1)),
                "{name}, round {round}"
            );
        }
        // The last of the round's objects, too.
        for pool in &pools {
            let pool = format!("killed-{}", pool.split(':').next().expect("a name"));
            stage.kubectl("killed", &["wait", "nodepool", &pool, "--for=create", "--timeout=120s"]);
        }
        let now = stage.uids("killed");
        for (object, uid) in &uids {
            assert_eq!(now.get(object), Some(uid), "{object} was made again");
        }
        uids = now;
    }
    took.sort_unstable();
    let (half, most) = (took[took.len() / 2], took[took.len() - 1]);
    println!(
        "from a kill to the next holder of a Lease of 1 s: {half} ms in half of {rounds} kills, {most} ms at most"
    );
    replicas.into_iter().for_each(Replica::ends);
    stage.is_settled();
    assert_eq!(holder(&stage), "", "released");
}
