//! Whether a store is whole: every file that its current snapshot names is opened.

use std::path::{Path, PathBuf};

use parquet::file::metadata::PageIndexPolicy;
use serde_json::Value;

use super::delta::{ActiveFile, Table};
use super::location::Location;
use super::opened::{Opened, check_size};
use super::snapshot::{self, POINTER};
use super::{TABLES, absolute, not_a_store, read, sums};
use crate::error::{Error, Result};
use crate::table::TableDef;

/// Something that is wrong with a file of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub message: String,
}

/// What was looked at, and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Number of the snapshot; none where none could be read.
    pub snapshot: Option<u64>,
    /// Tables that could be opened.
    pub tables: u64,
    /// Data files that are whole.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows.
    pub rows: u64,
    /// What is wrong, in the order of tables and paths.
    pub problems: Vec<Problem>,
}

impl Checked {
    /// Takes down what is wrong with a file; other trouble goes on.
    fn note(&mut self, error: Error) -> Result<()> {
        match error {
            Error::Damaged { path, message } | Error::Store { path, message } => {
                self.problems.push(Problem { path, message });
                Ok(())
            }
            other => Err(other),
        }
    }
}

/// Opens every file that the current snapshot names: sizes, footers, numbers of rows. With `deep` every
/// row is read as well, and every byte compared with the sum of all that was taken when they were written.
///
/// # Errors
/// [`Error::Store`] when there is no store; [`Error::Io`] when it cannot be read. What is damaged is in
/// [`Checked::problems`].
pub async fn check(at: impl Into<Location>, deep: bool) -> Result<Checked> {
    let at = at.into();
    let mut checked = Checked::default();
    let current = match snapshot::read_current(&at) {
        Ok(Some(current)) => current,
        Ok(None) => return Err(not_a_store(&at)),
        Err(error) => {
            checked.note(error)?;
            return Ok(checked);
        }
    };
    let at = absolute(at)?;
    checked.snapshot = Some(current.snapshot.id);
    if !current.pointed_at {
        let message = current.damage.unwrap_or_else(|| "this file is missing".to_owned());
        let message = format!("{message}; the newest kept snapshot stands in for it");
        checked.problems.push(Problem { path: at.join(POINTER), message });
    }
    for id in snapshot::kept_ids(&at)? {
        if let Err(error) = snapshot::read_kept(&at, id) {
            checked.note(error)?;
        }
    }
    for def in TABLES {
        let Some(version) = current.snapshot.version_of(def.name) else { continue };
        match Table::open(&at, def, Some(version)).await {
            Ok(table) => {
                if let Err(error) = table.check_count(current.snapshot.files.get(def.name).copied())
                {
                    checked.note(error)?;
                }
                check_table(&at, def, &table, deep, &mut checked)?;
            }
            Err(Error::Delta(error)) => checked.problems.push(Problem {
                path: at.join(def.name),
                message: Error::Delta(error).to_string(),
            }),
            Err(error) => checked.note(error)?,
        }
    }
    Ok(checked)
}

fn check_table(
    at: &Location,
    def: &TableDef,
    table: &Table,
    deep: bool,
    checked: &mut Checked,
) -> Result<()> {
    checked.tables += 1;
    for file in table.active_files() {
        match check_file(at, def, &table.dir().join(&file.path), &file, deep) {
            Ok(rows) => {
                checked.files += 1;
                checked.bytes += file.size;
                checked.rows += rows;
            }
            Err(error) => checked.note(error)?,
        }
    }
    Ok(())
}

/// The rows of a file that is whole.
fn check_file(
    at: &Location,
    def: &TableDef,
    path: &Path,
    file: &ActiveFile,
    deep: bool,
) -> Result<u64> {
    let opened = Opened::open(at, path)?;
    check_size(path, opened.size(), file.size)?;
    let metadata = opened.metadata(PageIndexPolicy::Skip)?;
    let found = metadata.metadata().file_metadata().num_rows();
    let stats: Value = serde_json::from_str(file.stats.as_deref().unwrap_or("{}"))?;
    let written = stats["numRecords"].as_i64();
    let differs = |found: i64| written.is_some_and(|written| written != found);
    let mut read = found;
    if deep {
        read = 0;
        for batch in read::whole_file(at, def, path, file.partition.as_deref(), read::BATCH_ROWS)? {
            read += i64::try_from(batch?.num_rows()).unwrap_or(i64::MAX);
        }
        opened.bring_all()?;
        sums::check(path, opened.file())?;
    }
    if let Some(rows) = [found, read].into_iter().find(|rows| differs(*rows)) {
        let written = written.unwrap_or(0);
        let message = format!("this file has {rows} rows; {written} were written");
        return Err(Error::Damaged { path: path.to_path_buf(), message });
    }
    Ok(u64::try_from(found).unwrap_or(0))
}
