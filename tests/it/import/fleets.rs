//! Fleets drawn at random, as the loader would resolve them.

use std::collections::BTreeMap;

use fleetwright::fleet::model::{Cluster, Dialect, ExistingNetwork, Fleet, NetworkSource, NodePool, Scale, Taint};
use fleetwright::resource::{NodePoolName, OciId, Ocid};
use proptest::prelude::*;
use serde_json::json;

use crate::render_fixture::{cluster, fleet, gpu_pool, hosted, pool, release, routes};

/// What one pool is drawn from: a form, numbers for its size, and one for what is odd about it.
type PoolDraw = (u8, u32, u8);

/// A fleet whose clusters are of one dialect, with what two of them have alike and what they have not.
pub(super) fn fleets() -> impl Strategy<Value = Fleet> {
    let pools = prop::collection::vec((0u8..6, 0u32..5, 0u8..8), 0..4);
    let clusters = prop::collection::vec((any::<u64>(), pools), 1..6);
    let dialect = prop::sample::select(vec![Dialect::Oci, Dialect::None, Dialect::Agent]);
    (dialect, clusters).prop_map(|(dialect, draws)| {
        let clusters = draws.iter().enumerate();
        let mut fleet = fleet(clusters.map(|(number, (draw, pools))| drawn(number, *draw, pools, dialect)));
        for management in fleet.management_clusters.values_mut() {
            management.dialect = dialect;
        }
        fleet
    })
}

/// One cluster: each choice takes its bits off the draw.
fn drawn(number: usize, mut draw: u64, pools: &[PoolDraw], dialect: Dialect) -> Cluster {
    let mut choose = |of: u64| {
        let chosen = draw % of;
        draw /= of;
        chosen
    };
    let name = format!("c{number}");
    let mut cluster = cluster(&name, dialect);
    if choose(3) == 0 {
        cluster.namespace = "clusters".to_owned();
    }
    cluster.network.host_prefix = [Some(23), Some(24), None][choose(3) as usize];
    if choose(3) == 0 {
        cluster.network.cluster = vec!["10.128.0.0/14".parse().unwrap(), "fd01::/48".parse().unwrap()];
    }
    if choose(3) == 0 {
        cluster.network.machine = Vec::new();
    }
    if choose(3) == 0 {
        let ocid = |kind: &str| OciId::Known(Ocid::new(format!("ocid1.{kind}.oc1.eu-frankfurt-1.bbbb{number}")));
        cluster.network.source = NetworkSource::Existing(ExistingNetwork {
            vcn: Some(ocid("vcn")),
            endpoint_subnet: None,
            worker_subnet: Some(ocid("subnet")),
        });
    }
    if choose(2) == 0 {
        cluster.labels = BTreeMap::from([("team".to_owned(), format!("t{}", choose(3)))]);
    }
    if choose(2) == 0 {
        cluster.annotations = BTreeMap::new();
    }
    let it = hosted(&mut cluster);
    it.release = [release("4.20.3"), release("4.19.12"), release("4.20.0-rc.1")][choose(3) as usize].clone();
    it.channel = [Some("stable-4.20"), Some("fast-4.20"), None][choose(3) as usize].map(str::to_owned);
    it.infra_id = [format!("{name}-x1y2z"), "made-by-hand".to_owned()][choose(2) as usize].clone();
    it.fips = choose(2) == 0;
    let availability = ["HighlyAvailable", "SingleReplica"];
    it.controller_availability = availability[choose(2) as usize].to_owned();
    it.infrastructure_availability = availability[choose(2) as usize].to_owned();
    it.etcd.size = ["8Gi", "16Gi", "1.5Gi"][choose(3) as usize].to_owned();
    it.etcd.storage_class = [Some("oci-bv".to_owned()), None][choose(2) as usize].clone();
    it.endpoint_access = ["Private", "PublicAndPrivate"][choose(2) as usize].to_owned();
    match choose(4) {
        0 => it.services = routes(&name),
        1 => it.services[2].port = Some(31234),
        2 => it.services[0].strategy = "LoadBalancer".to_owned(),
        _ => {}
    }
    if choose(2) == 0 {
        it.ssh_key = None;
    }
    if choose(2) == 0 {
        it.encryption_key = None;
    }
    it.hosted_cluster_patch = [
        json!({}),
        json!({"autoscaling": {"maxNodesTotal": 9, "scaling": "ScaleUpOnly"}}),
        json!({"configuration": {"proxy": {"httpProxy": "http://proxy.example:3128", "noProxy": "a, b: c # d"}}, "dns": {"publicZoneID": "z"}}),
        json!({"olmCatalogPlacement": "guest", "issuerURL": null, "pausedUntil": "true"}),
    ][choose(4) as usize]
        .clone();
    it.node_pools = pools
        .iter()
        .enumerate()
        .map(|(number, draw)| {
            let pool = drawn_pool(&name, number, *draw);
            (pool.name.clone(), pool)
        })
        .collect();
    cluster
}

fn drawn_pool(cluster: &str, number: usize, (form, size, odd): PoolDraw) -> NodePool {
    let name = format!("{}{number}", ["general", "gpu", "small"][form as usize % 3]);
    let mut pool = match form % 3 {
        0 => pool(cluster, &name),
        1 => NodePool {
            name: NodePoolName::new(&name),
            object_name: format!("{cluster}-{name}"),
            ..gpu_pool(cluster)
        },
        _ => NodePool {
            ocpus: Some(2),
            memory_gbs: Some(16),
            auto_repair: false,
            ..pool(cluster, &name)
        },
    };
    pool.scale = match size {
        0 => Scale::Autoscale { min: 2, max: 9 },
        _ => Scale::Replicas(size),
    };
    match odd {
        0 => pool.object_name = format!("{name}-of-{cluster}"),
        1 => pool.subnet = Some(Ocid::new("ocid1.subnet.oc1.eu-frankfurt-1.cccc")),
        2 => pool.release = release("4.19.12"),
        3 => pool.node_pool_patch = json!({"pausedUntil": "true", "nodeLabels": {"not a": "label"}}),
        4 => {
            pool.taints = vec![Taint {
                key: "odd".to_owned(),
                value: None,
                effect: "NoExecute".to_owned(),
            }];
        }
        5 => pool.drain_timeout = Some("90s".to_owned()),
        _ => {}
    }
    pool
}
