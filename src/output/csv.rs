//! CSV as RFC 4180 has it, with a header, lines ended by a line feed, and text that no spreadsheet
//! takes for a formula.
//!
//! NULL is an empty field and empty text a quoted one (`""`). Lists and structs are JSON text.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::cell::Cells;
use super::{Out, Sink, safe};
use crate::error::Result;

pub(super) struct Csv<'w> {
    out: Out<'w>,
}

impl<'w> Csv<'w> {
    pub(super) fn new(schema: &SchemaRef, mut out: Out<'w>) -> Result<Csv<'w>> {
        let mut line = String::new();
        for (i, field) in schema.fields().iter().enumerate() {
            line.push_str(if i > 0 { "," } else { "" });
            push_field(&mut line, &safe::csv(field.name()));
        }
        line.push('\n');
        out.text(&line)?;
        Ok(Csv { out })
    }
}

impl Sink for Csv<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = batch.columns().iter().map(Cells::new).collect::<Result<Vec<_>>>()?;
        let (mut line, mut value) = (String::new(), String::new());
        for row in 0..batch.num_rows() {
            line.clear();
            for (i, column) in columns.iter().enumerate() {
                line.push_str(if i > 0 { "," } else { "" });
                if column.is_null(row) {
                    continue;
                }
                value.clear();
                column.push_text(&mut value, row);
                if column.is_free_text() {
                    push_field(&mut line, &safe::csv(&value));
                } else {
                    push_field(&mut line, &value);
                }
            }
            line.push('\n');
            self.out.text(&line)?;
        }
        Ok(())
    }

    fn kept_back(&self) -> u64 {
        self.out.0.buffer().len() as u64
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.out.flush()
    }
}

fn push_field(line: &mut String, value: &str) {
    let edge = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let quoted = value.contains(['"', ',', '\n', '\r'])
        || edge(value.chars().next())
        || edge(value.chars().next_back());
    if !quoted {
        return line.push_str(value);
    }
    line.push('"');
    line.push_str(&value.replace('"', "\"\""));
    line.push('"');
}
