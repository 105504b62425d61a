//! Why a plan changes something: the line of the fleet files, and the commit that set it.

use serde_json::{Value, json};

use crate::cli::Workplace;
use crate::fleet_support::repository;
use crate::plan_against::{commit_as, committed, edit};

/// `object field file:line commit` of every field that says where it is typed.
fn typed(plan: &Value) -> Vec<String> {
    let changes = plan["changes"].as_array().expect("changes").iter();
    changes
        .flat_map(|change| {
            let name = change["object"]["name"].as_str().unwrap_or_default();
            let fields = change["fields"].as_array().cloned().unwrap_or_default();
            let said = |field: &Value| {
                let typed = &field["typed"];
                let place = format!("{}:{}", typed["file"].as_str()?, typed["line"]);
                Some(format!(
                    "{name} {} {place} {}",
                    field["field"].as_str()?,
                    typed["subject"]
                ))
            };
            fields.iter().filter_map(said).collect::<Vec<_>>()
        })
        .collect()
}

fn of_base(place: &Workplace, base: &str) -> Value {
    place.run(&["plan", "--against", base, "-o", "json"]).exits(0).json()
}

/// Where a text stands in a file, from 1.
fn line(place: &Workplace, file: &str, text: &str) -> usize {
    let whole = std::fs::read_to_string(place.fleet().join(file)).expect("the file");
    whole.lines().position(|line| line.contains(text)).expect("the line") + 1
}

#[test]
fn a_field_is_traced_to_its_line_and_to_the_commit_that_set_it() {
    let place = committed();
    let first = commit_as(&place, "as it was");
    edit(
        &place,
        "clusters/prod.yaml",
        "memory: {profile: memory, replicas: 6}",
        "memory: {profile: memory, replicas: 7}",
    );
    commit_as(&place, "Give search a node more\n\nIt was slow.");
    // A line above moves it, and another commit has nothing to do with it.
    edit(
        &place,
        "clusters/prod.yaml",
        "kind: Cluster\nmetadata: {name: orders}",
        "# ours\nkind: Cluster\nmetadata: {name: orders}",
    );
    commit_as(&place, "Say whose they are");

    let plan = of_base(&place, &format!("git:{first}"));
    let at = line(&place, "clusters/prod.yaml", "replicas: 7");
    assert_eq!(
        typed(&plan),
        [format!(
            "search-memory .spec.replicas clusters/prod.yaml:{at} \"Give search a node more\""
        )]
    );
    let text = place
        .run(&["plan", "--against", &format!("git:{first}")])
        .exits(0)
        .stdout;
    let wanted = format!(".spec.replicas: 6 → 7  clusters/prod.yaml:{at}, commit ");
    assert!(
        text.contains(&wanted) && text.contains(": Give search a node more\n"),
        "{text}"
    );

    // What is in no commit says so; what was committed before the base has no commit to show.
    edit(
        &place,
        "clusters/prod.yaml",
        "memory: {profile: memory, replicas: 7}",
        "memory: {profile: memory, replicas: 8}",
    );
    let text = place.run(&["plan", "--against", "git:HEAD"]).exits(0).stdout;
    let wanted = format!(".spec.replicas: 7 → 8  clusters/prod.yaml:{at}, not committed\n");
    assert!(text.contains(&wanted), "{text}");
}

#[test]
fn an_edit_of_a_profile_is_shown_at_the_profile_for_every_pool() {
    let place = committed();
    edit(&place, "profiles.yaml", "memoryInGBs: 128", "memoryInGBs: 256");
    commit_as(&place, "More memory");
    let said = typed(&of_base(&place, "git:HEAD~1"));
    let at = line(&place, "profiles.yaml", "memoryInGBs: 256");
    assert!(said.len() > 2, "{said:?}");
    for one in said.iter().filter(|one| one.contains("memoryInGBs")) {
        assert!(one.ends_with(&format!("profiles.yaml:{at} \"More memory\"")), "{one}");
    }
}

#[test]
fn what_the_sandbox_was_last_given_is_where_the_history_begins() {
    let place = committed();
    edit(
        &place,
        "clusters/dev.yaml",
        "spare: {profile: small, replicas: 1",
        "spare: {profile: small, replicas: 2",
    );
    commit_as(&place, "Before the first apply");
    place.run(&["apply", "--sandbox", "--yes", "--quiet"]).exits(0);
    place.write(
        "clusters/new.yaml",
        "kind: Cluster\nmetadata: {name: shiny}\nspec: {environment: dev, region: us-ashburn-1, pools: [small]}\n",
    );
    edit(
        &place,
        "clusters/dev.yaml",
        "spare: {profile: small, replicas: 2",
        "spare: {profile: small, replicas: 3",
    );
    commit_as(&place, "Add shiny");
    let plan = place.run(&["plan", "--sandbox", "-o", "json"]).exits(0).json();
    let at = line(&place, "clusters/dev.yaml", "spare: {profile: small, replicas: 3");
    assert_eq!(
        typed(&plan),
        [format!(
            "team-c-spare .spec.replicas clusters/dev.yaml:{at} \"Add shiny\""
        )]
    );
    let changes = plan["changes"].as_array().expect("changes");
    let created: Vec<&Value> = changes.iter().filter(|change| change["action"] == "create").collect();
    assert!(!created.is_empty());
    for change in created {
        assert_eq!(change["typed"]["file"], json!("clusters/new.yaml"), "{change}");
        assert_eq!(change["typed"]["subject"], json!("Add shiny"), "{change}");
    }
}

