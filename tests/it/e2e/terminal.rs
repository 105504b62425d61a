//! The program on a terminal: bars, colours, a question, and Ctrl-C as it is typed.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pty_process::Size;
use pty_process::blocking::{Command, Pty};

use super::{Stage, namespace, text};
use crate::support::{Login, kubeconfig};

/// What Ctrl-C types.
const INTERRUPT: &[u8] = b"\x03";
/// A part of a bar.
const BAR: char = '█';

/// A terminal with the program in its foreground.
struct Terminal {
    pty: Pty,
    child: Child,
    shown: Vec<u8>,
}

impl Terminal {
    fn start(stage: &Stage, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let (pty, line) = pty_process::blocking::open().expect("a terminal");
        pty.resize(Size::new(40, 120)).expect("its size");
        let mut command = stage.place.command(&stage.args(args));
        command.env("TERM", "xterm-256color").envs(environment.iter().copied());
        let child = Command::from(command).spawn(line).expect("a start");
        Self {
            pty,
            child,
            shown: Vec::new(),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    /// Reads on; whether there was something. A terminal that nobody writes to any more is an error to its reader.
    fn read(&mut self) -> bool {
        let mut chunk = [0; 4096];
        let read = self.pty.read(&mut chunk).unwrap_or(0);
        self.shown.extend_from_slice(&chunk[..read]);
        read > 0
    }

    /// Waits for words to be shown so many times.
    #[track_caller]
    fn until(&mut self, words: &str, times: usize) {
        while self.text().matches(words).count() < times {
            assert!(self.read(), "it ended before `{words}`:\n{}", self.text());
        }
    }

    fn types(&mut self, keys: &[u8]) {
        self.pty.write_all(keys).expect("it is typed");
    }

    /// The exit code, and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        while self.read() {}
        let code = self.child.wait().expect("it ends").code();
        eprintln!("{}= {code:?}", self.text());
        (code, self.text())
    }
}

/// Pools enough that an apply of one at a time is not over before it is told to stop.
fn many_pools(stage: &Stage) {
    let pools: Vec<String> = (0..40).map(|n| format!("p{n}: {{profile: general}}")).collect();
    let pools: Vec<&str> = pools.iter().map(String::as_str).collect();
    stage.cluster(&stage.name, &pools);
}

#[test]
fn a_terminal_has_a_bar_and_colours_and_a_pipe_has_lines() {
    let Some(stage) = Stage::of("screen", "", &["screen", "pipe", "grey", "still"]) else {
        return;
    };
    let apply = |cluster| ["apply", "--yes", "--cluster", cluster];
    let (code, shown) = Terminal::start(&stage, &apply("screen"), &[]).end();
    assert_eq!(code, Some(0));
    assert!(shown.contains(BAR), "{shown}");
    assert!(shown.contains(" 5/5 "), "{shown}");
    assert!(
        shown.contains("\x1b[32mcreated\x1b[0m NodePool clusters-screen/screen-a"),
        "{shown}"
    );
    // Nothing is left of the bar behind the last line.
    let last = shown.rfind(BAR).expect("a bar");
    assert!(
        shown[last..].contains("\x1b[2K") || shown[last..].contains("\x1b[K"),
        "{shown:?}"
    );

    let (code, shown) = Terminal::start(&stage, &apply("grey"), &[("NO_COLOR", "1")]).end();
    assert_eq!(code, Some(0));
    assert!(shown.contains(BAR) && !shown.contains("\x1b[3"), "{shown:?}");
    assert!(shown.contains("created NodePool clusters-grey/grey-a"), "{shown}");

    let piped = stage.run(&apply("pipe")).exits(0);
    assert!(
        !piped.stderr.contains(BAR) && !piped.stderr.contains('\x1b'),
        "{}",
        piped.stderr
    );
    assert!(
        piped
            .stderr
            .lines()
            .any(|line| line == "created NodePool clusters-pipe/pipe-a"),
        "{}",
        piped.stderr
    );
    let quiet = [&apply("still")[..], &["--quiet"]].concat();
    let (code, shown) = Terminal::start(&stage, &quiet, &[]).end();
    assert_eq!(code, Some(0));
    assert!(!shown.contains(BAR) && !shown.contains("created"), "{shown}");
    assert!(stage.is_there("still", "nodepool", "still-a"));
}

#[test]
fn no_answer_but_yes_applies() {
    let Some(stage) = Stage::new("asked") else { return };
    let mark = stage.login.mark();
    let mut terminal = Terminal::start(&stage, &["apply"], &[]);
    terminal.until("Apply this plan? Type yes:", 1);
    terminal.types(b"no\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(1));
    assert!(
        shown.contains("NodePool clusters-asked/asked-a"),
        "the plan is shown: {shown}"
    );
    assert!(shown.contains("nothing was changed"), "{shown}");
    assert_eq!(stage.writes_since(mark), Vec::<String>::new());

    let mut terminal = Terminal::start(&stage, &["apply"], &[]);
    terminal.until("Apply this plan? Type yes:", 1);
    terminal.types(b"yes\n");
    assert_eq!(terminal.end().0, Some(0));
    stage.is_settled();
}

#[test]
fn an_object_that_was_swapped_while_it_asks_is_not_deleted() {
    let Some(stage) = Stage::new("swapped") else { return };
    stage.run(&["apply", "--yes"]).exits(0);
    stage.cluster("swapped", &["b: {profile: general, replicas: 3}"]);
    let mut terminal = Terminal::start(&stage, &["apply"], &[]);
    terminal.until("Apply this plan? Type yes:", 1);

    let mut other = stage.get("swapped", "nodepool", "swapped-a");
    let old = text(&other["metadata"]["uid"]);
    stage.kubectl("swapped", &["delete", "nodepool", "swapped-a"]);
    let metadata = other["metadata"].as_object_mut().expect("metadata");
    // Labels and the mark are as they were: somebody restored a backup.
    metadata.retain(|key, _| ["name", "namespace", "labels", "annotations"].contains(&key.as_str()));
    stage.login.kubectl_in(&["create", "-f", "-"], &other.to_string());

    terminal.types(b"yes\n");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(1));
    assert!(
        shown.contains(
            "NodePool clusters-swapped/swapped-a was replaced by another object of its name, which is left alone"
        ),
        "{shown}"
    );
    let new = text(&stage.get("swapped", "nodepool", "swapped-a")["metadata"]["uid"]);
    assert_ne!(new, old);
}

#[test]
fn ctrl_c_finishes_what_is_under_way_and_the_next_run_goes_on() {
    let Some(stage) = Stage::new("typed") else { return };
    many_pools(&stage);
    let mut terminal = Terminal::start(&stage, &["apply", "--yes", "--concurrency", "1"], &[]);
    terminal.until("NodePool clusters-typed/typed-p", 1);
    terminal.until("\x1b[32mcreated\x1b[0m ", 4);
    terminal.types(INTERRUPT);
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(1));
    assert!(shown.contains("interrupted: finishing what is under way"), "{shown}");
    assert!(shown.contains(" not begun."), "{shown}");

