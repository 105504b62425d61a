//! The rule that would leave a field as it is, as one would type it.

use serde_json::Value;

use crate::resource::pointer::Token;
use crate::resource::{Pointer, ResourceId, Target};

/// Maps whose keys may hold dots: what comes after such a name is one key.
const OPEN: &[&str] = &[
    "labels",
    "annotations",
    "data",
    "stringData",
    "binaryData",
    "nodeLabels",
    "matchLabels",
    "nodeSelector",
    "freeformTags",
];

/// `{kind: NodePool, name: a-general, pointer: /spec/replicas}`, for a field as reports show it; none where it is none.
pub fn rule_for(id: &ResourceId, field: &str) -> Option<String> {
    let pointer = pointer(id, field)?.to_string();
    let ResourceId { kind, name, .. } = id;
    let (name, pointer) = (quoted(name), quoted(&pointer));
    Some(format!("{{kind: {kind}, name: {name}, pointer: {pointer}}}"))
}

fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/~".contains(c);
    let begins_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    if begins_well && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

/// Reads a shown path. An item of a list is every item; of OCI's lists, which have no items to name, it is the list.
pub(super) fn pointer(id: &ResourceId, field: &str) -> Option<Pointer> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = field;
    let mut is_open = false;
    while !rest.is_empty() {
        if rest.starts_with('[') {
            if id.target == Target::Oci {
                break;
            }
            rest = behind_bracket(rest)?;
            tokens.push(Token::Every);
            continue;
        }
        let name = rest.strip_prefix('.')?;
        let end = if is_open {
            name.len()
        } else {
            name.find(['.', '[']).unwrap_or(name.len())
        };
        let (name, after) = name.split_at_checked(end)?;
        is_open = OPEN.contains(&name);
        tokens.push(Token::Name(name.into()));
        rest = after;
    }
    (!tokens.is_empty()).then(|| Pointer::of(tokens))
}

/// What comes after `[…]`; in it, brackets may stand in strings and in values.
fn behind_bracket(text: &str) -> Option<&str> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            '[' if !in_string => depth += 1,
            ']' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return text.get(at + 1..);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::Action;
    use crate::plan::change::tests::change;

    #[test]
    fn a_shown_path_becomes_a_rule_that_means_it() {
        let mut id = change("a", "NodePool", "a-general", Action::Update).id;
        let of = |id: &ResourceId, field: &str| pointer(id, field).map(|pointer| pointer.to_string());
        assert_eq!(
            rule_for(&id, ".spec.replicas").as_deref(),
            Some("{kind: NodePool, name: a-general, pointer: /spec/replicas}")
        );
        let owner = of(&id, ".metadata.annotations.example.com/a.b");
        assert_eq!(owner.as_deref(), Some("/metadata/annotations/example.com~1a.b"));
        let item = of(&id, r#".spec.services[service="A]\"PI"].port"#);
        assert_eq!(item.as_deref(), Some("/spec/services/*/port"));
        assert_eq!(
            rule_for(&id, ".spec.taints[0]")
                .as_deref()
                .map(|rule| rule.contains("\"/spec/taints/*\"")),
            Some(true)
        );
        assert_eq!(of(&id, "the object"), None);
        id.target = Target::Oci;
        let list = of(&id, r#".spec.routeRules[={"destination":"0.0.0.0/0"}]"#);
        assert_eq!(list.as_deref(), Some("/spec/routeRules"));
    }
}
