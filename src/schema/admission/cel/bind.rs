//! Values of an object as rules see them.

#![expect(
    clippy::disallowed_types,
    reason = "what the crate's map is made of; no order of it is seen"
)]

use std::collections::HashMap;

use cel::common::traits::{Adder, Container, Indexer, Iterable, Sizer, Zeroer};
use cel::common::types::{
    CelBool, CelBytes, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, Type as CelType,
};
use cel::common::value::{Builtin, BuiltinRef, Val};
use serde_json::{Map, Value};

use super::super::format::{Format, duration};
use super::super::shape::{Additional, Declared, Identity, Shape, Type};
use super::time::{Duration, Time, parse_time};

/// Binds a value by its schema: names of fields are escaped, keys of maps are not, and what no schema knows is left out.
pub(super) fn bind<'v>(value: &'v Value, shape: &Shape) -> Box<dyn Val + 'v> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(flag) => Box::new(CelBool::from(*flag)),
        Value::Number(number) => match number.as_i64() {
            Some(integer) if !shape.is_type(Type::Number) => Box::new(CelInt::from(integer)),
            _ => Box::new(CelDouble::from(number.as_f64().unwrap_or_default())),
        },
        Value::String(text) => bind_text(text, shape),
        Value::Array(items) => bind_list(items, shape),
        Value::Object(entries) => bind_object(entries, shape),
    }
}

fn bind_text<'v>(text: &'v str, shape: &Shape) -> Box<dyn Val + 'v> {
    let of = |format: Format| shape.is_type(Type::String) && shape.format == Some(Declared::Text(format));
    if of(Format::Duration)
        && let Some(nanos) = duration(text)
    {
        return Box::new(Duration(nanos));
    }
    if of(Format::DateTime)
        && let Some(time) = parse_time(text)
    {
        return Box::new(Time(time));
    }
    if of(Format::Date)
        && let Some(time) = parse_time(&format!("{text}T00:00:00Z"))
    {
        return Box::new(Time(time));
    }
    if of(Format::Byte) {
        use base64::Engine as _;
        if let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(text) {
            return Box::new(CelBytes::from(bytes));
        }
    }
    Box::new(CelString::from(text))
}

fn bind_list<'v>(items: &'v [Value], shape: &Shape) -> Box<dyn Val + 'v> {
    let any = Shape::default();
    let below = shape.items.as_deref().unwrap_or(&any);
    let list = CelList::from(items.iter().map(|item| bind(item, below)).collect::<Vec<_>>());
    match &shape.identity {
        Identity::None => Box::new(list),
        Identity::Set | Identity::Keys(_) => Box::new(Unordered(list)),
    }
}

fn bind_object<'v>(entries: &'v Map<String, Value>, shape: &Shape) -> Box<dyn Val + 'v> {
    let any = Shape::default();
    let is_open = shape.properties.is_empty() && !shape.embedded;
    let fields: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = entries
        .iter()
        .filter_map(|(name, value)| {
            if shape.embedded && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
                return Some((name.as_str().into(), bind_frame(name, value)));
            }
            match (shape.property(name), &shape.additional) {
                (Some(below), _) => Some((escape(name), bind(value, below))),
                (None, Additional::Typed(below)) => Some((name.as_str().into(), bind(value, below))),
                (None, _) if is_open => Some((name.as_str().into(), bind(value, &any))),
                (None, _) => None,
            }
        })
        .collect();
    Box::new(CelMap::from(fields))
}

/// Of the metadata, rules see the name alone.
fn bind_frame<'v>(name: &str, value: &'v Value) -> Box<dyn Val + 'v> {
    let any = Shape::default();
    match value {
        Value::Object(entries) if name == "metadata" => {
            let seen = entries
                .iter()
                .filter(|(name, _)| matches!(name.as_str(), "name" | "generateName"));
            let fields: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = seen
                .map(|(name, value)| (name.as_str().into(), bind(value, &any)))
                .collect();
            Box::new(CelMap::from(fields))
        }
        other => bind(other, &any),
    }
}

/// A field's name as rules write it: CEL has no other way to say `a-b` or `namespace`.
fn escape(name: &str) -> CelMapKey<'_> {
    const RESERVED: [&str; 20] = [
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "while",
    ];
    if RESERVED.contains(&name) {
        return format!("__{name}__").into();
    }
    if !name.contains(['.', '-', '/']) && !name.contains("__") {
        return name.into();
    }
    let escaped = name.replace("__", "__underscores__").replace('.', "__dot__");
    escaped.replace('-', "__dash__").replace('/', "__slash__").into()
}

/// A set or a keyed list: equal to another whatever the order of their items. Adding to one makes a plain list.
#[derive(Clone, Debug)]
struct Unordered<'v>(CelList<'v>);

impl Val for Unordered<'_> {
    fn get_type(&self) -> &CelType {
        self.0.get_type()
    }

    fn cel_type() -> &'static CelType {
        <CelList<'static> as Val>::cel_type()
    }

    fn equals(&self, other: &dyn Val) -> bool {
        let Some(other) = other.downcast_ref::<CelList>() else {
            return false;
        };
        let (these, those) = (self.0.inner(), other.inner());
        if these.len() != those.len() {
            return false;
        }
        if these.iter().zip(those).all(|(a, b)| a.equals(b.as_ref())) {
            return true;
        }
        let mut left: Vec<&Box<dyn Val + '_>> = those.iter().collect();
        these.iter().all(|item| {
            let at = left.iter().position(|other| item.equals(other.as_ref()));
            at.map(|at| left.swap_remove(at)).is_some()
        })
    }

    fn clone_as_boxed<'w>(&self) -> Box<dyn Val + 'w>
    where
        Self: 'w,
    {
        Box::new(self.clone())
    }

    fn as_builtin<'b, 'w>(&'b self) -> BuiltinRef<'b, 'w>
    where
        Self: 'w,
    {
        self.0.as_builtin()
    }

    fn into_builtin<'w>(self: Box<Self>) -> Option<Builtin<'w>>
    where
        Self: 'w,
    {
        Box::new(self.0).into_builtin()
    }

    fn as_adder<'b, 'w>(&'b self) -> Option<&'b (dyn Adder + 'w)>
    where
        Self: 'w,
    {
        self.0.as_adder()
    }

    fn as_container(&self) -> Option<&dyn Container> {
        self.0.as_container()
    }

    fn as_indexer<'b, 'w>(&'b self) -> Option<&'b (dyn Indexer + 'w)>
    where
        Self: 'w,
    {
        self.0.as_indexer()
    }

    fn into_indexer<'w>(self: Box<Self>) -> Option<Box<dyn Indexer + 'w>>
    where
        Self: 'w,
    {
        Box::new(self.0).into_indexer()
    }

    fn as_iterable<'b, 'w>(&'b self) -> Option<&'b (dyn Iterable + 'w)>
    where
        Self: 'w,
    {
        self.0.as_iterable()
    }

    fn as_sizer(&self) -> Option<&dyn Sizer> {
        self.0.as_sizer()
    }

    fn as_zeroer(&self) -> Option<&dyn Zeroer> {
        self.0.as_zeroer()
    }
}
