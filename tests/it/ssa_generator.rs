//! Makes objects at random, by their schema: the same seed makes the same objects.

use fleetwright::schema::{JsonType, ListView, Normal, SchemaView};
use serde_json::{Map, Value, json};

/// A small generator of numbers (xorshift64*), so that a seed means the same everywhere and forever.
#[derive(Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        for _ in 0..4 {
            random.next();
        }
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Less than `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound.max(1)
    }

    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// How large and how strange the objects are.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// About how many fields of an object are set, of all it may have.
    pub(crate) fields: usize,
    /// Nulls and empty containers among them.
    pub(crate) oddities: bool,
    /// Only values that every server takes, none of them zero, and no fields that weren't there.
    pub(crate) plain: bool,
}

pub(crate) struct Generator<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) shape: Shape,
}

/// Fields that no client sets, and some of Kubernetes' own that the server drops because they are switched off, or keeps
/// equal to another: that isn't the merge's doing.
const NEVER: [&str; 9] = [
    "managedFields",
    "ownerReferences",
    "creationTimestamp",
    "schedulingGroup",
    "stopSignal",
    "serviceAccount",
    "serviceAccountName",
    "podCertificate",
    "clusterTrustBundle",
];

const WORDS: [&str; 6] = ["a", "b", "c", "x<y>&z", "long-word", "é"];

impl Generator<'_> {
    /// A value of a type.
    pub(crate) fn value(&mut self, of: SchemaView<'_>, depth: usize) -> Value {
        if !of.choices().is_empty() {
            return self.random.pick(of.choices()).clone();
        }
        match of.json_type() {
            JsonType::Boolean => json!(self.random.percent(50)),
            JsonType::Integer => json!(self.random.below(4) + usize::from(self.shape.plain)),
            JsonType::Number => self.random.pick(&[json!(1), json!(1.5), json!(2)]).clone(),
            JsonType::String => json!(self.text(of)),
            JsonType::Array => self.list(of, depth),
            JsonType::Object => self.object(of, depth),
            JsonType::Any if of.normal() == Normal::Quantity => self.random.pick(&[json!("1Gi"), json!(2)]).clone(),
            JsonType::Any if of.normal() == Normal::IntOrString => {
                self.random.pick(&[json!("http"), json!(80)]).clone()
            }
            JsonType::Any => self.anything(depth),
        }
    }

    fn text(&mut self, of: SchemaView<'_>) -> String {
        let from: &[&str] = match (of.format(), of.normal()) {
            (Some("date-time"), _) => &["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"],
            (Some("byte"), _) => &["YQ==", "Yg=="],
            (Some("duration"), _) => &["1h0m0s", "60m", "5s"],
            (_, Normal::Quantity) => &["1Gi", "500m", "2"],
            _ if self.shape.plain => &WORDS[..3],
            _ => &WORDS,
        };
        (*self.random.pick(from)).to_owned()
    }

    fn anything(&mut self, depth: usize) -> Value {
        match self.random.below(if depth > 6 { 3 } else { 5 }) {
            0 => json!(*self.random.pick(&WORDS)),
            1 => json!(self.random.below(3)),
            2 => json!(true),
            3 => {
                let names: Vec<&str> = (0..self.random.below(3))
                    .map(|_| *self.random.pick(&["a", "b", "c"]))
                    .collect();
                Value::Object(
                    names
                        .into_iter()
                        .map(|name| (name.to_owned(), self.anything(depth + 1)))
                        .collect(),
                )
            }
            _ => Value::Array((0..self.random.below(3)).map(|_| self.anything(depth + 1)).collect()),
        }
    }

    fn object(&mut self, of: SchemaView<'_>, depth: usize) -> Value {
        let mut entries = Map::new();
        let fields: Vec<_> = of.fields().collect();
        let wanted = if depth > 7 {
            1
        } else {
            self.shape.fields.saturating_sub(depth).max(2)
        };
        let chance = (wanted * 100 / fields.len().max(1)).clamp(2, 80);
        for field in fields {
            if NEVER.contains(&field.name) {
                continue;
            }
            if of.is_embedded_resource() && field.name == "metadata" {
                entries.insert("metadata".to_owned(), json!({"name": "n", "labels": {"a": "b"}}));
            } else if self.random.percent(chance) {
                entries.insert(field.name.to_owned(), self.field(field.schema, depth + 1));
            }
        }
        if let Some(other) = of.additional().filter(|_| entries.is_empty() || of.is_open()) {
            for _ in 0..self.random.below(4) {
                let name = (*self.random.pick(&["a", "b", "c", "k.example.com/x"])).to_owned();
                entries.insert(name, self.field(other, depth + 1));
            }
        }
        Value::Object(entries)
    }

    fn field(&mut self, of: SchemaView<'_>, depth: usize) -> Value {
        if self.shape.oddities && self.random.percent(3) {
            return Value::Null;
        }
        self.value(of, depth)
    }

    fn list(&mut self, of: SchemaView<'_>, depth: usize) -> Value {
        let Some(items) = of.items() else { return json!([]) };
        let length = self.random.below(if depth > 7 { 2 } else { 4 });
        let mut list: Vec<Value> = Vec::new();
        for _ in 0..length {
            let mut item = self.value(items, depth + 1);
            match of.list() {
                Some(ListView::Set) => {
                    if list.contains(&item) {
                        continue;
                    }
                }
                Some(ListView::Map(keys)) => {
                    if !self.give_keys(items, &mut item, &keys)
                        || list.iter().any(|other| same_keys(other, &item, &keys, items))
                    {
                        continue;
                    }
                }
                Some(ListView::Atomic) | None => {}
            }
            list.push(item);
        }
        Value::Array(list)
    }

    /// Sets the key fields of an item, those with a default only sometimes.
    fn give_keys(&mut self, items: SchemaView<'_>, item: &mut Value, keys: &[&str]) -> bool {
        let Some(entries) = item.as_object_mut() else {
            return false;
        };
        for key in keys {
            let Some(field) = items.fields().find(|field| field.name == *key) else {
                return false;
            };
            if field.default.is_some() && self.random.percent(40) {
                entries.remove(*key);
                continue;
            }
            let value = self.value(field.schema, 9);
            entries.insert((*key).to_owned(), value);
        }
        true
    }

    /// What someone else might apply of the same object: parts of it, some of them changed.
    pub(crate) fn variation(&mut self, of: SchemaView<'_>, value: &Value, keep: usize) -> Value {
        match value {
            Value::Object(entries) => {
                let mut out = Map::new();
                for (name, entry) in entries {
                    if !self.random.percent(keep) {
                        continue;
                    }
                    let inner = of.field(name).or_else(|| of.additional());
                    let varied = match inner {
                        Some(inner) => self.variation(inner, entry, keep),
                        None => entry.clone(),
                    };
                    out.insert(name.clone(), varied);
                }
                if !self.shape.plain
                    && self.random.percent(4)
                    && let Value::Object(more) = self.object(of, 6)
                {
                    for (name, entry) in more {
                        out.entry(name).or_insert(entry);
                    }
                }
                Value::Object(out)
            }
            Value::Array(items) => self.vary_list(of, items, keep),
            Value::Null => Value::Null,
            scalar if self.random.percent(12) => {
                let other = self.value(of, 8);
                if other.is_null() { scalar.clone() } else { other }
            }
            scalar => scalar.clone(),
        }
    }

    fn vary_list(&mut self, of: SchemaView<'_>, items: &[Value], keep: usize) -> Value {
        let Some(inner) = of.items() else {
            return Value::Array(items.to_vec());
        };
        let keys = match of.list() {
            Some(ListView::Map(keys)) => keys,
            Some(ListView::Set) => {
                let mut kept: Vec<Value> = items.iter().filter(|_| self.random.percent(keep)).cloned().collect();
                self.shuffle(&mut kept);
                return Value::Array(kept);
            }
            Some(ListView::Atomic) | None => {
                return if self.random.percent(15) {
                    self.list(of, 5)
                } else {
                    Value::Array(items.to_vec())
                };
            }
        };
        let mut kept = Vec::new();
        for item in items {
            if !self.random.percent(keep) {
                continue;
            }
            let mut varied = self.variation(inner, item, keep);
            if let (Value::Object(varied), Value::Object(item)) = (&mut varied, item) {
                for key in &keys {
                    match item.get(*key) {
                        Some(value) => varied.insert((*key).to_owned(), value.clone()),
                        None => varied.remove(*key),
                    };
                }
            }
            kept.push(varied);
        }
        if !self.shape.plain
            && self.random.percent(10)
            && let Value::Array(more) = self.list(of, 5)
        {
            for item in more {
                if !kept.iter().any(|other| same_keys(other, &item, &keys, inner)) {
                    kept.push(item);
                }
            }
        }
        self.shuffle(&mut kept);
        Value::Array(kept)
    }

    fn shuffle(&mut self, items: &mut [Value]) {
        if self.random.percent(20) {
            for at in (1..items.len()).rev() {
                items.swap(at, self.random.below(at + 1));
            }
        }
    }
}

fn same_keys(a: &Value, b: &Value, keys: &[&str], items: SchemaView<'_>) -> bool {
    keys.iter().all(|key| {
        let default = items
            .fields()
            .find(|field| field.name == *key)
            .and_then(|field| field.default);
        a.get(*key).or(default) == b.get(*key).or(default)
    })
}
