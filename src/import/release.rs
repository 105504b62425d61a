//! A release image → the version that it is of.

use semver::Version;
use serde_json::Value;

use super::live::Object;

/// What follows a version in the tags of release images: the architectures that one is for.
const SUFFIXES: [&str; 7] = [
    "-multi", "-x86_64", "-aarch64", "-s390x", "-ppc64le", "-amd64", "-arm64",
];

/// What an image tells, and its object's status.
#[derive(Debug, PartialEq)]
pub(super) struct Release {
    pub(super) version: Version,
    pub(super) repository: String,
    /// `sha256:…`, where the image is named by it.
    pub(super) digest: Option<String>,
}

/// The release that an object asks for; none where neither its image nor its status tells the version.
pub(super) fn of(object: &Object) -> Option<Release> {
    let image = object.text("/release/image")?;
    if let Some((repository, digest)) = image.split_once('@') {
        // `repository:tag@digest` is the same image.
        let (repository, tag) = split_tag(repository);
        let of_tag = tag.and_then(version_of);
        return Some(Release {
            version: of_tag.or_else(|| reported(&object.whole, image))?,
            repository: repository.to_owned(),
            digest: Some(digest.to_owned()),
        });
    }
    let (repository, tag) = split_tag(image);
    Some(Release {
        version: tag.and_then(version_of).or_else(|| reported(&object.whole, image))?,
        repository: repository.to_owned(),
        digest: None,
    })
}

/// The repository, which may have a port, and the tag.
fn split_tag(image: &str) -> (&str, Option<&str>) {
    match image.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (image, None),
    }
}

fn version_of(tag: &str) -> Option<Version> {
    let bare = SUFFIXES
        .iter()
        .find_map(|suffix| tag.strip_suffix(suffix))
        .unwrap_or(tag);
    // Build metadata has no place in the files.
    Version::parse(bare).ok().filter(|version| version.build.is_empty())
}

/// What the status says of the very image: of a HostedCluster its history, of a NodePool its version.
fn reported(whole: &Value, image: &str) -> Option<Version> {
    let version = whole.pointer("/status/version")?;
    let text = match version {
        Value::String(text) => text.as_str(),
        _ => {
            let history = version.get("history")?.as_array()?;
            let of_image = |entry: &&Value| entry.get("image").and_then(Value::as_str) == Some(image);
            history.iter().find(of_image)?.get("version")?.as_str()?
        }
    };
    version_of(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_tell_the_version() {
        let version = |tag: &str| version_of(tag).map(|version| version.to_string());
        assert_eq!(version("4.20.3-multi").as_deref(), Some("4.20.3"));
        assert_eq!(version("4.20.3-x86_64").as_deref(), Some("4.20.3"));
        assert_eq!(version("4.20.0-rc.1-multi").as_deref(), Some("4.20.0-rc.1"));
        assert_eq!(version("latest"), None);
        assert_eq!(version("4.20"), None);
        assert_eq!(split_tag("registry:5000/a/b"), ("registry:5000/a/b", None));
        assert_eq!(split_tag("registry:5000/a/b:t"), ("registry:5000/a/b", Some("t")));
    }
}
