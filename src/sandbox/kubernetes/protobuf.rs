//! Bodies in Protobuf: `kubectl create` sends what it makes itself in that form alone.
//!
//! Of the kinds that it makes so, the fields that it sets are read; answers are JSON, which it takes as well.

use base64::Engine as _;
use serde_json::{Map, Value, json};

/// What stands before each message.
const MAGIC: &[u8] = b"k8s\0";

/// How the content of a field is read.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Bytes,
    Flag,
    Number,
    Message(&'static [Field]),
}

struct Field {
    number: u64,
    name: &'static str,
    form: Form,
    repeated: bool,
    /// A map from texts to what `form` says.
    map: bool,
}

const fn one(number: u64, name: &'static str, form: Form) -> Field {
    Field {
        number,
        name,
        form,
        repeated: false,
        map: false,
    }
}

const fn many(number: u64, name: &'static str, form: Form) -> Field {
    Field {
        repeated: true,
        ..one(number, name, form)
    }
}

const fn map(number: u64, name: &'static str, form: Form) -> Field {
    Field {
        map: true,
        ..one(number, name, form)
    }
}

const METADATA: Form = Form::Message(&[
    one(1, "name", Form::Text),
    one(2, "generateName", Form::Text),
    one(3, "namespace", Form::Text),
    map(11, "labels", Form::Text),
    map(12, "annotations", Form::Text),
]);

const RULE: Form = Form::Message(&[
    many(1, "verbs", Form::Text),
    many(2, "apiGroups", Form::Text),
    many(3, "resources", Form::Text),
    many(4, "resourceNames", Form::Text),
    many(5, "nonResourceURLs", Form::Text),
]);

const SUBJECT: Form = Form::Message(&[
    one(1, "kind", Form::Text),
    one(2, "apiGroup", Form::Text),
    one(3, "name", Form::Text),
    one(4, "namespace", Form::Text),
]);

const ROLE: Form = Form::Message(&[
    one(1, "apiGroup", Form::Text),
    one(2, "kind", Form::Text),
    one(3, "name", Form::Text),
]);

/// The fields of a kind; none where it is not known in this form.
fn fields_of(kind: &str) -> Option<&'static [Field]> {
    Some(match kind {
        "Namespace" | "ServiceAccount" => const { &[one(1, "metadata", METADATA)] },
        "ConfigMap" => {
            const {
                &[
                    one(1, "metadata", METADATA),
                    map(2, "data", Form::Text),
                    map(3, "binaryData", Form::Bytes),
                    one(4, "immutable", Form::Flag),
                ]
            }
        }
        "Secret" => {
            const {
                &[
                    one(1, "metadata", METADATA),
                    map(2, "data", Form::Bytes),
                    one(3, "type", Form::Text),
                    map(4, "stringData", Form::Text),
                    one(5, "immutable", Form::Flag),
                ]
            }
        }
        "Role" | "ClusterRole" => const { &[one(1, "metadata", METADATA), many(2, "rules", RULE)] },
        "RoleBinding" | "ClusterRoleBinding" => {
            const {
                &[
                    one(1, "metadata", METADATA),
                    many(2, "subjects", SUBJECT),
                    one(3, "roleRef", ROLE),
                ]
            }
        }
        "PriorityClass" => {
            const {
                &[
                    one(1, "metadata", METADATA),
                    one(2, "value", Form::Number),
                    one(3, "globalDefault", Form::Flag),
                    one(4, "description", Form::Text),
                    one(5, "preemptionPolicy", Form::Text),
                ]
            }
        }
        "SelfSubjectAccessReview" | "SelfSubjectRulesReview" | "SelfSubjectReview" => &[],
        _ => return None,
    })
}

