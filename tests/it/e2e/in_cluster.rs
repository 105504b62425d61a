//! In a pod, without a kubeconfig: the service account that the pod was given.

use super::Stage;

#[test]
fn a_pod_needs_no_kubeconfig() {
    let Some(stage) = Stage::new("pod") else { return };
    let account = stage.place.path().join("serviceaccount");
    std::fs::create_dir(&account).expect("a folder");
    std::fs::write(account.join("token"), &stage.login.token).expect("a token");
    std::fs::copy(&stage.login.authority, account.join("ca.crt")).expect("a certificate");
    let port = stage.login.url.rsplit_once(':').expect("a port").1;
    let run = |args: &[&str]| {
        let output = stage
            .place
            .command(args)
            .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .env("KUBERNETES_SERVICE_PORT", port)
            .env("FLEETWRIGHT_SERVICE_ACCOUNT", &account)
            .output()
            .expect("a run");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, said) = run(&["apply", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    // The same server, by the kubeconfig.
    stage.is_settled();

    // Who names a kubeconfig or a context means that.
    let (code, said) = run(&["plan", "--context", "test"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("the kubeconfig gives no access by context `test`"),
        "{said}"
    );
    let (code, said) = run(&["plan", "--kubeconfig", "no-such-file"]);
    assert_eq!(code, Some(1), "{said}");

    // The token is read anew, and is in no error.
    std::fs::remove_file(account.join("token")).expect("a token");
    let (code, said) = run(&["plan"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(!said.contains(&stage.login.token), "{said}");

    stage.place.write(
        "second.yaml",
        "kind: ManagementCluster\nmetadata: {name: n}\nspec: {region: us-ashburn-1, dialect: none, nodePortAddress: api.n.example}\n",
    );
    let (code, said) = run(&["plan"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("only one of these can be meant: m, n"), "{said}");
}
