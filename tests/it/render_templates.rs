//! A fleet's own templates: what they can do, and how their mistakes are shown.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fleetwright::diag::{Code, Diagnostic, Span, Typed};
use fleetwright::fleet::model::{Dialect, ExtraManifest, NodePool};
use fleetwright::render::{Rendered, TemplateSet, render};
use fleetwright::resource::{ClusterName, NodePoolName, UnitId};
use serde_json::{Value, json};

use crate::render_fixture::{cluster, fleet, gpu_pool, hosted};

const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ cluster.namespace }}}\n";

fn files(files: &[(&str, &str)]) -> Vec<(String, String, Arc<str>)> {
    let file = |(name, text): &(&str, &str)| {
        let path = format!("templates/{name}").into();
        ((*name).to_owned(), (*text).to_owned(), path)
    };
    files.iter().map(file).collect()
}

fn with(overrides: &[(&str, &str)]) -> Rendered {
    let templates = TemplateSet::new(&files(overrides)).unwrap();
    render(&fleet([cluster("payments", Dialect::None)]), &templates)
}

fn unit() -> UnitId {
    UnitId::Cluster(ClusterName::new("payments"))
}

/// The one problem of a rendering in which the cluster alone fails.
fn problem(overrides: &[(&str, &str)]) -> Diagnostic {
    let mut rendered = with(overrides);
    assert!(rendered.failed.contains(&unit()));
    assert_eq!(rendered.diagnostics.len(), 1, "{:?}", rendered.diagnostics);
    rendered.diagnostics.remove(0)
}

fn place(problem: &Diagnostic) -> (&str, u32, u32) {
    let span = problem.span.as_ref().unwrap();
    (&span.file, span.line, span.column)
}

fn body(rendered: &Rendered, kind: &str) -> Value {
    let unit = rendered
        .units
        .get(&unit())
        .unwrap_or_else(|| panic!("{:?}", rendered.diagnostics));
    let manifest = unit.manifests.iter().find(|manifest| manifest.id.kind == kind).unwrap();
    manifest.body()
}

/// What the override of a test gives; the trust bundle is the other ConfigMap.
fn config(rendered: &Rendered) -> Value {
    let unit = rendered
        .units
        .get(&unit())
        .unwrap_or_else(|| panic!("{:?}", rendered.diagnostics));
    let mut found = unit
        .manifests
        .iter()
        .filter(|manifest| manifest.id.kind == "ConfigMap" && manifest.id.name != "payments-trust-bundle");
    found.next().unwrap().body()
}

#[test]
fn an_override_replaces_the_built_in_template_and_keeps_labels_and_mark() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ cluster.namespace }}\n  labels: {extra: \"1\", fleetwright.dev/fleet: other}\n";
    let rendered = with(&[("node-pools.yaml.j2", text)]);
    let metadata = config(&rendered)["metadata"].clone();
    assert_eq!(metadata["labels"]["extra"], "1");
    assert_eq!(metadata["labels"]["fleetwright.dev/fleet"], "acme");
    assert!(
        metadata["annotations"]["fleetwright.dev/owner"]
            .as_str()
            .unwrap()
            .contains("clusters-payments")
    );
}

#[test]
fn a_part_can_be_imported_and_fails_at_its_own_line() {
    let part = "{% macro name(cluster) %}\n{{ cluster.nmespace }}{% endmacro %}\n";
    let text = "{% import \"_parts.j2\" as parts %}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ parts.name(cluster) }}}\n";
    let good = part.replace("nmespace", "namespace");
    let rendered = with(&[("node-pools.yaml.j2", text), ("_parts.j2", &good)]);
    assert_eq!(config(&rendered)["metadata"]["name"], "clusters-payments");
    let problem = problem(&[("node-pools.yaml.j2", text), ("_parts.j2", part)]);
    assert_eq!(
        (problem.code, place(&problem)),
        (Code::Template, ("templates/_parts.j2", 2, 4))
    );
}

#[test]
fn an_undefined_variable_is_shown_where_it_stands() {
    let problem = problem(&[(
        "node-pools.yaml.j2",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ cluster.nmae }}\n",
    )]);
    assert_eq!(problem.code, Code::Template);
    assert_eq!(place(&problem), ("templates/node-pools.yaml.j2", 4, 12));
    assert!(problem.message.contains("not defined"), "{}", problem.message);
    assert!(problem.label.contains("nmae"), "{}", problem.label);
    assert_eq!(problem.clusters, ["payments"]);
}

#[test]
fn a_template_that_does_not_compile_is_shown_where_it_breaks() {
    let problems = TemplateSet::new(&files(&[
        ("node-pools.yaml.j2", "a: 1\n{% if %}\n"),
        ("copies.yaml.j2", "{{ }"),
    ]));
    let problems = problems.err().unwrap();
    let places: Vec<_> = problems
        .iter()
        .map(|problem| (problem.code, place(problem).0, place(problem).1))
        .collect();
    assert_eq!(
        places,
        [
            (Code::Template, "templates/node-pools.yaml.j2", 2),
            (Code::Template, "templates/copies.yaml.j2", 1)
        ]
    );
}

