//! The merge against the reference, over generated histories.
//!
//! `FLEETWRIGHT_SSA_CASES=100000 cargo test ssa_oracle` compares as many cases; without it there are 10,000.
//! `FLEETWRIGHT_SSA_SEED` begins elsewhere: what is shown of a case names the seed of its history, and 1,000 cases from
//! there hold all of it. `FLEETWRIGHT_SSA_DUMP=FILE` keeps what differs, `FLEETWRIGHT_SSA_DUMP_NOOP=FILE` where the quick
//! test failed.

use std::collections::BTreeMap;

use fleetwright::ssa::is_noop;
use serde_json::{Value, json};

use super::ssa_cases::{COVERED, Case, History, Kind, Twist, covers, kinds};
use super::ssa_reference::{Reference, upstream};

/// So many histories go on at once, so that the reference never waits for us.
const AT_ONCE: usize = 48;

/// What a comparison found.
#[derive(Default)]
struct Tally {
    cases: usize,
    refused: usize,
    own_time: std::time::Duration,
    beyond: BTreeMap<String, usize>,
    differences: Vec<Difference>,
    covered: BTreeMap<&'static str, usize>,
    noop: Noop,
    samples: BTreeMap<(&'static str, usize), String>,
}

/// How the quick test for "nothing would change" did.
#[derive(Default)]
struct Noop {
    /// Said so, and nothing changed.
    right: usize,
    /// Said so, and something changed.
    wrong: Vec<Difference>,
    /// Didn't say so, though nothing changed.
    missed: Vec<Difference>,
}

struct Difference {
    case: Case,
    ours: Value,
    theirs: Value,
}

pub(crate) fn number(name: &str, default: usize) -> usize {
    std::env::var_os(name).map_or(default, |text| text.to_string_lossy().parse().expect("a number"))
}

fn run(reference: &mut Reference, kinds: &[Kind], cases: usize, twist: Twist) -> Tally {
    let mut tally = Tally::default();
    let recording = std::env::var_os("FLEETWRIGHT_SSA_RECORD").is_some();
    let mut seed = number("FLEETWRIGHT_SSA_SEED", 1) as u64;
    let mut histories: Vec<History> = Vec::new();
    while tally.cases < cases {
        histories.retain(|history| !history.is_over());
        while histories.len() < AT_ONCE {
            histories.push(History::new(seed, kinds));
            seed += 1;
        }
        let round: Vec<Case> = histories.iter_mut().map(|history| history.next(kinds)).collect();
        let questions: Vec<Value> = round.iter().map(|case| case.question.clone()).collect();
        let answers = reference.ask(&questions);
        for ((history, case), theirs) in histories.iter_mut().zip(round).zip(answers) {
            tally.cases += 1;
            for what in covers(&case, kinds, &theirs) {
                *tally.covered.entry(what).or_default() += 1;
                if recording {
                    sample(&mut tally, what, &case, &theirs);
                }
            }
            let start = std::time::Instant::now();
            let ours = case.ours(kinds, twist);
            tally.own_time += start.elapsed();
            history.went(&theirs);
            if case.question["op"] == "apply" && twist == Twist::None {
                quick_test(&mut tally.noop, kinds, &case, &theirs);
            }
            judge(&mut tally, kinds, case, ours, theirs);
        }
    }
    tally
}

/// Asks the quick test before the write, and after it.
fn quick_test(noop: &mut Noop, kinds: &[Kind], case: &Case, theirs: &Value) {
    let question = &case.question;
    let schema = &kinds[case.kind].versions[case.version];
    let manager = question["manager"].as_str().expect("a manager");
    // A time stamp of its own makes no difference that anyone wants to see.
    let timeless = |object: &Value| {
        let mut object = object.clone();
        forget_times(&mut object);
        object
    };
    let changed = theirs.get("object").map(timeless) != Some(timeless(&question["live"]));
    let difference = || Difference {
        case: case.clone(),
        ours: json!({"object": question["live"]}),
        theirs: theirs.clone(),
    };
    let same_version = question["live"]["apiVersion"] == question["config"]["apiVersion"];
    if same_version && theirs.get("error").is_none() {
        match (
            is_noop(&question["config"], &question["live"], manager, schema),
            changed,
        ) {
            (true, false) => noop.right += 1,
            (true, true) => noop.wrong.push(difference()),
            (false, false) => noop.missed.push(difference()),
            (false, true) => {}
        }
    }
    // Nearly always what was just applied is as applied; where it isn't, our merge says so, which is judged elsewhere.
    let Some(object) = theirs.get("object") else { return };
    let mut again = case.clone();
    again.question["live"] = object.clone();
    let answer = again.ours(kinds, Twist::None);
    let Some(after) = answer.get("object") else { return };
    let changed = !is_same(&timeless(after), &timeless(object), kinds[case.kind].built_in);
    let difference = || Difference {
        case: again.clone(),
        ours: json!({"object": object}),
        theirs: answer.clone(),
    };
    match (is_noop(&question["config"], object, manager, schema), changed) {
        (true, false) => noop.right += 1,
        (true, true) => noop.wrong.push(difference()),
        (false, false) => noop.missed.push(difference()),
        (false, true) => {}
    }
}

/// Whether an object is the same after a write as before it, but for what a server's own type doesn't tell apart.
fn is_same(after: &Value, before: &Value, built_in: bool) -> bool {
    if !built_in {
        return after == before;
    }
    let (after, before) = (comparable(after, built_in), comparable(before, built_in));
    after["metadata"]["managedFields"] == before["metadata"]["managedFields"]
        && is_part(&after, &before)
        && is_part(&before, &after)
}

fn judge(tally: &mut Tally, kinds: &[Kind], case: Case, ours: Value, theirs: Value) {
    match (ours.get("error"), theirs.get("error")) {
        (Some(_), Some(_)) => tally.refused += 1,
        // The merge doesn't validate; that the reference does can't be switched off for all rules.
        (None, Some(error)) if is_validation(error) => {
            let kind: String = error.as_str().unwrap_or("").split(": ").skip(1).take(1).collect();
            *tally.beyond.entry(kind).or_default() += 1;
        }
        _ if agree(&ours, &theirs, kinds[case.kind].built_in) => {}
        _ => tally.differences.push(Difference { case, ours, theirs }),
    }
}

fn is_validation(error: &Value) -> bool {
    error.as_str().is_some_and(|text| text.contains(" is invalid: "))
}

/// Whether two answers say the same.
pub(crate) fn agree(ours: &Value, theirs: &Value, built_in: bool) -> bool {
    match (ours.get("object"), theirs.get("object")) {
        (Some(ours), Some(theirs)) => {
            let (mut ours, mut theirs) = (comparable(ours, built_in), comparable(theirs, built_in));
            if built_in {
                if ours["spec"] != theirs["spec"] {
                    // The server filled something in. Had it been there before, nothing would have changed but for the
                    // time, and the server would have kept that; we can't know.
                    forget_times(&mut ours);
                    forget_times(&mut theirs);
                }
                ours["metadata"]["managedFields"] == theirs["metadata"]["managedFields"] && is_part(&ours, &theirs)
            } else {
                ours == theirs
            }
        }
        (None, None) => conflicts(ours) == conflicts(theirs),
        _ => false,
    }
}

fn conflicts(answer: &Value) -> Vec<String> {
    let mut all: Vec<String> = answer["conflicts"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|conflict| match conflict.as_array() {
            Some(_) => conflict.to_string(),
            None => {
                let text = |key: &str| conflict.get(key).and_then(Value::as_str).unwrap_or("");
                json!([text("manager"), text("subresource"), text("apiVersion"), text("path")]).to_string()
            }
        })
        .collect();
    all.sort();
    all
}

/// Without what only the server can know.
fn comparable(object: &Value, built_in: bool) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for name in ["uid", "creationTimestamp", "resourceVersion"] {
            metadata.remove(name);
        }
        if built_in {
            metadata.remove("generation");
        }
    }
    object
}

