//! `coverage`: what the logs cover, and what they therefore cannot tell.

use std::cmp::Reverse;
use std::io::Write;
use std::path::Path;

use arrow::array::RecordBatch;
use clap::ValueEnum;

use super::args::{OutputArgs, WindowArgs};
use super::exit::Outcome;
use super::source::SourceArgs;
use super::ui::Ui;
use super::{destination, source, words};
use crate::answers::coverage::{
    CoverageAnswer, CoverageFilter, FINDINGS, Finding, Grain, coverage,
};
use crate::answers::{Window, typed};
use crate::error::{Error, Result};
use crate::output::{self, Format, Style};
use crate::table::build::{Cell, RowsBuilder};
use crate::table::{Column, Kind, TableDef, col};

/// Rows of a section that are shown, unless another limit is given.
const MOST_LINES: usize = 40;

/// `coverage`
#[derive(Debug, clap::Args)]
pub struct Coverage {
    /// Account whose logs are meant; * stands for anything
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Region; * stands for anything
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// List logs by day or hour instead of one line an account and region
    #[arg(long, value_enum, default_value_t = By::Region)]
    pub by: By,
    /// When
    #[command(flatten)]
    pub window: WindowArgs,
    /// Where the tables come from
    #[command(flatten)]
    pub source: SourceArgs,
    /// How the answer is written
    #[command(flatten)]
    pub output: OutputArgs,
}

/// How finely logs are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// One line an account and region
    Region,
    /// One line a day with logs
    Day,
    /// One line an hour with logs
    Hour,
}

/// Runs the command.
pub async fn run(store: &Path, command: Coverage, ui: &Ui) -> Result<Outcome> {
    let now = chrono::Utc::now().timestamp_micros();
    let window = &command.window;
    typed::account(command.account.as_deref())?;
    let filter = CoverageFilter {
        account: command.account,
        region: command.region,
        window: Window::parse(window.since.as_deref(), window.until.as_deref(), now)?,
        grain: match command.by {
            By::Region => Grain::Span,
            By::Day => Grain::Day,
            By::Hour => Grain::Hour,
        },
    };
    let tables = source::open(store, &command.source, ui).await?;
    let answer = coverage(&tables, &filter).await?;
    let args = &command.output;
    let mut out = destination::open(Some(args.format), args.output.as_deref(), ui)?;
    let style = ui.style(args.limit, args.output.is_some());
    if args.format == Format::Table {
        page(&answer, command.by, args.limit, &mut *out, &style)?;
    } else {
        let rows = answer.batches(args.limit);
        output::write(args.format, &FINDINGS.schema(), rows, &mut *out, &style)?;
    }
    ui.note(&if answer.all().next().is_none() {
        source::nothing_found("logs", &tables).await?
    } else {
        summary(&answer)
    });
    Ok(Outcome::Done)
}

/// How a section's lines are made of findings.
struct Section {
    title: &'static str,
    /// Whether it opens the page.
    first: bool,
    /// What to say when there is nothing.
    nothing: &'static str,
    def: &'static TableDef,
    cells: fn(&Finding) -> Vec<Cell<'_>>,
}

fn page(
    answer: &CoverageAnswer,
    by: By,
    limit: Option<usize>,
    out: &mut (dyn Write + Send),
    style: &Style,
) -> Result<()> {
    let most = limit.unwrap_or(MOST_LINES);
    let logs = Section {
        title: "Where there are logs",
        first: true,
        nothing: "nowhere",
        def: if by == By::Hour { &HOURS } else { &LOGS },
        cells: if by == By::Hour { hour_cells } else { log_cells },
    };
    let every = if by == By::Region { usize::MAX } else { most };
    section(&logs, answer.logs.iter(), limit.unwrap_or(every), out, style)?;
    // The longest, in the order of accounts and time.
    let mut longest: Vec<usize> = (0..answer.holes.len()).collect();
    longest.sort_by_key(|n| Reverse(answer.holes[*n].hours));
    longest[..most.min(answer.holes.len())].sort_unstable();
    let holes = longest.iter().map(|n| &answer.holes[*n]);
    section(&HOLES_SECTION, holes, most, out, style)?;
    section(&CHANGES_SECTION, answer.trail_changes.iter(), most, out, style)?;
    section(&ABSENT_SECTION, answer.absent_accounts.iter(), most, out, style)?;
    section(&UNEXPLAINED_SECTION, answer.unexplained.iter(), most, out, style)?;
    if answer.without_sts.is_empty() {
        return Ok(());
    }
    section(&WITHOUT_STS_SECTION, answer.without_sts.iter(), most, out, style)
}