#[test]
fn a_name_that_replaces_nothing_is_refused_with_the_nearest() {
    let problems = TemplateSet::new(&files(&[("hosted_cluster.yaml.j2", "")]))
        .err()
        .unwrap();
    assert_eq!(problems[0].code, Code::NotAllowed);
    assert_eq!(problems[0].hints, ["did you mean `hosted-cluster.yaml.j2`?"]);
}

#[test]
fn values_stay_strings_whatever_they_look_like() {
    for value in [
        "no", "1e3", "null", "0x1f", "a: b", "a # b", "- a", "'", "\"", "\\", "{{ x }}", "\u{2028}", "\u{85}",
        "é\u{7f}", "*a", "\t",
    ] {
        let mut cluster = cluster("payments", Dialect::None);
        cluster.labels.insert("look".to_owned(), value.to_owned());
        hosted(&mut cluster).channel = Some(value.to_owned());
        cluster.annotations.insert("look".to_owned(), value.to_owned());
        let rendered = render(&fleet([cluster]), &TemplateSet::new(&[]).unwrap());
        let hosted_cluster = body(&rendered, "HostedCluster");
        assert_eq!(hosted_cluster["spec"]["channel"], value);
        assert_eq!(hosted_cluster["metadata"]["annotations"]["look"], value);
        assert_eq!(hosted_cluster["metadata"]["labels"]["look"], value);
    }
}

#[test]
fn a_value_can_stand_in_longer_text_only_if_it_means_nothing_to_yaml() {
    let text =
        |value: &str| format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ns-{{{{ {value} | text }}}}-x\n");
    let rendered = with(&[("node-pools.yaml.j2", &text("cluster.name"))]);
    assert_eq!(config(&rendered)["metadata"]["name"], "ns-payments-x");
    let problem = problem(&[("node-pools.yaml.j2", &text("'a: b'"))]);
    assert_eq!((problem.code, place(&problem).1), (Code::Template, 4));
}

#[test]
fn a_template_fails_with_words_of_its_own() {
    let problem = problem(&[(
        "node-pools.yaml.j2",
        "\n{{ fail(\"no namespace for \" ~ cluster.name) }}",
    )]);
    assert_eq!(
        (problem.label.as_str(), place(&problem).1),
        ("no namespace for payments", 2)
    );
}

#[test]
fn output_that_is_no_yaml_names_template_line_and_cluster() {
    let problem = problem(&[(
        "node-pools.yaml.j2",
        "apiVersion: v1\nkind: ConfigMap\n  metadata: {}\n",
    )]);
    assert_eq!(problem.code, Code::TemplateOutput);
    for part in ["node-pools.yaml.j2", "line 3", "cluster payments"] {
        assert!(problem.message.contains(part), "{}", problem.message);
    }
    assert!(problem.label.contains("metadata: {}"), "{}", problem.label);
    assert_eq!(problem.clusters, ["payments"]);
}

#[test]
fn output_that_is_no_manifest_is_refused() {
    for text in [
        "- a\n",
        "just text\n",
        "apiVersion: v1\nkind: ConfigMap\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"\"}\n",
        "kind: ConfigMap\nmetadata: {name: a}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: [b]}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: {\"$ref\": \"Subnet/a\"}}\n",
    ] {
        assert_eq!(
            problem(&[("node-pools.yaml.j2", text)]).code,
            Code::TemplateOutput,
            "{text}"
        );
    }
}

#[test]
fn what_must_not_be_rendered_is_refused_whoever_wrote_it() {
    for forbidden in [
        json!({"apiVersion": "hypershift.openshift.io/v1beta1", "kind": "HostedControlPlane", "metadata": {"name": "a"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"key": "plain"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"key": "cGxhaW4="}}),
    ] {
        let problem = problem(&[("node-pools.yaml.j2", &format!("{CONFIG}---\n{forbidden}\n"))]);
        assert_eq!(problem.code, Code::ForbiddenObject);
        assert!(!format!("{problem:?}").contains("plain\""), "{problem:?}");
        let mut cluster = cluster("payments", Dialect::None);
        let span = Span {
            file: "extra.yaml".into(),
            line: 7,
            column: 5,
            start: 90,
            end: 99,
        };
        cluster.extra_manifests = vec![ExtraManifest {
            body: forbidden,
            typed: Typed(Some(span.clone())),
        }];
        let rendered = render(&fleet([cluster]), &TemplateSet::new(&[]).unwrap());
        assert_eq!(rendered.diagnostics[0].code, Code::ForbiddenObject);
        assert_eq!(rendered.diagnostics[0].span, Some(span));
        assert_eq!(rendered.failed, BTreeSet::from([unit()]));
    }
}

