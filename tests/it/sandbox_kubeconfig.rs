//! `kubeconfig`, on the sandbox: printed, put into a file, and refused where there is none.

use crate::cli::Workplace;
use crate::fleet_support::repository;

const SANDBOX: [&str; 4] = ["--sandbox", "state", "--fleet", "fleet"];

fn run(place: &Workplace, words: &[&str]) -> crate::cli::Ran {
    place.run(&[words, &SANDBOX].concat())
}

#[test]
fn the_kubeconfig_of_a_cluster_is_printed_and_put_into_a_file() {
    let place = Workplace::copy_of(&repository("fleet"));
    let early = run(&place, &["kubeconfig", "ledger"]).exits(1);
    assert!(early.stderr.contains("has it been applied?"), "{}", early.stderr);
    run(&place, &["apply", "--yes", "--wait"]).exits(0);

    let printed = run(&place, &["kubeconfig", "ledger"]).exits(0).stdout;
    assert!(printed.contains("current-context: ledger"), "{printed}");
    assert!(printed.contains("server: https://"), "{printed}");

    let merge = ["kubeconfig", "ledger", "--merge=own/config"];
    let merged = run(&place, &merge).exits(0);
    assert_eq!(merged.stdout, "");
    assert!(!merged.stderr.contains("token"), "{}", merged.stderr);
    let file = place.path().join("own/config");
    let text = std::fs::read_to_string(&file).expect("the file");
    assert!(text.contains("name: ledger"), "{text}");

    // Another cluster beside it; under a name that is taken it is refused, and nothing of the file changes.
    run(&place, &["kubeconfig", "search", "--merge=own/config"]).exits(0);
    let both = std::fs::read_to_string(&file).expect("the file");
    assert!(both.contains("name: ledger") && both.contains("name: search"), "{both}");
    let taken = ["kubeconfig", "search", "--name", "ledger", "--merge=own/config"];
    let refused = run(&place, &taken).exits(1);
    assert!(refused.stderr.contains("--overwrite"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), both);

    let unknown = run(&place, &["kubeconfig", "nobody"]).exits(1);
    assert!(unknown.stderr.contains("no cluster `nobody`"), "{}", unknown.stderr);
}
