//! What lies below an address, page by page, without listing what nobody asked for.

use std::sync::Arc;

use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, ObjectStore};

use super::fetch::version;
use super::trouble::{self, Doing};
use super::{Bucket, Pending, SCHEME, Settings};
use crate::error::{Error, Result};
use crate::sources::discover::{Found, LogFile};
use crate::sources::layout::{PathKind, path_kind};
use crate::sources::select::{Selection, Verdict};

/// Listings under way at once.
const MOST_LISTINGS: usize = 16;

/// Adds the objects at `address`: one object, all below a prefix, or those that a glob names.
///
/// # Errors
/// [`Error::Usage`] for an address or settings that cannot be used. What cannot be listed is in
/// [`Found::unreadable`].
pub(in crate::sources) fn find(
    address: &str,
    settings: &Settings,
    only: &Selection,
    found: &mut Found,
) -> Result<()> {
    let (name, key) = split(address)?;
    let bucket = Bucket::connect(name, settings)?;
    let glob = Glob::of(key)?;
    let search = Search { bucket, glob, only: only.clone(), found: Found::default() };
    let (key, shown) = (key.to_owned(), address.to_owned());
    let Some(looked) = Pending::start(search.run(key, shown)).wait() else {
        let reason = "the threads that talk to S3 could not be started".to_owned();
        found.unreadable.push((address.into(), reason));
        return Ok(());
    };
    found.merge(looked);
    Ok(())
}

/// Bucket and key.
fn split(address: &str) -> Result<(&str, &str)> {
    let rest = address.strip_prefix(SCHEME).unwrap_or(address);
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if bucket.is_empty() || !bucket.chars().all(usual) {
        let text = format!("{address}: that names no bucket");
        return Err(Error::usage_hint(text, "write s3://BUCKET/PREFIX"));
    }
    Ok((bucket, key))
}

struct Search {
    bucket: Arc<Bucket>,
    glob: Option<Glob>,
    only: Selection,
    found: Found,
}

impl Search {
    /// `shown` is the address as the user wrote it.
    async fn run(mut self, key: String, shown: String) -> Found {
        let start = match &self.glob {
            Some(glob) => glob.start.clone(),
            None => key,
        };
        let prefix = match Path::parse(&start) {
            Ok(prefix) => prefix,
            Err(e) => {
                self.refused(&shown, &e.into());
                return self.found;
            }
        };
        let named = self.glob.is_none() && !start.ends_with('/') && !start.is_empty();
        // A name like a log's is asked for itself: that needs no right to list.
        let likely = named && path_kind(std::path::Path::new(&start)) == PathKind::Log;
        if likely && self.single(&prefix).await {
            return self.found;
        }
        let before = self.met();
        match self.walk(prefix.clone()).await {
            Err(e) => self.refused(&shown, &e),
            Ok(()) if self.met() > before => {}
            Ok(()) if named && !likely && self.single(&prefix).await => {}
            Ok(()) => {
                let reason = "nothing lies there; check the prefix (it is case-sensitive)";
                self.found.unreadable.push((shown.into(), reason.to_owned()));
            }
        }
        self.found
    }

    /// How much was met so far, of whatever kind.
    fn met(&self) -> u64 {
        let found = &self.found;
        let passed: u64 = found.passed_over.values().sum();
        found.files.len() as u64 + passed + found.left_out.files + found.left_out.folders
    }

    fn refused(&mut self, shown: &str, error: &object_store::Error) {
        let reason = trouble::explain(error, Doing::Listing, &self.bucket.endpoint);
        self.found.unreadable.push((shown.into(), reason));
    }

    /// Adds one object, if it is there.
    async fn single(&mut self, key: &Path) -> bool {
        let meta = self.bucket.head(key).await;
        meta.is_ok_and(|meta| {
            self.add(&meta, true);
            true
        })
    }

    /// Adds what lies below `prefix`. Level by level where whole folders can be left out, else in
    /// one go.
    async fn walk(&mut self, prefix: Path) -> object_store::Result<()> {
        let mut folders = vec![prefix];
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < MOST_LISTINGS
                && let Some(folder) = folders.pop()
            {
                match self.judge(&folder) {
                    Step::Skip => {}
                    Step::LeaveOut => self.found.left_out.folders += 1,
                    Step::Level => running.push(level(self.bucket.clone(), folder)),
                    Step::All => self.add_all(&folder).await?,
                }
            }
            let Some(result) = running.next().await else { return Ok(()) };
            let result = result?;
            result.objects.iter().for_each(|meta| self.add(meta, false));
            folders.extend(result.common_prefixes);
        }
    }

    async fn add_all(&mut self, folder: &Path) -> object_store::Result<()> {
        let bucket = self.bucket.clone();
        let mut all = bucket.store.list(Some(folder));
        while let Some(meta) = all.try_next().await? {
            self.add(&meta, false);
        }
        Ok(())
    }

    fn judge(&self, folder: &Path) -> Step {
        let by_glob = self.glob.as_ref().map_or(Reach::Below, |glob| glob.reach(folder.as_ref()));
        if by_glob == Reach::No {
            return Step::Skip;
        }
        let address = self.bucket.address(folder.as_ref());
        match (self.only.folder(std::path::Path::new(&address)), by_glob) {
            (Verdict::Out, _) => Step::LeaveOut,
            (Verdict::In, Reach::Below) => Step::All,
            _ => Step::Level,
        }
    }

    fn add(&mut self, meta: &ObjectMeta, named: bool) {
        let key = meta.location.as_ref();
        if self.glob.as_ref().is_some_and(|glob| glob.reach(key) != Reach::Below) {
            return;
        }
        let address = self.bucket.address(key);
        // What the console makes for an empty folder.
        if meta.size == 0 && path_kind(std::path::Path::new(&address)) == PathKind::Other {
            *self.found.passed_over.entry("empty placeholder").or_default() += 1;
            return;
        }
        let version = version(meta);
        let file = LogFile {
            path: address.into(),
            size: meta.size,
            modified: version.modified.unwrap_or(0),
            etag: version.etag,
            expected: named,
            bucket: Some(self.bucket.clone()),
        };
        self.found.add(file, &self.only);
    }
}

