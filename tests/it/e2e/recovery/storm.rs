//! OCI answers everything by 429 for a while.

use std::collections::BTreeMap;
use std::time::Instant;

use fleetwright::ops::{self, LoadOptions, ServeOptions, Served};
use fleetwright::sandbox::Options;

use super::{SELDOM, in_sync, wish};
use crate::e2e::Stage;
use crate::e2e::daemon::{Daemon, has_replicas};
use crate::e2e::wait::until;
use crate::support::{Behind, Gate};

const COMPARTMENTS: &str = "  compartments: {clusters: ocid1.compartment.oc1..aaaaaaaaclusters}
  addresses: {pools: {us-ashburn-1: 10.16.0.0/12}, perCluster: 20}";

const NETWORK: &str = "kind: Network
metadata: {name: alone}
spec:
  region: us-ashburn-1
  tenancy: ocid1.tenancy.oc1..aaaaaaaaacme
  compartment: clusters
  preset: self-managed
";

/// Calls a second, and at once.
const RATE: f64 = 20.0;
const BURST: f64 = 5.0;

/// A fleet of a cluster, and of a network that the cluster has nothing to do with.
pub(super) fn stage(name: &str) -> Option<Stage> {
    let stage = Stage::of(name, COMPARTMENTS, &[name])?;
    stage.place.write("network.yaml", NETWORK);
    stage.place.run(&["lock"]).exits(0);
    Some(stage)
}

/// Serves OCI for a stage's fleet.
pub(super) fn serve(stage: &Stage, runtime: &tokio::runtime::Runtime) -> Served {
    let now = jiff::Timestamp::now();
    let loaded = ops::load(&LoadOptions {
        directory: stage.place.fleet(),
        locked: true,
        now,
    });
    let loaded = loaded.expect("the fleet");
    assert!(!loaded.has_errors(), "{:#?}", loaded.diagnostics);
    let options = ServeOptions {
        directory: stage.place.path().join("box"),
        sandbox: Options {
            speed: 2000.0,
            ..Options::new(now)
        },
        kube_port: 0,
        oci_port: 0,
    };
    runtime
        .block_on(ops::serve_sandbox(&options, Some(&loaded)))
        .expect("a sandbox")
}

/// What was made in OCI, and how often, by kind and name.
fn made(served: &Served) -> BTreeMap<(&'static str, String), usize> {
    let mut made = BTreeMap::new();
    let own = &served.sandbox.identity().principal().user;
    for write in served.sandbox.oci().writes() {
        if write.principal.user == *own && write.operation.starts_with("Create") {
            *made.entry((write.kind, write.display_name)).or_default() += 1;
        }
    }
    made
}

/// Calls that the budget lets through at once in a region, as they are measured.
fn budget_left(metrics: &str, region: &str) -> Option<f64> {
    let label = format!("region=\"{region}\"");
    let mut lines = metrics.lines();
    let line = lines.find(|line| line.starts_with("fleetwright_oci_budget_left{") && line.contains(&label))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn while_oci_refuses_everything_kubernetes_is_kept_up_and_after_it_all_is_made_and_nothing_twice() {
    let Some(stage) = stage("stormy") else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let served = serve(&stage, &runtime);
    let port = served.oci_url.rsplit(':').next().and_then(|port| port.parse().ok());
    let gate = Gate::before(port.expect("a port"));
    gate.put(Behind::Busy(1));

    let endpoint = format!("http://127.0.0.1:{}/regions/{{region}}", gate.port());
    let config = served.oci_config.to_str().expect("a path of text");
    let calls = format!("{RATE}/{BURST}");
    let oci = [
        "--oci-config",
        config,
        "--oci-endpoint",
        &endpoint,
        "--oci-calls",
        &calls,
    ];
    let begun = Instant::now();
    let mut daemon = Daemon::start(&stage, &[&SELDOM[..], &oci].concat());
    // The network is not known to be there or not; the cluster has nothing to do with it.
    in_sync(&stage, &mut daemon);
    assert!(gate.refused() > 0, "the storm is on");
    wish(&stage, 5, 3);
    has_replicas(&stage, "stormy-a", 5);
    stage.kubectl("stormy", &["scale", "nodepool", "stormy-b", "--replicas=9"]);
    has_replicas(&stage, "stormy-b", 3);
    assert!(!daemon.has_said(&["network alone"]), "nobody waited for the network");
    let most = begun.elapsed().as_secs_f64() * RATE + BURST;
    let refused = gate.refused();
    assert!(
        (refused as f64) <= most,
        "{refused} calls, and no more than {most} may be"
    );
    daemon.says(&["OCI refuses calls as too many"]);
    daemon.says(&["looked at", "network alone", "429"]);
    assert_eq!(
        made(&served),
        BTreeMap::new(),
        "what is not known to be absent is not made"
    );
    let throttled = r#"hypershift_oci_api_calls_total{operation="ListVcns",result="throttled",code="429"} "#;
    let metrics = daemon.get("/metrics").1;
    assert!(metrics.lines().any(|line| line.starts_with(throttled)), "{metrics}");

    // It is over, comes again in the midst of the work, which breaks connections off too, and is over for good.
    for some in [1, 4] {
        gate.put(Behind::Server);
        until("some of it is made", || (made(&served).len() >= some).then_some(()));
        let before = gate.refused();
        gate.put(Behind::Busy(1));
        until("it meets the storm", || (gate.refused() > before).then_some(()));
    }
    gate.put(Behind::Server);
    daemon.says(&["looked at", "network alone", "in sync"]);
    // At whatever moment, also while connections begin anew.
    let left = budget_left(&daemon.get("/metrics").1, "us-ashburn-1").expect("the budget is measured");
    assert!((0.0..=BURST).contains(&left), "{left} calls");
    let made = made(&served);
    assert!(made.len() > 4, "{made:?}");
    assert!(made.values().all(|times| *times == 1), "{made:?}");
    daemon.ends();
    runtime.block_on(served.end()).expect("its end");
}
