//! Reads many files on all cores and hands on what is new: decoded, freed of duplicates, sorted,
//! and counted.
//!
//! Files are read in a fixed order by several workers ([`worker`]); what they decode passes one
//! gate in that same order ([`gate`]), where every event id is claimed once. So the copy of an
//! event that is kept does not depend on which thread was faster. What passed is collected by day
//! and handed to a [`Sink`] in sorted runs ([`by_day`]).

pub mod books;
pub mod by_day;
pub mod chunk;
pub mod coverage;
pub mod gate;
mod reading;
mod rejects;
pub mod seen;
pub mod worker;

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;

use crate::decode::{Limits, Reject};
use crate::error::Result;
use crate::redact::Redactor;
use crate::sessions::packed::PackedFacts;
use crate::sources;

pub use books::{Books, FileBook};
pub use worker::{Intake, run};

/// Memory of a process by default, bytes.
const MEMORY: u64 = 1 << 30;

/// Enough that cutting costs nothing, few enough for a small part of that.
const MOST_FACTS: u64 = 15_000;

/// With fewer facts at once, most of the time goes into what lies near the ends of a stretch.
const FEWEST_FACTS: usize = 6_000;

/// More at once saves nothing.
const LARGEST_PIECE: usize = 400_000;

/// More threads than any machine has cores for.
const MOST_WORKERS: usize = 256;

/// What an intake is to read, and how much it may use.
#[derive(Debug, Clone)]
pub struct Options {
    /// Worker threads; 0 means as many as there are cores.
    pub threads: usize,
    /// Memory to keep to, bytes; see [`Options::of_memory`].
    pub memory: u64,
    /// Memory for decoded events that wait to be written, bytes.
    pub waiting_bytes: usize,
    /// Facts (credentials, grants, shared calls) that are linked at once, about; so many are also held
    /// while files are read.
    pub most_facts: usize,
    /// Most bytes one file may inflate to.
    pub inflated_bytes: u64,
    /// Memory for the row group of a Parquet file, bytes.
    pub page_bytes: u64,
    /// Limits for single records.
    pub limits: Limits,
    /// Which of the sources' files are meant, and how they are reached.
    pub sources: sources::Options,
    /// Replaces what tells who somebody is, before anything is decoded or written.
    pub redactor: Option<Redactor>,
}

impl Default for Options {
    fn default() -> Options {
        Options::of_memory(MEMORY)
    }
}

impl Options {
    /// Defaults that keep the process to about so many bytes, as far as it depends on how much waits at
    /// once: measured with [`MEMORY`], the rest in proportion.
    pub fn of_memory(bytes: u64) -> Options {
        let share = |of_default: u64| {
            let share = u128::from(bytes) * u128::from(of_default) / u128::from(MEMORY);
            usize::try_from(share).unwrap_or(usize::MAX)
        };
        Options {
            threads: 0,
            memory: bytes,
            waiting_bytes: share(40 << 20),
            most_facts: share(MOST_FACTS).clamp(FEWEST_FACTS, LARGEST_PIECE),
            inflated_bytes: 16 << 30,
            page_bytes: bytes / 8 * 3,
            limits: Limits::default(),
            sources: sources::Options::default(),
            redactor: None,
        }
    }

    /// A path as it may be shown and stored.
    pub fn shown(&self, path: &Path) -> PathBuf {
        match &self.redactor {
            Some(redactor) => redactor.path(&path.to_string_lossy()).into(),
            None => path.to_path_buf(),
        }
    }

    /// A reject as it may be shown and stored: of a text that cannot be read nobody can say whom it
    /// names.
    pub fn shown_reject(&self, reject: Reject) -> Reject {
        match &self.redactor {
            Some(redactor) => {
                let reason = redactor.message(&reject.reason);
                Reject { position: reject.position, reason, content: None }
            }
            None => reject,
        }
    }

    /// The number of workers to start.
    pub fn workers(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n.min(MOST_WORKERS),
        }
    }
}

/// Takes events, in runs of one day each.
pub trait Sink: Sync {
    /// Begins a run of events of a day, days since 1970-01-01, of at most about `most` rows. There may be
    /// several of one day, at once and one after the other. May be called by several threads.
    fn begin(&self, day: i32, most: usize) -> Result<Box<dyn Run + '_>>;

    /// Takes rejects, in several goes if they are many; each go is sorted by file and position. May be
    /// called by several threads.
    fn rejects(&self, rejects: Vec<books::FileReject>) -> Result<()>;

    /// Takes over what linking needs of the events that were written; may come in many pieces.
    fn keep(&self, facts: PackedFacts) -> Result<()>;
}

/// Events of one day on their way into a [`Sink`].
pub trait Run: Send {
    /// Takes rows with the columns of **events**, sorted by time and id, behind those before them.
    fn write(&mut self, batch: RecordBatch) -> Result<()>;

    /// Ends the run, which then has all rows that were written; without this it has none.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Watches an intake from outside; all methods may be called by several threads.
pub trait Progress: Sync {
    /// When another process is writing to the store, before its end is waited for.
    fn waiting(&self) {}
    /// Once, before the first file: how many files and bytes there are to read.
    fn start(&self, _files: u64, _bytes: u64) {}
    /// After each file.
    fn advance(&self, _files: u64, _bytes: u64) {}
    /// Once, after the last file.
    fn finish(&self) {}
}

/// Nobody watches.
pub struct Silent;
impl Progress for Silent {}
