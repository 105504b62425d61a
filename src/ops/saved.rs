//! Plans in files: kept by one run, held to and applied by another.
//!
//! Invariant: what can't be read whole, or is not signed as asked, is no plan.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::load::{LoadedFleet, entropy};
use super::plan::Planned;
use crate::plan::saved::{Allowed, Circumstances, Moved, SAVED_PLAN, SavedPlan};
use crate::redact::redacted;
use crate::resource::{Digest, UnitId};
use crate::source::git::{Keys, SignatureError, Signer, SshKeysError};

/// What a signature has to be made for: `ssh-keygen -Y sign -n fleetwright-plan`.
pub const PURPOSE: &str = "fleetwright-plan";

/// Bytes of a plan: some hundred thousand changes.
const LONGEST: u64 = 256 << 20;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Why there is no saved plan.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    /// A file can't be read or written.
    #[error("{} can't be {doing}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// `read`, `written`.
        doing: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is too long for a plan.
    #[error("{} is too long for a saved plan", .0.display())]
    TooLong(PathBuf),
    /// The file is none.
    #[error("{} is no plan that `plan --out` wrote", .path.display())]
    Form {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// It is of another form.
    #[error("{} is a `{found}`, and this program reads `{SAVED_PLAN}`", .path.display())]
    Version {
        /// Which.
        path: PathBuf,
        /// What it says that it is.
        found: String,
    },
    /// The signers can't be used.
    #[error("{} can't be used as a list of signers", .path.display())]
    Signers {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: SshKeysError,
    },
    /// Nobody has signed it.
    #[error(
        "{} is not there: nobody has signed the plan; `ssh-keygen -Y sign -n {PURPOSE} -f KEY PLAN` does, with the key of one who may",
        .0.display()
    )]
    Unsigned(PathBuf),
    /// It is not signed as asked.
    #[error("{} does not count as signed", .path.display())]
    Signature {
        /// The signature's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: SignatureError,
    },
}

impl SavedPlanError {
    /// Whether nothing failed: whoever applies it asked that it be refused.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Unsigned(_) | Self::Signature { .. })
    }
}

/// Keeps a plan in a file.
///
/// # Errors
/// Where it can't be written.
pub fn save_plan(
    loaded: &LoadedFleet,
    planned: &Planned,
    allowed: Allowed,
    path: &Path,
) -> Result<SavedPlan, SavedPlanError> {
    let with = Circumstances {
        version: VERSION.to_owned(),
        name: loaded.fleet.name.to_string(),
        head: loaded.head.clone(),
        made: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        templates: loaded.rendered.templates(),
        allowed,
        salt: entropy().iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    let saved = SavedPlan::of(&planned.plan, with, |unit| desired(loaded, unit));
    let mut text = serde_json::to_string_pretty(&saved).map_err(|source| SavedPlanError::Form {
        path: path.to_owned(),
        source,
    })?;
    text.push('\n');
    std::fs::write(path, redacted(&text).as_bytes()).map_err(|source| SavedPlanError::File {
        path: path.to_owned(),
        doing: "written",
        source,
    })?;
    Ok(saved)
}

/// Reads a plan. With `signers`, a file in the form of OpenSSH's `allowed_signers`, the plan's own name with `.sig` behind it
/// has to hold a signature of these bytes by one of them; who that was is given too.
///
/// # Errors
/// Where a file can't be read, or is none, or is not signed as asked.
pub fn read_plan(path: &Path, signers: Option<&Path>) -> Result<(SavedPlan, Option<Signer>), SavedPlanError> {
    let text = read(path)?;
    let signer = match signers {
        Some(signers) => Some(check(path, &text, signers)?),
        None => None,
    };
    let form = |source| SavedPlanError::Form {
        path: path.to_owned(),
        source,
    };
    let found: serde_json::Value = serde_json::from_slice(&text).map_err(form)?;
    match found["schema"].as_str() {
        Some(SAVED_PLAN) | None => {}
        Some(other) => {
            return Err(SavedPlanError::Version {
                path: path.to_owned(),
                found: other.chars().take(60).collect(),
            });
        }
    }
    Ok((serde_json::from_value(found).map_err(form)?, signer))
}

fn check(path: &Path, text: &[u8], signers: &Path) -> Result<Signer, SavedPlanError> {
    let list = String::from_utf8_lossy(&read(signers)?).into_owned();
    let mut keys = Keys::default();
    keys.add_ssh(&list).map_err(|source| SavedPlanError::Signers {
        path: signers.to_owned(),
        source,
    })?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".sig");
    let beside = PathBuf::from(beside);
    let now = jiff::Timestamp::now().as_second();
    let signature = match read(&beside) {
        Err(SavedPlanError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
            return Err(SavedPlanError::Unsigned(beside));
        }
        read => read?,
    };
    let signer = keys.signer_of(text, &signature, PURPOSE, now);
    signer.map_err(|source| SavedPlanError::Signature { path: beside, source })
}

fn read(path: &Path) -> Result<Vec<u8>, SavedPlanError> {
    let failed = |source| SavedPlanError::File {
        path: path.to_owned(),
        doing: "read",
        source,
    };
    let mut text = Vec::new();
    let mut file = File::open(path).map_err(failed)?.take(LONGEST + 1);
    file.read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > LONGEST {
        return Err(SavedPlanError::TooLong(path.to_owned()));
    }
    Ok(text)
}

/// What of a saved plan's files has moved since.
pub fn moved_files(saved: &SavedPlan, loaded: &LoadedFleet) -> Vec<Moved> {
    let templates = loaded.rendered.templates();
    saved.moved_files(VERSION, &loaded.revised.fleet, templates, |unit| desired(loaded, unit))
}

fn desired(loaded: &LoadedFleet, unit: &UnitId) -> Option<Digest> {
    loaded.rendered.units.get(unit).map(|rendered| rendered.digest)
}
