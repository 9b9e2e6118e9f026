//! Folder, file or glob in; an ordered list of files to read out, and counts of what was left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::layout::{PathKind, delivery_day, path_kind};
use crate::error::{Error, Result};

/// A file that we decided to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Path as it will be stored and shown.
    pub path: PathBuf,
    /// Size in bytes as the file system tells it.
    pub size: u64,
    /// Modification time, microseconds since 1970; 0 where unknown.
    pub modified: i64,
    /// Entity tag, without quotes, where the place it lies in has one.
    pub etag: Option<String>,
    /// Whether trouble with its content is worth reporting: false for files that only happen to
    /// lie in a folder of logs.
    pub expected: bool,
}

impl LogFile {
    /// A file at a path that somebody named.
    pub fn at(path: impl Into<PathBuf>) -> LogFile {
        LogFile { path: path.into(), size: 0, modified: 0, etag: None, expected: true }
    }
}

/// The outcome of looking.
#[derive(Debug, Default)]
pub struct Found {
    /// Files to read, by delivery day and then by path, each once.
    pub files: Vec<LogFile>,
    /// Files passed over because of their path, by kind.
    pub passed_over: BTreeMap<&'static str, u64>,
    /// What could not be looked at: path and reason.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Looks through all sources.
///
/// # Errors
/// A glob that cannot be understood. What does not exist or cannot be opened is listed in
/// [`Found::unreadable`]: one mistyped path must not hide what the others hold.
pub fn discover(sources: &[String]) -> Result<Found> {
    let mut found = Found::default();
    for source in sources {
        match std::fs::metadata(source) {
            Ok(_) => walk(Path::new(source), &mut found),
            Err(_) if source.contains(['*', '?', '[']) => expand(source, &mut found)?,
            Err(_) if source.starts_with("s3://") => {
                let text = format!("{source}: reading from S3 is not built in");
                let hint = format!("copy the files first: aws s3 sync {source} DIR");
                return Err(Error::usage_hint(text, hint));
            }
            Err(_) if source == "-" => {
                let text = "reading from standard input is not built in";
                return Err(Error::usage_hint(text, "write it to a file and give that"));
            }
            Err(e) => found.unreadable.push((source.into(), e.to_string())),
        }
    }
    found.files.sort_by(|a, b| {
        let key = |f: &LogFile| delivery_day(&f.path);
        key(a).cmp(&key(b)).then_with(|| a.path.cmp(&b.path))
    });
    found.files.dedup_by(|a, b| a.path == b.path);
    Ok(found)
}

fn expand(pattern: &str, found: &mut Found) -> Result<()> {
    let paths = glob::glob(pattern)
        .map_err(|e| Error::usage(format!("glob {pattern}: {} at position {}", e.msg, e.pos)))?;
    let mut any = false;
    for path in paths {
        any = true;
        match path {
            Ok(path) => walk(&path, found),
            Err(e) => found.unreadable.push((e.path().to_path_buf(), e.error().to_string())),
        }
    }
    if !any {
        found.unreadable.push((pattern.into(), "no file matches".to_owned()));
    }
    Ok(())
}

/// Adds one file, or every file below one folder. Symbolic links are followed; loops are reported.
fn walk(root: &Path, found: &mut Found) {
    let named_by_user = root.is_file();
    for entry in WalkDir::new(root).follow_links(true).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.file_type().is_file() => {
                add_file(entry.path(), named_by_user, entry.metadata().ok(), found);
            }
            Ok(entry) if !entry.file_type().is_dir() && named_by_user => {
                let reason = "neither a file nor a folder".to_owned();
                found.unreadable.push((entry.into_path(), reason));
            }
            Ok(entry) if !entry.file_type().is_dir() => {
                *found.passed_over.entry("neither file nor folder").or_default() += 1;
            }
            Ok(_) => {}
            Err(e) => {
                let path = e.path().unwrap_or(root).to_path_buf();
                found.unreadable.push((path, e.to_string()));
            }
        }
    }
}

fn add_file(
    path: &Path,
    named_by_user: bool,
    metadata: Option<std::fs::Metadata>,
    found: &mut Found,
) {
    let kind = path_kind(path);
    let passed_over = match kind {
        PathKind::Digest => Some("digest"),
        PathKind::Insight => Some("Insights"),
        PathKind::Aggregated => Some("aggregated"),
        PathKind::Log | PathKind::Other => None,
    };
    if let Some(what) = passed_over {
        *found.passed_over.entry(what).or_default() += 1;
        return;
    }
    let modified = metadata.as_ref().and_then(|m| m.modified().ok());
    let since_epoch = modified.and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
    found.files.push(LogFile {
        path: shown_path(path),
        size: metadata.map_or(0, |m| m.len()),
        modified: since_epoch.and_then(|d| i64::try_from(d.as_micros()).ok()).unwrap_or(0),
        etag: None,
        expected: named_by_user || kind == PathKind::Log,
    });
}

/// The path without leading `./`, so that `logs` and `./logs` are one place.
fn shown_path(path: &Path) -> PathBuf {
    let parts = path.components().filter(|c| !matches!(c, std::path::Component::CurDir));
    parts.collect()
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
        let found = discover(&[root.clone(), root]).unwrap();
        let names: Vec<_> =
            found.files.iter().map(|f| f.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["README.md", "b.json.gz", "a.json.gz"]);
        assert!(!found.files[0].expected);
        assert_eq!(found.passed_over["digest"], 2, "asked for twice, met twice");
        for missing in ["no/such/place", "no/such/*.gz"] {
            assert_eq!(discover(&[missing.into()]).unwrap().unreadable.len(), 1, "{missing}");
        }
        assert!(discover(&["a[".into()]).is_err());
    }
}
