//! Schemas, from the server's OpenAPI documents: one for each group and version, told apart by their hashes.
//!
//! A kind without a schema is no error: the server's own preview takes the place of ours.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::Value;

use super::http::{Call, Http, HttpError, gather};
use super::status::Refusal;
use crate::providers::Kind;
use crate::schema::{Gvk, Schema};

/// What is known of one kind: the hash of its document, and its schema, where the document has one.
type Known = (String, Option<Arc<Schema>>);

/// Documents kept on disk; the ones written first go first. A server has a few that matter, and servers of one version
/// have the same; what goes although it is needed is asked for again.
const KEPT: usize = 256;

/// The schemas of one server, kept in memory, and as documents on disk where there is a folder for that.
#[derive(Debug)]
pub(super) struct Schemas {
    folder: Option<PathBuf>,
    known: Mutex<BTreeMap<Kind, Known>>,
}

#[derive(Deserialize)]
struct Index {
    paths: BTreeMap<String, Link>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(rename = "serverRelativeURL")]
    url: String,
}

impl Link {
    /// The hash, where there is one that can be a file's name.
    fn hash(&self) -> Option<&str> {
        let (_, hash) = self.url.split_once("?hash=")?;
        (!hash.is_empty() && hash.len() <= 128 && hash.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(hash)
    }
}

impl Schemas {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            known: Mutex::default(),
        }
    }

    /// The schemas of some kinds: one request where nothing changed since, and one more for each changed document.
    pub(super) async fn load(
        &self,
        http: &Http,
        kinds: BTreeSet<Kind>,
        at_a_time: usize,
    ) -> BTreeMap<Kind, Arc<Schema>> {
        if kinds.is_empty() {
            return BTreeMap::new();
        }
        let index = match index(http).await {
            Ok(index) => index,
            Err(error) => {
                tracing::warn!(
                    error = error.line(),
                    "the server's schemas can't be read; it is asked for previews instead"
                );
                return BTreeMap::new();
            }
        };
        let mut documents: BTreeMap<String, Vec<Kind>> = BTreeMap::new();
        for kind in kinds {
            let root = if kind.group.is_empty() {
                "api".to_owned()
            } else {
                format!("apis/{}", kind.group)
            };
            documents
                .entry(format!("{root}/{}", kind.version))
                .or_default()
                .push(kind);
        }
        let loads = documents.into_iter().filter_map(|(path, kinds)| {
            let link = index.paths.get(&path)?;
            Some(async move {
                self.document(http, link, &kinds).await.unwrap_or_else(|error| {
                    tracing::warn!(
                        path,
                        error = error.line(),
                        "a schema can't be read; the server is asked for previews"
                    );
                    Vec::new()
                })
            })
        });
        gather(loads, at_a_time).await.into_iter().flatten().collect()
    }

    /// The schemas of some kinds of one document.
    async fn document(&self, http: &Http, link: &Link, kinds: &[Kind]) -> Result<Vec<(Kind, Arc<Schema>)>, HttpError> {
        if let Some(known) = link.hash().and_then(|hash| self.known(hash, kinds)) {
            return Ok(known);
        }
        let text = self.text(http, link).await?;
        let wanted = kinds.to_vec();
        // Some of these documents are megabytes; what else goes on must not wait for them.
        let parsed = tokio::task::spawn_blocking(move || parse(&text, wanted))
            .await
            .map_err(|_| HttpError::Nonsense("reading the schema failed"))??;
        if let Some(hash) = link.hash() {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.extend(
                parsed
                    .iter()
                    .map(|(kind, schema)| (kind.clone(), (hash.to_owned(), schema.clone()))),
            );
        }
        Ok(parsed
            .into_iter()
            .filter_map(|(kind, schema)| Some((kind, schema?)))
            .collect())
    }

    /// The kinds' schemas, if all of them are known by this hash.
    fn known(&self, hash: &str, kinds: &[Kind]) -> Option<Vec<(Kind, Arc<Schema>)>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut schemas = Vec::new();
        for kind in kinds {
            let (_, schema) = known.get(kind).filter(|(of, _)| of == hash)?;
            schemas.extend(schema.clone().map(|schema| (kind.clone(), schema)));
        }
        Some(schemas)
    }

    /// A document's text, from disk or from the server.
    async fn text(&self, http: &Http, link: &Link) -> Result<String, HttpError> {
        let file = match (&self.folder, link.hash()) {
            (Some(folder), Some(hash)) => Some(folder.join(format!("openapi-{hash}.json"))),
            _ => None,
        };
        if let Some(file) = &file
            && let Ok(text) = tokio::fs::read_to_string(file).await
        {
            return Ok(text);
        }
        // The address is the server's word; it must not lead us elsewhere with our credentials.
        if !link.url.starts_with("/openapi/v3/") {
            return Err(HttpError::Nonsense("the index of schemas leads elsewhere"));
        }
        let text = get(http, &link.url).await?;
        if let Some(file) = &file
            && let Err(error) = store(file, &text).await
        {
            tracing::debug!(%error, file = %file.display(), "a schema is not cached");
        }
        Ok(text)
    }
}

