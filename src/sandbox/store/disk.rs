//! State in one file.
//!
//! Invariant: what the file holds after a crash is what some moment's writes came to: rows are committed in the order in
//! which they were given, whole [`Store::write`]s at a time, and nothing is written after a write that failed. Writers never
//! wait for the disk: a thread of its own commits what has gathered. One process has the file at a time.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use redb::{Database, DatabaseError, ReadableDatabase as _, TableDefinition};

use super::{Store, StoreError, Write};

/// Rows of all tables, by table and key.
const ROWS: TableDefinition<'_, (&str, &str), &str> = TableDefinition::new("rows");

/// Where the format's number is kept.
const FORMAT: (&str, &str) = ("sandbox", "format");
const FORMAT_NOW: &str = "1";

/// Writes that go into one commit at most: a commit waits for the disk, and gives memory back.
const BATCH: usize = 4_096;

/// A store on disk. Closing or dropping it commits what is queued; a file that was not closed is looked through from end to end when
/// it is opened again.
pub struct Disk {
    database: Mutex<Option<Arc<Database>>>,
    queue: Mutex<Option<Sender<Message>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    failure: Failure,
}

type Failure = Arc<Mutex<Option<Arc<redb::Error>>>>;

enum Message {
    Rows(Vec<Write>),
    /// Answered once all that came before is on disk, or has failed.
    Flush(SyncSender<()>),
}

/// Another process has the file.
#[derive(Debug, thiserror::Error)]
#[error("another process has the sandbox in {} open", .0.display())]
pub struct InUse(pub PathBuf);

/// The file is of another program, or of a later version of this one.
#[derive(Debug, thiserror::Error)]
#[error("its format is `{0}`, and this version of the program reads `{FORMAT_NOW}`: give another directory")]
struct OtherFormat(String);

/// Bytes of the file kept in memory: all that is in it is there already, as objects.
const CACHE: usize = 8 << 20;

impl Disk {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// Where another process has it open ([`InUse`] is the source), where it is of another format, or can't be read.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // It holds a key, and whatever Secrets somebody puts there.
        let mut private = std::fs::OpenOptions::new();
        private.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut private, 0o600);
        drop(private.open(path).map_err(opened)?);
        let database = Database::builder()
            .set_cache_size(CACHE)
            .create(path)
            .map_err(|error| match error {
                DatabaseError::DatabaseAlreadyOpen => {
                    let directory = path.parent().unwrap_or(path);
                    opened(InUse(directory.to_owned()))
                }
                other => opened(other),
            })?;
        check_format(&database)?;
        let database = Arc::new(database);
        let failure = Failure::default();
        let (queue, messages) = channel();
        let committer = Committer {
            database: database.clone(),
            failure: failure.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("sandbox-store".to_owned())
            .spawn(move || committer.run(&messages))
            .map_err(opened)?;
        Ok(Self {
            database: Mutex::new(Some(database)),
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            failure,
        })
    }

    /// Commits what is queued and gives the file back. What is given after that is not kept.
    ///
    /// # Errors
    /// As [`Disk::flush`].
    pub fn close(&self) -> Result<(), StoreError> {
        drop(taken(&self.queue));
        if let Some(thread) = taken(&self.thread) {
            // It does not panic; if it did, what is on disk is still a prefix.
            thread.join().ok();
        }
        drop(taken(&self.database));
        self.result()
    }

    /// Waits until all rows given so far are on disk.
    ///
    /// # Errors
    /// Where some could not be written; none after those were.
    pub fn flush(&self) -> Result<(), StoreError> {
        let (done, wait) = sync_channel(1);
        if self.send(Message::Flush(done)) {
            // An error means that the thread is gone, of which `failure` tells.
            wait.recv().ok();
        }
        self.result()
    }

    /// Whether somebody hears it.
    fn send(&self, message: Message) -> bool {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // The thread ends early only after a failure, which it has logged and `result` gives.
        queue.as_ref().is_some_and(|queue| queue.send(message).is_ok())
    }

    fn result(&self) -> Result<(), StoreError> {
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            None => Ok(()),
            Some(error) => Err(StoreError {
                what: "written",
                source: Box::new(error),
            }),
        }
    }
}

impl Store for Disk {
    fn load(&self, prefix: &str) -> Result<Vec<(String, String, String)>, StoreError> {
        self.flush()?;
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let read = database.map_or_else(|| Err(redb::Error::DatabaseClosed), |database| rows(&database, prefix));
        read.map_err(|source| StoreError {
            what: "read",
            source: Box::new(source),
        })
    }

    fn write(&self, rows: Vec<Write>) {
        self.send(Message::Rows(rows));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever wants to know has closed it.
        self.close().ok();
    }
}

