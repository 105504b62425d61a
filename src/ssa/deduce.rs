//! Which of the things that a type can be a value is.

use serde_json::Value;

use crate::schema::{ListKind, ListType, MapType, Node, Relation, Schema, TypeRef};

/// A type with what a value narrowed it to.
#[derive(Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub(crate) node: &'a Node,
    relation: Option<Relation>,
    kinds: Kinds,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Kinds {
    map: bool,
    scalar: bool,
    list: bool,
}

/// How a value is treated.
pub(crate) enum Handle<'a> {
    Map(&'a MapType),
    List(&'a ListType),
    Scalar,
}

impl<'a> Shape<'a> {
    /// Narrows a type by a value; one that fits none of its kinds, or is null, leaves it as wide as it was.
    pub(crate) fn of(schema: &'a Schema, to: TypeRef, value: Option<&Value>) -> Self {
        let node = schema.resolve(to);
        let all = Kinds {
            map: node.map.is_some(),
            scalar: node.scalar.is_some(),
            list: node.list.is_some(),
        };
        let none = Kinds {
            map: false,
            scalar: false,
            list: false,
        };
        let kinds = match value {
            Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) if all.scalar => Kinds { scalar: true, ..none },
            Some(Value::Array(_)) if all.list => Kinds { list: true, ..none },
            Some(Value::Object(_)) if all.map => Kinds { map: true, ..none },
            _ => all,
        };
        Self {
            node,
            relation: to.relation,
            kinds,
        }
    }

    pub(crate) fn same(&self, other: &Self) -> bool {
        self.kinds == other.kinds
    }

    pub(crate) fn handle(&self) -> Handle<'a> {
        match (&self.node.map, &self.node.list) {
            (Some(map), _) if self.kinds.map => Handle::Map(map),
            (_, Some(list)) if self.kinds.list && !self.kinds.scalar => Handle::List(list),
            _ => Handle::Scalar,
        }
    }

    /// Whether a list or map here is one value.
    pub(crate) fn is_atomic(&self) -> bool {
        match self.handle() {
            Handle::Map(map) => self.relation.unwrap_or(map.relation) == Relation::Atomic,
            Handle::List(list) => {
                list.kind == ListKind::Atomic || (self.node.map.is_none() && self.relation == Some(Relation::Atomic))
            }
            Handle::Scalar => false,
        }
    }
}
