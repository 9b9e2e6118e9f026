//! Changing the store: one writer at a time, all tables or none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use futures::future::join_all;

use super::datafile::{self, DataFile, Expected, Place, Writing};
use super::delta::{Change, Table};
use super::location::Location;
use super::parts::EncodedPart;
use super::read::Select;
use super::snapshot::{self, Current, Snapshot};
use super::{TABLES, absolute, parts, read};
use crate::error::{Error, Result};
use crate::table::TableDef;

/// The one change of the store that is under way.
///
/// Data files are written first, by any number of threads; they belong to nothing until
/// [`Transaction::commit`]. Dropped without commit, the files are deleted and the store is as it
/// was. Killed at any instant, the store is as it was for every reader, and the next
/// [`Transaction::begin`] puts the tables themselves right.
///
/// Reads inside a transaction show the state it began with, not what it has written.
pub struct Transaction {
    at: Location,
    /// What the store held at the beginning; `None` for a new store.
    base: Option<Current>,
    tables: BTreeMap<&'static str, Table>,
    changes: BTreeMap<&'static str, Change>,
    /// Full paths of the files written and not yet committed.
    written: Mutex<Vec<PathBuf>>,
    /// Of a folder; held until the end. The system gives it back when the process dies.
    _lock: Option<File>,
}

/// A file of sorted rows that is being written. Dropped before it is finished, there is no file.
pub struct SortedFile<'t> {
    tx: &'t Transaction,
    /// Of the table.
    dir: &'t Path,
    writing: Writing<'t>,
}

impl SortedFile<'_> {
    /// Writes rows that follow those before them.
    ///
    /// # Errors
    ///
    /// [`Error::Arrow`] when they do not; as [`Transaction::write_file`].
    pub fn write(&mut self, batch: RecordBatch) -> Result<()> {
        self.writing.write(batch)
    }

    /// Makes it a durable file.
    ///
    /// # Errors
    ///
    /// As [`Transaction::write_file`].
    pub fn finish(self) -> Result<DataFile> {
        let file = self.writing.finish()?;
        self.tx.written().push(self.dir.join(&file.path));
        Ok(file)
    }
}

impl Transaction {
    /// Begins a change of the store; makes the folder and all tables where they are absent. Waits as
    /// long as another process or thread holds a folder. A bucket cannot be held: there the end tells
    /// whether another was faster.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] when the folder holds something else or a newer format; [`Error::Io`] when
    /// it cannot be written; [`Error::Delta`] when a table cannot be read; [`Error::Conflict`] when
    /// somebody else is writing to the bucket.
    pub async fn begin(at: impl Into<Location>) -> Result<Transaction> {
        let at = prepare(at.into())?;
        let Location::Folder(dir) = &at else { return Transaction::with_lock(at, None).await };
        let path = dir.join(".lock");
        let file = open_lock(&path)?;
        // Waiting must not hold up the other tasks of this thread.
        let waited = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
        let lock = waited.map_err(|e| Error::io(&path)(e.into()))?.map_err(Error::io(&path))?;
        Transaction::with_lock(at, Some(lock)).await
    }

    /// As [`Transaction::begin`], but gives `None` at once when another holds the store.
    pub async fn try_begin(at: impl Into<Location>) -> Result<Option<Transaction>> {
        let at = prepare(at.into())?;
        let Location::Folder(dir) = &at else {
            return Transaction::with_lock(at, None).await.map(Some);
        };
        let path = dir.join(".lock");
        let lock = open_lock(&path)?;
        match lock.try_lock() {
            Ok(()) => Transaction::with_lock(at, Some(lock)).await.map(Some),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(Error::io(&path)(e)),
        }
    }

    async fn with_lock(at: Location, lock: Option<File>) -> Result<Transaction> {
        // Only now: whoever held the lock before may have changed it.
        let base = snapshot::read_current(&at)?;
        let base_ref = base.as_ref().map(|current| &current.snapshot);
        let opened = TABLES.iter().map(|def| {
            let at = &at;
            async move { Ok::<_, Error>((def.name, open_at_snapshot(at, def, base_ref).await?)) }
        });
        let tables = join_all(opened).await.into_iter().collect::<Result<_>>()?;
        Ok(Transaction {
            at,
            base,
            tables,
            changes: BTreeMap::new(),
            written: Mutex::new(Vec::new()),
            _lock: lock,
        })
    }

    /// The snapshot the transaction began with; `None` for a new store.
    pub fn base(&self) -> Option<&Snapshot> {
        self.base.as_ref().map(|current| &current.snapshot)
    }