fn section<'a>(
    section: &Section,
    findings: impl ExactSizeIterator<Item = &'a Finding>,
    most: usize,
    out: &mut (dyn Write + Send),
    style: &Style,
) -> Result<()> {
    let (on, off) = if style.color { ("\u{1b}[1m", "\u{1b}[0m") } else { ("", "") };
    let mut say = |text: String| out.write_all(text.as_bytes()).map_err(Error::io("output"));
    let all = findings.len();
    let above = if section.first { "" } else { "\n" };
    say(format!("{above}{on}{}{off}\n", section.title))?;
    if all == 0 {
        return say(format!("  {}\n", section.nothing));
    }
    let mut rows = RowsBuilder::new(section.def);
    findings.take(most).for_each(|finding| rows.push((section.cells)(finding)));
    let batch: RecordBatch = rows.finish()?;
    let plain = Style { limit: None, ..*style };
    output::write(Format::Table, &batch.schema(), [Ok(batch)], out, &plain)?;
    let more = match all.saturating_sub(most) {
        0 => String::new(),
        more => format!("… {more} more; --limit {all} or --format csv shows them\n"),
    };
    out.write_all(more.as_bytes()).map_err(Error::io("output"))
}

const fn lines(columns: &'static [Column]) -> TableDef {
    TableDef::answer("coverage", columns)
}

const LOGS: TableDef = lines(&[
    col("account", Kind::Text, ""),
    col("region", Kind::Text, ""),
    col("from", Kind::Time, ""),
    col("to", Kind::Time, ""),
    col("events", Kind::Int, ""),
    col("hours with", Kind::Int, ""),
    col("without", Kind::Int, ""),
    col("before", Kind::Int, ""),
    col("after", Kind::Int, ""),
]);

fn log_cells(f: &Finding) -> Vec<Cell<'_>> {
    vec![
        f.account_id.as_ref().into(),
        f.aws_region.as_ref().into(),
        f.since.map_or(Cell::Null, Cell::Time),
        f.until.map_or(Cell::Null, Cell::Time),
        f.events.into(),
        f.hours.into(),
        f.hours_without.into(),
        f.hours_before.into(),
        f.hours_after.into(),
    ]
}

const HOURS: TableDef = lines(&[
    col("account", Kind::Text, ""),
    col("region", Kind::Text, ""),
    col("hour", Kind::Time, ""),
    col("events", Kind::Int, ""),
    col("files", Kind::Int, ""),
]);

fn hour_cells(f: &Finding) -> Vec<Cell<'_>> {
    vec![
        f.account_id.as_ref().into(),
        f.aws_region.as_ref().into(),
        f.since.or(f.until).map_or(Cell::Null, Cell::Time),
        f.events.into(),
        f.files.into(),
    ]
}

const HOLES_SECTION: Section = Section {
    title: "Hours without events between hours with events",
    first: false,
    nothing: "none",
    def: &HOLES,
    cells: |f| {
        vec![
            f.account_id.as_ref().into(),
            f.aws_region.as_ref().into(),
            f.since.map_or(Cell::Null, Cell::Time),
            f.until.map_or(Cell::Null, Cell::Time),
            f.hours.into(),
            hole(f.state.as_deref().unwrap_or("")).into(),
            f.events_elsewhere.into(),
        ]
    },
};

const HOLES: TableDef = lines(&[
    col("account", Kind::Text, ""),
    col("region", Kind::Text, ""),
    col("from", Kind::Time, ""),
    col("to", Kind::Time, ""),
    col("hours", Kind::Int, ""),
    col("what the files say", Kind::Text, ""),
    col("events in its other regions", Kind::Int, ""),
]);

fn hole(state: &str) -> &str {
    match state {
        "no_files" => "no file: nothing happened, or logs are missing",
        "no_events" => "a file came, with earlier events only",
        "unreadable" => "a file that could not be read",
        other => other,
    }
}

const CHANGES_SECTION: Section = Section {
    title: "Changes to what is recorded",
    first: false,
    nothing: "none in these logs",
    def: &CHANGES,
    cells: |f| {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let account = f.origin_account_id.as_deref();
        let kind = f.origin_type.as_deref().unwrap_or("Unknown");
        let strength = f.chain_strength.as_deref().filter(|strength| *strength != "exact");
        vec![
            f.since.map_or(Cell::Null, Cell::Time),
            f.account_id.as_ref().into(),
            f.aws_region.as_ref().into(),
            words::action(&text(&f.event_source), &text(&f.event_name)).into(),
            words::target(f.resource_arn.as_deref(), f.request_parameters.as_deref()).into(),
            effect(f.state.as_deref().unwrap_or("")).into(),
            f.failure.as_deref().unwrap_or("ok").into(),
            words::origin(kind, f.origin.as_deref(), account, f.origin_detail.as_deref()).into(),
            words::chain(&f.chain, account).into(),
            strength.into(),
        ]
    },
};

