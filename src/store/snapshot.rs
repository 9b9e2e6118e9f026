//! The snapshot file: which version of every table belongs together.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

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
}

impl Snapshot {
    /// The snapshot that follows number `previous`, made now.
    pub(super) fn following(previous: u64, tables: BTreeMap<String, u64>) -> Snapshot {
        Snapshot {
            id: previous + 1,
            format: FORMAT,
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            written_at: Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
            tables,
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

/// Where the current snapshot is.
pub(super) fn current_path(dir: &Path) -> PathBuf {
    dir.join("snapshot.json")
}

fn kept_path(dir: &Path, id: u64) -> PathBuf {
    dir.join("snapshots").join(format!("{id}.json"))
}

/// The current snapshot; `None` when there is none.
///
/// Where `snapshot.json` is gone the newest kept one is current: all its tables were committed before
/// it was written, and to begin anew would hide everything that is in.
pub(super) fn read_current(dir: &Path) -> Result<Option<Snapshot>> {
    if let Some(current) = read(dir, &current_path(dir))? {
        return Ok(Some(current));
    }
    kept_ids(dir)?.last().map_or(Ok(None), |id| read_kept(dir, *id))
}

/// Numbers of the snapshots that there are files of, ascending.
pub(super) fn kept_ids(dir: &Path) -> Result<Vec<u64>> {
    let folder = dir.join("snapshots");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(&folder)(e)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let name = entry.map_err(Error::io(&folder))?.file_name();
        ids.extend(
            name.to_string_lossy().strip_suffix(".json").and_then(|n| n.parse::<u64>().ok()),
        );
    }
    ids.sort_unstable();
    Ok(ids)
}

/// The kept snapshots up to number `current`. Those beyond are what a killed ingest left.
pub(super) fn up_to(dir: &Path, current: u64) -> Result<Vec<Snapshot>> {
    let mut all = Vec::new();
    for id in kept_ids(dir)?.into_iter().filter(|id| *id <= current) {
        all.extend(read_kept(dir, id)?);
    }
    Ok(all)
}

/// Removes the snapshot numbered `id`; whoever asks for it is told that it is not there.
pub(super) fn forget(dir: &Path, id: u64) -> Result<()> {
    let path = kept_path(dir, id);
    fs::remove_file(&path).map_err(Error::io(&path))
}

/// The snapshot numbered `id`; `None` when there is none.
pub(super) fn read_kept(dir: &Path, id: u64) -> Result<Option<Snapshot>> {
    read(dir, &kept_path(dir, id))
}

fn read(dir: &Path, path: &Path) -> Result<Option<Snapshot>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(Error::io(path)(e)),
    };
    let broken = |e: serde_json::Error| Error::Store {
        path: dir.to_path_buf(),
        message: format!("{} is not a snapshot file: {e}", path.display()),
    };
    // The format first: the rest of a newer file may look quite different.
    let FormatOnly { format, tool_version } = serde_json::from_slice(&bytes).map_err(broken)?;
    if format > FORMAT {
        let writer = tool_version.map_or(String::new(), |v| format!(" (roletrail {v})"));
        return Err(Error::Store {
            path: dir.to_path_buf(),
            message: format!(
                "written by a newer version{writer}: its format is {format}, this version reads up to {FORMAT}"
            ),
        });
    }
    serde_json::from_slice(&bytes).map(Some).map_err(broken)
}

/// Makes `snapshot` the current one. It is durable when this returns, and whoever reads meanwhile
/// sees either the old one or the new one.
pub(super) fn publish(dir: &Path, snapshot: &Snapshot) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(snapshot)?;
    text.push(b'\n');
    // The kept copy first: a current snapshot that cannot be asked for again would break `--as-of`.
    let kept = kept_path(dir, snapshot.id);
    let kept_dir = dir.join("snapshots");
    fs::create_dir_all(&kept_dir).map_err(Error::io(&kept_dir))?;
    replace(&kept_dir, &kept, &text)?;
    sync_dir(dir)?;
    replace(dir, &current_path(dir), &text)
}

/// Atomically gives `path`, which is in `folder`, the content `text`.
fn replace(folder: &Path, path: &Path, text: &[u8]) -> Result<()> {
    // Only the holder of the store's lock writes here, so one fixed name will do; what a killed
    // writer left under it is overwritten.
    let temp = folder.join("snapshot.json.tmp");
    let mut file = File::create(&temp).map_err(Error::io(&temp))?;
    file.write_all(text).map_err(Error::io(&temp))?;
    file.sync_all().map_err(Error::io(&temp))?;
    drop(file);
    fs::rename(&temp, path).map_err(Error::io(path))?;
    sync_dir(folder)
}

/// Makes the entries of a folder durable, where the system can.
pub(super) fn sync_dir(dir: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(dir).and_then(|d| d.sync_all()).map_err(Error::io(dir))?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}
