//! JSON text as an API server reads it: a field may come twice, the last one counts, and the repetition is remembered.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// A document, and the paths of fields that it has more than once.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The value.
    pub value: Value,
    /// Paths such as `spec.items[0].name`, each once.
    pub repeated: Vec<String>,
}

/// Reads a document.
///
/// # Errors
/// Where the text is no JSON.
pub fn read(text: &[u8]) -> Result<Document, serde_json::Error> {
    let repeated = RefCell::new(Vec::new());
    let seed = Seed {
        path: &String::new(),
        repeated: &repeated,
    };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = seed.deserialize(&mut reader)?;
    reader.end()?;
    let mut seen = Vec::new();
    for path in repeated.into_inner() {
        if !seen.contains(&path) {
            seen.push(path);
        }
    }
    Ok(Document { value, repeated: seen })
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    path: &'a String,
    repeated: &'a RefCell<Vec<String>>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number that is none"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        loop {
            let path = format!("{}[{}]", self.path, all.len());
            match items.next_element_seed(Seed { path: &path, ..self })? {
                Some(item) => all.push(item),
                None => return Ok(Value::Array(all)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let path = match self.path.as_str() {
                "" => name.clone(),
                above => format!("{above}.{name}"),
            };
            let value = entries.next_value_seed(Seed { path: &path, ..self })?;
            if all.insert(name, value).is_some() {
                let mut repeated = self.repeated.try_borrow_mut().map_err(A::Error::custom)?;
                repeated.push(path);
            }
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn remembers_what_comes_twice() {
        let read = read(br#"{"a": 1, "b": [{"c": 1, "c": 2}], "a": 3, "a": 4}"#).unwrap();
        assert_eq!(read.value, json!({"a": 4, "b": [{"c": 2}]}));
        assert_eq!(read.repeated, ["b[0].c", "a"]);
        assert!(super::read(b"{} x").is_err());
    }
}
