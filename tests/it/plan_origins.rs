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

/// `name commit's subject was`, of what goes while its cluster stays.
fn taken_out(plan: &Value) -> Vec<String> {
    let changes = plan["changes"].as_array().expect("changes").iter();
    let said = changes.filter(|change| change["takenOut"].is_object()).map(|change| {
        let (name, out) = (&change["object"]["name"], &change["takenOut"]);
        let subject = out["subject"].as_str().unwrap_or("not committed");
        let was = &out["was"];
        format!(
            "{} {subject} {}:{}",
            name.as_str().expect("a name"),
            was["file"].as_str().unwrap_or("-"),
            was["line"]
        )
    });
    said.collect()
}

#[test]
fn an_object_that_goes_is_traced_to_the_commit_that_took_it_out_and_to_the_line_that_went() {
    let place = committed();
    let first = commit_as(&place, "as it was");
    let file = "clusters/prod.yaml";
    // Whoever merely changes the line, or moves it, has not taken the pool out.
    edit(
        &place,
        file,
        "replicas: 6}, gpu: {profile: gpu}",
        "replicas: 7}, gpu: {profile: gpu}",
    );
    commit_as(&place, "Give search a node more");
    edit(
        &place,
        file,
        "kind: Cluster\nmetadata: {name: orders}",
        "# ours\nkind: Cluster\nmetadata: {name: orders}",
    );
    commit_as(&place, "Say whose they are");
    let pool = line(&place, file, "gpu: {profile: gpu}}");
    edit(&place, file, "replicas: 7}, gpu: {profile: gpu}", "replicas: 7}");
    commit_as(&place, "No more GPUs");
    let runbook = line(&place, file, "- apiVersion: v1");
    let extra = "  extraManifests:\n    - apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: search-runbook, namespace: \
                 clusters-search}\n      data: {url: \"https://runbooks.acme.example/search\"}\n";
    edit(&place, file, extra, "");
    commit_as(&place, "The runbook is elsewhere");
    edit(&place, "clusters/dev.yaml", "kind: Cluster", "# Theirs.\nkind: Cluster");
    commit_as(&place, "Say whose these are");

    let base = format!("git:{first}");
    let args = ["plan", "--against", &base, "--cluster", "search"];
    let plan = place.run(&[&args[..], &["-o", "json"]].concat()).exits(0).json();
    assert_eq!(
        taken_out(&plan),
        [
            format!("search-runbook The runbook is elsewhere {file}:{runbook}"),
            format!("search-gpu No more GPUs {file}:{pool}"),
        ]
    );
    let text = place.run(&args).exits(0).stdout;
    let wanted = format!(": No more GPUs (it was {file}:{pool})\n");
    assert!(
        text.contains("taken out by commit ") && text.contains(&wanted),
        "{text}"
    );

    // What nobody has committed yet says so.
    let memory = line(&place, file, "memory: {profile: memory, replicas: 7}");
    edit(&place, file, "memory: {profile: memory, replicas: 7}", "");
    let plan = of_base(&place, "git:HEAD");
    assert_eq!(
        taken_out(&plan),
        [format!("search-memory not committed {file}:{memory}")]
    );
}

#[test]
fn of_what_was_applied_last_it_is_the_commits_since_that_are_looked_through() {
    let place = committed();
    commit_as(&place, "as it was");
    place.run(&["apply", "--sandbox", "--yes", "--quiet"]).exits(0);
    edit(
        &place,
        "clusters/prod.yaml",
        "replicas: 6}, gpu: {profile: gpu}",
        "replicas: 6}",
    );
    commit_as(&place, "No more GPUs");
    let plan = place.run(&["plan", "--sandbox", "-o", "json"]).exits(0).json();
    let said = taken_out(&plan);
    assert!(
        said.len() == 1 && said[0].starts_with("search-gpu No more GPUs clusters/prod.yaml:"),
        "{said:?}"
    );
}

#[test]
fn a_field_of_a_manifest_that_is_typed_as_it_is_is_traced_to_its_own_line() {
    let place = committed();
    let file = "clusters/prod.yaml";
    let (url, edited) = ("runbooks.acme.example/search", "runbooks.acme.example/find");
    // What was last applied is in no commit: of what came since, only that is known which is in none either.
    edit(
        &place,
        file,
        "kind: Cluster\nmetadata: {name: orders}",
        "# ours\nkind: Cluster\nmetadata: {name: orders}",
    );
    place.run(&["apply", "--sandbox", "--yes", "--quiet"]).exits(0);
    commit_as(&place, "Say whose they are");
    edit(&place, file, url, edited);
    let at = line(&place, file, edited);
    let text = place.run(&["plan", "--sandbox"]).exits(0).stdout;
    let wanted = format!("  {file}:{at}, not committed");
    assert!(text.contains(&wanted), "{text}");

    commit_as(&place, "The runbook has moved");
    let plan = of_base(&place, "git:HEAD~1");
    assert_eq!(
        typed(&plan),
        [format!(
            "search-runbook .data.url {file}:{at} \"The runbook has moved\""
        )]
    );
}

