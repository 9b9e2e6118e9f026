//! Small helpers over Arrow's builders, so that a table's writer reads as its column list.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Int64Builder,
    ListBuilder, RecordBatch, StringArray, StringBuilder, StructBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::DataType;

use super::{Kind, TableDef, list_item, resource_fields};
use crate::error::Result;

/// A cell on its way into a column; text is borrowed where it lives long enough.
#[derive(Debug, Clone, Default)]
pub enum Cell<'r> {
    /// SQL's NULL.
    #[default]
    Null,
    /// For [`Kind::Text`] and [`Kind::Json`].
    Text(Cow<'r, str>),
    /// For [`Kind::Binary`].
    Binary(Cow<'r, [u8]>),
    /// For [`Kind::Int`].
    Int(i64),
    /// For [`Kind::Bool`].
    Bool(bool),
    /// For [`Kind::Time`]: microseconds since 1970-01-01 UTC.
    Time(i64),
    /// For [`Kind::Date`]: days since 1970-01-01.
    Date(i32),
    /// For [`Kind::TextList`].
    List(Vec<Cow<'r, str>>),
}

impl<'r, T: Into<Cell<'r>>> From<Option<T>> for Cell<'r> {
    fn from(value: Option<T>) -> Cell<'r> {
        value.map_or(Cell::Null, Into::into)
    }
}
impl From<String> for Cell<'_> {
    fn from(value: String) -> Self {
        Cell::Text(Cow::Owned(value))
    }
}
impl<'r> From<&'r String> for Cell<'r> {
    fn from(value: &'r String) -> Cell<'r> {
        Cell::Text(Cow::Borrowed(value))
    }
}
impl<'r> From<&'r str> for Cell<'r> {
    fn from(value: &'r str) -> Cell<'r> {
        Cell::Text(Cow::Borrowed(value))
    }
}
impl<'r> From<Cow<'r, [u8]>> for Cell<'r> {
    fn from(value: Cow<'r, [u8]>) -> Cell<'r> {
        Cell::Binary(value)
    }
}
impl From<i64> for Cell<'_> {
    fn from(value: i64) -> Self {
        Cell::Int(value)
    }
}
impl From<bool> for Cell<'_> {
    fn from(value: bool) -> Self {
        Cell::Bool(value)
    }
}
impl From<Vec<String>> for Cell<'_> {
    fn from(value: Vec<String>) -> Self {
        Cell::List(value.into_iter().map(Cow::Owned).collect())
    }
}
impl<'r> From<&'r [String]> for Cell<'r> {
    fn from(value: &'r [String]) -> Cell<'r> {
        Cell::List(value.iter().map(|text| Cow::Borrowed(text.as_str())).collect())
    }
}
impl<'r> FromIterator<&'r str> for Cell<'r> {
    fn from_iter<T: IntoIterator<Item = &'r str>>(values: T) -> Cell<'r> {
        Cell::List(values.into_iter().map(Cow::Borrowed).collect())
    }
}

