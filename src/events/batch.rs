//! Builds batches of **events**. The hot path of an ingest: one append a cell, no detours.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Int64Builder, ListBuilder, RecordBatch, StringBuilder,
    StructBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::DataType;

use super::EVENTS;
use crate::decode::{Event, Resource};
use crate::error::Result;
use crate::model::time;
use crate::table::build::finish_text;
use crate::table::{Kind, list_item, resource_fields};

/// Names of the columns that hold text, in the order in which [`text_cells`] gives their values.
const TEXT: [&str; 40] = [
    "event_id",
    "event_version",
    "event_source",
    "event_name",
    "event_type",
    "event_category",
    "aws_region",
    "recipient_account_id",
    "source_ip_address",
    "user_agent",
    "error_code",
    "error_message",
    "request_id",
    "shared_event_id",
    "vpc_endpoint_id",
    "identity_type",
    "principal_id",
    "principal_arn",
    "account_id",
    "access_key_id",
    "user_name",
    "invoked_by",
    "identity_provider",
    "on_behalf_of_user_id",
    "session_issuer_type",
    "session_issuer_arn",
    "session_issuer_principal_id",
    "session_issuer_account_id",
    "session_issuer_user_name",
    "source_identity",
    "ec2_role_delivery",
    "sign_in_session_arn",
    "request_parameters",
    "response_elements",
    "additional_event_data",
    "service_event_details",
    "tls_details",
    "extra",
    "session_id",
    "credential_id",
];

fn text_cells<'e>(event: &'e Event) -> [Option<&'e str>; TEXT.len()] {
    let identity = &event.identity.columns;
    [
        Some(&event.event_id),
        event.event_version.as_deref(),
        Some(event.event_source.as_ref()).filter(|text| !text.is_empty()),
        Some(event.event_name.as_ref()).filter(|text| !text.is_empty()),
        event.event_type.as_deref(),
        event.event_category.as_deref(),
        event.aws_region.as_deref(),
        event.recipient_account_id.as_deref(),
        event.source_ip_address.as_deref(),
        event.user_agent.as_deref(),
        event.error_code.as_deref(),
        event.error_message.as_deref(),
        event.request_id.as_deref(),
        event.shared_event_id.as_deref(),
        event.vpc_endpoint_id.as_deref(),
        identity.identity_type.as_deref(),
        identity.principal_id.as_deref(),
        identity.principal_arn.as_deref(),
        identity.account_id.as_deref(),
        identity.access_key_id.as_deref(),
        identity.user_name.as_deref(),
        identity.invoked_by.as_deref(),
        identity.identity_provider.as_deref(),
        identity.on_behalf_of_user_id.as_deref(),
        identity.session_issuer_type.as_deref(),
        identity.session_issuer_arn.as_deref(),
        identity.session_issuer_principal_id.as_deref(),
        identity.session_issuer_account_id.as_deref(),
        identity.session_issuer_user_name.as_deref(),
        identity.source_identity.as_deref(),
        identity.ec2_role_delivery.as_deref(),
        identity.sign_in_session_arn.as_deref(),
        event.request_parameters.as_deref(),
        event.response_elements.as_deref(),
        event.additional_event_data.as_deref(),
        event.service_event_details.as_deref(),
        event.tls_details.as_deref(),
        event.extra.as_deref(),
        event.actor.session_id.as_deref(),
        Some(&event.actor.credential_id),
    ]
}

/// Collects events and gives them back as Arrow batches of the **events** table.
pub struct EventsBuilder {
    text: Vec<StringBuilder>,
    event_time: TimestampMicrosecondBuilder,
    event_date: Date32Builder,
    session_created_at: TimestampMicrosecondBuilder,
    read_only: BooleanBuilder,
    management_event: BooleanBuilder,
    mfa_authenticated: BooleanBuilder,
    assumed_root: BooleanBuilder,
    from_console: BooleanBuilder,
    resources: ListBuilder<StructBuilder>,
    record_hash: Int64Builder,
    source_file: StringBuilder,
    source_record: Int64Builder,
}

