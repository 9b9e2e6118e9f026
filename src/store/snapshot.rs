//! The snapshot file: which version of every table belongs together.

use std::collections::BTreeMap;

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::location::Location;
use crate::error::{Error, Result};

/// The store format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// One consistent state of all tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// 1 for the first, then counting up without gaps.
    pub id: u64,
    /// Store format; see [`FORMAT`].
    pub format: u32,
    /// Version of roletrail that wrote it.
    pub tool_version: String,
    /// When it was written, RFC 3339 in UTC.
    pub written_at: String,
    /// Delta Lake version of each table, by table name.
    pub tables: BTreeMap<String, u64>,
    /// Data files of each table, by table name: a log that lost lines names fewer, and says nothing of
    /// it. Empty in snapshots of early versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, u64>,
}

impl Snapshot {
    /// The snapshot that follows number `previous`, made now.
    pub(super) fn following(
        previous: u64,
        tables: BTreeMap<String, u64>,
        files: BTreeMap<String, u64>,
    ) -> Snapshot {
        Snapshot {
            id: previous + 1,
            format: FORMAT,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            written_at: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
            tables,
            files,
        }
    }

    /// The Delta version of `table`; `None` when this snapshot does not have it.
    pub fn version_of(&self, table: &str) -> Option<u64> {
        self.tables.get(table).copied()
    }
}

/// The part of the file that every format, also a future one, must have.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
    #[serde(default)]
    tool_version: Option<String>,
}

/// Name of the file that says which snapshot is current.
pub(super) const POINTER: &str = "snapshot.json";

fn kept_name(id: u64) -> String {
    format!("snapshots/{id}.json")
}

/// The current snapshot, and how it was found.
#[derive(Debug, Clone)]
pub(super) struct Current {
    pub snapshot: Snapshot,
    /// Whether `snapshot.json` names it. It does not where the file was lost, or, in a bucket, where
    /// somebody has made the next snapshot and not yet come to say so.
    pub pointed_at: bool,
    /// What is wrong with `snapshot.json`, where it was passed over for that.
    pub damage: Option<String>,
    /// In a bucket the entity tag of `snapshot.json`, if there is one.
    pub etag: Option<String>,
}

/// The current snapshot; `None` when there is none.
///
/// Where `snapshot.json` is gone or no longer what was written the newest kept one is current: all its tables were committed before
/// it was written, and to begin anew would hide everything that is in. In a bucket a snapshot counts
/// from the moment when it is kept, because that is the step that only one of two writers can take;
/// `snapshot.json` only saves looking for it.
pub(super) fn read_current(at: &Location) -> Result<Option<Current>> {
    let (bytes, etag) = match at {
        Location::Folder(_) => (at.read(POINTER)?, None),
        Location::Bucket(place) => place.read(POINTER)?.map_or((None, None), |(b, e)| (Some(b), e)),
    };
    let (mut named, mut damage) = (None, None);
    match bytes.map(|bytes| parse(at, POINTER, &bytes)) {
        Some(Err(Error::Damaged { message, .. })) => damage = Some(message),
        other => named = other.transpose()?,
    }
    let pointed_at = named.is_some();
    let found = match named {
        Some(snapshot) => Some(snapshot),
        None => kept_ids(at)?.last().map_or(Ok(None), |id| read_kept(at, *id))?,
    };
    let Some(snapshot) = found else {
        return match damage {
            Some(message) => Err(Error::Damaged { path: at.join(POINTER), message }),
            None => Ok(None),
        };
    };
    let mut current = Current { snapshot, pointed_at, damage, etag };
    if matches!(at, Location::Bucket(_)) {
        while let Some(next) = read_kept(at, current.snapshot.id + 1)? {
            (current.snapshot, current.pointed_at) = (next, false);
        }
    }
    Ok(Some(current))
}

/// Numbers of the snapshots that there are files of, ascending.
pub(super) fn kept_ids(at: &Location) -> Result<Vec<u64>> {
    let names = at.names("snapshots")?;
    let id = |name: &String| name.strip_suffix(".json").and_then(|n| n.parse::<u64>().ok());
    let mut ids: Vec<u64> = names.iter().filter_map(id).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// The kept snapshots up to number `current`. Those beyond are what a killed ingest left.
pub(super) fn up_to(at: &Location, current: u64) -> Result<Vec<Snapshot>> {
    let mut all = Vec::new();
    for id in kept_ids(at)?.into_iter().filter(|id| *id <= current) {
        all.extend(read_kept(at, id)?);
    }
    Ok(all)
}

/// Removes the snapshot numbered `id`; whoever asks for it is told that it is not there.
pub(super) fn forget(at: &Location, id: u64) -> Result<()> {
    at.remove(&kept_name(id))
}

/// The snapshot numbered `id`; `None` when there is none.
pub(super) fn read_kept(at: &Location, id: u64) -> Result<Option<Snapshot>> {
    let name = kept_name(id);
    at.read(&name)?.map(|bytes| parse(at, &name, &bytes)).transpose()
}

fn parse(at: &Location, name: &str, bytes: &[u8]) -> Result<Snapshot> {
    let broken = |e: serde_json::Error| Error::Damaged {
        path: at.join(name),
        message: format!("this is not a snapshot file: {e}"),
    };
    // The format first: the rest of a newer file may look quite different.
    let FormatOnly { format, tool_version } = serde_json::from_slice(bytes).map_err(broken)?;
    if format > FORMAT {
        let writer = tool_version.map_or(String::new(), |v| format!(" (roletrail {v})"));
        return Err(Error::Store {
            path: at.path(),
            message: format!(
                "written by a newer version{writer}: its format is {format}, this version reads up to {FORMAT}"
            ),
        });
    }
    serde_json::from_slice(bytes).map_err(broken)
}

/// Makes `snapshot` the current one. It is durable when this returns, and whoever reads meanwhile
/// sees either the old one or the new one. `before` is what was current when the writer began.
pub(super) fn publish(at: &Location, snapshot: &Snapshot, before: Option<&Current>) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(snapshot)?;
    text.push(b'\n');
    let kept = kept_name(snapshot.id);
    match at {
        Location::Folder(folder) => {
            // The kept copy first: a current snapshot that cannot be asked for again would break
            // `--as-of`.
            let kept_dir = folder.join("snapshots");
            std::fs::create_dir_all(&kept_dir).map_err(Error::io(&kept_dir))?;
            at.replace(&kept, &text)?;
            at.sync("")?;
            at.replace(POINTER, &text)
        }
        Location::Bucket(place) => {
            // Where an answer was lost on the way the object may be there already, and ours.
            if !place.create(&kept, &text)? && at.read(&kept)?.as_ref() != Some(&text) {
                return Err(Error::Conflict { path: at.path() });
            }
            point_at(at, snapshot, before)
        }
    }
}

/// Lets `snapshot.json` name a snapshot that is current. In a bucket somebody else may have moved it
/// on meanwhile: then it is left.
pub(super) fn point_at(at: &Location, snapshot: &Snapshot, before: Option<&Current>) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(snapshot)?;
    text.push(b'\n');
    let Location::Bucket(place) = at else { return at.replace(POINTER, &text) };
    match before.and_then(|current| current.etag.as_deref()) {
        Some(etag) => place.update(POINTER, &text, etag)?,
        None => place.create(POINTER, &text)?,
    };
    Ok(())
}
