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

    /// The first, the highest and the last value.
    pub(super) fn span(&self, figure: Figure) -> String {
        let values = self.of(figure);
        let (first, last) = (values.first(), values.last());
        let highest = values.iter().copied().fold(0.0, f64::max);
        let of = |value: Option<&f64>| value.copied().unwrap_or_default();
        format!(
            "{:.0} at first, {highest:.0} at most, {:.0} at last",
            of(first),
            of(last)
        )
    }
}
