//! JSON pointers (RFC 6901) in which `*` stands for every key of a map or every item of a list.

use std::fmt;

use serde_json::Value;

use super::path::{FieldPath, PathElement};

/// One step of a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// `*`: whatever is there.
    Every,
    /// A key of a map, or the position of an item.
    Name(Box<str>),
}

/// A pointer. It is about the place that it leads to and all below that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Box<[Token]>);

/// Why a text is no pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It would be the whole object.
    #[error("an empty pointer is the whole object")]
    Empty,
    /// It begins with something else.
    #[error("a pointer begins with `/`")]
    NoSlash,
    /// A `~` that is followed by neither.
    #[error("`~` stands for itself as `~0`, and for `/` in a key as `~1`")]
    Escape,
    /// Nothing between two slashes, or behind the last.
    #[error("a step of the pointer is empty")]
    EmptyStep,
}

/// How a pointer stands to a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach<'a> {
    /// It leads elsewhere.
    Elsewhere,
    /// To the place, or to one that holds it.
    Covers,
    /// Into it, by these steps.
    Into(&'a [Token]),
}

impl Pointer {
    /// Reads one.
    ///
    /// # Errors
    /// Where the text is none, or is the whole object.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        if text.is_empty() {
            return Err(PointerError::Empty);
        }
        let rest = text.strip_prefix('/').ok_or(PointerError::NoSlash)?;
        let tokens = rest.split('/').map(|step| match step {
            "" => Err(PointerError::EmptyStep),
            "*" => Ok(Token::Every),
            step => unescaped(step).map(|name| Token::Name(name.into())),
        });
        Ok(Self(tokens.collect::<Result<_, _>>()?))
    }

    /// A pointer of these steps.
    pub(crate) fn of(tokens: Vec<Token>) -> Self {
        Self(tokens.into())
    }

    /// Its steps.
    pub fn tokens(&self) -> &[Token] {
        &self.0
    }

    /// How it stands to a place of a document; items that a path names by key have their position in that document.
    pub fn reach(&self, path: &FieldPath, document: &Value) -> Reach<'_> {
        let mut tokens = self.0.iter();
        let mut here = Some(document);
        let mut left: &[Token] = &self.0;
        for element in path.elements() {
            let Some(token) = tokens.next() else {
                return Reach::Covers;
            };
            let position = match element {
                PathElement::Field(_) => None,
                element => here.and_then(|list| position(list, element)),
            };
            let meets = match (token, element) {
                (Token::Every, _) => true,
                (Token::Name(name), PathElement::Field(field)) => **name == **field,
                (Token::Name(name), _) => position.is_some_and(|position| name.parse() == Ok(position)),
            };
            if !meets {
                return Reach::Elsewhere;
            }
            here = match (element, position) {
                (PathElement::Field(name), _) => here.and_then(|here| here.get(name)),
                (_, Some(position)) => here.and_then(|here| here.get(position)),
                (_, None) => None,
            };
            left = tokens.as_slice();
        }
        if left.is_empty() {
            Reach::Covers
        } else {
            Reach::Into(left)
        }
    }

    /// Whether it leads to something in a document.
    pub fn finds(&self, document: &Value) -> bool {
        finds(&self.0, document)
    }

    /// Whether what it leads to can be a place that these names lead to, or hold one.
    pub fn may_hold(&self, names: &[&str]) -> bool {
        self.0.len() <= names.len()
            && self.0.iter().zip(names).all(|(token, name)| match token {
                Token::Every => true,
                Token::Name(there) => **there == **name,
            })
    }
}

fn finds(tokens: &[Token], value: &Value) -> bool {
    let Some((first, rest)) = tokens.split_first() else {
        return true;
    };
    match (first, value) {
        (Token::Every, Value::Object(map)) => map.values().any(|below| finds(rest, below)),
        (Token::Every, Value::Array(items)) => items.iter().any(|below| finds(rest, below)),
        (Token::Name(name), Value::Object(map)) => map.get(&**name).is_some_and(|below| finds(rest, below)),
        (Token::Name(name), Value::Array(items)) => {
            let item = name.parse::<usize>().ok().and_then(|at| items.get(at));
            item.is_some_and(|below| finds(rest, below))
        }
        _ => false,
    }
}