    /// Where the store is; a folder is absolute.
    pub fn location(&self) -> &Location {
        &self.at
    }

    /// A folder for files that are needed until the end, and large ones: the store's own, where it
    /// is a folder.
    pub fn scratch(&self) -> PathBuf {
        match &self.at {
            Location::Folder(dir) => dir.clone(),
            Location::Bucket(_) => std::env::temp_dir(),
        }
    }

    /// Writes one durable Parquet data file of `def`. May be called from many threads at once.
    ///
    /// `batches` have the columns of [`TableDef::schema`] and are sorted by `sort_by`, ascending,
    /// nulls first; unsorted rows are stored as well, but the file then claims no order.
    /// `partition` is the day, `2024-05-01`, of all rows of a partitioned table, and `None` for
    /// the others.
    ///
    /// # Errors
    ///
    /// [`Error::Arrow`] when the batches do not fit the table or the partition; [`Error::Io`] and
    /// [`Error::Parquet`] when writing fails.
    pub fn write_file(
        &self,
        def: &TableDef,
        partition: Option<&str>,
        batches: &[RecordBatch],
    ) -> Result<DataFile> {
        let table = self.table(def)?;
        let file = datafile::write(&self.at, def, partition, batches)?;
        self.written().push(table.dir().join(&file.path));
        Ok(file)
    }

    /// As [`Transaction::write_file`], for batches that are made one after the other and together
    /// have `rows` rows.
    ///
    /// # Errors
    ///
    /// Those of the batches; [`Error::Arrow`] when they are not sorted.
    pub fn write_sorted(
        &self,
        def: &TableDef,
        place: Place,
        rows: usize,
        batches: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<DataFile> {
        let table = self.table(def)?;
        let file = datafile::write_sorted(&self.at, def, place, rows, batches)?;
        self.written().push(table.dir().join(&file.path));
        Ok(file)
    }

    /// Encodes the rows of a part, for [`Transaction::write_parts`]. May be called from many threads at
    /// once.
    ///
    /// # Errors
    ///
    /// As [`Transaction::write_sorted`].
    pub fn encode_part(
        &self,
        def: &TableDef,
        name: &str,
        rows: usize,
        batches: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<EncodedPart> {
        let file = datafile::encode(&self.at, &self.scratch(), def, rows, batches)?;
        Ok(EncodedPart { name: name.to_owned(), file })
    }

    /// Writes parts that lie near each other as one durable file of `def`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Parquet`] when writing fails.
    pub fn write_parts(&self, def: &TableDef, encoded: &[EncodedPart]) -> Result<DataFile> {
        let table = self.table(def)?;
        let file = parts::write(&self.at, def, encoded)?;
        self.written().push(table.dir().join(&file.path));
        Ok(file)
    }

    /// Begins a file as [`Transaction::write_sorted`] writes it, for rows that come over a longer time
    /// and are about `rows`.
    ///
    /// # Errors
    ///
    /// As [`Transaction::write_sorted`].
    pub fn begin_sorted<'t>(
        &'t self,
        def: &'t TableDef,
        place: Place,
        rows: usize,
    ) -> Result<SortedFile<'t>> {
        let dir = self.table(def)?.dir();
        let expected = Expected { rows, sorted: true };
        Ok(SortedFile { tx: self, dir, writing: Writing::begin(&self.at, def, place, expected)? })
    }

    /// As [`Transaction::write_sorted`], for batches in any order.
    pub(super) fn write_unsorted(
        &self,
        def: &TableDef,
        place: Place,
        rows: usize,
        batches: impl Iterator<Item = Result<RecordBatch>>,
    ) -> Result<DataFile> {
        let table = self.table(def)?;
        let file = datafile::write_unsorted(&self.at, def, place, rows, batches)?;
        self.written().push(table.dir().join(&file.path));
        Ok(file)
    }

    /// The whole path of a file that this transaction has written.
    pub fn path_of(&self, def: &TableDef, file: &DataFile) -> Result<PathBuf> {
        Ok(self.table(def)?.dir().join(&file.path))
    }

    /// Removes a file that this transaction has written, and that no table shall have.
    pub fn discard(&self, path: &Path) -> Result<()> {
        self.written().retain(|written| written != path);
        self.at.remove(&self.at.name_of(path))
    }

    /// The data files of the parts of `def` at the beginning of the transaction, by part.
    pub fn parts(&self, def: &TableDef) -> Result<BTreeMap<String, Vec<PathBuf>>> {
        Ok(self.table(def)?.parts())
    }

