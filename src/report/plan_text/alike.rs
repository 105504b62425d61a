//! Units in which the same is done, name for name: a line of a profile changes a hundred clusters alike, and is told once.

use std::collections::BTreeMap;

use crate::plan::change::Change;
use crate::resource::{ManagementClusterName, UnitId};

/// As many units as are told one by one although they are alike.
const FEW: usize = 2;

/// Units that are alike.
pub(in crate::report) struct Alike<'a> {
    /// What is done in the first of them.
    pub(in crate::report) first: &'a [Change],
    /// The text of that.
    pub(in crate::report) text: String,
    /// The others.
    pub(in crate::report) others: Vec<&'a UnitId>,
}

/// What makes units alike: where they are recorded, what they are, and what is said of them, their own names apart.
type Form<'a> = (&'a ManagementClusterName, &'static str, String);

/// Puts units together that are alike, each with the first of them.
pub(in crate::report) fn together<'a>(units: Vec<(&'a [Change], String)>) -> Vec<Alike<'a>> {
    let mut sizes: BTreeMap<Form<'a>, usize> = BTreeMap::new();
    let forms: Vec<Option<Form<'a>>> = units
        .iter()
        .map(|(changes, text)| {
            let first = changes.first()?;
            let form = (&first.recorded_on, first.unit.kind(), nameless(text, first.unit.name()));
            *sizes.entry(form.clone()).or_default() += 1;
            Some(form)
        })
        .collect();
    let mut all: Vec<Alike<'a>> = Vec::new();
    let mut places: BTreeMap<Form<'a>, usize> = BTreeMap::new();
    for ((changes, text), form) in units.into_iter().zip(forms) {
        let form = form.filter(|form| sizes.get(form).is_some_and(|size| *size > FEW));
        let group = form.as_ref().and_then(|form| places.get(form)).copied();
        if let (Some(group), Some(first)) = (group.and_then(|at| all.get_mut(at)), changes.first()) {
            group.others.push(&first.unit);
            continue;
        }
        if let Some(form) = form {
            places.insert(form, all.len());
        }
        all.push(Alike {
            first: changes,
            text,
            others: Vec::new(),
        });
    }
    all
}

/// A text without a name, wherever that stands by itself.
fn nameless(text: &str, name: &str) -> String {
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let mut without = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(name).filter(|_| !name.is_empty()) {
        let (before, found) = rest.split_at(at);
        let after = &found[name.len()..];
        let edge_before = before.chars().next_back().or_else(|| without.chars().next_back());
        without.push_str(before);
        if is_edge(edge_before) && is_edge(after.chars().next()) {
            without.push('\0');
        } else {
            without.push_str(name);
        }
        rest = after;
    }
    without + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::change::Action;
    use crate::plan::change::tests::change;

    #[test]
    fn a_name_is_found_where_it_stands_by_itself() {
        assert_eq!(
            nameless("a-general of clusters-a/a", "a"),
            "\0-general of clusters-\0/\0"
        );
        assert_eq!(nameless("team-ab team-a", "team-a"), "team-ab \0");
        assert_eq!(nameless("aaa aa", "a"), "aaa aa");
    }

    #[test]
    fn units_are_alike_but_for_their_names() {
        let changes: Vec<Vec<Change>> = ["a", "b", "c", "d"]
            .map(|name| vec![change(name, "NodePool", name, Action::Update)])
            .into();
        let units = |texts: [&str; 4]| {
            let units = changes.iter().zip(texts);
            together(units.map(|(changes, text)| (&changes[..], text.to_owned())).collect())
                .iter()
                .map(|alike| (alike.text.clone(), alike.others.len()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            units(["~ a 1", "~ b 2", "~ c 1", "~ d 1"]),
            [("~ a 1".to_owned(), 2), ("~ b 2".to_owned(), 0)]
        );
        let two = units(["~ a 1", "~ b 2", "~ c 3", "~ d 1"]);
        assert_eq!(two.len(), 4, "two are told one by one");
    }
}
