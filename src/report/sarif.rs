//! Problems and refusals as SARIF 2.1.0, which code hosts show beside the lines.
//!
//! Invariant: a path is relative to the repository, as far as the caller knows where the fleet is in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::diag::{Code, Diagnostic, Severity, Span};
use crate::plan::Plan;
use crate::plan::change::Block;
use crate::report::plan_text::BlockText;
use crate::resource::{Digest, ResourceId, UnitId};

/// Problems of the fleet files, which lie in `directory`.
pub fn of_diagnostics(diagnostics: &[Diagnostic], directory: &str) -> Value {
    let results: Vec<Value> = diagnostics.iter().map(|one| problem(one, directory)).collect();
    log(&results, &rules(diagnostics))
}

/// A plan's refusals, what else keeps it from being made as it stands, and the problems of its files.
pub fn of_plan(plan: &Plan, diagnostics: &[Diagnostic], directory: &str) -> Value {
    let mut results: Vec<Value> = diagnostics.iter().map(|one| problem(one, directory)).collect();
    let mut rules = rules(diagnostics);
    let guards: BTreeSet<&str> = plan.refusals.iter().map(|refusal| refusal.guard).collect();
    rules.extend(guards.into_iter().map(|guard| {
        json!({"id": format!("guard/{guard}"), "shortDescription": {"text": format!("The guard `{guard}` refuses.")},
            "defaultConfiguration": {"level": "error"}})
    }));
    let units: BTreeMap<&ResourceId, &UnitId> = plan.changes.iter().map(|change| (&change.id, &change.unit)).collect();
    let location = |objects: &[&ResourceId]| {
        let named = objects.iter().take(MOST);
        let named = named.map(|id| json!({"fullyQualifiedName": id.to_string(), "kind": "resource"}));
        let mut location = json!({"logicalLocations": named.collect::<Vec<_>>()});
        // A host shows a result only beside a line.
        let unit = objects.first().and_then(|id| units.get(id));
        let span = unit.map_or(plan.origins.fleet.as_ref(), |unit| plan.origins.to_mend(unit));
        if let Some(span) = span {
            location["physicalLocation"] = place(span, directory);
        }
        location
    };
    results.extend(plan.refusals.iter().map(|refusal| {
        let objects: Vec<&ResourceId> = refusal.objects.iter().collect();
        let rule = format!("guard/{}", refusal.guard);
        let about: Vec<String> = objects.iter().map(ToString::to_string).collect();
        json!({"ruleId": rule, "level": "error",
            "message": {"text": format!("{}. To lift: {}", refusal.message, refusal.lift)},
            "partialFingerprints": fingerprint(&rule, about.iter().map(String::as_str)),
            "locations": [location(&objects)]})
    }));
    let mut stops: BTreeMap<&'static str, Vec<(&ResourceId, &Block)>> = BTreeMap::new();
    for change in &plan.changes {
        for block in &change.blocks {
            if let Some((rule, _)) = stop(block) {
                stops.entry(rule).or_default().push((&change.id, block));
            }
        }
    }
    for (rule, stopped) in stops {
        let Some((_, what)) = stopped.first().and_then(|(_, block)| stop(block)) else {
            continue;
        };
        rules.push(json!({"id": rule, "shortDescription": {"text": what}, "defaultConfiguration": {"level": "error"}}));
        results.extend(stopped.into_iter().take(MOST).map(|(id, block)| {
            json!({"ruleId": rule, "level": "error",
                "message": {"text": format!("{id}: {}", BlockText(block))},
                "partialFingerprints": fingerprint(rule, [&*id.to_string()]),
                "locations": [location(&[id])]})
        }));
    }
    log(&results, &rules)
}

/// Results of one rule, and places of one result.
const MOST: usize = 100;

/// The rule of what no guard refuses and still is not as it should be, and its description.
fn stop(block: &Block) -> Option<(&'static str, &'static str)> {
    Some(match block {
        Block::Conflict { .. } => ("plan/conflict", "Another field manager owns a field that is wanted."),
        Block::Unknown { .. } => ("plan/unknown", "It could not be looked at."),
        Block::Invalid { .. } => ("plan/invalid", "The server would refuse it."),
        Block::Precondition { .. } => ("plan/precondition", "Something that it needs is not there."),
        Block::Guard { .. }
        | Block::NotManaged
        | Block::Dependency { .. }
        | Block::Terminating { .. }
        | Block::Upgrade { .. }
        | Block::LeftAlone { .. }
        | Block::Contested { .. }
        | Block::Ignored
        | Block::NoProvider => return None,
    })
}

