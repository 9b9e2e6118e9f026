//! The columns of the tables about the input itself (**files**, **rejects**, **coverage**) and of the
//! internal **linking_state** and **linking_questions**.

use crate::table::Kind::{Binary, Int, Text, Time};
use crate::table::{Column, TableDef, col};

/// One row an input object.
pub const FILES: TableDef = TableDef {
    name: "files",
    doc: "One row an input object as it was read; records = kept + duplicates + rejected.",
    columns: FILE_COLUMNS,
    partition_by: None,
    lookup: &["path", "sha256"],
    sort_by: &["path", "ingested_at"],
};

#[rustfmt::skip]
const FILE_COLUMNS: &[Column] = &[
    col("path", Text, "path as given, or s3://bucket/key; a file in an archive: archive!path in it; - for standard input"),
    col("size_bytes", Int, "size of the object as stored"),
    col("sha256", Text, "SHA-256 of the object as stored, hexadecimal; null when it could not be read"),
    col("modified_at", Time, "modification time when it was read"),
    col("etag", Text, "entity tag of the object as read; null for files"),
    col("version_id", Text, "version of the object as read, in a bucket that keeps versions"),
    col("records", Int, "records found; a file that cannot be read counts as one"),
    col("kept", Int, "records stored as events"),
    col("duplicates", Int, "records that were stored already, here or from another file"),
    col("rejected", Int, "records that could not be read; each has a row in rejects"),
    col("conflicts", Int, "records among kept whose event id was stored already with another content"),
    col("first_event_time", Time, "earliest event among kept and duplicates"),
    col("last_event_time", Time, "latest event among kept and duplicates"),
    col("ingested_at", Time, "when it was read"),
    col("status", Text, "complete; partial: something in it was rejected; unreadable; archive: its files have rows of their own; skipped: no log of API calls (digest, Insights)"),
];

/// One row a record or file that could not be read.
pub const REJECTS: TableDef = TableDef {
    name: "rejects",
    doc: "One row a record or file that could not be read.",
    columns: REJECT_COLUMNS,
    partition_by: None,
    lookup: &["path"],
    sort_by: &["path", "position"],
};

#[rustfmt::skip]
const REJECT_COLUMNS: &[Column] = &[
    col("path", Text, "file"),
    col("position", Text, "where in it: record number, byte offset in the uncompressed text, and where in its container"),
    col("reason", Text, "what is wrong"),
    col("content", Text, "the text that could not be read, without session tokens, at most 256 KiB"),
];

/// One row an hour of an account and region that has logs.
pub const COVERAGE: TableDef = TableDef {
    name: "coverage",
    doc: "One row an account, region and hour with at least one event, so that no activity differs from no logs.",
    columns: COVERAGE_COLUMNS,
    partition_by: None,
    lookup: &["account_id"],
    sort_by: &["account_id", "aws_region", "hour"],
};

#[rustfmt::skip]
const COVERAGE_COLUMNS: &[Column] = &[
    col("account_id", Text, "recipientAccountId: the account whose log it is"),
    col("aws_region", Text, "awsRegion"),
    col("hour", Time, "start of the hour, UTC"),
    col("files", Int, "files that hold events of that hour"),
    col("events", Int, "events in that hour"),
];

/// What the linking of sessions must remember between two ingests; not part of the contract.
pub const LINKING_STATE: TableDef = TableDef {
    name: "linking_state",
    doc: "Internal: what is carried from one ingest to the next so that only what changed is linked again. May change in any version.",
    columns: LINKING_STATE_COLUMNS,
    partition_by: None,
    lookup: &[],
    sort_by: &["at", "kind", "key"],
};

#[rustfmt::skip]
const LINKING_STATE_COLUMNS: &[Column] = &[
    col("at", Int, "second since 1970 that it belongs to"),
    col("kind", Text, "what kind of fact this is"),
    col("key", Text, "its key, unique within the kind"),
    col("about", Int, "a number that stands for what it is about: the principal of an answer, the sign-in session of other facts; else 0"),
    col("format", Int, "which version of the program can read the value"),
    col("value", Binary, "its value"),
];

/// Which answers from elsewhere the linking of a stretch of time rests on, and the answers of what belongs
/// to no time, as numbers; not part of the contract.
pub const LINKING_QUESTIONS: TableDef = TableDef {
    name: "linking_questions",
    doc: "Internal: what the linking of a stretch of time asked outside of it, so that it is linked again when an answer has changed. May change in any version.",
    columns: LINKING_QUESTION_COLUMNS,
    partition_by: None,
    lookup: &[],
    sort_by: &["number"],
};

#[rustfmt::skip]
const LINKING_QUESTION_COLUMNS: &[Column] = &[
    col("number", Int, "a number that stands for a question"),
    col("answer", Int, "a number that stands for its answer: of what belongs to no time"),
];

/// Whether a table is none of the contract.
pub fn is_internal(def: &TableDef) -> bool {
    [LINKING_STATE.name, LINKING_QUESTIONS.name].contains(&def.name)
}
