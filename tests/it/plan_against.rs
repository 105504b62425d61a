//! Plans that talk to nobody: a fleet compared with another revision of it, with another directory, with what was rendered.

use std::path::Path;

use serde_json::Value;

use crate::cli::Workplace;
use crate::fleet_support::repository;

/// A copy of the demo fleet in a repository of its own.
pub(crate) fn committed() -> Workplace {
    let place = Workplace::copy_of(&repository("fleet"));
    git2::Repository::init(place.path()).expect("a repository");
    commit(&place);
    place
}

fn commit(place: &Workplace) -> String {
    commit_as(place, "more")
}

/// Commits all there is; gives the commit's id.
pub(crate) fn commit_as(place: &Workplace, message: &str) -> String {
    let repository = git2::Repository::open(place.path()).expect("the repository");
    let mut index = repository.index().expect("an index");
    index
        .add_all(["fleet"], git2::IndexAddOption::DEFAULT, None)
        .expect("the files");
    index.update_all(["fleet"], None).expect("what is gone");
    index.write().expect("an index");
    let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("it");
    let author = git2::Signature::now("a", "a@example.com").expect("an author");
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    let made = repository.commit(Some("HEAD"), &author, &author, message, &tree, &parents);
    made.expect("a commit").to_string()
}

#[track_caller]
pub(crate) fn edit(place: &Workplace, path: &str, from: &str, to: &str) {
    let file = place.fleet().join(path);
    let before = std::fs::read_to_string(&file).expect("the file");
    assert!(before.contains(from), "{path} has no {from}");
    place.write(path, &before.replace(from, to));
}

/// `action object field before after` of every field that changes, and `action object` of what has none.
fn said(plan: &Value) -> Vec<String> {
    let changes = plan["changes"].as_array().expect("changes").iter();
    changes
        .flat_map(|change| {
            let object = format!(
                "{} {}/{}",
                change["action"].as_str().unwrap_or_default(),
                change["object"]["kind"].as_str().unwrap_or_default(),
                change["object"]["name"].as_str().unwrap_or_default()
            );
            let fields = change["fields"].as_array().cloned().unwrap_or_default();
            if fields.is_empty() {
                return vec![object];
            }
            let field = |field: &Value| {
                let name = field["field"].as_str().unwrap_or_default();
                format!("{object} {name} {} {}", field["before"], field["after"])
            };
            fields.iter().map(field).collect()
        })
        .collect()
}

