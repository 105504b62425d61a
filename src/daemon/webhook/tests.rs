use http_body_util::BodyExt as _;
use ring::hmac;

use super::*;
use crate::daemon::SourceFailure;
use crate::ops::LoadedFleet;
use crate::resource::Revision;

const SECRET: &str = "only-for-tests-1";
const PUSH: &str = r#"{"ref": "refs/heads/main", "repository": {"full_name": "platform/fleet"}}"#;

/// Follows one branch.
struct Branch(&'static str);

fn route(branch: &'static str, bell: &Arc<Bell>, secret: PathBuf) -> Route {
    Route {
        name: None,
        source: Arc::new(Branch(branch)),
        bell: bell.clone(),
        secret,
    }
}

impl Source for Branch {
    fn look(&self) -> Result<Revision, SourceFailure> {
        Err("not asked".into())
    }

    fn load(&self, _: Option<&LoadedFleet>) -> Result<LoadedFleet, SourceFailure> {
        Err("not asked".into())
    }

    fn took(&self) -> Result<(), SourceFailure> {
        Ok(())
    }

    fn concerns(&self, push: &Push) -> bool {
        push.reference.strip_prefix("refs/heads/") == Some(self.0)
    }
}

struct Place {
    folder: tempfile::TempDir,
    bell: Arc<Bell>,
    webhooks: Webhooks,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), format!("{SECRET}\n")).unwrap();
        let bell = Arc::new(Bell::default());
        let secret = folder.path().join("secret");
        let webhooks = Webhooks::new(vec![route("main", &bell, secret)], Arc::default()).unwrap();
        Self { folder, bell, webhooks }
    }

    /// Sends a body with a signature, as the server does: first the head alone.
    async fn send(&self, body: &str, signature: &str) -> (u16, String) {
        let request = ::http::Request::post(PATH)
            .header("x-github-event", "push")
            .header("x-hub-signature-256", signature)
            .body(body.to_owned().into())
            .unwrap();
        let (parts, body) = request.into_parts();
        let response = match self.webhooks.refuse(&parts) {
            Some(response) => response,
            None => self.webhooks.call(Request::from_parts(parts, body)).await,
        };
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// Whether the bell rang since.
    fn rang(&self) -> bool {
        self.bell.rung().now_or_never().is_some()
    }
}

fn signed(body: &str, secret: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body.as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn a_push_rings_and_nothing_else_does() {
    let place = Place::new();
    assert_eq!(place.send(PUSH, &signed(PUSH, SECRET)).await.0, 202);
    assert!(place.rang());
    // The same once more does no harm, and many at once count once.
    for _ in 0..5 {
        assert_eq!(place.send(PUSH, &signed(PUSH, SECRET)).await.0, 202);
    }
    assert!(place.rang() && !place.rang());

    let other = PUSH.replace("main", "feature");
    let (status, why) = place.send(&other, &signed(&other, SECRET)).await;
    assert_eq!((status, why.as_str()), (202, "nobody here follows that\n"));
    let malformed = "{\"ref\": ";
    assert_eq!(place.send(malformed, &signed(malformed, SECRET)).await.0, 400);
    assert_eq!(place.send(malformed, &signed(PUSH, SECRET)).await.0, 401, "unread");
    assert!(!place.rang());
}

#[tokio::test]
async fn the_secret_is_read_anew_for_each() {
    let place = Place::new();
    let file = place.folder.path().join("secret");
    std::fs::write(&file, "another-secret-of-some-length").unwrap();
    assert_eq!(place.send(PUSH, &signed(PUSH, SECRET)).await.0, 401);
    assert_eq!(
        place.send(PUSH, &signed(PUSH, "another-secret-of-some-length")).await.0,
        202
    );
    std::fs::remove_file(&file).unwrap();
    let (status, why) = place.send(PUSH, &signed(PUSH, SECRET)).await;
    assert_eq!(status, 503);
    assert!(!why.contains("another") && !why.contains("only-for"), "{why}");
    let routes = vec![route("main", &place.bell, file)];
    assert!(Webhooks::new(routes, Arc::default()).is_err());
}

#[tokio::test]
async fn what_is_refused_is_refused_by_its_head() {
    let place = Place::new();
    let head = |request: ::http::request::Builder| {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        place.webhooks.refuse(&parts).map(|response| response.status().as_u16())
    };
    assert_eq!(head(::http::Request::get(PATH)), Some(405));
    assert_eq!(head(::http::Request::post("/livez")), Some(404));
    assert_eq!(head(::http::Request::post(PATH)), Some(401));
    assert_eq!(head(::http::Request::post(PATH).header("x-gitlab-token", SECRET)), None);
}

#[tokio::test(start_paused = true)]
async fn bad_signatures_use_up_what_a_peer_has_and_time_gives_it_back() {
    let place = Place::new();
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(place.send(PUSH, &signed(PUSH, "a-guess-at-the-secret")).await.0);
    }
    assert_eq!(answers, [401, 401, 401, 429, 429, 429, 429, 429, 429, 429]);
    let request = ::http::Request::post(PATH).body(()).unwrap().into_parts().0;
    let refused = place.webhooks.refuse(&request).unwrap();
    assert_eq!(refused.headers()[RETRY_AFTER], "1");
    assert!(!place.rang());
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(place.send(PUSH, &signed(PUSH, SECRET)).await.0, 202);
    assert!(place.rang());
}

#[tokio::test]
async fn of_several_fleets_those_are_looked_at_that_it_is_about_and_whose_secret_proves_it() {
    const OTHER: &str = "another-secret-of-some-length";
    let mut place = Place::new();
    let (own, other) = (place.folder.path().join("secret"), place.folder.path().join("other"));
    std::fs::write(&other, OTHER).unwrap();
    let bells: [Arc<Bell>; 3] = std::array::from_fn(|_| Arc::default());
    let routes = [("main", &own), ("main", &other), ("next", &other)];
    let routes = routes.iter().zip(&bells);
    let routes = routes
        .map(|((branch, secret), bell)| route(branch, bell, (*secret).clone()))
        .collect();
    place.webhooks = Webhooks::new(routes, Arc::default()).unwrap();
    let rang = || bells.each_ref().map(|bell| bell.rung().now_or_never().is_some());

    assert_eq!(place.send(PUSH, &signed(PUSH, SECRET)).await.0, 202);
    assert_eq!(rang(), [true, false, false]);
    assert_eq!(place.send(PUSH, &signed(PUSH, OTHER)).await.0, 202);
    assert_eq!(rang(), [false, true, false]);
    let next = PUSH.replace("main", "next");
    let (status, why) = place.send(&next, &signed(&next, SECRET)).await;
    assert_eq!((status, why.as_str()), (202, "nobody here follows that\n"));
    assert_eq!(rang(), [false; 3], "its secret is the other fleet's");
    // One secret that can't be read holds up those alone that it is of.
    std::fs::remove_file(&other).unwrap();
    assert_eq!(place.send(PUSH, &signed(PUSH, SECRET)).await.0, 202);
    assert_eq!(rang(), [true, false, false]);
    assert_eq!(place.send(PUSH, &signed(PUSH, OTHER)).await.0, 503);
}
