//! A raw record made into a typed event: what has a column goes to its field, everything else to
//! `extra`, so that nothing is lost and the record can be rebuilt.

use std::borrow::Cow;
use std::sync::Arc;

use hashbrown::HashMap;
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::actor::{self, Actor};
use super::identity::Identity;
use super::json;
use super::raw::{self, Member, RawRecord};
use super::rest::Rest;
use crate::model::{arn, time};

/// One entry of `resources`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// `ARN`.
    #[serde(rename = "ARN", default, deserialize_with = "present_text")]
    pub arn: Option<String>,
    /// `accountId`.
    #[serde(rename = "accountId", default, deserialize_with = "present_text")]
    pub account_id: Option<String>,
    /// `type`.
    #[serde(rename = "type", default, deserialize_with = "present_text")]
    pub kind: Option<String>,
}

/// Refuses null, which the column could not tell from an absent member.
fn present_text<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    String::deserialize(d).map(Some)
}

/// One event. Times are microseconds since 1970. Text borrows from the record where it can.
#[derive(Debug, Clone)]
#[allow(missing_docs)] // the fields are the columns of `events`, described there
pub struct Event<'a> {
    pub event_id: Cow<'a, str>,
    pub event_time: i64,
    pub event_version: Option<Cow<'a, str>>,
    pub event_source: Cow<'a, str>,
    pub event_name: Cow<'a, str>,
    pub event_type: Option<Cow<'a, str>>,
    pub event_category: Option<Cow<'a, str>>,
    pub read_only: Option<bool>,
    pub management_event: Option<bool>,
    pub aws_region: Option<Cow<'a, str>>,
    pub recipient_account_id: Option<Cow<'a, str>>,
    pub source_ip_address: Option<Cow<'a, str>>,
    pub user_agent: Option<Cow<'a, str>>,
    pub error_code: Option<Cow<'a, str>>,
    pub error_message: Option<Cow<'a, str>>,
    pub request_id: Option<Cow<'a, str>>,
    pub shared_event_id: Option<Cow<'a, str>>,
    pub vpc_endpoint_id: Option<Cow<'a, str>>,
    pub from_console: Option<bool>,
    pub request_parameters: Option<Cow<'a, str>>,
    pub response_elements: Option<Cow<'a, str>>,
    pub additional_event_data: Option<Cow<'a, str>>,
    pub service_event_details: Option<Cow<'a, str>>,
    pub tls_details: Option<Cow<'a, str>>,
    pub resources: Option<Vec<Resource>>,
    pub extra: Option<String>,
    pub identity: Arc<Identity>,
    pub actor: Actor,
    pub record_hash: u64,
}

/// Why a record that is valid JSON is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEvent {
    /// Without a time the record has no place.
    #[error("eventTime is missing")]
    NoTime,
    /// It is there but cannot be read.
    #[error("eventTime is not an instant: {0}")]
    BadTime(String),
    /// Neither says what was called.
    #[error("neither eventSource nor eventName: not a CloudTrail record")]
    NoCall,
    /// See [`json::TooDeep`].
    #[error(transparent)]
    TooDeep(#[from] json::TooDeep),
}

/// Most identities remembered at a time; the memory is a cache, forgetting costs only time.
const MOST_IDENTITIES: usize = 4_000;

/// Decodes records. Remembers identities, because one caller makes many calls.
#[derive(Default)]
pub struct Decoder {
    /// By partition of the region and raw text. The region only matters where no ARN tells the
    /// partition; it is part of the key so that the memory can never change an answer.
    identities: HashMap<&'static str, HashMap<Box<str>, Arc<Identity>>>,
}

