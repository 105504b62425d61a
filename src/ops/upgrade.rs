//! `lock --upgrade`: what the newest templates make of a fleet, beside what it renders now.

use crate::plan::ignore::Contested;
use std::path::Path;
use std::sync::Arc;

use super::base::Base;
use super::load::{LoadError, LoadedFleet, Scope, Templates, TreeOptions, load_tree};
use super::plan::{Against, PlanError, PlanOptions, plan};
use crate::plan::Plan;
use crate::source::{self, Limits};

/// A step to the newest templates.
pub struct Upgrade {
    /// The version that the lock names.
    pub from: u32,
    /// The newest.
    pub to: u32,
    /// The fleet as the newest make it, with a lock that names them; `write_lock` keeps that.
    pub loaded: LoadedFleet,
    /// What differs, with what it costs; none where the lock names the newest already, or the files have errors.
    pub plan: Option<Plan>,
}

/// Why it is not known what the step comes to.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The files can't be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The two can't be compared.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// Renders a fleet by both; writes nothing, and talks to nobody.
///
/// # Errors
/// Where the directory can't be read.
pub async fn upgrade(directory: &Path, templates: Templates, now: jiff::Timestamp) -> Result<Upgrade, UpgradeError> {
    let tree = source::read(directory, Limits::default()).map_err(LoadError::from)?;
    let load = |newest| {
        let options = TreeOptions {
            locked: false,
            now,
            earlier: None,
            templates: Templates { newest, ..templates },
        };
        load_tree(tree.clone(), &options)
    };
    let (before, loaded) = (load(false)?, load(true)?);
    let version = |loaded: &LoadedFleet| loaded.lock.fleet.as_ref().map_or(0, |fleet| fleet.templates);
    let (from, to) = (version(&before), version(&loaded));
    let plan = if from == to || before.has_errors() || loaded.has_errors() {
        None
    } else {
        let options = PlanOptions {
            against: Against::Rendered(Arc::new(Base::of(&before, &format!("templates {from}")))),
            scope: Scope::default(),
            contested: Contested::new(),
            adopt: false,
            even_suspended: false,
            now: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        };
        Some(plan(&loaded, &options).await?.plan)
    };
    Ok(Upgrade { from, to, loaded, plan })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::write_lock;
    use crate::render::built_in::{BUILT_IN, BuiltIn, Version};

    /// A version to come, by which pools have larger boot volumes unless they say otherwise.
    fn with_a_second() -> BuiltIn {
        let texts = BUILT_IN.newest().texts.iter().map(|(name, text)| {
            let text = match *name {
                "node-pools.yaml.j2" => text
                    .replace("bootVolumeSizeInGBs or 50", "bootVolumeSizeInGBs or 100")
                    .leak() as &'static str,
                _ => text,
            };
            (*name, text)
        });
        let texts: Vec<(&'static str, &'static str)> = texts.collect();
        let second = Version {
            number: BUILT_IN.newest().number + 1,
            texts: texts.leak(),
        };
        BuiltIn([BUILT_IN.0, &[second]].concat().leak())
    }

    fn demo() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fleet");
        for entry in walk(&from) {
            let to = directory.path().join(entry.strip_prefix(&from).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(&entry, to).unwrap();
        }
        directory
    }

    fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries
            .flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] })
            .collect()
    }

    fn now() -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn load(directory: &Path, templates: Templates) -> LoadedFleet {
        let tree = source::read(directory, Limits::default()).unwrap();
        let options = TreeOptions {
            locked: false,
            now: now(),
            earlier: None,
            templates,
        };
        load_tree(tree, &options).unwrap()
    }

    fn rendered(loaded: &LoadedFleet) -> String {
        format!("{:?}", loaded.rendered.units)
    }

    #[tokio::test]
    async fn a_fleet_keeps_the_version_of_its_lock_until_it_is_told_to_take_the_newest() {
        let directory = demo();
        let before = load(directory.path(), Templates::default());
        let newer = Templates {
            built_in: with_a_second(),
            newest: false,
        };
        let program_of_tomorrow = load(directory.path(), newer);
        assert_eq!(rendered(&program_of_tomorrow), rendered(&before));
        assert!(program_of_tomorrow.notes.is_empty(), "{:?}", program_of_tomorrow.notes);

        let step = upgrade(directory.path(), newer, now()).await.unwrap();
        assert_eq!((step.from, step.to), (1, 2));
        let plan = step.plan.unwrap();
        let kinds: std::collections::BTreeSet<&str> = plan.changes.iter().map(|change| &*change.id.kind).collect();
        assert_eq!(kinds.into_iter().collect::<Vec<_>>(), ["NodePool"]);
        assert!(plan.forecast.totals.pools > 0, "{:?}", plan.forecast.totals);
        assert_ne!(rendered(&step.loaded), rendered(&before));

        write_lock(&step.loaded, directory.path()).unwrap();
        assert_eq!(rendered(&load(directory.path(), newer)), rendered(&step.loaded));
        let again = upgrade(directory.path(), newer, now()).await.unwrap();
        assert_eq!((again.from, again.to), (2, 2));
        assert!(again.plan.is_none());

        // A program without that version makes nothing of it, rather than something else.
        let older = load(directory.path(), Templates::default());
        let codes: Vec<_> = older.diagnostics.iter().map(|problem| problem.code).collect();
        assert!(codes.contains(&crate::diag::Code::NoTemplates), "{codes:?}");
        assert!(older.rendered.units.is_empty() && older.fleet.incomplete);
    }
}