/// Reads a message as the JSON document that it stands for; none where it is none, or of a kind that is not known.
pub(super) fn read(body: &[u8]) -> Option<Value> {
    let mut envelope = Reader(body.strip_prefix(MAGIC)?);
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[] as &[u8]);
    while let Some((number, content)) = envelope.next()? {
        match (number, content) {
            (1, Content::Bytes(bytes)) => {
                let mut named = Reader(bytes);
                while let Some((number, content)) = named.next()? {
                    match (number, content) {
                        (1, Content::Bytes(bytes)) => api_version = text(bytes)?,
                        (2, Content::Bytes(bytes)) => kind = text(bytes)?,
                        _ => {}
                    }
                }
            }
            (2, Content::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let mut object = message(raw, fields_of(&kind)?)?;
    object.insert("apiVersion".to_owned(), Value::from(api_version));
    object.insert("kind".to_owned(), Value::from(kind));
    Some(Value::Object(object))
}

fn message(bytes: &[u8], fields: &[Field]) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    let mut reader = Reader(bytes);
    while let Some((number, content)) = reader.next()? {
        let Some(field) = fields.iter().find(|field| field.number == number) else {
            continue;
        };
        if field.map {
            let Content::Bytes(bytes) = content else { return None };
            let (name, value) = entry(bytes, field.form)?;
            let entries = object.entry(field.name).or_insert_with(|| json!({}));
            entries.as_object_mut()?.insert(name, value);
            continue;
        }
        let value = read_value(content, field.form)?;
        if field.repeated {
            let items = object.entry(field.name).or_insert_with(|| json!([]));
            items.as_array_mut()?.push(value);
        } else if value != "" {
            object.insert(field.name.to_owned(), value);
        }
    }
    Some(object)
}

fn entry(bytes: &[u8], form: Form) -> Option<(String, Value)> {
    let (mut name, mut value) = (String::new(), Value::from(""));
    let mut reader = Reader(bytes);
    while let Some((number, content)) = reader.next()? {
        match (number, content) {
            (1, Content::Bytes(bytes)) => name = text(bytes)?,
            (2, content) => value = read_value(content, form)?,
            _ => {}
        }
    }
    Some((name, value))
}

fn read_value(content: Content<'_>, form: Form) -> Option<Value> {
    Some(match (form, content) {
        (Form::Text, Content::Bytes(bytes)) => Value::from(text(bytes)?),
        (Form::Bytes, Content::Bytes(bytes)) => Value::from(base64::engine::general_purpose::STANDARD.encode(bytes)),
        (Form::Message(fields), Content::Bytes(bytes)) => Value::Object(message(bytes, fields)?),
        (Form::Flag, Content::Number(number)) => Value::Bool(number != 0),
        (Form::Number, Content::Number(number)) => Value::from(number.cast_signed()),
        _ => return None,
    })
}

fn text(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next field; the outer none is a broken message, the inner one its end.
    fn next(&mut self) -> Option<Option<(u64, Content<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let tag = self.varint()?;
        let content = match tag & 7 {
            0 => Content::Number(self.varint()?),
            1 => Content::Bytes(self.take(8)?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Content::Bytes(self.take(length)?)
            }
            5 => Content::Bytes(self.take(4)?),
            _ => return None,
        };
        Some(Some((tag >> 3, content)))
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_and_a_broken_one_is_not() {
        let field = |tag: u8, content: &[u8]| {
            let length = u8::try_from(content.len()).unwrap();
            [&[tag, length], content].concat()
        };
        let named = [field(0x0a, b"v1"), field(0x12, b"ConfigMap")].concat();
        let entry = [field(0x0a, b"k"), field(0x12, b"v")].concat();
        let raw = [field(0x0a, &field(0x0a, b"a")), field(0x12, &entry), vec![0x20, 1]].concat();
        let bytes = [MAGIC, &field(0x0a, &named), &field(0x12, &raw)].concat();
        let wanted = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "v"},
            "immutable": true});
        assert_eq!(read(&bytes), Some(wanted));
        for end in 0..bytes.len() {
            drop(read(&bytes[..end]));
        }
        assert_eq!(read(b"k8s\0\x0a\xff"), None);
        assert_eq!(read(b"{}"), None);
    }
}