/// A pool that names no version runs what its cluster's settings say.
#[test]
fn a_pool_s_release_is_traced_to_its_cluster_s_version() {
    let place = committed();
    let with = |version: &str| {
        let text = format!(
            "kind: Cluster\nmetadata: {{name: shiny}}\nspec:\n  environment: dev\n  region: us-ashburn-1\n  version: \
             {version}\n  pools: [small]\n"
        );
        place.write("clusters/new.yaml", &text);
    };
    with("4.20.1");
    commit_as(&place, "Add shiny");
    with("4.20.3");
    commit_as(&place, "Upgrade shiny");
    let said = typed(&of_base(&place, "git:HEAD~1"));
    for name in ["shiny", "shiny-small"] {
        let wanted = format!("{name} .spec.release.image clusters/new.yaml:6 \"Upgrade shiny\"");
        assert!(said.contains(&wanted), "{name}: {said:?}");
    }
}

#[test]
fn a_cluster_that_goes_is_traced_to_the_line_that_lets_go_of_it() {
    let place = committed();
    let first = commit_as(&place, "as it was");
    edit(&place, "clusters/dev.yaml", "    sandbox: {", "    # sandbox: {");
    edit(
        &place,
        "fleet.yaml",
        "metadata: {name: acme}\nspec:\n",
        "metadata: {name: acme}\nspec:\n  decommission:\n    - {cluster: sandbox, reason: nobody uses it}\n",
    );
    commit_as(&place, "Let go of the sandbox");
    let base = format!("git:{first}");
    let plan = of_base(&place, &base);
    let at = line(&place, "fleet.yaml", "cluster: sandbox");
    let changes = plan["changes"].as_array().expect("changes");
    let gone: Vec<&Value> = changes
        .iter()
        .filter(|change| change["unit"]["name"] == "sandbox")
        .collect();
    assert!(gone.len() > 3, "{plan}");
    for change in gone {
        assert_eq!(change["action"], "delete", "{change}");
        assert_eq!(change["typed"]["file"], "fleet.yaml", "{change}");
        assert_eq!(change["typed"]["line"], at, "{change}");
        assert_eq!(change["typed"]["subject"], "Let go of the sandbox", "{change}");
    }
    let text = place.run(&["plan", "--against", &base]).exits(0).stdout;
    let wanted = format!("  fleet.yaml:{at}, commit ");
    assert!(
        text.contains(&wanted) && text.contains("Let go of the sandbox"),
        "{text}"
    );
}

#[test]
fn what_clusters_of_machines_are_made_of_is_traced_through_patches_and_spread_pools() {
    let place = Workplace::copy_of(&repository("examples/cluster-api"));
    git2::Repository::init(place.path()).expect("a repository");
    let pool = |size: u8| format!("md-0: {{profile: e5, failureDomains: [1, 2], replicas: {size}}}");
    edit(&place, "clusters/default.yaml", "md-0: {profile: e5}", &pool(4));
    let first = commit_as(&place, "as it was");
    edit(&place, "clusters/default.yaml", &pool(4), &pool(5));
    edit(
        &place,
        "clusters/arm-free-tier.yaml",
        "arm-free-tier-test-vcn",
        "arm-free-tier-other-vcn",
    );
    commit_as(&place, "Grow");

    let found = typed(&of_base(&place, &format!("git:{first}")));
    for (field, file, text) in [
        (
            "arm-free-tier .spec.networkSpec.vcn.name",
            "clusters/arm-free-tier.yaml",
            "arm-free-tier-other-vcn",
        ),
        ("default-md-0-1 .spec.replicas", "clusters/default.yaml", "replicas: 5"),
    ] {
        let at = format!(" {file}:{} \"Grow\"", line(&place, file, text));
        let is_it = |said: &String| said.starts_with(field) && said.ends_with(&at);
        assert!(found.iter().any(is_it), "{field}{at}: {found:#?}");
    }
    assert_eq!(found.len(), 2, "{found:#?}");
}