fn forget_times(object: &mut Value) {
    let Some(entries) = object
        .pointer_mut("/metadata/managedFields")
        .and_then(Value::as_array_mut)
    else {
        return;
    };
    for entry in entries.iter_mut() {
        entry["time"] = Value::Null;
    }
    entries.sort_by_key(ToString::to_string);
}

/// Whether one value is all in the other; what the other has besides, the server filled in.
fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part.iter().all(|(name, value)| match whole.get(name) {
            Some(other) => is_part(value, other),
            None => is_hollow(value),
        }),
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(a, b)| is_part(a, b))
        }
        _ => part == whole || (is_hollow(part) && is_hollow(whole)),
    }
}

/// The server's own types write no empty field.
fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(entries) => entries.values().all(is_hollow),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Bool(true) => false,
    }
}

fn show(difference: &Difference, kinds: &[Kind]) -> String {
    let built_in = kinds[difference.case.kind].built_in;
    let mut lines = Vec::new();
    let (ours, theirs) = (flat(&difference.ours, built_in), flat(&difference.theirs, built_in));
    for (path, value) in &ours {
        if theirs.get(path) != Some(value) {
            lines.push(format!("  ours   {path} = {value}"));
        }
    }
    for (path, value) in &theirs {
        if ours.get(path) != Some(value) {
            lines.push(format!("  theirs {path} = {value}"));
        }
    }
    lines.truncate(24);
    let question = &difference.case.question;
    let seed = difference.case.seed.map(|seed| format!("seed {seed}: "));
    let head = format!(
        "{}{} {} by {} force {} subresource {}",
        seed.unwrap_or_default(),
        question["op"],
        question["config"]["kind"],
        question["manager"],
        question["force"],
        question["subresource"]
    );
    format!("{head}\n{}\n", lines.join("\n"))
}

