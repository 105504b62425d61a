//! What stands in the way, as JUnit's XML: a test case for each unit of a plan and for each problem of the fleet files, which
//! pipelines show beside their tests.
//!
//! Invariant: a case fails where a command ends with an error or a refusal because of it, and only there.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use crate::diag::{Diagnostic, Severity};
use crate::plan::Plan;
use crate::plan::change::Block;
use crate::report::plan_text::BlockText;

/// One case.
struct Case {
    group: &'static str,
    name: String,
    /// What is wrong, in a line and in full; none where nothing is.
    failure: Option<(String, String)>,
}

/// Problems of the fleet files; one case that passes where there are none.
pub fn of_diagnostics(diagnostics: &[Diagnostic]) -> String {
    document(&problems(diagnostics))
}

/// A plan and the problems of its files.
pub fn of_plan(plan: &Plan, diagnostics: &[Diagnostic]) -> String {
    let mut cases = problems(diagnostics);
    cases.extend(units(plan));
    document(&cases)
}

fn problems(diagnostics: &[Diagnostic]) -> Vec<Case> {
    let errors = diagnostics.iter().filter(|one| one.severity == Severity::Error);
    let mut cases: Vec<Case> = errors
        .map(|one| {
            let place = one
                .span
                .as_ref()
                .map_or_else(|| "the fleet".to_owned(), ToString::to_string);
            let hints = one.hints.iter().map(|hint| format!("help: {hint}\n"));
            Case {
                group: "files",
                name: format!("{} {place}", one.code),
                failure: Some((
                    one.message.clone(),
                    format!("{place}: {}\n{}", one.message, hints.collect::<String>()),
                )),
            }
        })
        .collect();
    if cases.is_empty() {
        cases.push(Case {
            group: "files",
            name: "the fleet files".to_owned(),
            failure: None,
        });
    }
    cases
}

/// A case a unit that has changes, refusals, or is left alone.
fn units(plan: &Plan) -> Vec<Case> {
    let mut wrong: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for change in &plan.changes {
        let of_unit = wrong.entry(change.unit.to_string()).or_default();
        let stops = change.blocks.iter().filter(|block| {
            matches!(
                block,
                Block::Guard { .. }
                    | Block::Unknown { .. }
                    | Block::Conflict { .. }
                    | Block::Invalid { .. }
                    | Block::Precondition { .. }
            )
        });
        for block in stops {
            let why = match block {
                Block::Guard { guard } => plan
                    .refusals
                    .iter()
                    .find(|refusal| refusal.guard == *guard && refusal.objects.contains(&change.id))
                    .map_or_else(
                        || BlockText(block).to_string(),
                        |refusal| format!("refused ({guard}): {}; to lift: {}", refusal.message, refusal.lift),
                    ),
                block => format!("{}: {}", change.id, BlockText(block)),
            };
            of_unit.insert(why);
        }
    }
    for held in &plan.held {
        let of_unit = wrong.entry(held.unit.to_string()).or_default();
        of_unit.insert(format!("left alone: {}", held.reason));
    }
    let cases = wrong.into_iter().map(|(name, reasons)| Case {
        group: "plan",
        name,
        failure: reasons.first().cloned().map(|first| {
            let all: Vec<String> = reasons.into_iter().collect();
            (first, all.join("\n"))
        }),
    });
    cases.collect()
}

fn document(cases: &[Case]) -> String {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Writing to memory can't fail.
    write(&mut writer, cases).ok();
    let mut text = String::from_utf8(writer.into_inner()).unwrap_or_default();
    text.push('\n');
    text
}

fn write(writer: &mut Writer<Vec<u8>>, cases: &[Case]) -> io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let failures = |cases: &[&Case]| cases.iter().filter(|case| case.failure.is_some()).count().to_string();
    let all: Vec<&Case> = cases.iter().collect();
    let (total, failed) = (all.len().to_string(), failures(&all));
    writer
        .create_element("testsuites")
        .with_attributes([
            ("name", "fleetwright"),
            ("tests", total.as_str()),
            ("failures", failed.as_str()),
        ])
        .write_inner_content(|writer| {
            for group in ["files", "plan"] {
                let of_group: Vec<&Case> = cases.iter().filter(|case| case.group == group).collect();
                if !of_group.is_empty() {
                    suite(writer, group, &of_group, &failures(&of_group))?;
                }
            }
            Ok(())
        })?;
    Ok(())
}

fn suite(writer: &mut Writer<Vec<u8>>, name: &str, cases: &[&Case], failed: &str) -> io::Result<()> {
    let total = cases.len().to_string();
    let attributes = [("name", name), ("tests", total.as_str()), ("failures", failed)];
    let suite = writer.create_element("testsuite").with_attributes(attributes);
    suite.write_inner_content(|writer| {
        for case in cases {
            let shown = visible(&case.name);
            let element = writer
                .create_element("testcase")
                .with_attributes([("classname", name), ("name", shown.as_str())]);
            match &case.failure {
                None => drop(element.write_empty()?),
                Some((message, text)) => {
                    let (message, text) = (visible(message), visible(text));
                    element.write_inner_content(|writer| {
                        let failure = writer
                            .create_element("failure")
                            .with_attribute(("message", message.as_str()));
                        failure.write_text_content(BytesText::new(&text)).map(drop)
                    })?;
                }
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// XML has no form for most control characters.
fn visible(text: &str) -> String {
    let is_allowed = |c: &char| matches!(c, '\t' | '\n') || !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    text.chars().filter(is_allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Code;
    use crate::plan::change::Action;
    use crate::plan::change::tests::change;
    use crate::plan::change::tests::plan as plan_of;

    #[test]
    fn what_is_refused_fails_and_the_rest_passes() {
        let mut refused = change("b", "HostedCluster", "b", Action::Delete);
        refused.blocks.push(Block::Conflict { fields: Vec::new() });
        let plan = plan_of(vec![change("a", "NodePool", "a", Action::Create), refused]);
        let text = of_plan(&plan, &[]);
        assert!(
            text.contains(r#"<testsuites name="fleetwright" tests="3" failures="1">"#),
            "{text}"
        );
        assert!(
            text.contains(r#"<testcase classname="plan" name="cluster a"/>"#),
            "{text}"
        );
        assert!(
            text.contains(r#"<testcase classname="plan" name="cluster b">"#),
            "{text}"
        );
    }

    #[test]
    fn what_files_say_is_escaped() {
        let problem = Diagnostic::new(Code::Syntax, "no <tag> & \u{1b}[31m \"quoted\"".to_owned());
        let text = of_diagnostics(&[problem]);
        assert!(text.contains("no &lt;tag&gt; &amp; [31m &quot;quoted&quot;"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}
