//! One value of an Arrow column as text or as JSON, for every format that writes text.

use std::fmt::Write;
use std::ops::Range;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, GenericListArray, LargeStringArray, OffsetSizeTrait,
    StringArray, StringViewArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float16Type, Float32Type, Float64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, SecondsFormat, Utc};

use super::safe;
use crate::error::Result;

/// Reads values of one array; made once for each column of a batch, so that the type is looked at
/// once and not for every value.
pub(super) struct Cells<'a> {
    array: &'a dyn Array,
    kind: Kind<'a>,
}

enum Kind<'a> {
    Null,
    Bool(&'a BooleanArray),
    Text(Box<dyn Fn(usize) -> &'a str + 'a>),
    /// Written as it is in JSON.
    Number(ArrayFormatter<'a>),
    /// A number, but not always one that JSON knows.
    Float(ArrayFormatter<'a>, Box<dyn Fn(usize) -> bool + 'a>),
    Time(Box<dyn Fn(usize) -> Option<DateTime<Utc>> + 'a>, Zone),
    /// Dates, intervals, bytes, maps: text that arrow makes.
    Other(ArrayFormatter<'a>),
    List(Box<dyn Fn(usize) -> Range<usize> + 'a>, Box<Cells<'a>>),
    Struct(Vec<(&'a str, Cells<'a>)>),
    /// Each row stands for one row of another array.
    Dictionary(Vec<usize>, Box<Cells<'a>>),
}

/// Whether a timestamp names an instant or only what a clock somewhere showed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zone {
    Utc,
    Unknown,
}

/// Whether values of this type are shown flush right.
pub(super) fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_number(values),
        other => other.is_numeric(),
    }
}

impl<'a> Cells<'a> {
    pub(super) fn new(array: &'a ArrayRef) -> Result<Cells<'a>> {
        let array: &'a dyn Array = array.as_ref();
        let kind = match array.data_type() {
            DataType::Null => Kind::Null,
            DataType::Boolean => Kind::Bool(array.as_boolean()),
            DataType::Utf8 => text(array.as_string::<i32>() as &StringArray),
            DataType::LargeUtf8 => {
                let a: &LargeStringArray = array.as_string::<i64>();
                Kind::Text(Box::new(move |row| a.value(row)))
            }
            DataType::Utf8View => {
                let a: &StringViewArray = array.as_string_view();
                Kind::Text(Box::new(move |row| a.value(row)))
            }
            DataType::Float16 => float(array, finite::<Float16Type>(array, |v| v.is_finite()))?,
            DataType::Float32 => float(array, finite::<Float32Type>(array, |v| v.is_finite()))?,
            DataType::Float64 => float(array, finite::<Float64Type>(array, |v| v.is_finite()))?,
            t if t.is_numeric() => Kind::Number(formatter(array)?),
            DataType::Timestamp(unit, zone) => {
                let zone = if zone.is_some() { Zone::Utc } else { Zone::Unknown };
                Kind::Time(instant(array, *unit), zone)
            }
            DataType::List(_) => list(array.as_list::<i32>())?,
            DataType::LargeList(_) => list(array.as_list::<i64>())?,
            DataType::FixedSizeList(_, size) => {
                let size = usize::try_from(*size).unwrap_or(0);
                let values = Cells::new(array.as_fixed_size_list().values())?;
                Kind::List(Box::new(move |row| row * size..(row + 1) * size), Box::new(values))
            }
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns();
                let cells = fields
                    .iter()
                    .zip(columns)
                    .map(|(f, c)| Ok((f.name().as_str(), Cells::new(c)?)));
                Kind::Struct(cells.collect::<Result<_>>()?)
            }
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary();
                let values = Cells::new(dictionary.values())?;
                Kind::Dictionary(dictionary.normalized_keys(), Box::new(values))
            }
            _ => Kind::Other(formatter(array)?),
        };
        Ok(Cells { array, kind })
    }

    /// Whether the value is NULL.
    pub(super) fn is_null(&self, row: usize) -> bool {
        match &self.kind {
            Kind::Null => true,
            Kind::Dictionary(keys, values) => self.array.is_null(row) || values.is_null(keys[row]),
            _ => self.array.is_null(row),
        }
    }

    /// Whether the value's text comes, or may come, from a log, so that it must be neutralised.
    pub(super) fn is_free_text(&self) -> bool {
        match &self.kind {
            Kind::Text(_) | Kind::List(..) | Kind::Struct(_) => true,
            Kind::Dictionary(_, values) => values.is_free_text(),
            // Maps, unions and other guests of a query may hold text.
            Kind::Other(_) => !self.array.data_type().is_temporal(),
            _ => false,
        }
    }

    /// Appends the value as JSON.
    pub(super) fn push_json(&self, out: &mut String, row: usize) {
        if self.is_null(row) {
            return out.push_str("null");
        }
        match &self.kind {
            Kind::Text(value) => safe::push_json(out, value(row)),
            Kind::Float(_, finite) if !finite(row) => out.push_str("null"),
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Float(..) => {
                self.push_scalar(out, row);
            }
            Kind::Time(..) | Kind::Other(_) => {
                let mut text = String::new();
                self.push_scalar(&mut text, row);
                safe::push_json(out, &text);
            }
            Kind::List(range, values) => {
                out.push('[');
                for (i, item) in range(row).enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    values.push_json(out, item);
                }
                out.push(']');
            }
            Kind::Struct(fields) => {
                out.push('{');
                for (i, (name, values)) in fields.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    safe::push_json(out, name);
                    out.push(':');
                    values.push_json(out, row);
                }
                out.push('}');
            }
            Kind::Dictionary(keys, values) => values.push_json(out, keys[row]),
        }
    }

    /// Appends the value as text: nothing for NULL, JSON for lists and structs.
    pub(super) fn push_text(&self, out: &mut String, row: usize) {
        match &self.kind {
            _ if self.is_null(row) => {}
            Kind::Text(value) => out.push_str(value(row)),
            Kind::List(..) | Kind::Struct(_) => self.push_json(out, row),
            Kind::Dictionary(keys, values) => values.push_text(out, keys[row]),
            _ => self.push_scalar(out, row),
        }
    }

    /// Appends the value as people read it: as [`Cells::push_text`], but the items of a list one
    /// after the other with `between`.
    pub(super) fn push_shown(&self, out: &mut String, row: usize, between: &str) {
        match &self.kind {
            _ if self.is_null(row) => {}
            Kind::List(range, values) => {
                for (i, item) in range(row).enumerate() {
                    out.push_str(if i > 0 { between } else { "" });
                    values.push_text(out, item);
                }
            }
            Kind::Dictionary(keys, values) => values.push_shown(out, keys[row], between),
            _ => self.push_text(out, row),
        }
    }

    fn push_scalar(&self, out: &mut String, row: usize) {
        // Writing to a String cannot fail; a value that arrow cannot format stays empty.
        match &self.kind {
            Kind::Bool(values) => out.push_str(if values.value(row) { "true" } else { "false" }),
            Kind::Number(f) | Kind::Float(f, _) | Kind::Other(f) => {
                _ = write!(out, "{}", f.value(row))
            }
            Kind::Time(value, zone) => {
                if let Some(time) = value(row) {
                    out.push_str(&rfc3339(time, *zone));
                }
            }
            _ => {}
        }
    }
}

