//! The four ways of coming by a key, and what happens when it changes.

use std::path::Path;
use std::sync::{Arc, Mutex};

use fleetwright::providers::oci::client::Client;
use fleetwright::providers::oci::credentials::config_file::ConfigFile;
use fleetwright::providers::oci::credentials::instance::{InstanceOptions, InstancePrincipal};
use fleetwright::providers::oci::credentials::secret::{Data, Read, SecretKey};
use fleetwright::providers::oci::credentials::workload::{WorkloadIdentity, WorkloadOptions};
use fleetwright::providers::oci::credentials::{Credentials, Secret};
use http::Method;

use super::cloud::{Cloud, Server, certificate, https, jwt};
use super::verify::public_der;
use super::{Failure, KEY_A, KEY_B, TENANCY, call, chain, key, key_id};

async fn get(client: &Client) -> Result<(), String> {
    client
        .call(call(Method::GET, "/vcns"))
        .await
        .map(drop)
        .map_err(|error| chain(&error))
}

fn config(pem: &str, key_file: &str) -> String {
    format!(
        "# a comment\n[DEFAULT]\nuser = ocid1.user.oc1..u\nfingerprint={}\ntenancy={TENANCY}\nregion=eu-frankfurt-1\n\
         key_file={key_file}\n",
        key(pem).fingerprint()
    )
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file");
}

#[tokio::test]
async fn a_config_file_is_read_again_when_it_changes() {
    let (cloud, server) = Cloud::start().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    write(place, "key.pem", KEY_A);
    write(place, "config", &config(KEY_A, "~/key.pem"));
    let file = ConfigFile::new(place.join("config"), "DEFAULT", Some(place.to_owned()), cloud.now());
    assert_eq!(
        file.region().await.expect("a region").as_deref(),
        Some("eu-frankfurt-1")
    );
    let client = cloud.client(&server, Arc::new(file));
    let first = cloud.state.lock().unwrap().know_only("u", KEY_A);
    get(&client).await.expect("the first key");

    // Both files change; the service no longer knows the first key.
    let second = cloud.state.lock().unwrap().know_only("u", KEY_B);
    write(place, "new.pem", include_str!("keys/b.pkcs8.pem"));
    write(place, "config", &config(KEY_B, "new.pem"));
    get(&client).await.expect("the second key");
    assert_eq!(cloud.state.lock().unwrap().let_in, [first, second]);

    // The key alone changes: its fingerprint is the other's.
    write(place, "new.pem", &format!("{KEY_A}\n"));
    let error = get(&client).await.expect_err("half of a change");
    assert!(error.contains("`fingerprint` is not that of the key"), "{error}");
    std::fs::remove_file(place.join("new.pem")).unwrap();
    let error = get(&client).await.expect_err("no key");
    assert!(error.contains("new.pem can't be read"), "{error}");
}

#[tokio::test]
async fn a_profile_is_whole_or_an_error() {
    let (cloud, _server) = Cloud::start().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    write(place, "key.pem", KEY_A);
    write(place, "encrypted.pem", include_str!("keys/a.pkcs1-aes256.pem"));
    let material = async |profile: &str, text: &str| {
        write(place, "config", text);
        let file = ConfigFile::new(place.join("config"), profile, None, cloud.now());
        file.get().await.map_err(|error| chain(&error))
    };
    let whole = config(KEY_A, "key.pem");
    let id = |user: &str| Secret::unremembered(key_id(user, &key(KEY_A)));
    assert_eq!(material("DEFAULT", &whole).await.unwrap().key_id, id("u"));
    let other = format!("{whole}[OTHER]\nuser=ocid1.user.oc1..v\nkey_file=encrypted.pem\npass_phrase=opensesame\n");
    assert_eq!(material("OTHER", &other).await.unwrap().key_id, id("v"));
    let wrong = other.replace("opensesame", "hunter2");
    let error = material("OTHER", &wrong).await.unwrap_err();
    assert!(error.contains("passphrase") && !error.contains("hunter2"), "{error}");
    for (part, text) in [
        ("user", whole.replace("ocid1.user.oc1..u", "")),
        ("tenancy", whole.replace("tenancy=", "other=")),
        ("fingerprint", whole.replace("fingerprint=", "other=")),
        ("key_file", whole.replace("key_file=key.pem", "")),
    ] {
        let error = material("DEFAULT", &text).await.unwrap_err();
        assert!(error.contains(&format!("lacks `{part}`")), "{error}");
    }
    let error = material("NONE", &whole).await.unwrap_err();
    assert!(error.contains("lacks `the profile`"), "{error}");
}

