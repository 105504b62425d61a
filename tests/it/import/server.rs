//! The same on a real API server, with upstream's definitions and what kubectl leaves behind.

use serde_json::{Value, json};

use super::sandbox::{SECRET, three};
use super::{of_others, rendered};
use crate::cli::Workplace;
use crate::support::ApiServer;

#[test]
fn what_kubectl_made_is_imported_and_adopted_without_a_change_of_its_spec() {
    let Some(server) = ApiServer::start() else { return };
    let login = server.login();
    login.kubectl(&["create", "namespace", "clusters"]);
    for cluster in three().clusters.values() {
        for name in ["pull-secret", "ssh-key"] {
            let metadata = json!({"namespace": cluster.namespace, "name": format!("{}-{name}", cluster.name)});
            let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"key": SECRET}});
            login.kubectl_in(&["create", "-f", "-"], &secret.to_string());
        }
    }
    for object in of_others(&rendered(&three())) {
        login.kubectl_in(&["apply", "-f", "-"], &object.to_string());
    }
    let specs = || -> Vec<Value> {
        let all = login.get(&["hostedclusters,nodepools", "--namespace", "clusters"]);
        let items = all["items"].as_array().expect("a list").clone();
        items.into_iter().map(|mut object| object["spec"].take()).collect()
    };
    let before = specs();
    assert_eq!(before.len(), 9);

    let place = Workplace::new(&[]);
    let kubeconfig = login.kubeconfig.to_str().expect("a path in UTF-8");
    let on = ["--kubeconfig", kubeconfig];
    let mark = login.mark();
    let from = [
        "import",
        "-o",
        "fleet",
        "--context",
        "test",
        "--region",
        "eu-frankfurt-1",
    ];
    let ran = place.run(&[&from[..], &on].concat()).exits(0);
    // Of all that the server fills in nothing is taken for something that somebody wanted.
    assert_eq!(ran.stderr.matches("kept as a patch").count(), 1, "{}", ran.stderr);
    for (verb, path) in login.requests_since(mark) {
        assert!(verb == "get" || verb == "list", "{verb} {path}");
        assert!(!path.contains("/secrets"), "{path}");
    }
    let run = |args: &[&str]| place.run(&[args, &["--fleet", "fleet"], &on].concat());
    run(&["plan", "--detailed-exitcode"]).exits(3);
    run(&["apply", "--yes", "--adopt"]).exits(0);
    assert_eq!(specs(), before);
    run(&["plan", "--detailed-exitcode"]).exits(0);
}
