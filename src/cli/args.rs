//! What can be typed. Nothing is opened or asked while arguments are read.

use std::path::PathBuf;

use clap::{ArgGroup, Parser, Subcommand, ValueEnum, value_parser};

use super::coverage::Coverage;
use super::report::{FailOn, ReportFormat};
use super::s3::S3Args;
use super::schedule::Schedule;
use super::source::SourceArgs;
use super::store::StoreCommand;
use crate::output::Format;
use crate::sql::Dialect;

/// Where the store is unless it is said.
pub const STORE: &str = "./roletrail-store";

/// Who did what, under which role, and when, from AWS CloudTrail logs alone
#[derive(Debug, Parser)]
#[command(name = "roletrail", version, about, max_term_width = 100)]
pub struct Args {
    /// The store: a folder of Delta Lake tables, or s3://BUCKET/PREFIX
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "ROLETRAIL_STORE",
        hide_env_values = true,
        default_value = STORE
    )]
    pub store: PathBuf,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Load logs into the store; only new files are read
    Ingest(Ingest),
    /// Answer SQL over the tables and views
    Query(Query),
    /// Ask in SQL at a prompt, or run statements from a pipe
    Shell(Shell),
    /// List sessions
    Sessions(Sessions),
    /// Show one session: who, by which evidence, what it did, what it started
    Session(Session),
    /// Draw the tree from the origin to a session and down to all that came of it
    Chain(Chain),
    /// Show who did what, with origin and chain
    Who(Who),
    /// Show everything a session did, in order
    Timeline(Timeline),
    /// Show what the logs cover, where they stop, and what they cannot tell
    Coverage(Coverage),
    /// Show a record as it was, and the object it came from
    Event(Event),
    /// Look after the store: what it holds, small files, files of the past
    #[command(subcommand)]
    Store(StoreCommand),
    /// Run sets of saved queries over a window and write a page, Markdown or JSON
    Report(Report),
    /// Print the units of a job that runs ingest and report again and again
    Schedule(Schedule),
    /// Write a table or any SQL to files for other tools: Parquet, CSV, NDJSON, Arrow
    Export(Export),
    /// Show tables and columns with their meaning
    Schema(Schema),
    /// Print a script for shell completion
    Completions(Completions),
    /// Print the manual page
    Man(Man),
    /// Write invented logs with the truth about every event
    #[command(hide = true)]
    GenerateLogs(GenerateLogs),
}

/// `ingest`
#[derive(Debug, clap::Args)]
pub struct Ingest {
    /// Files, folders, globs, s3://BUCKET/PREFIX, or - for standard input
    #[arg(required = true, value_name = "SOURCE")]
    pub sources: Vec<String>,
    /// Only logs of this account, by their paths; may be repeated
    #[arg(long = "account", value_name = "ID", value_delimiter = ',')]
    pub accounts: Vec<String>,
    /// Only logs of this region, by their paths; may be repeated
    #[arg(long = "region", value_name = "REGION", value_delimiter = ',')]
    pub regions: Vec<String>,
    /// Only logs that were delivered on the days when events of this span were
    #[command(flatten)]
    pub window: WindowArgs,
    /// End with exit code 4 when anything was rejected
    #[arg(long)]
    pub strict: bool,
    /// Store pseudonyms instead of accounts, names, keys, addresses and resources
    #[arg(long)]
    pub redact: bool,
    /// Key of the pseudonyms, 16 bytes at the least; else $ROLETRAIL_REDACT_KEY, else STORE.redact-key,
    /// which is made where it is absent
    #[arg(long, value_name = "FILE", requires = "redact")]
    pub redact_key_file: Option<PathBuf>,
    /// Worker threads; 0 means one a core
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = value_parser!(u64).range(0..=256))]
    pub threads: u64,
    /// Memory to keep to, MiB: how much is read, held and linked at once
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = value_parser!(u64).range(256..=1 << 24))]
    pub memory: u64,
    /// Most MiB that one file may inflate to; the files of an archive together four times that
    #[arg(long, value_name = "MIB", default_value_t = 16 * 1024, value_parser = value_parser!(u64).range(1..=1 << 30))]
    pub max_inflated: u64,
    /// Largest record, KiB
    #[arg(long, value_name = "KIB", default_value_t = 16 * 1024, value_parser = value_parser!(u64).range(1..=256 * 1024))]
    pub max_record: u64,
    /// Longest string in a record, KiB
    #[arg(long, value_name = "KIB", default_value_t = 4 * 1024, value_parser = value_parser!(u64).range(1..=256 * 1024))]
    pub max_string: u64,
    /// Deepest nesting of a record
    #[arg(long, value_name = "LEVELS", default_value_t = 128, value_parser = value_parser!(u64).range(1..=128))]
    pub max_depth: u64,
    /// How S3 is asked
    #[command(flatten)]
    pub s3: S3Args,
}

