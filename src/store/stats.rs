//! What a data file says about its content, so that readers can skip it: Delta Lake's per-file
//! statistics, and whether it is sorted.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, make_comparator};
use arrow::compute::{SortOptions, max, min};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::table::{Column, Kind, TableDef};

/// Text columns of few and short values that people filter by; worth their place in every
/// file's statistics besides times and sort columns.
const FILTERED_TEXT: &[&str] =
    &["account_id", "aws_region", "event_name", "event_source", "recipient_account_id"];

/// Longest text, in bytes, that is given as a minimum or maximum. Longer bounds are left out, not
/// cut: readers may take a bound for an exact value and answer `max(column)` from it.
const LONGEST_BOUND: usize = 64;

/// The columns whose statistics go into the Delta log: times, what files are sorted by, and the
/// short text that people filter by. The partition column needs none.
pub(super) fn columns(def: &TableDef) -> impl Iterator<Item = &'static Column> {
    let (partition_by, sort_by) = (def.partition_by, def.sort_by);
    def.columns.iter().filter(move |c| {
        let useful = match c.kind {
            Kind::Time => true,
            Kind::Text => sort_by.contains(&c.name) || FILTERED_TEXT.contains(&c.name),
            Kind::Int => sort_by.contains(&c.name),
            _ => false,
        };
        useful && partition_by != Some(c.name)
    })
}

/// Delta Lake's statistics of one file, as JSON.
pub(super) fn json(def: &TableDef, batches: &[RecordBatch]) -> String {
    let (mut mins, mut maxs, mut nulls) = (Map::new(), Map::new(), Map::new());
    for column in columns(def) {
        let arrays: Vec<_> = batches.iter().filter_map(|b| b.column_by_name(column.name)).collect();
        let null_count: usize = arrays.iter().map(|a| a.null_count()).sum();
        nulls.insert(column.name.to_owned(), json!(null_count));
        let (low, high) = match column.kind {
            Kind::Time => bounds(&arrays, |a| {
                let a = a.as_primitive::<TimestampMicrosecondType>();
                Some((min(a)?, max(a)?))
            })
            .map_or((None, None), |(low, high)| (time(low), time(high))),
            Kind::Int => bounds(&arrays, |a| {
                let a = a.as_primitive::<Int64Type>();
                Some((min(a)?, max(a)?))
            })
            .map_or((None, None), |(low, high)| (Some(json!(low)), Some(json!(high)))),
            _ => bounds(&arrays, |a| {
                let texts = a.as_string::<i32>();
                let low = texts.iter().flatten().min()?;
                Some((low, texts.iter().flatten().max()?))
            })
            .map_or((None, None), |(low, high)| (text(low), text(high))),
        };
        mins.extend(low.map(|v| (column.name.to_owned(), v)));
        maxs.extend(high.map(|v| (column.name.to_owned(), v)));
    }
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    json!({"numRecords": rows, "minValues": mins, "maxValues": maxs, "nullCount": nulls})
        .to_string()
}

/// Smallest and largest value over several arrays; `None` when there is no value at all.
fn bounds<'a, T: Ord>(
    arrays: &[&'a ArrayRef],
    of: impl Fn(&'a ArrayRef) -> Option<(T, T)>,
) -> Option<(T, T)> {
    arrays.iter().filter_map(|a| of(a)).reduce(|(low, high), (l, h)| (low.min(l), high.max(h)))
}

/// A time as Delta's statistics write it. Microseconds are kept where there are any, so that the
/// bound stays a bound.
fn time(micros: i64) -> Option<Value> {
    let time = DateTime::from_timestamp_micros(micros)?;
    let digits = if micros % 1000 == 0 { SecondsFormat::Millis } else { SecondsFormat::Micros };
    Some(Value::String(time.to_rfc3339_opts(digits, true)))
}

fn text(value: &str) -> Option<Value> {
    (value.len() <= LONGEST_BOUND).then(|| Value::String(value.to_owned()))
}

/// Whether the rows are in ascending order of the table's sort columns, nulls first, over all
/// batches. The file claims an order only when it has it: a reader may rely on the claim.
pub(super) fn is_sorted(def: &TableDef, batches: &[RecordBatch]) -> Result<bool> {
    let filled: Vec<&RecordBatch> = batches.iter().filter(|b| b.num_rows() > 0).collect();
    for batch in &filled {
        let compare = comparator(def, batch, batch)?;
        if (1..batch.num_rows()).any(|row| compare(row - 1, row) == Ordering::Greater) {
            return Ok(false);
        }
    }
    for pair in filled.windows(2) {
        let compare = comparator(def, pair[0], pair[1])?;
        if compare(pair[0].num_rows() - 1, 0) == Ordering::Greater {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Compares a row of `left` with a row of `right` by the table's sort columns.
fn comparator(
    def: &TableDef,
    left: &RecordBatch,
    right: &RecordBatch,
) -> Result<impl Fn(usize, usize) -> Ordering> {
    let options = SortOptions { descending: false, nulls_first: true };
    let mut columns = Vec::new();
    for name in def.sort_by {
        if let (Some(l), Some(r)) = (left.column_by_name(name), right.column_by_name(name)) {
            columns.push(make_comparator(l.as_ref(), r.as_ref(), options)?);
        }
    }
    Ok(move |l, r| {
        columns.iter().map(|compare| compare(l, r)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    })
}
