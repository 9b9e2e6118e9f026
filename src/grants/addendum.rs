//! Late corrections: a second record of a call, under an event id of its own, that names the first
//! and the fields it puts right.
//!
//! Source: CloudTrail User Guide, "CloudTrail record contents", `addendum`. The form of
//! `updatedFields` (text or list) is not documented, so both are understood.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Grant;
use super::reading::text;
use crate::decode::Event;

/// What a record with an `addendum` of reason `UPDATED_DATA` says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    /// Event id of the record that it puts right.
    pub original_event_id: String,
    /// The members that it puts right; all of them when it does not say.
    pub fields: Vec<String>,
}

/// The correction that an event is, if it is one. Late delivery alone corrects nothing.
pub(super) fn of(event: &Event) -> Option<Correction> {
    let extra = event.extra.as_deref().filter(|extra| extra.contains("\"addendum\""))?;
    let extra: Value = serde_json::from_str(extra).ok()?;
    let addendum = &extra["addendum"];
    if text(&addendum["reason"])? != "UPDATED_DATA" {
        return None;
    }
    let original_event_id = text(&addendum["originalEventID"])?;
    let fields = match &addendum["updatedFields"] {
        Value::String(one) => one.split([',', ' ']).map(str::to_owned).collect(),
        Value::Array(several) => several.iter().filter_map(text).collect(),
        _ => Vec::new(),
    };
    let fields = fields.into_iter().filter(|field: &String| !field.is_empty()).collect();
    (original_event_id != event.event_id).then_some(Correction { original_event_id, fields })
}

impl Correction {
    /// Whether it puts this member of the record right; `responseElements.credentials` names
    /// `responseElements` too.
    fn names(&self, member: &str) -> bool {
        let whole = |field: &String| field.split('.').next() == Some(member);
        self.fields.is_empty() || self.fields.iter().any(whole)
    }
}

impl Grant {
    /// The event ids of this record and of the one that it puts right, if it does.
    pub fn correction(&self) -> Option<(&str, &str)> {
        Some((&self.event_id, &self.corrects.as_ref()?.original_event_id))
    }

    /// This grant with the members that a later record puts right taken from there.
    pub fn corrected_by(&self, later: &Grant, correction: &Correction) -> Grant {
        let mut grant = self.clone();
        let (request, response) =
            (correction.names("requestParameters"), correction.names("responseElements"));
        if request {
            grant.duration_seconds = later.duration_seconds;
            grant.external_id.clone_from(&later.external_id);
            grant.mfa_serial.clone_from(&later.mfa_serial);
            grant.tags.clone_from(&later.tags);
            grant.transitive_tag_keys.clone_from(&later.transitive_tag_keys);
            grant.incoming_transitive_tags.clone_from(&later.incoming_transitive_tags);
            grant.session_policy.clone_from(&later.session_policy);
        }
        if response {
            grant.issued_access_key_id.clone_from(&later.issued_access_key_id);
            grant.expires_at = later.expires_at;
            grant.child.principal_id.clone_from(&later.child.principal_id);
        }
        if request || response {
            // Read from either; the later record shows the whole call.
            let principal = grant.child.principal_id.take();
            grant.child.clone_from(&later.child);
            grant.child.principal_id = principal;
            grant.source_identity.clone_from(&later.source_identity);
            grant.principal.clone_from(&later.principal);
        }
        if correction.names("userIdentity") {
            grant.caller.clone_from(&later.caller);
            grant.console_made = later.console_made;
        }
        if correction.names("errorCode") || correction.names("errorMessage") {
            grant.denied = later.denied;
            grant.denial_cause.clone_from(&later.denial_cause);
            grant.denied_action.clone_from(&later.denied_action);
            grant.error_code.clone_from(&later.error_code);
            grant.error_message.clone_from(&later.error_message);
        }
        if correction.names("sharedEventID") {
            grant.shared_event_id.clone_from(&later.shared_event_id);
        }
        grant.addendum_event_id = Some(later.event_id.clone());
        grant
    }

    /// Whether two records of one call put the same things right.
    pub fn corrects_alike(&self, other: &Grant) -> bool {
        let said = |grant: &Grant| Grant {
            event_id: String::new(),
            record_hash: 0,
            source_file: String::new(),
            source_record: 0,
            corrects: grant.corrects.clone(),
            ..grant.clone()
        };
        said(self) == said(other)
    }
}
