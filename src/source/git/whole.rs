//! Whether the copy has all that a commit is made of.
//!
//! A server whose files are copied from another, or that is in the middle of a push, may show a branch before all of its objects
//! are there, and libgit2 takes what it sends. What is here already it never asks for again: so what came of such a fetch
//! has to go, or it would be missed for ever.

use git2::{ErrorCode, ObjectType, Oid, Repository, Tree};

/// The first object that is missing of what `tip` leads to; what `known` leads to is there.
///
/// # Errors
/// Where the copy can't be read.
pub(super) fn missing(repository: &Repository, tip: Oid, known: Option<Oid>) -> Result<Option<Oid>, git2::Error> {
    let known = known.and_then(|known| repository.find_object(known, None).ok());
    let known = known.and_then(|known| known.peel_to_commit().ok());
    match look(repository, tip, known.as_ref()) {
        Ok(missing) => Ok(missing),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(Some(tip)),
        Err(error) => Err(error),
    }
}

fn look(repository: &Repository, tip: Oid, known: Option<&git2::Commit<'_>>) -> Result<Option<Oid>, git2::Error> {
    let commit = match repository.find_object(tip, None)?.peel_to_commit() {
        // Whoever wants a commit says that this is none.
        Err(error) if matches!(error.code(), ErrorCode::Peel | ErrorCode::InvalidSpec) => return Ok(None),
        commit => commit?,
    };
    // Of a first fetch the history may end where it does at the server, whose clone may be a shallow one.
    if let Some(known) = known {
        let mut walk = repository.revwalk()?;
        walk.push(commit.id())?;
        walk.hide(known.id())?;
        walk.try_for_each(|commit| commit.map(drop))?;
    }
    let known = known.map(git2::Commit::tree).transpose()?;
    let store = repository.odb()?;
    let mut open = vec![(commit.tree_id(), known)];
    while let Some((id, known)) = open.pop() {
        let Ok(tree) = repository.find_tree(id) else {
            return Ok(Some(id));
        };
        let of_known = |name: &[u8]| Some(known.as_ref()?.get_name_bytes(name)?.id());
        for entry in &tree {
            let before = of_known(entry.name_bytes());
            if before == Some(entry.id()) {
                continue;
            }
            match entry.kind() {
                Some(ObjectType::Tree) => {
                    let before: Option<Tree<'_>> = before.and_then(|before| repository.find_tree(before).ok());
                    open.push((entry.id(), before));
                }
                Some(ObjectType::Blob) if !store.exists(entry.id()) => return Ok(Some(entry.id())),
                // A submodule's commit is in no repository but its own.
                _ => {}
            }
        }
    }
    Ok(None)
}
