//! Which files are a fleet's, by path alone: the same answer for a directory and for a Git tree.

/// Whether a name is hidden; hidden ones are another tool's (`.git`, `.github`, an editor's swap files).
pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// Whether the file at this path (relative, with `/`, nothing in it hidden) is read.
pub(super) fn is_wanted(path: &str) -> bool {
    let extension = path
        .rsplit('/')
        .next()
        .and_then(|name| name.rsplit_once('.'))
        .map_or("", |(_, extension)| extension);
    path.starts_with("fleet.lock/")
        || matches!(extension, "yaml" | "yml")
        || (extension == "j2" && path.starts_with("templates/"))
}

/// A path within a directory, itself relative, empty for the top.
pub(super) fn child(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}/{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_templates_and_the_lock_are_wanted_and_nothing_else() {
        for path in [
            "fleet.yaml",
            "clusters/a.yml",
            "templates/a/b.yaml.j2",
            "fleet.lock/payments.yaml",
            "fleet.lock/uid",
        ] {
            assert!(is_wanted(path), "{path}");
        }
        for path in [
            "README.md",
            "clusters/a.yaml.j2",
            "yaml",
            "a.yaml.orig",
            "fleet.lock",
            "x/fleet.lock/uid",
            "a.YAML",
        ] {
            assert!(!is_wanted(path), "{path}");
        }
    }
}
