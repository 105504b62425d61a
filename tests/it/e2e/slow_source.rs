//! A repository whose server does not answer: the fleet is kept as it was last known, and nobody waits for that server.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fleetwright::daemon::{self, Directory, Options, Pace, Source, SourceFailure, State, Telemetry};
use fleetwright::fleet::model::DriftAction;
use fleetwright::ops::{Access, LoadedFleet};
use fleetwright::resource::Revision;
use tokio_util::sync::CancellationToken;

use super::Stage;
use super::daemon::has_replicas;

/// A directory that answers once, and then not before the other end of a channel is gone.
struct Stalls {
    directory: Directory,
    asked: Sender<()>,
    gate: Mutex<(bool, Receiver<()>)>,
}

impl Source for Stalls {
    fn look(&self) -> Result<Revision, SourceFailure> {
        let mut gate = self.gate.lock().expect("no panic");
        if gate.0 {
            self.asked.send(()).ok();
            gate.1.recv().ok();
        }
        gate.0 = true;
        self.directory.look()
    }

    fn load(&self, earlier: Option<&LoadedFleet>) -> Result<LoadedFleet, SourceFailure> {
        self.directory.load(earlier)
    }

    fn took(&self) -> Result<(), SourceFailure> {
        Ok(())
    }
}

#[test]
fn drift_is_mended_and_the_daemon_ends_while_the_source_does_not_answer() {
    let Some(stage) = Stage::new("stalled") else { return };
    let (asked, is_asked) = channel();
    let (open, gate) = channel();
    let source = Stalls {
        directory: Directory {
            path: stage.place.fleet(),
        },
        asked,
        gate: Mutex::new((false, gate)),
    };
    let options = Options {
        source: Arc::new(source),
        access: Access {
            kubeconfigs: vec![stage.login.kubeconfig.clone()],
            ..Access::default()
        },
        poll: Duration::from_millis(50),
        pace: Pace::default(),
        drift: DriftAction::Correct,
        provider: None,
        management_clusters: Vec::new(),
        holder: None,
        concurrency: 8,
        board: Arc::default(),
        bell: Arc::default(),
        telemetry: Arc::new(Telemetry::default()),
    };
    let board = options.board.clone();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let stop = CancellationToken::new();
    let daemon = runtime.spawn(daemon::run(options, stop.clone()));
    is_asked.recv().expect("a second look");
    let is_in_sync = || {
        let report = board.report();
        let unit = report.units.get("cluster stalled");
        unit.is_some_and(|unit| unit.state == Some(State::InSync))
    };
    let settled = async {
        while !is_in_sync() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let in_time = async { tokio::time::timeout(Duration::from_secs(120), settled).await };
    runtime.block_on(in_time).expect("the first revision is applied");

    stage.kubectl("stalled", &["scale", "nodepool", "stalled-b", "--replicas=9"]);
    has_replicas(&stage, "stalled-b", 3);
    stop.cancel();
    let ended = async { tokio::time::timeout(Duration::from_secs(60), daemon).await };
    runtime.block_on(ended).expect("an end in time").expect("no panic");
    // The look is under way still: nobody has opened the gate.
    assert!(is_asked.try_recv().is_err(), "a look ended");
    drop(open);
}
