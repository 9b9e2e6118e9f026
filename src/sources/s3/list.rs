//! What lies below an address, page by page, without listing what nobody asked for.

use std::sync::Arc;

use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::fetch::version;
use super::trouble::{self, Doing};
use super::{Bucket, Pending, SCHEME, Settings, odd_keys};
use crate::error::{Error, Result};
use crate::sources::discover::{Found, LogFile};
use crate::sources::layout::{PathKind, path_kind};
use crate::sources::select::{Selection, Verdict};

/// Why a key cannot be asked for, and what to do.
const IMPOSSIBLE: &str = "its key has a part . or .. or a control character, which no request can carry; copy \
                          the object to another key and read that (aws s3api copy-object)";
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
    let search = Arc::new(Search { bucket, glob, only: only.clone() });
    let (key, shown) = (key.to_owned(), address.to_owned());
    let Some(looked) = Pending::start(run(search, key, shown)).wait() else {
        let reason = "the threads that talk to S3 could not be started".to_owned();
        found.unreadable.push((address.into(), reason));
        return Ok(());
    };
    found.merge(looked);
    Ok(())
}

/// Bucket and key.
pub(super) fn split(address: &str) -> Result<(&str, &str)> {
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
}

/// `shown` is the address as the user wrote it.
async fn run(search: Arc<Search>, key: String, shown: String) -> Found {
    let mut found = Found::default();
    let start = search.glob.as_ref().map_or(key, |glob| glob.start.clone());
    let prefix = match odd_keys::folder(&start) {
        Ok(prefix) => prefix,
        Err(_) => {
            found.unreadable.push((shown.into(), IMPOSSIBLE.to_owned()));
            return found;
        }
    };
    let named = search.glob.is_none() && !start.ends_with('/') && !start.is_empty();
    // A name like a log's is asked for itself: that needs no right to list.
    let likely = named && path_kind(std::path::Path::new(&start)) == PathKind::Log;
    if likely && search.single(&prefix, &mut found).await {
        return found;
    }
    walk(&search, prefix.clone(), &mut found).await;
    search.name_impossible(&mut found);
    let unsought = named && !likely;
    if found.is_empty() && !(unsought && search.single(&prefix, &mut found).await) {
        let reason = "nothing lies there; check the prefix (it is case-sensitive)";
        found.unreadable.push((shown.into(), reason.to_owned()));
    }
    found
}

/// Adds what lies below `prefix`, several listings at once. A folder that cannot be listed does not
/// hide the others.
async fn walk(search: &Arc<Search>, prefix: Path, found: &mut Found) {
    let mut folders = vec![prefix];
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < MOST_LISTINGS
            && let Some(folder) = folders.pop()
        {
            match search.judge(&folder) {
                Step::Skip => {}
                Step::LeaveOut => found.left_out.folders += 1,
                step => {
                    let search = search.clone();
                    running
                        .push(async move { (folder.clone(), look(&search, folder, step).await) });
                }
            }
        }
        let Some((folder, below)) = running.next().await else { return };
        match below {
            Ok((seen, below)) => {
                found.merge(seen);
                folders.extend(below);
            }
            Err(e) => {
                let address = search.bucket.address(&odd_keys::key(&folder));
                search.refused(&address, &e, found);
            }
        }
    }
}

/// One folder: what lies in it, and the folders that are still to be looked at.
async fn look(
    search: &Search,
    folder: Path,
    step: Step,
) -> object_store::Result<(Found, Vec<Path>)> {
    let mut found = Found::default();
    let store = &search.bucket.store;
    if step == Step::All {
        let mut all = store.list(Some(&folder));
        while let Some(meta) = all.try_next().await? {
            search.add(&meta, false, &mut found);
        }
        return Ok((found, Vec::new()));
    }
    let level = store.list_with_delimiter(Some(&folder)).await?;
    level.objects.iter().for_each(|meta| search.add(meta, false, &mut found));
    Ok((found, level.common_prefixes))
}

impl Search {
    fn refused(&self, shown: &str, error: &object_store::Error, found: &mut Found) {
        let reason = trouble::explain(error, Doing::Listing, &self.bucket.endpoint);
        found.unreadable.push((shown.into(), reason));
    }

    /// Objects that were listed and cannot be asked for.
    fn name_impossible(&self, found: &mut Found) {
        let (keys, more) = self.bucket.odd.take();
        for key in keys {
            if self.glob.as_ref().is_some_and(|glob| glob.reach(&key) == Reach::No) {
                continue;
            }
            let address = self.bucket.address(&key);
            if self.only.wants(std::path::Path::new(&address)) {
                found.unreadable.push((address.into(), IMPOSSIBLE.to_owned()));
            } else {
                found.left_out.files += 1;
            }
        }
        if more > 0 {
            let reason = format!("{more} more keys of this kind: {IMPOSSIBLE}");
            found.unreadable.push((self.bucket.address("").into(), reason));
        }
    }

    /// Adds one object, if it is there.
    async fn single(&self, key: &Path, found: &mut Found) -> bool {
        let meta = self.bucket.head(key).await;
        meta.is_ok_and(|meta| {
            self.add(&meta, true, found);
            true
        })
    }

    /// Folders are looked at level by level where whole ones can be left out, and above the regions,
    /// so that those are listed side by side; all other folders in one go.
    fn judge(&self, folder: &Path) -> Step {
        let key = odd_keys::key(folder);
        let by_glob = self.glob.as_ref().map_or(Reach::Below, |glob| glob.reach(&key));
        if by_glob == Reach::No {
            return Step::Skip;
        }
        let address = self.bucket.address(&key);
        let address = std::path::Path::new(&address);
        match (self.only.folder(address), by_glob) {
            (Verdict::Out, _) => Step::LeaveOut,
            (Verdict::In, Reach::Below) if !above_regions(folder) => Step::All,
            _ => Step::Level,
        }
    }

    fn add(&self, meta: &ObjectMeta, named: bool, found: &mut Found) {
        let key = odd_keys::key(&meta.location);
        let key = key.as_ref();
        if self.glob.as_ref().is_some_and(|glob| glob.reach(key) != Reach::Below) {
            return;
        }
        let address = self.bucket.address(key);
        // What the console makes for an empty folder.
        if meta.size == 0 && path_kind(std::path::Path::new(&address)) == PathKind::Other {
            *found.passed_over.entry("empty placeholder").or_default() += 1;
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
        found.add(file, &self.only);
    }
}

/// The bucket itself, and what lies between `AWSLogs` and the regions.
fn above_regions(folder: &Path) -> bool {
    let mut parts = folder.as_ref().split('/');
    if folder.as_ref().is_empty() {
        return true;
    }
    if !parts.any(|part| part == "AWSLogs") {
        return false;
    }
    // [o-…/]ACCOUNT/CloudTrail
    let mut below = parts.skip_while(|part| part.starts_with("o-"));
    below.nth(2).is_none()
}

/// What to do about a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        let parts = key.split('/').filter(|part| !part.is_empty());
        let parts = parts.map(part).collect::<Result<_>>()?;
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
