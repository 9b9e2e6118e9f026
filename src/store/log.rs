//! What is wrong with the log of a table that cannot be opened: which file, and how.
//!
//! Looked at only then, so it may take its time.

use std::path::Path;

use parquet::file::metadata::PageIndexPolicy;
use serde::de::IgnoredAny;

use super::location::Location;
use super::opened::Opened;
use crate::error::{Error, Result};

/// Names the first file of the log that is missing or not what was written, among those needed for
/// `version`, or for the newest.
///
/// # Errors
/// [`Error::Damaged`]; [`Error::Io`] when the log cannot be looked at. None where nothing is found.
pub(super) fn check(at: &Location, table: &str, version: Option<u64>) -> Result<()> {
    let log = format!("{table}/_delta_log");
    let names = at.names(&log)?;
    if names.is_empty() {
        return Err(damaged(&at.join(&log), "the log of this table is missing"));
    }
    let numbered = |ending: &str| {
        let number = |name: &String| name.strip_suffix(ending)?.parse::<u64>().ok();
        let mut all: Vec<u64> = names.iter().filter_map(number).collect();
        all.retain(|number| version.is_none_or(|version| *number <= version));
        all.sort_unstable();
        all
    };
    let commits = numbered(".json");
    let checkpoint = numbered(".checkpoint.parquet").last().copied();
    if let Some(checkpoint) = checkpoint {
        let name = format!("{log}/{checkpoint:020}.checkpoint.parquet");
        Opened::open(at, &at.join(&name))?.metadata(PageIndexPolicy::Skip)?;
    }
    let first = checkpoint.map_or(0, |checkpoint| checkpoint + 1);
    let last = version.or(commits.last().copied()).or(checkpoint).unwrap_or(0);
    for number in first..=last {
        let name = format!("{log}/{number:020}.json");
        let path = at.join(&name);
        let Some(bytes) = at.read(&name)? else {
            return Err(damaged(&path, "this file of a table's log is missing"));
        };
        let mut lines = bytes.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty());
        if bytes.trim_ascii().is_empty() {
            return Err(damaged(&path, "this file of a table's log is empty"));
        }
        let wrong = lines.find_map(|line| serde_json::from_slice::<IgnoredAny>(line).err());
        if let Some(wrong) = wrong {
            let message = format!("this file of a table's log is not what was written: {wrong}");
            return Err(damaged(&path, &message));
        }
    }
    Ok(())
}

fn damaged(path: &Path, message: &str) -> Error {
    Error::Damaged { path: path.to_path_buf(), message: message.to_owned() }
}