fn taken<T>(held: &Mutex<Option<T>>) -> Option<T> {
    held.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

/// The thread's side.
struct Committer {
    database: Arc<Database>,
    failure: Failure,
}

impl Committer {
    fn run(&self, messages: &Receiver<Message>) {
        while let Ok(first) = messages.recv() {
            let mut writes = Vec::new();
            let mut flushes = Vec::new();
            let gathered = std::iter::once(first).chain(messages.try_iter());
            for message in gathered.take(BATCH) {
                match message {
                    Message::Rows(rows) => writes.extend(rows),
                    Message::Flush(done) => flushes.push(done),
                }
            }
            if let Err(error) = commit(&self.database, &writes) {
                tracing::error!(%error, "the sandbox's state can't be written; what follows is not kept");
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(error));
                return;
            }
            for done in flushes {
                // Whoever asked may have given up.
                done.send(()).ok();
            }
        }
    }
}

fn commit(database: &Database, writes: &[Write]) -> Result<(), redb::Error> {
    if writes.is_empty() {
        return Ok(());
    }
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(ROWS)?;
        for Write {
            table: name,
            key,
            value,
        } in writes
        {
            let at = (name.as_str(), key.as_str());
            match value {
                Some(value) => drop(table.insert(at, value.as_str())?),
                None => drop(table.remove(at)?),
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

fn rows(database: &Database, prefix: &str) -> Result<Vec<(String, String, String)>, redb::Error> {
    let transaction = database.begin_read()?;
    let table = transaction.open_table(ROWS)?;
    let mut rows = Vec::new();
    for row in table.range((prefix, "")..)? {
        let (key, value) = row?;
        let (name, key) = key.value();
        if !name.starts_with(prefix) {
            break;
        }
        rows.push((name.to_owned(), key.to_owned(), value.value().to_owned()));
    }
    Ok(rows)
}

/// Checks the format's number, or writes it into a new file.
fn check_format(database: &Database) -> Result<(), StoreError> {
    let (table, key) = FORMAT;
    let write = Write {
        table: table.to_owned(),
        key: key.to_owned(),
        value: Some(FORMAT_NOW.to_owned()),
    };
    let found = match rows(database, table) {
        Ok(rows) => rows
            .into_iter()
            .find(|(_, name, _)| name == key)
            .map(|(_, _, value)| value),
        Err(redb::Error::TableDoesNotExist(_)) => None,
        Err(error) => return Err(opened(error)),
    };
    match found {
        Some(format) if format == FORMAT_NOW => Ok(()),
        Some(format) => Err(opened(OtherFormat(format))),
        None => commit(database, &[write]).map_err(opened),
    }
}

fn opened(source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError {
        what: "opened",
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(table: &str, key: &str, value: Option<&str>) -> Write {
        Write {
            table: table.to_owned(),
            key: key.to_owned(),
            value: value.map(str::to_owned),
        }
    }

    #[test]
    fn rows_come_back_sorted_by_table_and_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let disk = Disk::open(&path).unwrap();
        disk.write(vec![row("oci/vcn", "b", Some("1")), row("oci/vcn", "a", Some("2"))]);
        disk.write(vec![
            row("oci/subnet", "x", Some("3")),
            row("kubernetes/m", "k", Some("4")),
        ]);
        disk.write(vec![row("oci/vcn", "b", None), row("oci/vcn", "c", Some("5"))]);
        drop(disk);
        let disk = Disk::open(&path).unwrap();
        let found: Vec<String> = disk
            .load("oci/")
            .unwrap()
            .into_iter()
            .map(|(table, key, value)| format!("{table} {key} {value}"))
            .collect();
        assert_eq!(found, ["oci/subnet x 3", "oci/vcn a 2", "oci/vcn c 5"]);
    }

    #[test]
    fn a_load_sees_what_was_just_written() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::open(&folder.path().join("state")).unwrap();
        for n in 0..1_000 {
            disk.write(vec![row("t", &format!("{n:04}"), Some("v"))]);
        }
        assert_eq!(disk.load("t").unwrap().len(), 1_000);
    }

    #[test]
    fn a_second_owner_is_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let disk = Disk::open(&path).unwrap();
        let error = Disk::open(&path).unwrap_err();
        assert!(error.source.is::<InUse>(), "{error:?}");
        drop(disk);
        assert!(Disk::open(&path).is_ok());
    }

    #[test]
    fn another_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let disk = Disk::open(&path).unwrap();
        disk.write(vec![row(FORMAT.0, FORMAT.1, Some("2"))]);
        drop(disk);
        let error = Disk::open(&path).unwrap_err();
        assert!(error.source.to_string().contains("its format is `2`"), "{error:?}");
    }

    #[test]
    fn a_file_of_another_program_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        std::fs::write(&path, "not ours").unwrap();
        assert!(Disk::open(&path).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "not ours");
    }
}