#[tokio::test]
async fn a_session_token_is_used_until_it_expires() {
    let (cloud, server) = Cloud::start().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let now = (cloud.now())().as_second();
    write(place, "key.pem", KEY_A);
    let token = |number| jwt(number, now, now + 3600);
    write(place, "token", &format!("{}\n", token(1)));
    let text = format!("[S]\ntenancy={TENANCY}\nkey_file=key.pem\nsecurity_token_file=token\n[T]\nuser=u\n");
    write(place, "config", &text);
    let client = cloud.client(
        &server,
        Arc::new(ConfigFile::new(place.join("config"), "S", None, cloud.now())),
    );
    for number in [1, 2] {
        // The second is written by whoever renews the session.
        let id = format!("ST${}", token(number));
        cloud.state.lock().unwrap().known = [(id, public_der(KEY_A))].into();
        write(
            place,
            "token",
            &format!("{}{}", token(number), "\n".repeat(number as usize)),
        );
        get(&client).await.expect("the token of the moment");
    }
    cloud.set_forward(4000);
    let error = get(&client).await.expect_err("expired");
    assert!(
        error.contains("session token has expired") && !error.contains("eyJ"),
        "{error}"
    );
    // Another profile does not inherit a session.
    let inherited = text.replace("[S]", "[DEFAULT]");
    write(place, "config", &inherited);
    let error = ConfigFile::new(place.join("config"), "T", None, cloud.now())
        .get()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("lacks `fingerprint`"), "{error}");
}

fn data(user: &str, pem: &str) -> Data {
    let fingerprint = key(pem).fingerprint();
    [
        ("tenancy", TENANCY),
        ("user", user),
        ("fingerprint", &fingerprint),
        ("key", pem),
        ("region", "eu-frankfurt-1"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Secret::unremembered(value)))
    .collect()
}

type Held = Arc<Mutex<Result<Data, &'static str>>>;

fn reader(held: &Held) -> Read {
    let held = held.clone();
    Arc::new(move || {
        let read: Result<Data, Failure> = held.lock().unwrap().clone().map_err(Failure::from);
        Box::pin(std::future::ready(read))
    })
}

#[tokio::test]
async fn a_secret_is_read_again_when_its_key_is_refused() {
    let (cloud, server) = Cloud::start().await;
    let held: Held = Arc::new(Mutex::new(Ok(data("ocid1.user.oc1..u", KEY_A))));
    let client = cloud.client(&server, Arc::new(SecretKey::new("tenants/blue", reader(&held))));
    let first = cloud.state.lock().unwrap().know_only("u", KEY_A);
    get(&client).await.expect("the first key");
    let second = cloud.state.lock().unwrap().know_only("v", KEY_B);
    *held.lock().unwrap() = Ok(data("ocid1.user.oc1..v", KEY_B));
    get(&client).await.expect("the second key");
    assert_eq!(cloud.state.lock().unwrap().let_in, [first, second]);
}

#[tokio::test(start_paused = true)]
async fn an_emptied_secret_is_an_error_and_an_unreadable_one_is_not() {
    let held: Held = Arc::new(Mutex::new(Err("no route")));
    let secret = SecretKey::new("tenants/blue", reader(&held));
    let later = || tokio::time::advance(std::time::Duration::from_secs(61));
    let error = secret.get().await.unwrap_err();
    assert_eq!(error.to_string(), "Secret tenants/blue can't be read");
    *held.lock().unwrap() = Ok(data("ocid1.user.oc1..u", KEY_A));
    let first = secret.get().await.expect("a key");
    *held.lock().unwrap() = Err("no route");
    later().await;
    assert_eq!(secret.get().await.expect("the one before"), first);
    for part in ["tenancy", "user", "fingerprint", "key"] {
        for value in [None, Some(" \n")] {
            let mut less = data("ocid1.user.oc1..u", KEY_A);
            less.remove(part);
            less.extend(value.map(|value| (part.to_owned(), Secret::unremembered(value))));
            *held.lock().unwrap() = Ok(less);
            later().await;
            let error = secret.get().await.unwrap_err();
            assert_eq!(error.to_string(), format!("Secret tenants/blue lacks `{part}`"));
        }
    }
    // What was emptied does not live on where the Secret can't be read later.
    *held.lock().unwrap() = Err("no route");
    later().await;
    assert!(secret.get().await.is_err());
    let mut encrypted = data("ocid1.user.oc1..u", KEY_A);
    encrypted.insert(
        "key".to_owned(),
        Secret::new(include_str!("keys/a.pkcs8-encrypted.pem")),
    );
    encrypted.insert("passphrase".to_owned(), Secret::new("opensesame"));
    *held.lock().unwrap() = Ok(encrypted.clone());
    assert_eq!(secret.get().await.expect("a key"), first);
    encrypted.insert("useInstancePrincipal".to_owned(), Secret::new("true"));
    *held.lock().unwrap() = Ok(encrypted);
    later().await;
    assert!(secret.get().await.is_err());
}

fn instance(cloud: &Arc<Cloud>, server: &Server) -> InstancePrincipal {
    InstancePrincipal::new(InstanceOptions {
        exchange: https(),
        metadata: format!("{}/opc/v2", server.address),
        auth: Some(server.address.clone()),
        now: cloud.now(),
    })
}

