//! `admit`: its text and JSON as people and programs see them, and input that means harm.

use std::path::Path;

use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::cli::{Ran, Workplace};
use crate::e2e::form::problems;
use crate::reference::keep;
use crate::support::ApiServer;

/// A kind with a bit of everything.
const GADGETS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.io}
spec:
  group: example.io
  scope: Namespaced
  names: {plural: gadgets, kind: Gadget}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          status: {type: object, properties: {ready: {type: boolean}}}
          spec:
            type: object
            properties:
              size: {type: integer, minimum: 1, maximum: 9, default: 3}
              shape: {type: string, enum: [round, square], default: round}
              region:
                type: string
                x-kubernetes-validations: [{rule: self == oldSelf, message: region is immutable}]
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties: {name: {type: string}, weight: {type: integer, default: 1}}
            x-kubernetes-validations:
            - {rule: \"!(self.shape == 'square' && self.size > 5)\", message: squares are small}
";

const OBJECTS: &str = "\
# Fine.
apiVersion: example.io/v1
kind: Gadget
metadata: {name: good, namespace: shop}
spec:
  region: iad
  parts:
  - name: lid
status: {ready: true}
---
apiVersion: example.io/v1
kind: Gadget
metadata: {name: bad, namespace: shop}
spec:
  size: 12
  shape: oval
  parts:
  - {name: lid}
  - {name: lid}
  - {weight: 2}
---
apiVersion: example.io/v1
kind: Gadget
metadata: {name: square, namespace: shop}
spec:
  size: 7
  shape: square
---
apiVersion: example.io/v1
kind: Gadget
metadata: {name: unknown, namespace: shop}
spec:
  size: 4
  sise: 4
  size: 5
  parts: [{name: lid, colour: red}]
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: shop}, data: {}}
- {apiVersion: example.io/v2, kind: Gadget, metadata: {name: tomorrow, namespace: shop}, spec: {}}
- {apiVersion: other.io/v1, kind: Widget, metadata: {name: elsewhere}}
---
apiVersion: example.io/v1
kind: Gadget
metadata: {name: moved, namespace: shop}
spec: {region: fra}
";

const OLD: &str = "\
apiVersion: example.io/v1
kind: Gadget
metadata: {name: moved, namespace: shop, resourceVersion: '7', uid: u}
spec: {region: iad, shape: round, size: 3}
---
apiVersion: example.io/v1
kind: Gadget
metadata: {name: bad, namespace: shop, resourceVersion: '8'}
spec: {region: iad, shape: oval, size: 3}
";

fn place() -> Workplace {
    let place = Workplace::new(&[]);
    for (file, text) in [("gadgets.yaml", GADGETS), ("objects.yaml", OBJECTS), ("old.yaml", OLD)] {
        write(&place, file, text.as_bytes());
    }
    place
}