fn log(results: &[Value], rules: &[Value]) -> Value {
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "fleetwright", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// By what a host knows a result again in another commit: what it is about, and never its line.
fn fingerprint<'a>(rule: &'a str, about: impl IntoIterator<Item = &'a str>) -> Value {
    let parts = [rule].into_iter().chain(about).map(str::as_bytes);
    json!({"fleetwright/v1": Digest::of_parts(parts).to_string()})
}

fn rules(diagnostics: &[Diagnostic]) -> Vec<Value> {
    let codes: BTreeSet<Code> = diagnostics.iter().map(|one| one.code).collect();
    let rule = |code: Code| {
        json!({"id": code.id(), "shortDescription": {"text": code.summary()},
            "defaultConfiguration": {"level": level(code.severity())}})
    };
    codes.into_iter().map(rule).collect()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    }
}

fn problem(one: &Diagnostic, directory: &str) -> Value {
    let hints = one.hints.iter().map(|hint| format!("\nHelp: {hint}"));
    let mut result = json!({"ruleId": one.code.id(), "level": level(one.severity),
        "message": {"text": format!("{}{}", one.message, hints.collect::<String>())}});
    let file = one.span.as_ref().map_or("", |span| &span.file);
    result["partialFingerprints"] = fingerprint(one.code.id(), [file, &one.message]);
    if let Some(span) = &one.span {
        result["locations"] = json!([{"physicalLocation": place(span, directory)}]);
    }
    if !one.related.is_empty() {
        let related = one.related.iter().map(|related| {
            json!({"physicalLocation": place(&related.span, directory), "message": {"text": related.message}})
        });
        result["relatedLocations"] = related.collect();
    }
    result
}

fn place(span: &Span, directory: &str) -> Value {
    let directory = directory.trim_start_matches("./").trim_end_matches('/');
    let path = match directory {
        "" | "." => span.file.to_string(),
        directory => format!("{directory}/{}", span.file),
    };
    json!({"artifactLocation": {"uri": escaped(&path)}, "region": {"startLine": span.line, "startColumn": span.column}})
}

/// A path as a URI has it.
fn escaped(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::tests::plan as plan_of;
    use crate::plan::guards::Refusal;

    #[test]
    fn has_places_that_a_host_can_find() {
        let mut one = Diagnostic::new(Code::UnknownKey, "no `x`".to_owned());
        one.span = Some(Span {
            file: "clusters/a b.yaml".into(),
            line: 3,
            column: 5,
            start: 0,
            end: 1,
        });
        let log = of_diagnostics(&[one.clone()], "./infra/fleet/");
        let result = &log["runs"][0]["results"][0];
        assert_eq!(result["ruleId"], Code::UnknownKey.id());
        let first = &result["partialFingerprints"]["fleetwright/v1"];
        one.span.as_mut().unwrap().line = 9;
        let moved = of_diagnostics(&[one.clone()], "");
        assert_eq!(
            moved["runs"][0]["results"][0]["partialFingerprints"]["fleetwright/v1"],
            *first
        );
        one.message = "no `y`".to_owned();
        let other = of_diagnostics(&[one], "");
        assert_ne!(
            other["runs"][0]["results"][0]["partialFingerprints"]["fleetwright/v1"],
            *first
        );
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "infra/fleet/clusters/a%20b.yaml");
        assert_eq!(place["region"], json!({"startLine": 3, "startColumn": 5}));
        assert_eq!(
            log["runs"][0]["tool"]["driver"]["rules"][0]["id"],
            Code::UnknownKey.id()
        );
    }

    #[test]
    fn a_refusal_is_an_error_with_its_way_out() {
        let mut plan = plan_of(Vec::new());
        plan.refusals.push(Refusal {
            guard: "protected",
            message: "no".to_owned(),
            lift: "say so".to_owned(),
            objects: Vec::new(),
        });
        plan.origins.fleet = Some(Span {
            file: "fleet.yaml".into(),
            line: 2,
            column: 1,
            start: 0,
            end: 1,
        });
        let log = of_plan(&plan, &[], "fleet");
        let place = &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "fleet/fleet.yaml");
        let result = &log["runs"][0]["results"][0];
        assert_eq!(
            (&result["ruleId"], &result["level"]),
            (&json!("guard/protected"), &json!("error"))
        );
        assert_eq!(result["message"]["text"], "no. To lift: say so");
    }
}