impl Decoder {
    /// Makes one record an event.
    ///
    /// # Errors
    /// [`NotAnEvent`]: the record has no place among the events.
    pub fn event<'a>(&mut self, record: &RawRecord<'a>) -> Result<Event<'a>, NotAnEvent> {
        let mut rest = Rest::default();
        let event_time = event_time(record, &mut rest)?;
        if record.get(Member::EventSource).is_none() && record.get(Member::EventName).is_none() {
            return Err(NotAnEvent::NoCall);
        }
        let recipient_account_id = rest.account(record, Member::RecipientAccountId);
        let mut text = |member| rest.text(record, member);
        let event_id = text(Member::EventId);
        let event_source = text(Member::EventSource).unwrap_or_default();
        let event_name = text(Member::EventName).unwrap_or_default();
        let aws_region = text(Member::AwsRegion);
        let error_message = text(Member::ErrorMessage);
        let identity = self.identity(record, aws_region.as_deref().unwrap_or(""))?;
        let mut event = Event {
            event_id: Cow::Borrowed(""),
            event_time,
            event_version: text(Member::EventVersion),
            event_source,
            event_name,
            event_type: text(Member::EventType),
            event_category: text(Member::EventCategory),
            recipient_account_id,
            source_ip_address: text(Member::SourceIpAddress),
            user_agent: text(Member::UserAgent),
            error_code: text(Member::ErrorCode),
            request_id: text(Member::RequestId),
            shared_event_id: text(Member::SharedEventId),
            vpc_endpoint_id: text(Member::VpcEndpointId),
            error_message,
            read_only: rest.flag(record, Member::ReadOnly),
            management_event: rest.flag(record, Member::ManagementEvent),
            from_console: rest.text_flag(record, Member::SessionCredentialFromConsole),
            request_parameters: rest.json(record, Member::RequestParameters)?,
            response_elements: rest.json(record, Member::ResponseElements)?,
            additional_event_data: rest.json(record, Member::AdditionalEventData)?,
            service_event_details: rest.json(record, Member::ServiceEventDetails)?,
            tls_details: rest.json(record, Member::TlsDetails)?,
            resources: rest.resources(record)?,
            aws_region,
            actor: identity.actor.clone(),
            identity: identity.clone(),
            extra: None,
            record_hash: 0,
        };
        if let Some(actor) = actor_of_sign_in(&event) {
            event.actor = actor;
        }
        rest.identity(record, &identity);
        for (name, value) in &record.others {
            rest.keep(name, value)?;
        }
        event.record_hash = rest.hash;
        event.event_id = event_id.unwrap_or_else(|| Cow::Owned(id_of_content(record)));
        event.extra = rest.finish();
        Ok(event)
    }

    fn identity(
        &mut self,
        record: &RawRecord,
        region: &str,
    ) -> Result<Arc<Identity>, json::TooDeep> {
        let raw = record.get(Member::UserIdentity);
        let known = self.identities.entry(arn::partition_of_region(region)).or_default();
        if let Some(identity) = known.get(raw.unwrap_or("")) {
            return Ok(identity.clone());
        }
        let identity = Arc::new(Identity::read(raw, region)?);
        if known.len() >= MOST_IDENTITIES {
            known.clear();
        }
        known.insert(raw.unwrap_or("").into(), identity.clone());
        Ok(identity)
    }
}

fn event_time(record: &RawRecord, rest: &mut Rest) -> Result<i64, NotAnEvent> {
    let raw = record.get(Member::EventTime).ok_or(NotAnEvent::NoTime)?;
    let shown = || raw.chars().take(40).collect::<String>();
    let text = raw::text(raw).ok_or_else(|| NotAnEvent::BadTime(shown()))?;
    let micros = time::parse_instant(&text).ok_or_else(|| NotAnEvent::BadTime(shown()))?;
    rest.hash_text(Member::EventTime, &text);
    if !time::is_canonical(&text) {
        rest.put(Member::EventTime.name(), Cow::Owned(Value::from(text.as_ref()).to_string()));
    }
    Ok(micros)
}

/// Sign-in events name a principal without key and creation date; see [`actor::of_sign_in`]. Other
/// events show their actor themselves.
fn actor_of_sign_in(event: &Event) -> Option<Actor> {
    let region = event.aws_region.as_deref().unwrap_or("");
    if !event.event_source.starts_with("signin.amazonaws.com") {
        return None;
    }
    let columns = &event.identity.columns;
    match event.event_name.as_ref() {
        _ if begins_console_session(event) && sign_in_succeeded(event) => {
            Some(actor::of_sign_in(columns, region, event.event_time))
        }
        "ConsoleLogin" | "SwitchRole" | "RenewRole" | "CheckMfa" => {
            Some(actor::of_failed_sign_in(columns))
        }
        _ if names_previous_principal(event) => Some(actor::of_failed_sign_in(columns)),
        _ => None,
    }
}

/// Whether a console session begins with the event, if it succeeds.
fn begins_console_session(event: &Event) -> bool {
    matches!(event.event_name.as_ref(), "ConsoleLogin" | "SwitchRole" | "RenewRole")
        || names_previous_principal(event)
}

/// Whether an event of the sign-in service is a hop of the console, under whatever name: it says from
/// which principal. Only leaving a role begins nothing.
pub fn names_previous_principal(event: &Event) -> bool {
    let says = |data: &str| data.contains("\"SwitchFrom\"");
    event.event_source.starts_with("signin.amazonaws.com")
        && event.event_name != "ExitRole"
        && event.additional_event_data.as_deref().is_some_and(says)
}

/// Whether a sign-in event reports success. Failures have `"ConsoleLogin": "Failure"` and an
/// `errorMessage`, but no `errorCode`.
/// Source: CloudTrail User Guide, "AWS Management Console sign-in events".
pub fn sign_in_succeeded(event: &Event) -> bool {
    let failed = event.response_elements.as_deref().is_some_and(|r| r.contains("\"Failure\""));
    event.error_code.is_none() && event.error_message.is_none() && !failed
}

/// An id for records of eventVersion 1.00, which have none: a hash of the content that is blind to
/// white space and order of members, because `Value` keeps members sorted.
fn id_of_content(record: &RawRecord) -> String {
    let mut whole: Map<String, Value> = Map::new();
    let known = Member::ALL.iter().filter_map(|m| Some((m.name(), record.get(*m)?)));
    let others = record.others.iter().map(|(name, value)| (name.as_ref(), *value));
    for (name, text) in known.chain(others) {
        let clean = json::canonical(text).map(|c| c.text.into_owned()).unwrap_or_default();
        let value = serde_json::from_str(&clean).unwrap_or(Value::String(clean));
        whole.insert(name.to_owned(), value);
    }
    let digest = Sha256::digest(Value::Object(whole).to_string().as_bytes());
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