fn write(place: &Workplace, file: &str, bytes: &[u8]) {
    let path = place.path().join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Everything that a run prints, as a golden file has it.
fn shown(args: &[&str], ran: &Ran) -> String {
    format!(
        "$ fleetwright {}\n{}--- stderr\n{}--- exit code {}\n",
        args.join(" "),
        ran.stdout,
        ran.stderr,
        ran.code
    )
}

fn golden(name: &str, args: &[&str]) -> Ran {
    let ran = place().run(args);
    keep(&format!("tests/cases/admit/{name}.txt"), &shown(args, &ran));
    ran
}

#[test]
fn objects_are_judged_in_the_servers_words_with_their_places() {
    let strict = golden("strict", &["admit", "--crd", "gadgets.yaml", "objects.yaml"]).exits(3);
    for part in [
        "objects.yaml:15:3: spec.size: Invalid value: 12: spec.size in body should be less than or equal to 9",
        "objects.yaml:16:3: spec.shape: Unsupported value: \"oval\": supported values: \"round\", \"square\"",
        "objects.yaml:34:3: unknown field \"spec.sise\"",
        "squares are small",
        "ConfigMap shop/settings: not checked",
    ] {
        assert!(strict.stdout.contains(part), "{part}:\n{}", strict.stdout);
    }
    golden(
        "warn",
        &[
            "admit",
            "--crd",
            "gadgets.yaml",
            "--validate",
            "warn",
            "--defaults",
            "objects.yaml",
        ],
    )
    .exits(3);
    let update = golden(
        "update",
        &["admit", "--crd", "gadgets.yaml", "--old", "old.yaml", "objects.yaml"],
    )
    .exits(3);
    assert!(
        update
            .stdout
            .contains("spec.region: Invalid value: \"fra\": region is immutable")
    );
    // What was wrong before and is left as it was is let pass.
    assert!(!update.stdout.contains("oval"), "{}", update.stdout);
}

#[test]
fn what_is_stored_twice_is_told_with_both_places() {
    let place = place();
    let first = OLD.split("---\n").next().expect("an object");
    write(&place, "more/again.yaml", format!("# once more\n{first}").as_bytes());
    let args = ["admit", "--crd", "gadgets.yaml", "--old", "old.yaml", "--old", "more"];
    let ran = place.run(&[&args[..], &["objects.yaml"]].concat()).exits(1);
    assert!(ran.stderr.contains("error[FW0608]"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("more/again.yaml:2:1") && ran.stderr.contains("is stored twice: here, and at old.yaml:1:1"),
        "{}",
        ran.stderr
    );
    let json = place
        .run(&[&args[..], &["-o", "json", "objects.yaml"]].concat())
        .exits(1)
        .json();
    let said = &json["diagnostics"][0];
    assert_eq!(
        (&said["code"], &said["line"]),
        (&json!("FW0608"), &json!(2)),
        "{json:#}"
    );
}

#[test]
fn json_has_the_form_of_its_schema() {
    let args = [
        "admit",
        "--crd",
        "gadgets.yaml",
        "--old",
        "old.yaml",
        "-o",
        "json",
        "objects.yaml",
    ];
    let ran = golden("json", &args).exits(3);
    let schema = place().run(&["schema", "output/admission.v1"]).exits(0).json();
    assert_eq!(problems(&ran.json(), &schema), Vec::<String>::new());
    let json = ran.json();
    assert_eq!(json["objects"][0]["verdict"], "admitted");
    assert_eq!(json["objects"][0]["dropped"], json!(["status"]));
    assert_eq!(json["objects"][1]["causes"][0]["file"], "objects.yaml");
}

#[test]
fn exit_codes_tell_a_refusal_from_a_failure() {
    let place = place();
    let good = OBJECTS.split("---\n").next().unwrap();
    write(&place, "good/one.yaml", good.as_bytes());
    write(
        &place,
        "core.yaml",
        b"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}",
    );
    write(&place, "broken.yaml", format!("{OBJECTS}---\n- no object\n").as_bytes());
    let run = |objects: &str| place.run(&["admit", "--crd", "gadgets.yaml", objects]);
    run("good").exits(0);
    run("objects.yaml").exits(3);
    let nothing = run("core.yaml").exits(1);
    assert!(nothing.stderr.contains("nothing was checked"), "{}", nothing.stderr);
    let broken = run("broken.yaml").exits(1);
    assert!(
        broken.stderr.contains("an object is a mapping, this is a list"),
        "{}",
        broken.stderr
    );
    assert!(
        broken.stdout.contains("Gadget shop/good: admitted"),
        "{}",
        broken.stdout
    );
    run("absent.yaml").exits(1);
    place.run(&["admit", "good"]).exits(1);
}

#[test]
fn definitions_are_judged_as_such() {
    let place = place();
    let broken = GADGETS.replace("type: integer, minimum: 1", "type: number of things, minimum: 1");
    write(&place, "broken.yaml", broken.as_bytes());
    let ran = place.run(&["admit", "--crd", "gadgets.yaml", "broken.yaml"]).exits(3);
    assert!(
        ran.stdout
            .contains("CustomResourceDefinition gadgets.example.io: rejected"),
        "{}",
        ran.stdout
    );
    place.run(&["admit", "--crd", "gadgets.yaml", "gadgets.yaml"]).exits(0);
}

#[test]
fn what_is_rendered_is_admitted_by_our_own_definitions() {
    let place = Workplace::copy_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet"));
    let rendered = place.run(&["render"]).exits(0);
    write(&place, "rendered.yaml", rendered.stdout.as_bytes());
    let crds = format!("{}/schemas/crds", env!("CARGO_MANIFEST_DIR"));
    let ran = place.run(&["admit", "--crd", &crds, "-o", "json", "rendered.yaml"]);
    let json = ran.json();
    // References are not filled in: those alone are wrong.
    let causes = json["objects"].as_array().unwrap().iter();
    let wrong: Vec<&Value> = causes.flat_map(|object| object["causes"].as_array().unwrap()).collect();
    let is_reference = |cause: &&Value| cause["field"].as_str().is_some_and(|field| field.contains("ocid."));
    assert!(wrong.iter().all(is_reference), "{wrong:?}");
    assert!(json["admitted"].as_u64() > Some(5), "{}", ran.stderr);
}

/// Runs it on something hostile: it ends with an error in words.
#[track_caller]
fn fails(place: &Workplace, crd: &str, objects: &str, said: &str) {
    let ran = place.run(&["admit", "--crd", crd, objects]);
    assert_eq!(ran.code, 1, "{crd} {objects}:\n{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(said), "{said}:\n{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn hostile_objects_are_bounded_and_said() {
    let place = place();
    let object = |spec: &str| {
        format!("apiVersion: example.io/v1\nkind: Gadget\nmetadata: {{name: a, namespace: b}}\nspec: {spec}\n")
    };
    let mut bomb = String::from("a: &a [x,x,x,x,x,x,x,x,x,x]\n");
    for pair in ["ab", "bc", "cd", "de", "ef", "fg", "gh"].map(|pair| pair.split_at(1)) {
        let alias = format!("*{},", pair.0).repeat(10);
        bomb.push_str(&format!("{0}: &{0} [{alias}]\n", pair.1));
    }
    for (file, text, said) in [
        ("deep.yaml", object(&"[".repeat(100_000)), "nested"),
        (
            "flow.yaml",
            object(&format!("{}{}", "{a: ".repeat(400), "}".repeat(400))),
            "nested",
        ),
        ("bomb.yaml", bomb, "aliases"),
        ("huge.yaml", object(&"x".repeat(5 << 20)), "more than 4194304 bytes"),
        ("syntax.yaml", object("{a: b"), "unclosed bracket"),
        ("tab.yaml", object("\n\t- a"), "tab"),
    ] {
        write(&place, file, text.as_bytes());
        fails(&place, "gadgets.yaml", file, said);
    }
    write(&place, "bytes.yaml", b"apiVersion: \xff\xfe");
    fails(&place, "gadgets.yaml", "bytes.yaml", "can't read bytes.yaml");
    write(&place, "tree/huge.yaml", "x".repeat(5 << 20).as_bytes());
    fails(&place, "gadgets.yaml", "tree", "bytes");
    // Odd, and read all the same.
    let odd = object("{parts: [null, 7, {name: [1]}], size: 99999999999999999999, region: \"\\0\"}");
    write(&place, "odd.yaml", odd.as_bytes());
    place.run(&["admit", "--crd", "gadgets.yaml", "odd.yaml"]).exits(3);
    let metadata = "apiVersion: example.io/v1\nkind: Gadget\nmetadata: 7\nspec: {}\n";
    write(&place, "metadata.yaml", metadata.as_bytes());
    place.run(&["admit", "--crd", "gadgets.yaml", "metadata.yaml"]).exits(3);
}

#[test]
fn broken_definitions_are_refused_in_words() {
    let place = place();
    let deep = format!(
        "size: {}{{type: integer}}{}",
        "{type: object, properties: {a: ".repeat(100),
        "}}".repeat(100)
    );
    for (file, text, said) in [
        (
            "none.yaml",
            "kind: A\napiVersion: v1\n".to_owned(),
            "no CustomResourceDefinition",
        ),
        ("twice.yaml", format!("{GADGETS}\n---\n{GADGETS}"), "defined twice"),
        (
            "pattern.yaml",
            GADGETS.replace("enum: [round, square], default: round", "pattern: '['"),
            "an API server would refuse it",
        ),
        (
            "rule.yaml",
            GADGETS.replace("rule: self == oldSelf", "rule: 'self =='"),
            "an API server would refuse it",
        ),
        (
            "types.yaml",
            GADGETS.replace("type: boolean", "type: 7"),
            "an API server would refuse it",
        ),
        (
            "empty.yaml",
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n".to_owned(),
            "can't be used",
        ),
        (
            "deep.yaml",
            GADGETS.replace("size: {type: integer, minimum: 1, maximum: 9, default: 3}", &deep),
            "nested",
        ),
        ("syntax.yaml", "a: [".to_owned(), "syntax.yaml:"),
    ] {
        write(&place, file, text.as_bytes());
        fails(&place, file, "objects.yaml", said);
    }
    fails(&place, "nowhere", "objects.yaml", "can't read nowhere");
}

/// Every text as a server reads it out of YAML.
async fn read_by_a_server(scalars: &[&str]) -> Option<Vec<Value>> {
    let server = ApiServer::shared()?;
    let login = server.login();
    let open = "{type: object, x-kubernetes-preserve-unknown-fields: true}";
    let crd = GADGETS
        .replace("example.io", "scalars.test")
        .split("subresources")
        .next()
        .map(|head| format!("{head}schema: {{openAPIV3Schema: {open}}}"))?;
    login.kubectl_in(&["create", "-f", "-"], &crd);
    let client = login.client().await;
    let mut answers = Vec::new();
    for scalar in scalars {
        let body = format!("apiVersion: scalars.test/v1\nkind: Gadget\nmetadata: {{name: a}}\nvalue: [{scalar}]\n");
        let mut asked = 0;
        let value = loop {
            let request = http::Request::builder()
                .method(Method::POST)
                .uri("/apis/scalars.test/v1/namespaces/default/gadgets?dryRun=All&fieldValidation=Ignore")
                .header("content-type", "application/yaml")
                .body(kube::client::Body::from(body.clone().into_bytes()))
                .unwrap();
            let response = client.send(request).await.unwrap();
            let code = response.status().as_u16();
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            if code == 404 {
                asked += 1;
                assert!(asked < 600, "the kind isn't served");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
            let answer: Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(code, 201, "{scalar}: {answer}");
            break answer["value"][0].clone();
        };
        answers.push(value);
    }
    Some(answers)
}

#[tokio::test]
async fn scalars_are_read_as_a_real_server_reads_them() {
    let scalars = [
        "y",
        "n",
        "Y",
        "N",
        "yes",
        "No",
        "on",
        "OFF",
        "true",
        "False",
        "~",
        "Null",
        "010",
        "08",
        "0o10",
        "0x1F",
        "0b11",
        "-0x1f",
        "1_000",
        "_1",
        "3.0",
        "1e3",
        "1e-2",
        ".5",
        "5.",
        "+7",
        "4.20.1",
        "2026-01-01",
        "12:30",
        "1:30:00",
        "0x",
        "--1",
        "1e999",
        "9223372036854775807",
        "1.0e10",
        "=",
        "<x",
    ];
    let Some(theirs) = read_by_a_server(&scalars).await else {
        return;
    };
    let mut wrong = Vec::new();
    for (scalar, theirs) in scalars.iter().zip(&theirs) {
        let text = format!("{{apiVersion: v1, kind: A, value: [{scalar}]}}");
        let read = fleetwright::fleet::objects::read(&[fleetwright::fleet::SourceFile {
            path: "a".into(),
            text: text.into(),
        }]);
        let ours = read.objects.first().map(|object| &object.value["value"][0]);
        if ours != Some(theirs) {
            wrong.push(format!("{scalar}: ours {ours:?}, theirs {theirs}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