enum ColumnBuilder {
    Text(StringBuilder),
    Binary(BinaryBuilder),
    Int(Int64Builder),
    Bool(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
    Date(Date32Builder),
    List(ListBuilder<StringBuilder>),
    Resources(ListBuilder<StructBuilder>),
}

impl ColumnBuilder {
    fn new(kind: Kind) -> ColumnBuilder {
        match kind {
            Kind::Text | Kind::Json | Kind::Nested(_) => ColumnBuilder::Text(StringBuilder::new()),
            Kind::Binary => ColumnBuilder::Binary(BinaryBuilder::new()),
            Kind::Int => ColumnBuilder::Int(Int64Builder::new()),
            Kind::Bool => ColumnBuilder::Bool(BooleanBuilder::new()),
            Kind::Time => {
                ColumnBuilder::Time(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
            }
            Kind::Date => ColumnBuilder::Date(Date32Builder::new()),
            Kind::TextList => ColumnBuilder::List(
                ListBuilder::new(StringBuilder::new()).with_field(list_item(DataType::Utf8)),
            ),
            Kind::Resources => ColumnBuilder::Resources(
                ListBuilder::new(StructBuilder::from_fields(resource_fields(), 0))
                    .with_field(list_item(DataType::Struct(resource_fields()))),
            ),
        }
    }

    /// Appends; a cell of another kind than the column's is a defect of ours and becomes NULL in
    /// release builds.
    fn push(&mut self, cell: Cell) {
        match (self, cell) {
            (ColumnBuilder::Text(b), Cell::Text(v)) => b.append_value(v),
            (ColumnBuilder::Text(b), _) => b.append_null(),
            (ColumnBuilder::Binary(b), Cell::Binary(v)) => b.append_value(v),
            (ColumnBuilder::Binary(b), _) => b.append_null(),
            (ColumnBuilder::Int(b), Cell::Int(v)) => b.append_value(v),
            (ColumnBuilder::Int(b), _) => b.append_null(),
            (ColumnBuilder::Bool(b), Cell::Bool(v)) => b.append_value(v),
            (ColumnBuilder::Bool(b), _) => b.append_null(),
            (ColumnBuilder::Time(b), Cell::Time(v)) => b.append_value(v),
            (ColumnBuilder::Time(b), _) => b.append_null(),
            (ColumnBuilder::Date(b), Cell::Date(v)) => b.append_value(v),
            (ColumnBuilder::Date(b), _) => b.append_null(),
            (ColumnBuilder::List(b), Cell::List(v)) => {
                v.into_iter().for_each(|s| b.values().append_value(s));
                b.append(true);
            }
            (ColumnBuilder::List(b), _) => b.append(false),
            (ColumnBuilder::Resources(b), _) => b.append(false),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            ColumnBuilder::Text(b) => Arc::new(finish_text(b)),
            ColumnBuilder::Binary(b) => Arc::new(b.finish()),
            ColumnBuilder::Int(b) => Arc::new(b.finish()),
            ColumnBuilder::Bool(b) => Arc::new(b.finish()),
            ColumnBuilder::Time(b) => Arc::new(b.finish()),
            ColumnBuilder::Date(b) => Arc::new(b.finish()),
            ColumnBuilder::List(b) => Arc::new(b.finish()),
            ColumnBuilder::Resources(b) => Arc::new(b.finish()),
        }
    }
}

/// Finishes a column; its builder starts anew with room for as much again, because batches resemble
/// one another and growing means copying.
pub fn finish_text(builder: &mut StringBuilder) -> StringArray {
    let (rows, bytes) = (builder.len(), builder.values_slice().len());
    let array = builder.finish();
    *builder = StringBuilder::with_capacity(rows + rows / 8, bytes + bytes / 4);
    array
}

/// Builds batches of one table row by row. Meant for the small tables; events have a builder of
/// their own, because they are many.
pub struct RowsBuilder {
    def: &'static TableDef,
    columns: Vec<ColumnBuilder>,
    rows: usize,
}

impl RowsBuilder {
    /// An empty builder for `def`.
    pub fn new(def: &'static TableDef) -> RowsBuilder {
        let columns = def.columns.iter().map(|c| ColumnBuilder::new(c.kind)).collect();
        RowsBuilder { def, columns, rows: 0 }
    }

    /// Appends one row; `cells` are in the order of the table's columns and as many.
    pub fn push(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.columns.len(), "row width of {}", self.def.name);
        for (builder, cell) in self.columns.iter_mut().zip(cells) {
            builder.push(cell);
        }
        self.rows += 1;
    }

    /// Rows appended since the last [`RowsBuilder::finish`].
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The rows so far as one batch; the builder is empty afterwards.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        self.rows = 0;
        let arrays = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        Ok(RecordBatch::try_new(self.def.schema(), arrays)?)
    }
}