/// `query`
#[derive(Debug, clap::Args)]
pub struct Query {
    /// The statement
    #[arg(value_name = "SQL", required_unless_present_any = ["file", "name", "list"])]
    pub sql: Option<String>,
    /// Take the statement from a file
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["sql", "name"])]
    pub file: Option<PathBuf>,
    /// Run a saved query
    #[arg(long, value_name = "NAME", conflicts_with = "sql")]
    pub name: Option<String>,
    /// List the saved queries
    #[arg(long)]
    pub list: bool,
    /// Show what a saved query asks, what it cannot know and its parameters
    #[arg(long, requires = "name")]
    pub describe: bool,
    /// Where more saved queries are
    #[command(flatten)]
    pub library: LibraryArgs,
    /// Value for $NAME in the statement; name:int=5, name:time=24h for other types than text. A saved
    /// query knows the types of its own
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// How the statement is read
    #[arg(long, value_enum, default_value_t = DialectArg::Aws)]
    pub dialect: DialectArg,
    /// Where the tables come from
    #[command(flatten)]
    pub source: SourceArgs,
    /// How the answer is written
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Where saved queries come from.
#[derive(Debug, Clone, clap::Args)]
pub struct LibraryArgs {
    /// A folder of files NAME.sql that add to the saved queries or take their place
    #[arg(long, value_name = "DIR", env = "ROLETRAIL_QUERIES")]
    pub queries: Option<PathBuf>,
}

/// `shell`
#[derive(Debug, clap::Args)]
pub struct Shell {
    /// How statements are read
    #[arg(long, value_enum, default_value_t = DialectArg::Aws)]
    pub dialect: DialectArg,
    /// How answers are written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Where saved queries come from
    #[command(flatten)]
    pub library: LibraryArgs,
    /// Where the tables come from
    #[command(flatten)]
    pub source: SourceArgs,
}

/// `man`
#[derive(Debug, clap::Args)]
pub struct Man {
    /// Only this command
    pub command: Option<String>,
    /// Write one page for the program and one for each command into this folder
    #[arg(short, long, value_name = "DIR", conflicts_with = "command")]
    pub output: Option<PathBuf>,
}

/// How statements are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DialectArg {
    /// DataFusion's SQL, and what Athena and CloudTrail Lake know besides
    Aws,
    /// DataFusion's SQL alone
    Datafusion,
}

impl From<DialectArg> for Dialect {
    fn from(arg: DialectArg) -> Dialect {
        match arg {
            DialectArg::Aws => Dialect::Aws,
            DialectArg::Datafusion => Dialect::Plain,
        }
    }
}

/// Options for answers that are tables.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How the answer is written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Write the answer to a file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// At most this many rows
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// `report`
#[derive(Debug, clap::Args)]
pub struct Report {
    /// Sets of queries; --list names them
    #[arg(value_name = "NAME", required_unless_present = "list")]
    pub names: Vec<String>,
    /// List the sets
    #[arg(long)]
    pub list: bool,
    /// A TOML file whose sets add to the built-in ones or take their place
    #[arg(long, value_name = "FILE", env = "ROLETRAIL_SETS", hide_env_values = true)]
    pub sets: Option<PathBuf>,
    /// Where more saved queries are
    #[command(flatten)]
    pub library: LibraryArgs,
    /// The calls that the report is about; --since last goes on where the last report of that name ended
    #[command(flatten)]
    pub window: WindowArgs,
    /// End with exit code 5 when a query of this severity or above found something
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<FailOn>,
    /// How the report is written; otherwise by the ending of the file
    #[arg(long, value_enum)]
    pub format: Option<ReportFormat>,
    /// File, folder ending with / for dated names, or s3://BUCKET/KEY; it is seen when it is whole
    #[arg(short, long, value_name = "PLACE")]
    pub output: Option<String>,
    /// Where the tables come from
    #[command(flatten)]
    pub source: SourceArgs,
}