    /// As [`Transaction::read_each`], of the given files only, and of those only the rows that `select`
    /// wants.
    pub fn read_files(
        &self,
        def: &TableDef,
        columns: &[&str],
        files: &[PathBuf],
        select: Option<Select>,
        each: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let files: Vec<_> = files.iter().map(|path| (path.clone(), None)).collect();
        read::each_batch(&self.at, def, columns, &files, select, each)
    }

    /// As [`Transaction::read_each`], of one day of a table that is partitioned by day.
    pub fn read_day(
        &self,
        def: &TableDef,
        columns: &[&str],
        day: &str,
        each: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let mut files = self.table(def)?.files();
        files.retain(|(_, partition)| partition.as_deref() == Some(day));
        read::each_batch(&self.at, def, columns, &files, None, each)
    }

    /// The data files of `def` at the beginning of the transaction: absolute paths, sorted.
    pub fn files(&self, def: &TableDef) -> Result<Vec<PathBuf>> {
        Ok(self.table(def)?.files().into_iter().map(|(path, _)| path).collect())
    }

    /// The named columns of all rows of `def`, as they were at the beginning; in the order asked
    /// for, the partition column among them if asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for a column that the table does not have.
    pub fn read(&self, def: &TableDef, columns: &[&str]) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        self.read_each(def, columns, |batch| {
            batches.push(batch);
            Ok(())
        })?;
        Ok(batches)
    }

    /// As [`Transaction::read`], but hands over batch after batch, so that memory stays bounded.
    pub fn read_each(
        &self,
        def: &TableDef,
        columns: &[&str],
        each: impl FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        read::each_batch(&self.at, def, columns, &self.table(def)?.files(), None, each)
    }

    /// Adds files to a table, at commit.
    pub fn append(&mut self, def: &TableDef, files: Vec<DataFile>) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let name = self.name(def)?;
        match self.changes.get_mut(name) {
            Some(
                Change::Append(all)
                | Change::Replace(all)
                | Change::Swap(_, all)
                | Change::Rewrite(_, all),
            ) => all.extend(files),
            None => {
                self.changes.insert(name, Change::Append(files));
            }
        }
        Ok(())
    }

    /// Makes `files` the table's whole content, at commit: what it holds now and what was appended
    /// in this transaction is removed. Without files the table becomes empty.
    pub fn replace(&mut self, def: &TableDef, files: Vec<DataFile>) -> Result<()> {
        let name = self.name(def)?;
        self.changes.insert(name, Change::Replace(files));
        Ok(())
    }

    /// Makes `files` the whole content of some parts of a table, at commit; its other rows stay.
    ///
    /// # Errors
    ///
    /// Those of writing other parts again that share a file with these.
    pub fn replace_parts(
        &mut self,
        def: &TableDef,
        gone: BTreeSet<String>,
        mut files: Vec<DataFile>,
    ) -> Result<()> {
        let (name, table) = (self.name(def)?, self.table(def)?);
        for file in table.active_files() {
            if let Some(others) = parts::without(&self.at, def, &file.path, &gone)? {
                self.written().push(table.dir().join(&others.path));
                files.push(others);
            }
        }
        self.changes.insert(name, Change::Swap(gone, files));
        Ok(())
    }

    /// Makes `files` take the place of files of the table, given by their paths in it, at commit. The
    /// rows are the same.
    pub(super) fn rewrite(
        &mut self,
        def: &TableDef,
        gone: BTreeSet<String>,
        files: Vec<DataFile>,
    ) -> Result<()> {
        let name = self.name(def)?;
        self.changes.insert(name, Change::Rewrite(gone, files));
        Ok(())
    }

    /// Files that are appended to a table at commit.
    pub(super) fn appended(&self, def: &TableDef) -> &[DataFile] {
        match self.changes.get(def.name) {
            Some(Change::Append(files)) => files,
            _ => &[],
        }
    }

    /// Commits every changed table, then makes the new snapshot current. Tables that were not
    /// changed keep their version. Without any change the old snapshot stays current, unless there
    /// is none.
    ///
    /// # Errors
    ///
    /// On any error the old snapshot is still the current one.
    pub async fn commit(mut self) -> Result<Snapshot> {
        if let (Some(base), true) = (&self.base, self.changes.is_empty()) {
            self.point_at_base()?;
            return Ok(base.snapshot.clone());
        }
        self.check_still_first()?;
        let next = self.commit_tables().await?;
        snapshot::publish(&self.at, &next, self.base.as_ref())?;
        Ok(next)
    }

    /// Puts `snapshot.json` right where it was lost, or never came to be written.
    pub(super) fn point_at_base(&self) -> Result<()> {
        match &self.base {
            Some(base) if !base.pointed_at => {
                snapshot::point_at(&self.at, &base.snapshot, Some(base))
            }
            _ => Ok(()),
        }
    }

    /// Nobody has made the next snapshot yet: what the tables would be given in vain need not be
    /// taken back. Whoever comes between this and the end is found out there.
    fn check_still_first(&self) -> Result<()> {
        let Location::Bucket(_) = self.at else { return Ok(()) };
        let next = self.base().map_or(0, |base| base.id) + 1;
        match snapshot::read_kept(&self.at, next)? {
            Some(_) => Err(Error::Conflict { path: self.at.path() }),
            None => Ok(()),
        }
    }

    /// Everything of the commit but the last step; what it returns is not current yet.
    pub(super) async fn commit_tables(&mut self) -> Result<Snapshot> {
        // From here on the files are named in table logs: dropping must not delete them.
        self.written().clear();
        let mut changes = std::mem::take(&mut self.changes);
        let before = self.base.as_ref().map(|current| &current.snapshot);
        let commits = self.tables.iter_mut().map(|(name, table)| {
            let change = changes.remove(name);
            async move {
                let version = match (change, before.and_then(|b| b.version_of(name))) {
                    (Some(change), _) => {
                        table.commit(change).await?;
                        table.version()
                    }
                    // Not the table's newest: a repair leaves that higher with the same content.
                    (None, Some(version)) => version,
                    (None, None) => table.version(),
                };
                let files = table.active_files().len() as u64;
                Ok::<_, Error>((((*name).to_owned(), version), ((*name).to_owned(), files)))
            }
        });
        // All of them to their end, whatever becomes of one: what is still being written must not be
        // when the lock is given back.
        let done = join_all(commits).await.into_iter().collect::<Result<Vec<_>>>()?;
        let (versions, files) = done.into_iter().unzip();
        Ok(Snapshot::following(before.map_or(0, |b| b.id), versions, files))
    }

    pub(super) fn table(&self, def: &TableDef) -> Result<&Table> {
        self.tables.get(def.name).ok_or_else(|| no_such_table(def))
    }

    /// The table's name as the store knows it.
    fn name(&self, def: &TableDef) -> Result<&'static str> {
        self.tables.get_key_value(def.name).map(|(name, _)| *name).ok_or_else(|| no_such_table(def))
    }

    fn written(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        // A list of paths is whole whatever the panicking thread was doing.
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let written = std::mem::take(&mut *self.written());
        for path in written {
            // A file that stays is harmless: no table names it.
            let _ = self.at.remove(&self.at.name_of(&path));
        }
    }
}