const CHANGES: TableDef = lines(&[
    col("time", Kind::Time, ""),
    col("account", Kind::Text, ""),
    col("region", Kind::Text, ""),
    col("action", Kind::Text, ""),
    col("target", Kind::Text, ""),
    col("effect", Kind::Text, ""),
    col("result", Kind::Text, ""),
    col("origin", Kind::Text, ""),
    col("chain", Kind::TextList, ""),
    col("strength", Kind::Text, ""),
]);

fn effect(state: &str) -> &str {
    if state == "narrows" { "may narrow" } else { state }
}

const ABSENT_SECTION: Section = Section {
    title: "Accounts that are named, but have no logs of their own here",
    first: false,
    nothing: "none",
    def: &ABSENT,
    cells: |f| {
        vec![
            f.account_id.as_ref().into(),
            f.seen_in.clone().into(),
            f.events.into(),
            f.sessions.into(),
            f.since.map_or(Cell::Null, Cell::Time),
            f.until.map_or(Cell::Null, Cell::Time),
        ]
    },
};

const ABSENT: TableDef = lines(&[
    col("account", Kind::Text, ""),
    col("named by the logs of", Kind::TextList, ""),
    col("calls", Kind::Int, ""),
    col("sessions begun there", Kind::Int, ""),
    col("first", Kind::Time, ""),
    col("last", Kind::Time, ""),
]);

const UNEXPLAINED_SECTION: Section = Section {
    title: "Sessions of which these logs cannot tell who is behind them",
    first: false,
    nothing: "none",
    def: &UNEXPLAINED,
    cells: |f| {
        vec![
            f.account_id.as_ref().into(),
            f.sessions.into(),
            f.events.into(),
            f.since.map_or(Cell::Null, Cell::Time),
            f.until.map_or(Cell::Null, Cell::Time),
            missing(f.state.as_deref().unwrap_or("")).into(),
        ]
    },
};

const UNEXPLAINED: TableDef = lines(&[
    col("account", Kind::Text, ""),
    col("sessions", Kind::Int, ""),
    col("calls", Kind::Int, ""),
    col("first began", Kind::Time, ""),
    col("last began", Kind::Time, ""),
    col("what is missing", Kind::Text, ""),
]);

fn missing(state: &str) -> &str {
    match state {
        "caller_unexplained" => "nothing of their own: whoever obtained them is unexplained",
        "account_has_no_logs" => "all logs of this account",
        "began_before_logs" => "earlier logs: they began before the first",
        "began_in_a_hole" => "the hour they began in: no region of the account has logs of it",
        "us_east_1_missing" => "us-east-1 in the hour they began in, or the caller's account",
        "another_region_or_account" => "another region of that hour, or the caller's account",
        other => other,
    }
}

const WITHOUT_STS_SECTION: Section = Section {
    title: "Regions that such sessions called, and of which there is no event of STS",
    first: false,
    nothing: "none",
    def: &WITHOUT_STS,
    cells: |f| {
        vec![
            f.account_id.as_ref().into(),
            f.aws_region.as_ref().into(),
            f.sessions.into(),
            f.events.into(),
            f.since.map_or(Cell::Null, Cell::Time),
            f.until.map_or(Cell::Null, Cell::Time),
        ]
    },
};

const WITHOUT_STS: TableDef = lines(&[
    col("account", Kind::Text, ""),
    col("region", Kind::Text, ""),
    col("sessions", Kind::Int, ""),
    col("calls", Kind::Int, ""),
    col("first", Kind::Time, ""),
    col("last", Kind::Time, ""),
]);

/// The answer in a line.
fn summary(answer: &CoverageAnswer) -> String {
    let many = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let sum = |findings: &[Finding], of: fn(&Finding) -> Option<i64>| -> usize {
        findings.iter().filter_map(of).filter_map(|n| usize::try_from(n).ok()).sum()
    };
    let mut places: Vec<_> = answer.logs.iter().map(|f| (&f.account_id, &f.aws_region)).collect();
    places.dedup();
    let regions = places.len();
    places.dedup_by_key(|(account, _)| *account);
    let stopped = |f: &&Finding| f.state.as_deref() == Some("stops") && f.failure.is_none();
    let stops = answer.trail_changes.iter().filter(stopped).count();
    format!(
        "{} in {}; {} without events between; {} to what is recorded, {stops} of which stopped it; {}; {} \
         without origin for lack of logs",
        many(regions, "region", "regions"),
        many(places.len(), "account", "accounts"),
        many(sum(&answer.holes, |f| f.hours), "hour", "hours"),
        many(answer.trail_changes.len(), "change", "changes"),
        many(answer.absent_accounts.len(), "account without logs", "accounts without logs"),
        many(sum(&answer.unexplained, |f| f.sessions), "session", "sessions"),
    )
}
