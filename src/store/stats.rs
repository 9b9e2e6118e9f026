//! What a data file says about its content, so that readers can skip it: Delta Lake's per-file
//! statistics, and whether it is sorted.

use std::cmp::Ordering;

use arrow::array::{RecordBatch, make_comparator};
use arrow::compute::SortOptions;
use chrono::{DateTime, SecondsFormat};
use parquet::data_type::ByteArray;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;
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

/// Delta Lake's statistics of one file, as JSON, from those that Parquet keeps of it.
pub(super) fn json(def: &TableDef, written: &ParquetMetaData) -> String {
    let (mut mins, mut maxs, mut nulls) = (Map::new(), Map::new(), Map::new());
    for column in columns(def) {
        let of_groups: Option<Vec<&Statistics>> = written
            .row_groups()
            .iter()
            .map(|group| {
                let path = |c: &&ColumnChunkMetaData| c.column_path().string() == column.name;
                group.columns().iter().find(path)?.statistics()
            })
            .collect();
        let Some(of_groups) = of_groups else { continue };
        let null_count: u64 = of_groups.iter().filter_map(|s| s.null_count_opt()).sum();
        nulls.insert(column.name.to_owned(), json!(null_count));
        // A group of nothing but nulls has no bounds; one that has values has both.
        let bounded: Vec<_> = of_groups.iter().filter(|s| s.min_bytes_opt().is_some()).collect();
        let low = bounded.iter().map(|s| bound(column, s).0).reduce(|a, b| outer(a, b, true));
        let high = bounded.iter().map(|s| bound(column, s).1).reduce(|a, b| outer(a, b, false));
        mins.extend(low.and_then(Bound::shown).map(|v| (column.name.to_owned(), v)));
        maxs.extend(high.and_then(Bound::shown).map(|v| (column.name.to_owned(), v)));
    }
    let rows = written.file_metadata().num_rows();
    json!({"numRecords": rows, "minValues": mins, "maxValues": maxs, "nullCount": nulls})
        .to_string()
}

/// A smallest or largest value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Bound {
    /// Not known, or too long to be kept whole.
    None,
    Int(i64),
    Time(i64),
    Text(String),
}

impl Bound {
    fn shown(self) -> Option<Value> {
        match self {
            Bound::None => None,
            Bound::Int(value) => Some(json!(value)),
            Bound::Time(micros) => time(micros),
            Bound::Text(text) => Some(Value::String(text)),
        }
    }
}

/// The bounds of one row group.
fn bound(column: &Column, of_group: &Statistics) -> (Bound, Bound) {
    let int = |value: Option<&i64>| match (value, column.kind) {
        (None, _) => Bound::None,
        (Some(micros), Kind::Time) => Bound::Time(*micros),
        (Some(value), _) => Bound::Int(*value),
    };
    let text = |value: Option<&ByteArray>, whole: bool| {
        let text = value.filter(|v| whole && v.len() <= LONGEST_BOUND);
        let text = text.and_then(|v| v.as_utf8().ok());
        text.map_or(Bound::None, |text| Bound::Text(text.to_owned()))
    };
    match of_group {
        Statistics::Int64(s) => (int(s.min_opt()), int(s.max_opt())),
        Statistics::ByteArray(s) => {
            (text(s.min_opt(), s.min_is_exact()), text(s.max_opt(), s.max_is_exact()))
        }
        _ => (Bound::None, Bound::None),
    }
}

/// The smaller, or the larger, of two bounds; not known when one of them is not.
fn outer(a: Bound, b: Bound, smaller: bool) -> Bound {
    match (&a, &b) {
        (Bound::None, _) | (_, Bound::None) => Bound::None,
        _ if smaller => a.min(b),
        _ => a.max(b),
    }
}

/// A time as Delta's statistics write it. Microseconds are kept where there are any, so that the
/// bound stays a bound.
fn time(micros: i64) -> Option<Value> {
    let time = DateTime::from_timestamp_micros(micros)?;
    let digits = if micros % 1000 == 0 { SecondsFormat::Millis } else { SecondsFormat::Micros };
    Some(Value::String(time.to_rfc3339_opts(digits, true)))
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