#[test]
fn of_a_list_over_several_lines_it_is_the_line_that_changed() {
    let place = committed();
    let whole = std::fs::read_to_string(place.fleet().join("profiles.yaml")).expect("the file");
    let gpu = whole
        .lines()
        .find(|line| line.contains("taints:"))
        .expect("taints")
        .to_owned();
    let list = |second: &str| {
        format!("  taints:\n    - \"nvidia.com/gpu=true:NoSchedule\"\n    - \"{second}=true:NoSchedule\"")
    };
    edit(&place, "profiles.yaml", &gpu, &list("a.example"));
    commit_as(&place, "Two taints");
    edit(&place, "profiles.yaml", "a.example", "b.example");
    commit_as(&place, "Another second one");
    let at = line(&place, "profiles.yaml", "b.example");
    let said = typed(&of_base(&place, "git:HEAD~1"));
    let wanted = format!(".spec.taints profiles.yaml:{at} \"Another second one\"");
    assert!(
        !said.is_empty() && said.iter().all(|one| one.ends_with(&wanted)),
        "{said:?}"
    );
}

#[test]
fn a_pool_that_is_new_in_a_cluster_is_traced_to_its_own_line() {
    let place = committed();
    let file = "clusters/prod.yaml";
    edit(
        &place,
        file,
        "  pools: {general: {profile: general}, memory: {profile: memory, replicas: 6}, gpu: {profile: gpu}}\n",
        "  pools:\n    general: {profile: general}\n    memory: {profile: memory, replicas: 6}\n    gpu: {profile: gpu}\n",
    );
    commit_as(&place, "A line for each pool");
    place.run(&["apply", "--sandbox", "--yes", "--quiet"]).exits(0);
    edit(
        &place,
        file,
        "    gpu: {profile: gpu}\n",
        "    gpu: {profile: gpu}\n    tiny: {profile: small, replicas: 1}\n",
    );
    commit_as(&place, "A pool for small things");
    let at = line(&place, file, "tiny:");
    for args in [&["plan", "--sandbox"][..], &["plan", "--against", "git:HEAD~1"]] {
        let plan = place.run(&[args, &["-o", "json"]].concat()).exits(0).json();
        let changes = plan["changes"].as_array().expect("changes");
        let new = changes
            .iter()
            .find(|change| change["object"]["name"] == "search-tiny")
            .expect("the pool");
        assert_eq!(
            (&new["typed"]["file"], &new["typed"]["line"]),
            (&json!(file), &json!(at)),
            "{new}"
        );
        assert_eq!(new["typed"]["subject"], "A pool for small things", "{new}");
        let text = place.run(args).exits(0).stdout;
        assert!(text.contains(&format!("\n      {file}:{at}, commit ")), "{text}");
    }
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

#[test]
fn an_entry_of_a_map_is_traced_to_its_own_line_and_to_no_other_entry_s() {
    let place = committed();
    let file = "clusters/prod.yaml";
    let (bare, labelled) = (
        "memory: {profile: memory, replicas: 6}",
        "memory: {profile: memory, replicas: 6, nodeLabels: {tier: gold}}",
    );
    edit(&place, file, bare, labelled);
    commit_as(&place, "Gold");
    let said = typed(&of_base(&place, "git:HEAD~1"));
    let at = line(&place, file, "tier: gold");
    assert_eq!(
        said,
        [format!("search-memory .spec.nodeLabels.tier {file}:{at} \"Gold\"")]
    );

    // What is no longer said anywhere is said by no line: that of another label is none of it.
    edit(&place, file, labelled, bare);
    commit_as(&place, "No gold");
    let plan = of_base(&place, "git:HEAD~1");
    let changes = plan["changes"].as_array().expect("changes");
    let fields = changes[0]["fields"].as_array().expect("fields");
    assert_eq!(fields[0]["field"], ".spec.nodeLabels.tier");
    assert_ne!(fields[0]["typed"]["file"], "profiles.yaml", "{}", fields[0]);
}

#[test]
fn what_comes_with_another_environment_or_profile_is_traced_to_the_line_that_names_it() {
    let place = committed();
    let with = |environment: &str, profile: &str| {
        let text = format!(
            "kind: Cluster\nmetadata: {{name: shiny}}\nspec:\n  environment: {environment}\n  region: us-ashburn-1\n  \
             compartment: nonprod\n  pools:\n    one:\n      profile: {profile}\n"
        );
        place.write("clusters/new.yaml", &text);
    };
    with("dev", "small");
    commit_as(&place, "Add shiny");
    with("stage", "small");
    commit_as(&place, "Stage shiny");
    let base = ["plan", "--against", "git:HEAD~1", "-o", "json"];
    let plan: Value = serde_json::from_str(&place.run(&base).stdout).expect("a plan");
    let said = typed(&plan);
    let of_hosted: Vec<&String> = said.iter().filter(|one| one.starts_with("shiny .spec.")).collect();
    assert!(of_hosted.len() > 1, "{plan:#}");
    for one in of_hosted {
        assert!(one.ends_with("clusters/new.yaml:4 \"Stage shiny\""), "{one}");
    }

    with("stage", "memory");
    commit_as(&place, "More memory for shiny");
    let said = typed(&of_base(&place, "git:HEAD~1"));
    let memory = "shiny-one .spec.platform.oci.memoryInGBs clusters/new.yaml:9 \"More memory for shiny\"";
    assert!(said.contains(&memory.to_owned()), "{said:#?}");
}
