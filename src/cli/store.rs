//! `store`: what it holds, merging small files, removing files of the past.

use std::path::Path;

use arrow::array::RecordBatch;
use clap::{Subcommand, value_parser};

use super::args::OutputArgs;
use super::exit::Outcome;
use super::s3::S3Args;
use super::ui::Ui;
use super::{destination, source};
use crate::error::{Error, Result};
use crate::model::time;
use crate::output::{self, Format, safe};
use crate::store::check::{self, Checked, Problem};
use crate::store::compact::{self, AtOnce, Merging};
use crate::store::vacuum::{self, Keep, Vacuumed};
use crate::store::{Location, Store, TableInfo, Transaction};
use crate::table::build::{Cell, RowsBuilder};
use crate::table::{Column, Kind, TableDef, col};

/// `store`
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Show tables, rows, sizes, time spans and snapshots
    Info(Info),
    /// Merge small files of the same day; answers stay as they are
    Compact(Compact),
    /// Open every file that the store needs, and say which are missing or damaged
    Check(Check),
    /// Remove files that no kept snapshot needs
    Vacuum(Vacuum),
}

/// `store info`
#[derive(Debug, clap::Args)]
pub struct Info {
    /// List the snapshots instead of the tables
    #[arg(long)]
    pub snapshots: bool,
    /// How the answer is written
    #[command(flatten)]
    pub output: OutputArgs,
    /// How S3 is asked
    #[command(flatten)]
    pub s3: S3Args,
}

/// `store compact`
#[derive(Debug, clap::Args)]
pub struct Compact {
    /// How S3 is asked
    #[command(flatten)]
    pub s3: S3Args,
}

/// `store check`
#[derive(Debug, clap::Args)]
pub struct Check {
    /// Read every row as well, not only what the files say of themselves
    #[arg(long)]
    pub deep: bool,
    /// How S3 is asked
    #[command(flatten)]
    pub s3: S3Args,
}

/// `store vacuum`
#[derive(Debug, clap::Args)]
pub struct Vacuum {
    /// Keep this many snapshots, the newest ones [default: 10]
    #[arg(long, value_name = "N", conflicts_with = "older_than", value_parser = value_parser!(u64).range(1..))]
    pub keep: Option<u64>,
    /// Keep the snapshots that were current at this time or later: RFC 3339, a date, or 24h, 7d
    #[arg(long, value_name = "TIME")]
    pub older_than: Option<String>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How S3 is asked
    #[command(flatten)]
    pub s3: S3Args,
}

/// Snapshots that stay unless something else is asked for.
const KEEP: usize = 10;

/// Runs the command.
pub async fn run(dir: &Path, command: StoreCommand, ui: &Ui) -> Result<Outcome> {
    let (StoreCommand::Info(Info { s3, .. })
    | StoreCommand::Compact(Compact { s3 })
    | StoreCommand::Check(Check { s3, .. })
    | StoreCommand::Vacuum(Vacuum { s3, .. })) = &command;
    if let StoreCommand::Check(Check { deep, .. }) = command {
        let at = Location::of(dir, &s3.settings())?;
        let checked = check::check(at.clone(), deep).await?;
        ui.print(&checked_text(&checked))?;
        return match checked.problems.len() as u64 {
            0 => Ok(Outcome::Done),
            n => Err(damaged(&at, n)),
        };
    }
    let store = source::open_store(dir, None, s3, ui).await?;
    match command {
        StoreCommand::Check(_) => {}
        StoreCommand::Info(command) => info(&store, dir, &command, ui).await?,
        StoreCommand::Compact(_) => {
            let (merging, snapshot) =
                compact::compact(begin(&store, ui).await?, 2, AtOnce::of_memory(1 << 30)).await?;
            ui.print(&format!("{}; snapshot {}\n", merged_text(&merging), snapshot.id))?;
        }
        StoreCommand::Vacuum(command) => {
            let keep = keep(&command)?;
            let tx = begin(&store, ui).await?;
            let done = vacuum::vacuum(tx, keep, command.dry_run).await?;
            ui.print(&vacuumed_text(&done, command.dry_run))?;
        }
    }
    Ok(Outcome::Done)
}

/// Waits for whoever writes, and says so.
async fn begin(store: &Store, ui: &Ui) -> Result<Transaction> {
    let at = store.location();
    match Transaction::try_begin(at.clone()).await? {
        Some(tx) => Ok(tx),
        None => {
            ui.note("another process is writing to the store; waiting for it");
            Transaction::begin(at.clone()).await
        }
    }
}

fn keep(command: &Vacuum) -> Result<Keep> {
    let Some(text) = &command.older_than else {
        let count = command.keep.map_or(KEEP, |n| usize::try_from(n).unwrap_or(usize::MAX));
        return Ok(Keep::Newest(count));
    };
    let now = chrono::Utc::now().timestamp_micros();
    let instant = time::parse_user_time(text, now).ok_or_else(|| {
        Error::usage_hint(
            format!("--older-than {text} is no time"),
            "write RFC 3339 (2024-05-01T09:00:00Z), a date (2024-05-01), or a span back from now \
             (24h, 7d)",
        )
    })?;
    Ok(Keep::CurrentSince(instant))
}

/// `merged 33 files (1.2 MB) into 1 (0.9 MB), 415 rows`.
pub fn merged_text(merging: &Merging) -> String {
    if merging.files_before == 0 {
        return "nothing to merge".to_owned();
    }
    format!(
        "merged {} ({}) into {} ({}), {} rows",
        many(merging.files_before, "small file"),
        megabytes(merging.bytes_before),
        merging.files_after,
        megabytes(merging.bytes_after),
        merging.rows
    )
}

