//! Nothing is made under ids that no lock keeps.

use crate::cli::Workplace;

#[test]
fn without_a_lock_that_is_up_to_date_nothing_is_made() {
    let place = Workplace::new(&[]);
    let in_sandbox = |args: &[&str]| place.run(&[args, &["--fleet", "my-fleet", "--sandbox", "box"]].concat());
    place.run(&["init", "my-fleet"]).exits(0);
    let ran = in_sandbox(&["apply", "--yes"]).exits(1);
    assert!(ran.stderr.contains("fleet.lock is not up to date"), "{}", ran.stderr);
    assert!(ran.stderr.contains("run `fleetwright lock`"), "{}", ran.stderr);
    let ran = in_sandbox(&["plan"]).exits(0);
    assert!(ran.stdout.contains("4 to create"), "{}", ran.stdout);

    place.run(&["lock", "--fleet", "my-fleet"]).exits(0);
    in_sandbox(&["apply", "--yes"]).exits(0);
    let ran = in_sandbox(&["plan"]).exits(0);
    assert!(ran.stdout.starts_with("Nothing to do"), "{}", ran.stdout);
}
