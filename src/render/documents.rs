//! A template's output → JSON documents.
//!
//! Most output is what the built-in templates write: block mappings and lists of plain keys and JSON values. `block` reads
//! that in a tenth of the time of a whole YAML parser, and gives up at the first thing that it does not know for certain;
//! then the whole parser reads it. The two agree by test.

use serde::Deserialize as _;
use serde_json::{Map, Value};

use super::block;

/// Why output is no list of documents.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct DocumentError {
    /// Line of the output, from 1, where known.
    pub(super) line: Option<usize>,
    /// What is wrong there.
    pub(super) message: String,
}

/// Reads every document; empty ones are left out.
///
/// # Errors
/// Where the output is no YAML, or holds what JSON can't say: a tag, a key that is no string, an infinite number.
pub(super) fn parse(output: &str) -> Result<Vec<Value>, DocumentError> {
    match block::parse(output) {
        Some(documents) => Ok(documents),
        None => parse_yaml(output),
    }
}

fn parse_yaml(output: &str) -> Result<Vec<Value>, DocumentError> {
    let mut documents = Vec::new();
    for document in serde_yaml::Deserializer::from_str(output) {
        let value = serde_yaml::Value::deserialize(document).map_err(|error| DocumentError {
            line: error.location().map(|location| location.line()),
            message: error.to_string(),
        })?;
        match json(value)? {
            Value::Null => {}
            value => documents.push(value),
        }
    }
    Ok(documents)
}

fn json(value: serde_yaml::Value) -> Result<Value, DocumentError> {
    use serde_yaml::Value as Yaml;
    Ok(match value {
        Yaml::Null => Value::Null,
        Yaml::Bool(value) => Value::Bool(value),
        Yaml::Number(number) => number_of(&number)?,
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let Yaml::String(key) = key else {
                    return Err(refuse("a key that is no string; put it in quotes"));
                };
                map.insert(key, json(value)?);
            }
            Value::Object(map)
        }
        Yaml::Tagged(_) => return Err(refuse("a YAML tag, which no API takes")),
    })
}

fn number_of(number: &serde_yaml::Number) -> Result<Value, DocumentError> {
    let json = match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(value), ..) => Some(value.into()),
        (_, Some(value), _) => Some(value.into()),
        (.., Some(value)) => serde_json::Number::from_f64(value),
        _ => None,
    };
    json.map(Value::Number)
        .ok_or_else(|| refuse("a number that JSON can't write"))
}

fn refuse(message: &str) -> DocumentError {
    DocumentError {
        line: None,
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_looks_like_another_type_in_quotes_stays_a_string() {
        let output = "a: \"no\"\nb: \"1e3\"\nc: \"null\"\nd: \"a: b # c\"\n";
        let expected = json!({"a": "no", "b": "1e3", "c": "null", "d": "a: b # c"});
        assert_eq!(parse(output).unwrap(), [expected.clone()]);
        assert_eq!(parse_yaml(output).unwrap(), [expected]);
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        for output in [
            "1: a\n",
            "a: !tag b\n",
            "a: .inf\n",
            "a: b\na: c\n",
            "a: [1\n",
            "\"a\": {\"b\": 1, \"b\": 2}\n",
        ] {
            assert!(parse(output).is_err(), "{output}");
        }
        assert_eq!(parse("a:\n  - b\n c: d\n").unwrap_err().line.is_some(), true);
    }

    #[test]
    fn an_alias_bomb_is_an_error() {
        let mut output = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let list = vec![format!("*a{}", i - 1); 10].join(", ");
            output.push_str(&format!("a{i}: &a{i} [{list}]\n"));
        }
        assert!(parse(&output).is_err());
    }

    /// Lines as templates write them, and near misses.
    fn line() -> impl Strategy<Value = String> {
        let key = prop_oneof![
            "[a-c$]{1,2}",
            "\"[a-c:# ]{0,3}\"",
            Just("- a".to_owned()),
            Just("-".to_owned())
        ];
        let value = prop_oneof![
            4 => "[A-Za-z]{1,5}(/v1)?",
            2 => "\"[a-c:# '\\\\n]{0,4}\"",
            2 => "-?[0-9]{1,3}(\\.[0-9])?(e3)?",
            1 => Just(String::new()),
            1 => prop_oneof![
                Just("{}"), Just("[]"), Just("{\"a\": [1, \"b\"]}"), Just("[a]"), Just("null"), Just("true"), Just("~"),
                Just("no"), Just("0x1f"), Just("1_0"), Just("nan"), Just(".inf"), Just("'a'"), Just("a # b"), Just("a b"),
                Just("|"), Just(">-"), Just("&a b"), Just("*a"), Just("\"\\u2028\""), Just("\"\u{2028}\""), Just("a: b"),
                Just("Null"), Just("\"a\"b"), Just("0123"), Just("99999999999999999999"), Just("-0"), Just("1.0e400")
            ].prop_map(str::to_owned),
        ];
        let structured = (0usize..4, prop::bool::ANY, key, value).prop_map(|(indent, dash, key, value)| {
            let dash = if dash { "- " } else { "" };
            format!("{}{dash}{key}: {value}", " ".repeat(indent * 2))
        });
        let item = (0usize..4, "[a-z0-9]{1,2}").prop_map(|(indent, v)| format!("{}- {v}", " ".repeat(indent * 2)));
        let other = prop_oneof![
            Just("---"),
            Just("..."),
            Just(""),
            Just("# a"),
            Just("  # a"),
            Just("   x"),
            Just("\ta: b"),
            Just("%YAML 1.2")
        ];
        prop_oneof![12 => structured, 2 => item, 1 => other.prop_map(str::to_owned)]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_fast_reader_agrees_with_the_whole_parser_wherever_it_does_not_give_up(lines in prop::collection::vec(line(), 1..9)) {
            let output = lines.join("\n");
            if let Some(fast) = block::parse(&output) {
                prop_assert_eq!(Ok(fast), parse_yaml(&output), "{}", output);
            }
        }
    }
}
