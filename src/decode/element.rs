//! What an element of a container is: a record, something that holds one, or neither.
//!
//! Whatever collects CloudTrail puts its own envelope around each record. An envelope has no
//! `eventTime`; the record is the value of one of a few members, as an object or as text.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::raw::{self, Member, RawRecord};
use super::reject::Inside;

/// Members that hold a record, and who writes them.
const ENVELOPES: &[&str] = &[
    "CloudTrailEvent", // `aws cloudtrail lookup-events`
    "detail",          // EventBridge
    "_source",         // Elasticsearch, OpenSearch
    "_raw",            // Splunk
    "result",          // Splunk's JSON export
    "message",         // CloudWatch Logs, Logstash, Beats
    "@message",        // CloudWatch Logs Insights
    "event",           // Elastic Common Schema, Splunk's HTTP collector
    "original",        // Elastic Common Schema: event.original
];

/// Lists that make an object a document with many elements.
const LISTS: &[(&str, &str)] =
    &[("Records", ""), ("Events", "Events[]"), ("logEvents", "logEvents[]")];

/// A line of a log may begin with the time, a host, a program: no longer than this.
const LONGEST_PREFIX: usize = 256;

/// What an element is.
#[derive(Debug)]
pub(super) enum Shape<'a> {
    /// A record, or something with the time of one.
    Record,
    /// It holds a record: its text, and where it lies.
    Holds(Cow<'a, str>, Inside),
    /// It has a list of elements.
    Document,
    /// It is fine, but no log of API calls.
    NotALog(&'static str),
    /// A line by which CloudWatch Logs tries out a subscription.
    Control,
    /// It cannot be read: why.
    Unknown(String),
}

/// The name under which elements of a list are shown, if a member of this name is a list of them.
pub(super) fn list_named(name: &str) -> Option<&'static str> {
    LISTS.iter().find(|(list, _)| *list == name).map(|(_, shown)| *shown)
}

/// Whether a column of this name may hold records as JSON.
pub(super) fn may_hold_record(name: &str) -> bool {
    // `raw_data` is OCSF's name for the event as it was.
    let others = ["raw_data", "event_data", "eventdata", "record", "raw", "raw_event", "raw_log"];
    ENVELOPES.iter().chain(&others).any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether this is a record or may hold one; for telling text that is none.
pub(super) fn is_element(record: &RawRecord) -> bool {
    let named = [Member::EventSource, Member::EventName].iter().any(|m| record.get(*m).is_some());
    let time = record.get(Member::EventTime).is_some();
    (time && named) || (!time && held_by(record, Inside::default()).is_ok_and(|h| h.is_some()))
}

/// Looks into an element. `inside` is where the element itself lies.
pub(super) fn shape<'a>(record: &RawRecord<'a>, inside: Inside) -> Shape<'a> {
    if record.get(Member::EventTime).is_some() {
        return Shape::Record;
    }
    let has = |name: &str| record.others.iter().any(|(other, _)| other == name);
    let list =
        |(name, value): &(Cow<str>, &str)| list_named(name).is_some() && value.starts_with('[');
    if record.others.iter().any(list) {
        return Shape::Document;
    }
    match held_by(record, inside) {
        Ok(Some((text, inside))) => return Shape::Holds(text, inside),
        Ok(None) => {}
        Err(reason) => return Shape::Unknown(reason),
    }
    if has("digestS3Object") || has("digestStartTime") {
        return Shape::NotALog("digest");
    }
    if has("hashSignature") {
        return Shape::NotALog("signature");
    }
    if is_control(record) {
        return Shape::Control;
    }
    Shape::Unknown(unknown(record))
}

/// The record in an envelope. `Ok(None)`: this is no envelope.
fn held_by<'a>(
    record: &RawRecord<'a>,
    inside: Inside,
) -> Result<Option<(Cow<'a, str>, Inside)>, String> {
    let mut trouble = None;
    for name in ENVELOPES {
        let Some((_, value)) = record.others.iter().find(|(other, _)| other == name) else {
            continue;
        };
        let Some(inside) = inside.step(name) else {
            return Err("too many envelopes around the record".to_owned());
        };
        match content(value).and_then(|text| within(text, inside)) {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => {}
            Err(reason) => trouble = trouble.or(Some(format!("{name}: {reason}"))),
        }
    }
    trouble.map_or(Ok(None), Err)
}

/// The text of an object, given as such or as a string; empty where there is none.
fn content(value: &str) -> Result<Cow<'_, str>, String> {
    if value.starts_with('{') {
        return Ok(Cow::Borrowed(value));
    }
    if !value.starts_with('"') {
        return Ok(Cow::Borrowed(""));
    }
    let text = raw::text(value).ok_or("a string that is no text (lone surrogate)")?;
    Ok(match (json_start(&text), text) {
        (None, _) => Cow::Borrowed(""),
        (Some(start), Cow::Borrowed(text)) => Cow::Borrowed(text.get(start..).unwrap_or("")),
        (Some(start), Cow::Owned(mut text)) => {
            text.drain(..start);
            Cow::Owned(text)
        }
    })
}

/// Where in a text that may begin with the prefix of a line the JSON object begins.
fn json_start(text: &str) -> Option<usize> {
    let start = memchr::memchr(b'{', text.as_bytes())?;
    (start == 0 || is_prefix(text.as_bytes().get(..start)?)).then_some(start)
}

