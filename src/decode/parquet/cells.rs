//! Cells of Parquet as the text that a record has for them.

use std::borrow::Cow;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, MapArray, StringViewArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Number, Value};
use std::sync::Arc;

/// What a value takes in memory beside its text.
const VALUE_BYTES: usize = size_of::<Value>();

/// Why a cell has no text.
pub(super) enum Odd {
    TooLong,
    Lossy(String),
}

/// The schema with texts and bytes as views.
pub(super) fn with_views(schema: &Schema) -> Schema {
    Schema::new(views(schema.fields()))
}

fn views(fields: &Fields) -> Fields {
    fields.iter().map(view).collect()
}

fn view(field: &FieldRef) -> FieldRef {
    let kind = match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Struct(fields) => DataType::Struct(views(fields)),
        DataType::List(entry) => DataType::List(view(entry)),
        DataType::LargeList(entry) => DataType::LargeList(view(entry)),
        DataType::Map(entries, sorted) => DataType::Map(view(entries), *sorted),
        other => other.clone(),
    };
    let changed: Field = field.as_ref().clone().with_data_type(kind);
    Arc::new(changed)
}

/// The text of a cell; `None` for NULL. `left` is what may still be said of the row.
pub(super) fn text<'c>(
    column: &'c ArrayRef,
    row: usize,
    left: &mut usize,
) -> Result<Option<Cow<'c, str>>, Odd> {
    if column.is_null(row) {
        return Ok(None);
    }
    if let Some(texts) = column.as_any().downcast_ref::<StringViewArray>() {
        let text = texts.value(row);
        take(left, text.len())?;
        return Ok(Some(Cow::Borrowed(text)));
    }
    let value = value(column.as_ref(), row, left)?;
    Ok(match value {
        Value::Null => None,
        Value::String(text) => Some(Cow::Owned(text)),
        other => Some(Cow::Owned(other.to_string())),
    })
}

fn take(left: &mut usize, bytes: usize) -> Result<(), Odd> {
    *left = left.checked_sub(bytes).ok_or(Odd::TooLong)?;
    Ok(())
}

fn value(array: &dyn Array, row: usize, left: &mut usize) -> Result<Value, Odd> {
    take(left, VALUE_BYTES)?;
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    let any = array.as_any();
    if let Some(texts) = any.downcast_ref::<StringViewArray>() {
        take(left, texts.value(row).len())?;
        return Ok(Value::from(texts.value(row)));
    }
    if let Some(bytes) = any.downcast_ref::<BinaryViewArray>() {
        // Some writers do not say that their bytes are text.
        take(left, bytes.value(row).len())?;
        let text = std::str::from_utf8(bytes.value(row));
        return text.map(Value::from).map_err(|_| Odd::Lossy("invalid UTF-8".to_owned()));
    }
    if let Some(flags) = any.downcast_ref::<BooleanArray>() {
        return Ok(Value::from(flags.value(row)));
    }
    if let Some(members) = any.downcast_ref::<StructArray>() {
        return object(members, row, left);
    }
    if let Some(map) = any.downcast_ref::<MapArray>() {
        return entries(map, row, left);
    }
    match array.data_type() {
        DataType::List(_) => list(&array.as_list::<i32>().value(row), left),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row), left),
        DataType::Timestamp(_, _) => instant(array, row)
            .map(Value::from)
            .ok_or_else(|| Odd::Lossy("a time out of range".to_owned())),
        kind => number_or_text(array, row, kind),
    }
}

/// What a struct has no value for, the record did not have.
fn object(members: &StructArray, row: usize, left: &mut usize) -> Result<Value, Odd> {
    let mut object = Map::new();
    for (field, column) in members.fields().iter().zip(members.columns()) {
        let value = value(column.as_ref(), row, left)?;
        take(left, field.name().len())?;
        if !value.is_null() && object.insert(field.name().clone(), value).is_some() {
            return Err(Odd::Lossy(format!("two columns named {}", field.name())));
        }
    }
    Ok(Value::Object(object))
}

fn entries(map: &MapArray, row: usize, left: &mut usize) -> Result<Value, Odd> {
    let entries = map.value(row);
    let (keys, values) = (entries.column(0), entries.column(1));
    let mut object = Map::new();
    for entry in 0..entries.len() {
        let key = match value(keys.as_ref(), entry, left)? {
            Value::String(key) => key,
            other => other.to_string(),
        };
        let value = value(values.as_ref(), entry, left)?;
        if object.insert(key, value).is_some() {
            return Err(Odd::Lossy("a map with one key twice".to_owned()));
        }
    }
    Ok(Value::Object(object))
}

fn list(entries: &ArrayRef, left: &mut usize) -> Result<Value, Odd> {
    let entry = |n| value(entries.as_ref(), n, left);
    Ok(Value::Array((0..entries.len()).map(entry).collect::<Result<_, _>>()?))
}

/// As CloudTrail writes times: UTC, and no more digits than there are.
fn instant(array: &dyn Array, row: usize) -> Option<String> {
    let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let one = array.slice(row, 1);
    // Times far away have no nanoseconds.
    let time = match array.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let number = cast(&cast(&one, &nanos).ok()?, &DataType::Int64).ok()?;
            DateTime::from_timestamp_nanos(first(&number)?)
        }
        _ => {
            let number = cast(&cast(&one, &micros).ok()?, &DataType::Int64).ok()?;
            DateTime::from_timestamp_micros(first(&number)?)?
        }
    };
    Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

fn first(numbers: &ArrayRef) -> Option<i64> {
    let numbers = numbers.as_primitive_opt::<arrow::datatypes::Int64Type>()?;
    (!numbers.is_empty() && numbers.is_valid(0)).then(|| numbers.value(0))
}

fn number_or_text(array: &dyn Array, row: usize, kind: &DataType) -> Result<Value, Odd> {
    let options = FormatOptions::default();
    let shown = ArrayFormatter::try_new(array, &options);
    let shown = shown.and_then(|f| f.value(row).try_to_string());
    let shown =
        shown.map_err(|_| Odd::Lossy(format!("a column of {kind}, which no record has")))?;
    let number = kind.is_numeric().then(|| shown.parse::<Number>().ok()).flatten();
    Ok(number.map_or_else(|| Value::from(shown), Value::Number))
}
