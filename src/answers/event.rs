//! One event as evidence: the record as it was, and the objects it was read from.

use serde::Serialize;
use serde_json::Value;

use super::rows::Rows;
use crate::error::Result;
use crate::events::rebuild;
use crate::model::time;
use crate::sql::{Params, Sql};

/// Records of one id that are answered with. More than one means that somebody altered a copy;
/// thousands mean an attack on whoever looks.
pub const MOST_RECORDS: usize = 100;

/// A record of the id asked for.
#[derive(Debug, Serialize)]
pub struct EventRecord {
    /// The record, every member as it was, session tokens excepted; members in the order of their
    /// names.
    pub record: Value,
    /// File or object it was read from.
    pub source_file: Option<String>,
    /// Its number in there, from 1.
    pub source_record: Option<i64>,
    /// Session whose credentials made the call.
    pub session_id: Option<String>,
    /// What was at that path when it was read. Several where the path was read more than once, each
    /// time with other content, and all of them may have held the record.
    pub read_from: Vec<ObjectRead>,
}

/// An object as it was read.
#[derive(Debug, Serialize)]
pub struct ObjectRead {
    /// SHA-256 of the object as stored, hexadecimal; `None` when it could not be read to its end.
    pub sha256: Option<String>,
    /// Entity tag.
    pub etag: Option<String>,
    /// Version id.
    pub version_id: Option<String>,
    /// Size as stored.
    pub size_bytes: Option<i64>,
    /// Last modification, RFC 3339.
    pub modified_at: Option<String>,
    /// When it was read, RFC 3339.
    pub ingested_at: Option<String>,
    /// `files.status`.
    pub status: Option<String>,
}

/// The records of an event id: none, one, or several that contradict each other.
///
/// # Errors
/// The engine's.
pub async fn event(sql: &Sql, id: &str) -> Result<Vec<EventRecord>> {
    // One more than is shown, so that whoever shows them can say that there are more.
    let query = format!(
        "SELECT * FROM events WHERE event_id = $id ORDER BY source_file, source_record LIMIT {}",
        MOST_RECORDS + 1
    );
    let mut found = Vec::new();
    for batch in sql.rows(&query, Params::none().text("id", id)).await? {
        let rows = Rows::new(&batch)?;
        for row in 0..batch.num_rows() {
            let (source_file, source_record) = rebuild::source(&batch, row);
            let at = rows.time("event_time", row);
            let read_from = match &source_file {
                Some(path) => objects(sql, path, at, source_record).await?,
                None => Vec::new(),
            };
            found.push(EventRecord {
                record: rebuild::record(&batch, row),
                session_id: rows.string("session_id", row),
                source_file,
                source_record,
                read_from,
            });
        }
    }
    Ok(found)
}

/// What was read at a path and can have held a record of this time and number.
async fn objects(
    sql: &Sql,
    path: &str,
    event_time: Option<i64>,
    number: Option<i64>,
) -> Result<Vec<ObjectRead>> {
    let query = "SELECT * FROM files WHERE path = $path AND kept > 0 AND records >= $number \
                 AND first_event_time <= $at AND last_event_time >= $at ORDER BY ingested_at";
    let params = Params::none().text("path", path).instant("at", event_time);
    let params = params.int("number", number.unwrap_or(0));
    let mut found = Vec::new();
    for batch in sql.rows(query, params).await? {
        let rows = Rows::new(&batch)?;
        let instant = |name: &str, row| rows.time(name, row).map(time::format_instant);
        found.extend((0..rows.len()).map(|row| ObjectRead {
            sha256: rows.string("sha256", row),
            etag: rows.string("etag", row),
            version_id: rows.string("version_id", row),
            size_bytes: rows.int("size_bytes", row),
            modified_at: instant("modified_at", row),
            ingested_at: instant("ingested_at", row),
            status: rows.string("status", row),
        }));
    }
    Ok(found)
}
