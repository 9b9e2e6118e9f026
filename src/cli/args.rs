//! What can be typed. Nothing is opened or asked while arguments are read.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::source::SourceArgs;
use crate::output::Format;

/// Who did what, under which role, and when, from AWS CloudTrail logs alone
#[derive(Debug, Parser)]
#[command(name = "roletrail", version, about, max_term_width = 100)]
pub struct Args {
    /// The store: a folder of Delta Lake tables
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "ROLETRAIL_STORE",
        default_value = "./roletrail-store"
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
    /// Show tables and columns with their meaning
    Schema(Schema),
    /// Write invented logs with the truth about every event
    #[command(hide = true)]
    GenerateLogs(GenerateLogs),
}

/// `ingest`
#[derive(Debug, clap::Args)]
pub struct Ingest {
    /// Files, folders or globs
    #[arg(required = true, value_name = "SOURCE")]
    pub sources: Vec<String>,
    /// End with exit code 4 when anything was rejected
    #[arg(long)]
    pub strict: bool,
    /// Worker threads; 0 means one a core
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Most MiB that one file may inflate to
    #[arg(long, value_name = "MIB", default_value_t = 16 * 1024)]
    pub max_inflated: u64,
    /// Largest record, KiB
    #[arg(long, value_name = "KIB", default_value_t = 16 * 1024)]
    pub max_record: usize,
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
    /// Value for $NAME in the statement; name:int=5, name:time=24h for other types than text
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Where the tables come from
    #[command(flatten)]
    pub source: SourceArgs,
    /// How the answer is written
    #[command(flatten)]
    pub output: OutputArgs,
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

/// `schema`
#[derive(Debug, clap::Args)]
pub struct Schema {
    /// Only this table
    pub table: Option<String>,
    /// How the answer is written
    #[command(flatten)]
    pub output: OutputArgs,
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