async fn index(http: &Http) -> Result<Index, HttpError> {
    let text = get(http, "/openapi/v3").await?;
    serde_json::from_str(&text).map_err(|_| HttpError::Nonsense("it is no index of schemas"))
}

async fn get(http: &Http, path: &str) -> Result<String, HttpError> {
    let answer = http.send(Call::get(path)).await?;
    if answer.is_success() {
        return Ok(answer.text);
    }
    Err(HttpError::Refused(Refusal::of(&answer)))
}

/// Whole or not at all: another run may read it at the same time.
async fn store(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let partial = file.with_extension(format!("{}.partial", std::process::id()));
    let stored = match tokio::fs::write(&partial, text).await {
        Ok(()) => tokio::fs::rename(&partial, file).await,
        Err(error) => Err(error),
    };
    if let Err(error) = stored {
        // On a disk that is full, half of it would be in everybody's way.
        tokio::fs::remove_file(&partial).await.ok();
        return Err(error);
    }
    match file.parent() {
        Some(folder) => evict(folder, KEPT).await,
        None => Ok(()),
    }
}

/// Removes the oldest documents beyond so many.
async fn evict(folder: &Path, kept: usize) -> std::io::Result<()> {
    let mut documents = Vec::new();
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        if entry.file_name().to_string_lossy().starts_with("openapi-") {
            // Another run may have removed it since.
            let Ok(metadata) = entry.metadata().await else { continue };
            documents.push((metadata.modified()?, entry.path()));
        }
    }
    documents.sort();
    let surplus = documents.len().saturating_sub(kept);
    for (_, path) in documents.into_iter().take(surplus) {
        match tokio::fs::remove_file(&path).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The schema of each kind that the document has.
type Parsed = Vec<(Kind, Option<Arc<Schema>>)>;

fn parse(text: &str, kinds: Vec<Kind>) -> Result<Parsed, HttpError> {
    let document: Value = serde_json::from_str(text).map_err(|_| HttpError::Nonsense("it is no schema"))?;
    let read = |kind: Kind| {
        let gvk = Gvk {
            group: &kind.group,
            version: &kind.version,
            kind: &kind.kind,
        };
        let schema = Schema::from_openapi_v3(&document, gvk)
            .inspect_err(|error| tracing::warn!(?kind, %error, "no schema; the server is asked for previews"))
            .ok()
            .map(Arc::new);
        (kind, schema)
    };
    Ok(kinds.into_iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_hash_names_a_file() {
        let link = |url: &str| Link { url: url.to_owned() };
        assert_eq!(link("/openapi/v3/api/v1?hash=AB12").hash(), Some("AB12"));
        for url in [
            "/openapi/v3/api/v1",
            "/openapi/v3/api/v1?hash=",
            "/openapi/v3/api/v1?hash=../../x",
        ] {
            assert_eq!(link(url).hash(), None);
        }
    }

    #[tokio::test]
    async fn the_oldest_documents_go_and_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let hour = |n: u64| std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(n * 3600);
        for (name, age) in [
            ("openapi-b.json", 2),
            ("openapi-a.json", 3),
            ("openapi-c.json.7.partial", 1),
            ("else", 0),
        ] {
            std::fs::write(file(name), "{}").unwrap();
            let written = std::fs::File::options().write(true).open(file(name)).unwrap();
            written.set_modified(hour(age)).unwrap();
        }
        evict(folder.path(), 1).await.unwrap();
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["else", "openapi-a.json"]);
    }
}
