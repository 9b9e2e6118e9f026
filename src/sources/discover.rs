//! Folder, file, glob or bucket in; an ordered list of files to read out, and counts of what was left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use walkdir::WalkDir;

use super::layout::{PathKind, delivery_time, path_kind};
use super::s3::{self, Bucket, Settings};
use super::select::{Selection, Verdict};
use crate::error::{Error, Result};

/// The source that stands for standard input.
pub const STDIN: &str = "-";

/// A file or object that we decided to read.
#[derive(Debug, Clone)]
pub struct LogFile {
    /// Path or address as it will be stored and shown.
    pub path: PathBuf,
    /// Size in bytes as its place tells it.
    pub size: u64,
    /// Modification time, microseconds since 1970; 0 where unknown.
    pub modified: i64,
    /// Entity tag, without quotes, where the place it lies in has one.
    pub etag: Option<String>,
    /// Whether trouble with its content is worth reporting: false for files that only happen to
    /// lie in a folder of logs.
    pub expected: bool,
    /// The bucket it lies in; `None` for a file.
    pub bucket: Option<Arc<Bucket>>,
}

impl LogFile {
    /// A file at a path that somebody named.
    pub fn at(path: impl Into<PathBuf>) -> LogFile {
        let path = path.into();
        LogFile { path, size: 0, modified: 0, etag: None, expected: true, bucket: None }
    }

    /// Learns size and time of a file; what cannot be asked for is found out when it is opened.
    fn look(&mut self) {
        if self.bucket.is_some() || self.is_stdin() {
            return;
        }
        let Ok(metadata) = std::fs::metadata(&self.path) else { return };
        let modified = metadata.modified().ok();
        let since_epoch = modified.and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        self.size = metadata.len();
        self.modified = since_epoch.and_then(|d| i64::try_from(d.as_micros()).ok()).unwrap_or(0);
    }

    /// Whether it is standard input: each time another object, whatever was read before.
    pub fn is_stdin(&self) -> bool {
        self.bucket.is_none() && self.path.as_os_str() == STDIN
    }
}

/// Which sources are meant, and how they are reached.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What is wanted of them, judged by paths.
    pub only: Selection,
    /// How S3 is asked.
    pub s3: Settings,
}

/// What was left out by [`Options::only`], without a look inside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Files met and not opened.
    pub files: u64,
    /// Folders whose content was not even listed.
    pub folders: u64,
}

/// The outcome of looking.
#[derive(Debug, Default)]
pub struct Found {
    /// Files to read, by day and minute of delivery and then by path, each once.
    pub files: Vec<LogFile>,
    /// Files passed over because of their path, by kind.
    pub passed_over: BTreeMap<&'static str, u64>,
    /// What nobody asked for.
    pub left_out: LeftOut,
    /// What could not be looked at: path and reason.
    pub unreadable: Vec<(PathBuf, String)>,
}

impl Found {
    /// Adds a file, unless its path says that there is nothing to read in it. `expected` of the file
    /// says whether somebody named it.
    pub(super) fn add(&mut self, mut file: LogFile, only: &Selection) {
        let kind = path_kind(&file.path);
        let passed_over = match kind {
            PathKind::Digest => Some("digest"),
            PathKind::Insight => Some("Insights"),
            PathKind::Aggregated => Some("aggregated"),
            PathKind::Log | PathKind::Other => None,
        };
        if !only.wants(&file.path) {
            self.left_out.files += 1;
        } else if let Some(what) = passed_over {
            *self.passed_over.entry(what).or_default() += 1;
        } else {
            file.expected |= kind == PathKind::Log;
            self.files.push(file);
        }
    }

    /// Whether nothing at all was met.
    pub(super) fn is_empty(&self) -> bool {
        let nothing_left_out = self.left_out == LeftOut::default();
        let met = self.files.len() + self.passed_over.len() + self.unreadable.len();
        met == 0 && nothing_left_out
    }

    /// Adds what was found elsewhere.
    pub(super) fn merge(&mut self, other: Found) {
        self.files.extend(other.files);
        self.unreadable.extend(other.unreadable);
        self.left_out.files += other.left_out.files;
        self.left_out.folders += other.left_out.folders;
        for (what, count) in other.passed_over {
            *self.passed_over.entry(what).or_default() += count;
        }
    }
}