#[tokio::test]
async fn an_instance_renews_its_token_with_the_certificate_of_the_moment() {
    let (cloud, server) = Cloud::start().await;
    let machine = |pem: &str, tenancy| Some((certificate(pem, tenancy), pem.to_owned()));
    cloud.state.lock().unwrap().machine = machine(KEY_A, TENANCY);
    let client = cloud.client(&server, Arc::new(instance(&cloud, &server)));
    // Many at once buy one token.
    for got in futures::future::join_all((0..8).map(|_| get(&client))).await {
        got.expect("a token");
    }
    assert_eq!(cloud.state.lock().unwrap().issued, 1);

    // The machine has another certificate by the time the token wants renewal.
    cloud.state.lock().unwrap().machine = machine(KEY_B, TENANCY);
    get(&client).await.expect("the token is good");
    assert_eq!(cloud.state.lock().unwrap().issued, 1);
    cloud.set_forward(1900);
    get(&client).await.expect("a new token");
    {
        let state = cloud.state.lock().unwrap();
        assert_eq!(state.issued, 2);
        assert_ne!(state.let_in.first(), state.let_in.last());
    }

    // While a token is good its renewal may fail.
    cloud.set_forward(1900);
    cloud.state.lock().unwrap().down = Some(403);
    get(&client).await.expect("the token is good");
    cloud.set_forward(1900);
    let error = get(&client).await.expect_err("it is not any more");
    assert!(error.contains("status 403") && !error.contains("eyJ"), "{error}");

    // Another tenancy's certificate is not taken for ours.
    cloud.state.lock().unwrap().down = None;
    cloud.state.lock().unwrap().machine = machine(KEY_B, "ocid1.tenancy.oc1..other");
    let error = get(&client).await.expect_err("another tenancy");
    assert!(error.contains("of another tenancy"), "{error}");
}

#[tokio::test]
async fn where_there_is_no_instance_that_is_said() {
    let (cloud, server) = Cloud::start().await;
    let client = cloud.client(&server, Arc::new(instance(&cloud, &server)));
    let error = get(&client).await.expect_err("no machine");
    assert!(error.contains("is this a machine of OCI?"), "{error}");
    cloud.state.lock().unwrap().machine = Some(("no certificate".to_owned(), KEY_A.to_owned()));
    let error = get(&client).await.expect_err("no certificate");
    assert!(error.contains("there is no certificate"), "{error}");
    let asked = cloud.state.lock().unwrap().asked.get("/v1/x509").copied();
    assert_eq!(asked, None);
}

#[tokio::test]
async fn a_workload_shows_the_account_token_of_the_moment() {
    let (cloud, server) = Cloud::start().await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let account = |token: &str| {
        cloud.state.lock().unwrap().account = token.to_owned();
        write(place, "token", &format!("{token}\n"));
    };
    account("first");
    let options = WorkloadOptions {
        address: server.address.clone(),
        token_file: place.join("token"),
        authority_file: place.join("ca.crt"),
        exchange: Some(https()),
        now: cloud.now(),
    };
    let identity = Arc::new(WorkloadIdentity::new(options.clone()));
    let client = cloud.client(&server, identity.clone());
    get(&client).await.expect("a token");
    assert_eq!(identity.get().await.unwrap().tenancy.as_deref(), Some(TENANCY));
    account("second");
    cloud.set_forward(1900);
    get(&client).await.expect("a new token");
    assert_eq!(cloud.state.lock().unwrap().issued, 2);

    // A token that services no longer take is renewed before its time.
    cloud.state.lock().unwrap().known.clear();
    cloud.set_forward(60);
    get(&client).await.expect("another token");
    assert_eq!(cloud.state.lock().unwrap().issued, 3);

    write(place, "token", "hunter2");
    let stranger = WorkloadIdentity::new(options.clone());
    let error = chain(&stranger.get().await.unwrap_err());
    assert!(
        error.contains("pod of an OKE cluster") && !error.contains("hunter2"),
        "{error}"
    );
    write(place, "token", " ");
    let error = chain(&stranger.get().await.unwrap_err());
    assert!(error.contains("lacks `token`"), "{error}");
    // Without an exchange of its own it trusts the cluster's authority alone, and there is none here.
    let alone = WorkloadIdentity::new(WorkloadOptions {
        exchange: None,
        ..options
    });
    write(place, "token", "second");
    let error = chain(&alone.get().await.unwrap_err());
    assert!(error.contains("ca.crt"), "{error}");
}

#[test]
fn a_pod_finds_its_identity_by_host() {
    let now = || -> fleetwright::providers::oci::credentials::Now { Arc::new(jiff::Timestamp::now) };
    assert_eq!(
        WorkloadOptions::in_cluster("10.0.0.1", now()).address,
        "https://10.0.0.1:12250"
    );
    assert_eq!(
        WorkloadOptions::in_cluster("fd00::1", now()).address,
        "https://[fd00::1]:12250"
    );
}
