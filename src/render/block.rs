//! A reader for the part of YAML that the built-in templates write.
//!
//! It knows block mappings and lists, plain keys, and values that are JSON on one line or a plain word. Anything else, even
//! if it is good YAML, is `None`: the whole parser's business. So it can be wrong in one way only, by taking what it should
//! have left alone, and a test against the whole parser looks for that.

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Nesting of blocks; deeper documents are the whole parser's to judge.
const DEPTH: usize = 40;

/// One line that says something.
#[derive(Clone, Copy)]
struct Line<'a> {
    indent: usize,
    text: &'a str,
}

/// Reads every document; `None` where anything is unfamiliar. Empty documents are left out.
pub(super) fn parse(output: &str) -> Option<Vec<Value>> {
    // Breaks and marks that YAML sees and JSON doesn't.
    if output.contains(['\t', '\r', '\u{85}', '\u{2028}', '\u{2029}', '\u{feff}']) {
        return None;
    }
    let mut documents = Vec::new();
    let mut lines = Vec::new();
    for raw in output.lines() {
        let text = raw.trim_matches(' ');
        if raw == "---" {
            documents.extend(document(&lines)?);
            lines.clear();
        } else if !text.is_empty() && !text.starts_with('#') {
            let indent = raw.len() - raw.trim_start_matches(' ').len();
            lines.push(Line { indent, text });
        }
    }
    documents.extend(document(&lines)?);
    Some(documents)
}

fn document(lines: &[Line<'_>]) -> Option<Option<Value>> {
    let Some(first) = lines.first() else {
        return Some(None);
    };
    if !lines
        .iter()
        .all(|line| line.indent > 0 || !(line.text.starts_with("---") || line.text.starts_with("...")))
    {
        return None;
    }
    let mut reader = Reader {
        lines: lines.to_vec(),
        at: 0,
    };
    let value = reader.node(first.indent, 0)?;
    (reader.at == lines.len()).then_some(Some(value))
}

struct Reader<'a> {
    /// The first line of an item of a list is overwritten by what is behind its dash.
    lines: Vec<Line<'a>>,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<Line<'a>> {
        self.lines.get(self.at).copied()
    }

    /// A mapping or a list whose lines begin at `indent`.
    fn node(&mut self, indent: usize, depth: usize) -> Option<Value> {
        if depth > DEPTH {
            return None;
        }
        if is_item(self.peek()?.text) {
            self.list(indent, depth)
        } else {
            self.mapping(indent, depth)
        }
    }

    fn mapping(&mut self, indent: usize, depth: usize) -> Option<Value> {
        let mut map = Map::new();
        while let Some(line) = self.peek() {
            if line.indent < indent {
                break;
            }
            if line.indent > indent || is_item(line.text) {
                return None;
            }
            let (key, rest) = entry(line.text)?;
            self.at += 1;
            let value = if rest.is_empty() {
                self.below(indent, depth)?
            } else {
                scalar(rest)?
            };
            if map.insert(key, value).is_some() {
                return None;
            }
        }
        Some(Value::Object(map))
    }

    /// What stands under a key without a value: deeper lines, a list at the key's own indent, or nothing.
    fn below(&mut self, indent: usize, depth: usize) -> Option<Value> {
        match self.peek() {
            Some(next) if next.indent > indent => self.node(next.indent, depth + 1),
            Some(next) if next.indent == indent && is_item(next.text) => self.list(indent, depth + 1),
            _ => Some(Value::Null),
        }
    }

    fn list(&mut self, indent: usize, depth: usize) -> Option<Value> {
        let mut items = Vec::new();
        while let Some(line) = self.peek() {
            if line.indent < indent || (line.indent == indent && !is_item(line.text)) {
                break;
            }
            if line.indent > indent {
                return None;
            }
            // A bare dash, and a list that begins on its parent's line, are rare: left to the whole parser.
            let rest = line.text.strip_prefix("- ")?.trim_start_matches(' ');
            if rest.is_empty() || is_item(rest) {
                return None;
            }
            if entry(rest).is_some() {
                let inner = indent + line.text.len() - rest.len();
                *self.lines.get_mut(self.at)? = Line {
                    indent: inner,
                    text: rest,
                };
                items.push(self.mapping(inner, depth + 1)?);
            } else {
                items.push(scalar(rest)?);
                self.at += 1;
            }
        }
        // The list may end where its parent mapping goes on, at the same indent.
        Some(Value::Array(items))
    }
}

fn is_item(text: &str) -> bool {
    text == "-" || text.starts_with("- ")
}

/// `key:` or `key: value`, the key a plain word or a JSON string.
fn entry(text: &str) -> Option<(String, &str)> {
    let (key, rest) = if text.starts_with('"') {
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let key = values.next()?.ok()?;
        (key, text.get(values.byte_offset()..)?)
    } else {
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "_$./-".contains(c)))?;
        let (key, rest) = text.split_at(end);
        if !is_word(key) {
            return None;
        }
        (key.to_owned(), rest)
    };
    let rest = rest.strip_prefix(':')?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| (key, rest.trim_start_matches(' ')))
}

/// Text that is a plain string in every YAML: begins with a letter (or `$`), and is no word with a meaning.
fn is_word(text: &str) -> bool {
    const MEANINGS: [&str; 8] = ["null", "true", "false", "inf", "infinity", "nan", "yes", "no"];
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_$./-".contains(c))
        && !MEANINGS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

fn scalar(text: &str) -> Option<Value> {
    if is_word(text) {
        return Some(Value::String(text.to_owned()));
    }
    match text.as_bytes().first()? {
        b'"' | b'{' | b'[' => {}
        // Numbers beyond 64 bits, and floats, have readings that differ from parser to parser.
        b'-' | b'0'..=b'9'
            if text.len() <= 18 && text != "-0" && text.bytes().all(|b| b == b'-' || b.is_ascii_digit()) => {}
        _ if matches!(text, "null" | "true" | "false") => {}
        _ => return None,
    }
    serde_json::from_str::<Strict>(text).ok().map(|value| value.0)
}

/// A JSON value in which no object has a key twice, and no number is a float.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON without floats")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(Number::from(value)))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(Number::from(value)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Strict(value))) = access.next_entry::<String, Strict>()? {
            if map.insert(key, value).is_some() {
                return Err(de::Error::custom("a key stands twice"));
            }
        }
        Ok(Value::Object(map))
    }
}