/// `export`
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("what").required(true).args(["sql", "table", "file", "name"]))]
pub struct Export {
    /// The statement whose rows are written
    #[arg(value_name = "SQL")]
    pub sql: Option<String>,
    /// Write this table or view, in its own order
    #[arg(long, value_name = "TABLE", conflicts_with = "params")]
    pub table: Option<String>,
    /// Take the statement from a file
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Write the rows of a saved query
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Where more saved queries are
    #[command(flatten)]
    pub library: LibraryArgs,
    /// Value for $NAME in the statement; name:int=5, name:time=24h for other types than text
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Of a table: the rows of this span. Of a statement: values for $since and $until
    #[command(flatten)]
    pub window: WindowArgs,
    /// File, folder, or s3://BUCKET/KEY; it is seen when it is whole
    #[arg(short, long, value_name = "PLACE")]
    pub output: String,
    /// What the files are; otherwise by the ending of the file
    #[arg(long, value_enum)]
    pub format: Option<ExportFormat>,
    /// Columns whose values become folders, NAME=VALUE; may be repeated
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub partition_by: Vec<String>,
    /// Begin a new file at about this size: 128MB, 1GiB
    #[arg(long, value_name = "SIZE")]
    pub max_file_size: Option<String>,
    /// Replace what an earlier export wrote there
    #[arg(long)]
    pub overwrite: bool,
    /// Write pseudonyms for accounts, names, keys and addresses; columns are known by their names, those
    /// of a statement too
    #[arg(long)]
    pub redact: bool,
    /// Key of the pseudonyms, 16 bytes at the least; else $ROLETRAIL_REDACT_KEY, else STORE.redact-key,
    /// which is made if there is none
    #[arg(long, value_name = "FILE", requires = "redact")]
    pub redact_key_file: Option<PathBuf>,
    /// Where the tables come from
    #[command(flatten)]
    pub source: SourceArgs,
}

/// What an export can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Parquet files
    Parquet,
    /// Comma-separated values with a header
    Csv,
    /// One JSON object a line
    Ndjson,
    /// Arrow IPC files (Feather 2)
    Arrow,
}

impl ExportFormat {
    /// The same among all formats.
    pub fn format(self) -> Format {
        match self {
            ExportFormat::Parquet => Format::Parquet,
            ExportFormat::Csv => Format::Csv,
            ExportFormat::Ndjson => Format::Ndjson,
            ExportFormat::Arrow => Format::Arrow,
        }
    }
}

/// `schema`
#[derive(Debug, clap::Args)]
pub struct Schema {
    /// Only this table
    pub table: Option<String>,
    /// The functions that SQL knows here beyond DataFusion's own, with examples
    #[arg(long, conflicts_with = "table")]
    pub functions: bool,
    /// How the answer is written
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `completions`
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// Which shell
    pub shell: clap_complete::Shell,
}

