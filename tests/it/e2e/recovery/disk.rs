//! The disk that the daemon keeps its copies on is full.
//!
//! Once it is a small one in memory, mounted in a namespace of the daemon's own, for which the kernel has to let users have
//! namespaces; once it is the most that the process may write to a file, which is everybody's to set.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::{SELDOM, in_sync, measures, wish};
use crate::e2e::Stage;
use crate::e2e::daemon::{Daemon, commit, has_replicas};
use crate::e2e::wait::until;
use crate::support::skip;

/// Mounts a disk where the cache is, fills it, and begins.
const ON_A_SMALL_DISK: [&str; 5] = [
    "unshare",
    "-rm",
    "sh",
    "-c",
    r#"mount -t tmpfs -o size=24m none "$1" || exit 1
cat /dev/zero >"$1/filler" 2>/dev/null
shift
exec "$@""#,
];

/// Begins where nothing can be written; what goes too far is told so, and not killed.
const WITH_A_LIMIT: [&str; 3] = [
    "sh",
    "-c",
    r#"trap "" XFSZ
ulimit -S -f 0
shift
exec "$@""#,
];

/// A daemon's arguments and environment behind those of a program that makes things small for it.
fn within(stage: &Stage, wrapper: &[&str], args: &[&str]) -> Command {
    let plain = stage.place.command(&stage.args(args));
    let mut command = Command::new(wrapper[0]);
    command
        .args(&wrapper[1..])
        .arg("begin")
        .arg(cache(stage))
        .arg(plain.get_program())
        .args(plain.get_args())
        .env_clear()
        .stdin(Stdio::null())
        .current_dir(stage.place.path());
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

fn cache(stage: &Stage) -> PathBuf {
    stage.place.path().join(".cache")
}

/// Runs a daemon whose disk is full at first, then has room, is full again while there is a commit, and has room for good.
fn survives(stage: &Stage, wrapper: &[&str], error: &str, fill: impl Fn(&Daemon), make_room: impl Fn(&Daemon)) {
    let first = commit(stage, "first");
    let url = format!("file://{}", stage.place.fleet().display());
    std::fs::create_dir_all(cache(stage)).expect("a directory");
    let args = [
        "daemon",
        "--listen",
        "127.0.0.1:0",
        "--verbose",
        "--poll",
        "1s",
        "--git",
        &url,
    ];
    let mut daemon = Daemon::run(within(stage, wrapper, &[&args[..], &SELDOM].concat()));
    daemon.says(&["does not come into force", error]);
    assert_eq!(daemon.get("/readyz").0, 503);
    make_room(&daemon);
    in_sync(stage, &mut daemon);
    until("it is ready", || (daemon.get("/readyz").0 == 200).then_some(()));

    fill(&daemon);
    wish(stage, 5, 3);
    let second = commit(stage, "second");
    let said = daemon.says(&["does not come into force", error]);
    assert!(said.contains("the cache") && !said.contains("damaged"), "{said}");
    assert_eq!(daemon.status()["revision"], first.to_string());
    assert!(measures(&daemon, "fleetwright_source_refused 1"));
    assert_eq!((daemon.get("/livez").0, daemon.get("/readyz").0), (200, 200));
    let (a, b) = (format!("{}-a", stage.name), format!("{}-b", stage.name));
    stage.kubectl(&stage.name, &["scale", "nodepool", &b, "--replicas=9"]);
    has_replicas(stage, &b, 3);
    has_replicas(stage, &a, 2);

    make_room(&daemon);
    daemon.says(&["in force", &second.to_string()]);
    has_replicas(stage, &a, 5);
    assert!(daemon.status()["sourceError"].is_null());
    let said = daemon.ends();
    assert!(!said.contains("is made anew"), "the copy was not to blame:\n{said}");
}

/// Whether a disk can be mounted here.
fn can_mount() -> Option<()> {
    let tried = Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "none", "/tmp"])
        .output();
    match tried {
        Ok(output) if output.status.success() => Some(()),
        Ok(output) => skip(&format!(
            "no disk can be mounted: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
        Err(error) => skip(&format!("there is no `unshare`: {error}")),
    }
}

#[test]
fn on_a_full_disk_what_is_in_force_is_kept_to_and_once_there_is_room_it_goes_on() {
    let (Some(()), Some(stage)) = (can_mount(), Stage::new("full")) else {
        return;
    };
    // The disk as the daemon sees it.
    let filler = |daemon: &Daemon| {
        let root = PathBuf::from(format!("/proc/{}/root", daemon.id()));
        let cache = cache(&stage);
        root.join(cache.strip_prefix("/").expect("an absolute path"))
            .join("filler")
    };
    let fill = |daemon: &Daemon| {
        let mut file = File::create(filler(daemon)).expect("a file");
        while file.write_all(&[1; 4096]).is_ok() {}
    };
    let make_room = |daemon: &Daemon| std::fs::remove_file(filler(daemon)).expect("it is there");
    survives(&stage, &ON_A_SMALL_DISK, "No space left on device", fill, make_room);
}

#[test]
fn where_nothing_can_be_written_what_is_in_force_is_kept_to_until_something_can() {
    let Some(stage) = Stage::new("limited") else { return };
    let limit = |daemon: &Daemon, soft: &str| {
        let (pid, size) = (daemon.id().to_string(), format!("--fsize={soft}:"));
        let set = Command::new("prlimit").args(["--pid", &pid, &size]).status();
        assert!(set.expect("prlimit").success());
    };
    let fill = |daemon: &Daemon| limit(daemon, "0");
    let make_room = |daemon: &Daemon| limit(daemon, "unlimited");
    survives(&stage, &WITH_A_LIMIT, "File too large", fill, make_room);
}
