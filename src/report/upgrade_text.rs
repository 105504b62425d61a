//! The way of a cluster to another release, in words.

use std::collections::BTreeMap;

use crate::plan::upgrade::Course;

/// One line; none where one step is all of it, and where there is no way.
pub fn line(course: &Course) -> Option<String> {
    if !course.goes_on() || course.gap.is_some() {
        return None;
    }
    let mut way = vec![course.from.to_string()];
    if let Some(under_way) = course.under_way.as_ref().filter(|version| **version != course.from) {
        way.push(format!("{under_way} (under way)"));
    }
    way.extend(course.steps.iter().map(ToString::to_string));
    let mut parts = Vec::new();
    if way.len() > 1 {
        parts.push(format!("control plane {}", way.join(" → ")));
    }
    let mut pools: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for pool in &course.pools {
        let from = pool.from.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
        pools
            .entry(format!("{from} → {}", pool.to))
            .or_default()
            .push(&pool.name);
    }
    for (way, names) in pools {
        let plural = if names.len() == 1 { "" } else { "s" };
        parts.push(format!("pool{plural} {} {way}", names.join(", ")));
    }
    let mut text = parts.join(", then ");
    match &course.waits {
        Some(waits) => text.push_str(&format!("; waits for {waits}")),
        None => {
            if let Some(next) = course.steps.first() {
                text.push_str(&format!("; now to {next}, the rest when that is complete"));
            }
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use semver::Version;

    use super::*;
    use crate::plan::upgrade::PoolCourse;

    #[test]
    fn says_the_steps_in_order_and_what_they_wait_for() {
        let pool = |name: &str| PoolCourse {
            name: name.to_owned(),
            from: Some(Version::new(4, 18, 20)),
            to: Version::new(4, 20, 3),
        };
        let mut course = Course {
            from: Version::new(4, 18, 20),
            steps: vec![Version::new(4, 19, 14), Version::new(4, 20, 3)],
            pools: vec![pool("a"), pool("b")],
            ..Course::default()
        };
        assert_eq!(
            line(&course).unwrap(),
            "control plane 4.18.20 → 4.19.14 → 4.20.3, then pools a, b 4.18.20 → 4.20.3; now to 4.19.14, the rest when that \
             is complete"
        );
        course.under_way = Some(course.steps.remove(0));
        course.waits = Some("the control plane to complete 4.19.14 (25% complete)".to_owned());
        assert_eq!(
            line(&course).unwrap(),
            "control plane 4.18.20 → 4.19.14 (under way) → 4.20.3, then pools a, b 4.18.20 → 4.20.3; waits for the control \
             plane to complete 4.19.14 (25% complete)"
        );
        let one = Course {
            from: Version::new(4, 20, 1),
            steps: vec![Version::new(4, 20, 3)],
            ..Course::default()
        };
        assert_eq!(line(&one), None);
    }
}
