//! Views over the stored tables.

use super::athena::{self, CLOUDTRAIL_LOGS};
use super::lake::{self, EVENT_DATA_STORE};
use crate::table::Kind::{Bool, Date, Int, Json, Resources, Text, TextList, Time};
use crate::table::{Column, TableDef, col};

/// A view: what it promises, and how it is made.
pub struct View {
    /// Name and columns.
    pub def: &'static TableDef,
    /// The SELECT behind it.
    pub sql: fn() -> String,
}

/// All views.
pub const VIEWS: &[View] = &[
    View { def: &ACTIVITY, sql: || ACTIVITY_SQL.to_owned() },
    View { def: &CLOUDTRAIL_LOGS, sql: || athena::SQL.to_owned() },
    View { def: &EVENT_DATA_STORE, sql: lake::sql },
];

/// The answer: every event with who was really behind it.
pub const ACTIVITY: TableDef = TableDef {
    name: "activity",
    doc: "The answer: every event with who was really behind it. One row for each row of events.",
    columns: ACTIVITY_COLUMNS,
    partition_by: None,
    lookup: &["event_id", "session_id", "access_key_id"],
    sort_by: &["event_time", "event_id"],
};

#[rustfmt::skip]
const ACTIVITY_COLUMNS: &[Column] = &[
    col("event_time", Time, "when the call was completed"),
    col("event_date", Date, "UTC day of event_time"),
    col("origin_type", Text, "identity type that starts the chain"),
    col("origin", Text, "who is behind the call; null when unknown"),
    col("origin_account_id", Text, "account of the origin"),
    col("origin_detail", Text, "what helps to find the origin"),
    col("depth", Int, "assumed roles between origin and call; null when the origin is unknown"),
    col("chain", TextList, "labels from the origin to the calling session"),
    col("chain_strength", Text, "exact, ambiguous, inferred or none: the weakest hop"),
    col("role_arn", Text, "the hat: role of the calling session, with path"),
    col("role_name", Text, "its name"),
    col("session_name", Text, "its session name; chosen by the caller"),
    col("session_id", Text, "joins sessions"),
    col("access_key_id", Text, "access key of the call"),
    col("principal_arn", Text, "userIdentity.arn: what the record itself says"),
    col("event_source", Text, "service"),
    col("event_name", Text, "API call"),
    col("read_only", Bool, "whether it changes nothing"),
    col("aws_region", Text, "region"),
    col("recipient_account_id", Text, "account whose log holds it"),
    col("source_ip_address", Text, "address"),
    col("user_agent", Text, "user agent; written by the caller"),
    col("error_code", Text, "null when it succeeded; a failed sign-in has only a message"),
    col("error_message", Text, "errorMessage"),
    col("resources", Resources, "what was touched"),
    col("request_parameters", Json, "what was asked for"),
    col("event_id", Text, "joins events"),
    col("unresolved_reason", Text, "why the origin is not known"),
];

/// An event's credential is named by the event itself, except where another record knows better.
const ACTIVITY_SQL: &str = "
SELECT e.event_time, e.event_date,
       c.origin_type, c.origin, c.origin_account_id, c.origin_detail, c.depth, c.chain,
       c.chain_strength, c.role_arn, c.role_name, c.session_name, c.session_id,
       e.access_key_id, e.principal_arn, e.event_source, e.event_name, e.read_only, e.aws_region,
       e.recipient_account_id, e.source_ip_address, e.user_agent, e.error_code,
       e.error_message, e.resources,
       e.request_parameters, e.event_id, c.unresolved_reason
FROM events e
LEFT JOIN attributions a ON a.event_id = e.event_id AND a.record_hash = e.record_hash
LEFT JOIN credentials c ON c.credential_id = coalesce(a.credential_id, e.credential_id)";
