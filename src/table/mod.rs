//! How a table describes itself: a name, a meaning, and columns that each carry their own meaning.
//!
//! Every table of the public contract owns one [`TableDef`]; the Arrow schema, `roletrail schema`
//! and the README's reference are all made from it, so they cannot drift apart. Knows nothing of
//! any particular table.

pub mod build;

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use crate::error::{Error, Result};

/// The kinds of value that our tables hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// Text that holds one JSON value, compact.
    Json,
    /// Bytes that only this program reads.
    Binary,
    /// A 64-bit signed whole number.
    Int,
    /// True or false.
    Bool,
    /// An instant: microseconds since 1970-01-01, UTC.
    Time,
    /// A day in UTC.
    Date,
    /// A list of text.
    TextList,
    /// A list of `{arn, account_id, type}`: CloudTrail's `resources`.
    Resources,
    /// Of views alone, which are made by SQL and never stored: structs and maps, named here.
    Nested(&'static str),
}

impl Kind {
    /// The Arrow type that stores this kind.
    pub fn arrow(self) -> DataType {
        match self {
            Kind::Text | Kind::Json | Kind::Nested(_) => DataType::Utf8,
            Kind::Binary => DataType::Binary,
            Kind::Int => DataType::Int64,
            Kind::Bool => DataType::Boolean,
            Kind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Date => DataType::Date32,
            Kind::TextList => DataType::List(list_item(DataType::Utf8)),
            Kind::Resources => DataType::List(list_item(DataType::Struct(resource_fields()))),
        }
    }

    /// The name shown to people, in SQL's words.
    pub fn sql_name(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Json => "json text",
            Kind::Binary => "bytea",
            Kind::Int => "bigint",
            Kind::Bool => "boolean",
            Kind::Time => "timestamp (us, UTC)",
            Kind::Date => "date",
            Kind::TextList => "list<text>",
            Kind::Resources => "list<struct<arn, account_id, type>>",
            Kind::Nested(name) => name,
        }
    }
}

/// The item field of every list we build; Delta Lake names it `element`.
pub fn list_item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, true))
}

/// The members of one entry of `resources`.
pub fn resource_fields() -> Fields {
    Fields::from(vec![
        Field::new("arn", DataType::Utf8, true),
        Field::new("account_id", DataType::Utf8, true),
        Field::new("type", DataType::Utf8, true),
    ])
}

/// One column: its name is public contract, its meaning is shown by `roletrail schema`.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Snake-case name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// One line of meaning, with the CloudTrail path it comes from where there is one.
    pub doc: &'static str,
}

/// Short form for the column lists.
pub const fn col(name: &'static str, kind: Kind, doc: &'static str) -> Column {
    Column { name, kind, doc }
}

/// One table of the contract.
#[derive(Debug, Clone, Copy)]
pub struct TableDef {
    /// Name in SQL and in the store.
    pub name: &'static str,
    /// What one row is.
    pub doc: &'static str,
    /// All columns, in order.
    pub columns: &'static [Column],
    /// The column the store partitions by, if any.
    pub partition_by: Option<&'static str>,
    /// Text columns that people look rows up by: they get bloom filters.
    pub lookup: &'static [&'static str],
    /// The columns a file is sorted by.
    pub sort_by: &'static [&'static str],
}

impl TableDef {
    /// The columns of an answer, which no store holds.
    pub const fn answer(name: &'static str, columns: &'static [Column]) -> TableDef {
        TableDef { name, doc: "", columns, partition_by: None, lookup: &[], sort_by: &[] }
    }

    /// The Arrow schema of the table, every column nullable.
    pub fn schema(&self) -> SchemaRef {
        let fields: Vec<Field> =
            self.columns.iter().map(|c| Field::new(c.name, c.kind.arrow(), true)).collect();
        Arc::new(Schema::new(fields))
    }
}

/// A column of a batch that we made ourselves.
///
/// # Errors
/// Arrow's, where it is missing or of another type: a defect of ours, or a table that somebody changed.
pub(crate) fn typed<'b, T: 'static>(batch: &'b RecordBatch, name: &str) -> Result<&'b T> {
    let column = batch.column_by_name(name).and_then(|c| c.as_any().downcast_ref::<T>());
    column.ok_or_else(|| {
        let message = format!("column {name} is missing or of another type");
        Error::Arrow(arrow::error::ArrowError::SchemaError(message))
    })
}
