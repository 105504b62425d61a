//! [`Node`] → typed structs, by serde.
//!
//! Invariant: what gets here was checked against the schema of the same struct, so an error here is a gap between the two;
//! it still comes out as a value, never as a panic.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IntoDeserializer, Visitor};

use super::node::{Entry, Node, Place, Yaml};

/// Why a value could not be read, and where.
#[derive(Debug)]
pub(crate) struct DecodeError {
    pub(super) message: String,
    pub(super) place: Option<Place>,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            message: message.to_string(),
            place: None,
        }
    }
}

/// Reads a typed value out of a tree.
pub(super) fn decode<'de, T: de::Deserialize<'de>>(node: &'de Node) -> Result<T, DecodeError> {
    T::deserialize(node)
}

fn placed<T>(result: Result<T, DecodeError>, place: Place) -> Result<T, DecodeError> {
    result.map_err(|error| DecodeError {
        place: error.place.or(Some(place)),
        ..error
    })
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let result = match &self.value {
            Yaml::Null => visitor.visit_unit(),
            Yaml::Bool(value) => visitor.visit_bool(*value),
            Yaml::Int(value) => match u64::try_from(*value) {
                Ok(value) => visitor.visit_u64(value),
                Err(_) => visitor.visit_i64(*value),
            },
            Yaml::Float(value, _) => visitor.visit_f64(*value),
            Yaml::Str(text) => visitor.visit_borrowed_str(text),
            Yaml::List(items) => visitor.visit_seq(Items(items.iter())),
            Yaml::Map(entries) => visitor.visit_map(Entries(entries.iter(), None)),
        };
        placed(result, self.place)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.value {
            Yaml::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, DecodeError> {
        placed(visitor.visit_newtype_struct(self), self.place)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let text = self.as_str().unwrap_or_default();
        placed(visitor.visit_enum(text.into_deserializer()), self.place)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DecodeError> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }
}

struct Entries<'de>(std::slice::Iter<'de, Entry>, Option<&'de Node>);

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        let Some(entry) = self.0.next() else { return Ok(None) };
        self.1 = Some(&entry.value);
        let key: de::value::BorrowedStrDeserializer<'de, DecodeError> =
            de::value::BorrowedStrDeserializer::new(&entry.key);
        placed(seed.deserialize(key).map(Some), entry.place)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        match self.1.take() {
            Some(node) => seed.deserialize(node),
            None => Err(de::Error::custom("a value before its key")),
        }
    }
}
