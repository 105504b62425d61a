//! Versions between two others.

use semver::Version;

use crate::fleet::model::Release;

/// Two versions between which a minor version is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The lower one.
    pub after: Version,
    /// The higher one.
    pub before: Version,
}

/// The version in a release image's tag: `…:4.20.3-multi`. None for a digest, or another way of naming.
pub fn version(image: &str) -> Option<Version> {
    let (name, _digest) = image.split_once('@').unwrap_or((image, ""));
    let (_, tag) = name.rsplit('/').next()?.split_once(':')?;
    let architectures = ["-multi", "-x86_64", "-aarch64", "-s390x", "-ppc64le"];
    let tag = architectures.iter().find_map(|suffix| tag.strip_suffix(suffix));
    let tag = tag.or_else(|| name.rsplit_once(':').map(|(_, tag)| tag))?;
    Version::parse(tag).ok()
}

/// Minor versions in one row: 5.0 follows 4.22 as 4.23 would.
pub fn row(version: &Version) -> u64 {
    let before: u64 = if version.major >= 5 { 23 } else { 0 };
    before.saturating_add(version.minor)
}

/// The releases on the way, the goal last; nothing where it is reached. One that goes down is one step, which is not ours to
/// judge. A minor version that `via` leaves out is gone through by its release among the `known`.
///
/// # Errors
/// Where a minor version would be left out.
pub fn path<'a>(
    from: &Version,
    (via, known): (&'a [Release], &'a [Release]),
    to: &'a Release,
) -> Result<Vec<&'a Release>, Gap> {
    if *from == to.version {
        return Ok(Vec::new());
    }
    let between = via
        .iter()
        .filter(|release| *from < release.version && release.version < to.version);
    let mut way: Vec<&Release> = between.collect();
    way.sort_by(|a, b| a.version.cmp(&b.version));
    way.push(to);
    let mut whole: Vec<&Release> = Vec::new();
    let mut at = from;
    for release in way {
        for left_out in row(at).saturating_add(1)..row(&release.version) {
            let Some(between) = known.iter().find(|known| row(&known.version) == left_out) else {
                return Err(Gap {
                    after: at.clone(),
                    before: release.version.clone(),
                });
            };
            whole.push(between);
            at = &between.version;
        }
        whole.push(release);
        at = &release.version;
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(version: &str) -> Release {
        Release {
            version: version.parse().unwrap(),
            image: format!("r:{version}-multi"),
        }
    }

    fn way(from: &str, via: &[&str], to: &str) -> String {
        way_with(from, (via, &[]), to)
    }

    fn way_with(from: &str, (via, known): (&[&str], &[&str]), to: &str) -> String {
        let [via, known] = [via, known].map(|all| all.iter().map(|version| release(version)).collect::<Vec<_>>());
        match path(&from.parse().unwrap(), (&via, &known), &release(to)) {
            Ok(way) => way
                .iter()
                .map(|release| release.version.to_string())
                .collect::<Vec<_>>()
                .join(" "),
            Err(Gap { after, before }) => format!("gap {after} {before}"),
        }
    }

    #[test]
    fn a_way_leaves_out_no_minor_version() {
        let table: [(&str, &[&str], &str, &str); 9] = [
            ("4.19.12", &[], "4.19.14", "4.19.14"),
            ("4.19.12", &[], "4.20.3", "4.20.3"),
            ("4.18.20", &[], "4.20.3", "gap 4.18.20 4.20.3"),
            ("4.18.20", &["4.19.14"], "4.20.3", "4.19.14 4.20.3"),
            ("4.19.14", &["4.19.14"], "4.20.3", "4.20.3"),
            (
                "4.16.1",
                &["4.19.1", "4.17.9", "4.18.2"],
                "4.20.0",
                "4.17.9 4.18.2 4.19.1 4.20.0",
            ),
            ("4.16.1", &["4.17.9", "4.19.1"], "4.20.0", "gap 4.17.9 4.19.1"),
            ("4.21.3", &["4.22.9"], "5.0.1", "4.22.9 5.0.1"),
            ("4.20.3", &["4.19.14"], "4.20.3", ""),
        ];
        for (from, via, to, expected) in table {
            assert_eq!(way(from, via, to), expected, "{from} {via:?} {to}");
        }
        assert_eq!(
            way("4.20.3", &["4.19.14"], "4.19.12"),
            "4.19.12",
            "down is for a guard to refuse"
        );
    }

    #[test]
    fn what_via_leaves_out_is_taken_from_what_is_known_and_nothing_else_is() {
        let known: &[&str] = &["4.17.30", "4.18.28", "4.19.14"];
        for (from, via, to, expected) in [
            ("4.18.20", &[][..], "4.20.3", "4.19.14 4.20.3"),
            ("4.18.20", &["4.19.9"], "4.20.3", "4.19.9 4.20.3"),
            ("4.17.1", &["4.19.9"], "4.20.3", "4.18.28 4.19.9 4.20.3"),
            ("4.19.12", &[], "4.20.3", "4.20.3"),
            ("4.15.1", &[], "4.20.3", "gap 4.15.1 4.20.3"),
        ] {
            assert_eq!(way_with(from, (via, known), to), expected, "{from} {via:?} {to}");
        }
    }

    #[test]
    fn tags_are_read_without_their_architecture() {
        let read = |image: &str| version(image).map(|version| version.to_string()).unwrap_or_default();
        assert_eq!(read("registry.example/release:4.20.3-multi"), "4.20.3");
        assert_eq!(read("registry:5000/r:4.21.0-rc.1-x86_64"), "4.21.0-rc.1");
        assert_eq!(read("registry:5000/r@sha256:abc"), "");
        assert_eq!(read("registry.example/release:4.20.3@sha256:abc"), "4.20.3");
        assert_eq!(read("r:latest"), "");
    }
}