/// `2024-05-01T09:00:12Z`, with a fraction only when there is one; without `Z` when the value has no
/// time zone.
fn rfc3339(time: DateTime<Utc>, zone: Zone) -> String {
    let digits = match time.timestamp_subsec_nanos() {
        0 => SecondsFormat::Secs,
        nanos if nanos % 1000 == 0 => SecondsFormat::Micros,
        _ => SecondsFormat::Nanos,
    };
    let mut text = time.to_rfc3339_opts(digits, true);
    if zone == Zone::Unknown {
        text.pop();
    }
    text
}

fn formatter(array: &dyn Array) -> Result<ArrayFormatter<'_>> {
    static OPTIONS: FormatOptions<'static> = FormatOptions::new();
    Ok(ArrayFormatter::try_new(array, &OPTIONS)?)
}

fn text(array: &StringArray) -> Kind<'_> {
    Kind::Text(Box::new(move |row| array.value(row)))
}

fn float<'a>(array: &'a dyn Array, finite: Box<dyn Fn(usize) -> bool + 'a>) -> Result<Kind<'a>> {
    Ok(Kind::Float(formatter(array)?, finite))
}

fn finite<'a, T: ArrowPrimitiveType>(
    array: &'a dyn Array,
    is_finite: impl Fn(T::Native) -> bool + 'a,
) -> Box<dyn Fn(usize) -> bool + 'a> {
    let array = array.as_primitive::<T>();
    Box::new(move |row| is_finite(array.value(row)))
}

fn list<O: OffsetSizeTrait>(array: &GenericListArray<O>) -> Result<Kind<'_>> {
    let offsets = array.value_offsets();
    let range = move |row: usize| offsets[row].as_usize()..offsets[row + 1].as_usize();
    Ok(Kind::List(Box::new(range), Box::new(Cells::new(array.values())?)))
}

fn instant<'a>(
    array: &'a dyn Array,
    unit: TimeUnit,
) -> Box<dyn Fn(usize) -> Option<DateTime<Utc>> + 'a> {
    match unit {
        TimeUnit::Second => {
            let array = array.as_primitive::<TimestampSecondType>();
            Box::new(move |row| DateTime::from_timestamp(array.value(row), 0))
        }
        TimeUnit::Millisecond => {
            let array = array.as_primitive::<TimestampMillisecondType>();
            Box::new(move |row| DateTime::from_timestamp_millis(array.value(row)))
        }
        TimeUnit::Microsecond => {
            let array = array.as_primitive::<TimestampMicrosecondType>();
            Box::new(move |row| DateTime::from_timestamp_micros(array.value(row)))
        }
        TimeUnit::Nanosecond => {
            let array = array.as_primitive::<TimestampNanosecondType>();
            Box::new(move |row| Some(DateTime::from_timestamp_nanos(array.value(row))))
        }
    }
}
