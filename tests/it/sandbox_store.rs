//! What a sandbox keeps when its process is killed, and who may open it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use fleetwright::sandbox::store::disk::Disk;
use fleetwright::sandbox::store::{Store as _, Write};

use crate::cli::Workplace;

/// Tells a child where to write.
const PLACE: &str = "FLEETWRIGHT_TEST_STORE";

fn pair(n: u64) -> Vec<Write> {
    let row = |table: &str| Write {
        table: table.to_owned(),
        key: format!("{n:08}"),
        value: Some(n.to_string()),
    };
    vec![row("kubernetes/m"), row("oci/vcn")]
}

#[test]
#[ignore = "the child of another test, which kills it"]
fn writes_until_it_is_killed() {
    let place = std::env::var_os(PLACE).expect("the parent to say where");
    let disk = Disk::open(Path::new(&place)).expect("a store");
    let mut stdout = std::io::stdout();
    for n in 0.. {
        disk.write(pair(n));
        if n % 100 == 99 {
            disk.flush().expect("the disk to be written");
            writeln!(stdout, "\nkept {n}").expect("somebody to read");
            stdout.flush().expect("somebody to read");
        }
    }
}

#[test]
fn after_a_kill_the_file_holds_whole_writes_up_to_some_moment() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("state");
    let mut child = Command::new(std::env::current_exe().expect("a path"))
        .args([
            "sandbox_store::writes_until_it_is_killed",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(PLACE, &path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let lines = BufReader::new(child.stdout.take().expect("its stdout")).lines();
    let kept: u64 = lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("kept ")?.parse().ok())
        .nth(4)
        .expect("the child to write");
    child.kill().expect("the child to be killed");
    child.wait().expect("its end");

    let disk = Disk::open(&path).expect("what is left to be a store");
    let rows = |table: &str| -> Vec<String> {
        let rows = disk.load(table).expect("rows");
        rows.into_iter().map(|(_, key, _)| key).collect()
    };
    let kubernetes = rows("kubernetes/");
    assert!(kubernetes.len() as u64 > kept, "{} of {kept}", kubernetes.len());
    let whole: Vec<String> = (0..kubernetes.len()).map(|n| format!("{n:08}")).collect();
    assert_eq!(kubernetes, whole);
    assert_eq!(rows("oci/"), whole);
}

#[test]
fn a_second_process_is_told_what_to_do_instead() {
    let place = Workplace::new(&[]);
    let directory = place.path().join("box");
    std::fs::create_dir(&directory).expect("a directory");
    let disk = Disk::open(&directory.join("state.redb")).expect("a store");
    let ran = place.run(&["sandbox", "--dir", "box"]).exits(1);
    assert!(
        ran.stderr.contains("another process has the sandbox in box open"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("box/kubeconfig"), "{}", ran.stderr);
    drop(disk);
}