/// Where in a list the item is that a path names. A key that an item leaves out has its default, which is not known here:
/// one that has all its keys comes first.
pub(crate) fn position(list: &Value, element: &PathElement) -> Option<usize> {
    let items = list.as_array()?;
    match element {
        PathElement::Field(_) => None,
        PathElement::Index(index) => Some(*index),
        PathElement::Value(value) => items.iter().position(|item| item == value),
        PathElement::Key(keys) => {
            let exact = |item: &Value| keys.iter().all(|(name, value)| item.get(name) == Some(value));
            let near = |item: &Value| {
                item.is_object()
                    && keys
                        .iter()
                        .all(|(name, value)| item.get(name).is_none_or(|there| there == value))
            };
            items.iter().position(exact).or_else(|| items.iter().position(near))
        }
    }
}

fn unescaped(step: &str) -> Result<String, PointerError> {
    let mut name = String::with_capacity(step.len());
    let mut characters = step.chars();
    while let Some(character) = characters.next() {
        name.push(match (character, character == '~') {
            (_, true) => match characters.next() {
                Some('0') => '~',
                Some('1') => '/',
                _ => return Err(PointerError::Escape),
            },
            (character, false) => character,
        });
    }
    Ok(name)
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in &self.0 {
            match token {
                Token::Every => f.write_str("/*")?,
                Token::Name(name) => write!(f, "/{}", name.replace('~', "~0").replace('/', "~1"))?,
            }
        }
        Ok(())
    }
}

impl serde::Serialize for Pointer {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(name: &str) -> PathElement {
        PathElement::Field(name.to_owned())
    }

    #[test]
    fn reads_what_the_standard_has_and_writes_it_again() {
        for text in ["/spec/replicas", "/metadata/annotations/a.b~1c~0d", "/spec/list/*/0"] {
            assert_eq!(Pointer::parse(text).unwrap().to_string(), text);
        }
        let wrong = [
            ("", PointerError::Empty),
            ("spec", PointerError::NoSlash),
            ("/a/~2", PointerError::Escape),
            ("/a/~", PointerError::Escape),
            ("/a//b", PointerError::EmptyStep),
            ("/", PointerError::EmptyStep),
        ];
        for (text, why) in wrong {
            assert_eq!(Pointer::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn covers_its_place_and_all_below_and_leads_into_what_is_above() {
        let document = json!({"spec": {"ports": [{"name": "a", "port": 1}, {"name": "b", "port": 2}]}});
        let item = |name: &str| PathElement::Key(vec![("name".to_owned(), json!(name))]);
        let port = |name: &str| FieldPath::new(vec![field("spec"), field("ports"), item(name), field("port")]);
        let reach = |text: &str, path: &FieldPath| match Pointer::parse(text).unwrap().reach(path, &document) {
            Reach::Covers => "covers".to_owned(),
            Reach::Elsewhere => "elsewhere".to_owned(),
            Reach::Into(rest) => format!("{rest:?}").matches("Name").count().to_string(),
        };
        assert_eq!(reach("/spec/ports/*/port", &port("b")), "covers");
        assert_eq!(reach("/spec/ports", &port("b")), "covers");
        assert_eq!(reach("/spec/ports/1/port", &port("b")), "covers");
        assert_eq!(reach("/spec/ports/0/port", &port("b")), "elsewhere");
        assert_eq!(reach("/spec/port", &port("b")), "elsewhere");
        let list = FieldPath::new(vec![field("spec"), field("ports")]);
        assert_eq!(reach("/spec/ports/*/port", &list), "1");
    }

    #[test]
    fn finds_what_is_there() {
        let document = json!({"spec": {"ports": [{"port": 1}], "a/b": null}});
        let finds = |text: &str| Pointer::parse(text).unwrap().finds(&document);
        assert!(finds("/spec/ports/*/port") && finds("/spec/ports/0") && finds("/spec/a~1b") && finds("/*"));
        assert!(!finds("/spec/ports/1") && !finds("/spec/ports/*/name") && !finds("/spec/ports/0/port/x"));
    }

    #[test]
    fn may_hold_what_its_steps_can_lead_to() {
        let may = |text: &str| {
            Pointer::parse(text)
                .unwrap()
                .may_hold(&["metadata", "annotations", "x"])
        };
        assert!(may("/metadata") && may("/metadata/annotations/*") && may("/*/annotations"));
        assert!(!may("/metadata/annotations/y") && !may("/metadata/annotations/x/y") && !may("/spec"));
    }
}
