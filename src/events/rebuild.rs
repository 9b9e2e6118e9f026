//! From a row of **events** back to its record: every member as it was, session tokens excepted.

use arrow::array::{
    Array, BooleanArray, Int64Array, ListArray, RecordBatch, StructArray, TimestampMicrosecondArray,
};
use arrow::array::{StringArray, StringViewArray};
use serde_json::{Map, Value};

use crate::decode::identity::{IdentityColumns, merge};
use crate::decode::raw::Member;
use crate::model::time;

/// Text columns and the record's member they hold.
const TEXT_MEMBERS: &[(&str, Member)] = &[
    ("event_version", Member::EventVersion),
    ("event_source", Member::EventSource),
    ("event_name", Member::EventName),
    ("event_type", Member::EventType),
    ("event_category", Member::EventCategory),
    ("aws_region", Member::AwsRegion),
    ("recipient_account_id", Member::RecipientAccountId),
    ("source_ip_address", Member::SourceIpAddress),
    ("user_agent", Member::UserAgent),
    ("error_code", Member::ErrorCode),
    ("error_message", Member::ErrorMessage),
    ("request_id", Member::RequestId),
    ("shared_event_id", Member::SharedEventId),
    ("vpc_endpoint_id", Member::VpcEndpointId),
];

const JSON_MEMBERS: &[(&str, Member)] = &[
    ("request_parameters", Member::RequestParameters),
    ("response_elements", Member::ResponseElements),
    ("additional_event_data", Member::AdditionalEventData),
    ("service_event_details", Member::ServiceEventDetails),
    ("tls_details", Member::TlsDetails),
];

/// The record behind row `row` of a batch that has all columns of **events**.
pub fn record(batch: &RecordBatch, row: usize) -> Value {
    let cells = Cells { batch, row };
    let mut record: Map<String, Value> = Map::new();
    let mut put = |member: Member, value: Option<Value>| {
        if let Some(value) = value {
            record.insert(member.name().to_owned(), value);
        }
    };
    for (column, member) in TEXT_MEMBERS {
        put(*member, cells.text(column).map(Value::from));
    }
    for (column, member) in JSON_MEMBERS {
        let value =
            cells.text(column).map(|text| serde_json::from_str(&text).unwrap_or(text.into()));
        put(*member, value);
    }
    let id = cells.text("event_id").filter(|id| !id.starts_with("sha256:"));
    put(Member::EventId, id.map(Value::from));
    put(Member::EventTime, cells.instant("event_time").map(|t| time::format_instant(t).into()));
    put(Member::ReadOnly, cells.flag("read_only").map(Value::from));
    put(Member::ManagementEvent, cells.flag("management_event").map(Value::from));
    let console = cells.flag("from_console").map(|flag| Value::from(flag.to_string()));
    put(Member::SessionCredentialFromConsole, console);
    put(Member::Resources, cells.resources());
    let identity = cells.identity().write();
    let named = identity.as_object().is_some_and(|members| !members.is_empty());
    put(Member::UserIdentity, named.then_some(identity));
    let extra = cells.text("extra").and_then(|text| serde_json::from_str(&text).ok());
    lay_over(Value::Object(record), extra)
}

/// `extra` replaces members, except for the identity block, into which it is merged.
fn lay_over(record: Value, extra: Option<Value>) -> Value {
    let (Value::Object(mut record), Some(Value::Object(extra))) = (record.clone(), extra) else {
        return record;
    };
    for (name, value) in extra {
        let merged = match record.remove(&name) {
            Some(known) if name == Member::UserIdentity.name() => merge(known, Some(value)),
            _ => value,
        };
        record.insert(name, merged);
    }
    Value::Object(record)
}

/// Typed access to the cells of one row.
struct Cells<'b> {
    batch: &'b RecordBatch,
    row: usize,
}

impl Cells<'_> {
    fn column<T: Array + 'static>(&self, name: &str) -> Option<&T> {
        let column = self.batch.column_by_name(name)?.as_any().downcast_ref::<T>()?;
        column.is_valid(self.row).then_some(column)
    }

    fn text(&self, name: &str) -> Option<String> {
        // Tables read back through the SQL engine come with view arrays.
        let plain = self.column::<StringArray>(name).map(|c| c.value(self.row).to_owned());
        plain.or_else(|| Some(self.column::<StringViewArray>(name)?.value(self.row).to_owned()))
    }

    fn instant(&self, name: &str) -> Option<i64> {
        Some(self.column::<TimestampMicrosecondArray>(name)?.value(self.row))
    }

    fn flag(&self, name: &str) -> Option<bool> {
        Some(self.column::<BooleanArray>(name)?.value(self.row))
    }

    fn resources(&self) -> Option<Value> {
        let entries = self.column::<ListArray>("resources")?.value(self.row);
        let entries = entries.as_any().downcast_ref::<StructArray>()?;
        let schema = arrow::datatypes::Schema::new(entries.fields().clone());
        let batch = RecordBatch::try_new(schema.into(), entries.columns().to_vec()).ok();
        let list = (0..entries.len()).map(|row| {
            let cells = batch.as_ref().map(|batch| Cells { batch, row });
            let member = |name: &str| cells.as_ref().and_then(|c| c.text(name));
            let members = [("ARN", "arn"), ("accountId", "account_id"), ("type", "type")];
            let object: Map<String, Value> = members
                .iter()
                .filter_map(|(name, column)| Some(((*name).to_owned(), member(column)?.into())))
                .collect();
            Value::Object(object)
        });
        Some(Value::Array(list.collect()))
    }

    fn identity(&self) -> IdentityColumns {
        IdentityColumns {
            identity_type: self.text("identity_type"),
            principal_id: self.text("principal_id"),
            principal_arn: self.text("principal_arn"),
            account_id: self.text("account_id"),
            access_key_id: self.text("access_key_id"),
            user_name: self.text("user_name"),
            invoked_by: self.text("invoked_by"),
            identity_provider: self.text("identity_provider"),
            on_behalf_of_user_id: self.text("on_behalf_of_user_id"),
            session_issuer_type: self.text("session_issuer_type"),
            session_issuer_arn: self.text("session_issuer_arn"),
            session_issuer_principal_id: self.text("session_issuer_principal_id"),
            session_issuer_account_id: self.text("session_issuer_account_id"),
            session_issuer_user_name: self.text("session_issuer_user_name"),
            source_identity: self.text("source_identity"),
            ec2_role_delivery: self.text("ec2_role_delivery"),
            sign_in_session_arn: self.text("sign_in_session_arn"),
            session_created_at: self.instant("session_created_at"),
            mfa_authenticated: self.flag("mfa_authenticated"),
            assumed_root: self.flag("assumed_root"),
            identity_store_arn: None, // stands in what has no column
        }
    }
}

/// The file and record number a row was read from.
pub fn source(batch: &RecordBatch, row: usize) -> (Option<String>, Option<i64>) {
    let cells = Cells { batch, row };
    let number = cells.column::<Int64Array>("source_record").map(|c| c.value(row));
    (cells.text("source_file"), number)
}
