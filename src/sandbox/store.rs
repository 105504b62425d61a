//! What outlives the process.
//!
//! Services keep their state in memory and write it through. Rows of both APIs are in one file and in one order: what a
//! crash loses is the last moments of both, never of one alone.

pub mod disk;

/// One row that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The table: `kubernetes/<cluster>`, `oci/<kind>`.
    pub table: String,
    /// The key within the table.
    pub key: String,
    /// The new value; none deletes the row.
    pub value: Option<String>,
}

/// Why the state can't be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox's state can't be {what}")]
pub struct StoreError {
    /// `opened`, `read`, `written`.
    pub what: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Where state is kept.
pub trait Store: Send + Sync {
    /// All rows of the tables whose name begins with `prefix`, as (table, key, value), sorted.
    ///
    /// # Errors
    /// Where the file can't be read.
    fn load(&self, prefix: &str) -> Result<Vec<(String, String, String)>, StoreError>;

    /// Takes rows that change together. Returns at once: rows reach the disk soon, in the order in which they were given.
    fn write(&self, rows: Vec<Write>);
}

/// Keeps nothing.
#[derive(Debug, Default)]
pub struct Memory;

impl Store for Memory {
    fn load(&self, _: &str) -> Result<Vec<(String, String, String)>, StoreError> {
        Ok(Vec::new())
    }

    fn write(&self, _: Vec<Write>) {}
}
