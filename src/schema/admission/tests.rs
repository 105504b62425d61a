//! Unit tests of admission; that the words are a server's is proved in `tests/it/admission_server.rs`.

use serde_json::{Value, json};

use super::*;

fn admission(spec: &Value) -> Admission {
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    let crd = json!({"spec": {
        "group": "example.com",
        "names": {"kind": "Thing", "plural": "things"},
        "scope": "Cluster",
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}],
    }});
    Admission::new(&crd, "v1").unwrap()
}

fn thing(spec: &Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec})
}

fn refusal(admission: &Admission, spec: &Value) -> String {
    let request = Request {
        object: &thing(spec),
        old: None,
        subresource: Subresource::None,
        field_validation: FieldValidation::Strict,
        repeated: &[],
    };
    admit(admission, request).map_or_else(
        |error| error.to_string(),
        |admitted| admitted.object["spec"].to_string(),
    )
}

#[test]
fn a_refusal_is_a_status_with_causes() {
    let admission = admission(&json!({"type": "object", "required": ["a"], "properties": {
        "a": {"type": "string"}, "b": {"type": "string", "enum": ["x", "y"]}}}));
    let object = thing(&json!({"b": "z"}));
    let request = Request {
        object: &object,
        old: None,
        subresource: Subresource::None,
        field_validation: FieldValidation::Strict,
        repeated: &[],
    };
    let status = admit(&admission, request).unwrap_err().to_status();
    assert_eq!(
        status["message"],
        "Thing.example.com \"a\" is invalid: [spec.b: Unsupported value: \"z\": supported values: \"x\", \"y\", spec.a: Required value]"
    );
    assert_eq!(
        status["details"]["causes"][1],
        json!({"reason": "FieldValueRequired", "message": "Required value", "field": "spec.a"})
    );
    assert_eq!((&status["code"], &status["reason"]), (&json!(422), &json!("Invalid")));
}

#[test]
fn unknown_and_repeated_fields_are_told_together() {
    let admission = admission(&json!({"type": "object", "properties": {"a": {"type": "string"}}}));
    let object = thing(&json!({"a": "x", "b": 1}));
    let repeated = ["spec.a".to_owned()];
    let request = |field_validation| Request {
        object: &object,
        old: None,
        subresource: Subresource::None,
        field_validation,
        repeated: &repeated,
    };
    let strict = admit(&admission, request(FieldValidation::Strict)).unwrap_err();
    assert_eq!(
        strict.to_string(),
        "Thing in version \"v1\" cannot be handled as a Thing: strict decoding error: duplicate field \"spec.a\", unknown field \"spec.b\""
    );
    let warned = admit(&admission, request(FieldValidation::Warn)).unwrap();
    assert_eq!(
        warned.warnings,
        ["duplicate field \"spec.a\"", "unknown field \"spec.b\""]
    );
    assert_eq!(warned.object["spec"], json!({"a": "x"}));
}

#[test]
fn no_rule_runs_away() {
    let item = json!({"type": "integer"});
    let deep = "self.all(a, self.all(b, self.all(c, self.all(d, a + b + c + d >= 0))))";
    let mapped = "[self.map(x, x)].all(l, l.all(a, l.all(b, l.all(c, l.all(d, a + b + c + d >= 0)))))";
    for rule in [deep, mapped] {
        let admission = admission(&json!({"type": "object", "properties": {
            "list": {"type": "array", "items": item, "x-kubernetes-validations": [{"rule": rule}]}}}));
        let short: Vec<i64> = (0..3).collect();
        assert_eq!(refusal(&admission, &json!({"list": short})), "{\"list\":[0,1,2]}");
        let long: Vec<i64> = (0..200).collect();
        let refused = refusal(&admission, &json!({"list": long}));
        assert!(refused.contains("running out of cost budget"), "{refused}");
    }
}

