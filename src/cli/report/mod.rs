//! `report`: a set of saved queries over a window, as a page, as Markdown or as JSON.

mod charts;
mod html;
mod json;
mod markdown;
mod sections;
mod sessions;
mod text;

use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::ValueEnum;
use serde_json::Value;

use super::args::{Report as Command, STORE};
use super::exit::Outcome;
use super::ui::Ui;
use super::{export, library, source, words};
use crate::answers::report::sets::{Chosen, Set, Sets};
use crate::answers::report::{Report, report};
use crate::answers::{Rows, Window};
use crate::error::{Error, Result};
use crate::model::time;
use crate::output::target::Asked;
use crate::sql::saved::Severity;
use crate::sql::{Params, Sql};
use crate::store::marks::{Mark, Marks};
use crate::store::{Location, Store};

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// One page that needs nothing else
    Html,
    /// Markdown, as GitHub has it
    Markdown,
    /// One JSON object
    Json,
}

impl ReportFormat {
    fn ending(self) -> &'static str {
        match self {
            ReportFormat::Html => "html",
            ReportFormat::Markdown => "md",
            ReportFormat::Json => "json",
        }
    }
}

/// What a report says of itself.
pub struct Head {
    /// Name of the set.
    pub name: String,
    /// Its title.
    pub title: String,
    /// What it is for.
    pub about: String,
    /// When it was made.
    pub generated_at: DateTime<Utc>,
    /// The snapshot of the store; none for logs in memory.
    pub snapshot: Option<u64>,
    /// The input files, their number and hash.
    pub sources: Value,
    /// What the reader must know of the window.
    pub notes: Vec<String>,
    /// Where it was asked for.
    pub origin: Origin,
}

/// Options with which `query` looks at what the report looked at, quoted for a shell. What a command
/// does by itself is left out.
pub struct Origin {
    /// Those before its name.
    pub store: Option<String>,
    /// Those after it.
    pub more: Vec<String>,
}

impl Origin {
    fn of(store: &Path, command: &Command) -> Origin {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let (source, folder) = (&command.source, command.library.queries.as_deref());
        let mut more: Vec<String> =
            folder.map(|folder| words::option("--queries", &path(folder))).into_iter().collect();
        more.extend(source.as_of.map(|id| format!("--as-of {id}")));
        more.extend(source.logs.iter().map(|logs| words::option("--logs", logs)));
        more.extend(source.s3.typed());
        let elsewhere = source.logs.is_empty() && store != Path::new(STORE);
        Origin { store: elsewhere.then(|| words::option("--store", &path(store))), more }
    }
}

/// Runs the command.
pub async fn run(store: &Path, command: Command, ui: &Ui) -> Result<Outcome> {
    let now = Utc::now();
    let sets = Sets::open(command.sets.as_deref())?;
    if command.list {
        let line = |(name, set): (&str, &Set)| format!("{name:14}  {}\n", set.title);
        let list: String = sets.all().map(line).collect();
        ui.print(&crate::output::safe::terminal(&list).replace("\\n", "\n"))?;
        return Ok(Outcome::Done);
    }
    let library = library::open(&command.library, ui)?;
    let mut jobs = Vec::new();
    for name in &command.names {
        let set = sets.by_name(name)?;
        jobs.push((name.as_str(), set, set.choose(&library)?));
    }
    let s3 = command.source.s3.settings();
    let place = command.output.as_deref();
    let folder =
        place.is_some_and(|address| Asked { address, overwrite: false, s3: &s3 }.is_folder());
    if jobs.len() > 1 && !folder {
        return Err(Error::usage_hint(
            "several reports do not fit into one file",
            "name a folder after -o, ending with /",
        ));
    }
    let format = format_of(&command, folder);
    let mut gravest = None;
    for (name, set, chosen) in jobs {
        let made = one(store, &command, (name, set, &chosen), now, ui).await?;
        gravest =
            gravest.max(made.report.findings.iter().filter(|f| f.rows > 0).map(|f| f.rank).max());
        let text = match format {
            ReportFormat::Html => html::page(&made.head, &made.report)?,
            ReportFormat::Markdown => markdown::page(&made.head, &made.report)?,
            ReportFormat::Json => json::page(&made.head, &made.report)?,
        };
        write(&text, place, folder, (name, now, format), &s3, ui)?;
        // Only now: what was not written whole is left to the next run.
        if let (Some(marks), Some(mark)) = (&made.marks, &made.mark) {
            marks.write(mark)?;
        }
    }
    let reached = command.fail_on.map(FailOn::severity);
    Ok(match reached {
        Some(least) if gravest >= Some(least) => Outcome::Found,
        _ => Outcome::Done,
    })
}

/// `--fail-on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any row of any query
    Info,
    /// And so on
    Low,
    /// A finding of medium severity or above
    Medium,
    /// A finding of high severity or above
    High,
    /// A critical finding
    Critical,
}

impl FailOn {
    fn severity(self) -> Severity {
        match self {
            FailOn::Info => Severity::Info,
            FailOn::Low => Severity::Low,
            FailOn::Medium => Severity::Medium,
            FailOn::High => Severity::High,
            FailOn::Critical => Severity::Critical,
        }
    }
}