impl Default for EventsBuilder {
    fn default() -> Self {
        let instant = || TimestampMicrosecondBuilder::new().with_timezone("UTC");
        EventsBuilder {
            text: TEXT.iter().map(|_| StringBuilder::new()).collect(),
            event_time: instant(),
            event_date: Date32Builder::new(),
            session_created_at: instant(),
            read_only: BooleanBuilder::new(),
            management_event: BooleanBuilder::new(),
            mfa_authenticated: BooleanBuilder::new(),
            assumed_root: BooleanBuilder::new(),
            from_console: BooleanBuilder::new(),
            resources: ListBuilder::new(StructBuilder::from_fields(resource_fields(), 0))
                .with_field(list_item(DataType::Struct(resource_fields()))),
            record_hash: Int64Builder::new(),
            source_file: StringBuilder::new(),
            source_record: Int64Builder::new(),
        }
    }
}

impl EventsBuilder {
    /// Appends one event and where it was read.
    pub fn push(&mut self, event: &Event, source_file: &str, source_record: i64) {
        for (builder, cell) in self.text.iter_mut().zip(text_cells(event)) {
            builder.append_option(cell);
        }
        let identity = &event.identity.columns;
        self.event_time.append_value(event.event_time);
        self.event_date.append_value(time::day_of(event.event_time));
        self.session_created_at.append_option(identity.session_created_at);
        self.read_only.append_option(event.read_only);
        self.management_event.append_option(event.management_event);
        self.mfa_authenticated.append_option(identity.mfa_authenticated);
        self.assumed_root.append_option(identity.assumed_root);
        self.from_console.append_option(event.from_console);
        self.push_resources(event.resources.as_deref());
        self.record_hash.append_value(event.record_hash.cast_signed());
        self.source_file.append_value(source_file);
        self.source_record.append_value(source_record);
    }

    fn push_resources(&mut self, resources: Option<&[Resource]>) {
        let structs = self.resources.values();
        for resource in resources.unwrap_or(&[]) {
            for (i, cell) in
                [&resource.arn, &resource.account_id, &resource.kind].into_iter().enumerate()
            {
                if let Some(builder) = structs.field_builder::<StringBuilder>(i) {
                    builder.append_option(cell.as_deref());
                }
            }
            structs.append(true);
        }
        self.resources.append(resources.is_some());
    }

    /// Events appended since the last [`EventsBuilder::finish`].
    pub fn rows(&self) -> usize {
        self.source_record.values_slice().len()
    }

    /// The events so far as one batch; the builder is empty afterwards.
    ///
    /// # Errors
    /// Arrow's, if columns and schema disagree: a defect of ours.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        let mut text: std::collections::HashMap<&str, ArrayRef> = TEXT
            .iter()
            .zip(&mut self.text)
            .map(|(name, builder)| (*name, Arc::new(finish_text(builder)) as ArrayRef))
            .collect();
        let columns = EVENTS.columns.iter().filter_map(|column| match (column.name, column.kind) {
            ("event_time", _) => Some(Arc::new(self.event_time.finish()) as ArrayRef),
            ("event_date", _) => Some(Arc::new(self.event_date.finish())),
            ("session_created_at", _) => Some(Arc::new(self.session_created_at.finish())),
            ("read_only", _) => Some(Arc::new(self.read_only.finish())),
            ("management_event", _) => Some(Arc::new(self.management_event.finish())),
            ("mfa_authenticated", _) => Some(Arc::new(self.mfa_authenticated.finish())),
            ("assumed_root", _) => Some(Arc::new(self.assumed_root.finish())),
            ("from_console", _) => Some(Arc::new(self.from_console.finish())),
            ("record_hash", _) => Some(Arc::new(self.record_hash.finish())),
            ("source_file", _) => Some(Arc::new(self.source_file.finish())),
            ("source_record", _) => Some(Arc::new(self.source_record.finish())),
            (_, Kind::Resources) => Some(Arc::new(self.resources.finish())),
            (name, _) => text.remove(name),
        });
        let columns = columns.collect();
        Ok(RecordBatch::try_new(EVENTS.schema(), columns)?)
    }
}
