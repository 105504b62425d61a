//! A template's output → JSON documents.
//!
//! Most output is what the built-in templates write: block mappings and lists of plain keys and JSON values. `block` reads
//! that in a fifth of the time of a whole YAML parser, and gives up at the first thing that it does not know for certain;
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
    use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_looks_like_another_type_in_quotes_stays_a_string() {
        let output = "a: \"no\"\nb: \"1e3\"\nc: \"null\"\nd: \"a: b # c\"\n";
        let expected = [json!({"a": "no", "b": "1e3", "c": "null", "d": "a: b # c"})];
        assert_eq!(parse(output).unwrap(), expected);
        assert_eq!(parse_yaml(output).unwrap(), expected);
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
        assert!(parse("a:\n  - b\n c: d\n").unwrap_err().line.is_some());
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

    /// A document as templates write it.
    #[derive(Clone, Debug)]
    enum Tree {
        Scalar(String),
        /// Keys and values; whether a list below one is indented.
        Map(Vec<(String, bool, Tree)>),
        List(Vec<Tree>),
    }

    impl Tree {
        /// The lines, the first without its indent.
        fn lines(&self, indent: usize) -> Vec<String> {
            let pad = |n: usize| " ".repeat(n);
            let mut lines = Vec::new();
            match self {
                Self::Scalar(text) => lines.push(text.clone()),
                Self::Map(entries) => {
                    for (key, deeper, value) in entries {
                        let inner = match value {
                            Self::Scalar(text) => {
                                lines.push(format!("{}{key}: {text}", pad(indent)));
                                continue;
                            }
                            Self::List(_) if !deeper => indent,
                            Self::Map(_) | Self::List(_) => indent + 2,
                        };
                        lines.push(format!("{}{key}:", pad(indent)));
                        let mut below = value.lines(inner);
                        if let Some(first) = below.first_mut() {
                            first.insert_str(0, &pad(inner));
                        }
                        lines.extend(below);
                    }
                }
                Self::List(items) => {
                    for item in items {
                        let mut below = item.lines(indent + 2);
                        if let Some(first) = below.first_mut() {
                            first.insert_str(0, &format!("{}- ", pad(indent)));
                        }
                        lines.extend(below);
                    }
                }
            }
            if let Some(first) = lines.first_mut() {
                *first = first.trim_start_matches(' ').to_owned();
            }
            lines
        }
    }

    /// What stands behind a key: what templates write, and near misses.
    fn value() -> impl Strategy<Value = String> {
        let odd = [
            "",
            "{}",
            "[]",
            "{\"a\": [1, \"b\"]}",
            "{\"a\":1}",
            "[a]",
            "null",
            "true",
            "~",
            "no",
            "0x1f",
            "1_0",
            "nan",
            ".inf",
            "'a'",
            "a # b",
            "a b",
            "|",
            ">-",
            "&a b",
            "*a",
            "\"\\u2028\"",
            "\"\u{2028}\"",
            "a: b",
            "Null",
            "\"a\"b",
            "0123",
            "99999999999999999999",
            "-0",
            "1.0e400",
            "\"a\\/b\"",
            "\"é\"",
            "é",
            "- a",
            "\"a\\ud83d\"",
        ];
        prop_oneof![
            6 => "[A-Za-z]{1,5}(/v1)?",
            3 => "\"[a-c:# '\\\\n]{0,4}\"",
            2 => "-?[0-9]{1,3}(\\.[0-9])?(e3)?",
            1 => prop::sample::select(odd.to_vec()).prop_map(str::to_owned),
        ]
    }

    fn tree() -> impl Strategy<Value = Tree> {
        let key = prop_oneof![8 => "[a-z$]{1,3}", 1 => "\"[a-c:# ]{0,3}\"", 1 => "[a-c.]{1,3}/[a-z]"];
        value().prop_map(Tree::Scalar).prop_recursive(4, 24, 4, move |inner| {
            let entry = (key.clone(), prop::bool::ANY, inner.clone());
            prop_oneof![
                3 => prop::collection::vec(entry, 1..5).prop_map(Tree::Map),
                1 => prop::collection::vec(inner, 1..4).prop_map(Tree::List),
            ]
        })
    }

    /// A document, most with something put in, taken out or moved.
    fn document() -> impl Strategy<Value = Vec<String>> {
        let odd = [
            "---",
            "...",
            "",
            "# a",
            "  # a",
            "   x",
            "\ta: b",
            "%YAML 1.2",
            "-",
            "- - a",
            "? a",
            "a: b",
        ];
        let change = (0usize..4, 0usize..30, 0usize..5, prop::sample::select(odd.to_vec()));
        (tree(), change).prop_map(|(tree, (what, at, indent, odd))| {
            let mut lines = tree.lines(0);
            let at = at % lines.len();
            match what {
                0 => {}
                1 => lines.insert(at, format!("{}{odd}", " ".repeat(indent))),
                2 => lines[at] = format!("{}{}", " ".repeat(indent), lines[at].trim_start()),
                _ => drop(lines.remove(at)),
            }
            lines
        })
    }

    #[test]
    fn the_fast_reader_agrees_with_the_whole_parser_wherever_it_does_not_give_up() {
        let read = std::cell::Cell::new(0);
        let config = ProptestConfig {
            cases: 20_000,
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let agrees = |lines: Vec<String>| {
            let output = lines.join("\n");
            if let Some(fast) = block::parse(&output) {
                read.set(read.get() + usize::from(lines.len() > 2));
                prop_assert_eq!(Ok(fast), parse_yaml(&output), "{}", output);
            }
            Ok(())
        };
        runner.run(&document(), agrees).unwrap();
        // Else it agrees by never answering.
        assert!(
            read.get() > 1500,
            "only {} cases of three lines or more were read",
            read.get()
        );
    }
}
