//! One Delta Lake table: opening, creating, committing, taking back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use deltalake_core::delta_datafusion::DeltaScanNext;
use deltalake_core::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Add, LogicalFileView, Remove, StructType};
use deltalake_core::logstore::LogStoreRef;
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTableError, TableProperty};

use super::datafile::{DataFile, now_millis};
use super::location::Location;
use super::lookup::LookedUp;
use super::{log, opened, parts, stats};
use crate::error::{Error, Result};
use crate::table::TableDef;

/// Commits between two checkpoints of a table's log: opening reads the last checkpoint and the
/// commits after it, so this bounds what opening costs.
const CHECKPOINT_INTERVAL: &str = "10";

/// Files are merged up to about this size, bytes.
pub(super) const TARGET_BYTES: i64 = 128 << 20;

/// One Delta table at one version.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) def: TableDef,
    at: Location,
    /// The table's folder, or its address.
    dir: PathBuf,
    log: LogStoreRef,
    state: DeltaTableState,
}

/// What a commit does to a table.
pub(super) enum Change {
    /// Adds files.
    Append(Vec<DataFile>),
    /// Removes all active files and adds these.
    Replace(Vec<DataFile>),
    /// Removes the active files that hold any of these parts and adds these.
    Swap(BTreeSet<String>, Vec<DataFile>),
    /// Removes these files, given by their paths in the table, and adds those, which hold the same
    /// rows.
    Rewrite(BTreeSet<String>, Vec<DataFile>),
}

/// A data file that the table has.
#[derive(Debug, Clone)]
pub(super) struct ActiveFile {
    /// Path inside the table's folder.
    pub path: String,
    /// Value of the partition column.
    pub partition: Option<String>,
    /// Whether it belongs to a part, which is replaced as a whole.
    pub in_part: bool,
    /// Bytes.
    pub size: u64,
    /// Delta Lake's statistics, as JSON.
    pub stats: Option<String>,
}

impl Table {
    /// Opens the table of the store at `version`, or at its newest.
    pub(super) async fn open(at: &Location, def: &TableDef, version: Option<u64>) -> Result<Table> {
        let log_store = at.log_store(def.name)?;
        let state = match DeltaTableState::try_new(&log_store, version).await {
            Ok(state) => state,
            Err(error) => {
                log::check(at, def.name, version)?;
                return Err(error.into());
            }
        };
        let (at, dir) = (at.clone(), at.join(def.name));
        let table = Table { def: *def, at, dir, log: log_store, state };
        table.check_columns()?;
        Ok(table)
    }

    /// Opens the table at its newest version; creates it, empty, when it is not there.
    pub(super) async fn open_or_create(at: &Location, def: &TableDef) -> Result<Table> {
        let dir = at.join(def.name);
        if let Location::Folder(_) = at {
            fs::create_dir_all(&dir).map_err(Error::io(&dir))?;
        }
        let log = at.log_store(def.name)?;
        if log.is_delta_table_location().await? {
            return Table::open(at, def, None).await;
        }
        let schema: StructType = def.schema().as_ref().try_into_kernel()?;
        let skipping = stats::columns(def).map(|c| c.name).collect::<Vec<_>>().join(",");
        let created = CreateBuilder::new()
            .with_log_store(log.clone())
            .with_table_name(def.name)
            .with_comment(def.doc)
            .with_columns(schema.fields().cloned())
            .with_partition_columns(def.partition_by)
            .with_configuration_property(
                TableProperty::CheckpointInterval,
                Some(CHECKPOINT_INTERVAL),
            )
            // Old versions stay readable: snapshots name them.
            .with_configuration_property(TableProperty::EnableExpiredLogCleanup, Some("false"))
            .with_configuration_property(TableProperty::DataSkippingStatsColumns, Some(skipping))
            .await;
        let created = match created {
            Ok(created) => created,
            // Of two that make a table in a bucket one comes first; both would make the same.
            Err(_)
                if matches!(at, Location::Bucket(_)) && log.is_delta_table_location().await? =>
            {
                return Table::open(at, def, None).await;
            }
            Err(e) => return Err(e.into()),
        };
        let state = created.snapshot()?.clone();
        let log = created.log_store();
        let table = Table { def: *def, at: at.clone(), dir, log, state };
        table.sync_log()?;
        at.sync("")?;
        Ok(table)
    }

    /// The version this is at.
    pub(super) fn version(&self) -> u64 {
        self.state.version()
    }

    /// The table's folder, or its address.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The active data files with their partition value, in the order of their paths.
    pub(super) fn files(&self) -> Vec<(PathBuf, Option<String>)> {
        let value = |add: &Add| {
            self.def.partition_by.and_then(|c| add.partition_values.get(c).cloned().flatten())
        };
        self.active().values().map(|add| (self.dir.join(&add.path), value(add))).collect()
    }

