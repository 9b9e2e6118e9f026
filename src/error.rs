//! One error type for the whole library: a closed kind for code to branch on, and for people the
//! sentence, the place and the cause.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError as Engine;
use parquet::errors::ParquetError;
use tokio::task::JoinError;

/// Shorthand used throughout the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, by what the caller can do about it.
///
/// Text inside a variant may quote input; whoever prints it must neutralise it first
/// (see `output::safe`).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be opened, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was being touched.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// The request itself makes no sense: a bad time, an unknown table, a parameter that is missing.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
        /// What to do instead, if we know.
        hint: Option<String>,
    },
    /// Nothing that the sources name could be read as a CloudTrail log.
    #[error("no readable CloudTrail log in {what}")]
    NothingReadable {
        /// The sources as the user gave them.
        what: String,
    },
    /// An id given by the user matches nothing.
    #[error("{message}")]
    NotFound {
        /// What was looked for.
        message: String,
        /// Near matches, or where to look.
        hint: Option<String>,
    },
    /// The store folder holds something this version cannot use.
    #[error("store {}: {message}", path.display())]
    Store {
        /// The store folder.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Another process wrote to the store between this one's beginning and its end; nothing of this
    /// one's is in.
    #[error("store {}: another process wrote to it meanwhile; nothing was changed", path.display())]
    Conflict {
        /// The store.
        path: PathBuf,
    },
    /// A file of the store is missing, or is not what it was when it was written.
    #[error("{}: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The input does not fit into the memory that was allowed.
    #[error("{message}")]
    TooLarge {
        /// Which limit, and by how much.
        message: String,
    },
    /// The Delta Lake layer refused.
    #[error("delta table: {}", without_backtrace(.0))]
    Delta(#[from] deltalake_core::DeltaTableError),
    /// The SQL engine refused; the text names the place in the statement.
    #[error("{}", of_the_engine(.0))]
    Sql(#[from] datafusion::error::DataFusionError),
    /// A library panicked where it should have said what is wrong.
    #[error("{message}")]
    Panicked {
        /// What it said, and in which line of its source.
        message: String,
    },
    /// A statement cannot be planned as it is written.
    #[error("{message}")]
    Statement {
        /// What is wrong.
        message: String,
        /// Where, if that is known.
        place: Option<Place>,
        /// What to do instead.
        hint: Option<String>,
    },
    /// A saved query of a report failed, and with it the report.
    #[error("query {query}: {cause}")]
    Query {
        /// Its name.
        query: String,
        /// What went wrong with it.
        cause: Box<Error>,
        /// What to do, and what has become of the report.
        hint: String,
    },
    /// Arrow refused a batch: a defect of ours.
    #[error("arrow: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Parquet refused.
    #[error("parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// What is kept between ingests could not be encoded: a defect of ours.
    #[error("linking state: {0}")]
    Encoding(String),
    /// JSON of our own making (the snapshot file) is broken.
    #[error("json: {0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    /// An I/O error with its path; made for `map_err(Error::io(path))`.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { path, source }
    }

    /// A usage error without a hint.
    pub fn usage(message: impl Into<String>) -> Error {
        Error::Usage { message: message.into(), hint: None }
    }

    /// A usage error that says what to do instead.
    pub fn usage_hint(message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error::Usage { message: message.into(), hint: Some(hint.into()) }
    }

    /// What to do next, where there is something to say.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Error::Usage { hint, .. }
            | Error::NotFound { hint, .. }
            | Error::Statement { hint, .. } => hint.as_deref(),
            Error::Query { hint, .. } => Some(hint),
            Error::Sql(engine) if matches!(engine.find_root(), Engine::ResourcesExhausted(_)) => {
                Some("allow more memory with --memory MIB, or ask for less at once")
            }
            Error::Sql(engine) if is_cast(engine) => {
                Some("TRY_CAST(… AS …) is null where a value cannot be cast")
            }
            Error::Sql(engine) if is_damage(engine.find_root()) => Some(
                "a data file of the store cannot be read as it was written; \
                 `roletrail store check --deep` tells which are damaged",
            ),
            Error::Sql(engine) if panicked(engine).is_some() => Some(MAYBE_DAMAGE),
            Error::Sql(engine) => own(engine).and_then(Error::hint),
            Error::Panicked { .. } => Some(MAYBE_DAMAGE),
            Error::NothingReadable { .. } => Some(
                "give a folder, file or glob of .json.gz files, for example AWSLogs/111111111111/CloudTrail, or \
                 s3://BUCKET/PREFIX",
            ),
            Error::Conflict { .. } => Some("repeat the command"),
            Error::Damaged { .. } => Some(
                "`roletrail store check --deep` looks at every file; bring back from a copy what is damaged, \
                 ask for an earlier snapshot with --as-of, or ingest the logs again into a new store",
            ),
            _ => None,
        }
    }
}