fn flat(answer: &Value, built_in: bool) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut answer = answer.clone();
    if let Some(object) = answer.get_mut("object") {
        *object = comparable(object, built_in);
    }
    if answer.get("conflicts").is_some() {
        answer = json!({"conflicts": conflicts(&answer)});
    }
    flatten(&answer, String::new(), &mut out);
    out
}

fn flatten(value: &Value, path: String, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (name, entry) in entries {
                flatten(entry, format!("{path}/{name}"), into);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                flatten(item, format!("{path}/{at}"), into);
            }
        }
        scalar => {
            into.insert(path, scalar.to_string());
        }
    }
}

fn dump<'a>(variable: &str, differences: impl IntoIterator<Item = &'a Difference>) {
    let Some(path) = std::env::var_os(variable) else { return };
    let lines: Vec<String> = differences
        .into_iter()
        .map(|d| {
            let line = json!({"seed": d.case.seed, "question": d.case.question, "ours": d.ours, "theirs": d.theirs});
            line.to_string() + "\n"
        })
        .collect();
    std::fs::write(path, lines.concat()).expect("the dump is writable");
}

/// Here `ours` is the object before the write, which was said to change nothing.
fn report_noop(noop: &Noop, kinds: &[Kind]) -> String {
    let shown: Vec<String> = noop.wrong.iter().take(8).map(|wrong| show(wrong, kinds)).collect();
    format!(
        "said {} times that nothing changes where something did\n{}",
        noop.wrong.len(),
        shown.join("\n")
    )
}

fn report(tally: &Tally, kinds: &[Kind]) -> String {
    let shown: Vec<String> = tally
        .differences
        .iter()
        .take(8)
        .map(|difference| show(difference, kinds))
        .collect();
    format!(
        "{} of {} cases differ\n{}",
        tally.differences.len(),
        tally.cases,
        shown.join("\n")
    )
}