#[test]
fn keyed_lists_are_equal_in_any_order_and_keep_theirs() {
    let list = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"],
        "items": {"type": "object", "required": ["n"], "properties": {"n": {"type": "string"}}},
        "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "fixed"},
            {"rule": "self[0].n == 'b' || self[0].n == 'a'"}, {"rule": "self.map(i, i.n).join('') in ['ab', 'ba']"}]});
    let admission = admission(&json!({"type": "object", "properties": {"list": list}}));
    let with = |names: &[&str]| {
        let items: Vec<Value> = names.iter().map(|name| json!({"n": name})).collect();
        let mut object = thing(&json!({"list": items}));
        object["metadata"]["resourceVersion"] = json!("1");
        object
    };
    assert_eq!(admission.validate_update(&with(&["b", "a"]), &with(&["a", "b"])), []);
    let errors = admission.validate_update(&with(&["b", "c"]), &with(&["a", "b"]));
    assert_eq!(errors[0].to_string(), "spec.list: Invalid value: fixed");
}

#[test]
fn what_kubernetes_adds_to_cel_is_there() {
    for rule in [
        "[1, 2, 2].isSorted() && [1, 2].sum() == 3 && [1, 3, 2].max() == 3 && ['b', 'a'].min() == 'a'",
        "['a', 'b', 'a'].indexOf('a') == 0 && ['a', 'b', 'a'].lastIndexOf('a') == 2",
        "sets.contains([1, 2], [1]) && sets.equivalent([1, 2], [2, 1]) && !sets.intersects([1], [2])",
        "quantity('1Gi').compareTo(quantity('1024Mi')) == 0 && quantity('500m').add(quantity('1')).isLessThan(quantity('2'))",
        "quantity('1.5k').asInteger() == 1500 && !quantity('1m').isInteger() && quantity('-1').sign() == -1",
        "isQuantity('2e3') && !isQuantity('2x') && quantity('2').sub(1).asApproximateFloat() == 1.0",
        "duration('90m').getHours() == 1 && duration('1h') < duration('61m') && duration('1h') + duration('30m') == duration('90m')",
        "timestamp('2024-02-29T12:30:00Z').getDayOfYear() == 59 && timestamp('2024-02-29T12:30:00Z').getMonth() == 1",
        "timestamp('2024-01-02T00:00:00Z') - timestamp('2024-01-01T00:00:00Z') == duration('24h')",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsCIDR(cidr('10.1.0.0/16')) && !isCIDR('10.0.0.0/33')",
        "ip('::1').family() == 6 && ip('127.0.0.1').isLoopback() && ip('10.0.0.1').isGlobalUnicast() && !isIP('::ffff:1.2.3.4')",
        "url('https://a.b:8080/c?d=e').getPort() == '8080' && url('https://a.b:8080/c?d=e').getHostname() == 'a.b'",
        "url('https://a.b/c?d=e&d=f').getQuery()['d'] == ['e', 'f'] && !isURL('a b')",
        "'abc123'.find('[0-9]+') == '123' && 'a1b2'.findAll('[0-9]') == ['1', '2'] && 'a1b2'.findAll('[0-9]', 1) == ['1']",
        "!format.dns1123Label().validate('a-b').hasValue() && format.qualifiedName().validate('-').hasValue()",
        "'a,b'.split(',').join('+') == 'a+b' && 'ABC'.lowerAscii() == 'abc' && 'x'.matches('^[a-z]$')",
    ] {
        let spec = json!({"type": "object", "x-kubernetes-validations": [{"rule": rule}]});
        assert_eq!(refusal(&admission(&spec), &json!({})), "{}", "{rule}");
    }
}

#[test]
fn a_rule_or_a_pattern_that_does_not_compile_is_named() {
    let make = |spec: Value| {
        let schema = json!({"type": "object", "properties": {"spec": spec}});
        let crd = json!({"spec": {"group": "e.com", "names": {"kind": "T"}, "scope": "Cluster",
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]}});
        Admission::new(&crd, "v1").unwrap_err()
    };
    let rule = make(json!({"type": "object", "x-kubernetes-validations": [{"rule": "self. =="}]}));
    assert!(
        matches!(rule, AdmissionError::Rule { ref rule, .. } if rule == "self. =="),
        "{rule}"
    );
    let pattern = make(json!({"type": "string", "pattern": "("}));
    assert!(matches!(pattern, AdmissionError::Pattern { .. }), "{pattern}");
}
