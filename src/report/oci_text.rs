//! What was asked of OCI, in one line, and what was not looked at.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::providers::oci::counts::Counts;

/// Operations that are named; the rest is a number.
const NAMED: usize = 3;

/// `OCI: 14 calls (5 ListSubnets, 3 ListVcns, 3 ListRouteTables, 3 others)`; what was not read follows.
pub fn render(counts: &Counts, (unread, since): (usize, Option<&str>)) -> String {
    let mut operations: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, count) in &counts.calls {
        *operations.entry(kind.operation).or_default() += count;
    }
    let mut sorted: Vec<(&str, u64)> = operations.into_iter().collect();
    sorted.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
    let others: u64 = sorted.iter().skip(NAMED).map(|(_, count)| count).sum();
    let mut parts: Vec<String> = sorted
        .iter()
        .take(NAMED)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    if others > 0 {
        parts.push(format!("{others} others"));
    }
    let mut line = match counts.total() {
        0 => "OCI: no calls".to_owned(),
        total => format!("OCI: {total} calls ({})", parts.join(", ")),
    };
    if counts.retries > 0 {
        let _ = write!(line, ", {} of them repeated", counts.retries);
    }
    if counts.waited.as_millis() > 0 {
        let _ = write!(
            line,
            "; callers waited {:.1} s for the budget",
            counts.waited.as_secs_f64()
        );
    }
    if unread > 0 {
        let groups = if unread == 1 { "group" } else { "groups" };
        let _ = write!(
            line,
            "; the rules of {unread} security {groups} were not read, for they are as last written (--refresh full reads all)"
        );
        if let Some(since) = since {
            let _ = write!(line, ", the oldest at {since}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::providers::oci::api::Service;
    use crate::providers::oci::counts::Kind;

    #[test]
    fn names_the_most_frequent_and_what_was_not_read() {
        let kind = |operation, status| Kind {
            service: Service::Core,
            operation,
            status: Some(status),
        };
        let mut counts = Counts::default();
        counts.calls.extend([
            (kind("ListVcns", 200), 3),
            (kind("ListVcns", 429), 1),
            (kind("ListSubnets", 200), 2),
            (kind("GetVcn", 200), 1),
            (kind("ListDrgs", 200), 1),
        ]);
        assert_eq!(
            render(&counts, (0, None)),
            "OCI: 8 calls (4 ListVcns, 2 ListSubnets, 1 GetVcn, 1 others)"
        );
        counts.retries = 1;
        counts.waited = Duration::from_millis(1500);
        let line = render(&counts, (2, Some("2026-11-01T00:00:00Z")));
        assert!(
            line.contains(", 1 of them repeated; callers waited 1.5 s for the budget"),
            "{line}"
        );
        assert!(line.contains("the rules of 2 security groups were not read"), "{line}");
        assert!(line.ends_with(", the oldest at 2026-11-01T00:00:00Z"), "{line}");
    }
}