#[test]
fn the_merge_is_the_servers_own_over_generated_histories() {
    let Some(upstream) = upstream() else { return };
    let Some(mut reference) = Reference::start(&upstream) else {
        return;
    };
    let kinds = kinds(&upstream);
    let cases = number("FLEETWRIGHT_SSA_CASES", 10_000);
    let start = std::time::Instant::now();
    let tally = run(&mut reference, &kinds, cases, Twist::None);
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} cases in {seconds:.1} s ({:.1} s of them ours), {} refused by both, beyond the merge: {:?}\n{:?}",
        tally.cases,
        tally.own_time.as_secs_f64(),
        tally.refused,
        tally.beyond,
        tally.covered
    );
    record(&tally);
    let noop = &tally.noop;
    println!(
        "no-op: {} right, {} wrong, {} missed",
        noop.right,
        noop.wrong.len(),
        noop.missed.len()
    );
    dump("FLEETWRIGHT_SSA_DUMP", &tally.differences);
    dump("FLEETWRIGHT_SSA_DUMP_NOOP", noop.wrong.iter().chain(&noop.missed));
    assert!(noop.wrong.is_empty(), "{}", report_noop(noop, &kinds));
    assert!(tally.differences.is_empty(), "{}", report(&tally, &kinds));
    // Not said of what the server prunes, and of defaults within atomic lists of its own kinds.
    assert!(
        noop.missed.len() * 50 < noop.right,
        "{} missed of {}",
        noop.missed.len(),
        noop.right
    );
    for what in COVERED {
        let times = tally.covered.get(what).copied().unwrap_or(0);
        assert!(times >= cases / 500, "{what} was met {times} times only");
    }
    assert!(
        tally.refused < tally.cases / 20,
        "{} of {} cases say nothing",
        tally.refused,
        tally.cases
    );
}

/// Cases that were once merged wrongly, and some of every kind of thing that can happen, with the reference's answers.
const FIXED: &str = include_str!("data/ssa-cases.jsonl");

#[test]
fn fixed_cases_are_merged_as_the_reference_once_did() {
    let Some(upstream) = upstream() else { return };
    let kinds = kinds(&upstream);
    let mut tally = Tally::default();
    for line in FIXED.lines() {
        let fixed: Value = serde_json::from_str(line).expect("a line is JSON");
        let question = &fixed["question"];
        let (kind, version) = find(&kinds, question);
        let case = Case {
            seed: None,
            kind,
            version,
            question: question.clone(),
        };
        let ours = case.ours(&kinds, Twist::None);
        tally.cases += 1;
        if question["op"] == "apply" {
            quick_test(&mut tally.noop, &kinds, &case, &fixed["answer"]);
        }
        judge(&mut tally, &kinds, case, ours, fixed["answer"].clone());
    }
    assert!(tally.cases > 40, "there are {} cases only", tally.cases);
    assert!(tally.noop.wrong.is_empty(), "{}", report_noop(&tally.noop, &kinds));
    assert!(tally.differences.is_empty(), "{}", report(&tally, &kinds));
}

fn find(kinds: &[Kind], question: &Value) -> (usize, usize) {
    let of = &question["config"];
    let is =
        |schema: &fleetwright::schema::Schema| of["kind"] == schema.kind() && of["apiVersion"] == schema.api_version();
    let places = kinds
        .iter()
        .enumerate()
        .flat_map(|(at, kind)| (0..kind.versions.len()).map(move |version| (at, version)));
    let mut places = places.filter(|(at, version)| is(&kinds[*at].versions[*version]));
    places.next().expect("the case is of a kind under test")
}

/// `FLEETWRIGHT_SSA_RECORD=FILE` keeps the shortest case of each thing that a run came upon, by kind.
fn record(tally: &Tally) {
    let Some(path) = std::env::var_os("FLEETWRIGHT_SSA_RECORD") else {
        return;
    };
    let lines: Vec<String> = tally.samples.values().map(|sample| sample.clone() + "\n").collect();
    std::fs::write(path, lines.concat()).expect("the file is writable");
}

fn sample(tally: &mut Tally, what: &'static str, case: &Case, answer: &Value) {
    let line = json!({"what": what, "question": case.question, "answer": answer}).to_string();
    let kept = tally.samples.entry((what, case.kind)).or_insert_with(|| line.clone());
    if line.len() < kept.len() {
        *kept = line;
    }
}

#[test]
fn a_merge_that_is_broken_on_purpose_is_found_out() {
    let Some(upstream) = upstream() else { return };
    let Some(mut reference) = Reference::start(&upstream) else {
        return;
    };
    let kinds = kinds(&upstream);
    for twist in [Twist::AlwaysForce, Twist::NeverRelease] {
        let tally = run(&mut reference, &kinds, 600, twist);
        assert!(tally.differences.len() > 5, "{twist:?} went unnoticed");
    }
}