/// The format asked for, or that of the file's ending; a page in a folder, Markdown on the screen.
fn format_of(command: &Command, folder: bool) -> ReportFormat {
    if let Some(format) = command.format {
        return format;
    }
    let name = command.output.as_deref().unwrap_or(".md").to_ascii_lowercase();
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        _ if folder => ReportFormat::Html,
        Some("md" | "markdown") => ReportFormat::Markdown,
        Some("json") => ReportFormat::Json,
        _ => ReportFormat::Html,
    }
}

/// Writes it; a file is replaced, a folder gets a dated name.
fn write(
    text: &str,
    place: Option<&str>,
    folder: bool,
    (name, now, format): (&str, DateTime<Utc>, ReportFormat),
    s3: &crate::sources::s3::Settings,
    ui: &Ui,
) -> Result<()> {
    let Some(place) = place else { return ui.print(text) };
    let address = match folder {
        true => {
            let dated = now.format("%Y-%m-%dT%H%M%SZ");
            format!("{}/{name}-{dated}.{}", place.trim_end_matches('/'), format.ending())
        }
        false => place.to_owned(),
    };
    let mut target = Asked { address: &address, overwrite: !folder, s3 }.file()?;
    let mut out = target.create("")?;
    out.write_all(text.as_bytes()).map_err(Error::io(&address))?;
    drop(out);
    target.close()?;
    target.commit()?;
    ui.note(&format!("written {address}"));
    Ok(())
}

struct Made {
    head: Head,
    report: Report,
    marks: Option<Marks>,
    mark: Option<Mark>,
}

async fn one(
    store: &Path,
    command: &Command,
    (name, set, chosen): (&str, &Set, &[Chosen]),
    now: DateTime<Utc>,
    ui: &Ui,
) -> Result<Made> {
    let since = command.window.since.as_deref().or(set.since.as_deref());
    let goes_on = since == Some("last");
    if goes_on && !command.source.logs.is_empty() {
        return Err(Error::usage_hint(
            "--since last needs a store: it keeps where the last report ended",
            "make one with `roletrail ingest SOURCE…`, or give a time",
        ));
    }
    let marks = match goes_on {
        // Before the first ingest there is nothing to hold.
        true => {
            let at = Location::of(store, &command.source.s3.settings())?;
            Store::exists(at.clone())?.then(|| Marks::hold(at, name)).transpose()?
        }
        false => None,
    };
    let tables = source::open(store, &command.source, ui).await?;
    let micros = now.timestamp_micros();
    let typed = if goes_on { None } else { since };
    let mut window = Window::parse(typed, command.window.until.as_deref(), micros)?;
    let (mut notes, mut mark) = (Vec::new(), None);
    if let Some(marks) = &marks {
        window.until = window.until.or(Some(micros));
        if let Some(last) = marks.read()? {
            window.since = Some(since_last(&tables, &last, &mut notes).await?);
        } else {
            notes.push(
                "The first report of this name: it covers everything before its end.".to_owned(),
            );
        }
        if window.since >= window.until {
            return Err(Error::usage_hint(
                "the last report of this name ended later than this one would",
                "leave out --until, or give --since a time",
            ));
        }
        mark = Some(Mark {
            until: time::format_instant(window.until.unwrap_or(micros)),
            last_ingested_at: last_ingested(&tables).await?.map(time::format_instant),
            snapshot: tables.snapshot().unwrap_or(0),
            written_at: now.to_rfc3339_opts(SecondsFormat::Secs, true),
        });
    }
    let report = report(&tables, window, chosen, micros).await?;
    let head = Head {
        name: name.to_owned(),
        title: set.title.clone(),
        about: set.about.clone(),
        generated_at: now,
        snapshot: tables.snapshot(),
        sources: export::sources(&tables).await?,
        notes,
        origin: Origin::of(store, command),
    };
    Ok(Made { head, report, marks, mark })
}

/// Where the last report ended; earlier, where logs of earlier calls have come in since.
async fn since_last(tables: &Sql, last: &Mark, notes: &mut Vec<String>) -> Result<i64> {
    let read = |text: &str| {
        time::parse_instant(text).ok_or_else(|| {
            Error::usage(format!("the end of the last report cannot be understood: {text}"))
        })
    };
    let end = read(&last.until)?;
    let Some(seen) = &last.last_ingested_at else { return Ok(end) };
    let params = Params::none().instant("seen", Some(read(seen)?));
    let statement = "SELECT min(first_event_time) AS earliest FROM files
                     WHERE ingested_at > $seen AND kept > 0";
    for batch in tables.rows(statement, params).await? {
        let rows = Rows::new(&batch)?;
        if let Some(earliest) = rows.time("earliest", 0).filter(|earliest| *earliest < end) {
            notes.push(format!(
                "Logs of calls before {} came in after the last report, which ended then; the window \
                 begins with the earliest of them, so some of what it shows was shown before.",
                last.until
            ));
            return Ok(earliest);
        }
    }
    Ok(end)
}

async fn last_ingested(tables: &Sql) -> Result<Option<i64>> {
    let statement = "SELECT max(ingested_at) AS last FROM files";
    let batches = tables.rows(statement, Params::none()).await?;
    batches.first().map_or(Ok(None), |batch| Ok(Rows::new(batch)?.time("last", 0)))
}