    /// All active data files, in the order of their paths.
    pub(super) fn active_files(&self) -> Vec<ActiveFile> {
        let is_in_part = |add: &Add| parts::names(&add.path).next().is_some();
        let file = |add: Add| ActiveFile {
            partition: self
                .def
                .partition_by
                .and_then(|c| add.partition_values.get(c).cloned().flatten()),
            in_part: is_in_part(&add),
            size: u64::try_from(add.size).unwrap_or(0),
            stats: add.stats,
            path: add.path,
        };
        self.active().into_values().map(file).collect()
    }

    /// The active data files that were written as parts, by part.
    pub(super) fn parts(&self) -> BTreeMap<String, Vec<PathBuf>> {
        let mut parts: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for path in self.active().into_keys() {
            for part in parts::names(&path) {
                parts.entry(part.to_owned()).or_default().push(self.dir.join(&path));
            }
        }
        parts
    }

    /// DataFusion's view of the table at this version.
    pub(super) async fn provider(&self) -> Result<Arc<dyn TableProvider>> {
        let whole = self.scan(None).await?;
        Ok(Arc::new(LookedUp::new(self.clone(), whole)))
    }

    /// Whether its files can be opened as they are.
    pub(super) fn is_in_folder(&self) -> bool {
        matches!(self.at, Location::Folder(_))
    }

    /// The same of some files only, given by their paths in the table.
    pub(super) async fn scan(
        &self,
        files: Option<Vec<String>>,
    ) -> Result<Arc<dyn TableProvider>, DeltaTableError> {
        let mut scan = DeltaScanNext::builder()
            .with_log_store(self.log.clone())
            .with_eager_snapshot(self.state.snapshot().clone());
        if let Some(files) = files {
            scan = scan.with_file_paths(files);
        }
        Ok(Arc::new(scan.build().await?))
    }

    /// Commits `change` and moves on to the version it made, which is durable on return.
    pub(super) async fn commit(&mut self, change: Change) -> Result<()> {
        let gone = |path: &str| match &change {
            Change::Append(_) => false,
            Change::Replace(_) => true,
            Change::Swap(gone, _) => parts::names(path).any(|part| gone.contains(part)),
            Change::Rewrite(paths, _) => paths.contains(path),
        };
        let same_rows = matches!(change, Change::Rewrite(..));
        let mode = if matches!(change, Change::Append(_)) {
            SaveMode::Append
        } else {
            SaveMode::Overwrite
        };
        let active = self.active();
        let old =
            active.iter().filter(|(path, _)| gone(path)).map(|(_, add)| remove(add, same_rows));
        let mut actions: Vec<Action> = old.collect();
        let (Change::Append(files)
        | Change::Replace(files)
        | Change::Swap(_, files)
        | Change::Rewrite(_, files)) = change;
        self.sync_data(&files)?;
        if actions.is_empty() && files.is_empty() && mode == SaveMode::Overwrite {
            return Ok(());
        }
        actions.extend(files.iter().map(|f| self.add(f, same_rows)));
        let partition_by = self.def.partition_by.map(|c| vec![c.to_owned()]);
        let operation = if same_rows {
            DeltaOperation::Optimize { predicate: None, target_size: TARGET_BYTES }
        } else {
            DeltaOperation::Write { mode, partition_by, predicate: None }
        };
        self.run(actions, operation).await
    }

    /// Gives the table the content again that it had at `version`, by a new commit. Does nothing
    /// when it has that content.
    pub(super) async fn take_back_to(&mut self, version: u64) -> Result<()> {
        let then = DeltaTableState::try_new(&self.log, Some(version)).await?;
        let (now, then) = (self.active(), active(&then));
        let surplus = now.iter().filter(|(path, _)| !then.contains_key(*path));
        let missing = then.iter().filter(|(path, _)| !now.contains_key(*path));
        let mut actions: Vec<Action> = surplus.map(|(_, add)| remove(add, false)).collect();
        actions.extend(missing.map(|(_, add)| Action::Add(add.clone())));
        if actions.is_empty() {
            return Ok(());
        }
        let operation = DeltaOperation::Restore { version: Some(version), datetime: None };
        self.run(actions, operation).await
    }

    async fn run(&mut self, actions: Vec<Action>, operation: DeltaOperation) -> Result<()> {
        let mut how = CommitProperties::default();
        if let Location::Bucket(_) = self.at {
            // On top of somebody else's commit this would be a version that holds both, which no
            // snapshot may name.
            how = how.with_max_retries(0);
        }
        let done = CommitBuilder::from(how)
            .with_actions(actions)
            .build(Some(&self.state), self.log.clone(), operation)
            .await;
        self.state = done.map_err(|e| self.refused(e))?.snapshot();
        self.sync_log()
    }

    fn refused(&self, error: DeltaTableError) -> Error {
        use TransactionError::{CommitConflict, MaxCommitAttempts, VersionAlreadyExists};
        match error {
            DeltaTableError::VersionAlreadyExists(_)
            | DeltaTableError::Transaction {
                source: VersionAlreadyExists(_) | MaxCommitAttempts(_) | CommitConflict(_),
            } => Error::Conflict { path: self.at.path() },
            other => other.into(),
        }
    }