    let made = stage.uids("typed");
    assert!(made.len() < 42, "it was over before it was told to stop");
    // What it made is on record.
    let recorded = stage.recorded();
    for (object, uid) in &made {
        assert_eq!(recorded[object].as_ref(), Some(uid), "{object}");
    }
    stage.run(&["apply", "--yes"]).exits(0);
    let uids = stage.uids("typed");
    assert!(made.iter().all(|(object, uid)| uids[object] == *uid), "made anew");
    stage.is_settled();
}

/// A way to the server that can be closed: from then on no request comes through, and no answer comes back.
struct Relay {
    closed: Arc<AtomicBool>,
    login: Login,
}

impl Relay {
    fn to(stage: &Stage, mut login: Login) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = login.url.trim_start_matches("https://").to_owned();
        login.url = format!("https://{}", listener.local_addr().expect("its address"));
        login.kubeconfig = stage.place.path().join("relay.kubeconfig");
        kubeconfig(&login.kubeconfig, &[("test", &login)]);
        let closed = Arc::new(AtomicBool::new(false));
        let seen = closed.clone();
        // Its threads wait on sockets, and end with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&server).expect("the server");
                let halves = (client.try_clone().expect("a half"), server.try_clone().expect("a half"));
                let (there, back) = (seen.clone(), seen.clone());
                std::thread::spawn(move || relay(client, server, &there));
                std::thread::spawn(move || relay(halves.1, halves.0, &back));
            }
        });
        Self { closed, login }
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, closed: &AtomicBool) {
    let mut chunk = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut chunk) {
        // Swallowed: whoever sent it waits.
        if !closed.load(Ordering::SeqCst) && to.write_all(&chunk[..read]).is_err() {
            return;
        }
    }
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let Some(mut stage) = Stage::new("twice") else { return };
    many_pools(&stage);
    let direct = stage.login.clone();
    let relay = Relay::to(&stage, stage.login.clone());
    stage.login = relay.login;
    let mut terminal = Terminal::start(&stage, &["apply", "--yes", "--concurrency", "1"], &[]);
    terminal.until("\x1b[32mcreated\x1b[0m ", 3);
    relay.closed.store(true, Ordering::SeqCst);
    terminal.types(INTERRUPT);
    terminal.until(
        "interrupted: finishing what is under way (once more to stop at once)",
        1,
    );
    // It waits for an answer that does not come.
    terminal.types(INTERRUPT);
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(1));
    assert!(
        shown.contains("stopped at once; the next run finds what was made and goes on from there"),
        "{shown}"
    );

    stage.login = direct;
    let made = stage.uids("twice");
    assert!(made.len() < 42, "it was over before it was told to stop");
    stage.run(&["apply", "--yes"]).exits(0);
    let uids = stage.uids("twice");
    assert!(made.iter().all(|(object, uid)| uids[object] == *uid), "made anew");
    assert_eq!(uids.len(), 42);
    assert!(stage.is_there("twice", "namespace", &namespace("twice")));
    stage.is_settled();
}
