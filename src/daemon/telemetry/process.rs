//! What this process uses, as the kernel, the allocator and the runtime tell it; on a system without `/proc` the kernel's part is
//! left out.

use std::fs;

use tokio::runtime::Handle;

use crate::metrics::catalog::{
    PROCESS_ALLOCATED, PROCESS_CPU, PROCESS_FDS, PROCESS_MAX_FDS, PROCESS_RESIDENT, PROCESS_START, PROCESS_TASKS,
    PROCESS_VIRTUAL,
};
use crate::metrics::{Registry, allocator};

/// Linux counts processor time in these for programs, whatever its own clock does.
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) fn record(registry: &Registry) {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let stat = read("/proc/self/stat");
    let status = read("/proc/self/status");
    let files = fs::read_dir("/proc/self/fd").map(Iterator::count).ok();
    let tasks = Handle::try_current().map(|runtime| super::number(runtime.metrics().num_alive_tasks()));
    let values = [
        (&PROCESS_ALLOCATED, allocator::allocated().map(bytes)),
        (&PROCESS_TASKS, tasks.ok()),
        (&PROCESS_RESIDENT, kilobytes(&status, "VmRSS:")),
        (&PROCESS_VIRTUAL, kilobytes(&status, "VmSize:")),
        // Looking takes one itself.
        (&PROCESS_FDS, files.map(|files| super::number(files.saturating_sub(1)))),
        (&PROCESS_MAX_FDS, open_files(&read("/proc/self/limits"))),
        (&PROCESS_START, started(&stat, &read("/proc/stat"))),
    ];
    for (family, value) in values {
        if let Some(value) = value {
            registry.set(family, [], value);
        }
    }
    if let (Some(user), Some(system)) = (field(&stat, 13), field(&stat, 14)) {
        registry.set(&PROCESS_CPU, [], (user + system) / TICKS_PER_SECOND);
    }
}

/// Exact up to eight pebibytes.
#[expect(clippy::cast_precision_loss, reason = "a process has less memory than that")]
fn bytes(count: u64) -> f64 {
    count as f64
}

/// A field of `/proc/self/stat`, counted from 0; the second is the program's name in brackets and may hold anything.
fn field(stat: &str, index: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(index.checked_sub(2)?)?.parse().ok()
}

fn kilobytes(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024.0)
}

fn open_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn started(own: &str, system: &str) -> Option<f64> {
    let boot: f64 = system
        .lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()?;
    Some(boot + field(own, 21)? / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_have_any_name() {
        let stat = "4242 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 8 0 12345 1000 200";
        assert_eq!(
            (field(stat, 13), field(stat, 14), field(stat, 21)),
            (Some(250.0), Some(150.0), Some(12345.0))
        );
        assert_eq!(started(stat, "cpu 1\nbtime 1700000000\n"), Some(1_700_000_123.45));
        assert_eq!(
            kilobytes("VmSize:\t  10 kB\nVmRSS:\t    4 kB\n", "VmRSS:"),
            Some(4096.0)
        );
        assert_eq!(
            open_files("Limit  Soft\nMax open files            1024      4096     files\n"),
            Some(1024.0)
        );
        assert_eq!(
            (
                field("", 13),
                kilobytes("", "VmRSS:"),
                open_files("Max open files unlimited")
            ),
            (None, None, None)
        );
    }

    #[tokio::test]
    async fn tasks_are_counted_while_they_live() {
        let tasks = || {
            let registry = Registry::default();
            record(&registry);
            let text = registry.text();
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("fleetwright_process_tasks "));
            line.and_then(|count| count.parse::<usize>().ok())
        };
        let before = tasks().expect("a runtime");
        let waits = tokio::spawn(std::future::pending::<()>());
        assert_eq!(tasks(), Some(before + 1));
        waits.abort();
        waits.await.unwrap_err();
        assert_eq!(tasks(), Some(before));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_measured() {
        let registry = Registry::default();
        record(&registry);
        let text = registry.text();
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_start_time_seconds",
        ] {
            let line = text
                .lines()
                .find(|line| line.starts_with(name))
                .unwrap_or_else(|| panic!("{name}: {text}"));
            let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(value >= 0.0, "{line}");
        }
    }
}
