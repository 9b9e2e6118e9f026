//! A Markdown table, as GitHub has it. Written as rows arrive, so columns are not padded.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::cell::{Cells, is_number};
use super::{Out, Sink, between, safe};
use crate::error::Result;

pub(super) struct Markdown<'w> {
    out: Out<'w>,
}

impl<'w> Markdown<'w> {
    pub(super) fn new(schema: &SchemaRef, mut out: Out<'w>) -> Result<Markdown<'w>> {
        let (mut names, mut rule) = (String::from("|"), String::from("|"));
        for field in schema.fields() {
            names.push_str(&format!(" {} |", safe::markdown(field.name())));
            rule.push_str(if is_number(field.data_type()) { " ---: |" } else { " --- |" });
        }
        out.text(&format!("{names}\n{rule}\n"))?;
        Ok(Markdown { out })
    }
}

impl Sink for Markdown<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let columns = batch.columns().iter().map(Cells::new).collect::<Result<Vec<_>>>()?;
        let (mut line, mut value) = (String::new(), String::new());
        for row in 0..batch.num_rows() {
            line.clear();
            line.push('|');
            for (cells, field) in columns.iter().zip(schema.fields()) {
                value.clear();
                cells.push_shown(&mut value, row, between(field.name()));
                line.push(' ');
                line.push_str(&safe::markdown(&value));
                line.push_str(" |");
            }
            line.push('\n');
            self.out.text(&line)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.out.flush()
    }
}
