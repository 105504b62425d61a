//! Sets of fields, as tries.

use std::cmp::Ordering;
use std::sync::Arc;

use super::step::Step;
use crate::resource::{FieldPath, PathElement};
use crate::schema::{Schema, TypeRef};

/// A set of fields. That a field is in it says nothing of the fields above or below it.
///
/// Copies share what they have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// In order of step; none is neither a member nor has children.
    pub(super) entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) step: Step,
    pub(super) member: bool,
    /// Never empty.
    pub(super) children: Option<Arc<FieldSet>>,
}

impl Entry {
    pub(super) fn new(step: Step, member: bool, children: FieldSet) -> Option<Self> {
        let children = (!children.is_empty()).then(|| Arc::new(children));
        Self::shared(step, member, children)
    }

    fn shared(step: Step, member: bool, children: Option<Arc<FieldSet>>) -> Option<Self> {
        (member || children.is_some()).then_some(Self { step, member, children })
    }
}

impl FieldSet {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// A set of these fields.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a FieldPath>) -> Self {
        let mut set = Self::new();
        for path in paths {
            set.insert(path);
        }
        set
    }

    /// Whether no field is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many fields are in it.
    pub fn len(&self) -> usize {
        self.entries
            .iter()
            .map(|entry| usize::from(entry.member) + entry.children.as_ref().map_or(0, |below| below.len()))
            .sum()
    }

    /// Adds a field. The root can't be in a set; it is passed over.
    pub fn insert(&mut self, path: &FieldPath) {
        let steps: Vec<Step> = path.elements().iter().map(Step::from).collect();
        self.insert_steps(&steps);
    }

    pub(super) fn insert_steps(&mut self, steps: &[Step]) {
        let Some((first, rest)) = steps.split_first() else {
            return;
        };
        let at = match self.find(first) {
            Ok(at) => at,
            Err(at) => {
                self.entries.insert(
                    at,
                    Entry {
                        step: first.clone(),
                        member: false,
                        children: None,
                    },
                );
                at
            }
        };
        let Some(entry) = self.entries.get_mut(at) else { return };
        if rest.is_empty() {
            entry.member = true;
        } else {
            Arc::make_mut(entry.children.get_or_insert_default()).insert_steps(rest);
        }
    }

    /// Whether a field is in the set.
    pub fn contains(&self, path: &FieldPath) -> bool {
        let mut here = self;
        let mut elements = path.elements().iter().peekable();
        while let Some(element) = elements.next() {
            let Some(entry) = here.get(&Step::from(element)) else {
                return false;
            };
            if elements.peek().is_none() {
                return entry.member;
            }
            let Some(below) = &entry.children else { return false };
            here = below;
        }
        false
    }

    /// Whether fields below one are in the set.
    pub(super) fn has_below(&self, path: &FieldPath) -> bool {
        let entry = path.elements().iter().try_fold((self, false), |(here, _), element| {
            let below = here.get(&Step::from(element))?.children.as_deref();
            below.map(|below| (below, true))
        });
        entry.is_some_and(|(_, below)| below)
    }

    /// Fields that are in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.zip(other, |a, b| match (a, b) {
            (Some(a), None) => Some(a.clone()),
            (None, Some(b)) => Some(b.clone()),
            (Some(a), Some(b)) => Entry::shared(
                a.step.clone(),
                a.member || b.member,
                match (&a.children, &b.children) {
                    (Some(a), Some(b)) => Some(if Arc::ptr_eq(a, b) {
                        Arc::clone(a)
                    } else {
                        Arc::new(a.union(b))
                    }),
                    (a, b) => a.as_ref().or(b.as_ref()).map(Arc::clone),
                },
            ),
            (None, None) => None,
        })
    }

    /// Fields that are in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        self.zip(other, |a, b| {
            let (a, b) = (a?, b?);
            let children = match (&a.children, &b.children) {
                (Some(a), Some(b)) => a.intersection(b),
                _ => Self::new(),
            };
            Entry::new(a.step.clone(), a.member && b.member, children)
        })
    }

    /// Fields of this set that aren't in the other. Taking away a field leaves those below it.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.zip(other, |a, b| {
            let a = a?;
            let Some(b) = b else { return Some(a.clone()) };
            let children = match (&a.children, &b.children) {
                (Some(a), Some(b)) => {
                    let left = a.difference(b);
                    (!left.is_empty()).then(|| Arc::new(left))
                }
                (a, _) => a.as_ref().map(Arc::clone),
            };
            Entry::shared(a.step.clone(), a.member && !b.member, children)
        })
    }

    /// Fields of this set that neither are in the other nor lie below one that is.
    #[must_use]
    pub fn recursive_difference(&self, other: &Self) -> Self {
        self.zip(other, |a, b| {
            let a = a?;
            let Some(b) = b else { return Some(a.clone()) };
            if b.member {
                return None;
            }
            let children = match (&a.children, &b.children) {
                (Some(a), Some(b)) => {
                    let left = a.recursive_difference(b);
                    (!left.is_empty()).then(|| Arc::new(left))
                }
                (a, _) => a.as_ref().map(Arc::clone),
            };
            Entry::shared(a.step.clone(), a.member, children)
        })
    }

    /// Whether every field of this set is in the other.
    pub fn is_subset(&self, other: &Self) -> bool {
        let mut theirs = other.entries.iter().peekable();
        self.entries.iter().all(|entry| {
            while theirs.next_if(|their| their.step < entry.step).is_some() {}
            let Some(their) = theirs.next_if(|their| their.step == entry.step) else {
                return false;
            };
            (their.member || !entry.member)
                && match (&entry.children, &their.children) {
                    (None, _) => true,
                    (Some(_), None) => false,
                    (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a.is_subset(b),
                }
        })
    }

    /// Whether an item of a keyed list is in the set and nothing below it is.
    pub(super) fn has_bare_item(&self) -> bool {
        self.entries.iter().any(|entry| match &entry.children {
            None => matches!(entry.step, Step::Key(_)),
            Some(below) => below.has_bare_item(),
        })
    }

    /// The fields below which there are none.
    #[must_use]
    pub fn leaves(&self) -> Self {
        Self {
            entries: self
                .entries
                .iter()
                .filter_map(|entry| match &entry.children {
                    Some(below) => Entry::new(entry.step.clone(), false, below.leaves()),
                    None => Some(entry.clone()),
                })
                .collect(),
        }
    }

    /// The fields, a field before those below it.
    pub fn iter(&self) -> impl Iterator<Item = FieldPath> {
        let mut paths = Vec::new();
        self.collect(&mut FieldPath::root(), &mut paths);
        paths.into_iter()
    }

    fn collect(&self, here: &mut FieldPath, into: &mut Vec<FieldPath>) {
        for entry in &self.entries {
            here.push(PathElement::from(&entry.step));
            if entry.member {
                into.push(here.clone());
            }
            if let Some(below) = &entry.children {
                below.collect(here, into);
            }
            here.pop();
        }
    }

    pub(super) fn get(&self, step: &Step) -> Option<&Entry> {
        self.entries.get(self.find(step).ok()?)
    }

    fn find(&self, step: &Step) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.step.cmp(step))
    }

    /// Adds the declared fields above members, which owning what is below them doesn't make one own.
    pub(super) fn with_named_fields(&self, schema: &Schema, of: Option<TypeRef>) -> Self {
        let node = of.map(|of| schema.resolve(of));
        let map = node.and_then(|node| node.map.as_ref());
        let list = node.and_then(|node| node.list.as_ref());
        let entries = self.entries.iter().map(|entry| {
            let Some(below) = &entry.children else {
                return entry.clone();
            };
            let (named, to) = match &entry.step {
                Step::Field(name) => (
                    map.is_some_and(|map| map.field(name).is_some()),
                    map.and_then(|map| map.element(name)).map(|element| element.to),
                ),
                Step::Key(_) => (false, list.map(|list| list.items.to)),
                Step::Value(_) | Step::Index(_) => (false, None),
            };
            Entry {
                step: entry.step.clone(),
                member: entry.member || named,
                children: Some(Arc::new(below.with_named_fields(schema, to))),
            }
        });
        Self {
            entries: entries.collect(),
        }
    }

    /// Walks two sets in step order.
    fn zip(&self, other: &Self, mut join: impl FnMut(Option<&Entry>, Option<&Entry>) -> Option<Entry>) -> Self {
        let mut entries = Vec::with_capacity(self.entries.len());
        let (mut left, mut right) = (self.entries.iter().peekable(), other.entries.iter().peekable());
        loop {
            let order = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) => a.step.cmp(&b.step),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return Self { entries },
            };
            let a = if order.is_le() { left.next() } else { None };
            let b = if order.is_ge() { right.next() } else { None };
            entries.extend(join(a, b));
        }
    }

    /// Makes a set of entries in any order; of two for one step, the fields of both.
    pub(super) fn from_entries(mut entries: Vec<Entry>) -> Self {
        if !entries.is_sorted_by(|a, b| a.step < b.step) {
            entries.sort_by(|a, b| a.step.cmp(&b.step));
            entries.dedup_by(|later, first| {
                let same = later.step == first.step;
                if same {
                    first.member |= later.member;
                    first.children = match (first.children.take(), later.children.take()) {
                        (Some(a), Some(b)) => Some(Arc::new(a.union(&b))),
                        (a, b) => a.or(b),
                    };
                }
                same
            });
        }
        Self { entries }
    }
}
