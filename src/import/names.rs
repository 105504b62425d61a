//! Names for the files: of clusters, of their pools, and of what else is called after something live.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::live::Object;

/// A name for the files that no other cluster has: its own, else with its namespace.
pub(super) fn free(name: &str, namespace: &str, taken: &mut BTreeSet<String>) -> String {
    let own = plain(name);
    let longer = plain(&format!("{name}-{namespace}"));
    let numbered = (2..).map(|number: u32| format!("{longer}-{number}"));
    let mut names = [own, longer.clone()].into_iter().chain(numbered);
    // One more candidate than there are taken names is always enough.
    let found = names.find(|name| !taken.contains(name)).unwrap_or_default();
    taken.insert(found.clone());
    found
}

/// As a name in the files is: lower-case letters, digits and dashes.
pub(super) fn plain(name: &str) -> String {
    let letter = |letter: char| match letter.to_ascii_lowercase() {
        letter if letter.is_ascii_lowercase() || letter.is_ascii_digit() => letter,
        _ => '-',
    };
    let plain: String = name.chars().map(letter).collect();
    match plain.trim_matches('-') {
        "" => "unnamed".to_owned(),
        plain => plain.to_owned(),
    }
}

/// The pool's name within its cluster: what its object's name adds to the cluster's, else the whole of it.
pub(super) fn pool_name(pool: &Object, cluster: &Object, taken: &Map<String, Value>) -> String {
    let rest = pool
        .name
        .strip_prefix(&cluster.name)
        .and_then(|rest| rest.strip_prefix('-'));
    let short = rest.filter(|rest| plain(rest) == **rest && !taken.contains_key(*rest));
    if let Some(short) = short {
        return short.to_owned();
    }
    let whole = plain(&pool.name);
    let numbered = (2..).map(|number: u32| format!("{whole}-{number}"));
    let mut names = std::iter::once(whole.clone()).chain(numbered);
    names.find(|name| !taken.contains_key(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_plain_and_each_is_given_once() {
        let mut taken = BTreeSet::new();
        assert_eq!(free("a.b", "x", &mut taken), "a-b");
        assert_eq!(free("a-b", "x", &mut taken), "a-b-x");
        assert_eq!(free("a-b", "x", &mut taken), "a-b-x-2");
        assert_eq!(plain("..."), "unnamed");
        assert_eq!(plain("Grün"), "gr-n");
    }
}