#[test]
fn a_mistake_that_many_clusters_meet_is_shown_once_and_names_them_all() {
    let templates = TemplateSet::new(&files(&[("node-pools.yaml.j2", "{{ cluster.nmae }}")])).unwrap();
    let rendered = render(
        &fleet(["c", "a", "b"].map(|name| cluster(name, Dialect::None))),
        &templates,
    );
    assert_eq!(rendered.diagnostics.len(), 1);
    assert_eq!(rendered.diagnostics[0].clusters, ["a", "b", "c"]);
}

#[test]
fn an_object_twice_in_a_cluster_is_refused() {
    let problem = problem(&[("node-pools.yaml.j2", &format!("{CONFIG}---\n{CONFIG}"))]);
    assert_eq!(problem.code, Code::DuplicateObject);
}

#[test]
fn a_loop_or_a_flood_of_output_ends_in_its_budget_within_a_second() {
    let flood = format!("{{% for i in range(100000) %}}{}{{% endfor %}}", "x".repeat(1000));
    let nested = format!("{{% set x = ['y'] %}}{}{{{{ x }}}}", "{% set x = [x, x] %}".repeat(30));
    let replaced = format!(
        "{{% set x = 'yyyyyyyyyyyyyyyy' %}}{}{{{{ x | length }}}}",
        "{% set x = x | replace('y', x) %}".repeat(20)
    );
    let joined = format!(
        "{{% set x = 'y' %}}{}{{{{ x | length }}}}",
        "{% set x = [x, x] | join %}".repeat(31)
    );
    let deep = format!(
        "{}{{% include 'node-pools.yaml.j2' %}}",
        "{% set cluster = [cluster] %}".repeat(32)
    );
    let capture = "{% set text %}{% for i in range(100000) %}{{ cluster }}{% endfor %}{% endset %}{{ text }}";
    for text in [
        "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
        "{% macro a(n) %}{{ a(n + 1) }}{% endmacro %}{{ a(0) }}",
        "{% include \"node-pools.yaml.j2\" %}",
        capture,
        &flood,
        &nested,
        &deep,
        &replaced,
        &joined,
        "{% set ns = namespace(x='y') %}{% for i in range(60) %}{% set ns.x = ns.x | replace('y', 'yy') %}{% endfor %}",
        "{{ 'y' | indent(1000000000) }}",
        "{{ [1] | tojson(indent=1000000000) }}",
        "{% set ns = namespace(x='\"') %}{% for i in range(60) %}{% set ns.x = ns.x | tojson | string %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x | chain(ns.x) %}{% endfor %}",
    ] {
        let start = Instant::now();
        let problem = problem(&[("node-pools.yaml.j2", text)]);
        assert_eq!(problem.code, Code::TemplateBudget, "{problem:?}");
        assert!(
            start.elapsed() < Duration::from_secs(1),
            "{:?} for {}",
            start.elapsed(),
            &text[..40.min(text.len())]
        );
    }
}

#[test]
fn a_text_that_doubles_is_refused_before_anything_is_evaluated() {
    for text in [
        format!(
            "{{% set x = 'y' %}}{}{{{{ x | length }}}}",
            "{% set x = x ~ x %}".repeat(60)
        ),
        "{% set ns = namespace(x='y') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}".to_owned(),
        "{% macro m(x, n) %}{{ m(x ~ x, n + 1) }}{% endmacro %}{{ m('y', 0) }}".to_owned(),
        "{% set ns = namespace(x=1) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}".to_owned(),
    ] {
        let files = files(&[("node-pools.yaml.j2", &text)]);
        let problems = TemplateSet::new(&files).err().expect("a refusal");
        assert_eq!(problems[0].code, Code::TemplateBudget);
        let span = problems[0].span.as_ref().expect("a place");
        assert!(
            ["~", "+", "["].contains(&&text[span.start as usize..span.end as usize]),
            "{span}"
        );
    }
}

#[test]
fn a_cluster_with_500_node_pools_stays_within_the_budgets() {
    let mut large = cluster("payments", Dialect::Oci);
    for i in 0..500 {
        let pool = gpu_pool("payments");
        let name = NodePoolName::new(format!("p{i:03}"));
        let object_name = format!("payments-p{i:03}");
        hosted(&mut large).node_pools.insert(
            name.clone(),
            NodePool {
                name,
                object_name,
                ..pool
            },
        );
    }
    let rendered = render(&fleet([large]), &TemplateSet::new(&[]).unwrap());
    assert_eq!(rendered.diagnostics, []);
    let pools = rendered.units[&unit()]
        .manifests
        .iter()
        .filter(|manifest| manifest.id.kind == "NodePool");
    assert_eq!(pools.count(), 501);
}

#[test]
fn a_template_that_is_too_large_is_refused_before_it_is_compiled() {
    let problems = TemplateSet::new(&files(&[("node-pools.yaml.j2", &"x".repeat(1 << 20))]))
        .err()
        .unwrap();
    assert_eq!(problems[0].code, Code::TooLarge);
}