async fn level(bucket: Arc<Bucket>, folder: Path) -> object_store::Result<ListResult> {
    bucket.store.list_with_delimiter(Some(&folder)).await
}

/// What to do about a folder.
enum Step {
    Skip,
    LeaveOut,
    Level,
    All,
}

/// How a path stands to a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Nothing below it fits.
    No,
    /// Something below it may fit.
    Above,
    /// It fits, and so does all below it.
    Below,
}

/// A pattern over keys, folder by folder; what it names is read whole, as on disk.
struct Glob {
    /// The folders before the first wildcard.
    start: String,
    parts: Vec<glob::Pattern>,
}

impl Glob {
    /// `None` when the key has no wildcard.
    fn of(key: &str) -> Result<Option<Glob>> {
        let Some(wild) = key.find(['*', '?', '[']) else { return Ok(None) };
        let start = key[..wild].rfind('/').map_or("", |slash| &key[..slash]);
        let part = |text: &str| {
            let say =
                |e: glob::PatternError| format!("glob {key}: {} at position {}", e.msg, e.pos);
            glob::Pattern::new(text).map_err(|e| Error::usage(say(e)))
        };
        let parts = key.trim_matches('/').split('/').map(part).collect::<Result<_>>()?;
        Ok(Some(Glob { start: start.to_owned(), parts }))
    }

    fn reach(&self, path: &str) -> Reach {
        let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        reach(&self.parts, &path)
    }
}

fn reach(parts: &[glob::Pattern], path: &[&str]) -> Reach {
    let (Some(part), Some(name)) = (parts.first(), path.first()) else {
        return if parts.is_empty() { Reach::Below } else { Reach::Above };
    };
    if part.as_str() == "**" {
        // Any number of folders, none among them.
        let here = reach(&parts[1..], path);
        return if here == Reach::Below { here } else { reach(parts, &path[1..]).max_with(here) };
    }
    if part.matches(name) { reach(&parts[1..], &path[1..]) } else { Reach::No }
}

impl Reach {
    fn max_with(self, other: Reach) -> Reach {
        match (self, other) {
            (Reach::Below, _) | (_, Reach::Below) => Reach::Below,
            (Reach::Above, _) | (_, Reach::Above) => Reach::Above,
            _ => Reach::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_reach_into_folders_and_take_all_below_what_they_name() {
        let glob = Glob::of("a/AWSLogs/*/CloudTrail/eu-*").unwrap().unwrap();
        assert_eq!(glob.start, "a/AWSLogs");
        assert_eq!(glob.reach("a/AWSLogs/1"), Reach::Above);
        assert_eq!(glob.reach("a/AWSLogs/1/Config"), Reach::No);
        assert_eq!(glob.reach("a/AWSLogs/1/CloudTrail/us-east-1"), Reach::No);
        assert_eq!(glob.reach("a/AWSLogs/1/CloudTrail/eu-west-1/2024/x.gz"), Reach::Below);
        let deep = Glob::of("**/2024/*.gz").unwrap().unwrap();
        assert_eq!((deep.start.as_str(), deep.reach("a/b")), ("", Reach::Above));
        assert_eq!(deep.reach("a/b/2024/x.gz"), Reach::Below);
        assert_eq!(deep.reach("2024/x.gz"), Reach::Below);
        assert_eq!(deep.reach("a/b/2024/x.txt"), Reach::Above);
        assert!(Glob::of("a/b").unwrap().is_none());
        assert!(Glob::of("a/[").is_err());
    }

    #[test]
    fn an_address_needs_a_bucket() {
        assert_eq!(split("s3://b/AWSLogs/").unwrap(), ("b", "AWSLogs/"));
        assert_eq!(split("s3://b").unwrap(), ("b", ""));
        assert!(split("s3:///x").is_err());
        assert!(split("s3://a b/x").is_err());
    }
}
