//! Reading the rows of an answer by column name, whatever encoding the engine chose for them.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, TimeUnit, TimestampMicrosecondType};
use std::sync::Arc;

use crate::error::Result;
use crate::sql::{Params, Sql};

/// The values of a text column of a statement's rows, without NULLs.
///
/// # Errors
/// The engine's.
pub(super) async fn texts(
    sql: &Sql,
    statement: &str,
    params: Params,
    column: &str,
) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for batch in sql.rows(statement, params).await? {
        let rows = Rows::new(&batch)?;
        found.extend((0..rows.len()).filter_map(|row| rows.string(column, row)));
    }
    Ok(found)
}

/// One batch with columns of few types: text, whole numbers, instants, flags, lists of text.
pub struct Rows {
    names: Vec<String>,
    columns: Vec<ArrayRef>,
    len: usize,
}

impl Rows {
    /// Takes a batch as the engine gave it.
    ///
    /// # Errors
    /// Arrow's.
    pub fn new(batch: &RecordBatch) -> Result<Rows> {
        let names = batch.schema().fields().iter().map(|f| f.name().clone()).collect();
        let columns = batch.columns().iter().map(plain).collect::<Result<_>>()?;
        Ok(Rows { names, columns, len: batch.num_rows() })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn column(&self, name: &str, row: usize) -> Option<&ArrayRef> {
        let at = self.names.iter().position(|n| n == name)?;
        self.columns.get(at).filter(|column| !column.is_null(row))
    }

    /// Text; `None` for NULL and for columns that are not there.
    pub fn text(&self, name: &str, row: usize) -> Option<&str> {
        self.column(name, row)?.as_string_opt::<i32>().map(|c| c.value(row))
    }

    /// As [`Rows::text`], owned.
    pub fn string(&self, name: &str, row: usize) -> Option<String> {
        self.text(name, row).map(str::to_owned)
    }

    /// A whole number.
    pub fn int(&self, name: &str, row: usize) -> Option<i64> {
        self.column(name, row)?.as_primitive_opt::<Int64Type>().map(|c| c.value(row))
    }

    /// A count; NULL counts as none.
    pub fn count(&self, name: &str, row: usize) -> u64 {
        self.int(name, row).and_then(|n| u64::try_from(n).ok()).unwrap_or(0)
    }

    /// An instant, microseconds since 1970.
    pub fn time(&self, name: &str, row: usize) -> Option<i64> {
        self.column(name, row)?.as_primitive_opt::<TimestampMicrosecondType>().map(|c| c.value(row))
    }

    /// A flag.
    pub fn flag(&self, name: &str, row: usize) -> Option<bool> {
        self.column(name, row)?.as_boolean_opt().map(|c| c.value(row))
    }

    /// A list of text; NULL is an empty one.
    pub fn list(&self, name: &str, row: usize) -> Vec<String> {
        let list =
            self.column(name, row).and_then(|c| c.as_list_opt::<i32>().map(|c| c.value(row)));
        let Some(items) = list else { return Vec::new() };
        let Some(items) = items.as_string_opt::<i32>() else { return Vec::new() };
        items.iter().flatten().map(str::to_owned).collect()
    }
}

fn plain(column: &ArrayRef) -> Result<ArrayRef> {
    let is_text = |t: &DataType| matches!(t, DataType::Utf8View | DataType::LargeUtf8);
    let wanted = match column.data_type() {
        t if is_text(t) => DataType::Utf8,
        DataType::Dictionary(_, values) if is_text(values) || **values == DataType::Utf8 => {
            DataType::Utf8
        }
        t if t.is_integer() => DataType::Int64,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::List(item) | DataType::LargeList(item)
            if is_text(item.data_type()) || *item.data_type() == DataType::Utf8 =>
        {
            DataType::List(Arc::new(Field::new(item.name(), DataType::Utf8, true)))
        }
        _ => return Ok(column.clone()),
    };
    if *column.data_type() == wanted { Ok(column.clone()) } else { Ok(cast(column, &wanted)?) }
}