fn no_such_table(def: &TableDef) -> Error {
    Error::usage(format!("the store has no table {}", def.name))
}

/// The table with the content that the snapshot names; a new store's tables are empty.
async fn open_at_snapshot(at: &Location, def: &TableDef, base: Option<&Snapshot>) -> Result<Table> {
    let named = base.and_then(|b| b.version_of(def.name));
    // A table that the snapshot names is there; an empty one in its place would hide that it is not.
    let mut table = match named {
        Some(_) => Table::open(at, def, None).await?,
        None => Table::open_or_create(at, def).await?,
    };
    // Version 0 is what creating a table makes: no rows.
    let named = named.unwrap_or(0);
    if table.version() < named {
        return Err(Error::Store {
            path: at.path(),
            message: format!(
                "the snapshot names version {named} of table {}, but its newest is {}: part of the store is missing",
                def.name,
                table.version()
            ),
        });
    }
    if table.version() > named {
        table.take_back_to(named).await?;
    }
    table.check_files(base.and_then(|b| b.files.get(def.name).copied()))?;
    Ok(table)
}

fn open_lock(path: &Path) -> Result<File> {
    OpenOptions::new().create(true).append(true).open(path).map_err(Error::io(path))
}

/// Makes the folder where it is absent; refuses a place that holds anything but a store.
fn prepare(at: Location) -> Result<Location> {
    if let Location::Folder(dir) = &at {
        fs::create_dir_all(dir).map_err(Error::io(dir))?;
    }
    if at.read("snapshot.json")?.is_some() {
        return absolute(at);
    }
    // Without a snapshot there may be what a killed first ingest left; nothing else.
    let ours = |name: &str| {
        name.starts_with('.')
            || name.starts_with("snapshot")
            || name == "reports"
            || TABLES.iter().any(|t| t.name == name)
    };
    match at.top()?.into_iter().find(|name| !ours(name)) {
        None => absolute(at),
        Some(other) => Err(Error::Store {
            path: at.path(),
            message: format!(
                "this is not a store and not empty (it holds {other:?}); give a new place"
            ),
        }),
    }
}