    fn active(&self) -> BTreeMap<String, Add> {
        active(&self.state)
    }

    fn add(&self, file: &DataFile, same_rows: bool) -> Action {
        let partition = self.def.partition_by.map(|c| (c.to_owned(), file.partition.clone()));
        Action::Add(Add {
            path: file.path.clone(),
            partition_values: HashMap::from_iter(partition),
            size: i64::try_from(file.size).unwrap_or(i64::MAX),
            modification_time: file.modified_at,
            data_change: !same_rows,
            stats: Some(file.stats.clone()),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
            clustering_provider: None,
        })
    }

    /// A table with other columns than ours was made by another version; reading it as ours would
    /// give wrong columns.
    fn check_columns(&self) -> Result<()> {
        let stored: Schema = self.state.schema().as_ref().try_into_arrow()?;
        if stored.fields() == self.def.schema().fields() {
            return Ok(());
        }
        Err(Error::Store {
            path: self.dir.clone(),
            message: format!(
                "table {} has other columns than this version's; ingest into a new store, or use the version that wrote it",
                self.def.name
            ),
        })
    }

    /// The table has as many files as its snapshot says, where it says so.
    pub(super) fn check_count(&self, named: Option<u64>) -> Result<()> {
        let found = self.state.log_data().num_files() as u64;
        if named.is_none_or(|named| named == found) {
            return Ok(());
        }
        log::check(&self.at, self.def.name, Some(self.version()))?;
        Err(Error::Damaged {
            path: self.dir.join("_delta_log"),
            message: format!(
                "the log of this table names {found} data files; {} were written",
                named.unwrap_or(0)
            ),
        })
    }

    /// In a folder every file is there and as large as it was written: a file that is missing must not
    /// be found out only by whoever happens to need it. Of a bucket that would be a request a file.
    pub(super) fn check_files(&self, named: Option<u64>) -> Result<()> {
        self.check_count(named)?;
        let Location::Folder(_) = self.at else { return Ok(()) };
        let files = self.state.log_data();
        for file in files.iter() {
            let path = self.dir.join(&*file.path());
            let found = fs::metadata(&path).map_err(|e| opened::gone(&path, e))?.len();
            opened::check_size(&path, found, u64::try_from(file.size()).unwrap_or(0))?;
        }
        Ok(())
    }

    /// Makes the folder entries of new data files durable; the files themselves were synced when
    /// they were written.
    fn sync_data(&self, files: &[DataFile]) -> Result<()> {
        let inside =
            |path: &str| path.rsplit_once('/').map(|(f, _)| format!("{}/{f}", self.def.name));
        let mut folders: BTreeSet<String> = files.iter().filter_map(|f| inside(&f.path)).collect();
        folders.insert(self.def.name.to_owned());
        folders.iter().try_for_each(|folder| self.at.sync(folder))
    }

    /// Makes this version's part of the log durable: the crate writes it atomically, but leaves it
    /// to the system when it reaches the disk, and the snapshot must not get there before it.
    fn sync_log(&self) -> Result<()> {
        let Location::Folder(_) = self.at else { return Ok(()) };
        let log = format!("{}/_delta_log", self.def.name);
        let version = format!("{:020}.", self.version());
        for name in self.at.names(&log)? {
            if name.starts_with(&version) || name == "_last_checkpoint" {
                let path = self.dir.join("_delta_log").join(name);
                File::open(&path).and_then(|f| f.sync_all()).map_err(Error::io(&path))?;
            }
        }
        self.at.sync(&log)
    }
}

/// The paths of the files that the table had at `version`, whatever its columns were.
pub(super) async fn paths_at(
    at: &Location,
    def: &TableDef,
    version: u64,
) -> Result<BTreeSet<String>> {
    let state = DeltaTableState::try_new(&at.log_store(def.name)?, Some(version)).await?;
    Ok(state.log_data().iter().map(|view| view.path().into_owned()).collect())
}

/// The active files of a table, by path.
fn active(state: &DeltaTableState) -> BTreeMap<String, Add> {
    state.log_data().iter().map(|view| (view.path().into_owned(), as_add(&view))).collect()
}

/// The Add action that made a file active. Tables of ours have neither tags nor deletion vectors
/// nor row ids.
fn as_add(view: &LogicalFileView) -> Add {
    Add {
        path: view.path().into_owned(),
        partition_values: view.partition_values_map(),
        size: view.size(),
        modification_time: view.modification_time(),
        data_change: true,
        stats: view.stats(),
        tags: None,
        deletion_vector: view.deletion_vector_descriptor(),
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

fn remove(add: &Add, same_rows: bool) -> Action {
    Action::Remove(Remove {
        path: add.path.clone(),
        data_change: !same_rows,
        deletion_timestamp: Some(now_millis()),
        extended_file_metadata: Some(true),
        partition_values: Some(add.partition_values.clone()),
        size: Some(add.size),
        tags: None,
        deletion_vector: add.deletion_vector.clone(),
        base_row_id: None,
        default_row_commit_version: None,
    })
}