const MAYBE_DAMAGE: &str = "a damaged data file can be the reason: `roletrail store check --deep` tells; if all \
                            are whole, this is a defect that we would like to hear of";

/// An error of the engine in one line.
fn of_the_engine(error: &Engine) -> String {
    let ours = own(error).map(ToString::to_string).or_else(|| in_condition(error));
    ours.or_else(|| panicked(error)).unwrap_or_else(|| without_backtrace(error))
}

/// What a task of the engine panicked of.
fn panicked(error: &Engine) -> Option<String> {
    let task = match error.find_root() {
        Engine::ExecutionJoin(task) => &**task,
        Engine::External(cause) => cause.downcast_ref::<Arc<JoinError>>()?,
        _ => return None,
    };
    // `task 7 panicked with message "…"`
    let text = task.is_panic().then(|| task.to_string())?;
    let said = text.split_once(" with message \"").and_then(|(_, said)| said.strip_suffix('"'));
    Some(said.map_or(text.clone(), str::to_owned))
}

/// An error of ours that went through the engine.
fn own(error: &Engine) -> Option<&Error> {
    let Engine::External(cause) = error.find_root() else { return None };
    cause.downcast_ref()
}

/// What reading a data file may end with.
fn is_damage(error: &Engine) -> bool {
    match error {
        Engine::ParquetError(_) | Engine::ObjectStore(_) => in_condition(error).is_none(),
        Engine::ArrowError(e, _) => {
            matches!(**e, ArrowError::ParquetError(_) | ArrowError::ExternalError(_))
        }
        _ => false,
    }
}

/// What a value did not fit of a condition that is looked at while a data file is read: the file is whole.
/// The engine hands such an error through Parquet's, with its own as `Debug` writes it.
fn in_condition(error: &Engine) -> Option<String> {
    let Engine::ParquetError(parquet) = error.find_root() else { return None };
    let ParquetError::External(cause) = &**parquet else { return None };
    let ArrowError::ComputeError(text) = cause.downcast_ref::<ArrowError>()? else { return None };
    let text = text.strip_prefix("Error evaluating filter predicate: ")?;
    let text = text.strip_prefix("ArrowError(").unwrap_or(text);
    let text = text.strip_suffix(", Some(\"\"))").unwrap_or(text);
    // `CastError("Cannot cast …")`
    let said = text.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    Some(format!("the condition cannot be evaluated for every row: {}", said.unwrap_or(text)))
}

/// Whether a value could not be made one of another type.
fn is_cast(error: &Engine) -> bool {
    match error.find_root() {
        // Of a time that is too far away it would make nothing.
        Engine::ArrowError(e, _) => {
            matches!(&**e, ArrowError::CastError(said) if said.starts_with("Cannot cast "))
        }
        _ => in_condition(error).is_some_and(|said| said.contains("Cannot cast ")),
    }
}

/// Some engines put the calls that led to an error behind it, when told so by the environment.
fn without_backtrace(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let ends = ["\n   0: ", "\n\nbacktrace:", "\nstack backtrace"];
    let end = ends.iter().filter_map(|end| text.find(end)).min().unwrap_or(text.len());
    // In one line: what is printed shows no line breaks.
    text[..end].trim_end().replace("\ncaused by\n", ": ")
}

/// A place in a text that somebody typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// Characters that are meant; at least one.
    pub length: u64,
    /// The line itself.
    pub text: String,
}

impl Place {
    /// The place, if the text has it.
    pub fn new(text: &str, line: u64, column: u64, length: u64) -> Option<Place> {
        let index = usize::try_from(line.checked_sub(1)?).ok()?;
        let shown = text.lines().nth(index).or_else(|| text.lines().last())?;
        Some(Place { line, column: column.max(1), length: length.max(1), text: shown.to_owned() })
    }
}
