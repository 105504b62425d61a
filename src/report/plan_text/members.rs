//! Members of a list without an order that differ in one thing, and many of them alike: another address in twenty rules is
//! told once.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

use crate::plan::change::FieldDiff;
use crate::report::style::{Style, Tone};

/// Members that become others by the same step.
#[derive(Debug, PartialEq)]
pub(super) struct Members {
    /// `.spec.ingressSecurityRules[].source`
    path: String,
    before: Value,
    after: Value,
    /// What they are called, and how many of that name there are.
    names: BTreeMap<String, usize>,
    /// Where their fields are.
    places: Vec<usize>,
}

impl Members {
    /// Whether a field is told by this.
    pub(super) fn holds(&self, place: usize) -> bool {
        self.places.contains(&place)
    }

    /// Writes them.
    pub(super) fn write(&self, out: &mut String, style: Style) -> fmt::Result {
        let names = self.names.iter().map(|(name, count)| match count {
            1 => name.clone(),
            count => format!("{name} ({count})"),
        });
        let names: Vec<String> = names.collect();
        let Self {
            path, before, after, ..
        } = self;
        let sign = style.paint(Tone::Warn, "~");
        writeln!(out, "      {sign} {path}: {before} → {after}  of {}", names.join(", "))
    }
}

/// The members that change alike, each group at the place of its first field.
pub(super) fn alike(fields: &[FieldDiff]) -> BTreeMap<usize, Members> {
    let mut removed: Vec<(usize, &str, &Map<String, Value>)> = Vec::new();
    let mut added = Vec::new();
    for (place, field) in fields.iter().enumerate() {
        let Some((list, _)) = field.field.split_once("[=") else {
            continue;
        };
        match (&field.before, &field.after) {
            (Some(Value::Object(member)), None) => removed.push((place, list, member)),
            (None, Some(Value::Object(member))) => added.push((place, list, member)),
            _ => {}
        }
    }
    let mut groups: Vec<Members> = Vec::new();
    for (place, list, before) in removed {
        let successor = added
            .iter()
            .enumerate()
            .find_map(|(at, (_, other, after))| Some((at, (list == *other).then(|| only_difference(before, after))??)));
        let Some((at, key)) = successor else {
            continue;
        };
        let (other, _, after) = added.remove(at);
        let path = format!("{list}[].{key}");
        let of = |member: &Map<String, Value>| member.get(key).cloned().unwrap_or_default();
        let (before_value, after_value) = (of(before), of(after));
        let group = groups
            .iter_mut()
            .find(|group| group.path == path && group.before == before_value && group.after == after_value);
        let name = name(before, key);
        match group {
            Some(group) => {
                *group.names.entry(name).or_default() += 1;
                group.places.extend([place, other]);
            }
            None => groups.push(Members {
                path,
                before: before_value,
                after: after_value,
                names: BTreeMap::from([(name, 1)]),
                places: vec![place, other],
            }),
        }
    }
    let first = |group: &Members| group.places.iter().min().copied().unwrap_or_default();
    groups.into_iter().map(|group| (first(&group), group)).collect()
}

/// The key in which two members differ, where it is the only one.
fn only_difference<'a>(before: &'a Map<String, Value>, after: &Map<String, Value>) -> Option<&'a str> {
    if before.len() != after.len() {
        return None;
    }
    let mut differ = before.iter().filter(|(key, value)| after.get(*key) != Some(*value));
    let (key, _) = differ.next()?;
    (differ.next().is_none() && after.contains_key(key)).then_some(key.as_str())
}

/// What a member is called: by its description, else by all that stays of it.
fn name(member: &Map<String, Value>, but: &str) -> String {
    match member.get("description").and_then(Value::as_str) {
        Some(description) if but != "description" => description.to_owned(),
        _ => {
            let rest = member.iter().filter(|(key, _)| *key != but);
            let rest: Map<String, Value> = rest.map(|(key, value)| (key.clone(), value.clone())).collect();
            Value::Object(rest).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(removed: &[Value], added: &[Value]) -> Vec<FieldDiff> {
        let diff = |member: &Value, before: bool| FieldDiff {
            field: format!(".spec.rules[={member}]"),
            before: before.then(|| member.clone()),
            after: (!before).then(|| member.clone()),
            owner: None,
            replaces: false,
        };
        let removed = removed.iter().map(|member| diff(member, true));
        removed.chain(added.iter().map(|member| diff(member, false))).collect()
    }

    fn text(fields: &[FieldDiff]) -> String {
        let mut out = String::new();
        for members in alike(fields).values() {
            members.write(&mut out, Style::Plain).unwrap();
        }
        out
    }

    #[test]
    fn another_address_in_many_rules_is_one_line() {
        let rule = |name: &str, port: u16, source: &str| json!({"description": name, "port": port, "source": source});
        let of = |source: &str| [rule("a", 1, source), rule("a", 2, source), rule("b", 3, source)];
        let all = fields(&of("10.0.0.0/24"), &of("10.1.0.0/24"));
        assert_eq!(
            text(&all),
            "      ~ .spec.rules[].source: \"10.0.0.0/24\" → \"10.1.0.0/24\"  of a (2), b\n"
        );
        assert_eq!(alike(&all)[&0].places.len(), 6);
    }

    #[test]
    fn what_differs_in_more_than_one_thing_is_another_member() {
        let all = fields(&[json!({"a": 1, "b": 2})], &[json!({"a": 2, "b": 3}), json!({"a": 1})]);
        assert_eq!(text(&all), "");
        let all = fields(&[json!({"a": 1, "b": 2})], &[json!({"a": 1, "b": 3})]);
        assert_eq!(text(&all), "      ~ .spec.rules[].b: 2 → 3  of {\"a\":1}\n");
    }
}
