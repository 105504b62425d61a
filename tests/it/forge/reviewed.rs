//! A fleet in a repository of a real Gitea, and a pull request that changes it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::OnceLock;

use git2::{Cred, IndexAddOption, Oid, PushOptions, RemoteCallbacks, Repository, Signature};
use serde_json::{Value, json};

use crate::cli::Workplace;
use crate::support::Gitea;

/// The server that these tests share; none where it can't be had.
pub(crate) fn gitea() -> Option<&'static Gitea> {
    static SERVER: OnceLock<Option<Gitea>> = OnceLock::new();
    SERVER.get_or_init(Gitea::start).as_ref()
}

/// Asks Gitea something; its status and what it says.
///
/// Over HTTP/1.0, whose answers have no parts.
pub(crate) fn ask(gitea: &Gitea, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut stream = TcpStream::connect(("127.0.0.1", gitea.port())).expect("Gitea");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = format!(
        "{method} /api/v1{path} HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: token {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        gitea.token,
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a body");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("a status");
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

/// The fleet of `init`, its files on this machine and in a repository.
pub(crate) struct Reviewed {
    pub(crate) gitea: &'static Gitea,
    pub(crate) place: Workplace,
    /// The repository's name.
    pub(crate) name: String,
    /// The commit that the branch `main` is at.
    pub(crate) base: Oid,
    /// The number of the pull request.
    pub(crate) pull: u64,
}

/// The fleet's name, as `init` gives it.
pub(crate) const FLEET: &str = "my-fleet";

impl Reviewed {
    /// A repository of this name, and a pull request that has a pool grow.
    pub(crate) fn new(name: &str) -> Option<(Self, Oid)> {
        let gitea = gitea()?;
        gitea.make(name);
        let place = Workplace::new(&[]);
        place.run(&["init", "fleet"]).exits(0);
        place.run(&["lock"]).exits(0);
        Repository::init(place.path()).expect("a repository");
        let mut reviewed = Self {
            gitea,
            place,
            name: name.to_owned(),
            base: Oid::from_bytes(&[0; 20]).expect("an id"),
            pull: 0,
        };
        reviewed.base = reviewed.commit(&[]);
        reviewed.push(reviewed.base, "main");
        // A filter that runners have.
        reviewed.place.write(".gitattributes", "* filter=lfs\n");
        crate::plan_against::edit(&reviewed.place, "pools.yaml", "replicas: 2", "replicas: 5");
        let head = reviewed.commit(&[reviewed.base]);
        reviewed.push(head, "change");
        // Gitea knows of a branch a moment after it was pushed.
        let is_known = (0..100_000).any(|_| reviewed.ask("GET", "/branches/change", &Value::Null).0 == 200);
        assert!(is_known, "Gitea does not take the branch in");
        let wanted = json!({"head": "change", "base": "main", "title": "More nodes"});
        let (status, pull) = reviewed.ask("POST", "/pulls", &wanted);
        assert_eq!(status, 201, "{pull}");
        reviewed.pull = pull["number"].as_u64().expect("a number");
        Some((reviewed, head))
    }

    /// A commit of the files as they are, on top of these.
    pub(crate) fn commit(&self, parents: &[Oid]) -> Oid {
        let repository = Repository::open(self.place.path()).expect("the repository");
        let mut index = repository.index().expect("an index");
        index
            .add_all(["fleet"], IndexAddOption::DEFAULT, None)
            .expect("the files");
        index.update_all(["fleet"], None).expect("what is gone");
        index.write().expect("an index");
        let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("it");
        let author = Signature::now("a", "a@example.com").expect("an author");
        let parents: Vec<_> = parents
            .iter()
            .map(|id| repository.find_commit(*id).expect("a commit"))
            .collect();
        let parents: Vec<_> = parents.iter().collect();
        let commit = repository.commit(None, &author, &author, "a commit", &tree, &parents);
        commit.expect("a commit")
    }

    /// Pushes a commit to a branch.
    pub(crate) fn push(&self, commit: Oid, branch: &str) {
        let repository = Repository::open(self.place.path()).expect("the repository");
        let local = format!("refs/heads/{branch}");
        repository.reference(&local, commit, true, "a test").expect("a branch");
        let mut callbacks = RemoteCallbacks::new();
        callbacks.credentials(|_, _, _| Cred::userpass_plaintext("tester", &self.gitea.token));
        let mut options = PushOptions::new();
        options.remote_callbacks(callbacks);
        let mut remote = repository
            .remote_anonymous(&self.gitea.url(&self.name))
            .expect("a remote");
        remote
            .push(&[format!("+{local}:{local}")], Some(&mut options))
            .expect("a push");
    }

    /// Asks Gitea something about the repository.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        ask(self.gitea, method, &format!("/repos/tester/{}{path}", self.name), body)
    }

    /// The texts of the pull request's comments, in order.
    pub(crate) fn comments(&self) -> Vec<String> {
        let (status, comments) = self.ask("GET", &format!("/issues/{}/comments", self.pull), &Value::Null);
        assert_eq!(status, 200, "{comments}");
        let texts = comments.as_array().expect("comments").iter();
        texts
            .map(|one| one["body"].as_str().expect("a text").to_owned())
            .collect()
    }

    /// The comments that begin with a fleet's marker.
    pub(crate) fn reports(&self) -> Vec<String> {
        let marker = format!("<!-- fleetwright plan of {FLEET}");
        self.comments()
            .into_iter()
            .filter(|text| text.starts_with(&marker))
            .collect()
    }

    /// The newest status of this name that a commit has: its state and its description.
    pub(crate) fn status(&self, commit: Oid, name: &str) -> Option<(String, String)> {
        let (status, all) = self.ask("GET", &format!("/commits/{commit}/status"), &Value::Null);
        assert_eq!(status, 200, "{all}");
        let statuses = all["statuses"].as_array()?;
        let found = statuses.iter().find(|one| one["context"] == name)?;
        let word = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        Some((word("status"), word("description")))
    }
}