/// Looks through all sources.
///
/// # Errors
/// A glob that cannot be understood, settings for S3 that cannot be used. What does not exist or
/// cannot be opened is listed in [`Found::unreadable`]: one mistyped path must not hide what the
/// others hold.
pub fn discover(sources: &[String], options: &Options) -> Result<Found> {
    let mut found = Found::default();
    let only = &options.only;
    for source in sources {
        match std::fs::metadata(source) {
            _ if source == STDIN => found.files.push(LogFile::at(STDIN)),
            Ok(_) => walk(Path::new(source), only, &mut found),
            Err(_) if source.starts_with(s3::SCHEME) => {
                s3::find(source, &options.s3, only, &mut found)?;
            }
            Err(_) if source.contains(['*', '?', '[']) => expand(source, only, &mut found)?,
            Err(e) => found.unreadable.push((source.into(), e.to_string())),
        }
    }
    let mut by_time = with_times(std::mem::take(&mut found.files));
    by_time.sort_by(|(time, file), (other_time, other)| {
        time.cmp(other_time).then_with(|| file.path.cmp(&other.path))
    });
    found.files = by_time.into_iter().map(|(_, file)| file).collect();
    found.files.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

/// Files with the times of their delivery. There may be hundreds of thousands, and to ask each of those on
/// disk for its size takes longer than to list them: all cores do.
fn with_times(mut files: Vec<LogFile>) -> Vec<((u32, i64), LogFile)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = files.len().div_ceil(cores).max(1024);
    let times: Vec<(u32, i64)> = std::thread::scope(|scope| {
        let look = |files: &mut [LogFile]| -> Vec<(u32, i64)> {
            files
                .iter_mut()
                .map(|file| {
                    file.look();
                    delivery_time(&file.path)
                })
                .collect()
        };
        let shares: Vec<_> =
            files.chunks_mut(share).map(|some| scope.spawn(move || look(some))).collect();
        let times = shares.into_iter().map(|share| share.join());
        times.flat_map(|times| times.unwrap_or_else(|e| std::panic::resume_unwind(e))).collect()
    });
    times.into_iter().zip(files).collect()
}

fn expand(pattern: &str, only: &Selection, found: &mut Found) -> Result<()> {
    let paths = glob::glob(pattern)
        .map_err(|e| Error::usage(format!("glob {pattern}: {} at position {}", e.msg, e.pos)))?;
    let mut any = false;
    for path in paths {
        any = true;
        match path {
            Ok(path) => walk(&path, only, found),
            Err(e) => found.unreadable.push((e.path().to_path_buf(), e.error().to_string())),
        }
    }
    if !any {
        found.unreadable.push((pattern.into(), "no file matches".to_owned()));
    }
    Ok(())
}

/// Adds one file, or every file below one folder. Symbolic links are followed; loops are reported.
fn walk(root: &Path, only: &Selection, found: &mut Found) {
    let named_by_user = root.is_file();
    let first_unreadable = found.unreadable.len();
    let mut entries = WalkDir::new(root).follow_links(true).into_iter();
    while let Some(entry) = entries.next() {
        match entry {
            Ok(entry) if entry.file_type().is_file() => {
                let path = shown_path(entry.path());
                found.add(LogFile { expected: named_by_user, ..LogFile::at(path) }, only);
            }
            Ok(entry) if !entry.file_type().is_dir() && named_by_user => {
                let reason = "neither a file nor a folder".to_owned();
                found.unreadable.push((entry.into_path(), reason));
            }
            Ok(entry) if !entry.file_type().is_dir() => {
                *found.passed_over.entry("neither file nor folder").or_default() += 1;
            }
            Ok(entry) if only.folder(entry.path()) == Verdict::Out => {
                found.left_out.folders += 1;
                entries.skip_current_dir();
            }
            Ok(_) => {}
            Err(e) => {
                let path = e.path().unwrap_or(root).to_path_buf();
                found.unreadable.push((path, e.to_string()));
            }
        }
    }
    // A folder lists its files in any order.
    found.unreadable[first_unreadable..].sort();
}

/// The path without leading `./`, so that `logs` and `./logs` are one place.
fn shown_path(path: &Path) -> PathBuf {
    let parts = path.components().filter(|c| !matches!(c, std::path::Component::CurDir));
    let shown: PathBuf = parts.collect();
    // A file of that name is not standard input.
    if shown.as_os_str() == STDIN { path.to_path_buf() } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_by_day_and_counts_what_it_passes_over() {
        let dir = tempfile::tempdir().unwrap();
        let names = [
            "AWSLogs/1/CloudTrail/eu-west-1/2024/05/02/a.json.gz",
            "AWSLogs/2/CloudTrail/eu-west-1/2024/05/01/b.json.gz",
            "AWSLogs/1/CloudTrail-Digest/eu-west-1/2024/05/01/d.json.gz",
            "README.md",
        ];
        for name in names {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        let root = dir.path().to_str().unwrap().to_owned();
        let found = discover(&[root.clone(), root], &Options::default()).unwrap();
        let names: Vec<_> =
            found.files.iter().map(|f| f.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["README.md", "b.json.gz", "a.json.gz"]);
        assert!(!found.files[0].expected);
        assert_eq!(found.passed_over["digest"], 2, "asked for twice, met twice");
        for missing in ["no/such/place", "no/such/*.gz"] {
            let found = discover(&[missing.into()], &Options::default()).unwrap();
            assert_eq!(found.unreadable.len(), 1, "{missing}");
        }
        assert!(discover(&["a[".into()], &Options::default()).is_err());
    }
}
