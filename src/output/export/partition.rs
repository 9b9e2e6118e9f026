//! Values of columns as folders: `event_date=2024-05-01`, as Hive, DuckDB, polars, Spark and Athena
//! read them.
//!
//! Values come from logs. Every byte that is not a letter, a digit, `_`, `-` or `.` is written as
//! `%XX`, which readers turn back; so a value can neither leave its folder nor make another column.

use std::fmt::Write;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::partition;
use arrow::datatypes::{DataType, Schema, SchemaRef};

use crate::error::{Error, Result};
use crate::output::Format;
use crate::output::cell::Cells;

/// What Hive writes for NULL, and for empty text.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Longest name of a folder, bytes: what file systems take.
const MOST_NAME: usize = 255;

/// What begins the names of files.
const PART: &str = "part-";

/// The partition columns of a schema.
pub(super) struct Partitions {
    names: Vec<String>,
    columns: Vec<usize>,
    kept: Vec<usize>,
}

impl Partitions {
    pub(super) fn of(schema: &SchemaRef, names: &[String]) -> Result<Partitions> {
        let all: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let mut columns = Vec::new();
        for name in names {
            let at = all.iter().position(|n| n == name).ok_or_else(|| {
                let text = format!("there is no column {name} to partition by");
                Error::usage_hint(text, format!("columns: {}", all.join(", ")))
            })?;
            if !can_be_folder(schema.field(at).data_type()) {
                let text = format!("column {name} cannot be a folder's name");
                let hint = "text, dates, whole numbers and booleans can; cast it in the statement";
                return Err(Error::usage_hint(text, hint));
            }
            columns.push(at);
        }
        let kept: Vec<usize> = (0..all.len()).filter(|at| !columns.contains(at)).collect();
        if kept.is_empty() {
            return Err(Error::usage("no column is left beside those to partition by"));
        }
        Ok(Partitions { names: names.to_vec(), columns, kept })
    }

    /// What the files hold.
    pub(super) fn file_schema(&self, schema: &SchemaRef) -> Result<SchemaRef> {
        let projected: Schema = schema.project(&self.kept)?;
        Ok(SchemaRef::new(projected))
    }

    /// The rows by their folder, in their order; rows of one folder that stand together come together.
    pub(super) fn split(&self, batch: &RecordBatch) -> Result<Vec<(String, RecordBatch)>> {
        if self.columns.is_empty() {
            return Ok(vec![(String::new(), batch.clone())]);
        }
        let kept = batch.project(&self.kept)?;
        let values: Vec<ArrayRef> =
            self.columns.iter().map(|at| batch.column(*at).clone()).collect();
        let cells = values.iter().map(Cells::new).collect::<Result<Vec<_>>>()?;
        let mut parts = Vec::new();
        for range in partition(&values)?.ranges() {
            let mut folders = Vec::new();
            for (name, cells) in self.names.iter().zip(&cells) {
                let mut value = String::new();
                if !cells.is_null(range.start) {
                    cells.push_text(&mut value, range.start);
                }
                folders.push(folder(name, &value)?);
            }
            parts.push((folders.join("/"), kept.slice(range.start, range.len())));
        }
        Ok(parts)
    }
}

fn can_be_folder(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => true,
        DataType::Dictionary(_, values) => can_be_folder(values),
        DataType::Date32 | DataType::Date64 | DataType::Boolean => true,
        kind => kind.is_integer(),
    }
}

fn folder(column: &str, value: &str) -> Result<String> {
    let mut name = escaped(column);
    name.push('=');
    name.push_str(&if value.is_empty() { NULL.to_owned() } else { escaped(value) });
    if name.len() > MOST_NAME {
        let start: String = value.chars().take(40).collect();
        return Err(Error::usage_hint(
            format!("a value of {column} is too long to be a folder's name: {start}…"),
            "partition by another column",
        ));
    }
    Ok(name)
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Where a file lies: its folder and number.
pub(super) fn file_name(folder: &str, number: u32, format: Format) -> String {
    let between = if folder.is_empty() { "" } else { "/" };
    format!("{folder}{between}{PART}{number:05}.{}", format.extension())
}

/// Whether a relative name is one that an export gives: those may be replaced.
pub fn is_export_file(name: &str) -> bool {
    let (folders, file) = name.rsplit_once(['/', '\\']).unwrap_or(("", name));
    let number = file.strip_prefix(PART).and_then(|rest| rest.split_once('.'));
    let file = number.is_some_and(|(digits, ending)| {
        digits.len() >= 5
            && digits.bytes().all(|b| b.is_ascii_digit())
            && ["parquet", "csv", "ndjson", "arrow"].contains(&ending)
    });
    file && (folders.is_empty() || folders.split(['/', '\\']).all(|part| part.contains('=')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_in_their_folder() {
        assert_eq!(folder("event_date", "2024-05-01").unwrap(), "event_date=2024-05-01");
        assert_eq!(folder("a", "../../x=y").unwrap(), "a=..%2F..%2Fx%3Dy");
        assert_eq!(folder("a", "").unwrap(), format!("a={NULL}"));
        assert_eq!(folder("a", "é\u{202e}\0%").unwrap(), "a=%C3%A9%E2%80%AE%00%25");
        assert!(folder("a", &"x".repeat(300)).is_err());
    }

    #[test]
    fn files_of_exports_are_known() {
        for ours in ["part-00000.parquet", "event_date=2024-05-01/part-00012.csv"] {
            assert!(is_export_file(ours), "{ours}");
        }
        let others = ["notes.txt", "part-1.parquet", "docs/part-00000.parquet", "part-00000.rs"];
        for other in others {
            assert!(!is_export_file(other), "{other}");
        }
    }
}
