//! What a release image says of its version.

use semver::Version;

/// The version that an image's tag names: `…:4.20.3-multi` is 4.20.3. None where it has no tag, or one of another form.
pub(super) fn version(image: &str) -> Option<Version> {
    let (name, _digest) = image.split_once('@').unwrap_or((image, ""));
    let (_, tag) = name.rsplit('/').next()?.split_once(':')?;
    let tag = ["-multi", "-x86_64", "-aarch64", "-s390x", "-ppc64le"]
        .iter()
        .find_map(|suffix| tag.strip_suffix(suffix))
        .unwrap_or(tag);
    Version::parse(tag).ok()
}

/// Minor versions since 4.0, by which skew is counted: 5.0 is what 4.23 would be.
pub(super) fn minors(version: &Version) -> u64 {
    match version.major {
        5 => 23 + version.minor,
        _ => version.minor,
    }
}

/// The version as statuses show it; empty where it is not known.
pub(super) fn shown(image: &str) -> String {
    version(image).map_or_else(String::new, |version| version.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_without_their_architecture() {
        assert_eq!(
            shown("quay.io/openshift-release-dev/ocp-release:4.20.3-multi"),
            "4.20.3"
        );
        assert_eq!(shown("registry:5000/r:4.21.0-rc.1-x86_64"), "4.21.0-rc.1");
        assert_eq!(shown("registry:5000/r@sha256:abc"), "");
        assert_eq!(shown("r:latest"), "");
        assert_eq!(minors(&Version::new(5, 0, 1)), minors(&Version::new(4, 23, 0)));
    }
}
