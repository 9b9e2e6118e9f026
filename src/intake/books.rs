//! The books of an intake: every record is kept, a duplicate or rejected, and counted as one of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::decode::stream::Reject;
use crate::sources::{LeftOut, Stored};

/// What became of one file. Times are microseconds since 1970.
#[derive(Debug, Clone, Default)]
pub struct FileBook {
    /// Path as it will be stored.
    pub path: PathBuf,
    /// Size as stored.
    pub size_bytes: u64,
    /// SHA-256 of the file as stored; `None` when it could not be read to its end.
    pub sha256: Option<String>,
    /// Modification time of what was read.
    pub modified_at: i64,
    /// Entity tag of what was read.
    pub etag: Option<String>,
    /// Version id of what was read.
    pub version_id: Option<String>,
    /// Records found.
    pub records: u64,
    /// Records stored as events.
    pub kept: u64,
    /// Records that were known.
    pub duplicates: u64,
    /// Records, or the file itself, that could not be read.
    pub rejected: u64,
    /// Records among `kept` whose id was known with another content.
    pub conflicts: u64,
    /// Earliest event.
    pub first_event_time: Option<i64>,
    /// Latest event.
    pub last_event_time: Option<i64>,
    /// Uncompressed bytes.
    pub inflated_bytes: u64,
    /// Why it is no log, if it is none.
    pub not_a_log: Option<&'static str>,
    /// Whether the file could not be read at all.
    pub unreadable: bool,
    /// Whether it is an archive; the files in it have books of their own.
    pub archive: bool,
}

impl FileBook {
    /// The value of `files.status`.
    pub fn status(&self) -> String {
        match (self.not_a_log, self.unreadable, self.rejected) {
            (Some(what), _, _) => format!("skipped: {what}"),
            (None, true, _) => "unreadable".to_owned(),
            (None, false, 0) if self.archive => "archive".to_owned(),
            (None, false, 0) => "complete".to_owned(),
            (None, false, _) => "partial".to_owned(),
        }
    }

    /// Takes over what was really read: the object may have changed since it was found.
    pub fn note_stored(&mut self, stored: &Stored) {
        self.sha256 = Some(stored.sha256.clone());
        self.size_bytes = stored.size;
        self.modified_at = stored.version.modified.unwrap_or(self.modified_at);
        if stored.version.etag.is_some() {
            self.etag.clone_from(&stored.version.etag);
        }
        self.version_id.clone_from(&stored.version.version_id);
    }

    /// Widens the time span by one event.
    pub fn note_time(&mut self, time: i64) {
        self.first_event_time = Some(self.first_event_time.map_or(time, |t| t.min(time)));
        self.last_event_time = Some(self.last_event_time.map_or(time, |t| t.max(time)));
    }
}

/// The sums over all files, and what was left out before any was opened.
#[derive(Debug, Clone, Default)]
pub struct Books {
    /// Files opened, those in archives among them.
    pub files: u64,
    /// Archives that files were found in.
    pub archives: u64,
    /// Files not opened because they are in already.
    pub already_in: u64,
    /// Files that are no logs, by what they are.
    pub passed_over: BTreeMap<String, u64>,
    /// Files and folders that nobody asked for.
    pub left_out: LeftOut,
    /// Files that could not be read at all.
    pub unreadable: u64,
    /// Records found.
    pub records: u64,
    /// Records stored as events.
    pub kept: u64,
    /// Records that were known.
    pub duplicates: u64,
    /// Records and files that could not be read.
    pub rejected: u64,
    /// Event ids that came with two contents.
    pub conflicts: u64,
    /// Earliest event, microseconds since 1970.
    pub first_event_time: Option<i64>,
    /// Latest event.
    pub last_event_time: Option<i64>,
    /// Accounts whose logs were met.
    pub accounts: u64,
    /// Bytes of the files as stored.
    pub stored_bytes: u64,
    /// Bytes of JSON in them.
    pub inflated_bytes: u64,
}

impl Books {
    /// Adds one file.
    pub fn add(&mut self, file: &FileBook) {
        if let Some(what) = file.not_a_log {
            *self.passed_over.entry(what.to_owned()).or_default() += 1;
            return;
        }
        let in_it = file.archive && !file.unreadable;
        self.archives += u64::from(in_it);
        self.files += u64::from(!in_it);
        self.unreadable += u64::from(file.unreadable);
        self.records += file.records;
        self.kept += file.kept;
        self.duplicates += file.duplicates;
        self.rejected += file.rejected;
        self.conflicts += file.conflicts;
        self.stored_bytes += file.size_bytes;
        self.inflated_bytes += file.inflated_bytes;
        let first = [self.first_event_time, file.first_event_time];
        self.first_event_time = first.into_iter().flatten().min();
        self.last_event_time = self.last_event_time.max(file.last_event_time);
    }

    /// Whether every record is accounted for.
    pub fn balance(&self) -> bool {
        self.records == self.kept + self.duplicates + self.rejected
    }

    /// Whether nothing at all was readable as a log.
    pub fn nothing_readable(&self) -> bool {
        self.already_in == 0 && self.files == self.unreadable
    }
}

/// A reject with the file it was met in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileReject {
    /// The file.
    pub path: PathBuf,
    /// Where in it, why, and the text.
    pub reject: Reject,
}

impl FileReject {
    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        let text = &self.reject;
        let content = text.content.as_ref().map_or(0, String::len);
        size_of::<FileReject>()
            + self.path.as_os_str().len()
            + text.position.len()
            + text.reason.len()
            + content
    }
}