#[test]
fn what_is_as_it_was_is_no_change() {
    let place = committed();
    let plan = place
        .run(&["plan", "--against", "git:HEAD", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(plan["changes"], Value::Array(Vec::new()));
    assert!(
        plan["summary"]["unchanged"].as_u64().is_some_and(|count| count > 150),
        "{}",
        plan["summary"]
    );
}

#[test]
fn a_branch_is_compared_field_by_field_without_a_cluster() {
    let place = committed();
    let first = commit(&place);
    edit(
        &place,
        "clusters/prod.yaml",
        "memory: {profile: memory, replicas: 6}",
        "memory: {profile: memory, replicas: 7}",
    );
    let plan = place
        .run(&["plan", "--against", "git:HEAD", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(said(&plan), ["update NodePool/search-memory .spec.replicas 6 7"]);
    // The same of a commit, by its id, once there is another on top of it.
    commit(&place);
    let by_id = format!("git:{first}");
    let ran = place.run(&["plan", "--against", &by_id, "-o", "json"]).exits(0);
    assert_eq!(said(&ran.json()), ["update NodePool/search-memory .spec.replicas 6 7"]);
    assert!(ran.stderr.contains(&first), "{}", ran.stderr);
    let coded = place
        .run(&["plan", "--against", &by_id, "--detailed-exitcode"])
        .exits(2);
    assert!(coded.stdout.contains("search-memory"), "{}", coded.stdout);
    assert!(
        !coded.stdout.contains("set by"),
        "nobody has written it: {}",
        coded.stdout
    );
    let other = place
        .run(&["plan", "--against", &by_id, "--cluster", "orders", "-o", "json"])
        .exits(0);
    assert_eq!(other.json()["changes"], Value::Array(Vec::new()));
}

/// `object field file:line commit` of every field that changes; the commit is its subject.
fn traced(plan: &Value) -> Vec<String> {
    let changes = plan["changes"].as_array().expect("changes").iter();
    let fields = changes.flat_map(|change| {
        let object = &change["object"];
        let fields = change["fields"].as_array().into_iter().flatten();
        fields.map(move |field| (object, field))
    });
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    fields
        .map(|(object, field)| {
            let typed = &field["typed"];
            format!(
                "{}/{} {} {}:{} {}",
                text(&object["kind"]),
                text(&object["name"]),
                text(&field["field"]),
                text(&typed["file"]),
                typed["line"],
                text(&typed["subject"])
            )
        })
        .collect()
}

#[test]
fn what_a_shared_document_changes_is_traced_to_its_line_and_commit() {
    let place = committed();
    let since = format!("git:{}", commit(&place));
    let plan = || place.run(&["plan", "--against", &since, "-o", "json"]).exits(0).json();
    // A ring of a release, which many clusters run; that line is older that says which.
    edit(
        &place,
        "releases.yaml",
        "    2: {controlPlane: 4.19.12,",
        "    2: {controlPlane: 4.19.14,",
    );
    commit_as(&place, "Roll out 4.19.14");
    let of_ring = traced(&plan());
    assert!(of_ring.len() > 2, "{of_ring:#?}");
    for line in &of_ring {
        assert!(
            line.starts_with("HostedCluster/") && line.contains(" .spec.release.image "),
            "{line}"
        );
        assert!(line.ends_with(" releases.yaml:7 Roll out 4.19.14"), "{line}");
    }
    // A network that clusters share.
    edit(
        &place,
        "networks.yaml",
        "  compartment: nonprod\n  peerWith",
        "  compartment: nonprod\n  tags: {team: net}\n  peerWith",
    );
    commit_as(&place, "Tag the shared network");
    let all = traced(&plan());
    let of_network: Vec<&String> = all.iter().filter(|line| !of_ring.contains(line)).collect();
    assert!(of_network.len() > 5, "{all:#?}");
    for line in of_network {
        assert!(line.contains(" .spec.freeformTags.team "), "{line}");
        assert!(line.ends_with(" networks.yaml:7 Tag the shared network"), "{line}");
    }
}

#[test]
fn a_pool_and_a_cluster_that_leave_the_files_are_deletes_and_guards_have_their_say() {
    let place = committed();
    edit(
        &place,
        "clusters/dev.yaml",
        ", pools: {spare: {profile: small, replicas: 1}}",
        "",
    );
    let plan = place
        .run(&["plan", "--against", "git:HEAD", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(said(&plan), ["delete NodePool/team-c-spare"]);

    // A whole cluster goes by a commit that says so, and not by the lack of a file.
    place.remove("clusters/payments.yaml");
    let refused = place
        .run(&["plan", "--against", "git:HEAD", "-o", "json"])
        .exits(3)
        .json();
    let of_payments = said(&refused)
        .iter()
        .filter(|line| line.starts_with("delete ") && line.contains("payments"))
        .count();
    assert!(of_payments > 10, "{refused:#}");
    let refusals = refused["refusals"].to_string();
    assert!(refusals.contains("decommission"), "{refusals}");
}

#[test]
fn a_removed_cluster_alone_is_judged_as_one_of_a_whole_fleet() {
    let place = committed();
    place.remove("clusters/payments.yaml");
    let refused = place
        .run(&["plan", "--against", "git:HEAD", "-o", "json"])
        .exits(3)
        .json();
    let guards: Vec<&str> = refused["refusals"]
        .as_array()
        .expect("refusals")
        .iter()
        .filter_map(|refusal| refusal["guard"].as_str())
        .collect();
    assert_eq!(guards, ["protected"], "{refused:#}");
}

#[test]
fn a_cap_in_percent_is_of_the_whole_fleet() {
    let place = committed();
    edit(&place, "fleet.yaml", "limits: {deletes: 2}", "limits: {deletes: 3%}");
    commit(&place);
    edit(
        &place,
        "clusters/dev.yaml",
        ", pools: {spare: {profile: small, replicas: 1}}",
        "",
    );
    let plan = place
        .run(&["plan", "--against", "git:HEAD", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(said(&plan), ["delete NodePool/team-c-spare"]);
}

#[test]
fn a_revision_without_a_lock_is_the_same_fleet() {
    let place = Workplace::new(&[]);
    place.run(&["init", "fleet"]).exits(0);
    git2::Repository::init(place.path()).expect("a repository");
    commit(&place);
    place.run(&["lock"]).exits(0);
    let ran = place.run(&["plan", "--against", "git:HEAD", "-o", "json"]).exits(0);
    assert_eq!(ran.json()["changes"], Value::Array(Vec::new()), "{}", ran.stdout);
    assert!(ran.stderr.contains("has no fleet.lock"), "{}", ran.stderr);
}

#[test]
fn a_new_cluster_refers_to_what_is_known_only_once_it_is_there() {
    let place = committed();
    place.write(
        "clusters/new.yaml",
        "kind: Cluster\nmetadata: {name: team-new}\nspec: {environment: prod, region: us-ashburn-1, owner: a, pools: [general]}\n",
    );
    place.run(&["lock"]).exits(0);
    let plan = place
        .run(&["plan", "--against", "git:HEAD", "-o", "json"])
        .exits(0)
        .json();
    let said = said(&plan);
    assert!(
        said.iter().any(|line| line == "create HostedCluster/team-new"),
        "{said:#?}"
    );
    assert!(said.iter().any(|line| line == "create Vcn/team-new"), "{said:#?}");
    // Nothing else of the fleet is touched.
    assert!(said.iter().all(|line| line.starts_with("create ")), "{said:#?}");
}

#[test]
fn what_was_rendered_into_a_directory_is_compared_as_well_as_another_fleet() {
    let place = committed();
    place.run(&["render", "--output", "before"]).exits(0);
    let same = place
        .run(&["plan", "--against", "before", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(same["changes"], Value::Array(Vec::new()), "{same:#}");
    edit(
        &place,
        "clusters/prod.yaml",
        "memory: {profile: memory, replicas: 6}",
        "memory: {profile: memory, replicas: 7}",
    );
    let wanted = ["update NodePool/search-memory .spec.replicas 6 7"];
    let plan = place
        .run(&["plan", "--against", "before", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(said(&plan), wanted);
    let demo = repository("fleet");
    let plan = place
        .run(&["plan", "--against", path(&demo), "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(said(&plan), wanted);
}

#[test]
fn a_unit_that_did_not_render_there_is_not_known_and_no_new_one() {
    let place = committed();
    edit(
        &place,
        "clusters/prod.yaml",
        "memory: {profile: memory, replicas: 6}",
        "memory: {profile: memory, replicsa: 6}",
    );
    commit(&place);
    edit(&place, "clusters/prod.yaml", "replicsa", "replicas");
    let ran = place.run(&["plan", "--against", "git:HEAD", "-o", "json"]).exits(1);
    let plan = ran.json();
    assert!(
        said(&plan).iter().all(|line| line.starts_with("leave ")),
        "{:#?}",
        said(&plan)
    );
    assert!(plan.to_string().contains("has errors in"), "{plan:#}");
    assert!(ran.stderr.contains("not known"), "{}", ran.stderr);
}

#[test]
fn what_stood_in_a_file_that_can_not_be_read_is_not_known_and_no_new_one() {
    let place = committed();
    let whole = std::fs::read_to_string(place.fleet().join("clusters/payments.yaml")).expect("the file");
    place.write("clusters/payments.yaml", "kind: Cluster\nmetadata: {name: [}\n");
    commit(&place);
    place.write("clusters/payments.yaml", &whole);
    let ran = place.run(&["plan", "--against", "git:HEAD", "-o", "json"]).exits(1);
    let said = said(&ran.json());
    assert!(
        !said.is_empty() && said.iter().all(|line| line.starts_with("leave ")),
        "{said:#?}"
    );
    assert!(ran.stderr.contains("not all of"), "{}", ran.stderr);
}

#[test]
fn what_can_not_be_compared_is_said_plainly() {
    let place = committed();
    let says = |what: &str, words: &str| {
        let ran = place.run(&["plan", "--against", what]);
        assert_ne!(ran.code, 0, "{what}");
        assert!(ran.stderr.contains(words), "{what}: {}", ran.stderr);
    };
    says("git:nowhere", "no commit `nowhere`");
    says("git:", "name a revision");
    says("no-such-directory", "nor a directory");
    std::fs::create_dir(place.path().join("empty")).expect("a directory");
    says("empty", "neither fleet files nor");
    let outside = Workplace::copy_of(&repository("fleet"));
    let ran = outside.run(&["plan", "--against", "git:HEAD"]).exits(1);
    assert!(ran.stderr.contains("no Git working tree"), "{}", ran.stderr);
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}
