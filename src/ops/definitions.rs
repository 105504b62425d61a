//! The CustomResourceDefinitions of a fleet: files below `schemas/`, those in a folder of a management cluster's name for
//! that one alone.

use std::path::PathBuf;
use std::sync::Arc;

use super::admit::{self, AdmitError};
use super::load::LoadedFleet;
use crate::diag::{Code, Diagnostic};
use crate::fleet::SourceFile;
use crate::fleet::objects;
use crate::plan::admission::DefinitionSets;
use crate::report;
use crate::resource::ManagementClusterName;
use crate::schema::admission::is_definition;

/// Where a fleet's definitions are, below its directory.
pub(super) const FOLDER: &str = "schemas/";

/// The definitions of a fleet, and the texts that they were read from.
#[derive(Clone, Debug, Default)]
pub(super) struct FleetDefinitions {
    pub(super) sets: Arc<DefinitionSets>,
    files: Vec<SourceFile>,
    problems: Vec<Diagnostic>,
}

impl FleetDefinitions {
    /// Reads them, unless an earlier revision has the very same.
    pub(super) fn read(files: Vec<SourceFile>, earlier: Option<&Self>) -> Self {
        let is_same = |earlier: &&Self| {
            let pairs = || earlier.files.iter().zip(&files);
            earlier.files.len() == files.len() && pairs().all(|(a, b)| a.path == b.path && a.text == b.text)
        };
        if let Some(earlier) = earlier.filter(is_same) {
            return earlier.clone();
        }
        let read = objects::read(&files);
        let mut sets = DefinitionSets::default();
        let mut problems = read.diagnostics.clone();
        for object in &read.objects {
            let place = read.place(object);
            let wrong = |message: String| Diagnostic::new(Code::Definition, message).at(&place);
            if !is_definition(&object.value) {
                let message = format!(
                    "`{FOLDER}` holds CustomResourceDefinitions alone, this is a {}",
                    object.text("/kind")
                );
                problems.push(
                    wrong(message).hint("move it elsewhere, `fleetwright schemas pull` writes what belongs here"),
                );
                continue;
            }
            let inner = place.file.strip_prefix(FOLDER).unwrap_or(&place.file);
            let set = match inner.split_once('/') {
                Some((name, _)) => sets.only_on.entry(ManagementClusterName::new(name)).or_default(),
                None => &mut sets.everywhere,
            };
            if let Err(error) = set.add(object.value.clone()) {
                let message = format!("this definition can't be used: {}", report::chain(&error));
                problems.push(wrong(message).hint("`fleetwright schemas pull` reads those of the management clusters"));
            }
        }
        Self {
            sets: Arc::new(sets),
            files,
            problems,
        }
    }

    /// What is wrong with them.
    pub(super) fn problems(&self) -> &[Diagnostic] {
        &self.problems
    }
}

impl LoadedFleet {
    /// Takes the definitions of these files and directories for every management cluster, in the place of its own.
    ///
    /// # Errors
    /// Where they can't be read, or one is not good.
    pub fn judge_by(&mut self, paths: &[PathBuf]) -> Result<(), AdmitError> {
        if paths.is_empty() {
            return Ok(());
        }
        let sets = DefinitionSets {
            everywhere: admit::definitions(paths)?,
            ..DefinitionSets::default()
        };
        self.definitions.sets = Arc::new(sets);
        Ok(())
    }
}
