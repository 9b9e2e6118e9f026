//! Where a reading command takes its tables from: the store, or logs read straight into memory.

use std::path::Path;

use clap::Args;

use super::s3::S3Args;
use super::ui::Ui;
use crate::answers::Rows;
use crate::error::{Error, Result};
use crate::intake::Options;
use crate::model::time;
use crate::pipeline;
use crate::sources;
use crate::sql::{Params, Source, Sql};
use crate::store::{Location, Store};

/// Options that every reading command has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Source")]
pub struct SourceArgs {
    /// Read these logs (files, folders, globs, s3://BUCKET/PREFIX) into memory instead of using the store
    #[arg(long, value_name = "SOURCE", num_args = 1.., global = false)]
    pub logs: Vec<String>,
    /// Answer as the store was at this snapshot
    #[arg(long, value_name = "SNAPSHOT", conflicts_with = "logs")]
    pub as_of: Option<u64>,
    /// Memory that may be used, MiB
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u64).range(64..=1 << 24))]
    pub memory: u64,
    /// How S3 is asked
    #[command(flatten)]
    pub s3: S3Args,
}

/// Opens the tables.
///
/// # Errors
/// The store's, or [`Error::NothingReadable`].
pub async fn open(store: &Path, args: &SourceArgs, ui: &Ui) -> Result<Sql> {
    let memory = usize::try_from(args.memory << 20).unwrap_or(usize::MAX);
    if !args.logs.is_empty() {
        let bar = ui.progress();
        let s3 = args.s3.settings();
        let sources = sources::Options { s3, ..sources::Options::default() };
        let options = Options { sources, ..Options::of_memory(args.memory << 20) };
        let loaded = pipeline::load(&args.logs, &options, memory / 2, &bar)?;
        super::ingest::report_problems(&loaded.problems, loaded.books.rejected, ui);
        return Sql::open(Source::Memory(loaded.tables), memory / 2).await;
    }
    let store = open_store(store, args.as_of, &args.s3, ui).await?;
    // The rest is for what the engine does not count: pages that are read, and the program itself.
    Sql::open(Source::Store(store), memory / 4 * 3).await
}

/// Opens the store, as it is or as it was at a snapshot.
///
/// # Errors
/// [`Error::NotFound`] where there is none; the store's.
pub async fn open_store(store: &Path, as_of: Option<u64>, s3: &S3Args, ui: &Ui) -> Result<Store> {
    let at = Location::of(store, &s3.settings())?;
    if !Store::exists(at.clone())? {
        return Err(Error::NotFound {
            message: format!("there is no store at {}", store.display()),
            hint: Some(
                "make one with `roletrail ingest SOURCE…`, name another with --store, or read logs \
                 directly with --logs SOURCE…"
                    .to_owned(),
            ),
        });
    }
    let store = match as_of {
        Some(id) => Store::open_as_of(at, id).await?,
        None => Store::open(at).await?,
    };
    if let Some(damage) = store.damage() {
        ui.note(&format!(
            "warning: snapshot.json is damaged ({damage}); this is snapshot {}, the newest that is kept, \
             and the next ingest writes the file again",
            store.snapshot().id
        ));
    }
    Ok(store)
}

/// What to say when nothing fits: that the logs have none and that the logs have no such time are
/// different things.
///
/// # Errors
/// The engine's.
pub async fn nothing_found(what: &str, tables: &Sql) -> Result<String> {
    let span = "SELECT min(event_time) AS first, max(event_time) AS last FROM events";
    for batch in tables.rows(span, Params::none()).await? {
        let rows = Rows::new(&batch)?;
        if let (Some(first), Some(last)) = (rows.time("first", 0), rows.time("last", 0)) {
            let (first, last) = (time::format_instant(first), time::format_instant(last));
            return Ok(format!("no {what} fit; the logs hold events from {first} to {last}"));
        }
    }
    Ok(format!("no {what}; the logs hold no events"))
}