/// A span of time.
#[derive(Debug, Clone, clap::Args)]
pub struct WindowArgs {
    /// From this time on: RFC 3339, a date, or 24h, 7d
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// `sessions`
#[derive(Debug, clap::Args)]
pub struct Sessions {
    /// Role name or ARN; * stands for anything
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Principal id, ARN or session name; * stands for anything
    #[arg(long, value_name = "PRINCIPAL")]
    pub principal: Option<String>,
    /// Account the session acts in
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Who is behind it: part of a name, or a pattern with *
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Option<String>,
    /// When it was at work
    #[command(flatten)]
    pub window: WindowArgs,
    /// An address it called from, or a network: 198.51.100.0/24; * stands for anything
    #[arg(long, value_name = "ADDRESS")]
    pub source_ip: Option<String>,
    /// Only where nobody knows who is behind it
    #[arg(long)]
    pub unresolved: bool,
    /// Leave out what AWS services started
    #[arg(long)]
    pub no_services: bool,
    /// Where the tables come from
    #[command(flatten)]
    pub source: SourceArgs,
    /// How the answer is written
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `who`
#[derive(Debug, clap::Args)]
pub struct Who {
    /// iam:PutRolePolicy, s3:Delete*, *:Put*, or a call's name alone
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// ARN or name of what was touched; * stands for anything
    #[arg(long, value_name = "RESOURCE")]
    pub resource: Option<String>,
    /// Role name or ARN of the caller; * stands for anything
    #[arg(long, value_name = "ROLE")]
    pub role: Option<String>,
    /// Who is behind it: part of a name, or a pattern with *
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Option<String>,
    /// Account whose log holds the call
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Address the call came from, or a network: 198.51.100.0/24; * stands for anything
    #[arg(long, value_name = "ADDRESS")]
    pub source_ip: Option<String>,
    /// Access key of the call
    #[arg(long, value_name = "KEY")]
    pub access_key: Option<String>,
    /// When
    #[command(flatten)]
    pub window: WindowArgs,
    /// Only calls that failed
    #[arg(long, conflicts_with = "no_errors")]
    pub errors: bool,
    /// Only calls that succeeded
    #[arg(long)]
    pub no_errors: bool,
    /// Only calls that change something
    #[arg(long)]
    pub writes: bool,
    /// Leave out the calls of AWS services
    #[arg(long)]
    pub no_services: bool,
    /// Only calls whose origin is not known
    #[arg(long)]
    pub unresolved: bool,
    /// Where the tables come from
    #[command(flatten)]
    pub source: SourceArgs,
    /// How the answer is written
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `timeline`
#[derive(Debug, clap::Args)]
pub struct Timeline {
    /// Session id or its beginning, access key, event id, or session name
    #[arg(value_name = "ID")]
    pub id: String,
    /// With all that came of it
    #[arg(long)]
    pub tree: bool,
    /// Where the tables come from
    #[command(flatten)]
    pub source: SourceArgs,
    /// How the answer is written
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `session`
#[derive(Debug, clap::Args)]
pub struct Session {
    /// Session id or its beginning, access key, event id, or session name
    #[arg(value_name = "ID")]
    pub id: String,
    /// Where the tables come from
    #[command(flatten)]
    pub source: SourceArgs,
    /// How the answer is written
    #[command(flatten)]
    pub output: PageArgs,
}

/// `event`
#[derive(Debug, clap::Args)]
pub struct Event {
    /// Event id
    #[arg(value_name = "ID")]
    pub id: String,
    /// Where the tables come from
    #[command(flatten)]
    pub source: SourceArgs,
    /// How the answer is written
    #[command(flatten)]
    pub output: PageArgs,
}

/// `chain`
#[derive(Debug, clap::Args)]
pub struct Chain {
    /// Session id or its beginning, access key, event id, role ARN, or a name
    #[arg(value_name = "ID")]
    pub id: String,
    /// Show session ids in the drawing
    #[arg(long)]
    pub ids: bool,
    /// Most sessions that are shown, the nearest first
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = value_parser!(u32).range(1..=20_000))]
    pub limit: u32,
    /// Where the tables come from
    #[command(flatten)]
    pub source: SourceArgs,
    /// How the answer is written
    #[command(flatten)]
    pub output: PageArgs,
}

/// Options for answers that are a page of text, unless a format is asked for.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct PageArgs {
    /// Write this instead of the page: one JSON object, or rows
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Write the answer to a file
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

impl PageArgs {
    /// The same for rows in `format`.
    pub fn rows(&self, format: Format) -> OutputArgs {
        OutputArgs { format, output: self.output.clone(), limit: None }
    }
}

/// `generate-logs`
#[derive(Debug, clap::Args)]
pub struct GenerateLogs {
    /// Folder to write to
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// Write the sample stories instead of a large world
    #[arg(long)]
    pub stories: bool,
    /// Events
    #[arg(long, default_value_t = 100_000)]
    pub events: u64,
    /// Accounts
    #[arg(long, default_value_t = 20)]
    pub accounts: u32,
    /// Days
    #[arg(long, default_value_t = 3)]
    pub days: u32,
    /// Seed; the same seed writes the same bytes
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Leave out a share of the issuing events, as incomplete logs do
    #[arg(long)]
    pub losses: bool,
}
