//! No going back: whether a fleet may go from the revision in force to another.
//!
//! Invariant: pure; what can't be told is refused, so that the revision in force stays.

use crate::resource::Revision;
use crate::source::Ancestry;

/// What a repository's owner has allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// To go to a commit that the one in force was made on top of.
    pub older: bool,
    /// To go to a commit that is neither made on top of the one in force nor beneath it.
    pub rewritten: bool,
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Advance {
    /// No revision was in force.
    Begin,
    /// It is in force already.
    Stay,
    /// It was made on top of the one in force.
    Forward,
    /// It is older, and that is allowed.
    Back,
    /// It is of another line, and that is allowed.
    Across,
}

/// Why the revision in force stays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The new one is older.
    #[error(
        "{new} is older than {in_force}, which is in force and stays so: to go back, commit a revert, or \
         start once with --allow-older (`allowOlder` in a list of fleets)"
    )]
    Older {
        /// The revision in force.
        in_force: Revision,
        /// The one that is not gone to.
        new: Revision,
    },
    /// The new one was not made on top of the one in force.
    #[error(
        "{new} was not made on top of {in_force}, which is in force and stays so: the history was rewritten (force-push); \
         restore it, or start once with --allow-rewritten (`allowRewritten` in a list of fleets)"
    )]
    Rewritten {
        /// The revision in force.
        in_force: Revision,
        /// The one that is not gone to.
        new: Revision,
    },
    /// The repository does not hold the one in force.
    #[error(
        "the repository does not hold {in_force}, which is in force and stays so, so nothing says that {new} is newer: \
         restore the history, or start once with --allow-rewritten (`allowRewritten` in a list of fleets)"
    )]
    Lost {
        /// The revision in force.
        in_force: Revision,
        /// The one that is not gone to.
        new: Revision,
    },
}

/// Whether to go from the revision in force to a new one, by how the new one stands to it.
///
/// # Errors
/// Where the one in force stays.
pub fn advance(
    in_force: Option<&Revision>,
    new: &Revision,
    standing: Ancestry,
    allowed: Allowed,
) -> Result<Advance, Refusal> {
    let Some(in_force) = in_force else {
        return Ok(Advance::Begin);
    };
    let both = || (in_force.clone(), new.clone());
    match standing {
        Ancestry::Same => Ok(Advance::Stay),
        Ancestry::Forward => Ok(Advance::Forward),
        Ancestry::Backward if allowed.older => Ok(Advance::Back),
        Ancestry::Diverged | Ancestry::Unknown if allowed.rewritten => Ok(Advance::Across),
        Ancestry::Backward => {
            let (in_force, new) = both();
            Err(Refusal::Older { in_force, new })
        }
        Ancestry::Diverged => {
            let (in_force, new) = both();
            Err(Refusal::Rewritten { in_force, new })
        }
        Ancestry::Unknown => {
            let (in_force, new) = both();
            Err(Refusal::Lost { in_force, new })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revision_in_force_stays_unless_the_new_one_is_on_top_of_it_or_allowed() {
        let (old, new) = (Revision::new("old"), Revision::new("new"));
        let (in_force, to) = (old.clone(), new.clone());
        let go = |standing, older, rewritten| advance(Some(&old), &new, standing, Allowed { older, rewritten });
        let every = [
            Ancestry::Same,
            Ancestry::Forward,
            Ancestry::Backward,
            Ancestry::Diverged,
            Ancestry::Unknown,
        ];
        for standing in every {
            assert_eq!(advance(None, &new, standing, Allowed::default()), Ok(Advance::Begin));
            assert!(go(standing, true, true).is_ok());
        }
        assert_eq!(go(Ancestry::Same, false, false), Ok(Advance::Stay));
        assert_eq!(go(Ancestry::Forward, false, false), Ok(Advance::Forward));
        assert_eq!(go(Ancestry::Backward, true, false), Ok(Advance::Back));
        assert_eq!(go(Ancestry::Diverged, false, true), Ok(Advance::Across));
        assert_eq!(
            go(Ancestry::Backward, false, true),
            Err(Refusal::Older {
                in_force: in_force.clone(),
                new: to.clone()
            })
        );
        assert_eq!(
            go(Ancestry::Diverged, true, false),
            Err(Refusal::Rewritten {
                in_force: in_force.clone(),
                new: to.clone()
            })
        );
        assert_eq!(
            go(Ancestry::Unknown, true, false),
            Err(Refusal::Lost { in_force, new: to })
        );
    }
}