fn vacuumed_text(done: &Vacuumed, dry_run: bool) -> String {
    let would = if dry_run { "would remove" } else { "removed" };
    let kept = match (done.kept.first(), done.kept.last()) {
        (Some(first), Some(last)) if first != last => format!("kept snapshots {first} to {last}"),
        (Some(only), _) => format!("kept snapshot {only}"),
        _ => "no snapshot".to_owned(),
    };
    format!(
        "{would} {}, {} ({}) and {} of table logs; {kept}\n",
        many(done.snapshots.len() as u64, "snapshot"),
        many(done.files, "data file"),
        megabytes(done.bytes),
        many(done.log_files, "file"),
    )
}

/// One line a problem, then what is whole.
fn checked_text(checked: &Checked) -> String {
    let mut text = String::new();
    for Problem { path, message } in &checked.problems {
        let line = format!("{}: {message}", path.display());
        text.push_str(&format!("{}\n", safe::terminal(&line)));
    }
    let Some(snapshot) = checked.snapshot else { return text };
    text.push_str(&format!(
        "snapshot {snapshot}: {} with {} rows ({}) in {} are whole\n",
        many(checked.files, "data file"),
        checked.rows,
        megabytes(checked.bytes),
        many(checked.tables, "table"),
    ));
    text
}

fn damaged(at: &Location, problems: u64) -> Error {
    Error::Damaged { path: at.path(), message: format!("{} damaged", are(problems)) }
}

fn are(n: u64) -> String {
    if n == 1 { "1 file is".to_owned() } else { format!("{n} files are") }
}

fn many(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

const fn lines(columns: &'static [Column]) -> TableDef {
    TableDef::answer("store", columns)
}

const TABLES: TableDef = lines(&[
    col("table_name", Kind::Text, ""),
    col("rows", Kind::Int, ""),
    col("files", Kind::Int, ""),
    col("small_files", Kind::Int, ""),
    col("bytes", Kind::Int, ""),
    col("other_bytes", Kind::Int, ""),
    col("first", Kind::Time, ""),
    col("last", Kind::Time, ""),
    col("version", Kind::Int, ""),
]);

const SNAPSHOTS: TableDef = lines(&[
    col("snapshot", Kind::Int, ""),
    col("written_at", Kind::Time, ""),
    col("tool_version", Kind::Text, ""),
    col("current", Kind::Bool, ""),
]);

async fn info(store: &Store, dir: &Path, command: &Info, ui: &Ui) -> Result<()> {
    let args = &command.output;
    let tables = store.info().await?;
    let rows = if command.snapshots { snapshot_rows(store)? } else { table_rows(&tables)? };
    let rows = rows.slice(0, args.limit.unwrap_or(usize::MAX).min(rows.num_rows()));
    let mut out = destination::open(Some(args.format), args.output.as_deref(), ui)?;
    if args.format == Format::Table && !command.snapshots {
        let text = summary(store, dir, &tables)?;
        out.write_all(text.as_bytes()).map_err(Error::io("output"))?;
    }
    let style = ui.style(args.limit, args.output.is_some());
    output::write(args.format, &rows.schema(), [Ok(rows.clone())], &mut *out, &style)?;
    Ok(())
}

fn summary(store: &Store, dir: &Path, tables: &[TableInfo]) -> Result<String> {
    let snapshot = store.snapshot();
    let kept = store.snapshots()?;
    let first = kept.first().map_or(snapshot.id, |first| first.id);
    let sum = |of: fn(&TableInfo) -> u64| tables.iter().map(of).sum::<u64>();
    Ok(format!(
        "store     {}, format {}\n\
         snapshot  {}, by roletrail {}; {} kept from {first} on\n\
         size      {} in {} files; {} more for earlier snapshots or left by killed ingests\n\n",
        safe::terminal(&dir.to_string_lossy()),
        snapshot.format,
        snapshot.id,
        safe::terminal(&snapshot.tool_version),
        kept.len(),
        megabytes(sum(|table| table.bytes)),
        sum(|table| table.files),
        megabytes(sum(|table| table.other_bytes)),
    ))
}

fn table_rows(tables: &[TableInfo]) -> Result<RecordBatch> {
    let mut rows = RowsBuilder::new(&TABLES);
    let count = |n: u64| Cell::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let instant = |t: Option<i64>| t.map_or(Cell::Null, Cell::Time);
    for table in tables {
        let name = if table.internal { " (internal)" } else { "" };
        rows.push(vec![
            format!("{}{name}", table.name).into(),
            count(table.rows),
            count(table.files),
            count(table.small_files),
            count(table.bytes),
            count(table.other_bytes),
            instant(table.first),
            instant(table.last),
            count(table.version),
        ]);
    }
    rows.finish()
}

fn snapshot_rows(store: &Store) -> Result<RecordBatch> {
    let mut rows = RowsBuilder::new(&SNAPSHOTS);
    let current = store.snapshot().id;
    for snapshot in store.snapshots()? {
        rows.push(vec![
            Cell::Int(i64::try_from(snapshot.id).unwrap_or(i64::MAX)),
            time::parse_instant(&snapshot.written_at).map_or(Cell::Null, Cell::Time),
            snapshot.tool_version.into(),
            (snapshot.id == current).into(),
        ]);
    }
    rows.finish()
}
