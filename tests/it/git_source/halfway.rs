//! Repositories that are in the middle of a push: the branch is there, and not all that it is made of.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use fleetwright::source::git::GitError;
use git2::{Oid, Repository};

use super::server::{Server, line};
use super::{Upstream, chain, fetched, mirror, read, refused, texts};

const FLEET: (&str, &str) = ("fleet.yaml", "kind: Fleet\n");
const LATE: (&str, &str) = ("late.yaml", "kind: Cluster\n");

/// Where a repository keeps an object.
fn place(upstream: &Upstream, id: Oid) -> std::path::PathBuf {
    let id = id.to_string();
    let (folder, name) = id.split_at(2);
    upstream.path().join("objects").join(folder).join(name)
}

/// The object of a file.
fn blob(repository: &Repository, commit: &str, path: &str) -> Oid {
    let commit = repository.find_commit(Oid::from_str(commit).unwrap()).unwrap();
    commit.tree().unwrap().get_path(path.as_ref()).unwrap().id()
}

#[test]
fn what_a_copied_repository_lacks_is_waited_for_and_had_once_it_is_there() {
    let upstream = Upstream::new();
    let first = upstream.commit("main", &[FLEET]);
    let mirror = upstream.mirror();
    assert_eq!(fetched(&mirror).commit, first);
    let second = upstream.commit("main", &[LATE]);
    let late = place(&upstream, blob(&upstream.repository, second.as_str(), LATE.0));
    let hidden = late.with_extension("late");
    std::fs::rename(&late, &hidden).unwrap();
    let error = refused(&mirror);
    assert!(
        matches!(&error, GitError::Partial { .. }),
        "it is not our copy's fault: {}",
        chain(&error)
    );
    assert_eq!(
        refused(&mirror).to_string(),
        error.to_string(),
        "nor is it the next time"
    );
    std::fs::rename(&hidden, &late).unwrap();
    let now = fetched(&mirror);
    assert_eq!(now.commit, second);
    assert_eq!(texts(&read(&mirror, &now)), [FLEET, LATE]);
}

/// Answers as a server that has what a repository has, but for some objects.
fn serve(upstream: &Upstream, lacks: Arc<Mutex<Vec<Oid>>>) -> Server {
    let path = upstream.path();
    let answer = move |request: &str, stream: &mut TcpStream| {
        let repository = Repository::open(&path).unwrap();
        let tip = repository.refname_to_id("refs/heads/main").unwrap();
        let (kind, body) = if request.starts_with("GET") {
            let capabilities = "side-band-64k ofs-delta symref=HEAD:refs/heads/main";
            let body = [
                line("# service=git-upload-pack\n"),
                "0000".to_owned(),
                line(&format!("{tip} HEAD\0{capabilities}\n")),
                line(&format!("{tip} refs/heads/main\n")),
                "0000".to_owned(),
            ];
            ("advertisement", body.concat().into_bytes())
        } else {
            let lacks = lacks.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let mut pack = repository.packbuilder().unwrap();
            let mut walk = repository.revwalk().unwrap();
            walk.push(tip).unwrap();
            for commit in walk.map(Result::unwrap) {
                let tree = repository.find_commit(commit).unwrap().tree().unwrap();
                let files = tree.iter().map(|entry| entry.id());
                let objects = [commit, tree.id()].into_iter().chain(files);
                for id in objects.filter(|id| !lacks.contains(id)) {
                    pack.insert_object(id, None).unwrap();
                }
            }
            let mut packed = git2::Buf::new();
            pack.write_buf(&mut packed).unwrap();
            let mut body = line("NAK\n").into_bytes();
            for part in packed.chunks(60_000) {
                body.extend_from_slice(format!("{:04x}\x01", part.len() + 5).as_bytes());
                body.extend_from_slice(part);
            }
            body.extend_from_slice(b"0000");
            ("result", body)
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-{kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), &body].concat()).ok();
    };
    Server::start(answer, false)
}

#[test]
fn a_server_that_sends_less_than_a_commit_is_made_of_is_refused_until_it_sends_all() {
    let upstream = Upstream::new();
    let lacks = Arc::new(Mutex::new(Vec::new()));
    let server = serve(&upstream, lacks.clone());
    let first = upstream.commit("main", &[FLEET]);
    let mirror = mirror(&upstream.beside("cache"), server.remote());
    let before = fetched(&mirror);
    assert_eq!(before.commit, first);
    mirror.keep("fleet", &before).unwrap();

    let second = upstream.commit("main", &[LATE]);
    *lacks.lock().unwrap() = vec![blob(&upstream.repository, second.as_str(), LATE.0)];
    let half = mirror
        .fetch(super::now())
        .and_then(|half| mirror.read(&half, Default::default()));
    let error = half.expect_err("a file of it is missing");
    eprintln!("{}", chain(&error));
    assert_eq!(
        mirror.kept("fleet", super::now()).unwrap(),
        Some(before.clone()),
        "what was in force is there"
    );
    assert_eq!(texts(&read(&mirror, &before)), [FLEET]);

    lacks.lock().unwrap().clear();
    let now = fetched(&mirror);
    assert_eq!(now.commit, second);
    assert_eq!(texts(&read(&mirror, &now)), [FLEET, LATE]);
}
