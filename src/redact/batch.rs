//! Rows of tables and answers, column by column.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema};

use super::{Of, Redactor};
use crate::error::Result;

/// How the text of a column is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Not at all.
    Keep,
    Text,
    Json,
    Message,
    Agent,
    Path,
    /// An id that is a hash of whom it is about: another hash.
    Id,
    /// The value is left out.
    Nothing,
}

/// Text columns of the tables that tell of nobody.
#[rustfmt::skip]
const KEPT: &[&str] = &[
    "action", "addendum_event_id", "aws_region", "aws_regions", "caller_type", "chain_strength",
    "contradictions", "denial_cause", "denied_action", "ec2_role_delivery", "error_code", "etag",
    "event_category", "event_id", "event_name", "event_source", "event_sources", "event_type",
    "event_version", "grant_event_id", "identity_type", "invoked_by", "issued_by_kind", "kind",
    "link_rule", "link_strength", "origin_type", "outcome", "position", "proof_event_id",
    "request_id", "role_kind", "rule", "session_issuer_type", "sha256", "shared_event_id",
    "state", "status", "strength", "transitive_tag_keys", "twin_event_id", "unresolved_reason",
    "version_id",
];

fn how(column: &str) -> How {
    match column {
        name if KEPT.contains(&name) => How::Keep,
        "user_agent" | "user_agents" => How::Agent,
        "error_message" | "reason" | "origin_detail" | "failure" => How::Message,
        "source_file" | "path" => How::Path,
        "content" => How::Nothing,
        "request_parameters"
        | "response_elements"
        | "additional_event_data"
        | "service_event_details"
        | "tls_details"
        | "extra"
        | "tags"
        | "incoming_transitive_tags"
        | "session_policy"
        | "session_tags"
        | "transitive_tags" => How::Json,
        name if name.ends_with("session_id") || name.ends_with("credential_id") => How::Id,
        _ => How::Text,
    }
}

impl Redactor {
    /// Rows of a table or of any answer. Columns are known by their names; the text of one that is not
    /// known is replaced like a name. Numbers, times and flags stay, and so do hashes of files;
    /// `record_hash` and the ids of sessions and credentials, which are made from names, become others.
    ///
    /// # Errors
    /// Arrow's: a defect of ours.
    pub fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let schema = batch.schema();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
        let mut fields: Vec<Arc<Field>> = Vec::with_capacity(batch.num_columns());
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            let column = self.column(field.name(), column)?;
            let field = field.as_ref().clone().with_data_type(column.data_type().clone());
            fields.push(Arc::new(field.with_nullable(true)));
            columns.push(column);
        }
        let schema = Schema::new_with_metadata(fields, schema.metadata().clone());
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(schema), columns, &options)?)
    }

    fn column(&self, name: &str, column: &ArrayRef) -> Result<ArrayRef> {
        let how = how(name);
        match column.data_type() {
            DataType::Int64 if name == "record_hash" => {
                let numbers = column.as_primitive::<Int64Type>().iter();
                let other = |n: i64| {
                    let digest = self.digest(Of::Hash, &n.to_string());
                    digest.iter().take(8).fold(0i64, |n, b| (n << 8) | i64::from(*b))
                };
                Ok(Arc::new(numbers.map(|n| n.map(other)).collect::<Int64Array>()))
            }
            _ if how == How::Keep => Ok(column.clone()),
            DataType::Utf8View | DataType::LargeUtf8 | DataType::Dictionary(..) => {
                let is_text = match column.data_type() {
                    DataType::Dictionary(_, values) => values.is_string(),
                    _ => true,
                };
                if !is_text {
                    return Ok(column.clone());
                }
                self.column(name, &cast(column, &DataType::Utf8)?)
            }
            DataType::Utf8 => {
                let texts = column.as_string::<i32>().iter();
                let texts = texts.map(|text| text.and_then(|text| self.by(how, text)));
                Ok(Arc::new(texts.collect::<StringArray>()))
            }
            DataType::List(_) => {
                let list = column.as_list::<i32>();
                let values = self.column(name, list.values())?;
                let DataType::List(item) = column.data_type() else { return Ok(column.clone()) };
                let item = item.as_ref().clone().with_data_type(values.data_type().clone());
                let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
                Ok(Arc::new(ListArray::try_new(Arc::new(item), offsets, values, nulls)?))
            }
            DataType::LargeList(item) | DataType::ListView(item) => {
                self.column(name, &cast(column, &DataType::List(item.clone()))?)
            }
            DataType::Struct(members) => {
                let parts = column.as_struct();
                let mut columns = Vec::new();
                let mut fields = Vec::new();
                for (member, values) in members.iter().zip(parts.columns()) {
                    // The kind of a resource is one of AWS's words.
                    let kept = name == "resources" && member.name() == "type";
                    let values =
                        if kept { values.clone() } else { self.column(member.name(), values)? };
                    let field = member.as_ref().clone().with_data_type(values.data_type().clone());
                    fields.push(Arc::new(field.with_nullable(true)));
                    columns.push(values);
                }
                Ok(Arc::new(StructArray::try_new(fields.into(), columns, parts.nulls().cloned())?))
            }
            // What cannot be looked into is not let through.
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
            | DataType::Map(..)
            | DataType::Union(..)
            | DataType::FixedSizeList(..)
            | DataType::LargeListView(_)
            | DataType::RunEndEncoded(..) => {
                Ok(arrow::array::new_null_array(column.data_type(), column.len()))
            }
            _ => Ok(column.clone()),
        }
    }

    fn by(&self, how: How, text: &str) -> Option<String> {
        Some(match how {
            How::Keep => text.to_owned(),
            How::Text => self.text(text),
            How::Json => self.json(text),
            How::Message => self.message(text),
            How::Agent => self.agent(text),
            How::Path => self.path(text),
            How::Id => {
                let (prefix, rest) = text.split_once('-').unwrap_or(("", text));
                format!("{prefix}-{}", self.letters(Of::Id, text, rest.len().max(16)))
            }
            How::Nothing => return None,
        })
    }
}
