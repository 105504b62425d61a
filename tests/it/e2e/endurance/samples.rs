//! What the daemon measured of itself, by the second.

use std::collections::BTreeMap;

/// A figure that `/metrics` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Figure {
    Allocated,
    Tasks,
    OpenFiles,
    Queue,
    Resident,
}

impl Figure {
    const ALL: [Self; 5] = [
        Self::Allocated,
        Self::Tasks,
        Self::OpenFiles,
        Self::Queue,
        Self::Resident,
    ];

    /// As the daemon calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Allocated => "fleetwright_process_allocated_bytes",
            Self::Tasks => "fleetwright_process_tasks",
            Self::OpenFiles => "process_open_fds",
            Self::Queue => "fleetwright_queue_length",
            Self::Resident => "process_resident_memory_bytes",
        }
    }
}

/// The values of each, in order of time.
#[derive(Debug, Default)]
pub(super) struct Samples(BTreeMap<Figure, Vec<f64>>);

impl Samples {
    /// Takes in an answer of `/metrics`; each figure has to be in it.
    #[track_caller]
    pub(super) fn take(&mut self, metrics: &str) {
        for figure in Figure::ALL {
            let told = metrics
                .lines()
                .find_map(|line| line.strip_prefix(figure.name())?.strip_prefix(' '));
            let value = told.and_then(|value| value.parse().ok());
            let value = value.unwrap_or_else(|| panic!("{} is missing:\n{metrics}", figure.name()));
            self.0.entry(figure).or_default().push(value);
        }
    }

    pub(super) fn of(&self, figure: Figure) -> &[f64] {
        self.0.get(&figure).map(Vec::as_slice).unwrap_or_default()
    }

    /// The lowest value of each tenth of the time, for people.
    pub(super) fn course(&self, figure: Figure) -> String {
        let values = self.of(figure);
        let tenths = values.chunks(values.len().div_ceil(10).max(1));
        let lowest = tenths.map(|tenth| tenth.iter().copied().fold(f64::INFINITY, f64::min));
        let told: Vec<String> = lowest.map(|value| format!("{value:.0}")).collect();
        format!("by tenths of the time {}", told.join(" "))
    }
}