/// Whether this stands before a record in a line: `2024-05-01T09:00:00.000Z `, `<14>May  1 host x: `.
pub(super) fn is_prefix(text: &[u8]) -> bool {
    text.len() <= LONGEST_PREFIX
        && !text.iter().any(|b| matches!(b, b'"' | b'{' | b'}' | b'\n' | 0))
        && text.last().is_some_and(|b| b.is_ascii_whitespace() || *b == b':')
}

/// The record that a text is or holds. `Ok(None)`: the text is something else.
fn within(text: Cow<'_, str>, inside: Inside) -> Result<Option<(Cow<'_, str>, Inside)>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let record: RawRecord = serde_json::from_str(&text)
        .map_err(|e| format!("not a record: {}", super::reject::message_of(&e)))?;
    match shape(&record, inside) {
        Shape::Record => Ok(Some((text, inside))),
        Shape::Holds(held, inside) => {
            let held = held.into_owned();
            Ok(Some((Cow::Owned(held), inside)))
        }
        Shape::Document => {
            Err("holds a whole log file instead of a record; write what is in it to \
                                a file of its own"
                .to_owned())
        }
        Shape::NotALog(what) => Err(format!("holds a {what}, no record of a call")),
        Shape::Control => Ok(None),
        Shape::Unknown(reason) => Err(reason),
    }
}

/// CloudWatch Logs sends such messages without being asked.
/// Source: CloudWatch Logs User Guide, "Log group-level subscription filters".
fn is_control(record: &RawRecord) -> bool {
    let message = record.others.iter().find(|(name, _)| name == "message");
    let control = "\"CWL CONTROL MESSAGE";
    message.is_some_and(|(_, value)| value.starts_with(control))
        || record.others.iter().any(|(n, v)| n == "messageType" && *v == "\"CONTROL_MESSAGE\"")
}

/// Why an object is none of what is known, with what it is and what to do.
fn unknown(record: &RawRecord) -> String {
    const SHOWN: usize = 5;
    let known = Member::ALL.iter().filter(|m| record.get(**m).is_some()).map(|m| m.name());
    let mut names: Vec<String> = record.others.iter().map(|(n, _)| n.to_string()).collect();
    names.extend(known.map(str::to_owned));
    let rest = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let mut shown = names
        .iter()
        .map(|name| name.chars().take(40).collect::<String>())
        .collect::<Vec<_>>()
        .join(", ");
    if rest > 0 {
        shown.push_str(&format!(" and {rest} more"));
    }
    if shown.is_empty() {
        shown.push_str("no members");
    }
    format!(
        "not a CloudTrail record: eventTime is missing, no Records in it; the object has {shown}. \
         If a record lies deeper in it, take it out (with jq, for example) and give that"
    )
}

/// Whether a value is a whole JSON object or array.
pub(super) fn is_json(text: &str) -> bool {
    text.starts_with(['{', '[']) && serde_json::from_str::<&RawValue>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(text: &str) -> String {
        let record: RawRecord = serde_json::from_str(text).unwrap();
        match shape(&record, Inside::default()) {
            Shape::Holds(text, inside) => {
                let place = super::super::reject::Place { number: 1, offset: Some(0), inside };
                format!("{} {text}", place.shown().trim_start_matches("record 1, byte 0, in "))
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn envelopes_are_opened_down_to_the_record() {
        let record = r#"{"eventTime":"t","eventName":"x"}"#;
        let quoted = serde_json::to_string(record).unwrap();
        let twice = serde_json::to_string(&format!(r#"{{"message":{quoted}}}"#)).unwrap();
        for (envelope, path) in [
            (format!(r#"{{"CloudTrailEvent":{quoted}}}"#), "CloudTrailEvent"),
            (format!(r#"{{"detail-type":"x","detail":{record}}}"#), "detail"),
            (format!(r#"{{"_source":{{"message":{quoted}}}}}"#), "_source.message"),
            (format!(r#"{{"result":{{"_raw":{quoted}}}}}"#), "result._raw"),
            (format!(r#"{{"message":{twice}}}"#), "message.message"),
            (format!(r#"{{"message":"plain","event":{{"original":{quoted}}}}}"#), "event.original"),
            (format!(r#"{{"message":"2024-05-01T09:00:00Z {}}}"#, &quoted[1..]), "message"),
        ] {
            assert_eq!(held(&envelope), format!("{path} {record}"), "{envelope}");
        }
    }

    #[test]
    fn what_is_none_says_what_it_has() {
        assert!(held(r#"{"message":"CWL CONTROL MESSAGE: x"}"#).contains("Control"));
        assert!(held(r#"{"digestS3Object":"x"}"#).contains("digest"));
        assert!(held(r#"{"Records":[]}"#).contains("Document"));
        let said = held(r#"{"a":1,"b":2,"awsRegion":"x"}"#);
        assert!(said.contains("a, b, awsRegion") && said.contains("no Records"), "{said}");
        assert!(held(r#"{"message":"{\"a\":"}"#).contains("message: not a record"));
        assert!(held(r#"{"message":"{\"Records\":[]}"}"#).contains("whole log file"));
        let mut deep = r#"{"eventTime":"t"}"#.to_owned();
        for _ in 0..20 {
            deep = format!(r#"{{"message":{deep}}}"#);
        }
        assert!(held(&deep).contains("too many envelopes"));
    }
}
