//! JSON: one array of objects, or one object a line (NDJSON). Both are written as rows arrive.
//!
//! NULL is `null` and every object has every column. Text is unchanged for whoever parses it;
//! characters that are not to be seen are written as `\uXXXX`. Columns that hold JSON text stay text.

use arrow::array::RecordBatch;

use super::cell::Cells;
use super::{Out, Sink, safe};
use crate::error::Result;

pub(super) struct Json<'w> {
    out: Out<'w>,
    /// One array rather than one object a line.
    array: bool,
    rows: u64,
}

impl<'w> Json<'w> {
    pub(super) fn new(array: bool, out: Out<'w>) -> Json<'w> {
        Json { out, array, rows: 0 }
    }
}

impl Sink for Json<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let mut columns = Vec::new();
        for (i, (field, array)) in schema.fields().iter().zip(batch.columns()).enumerate() {
            let mut key = String::from(if i > 0 { "," } else { "" });
            safe::push_json(&mut key, field.name());
            key.push(':');
            columns.push((key, Cells::new(array)?));
        }
        let mut line = String::new();
        for row in 0..batch.num_rows() {
            line.clear();
            line.push_str(match (self.array, self.rows) {
                (false, _) => "",
                (true, 0) => "[\n",
                (true, _) => ",\n",
            });
            line.push('{');
            for (key, cells) in &columns {
                line.push_str(key);
                cells.push_json(&mut line, row);
            }
            line.push_str(if self.array { "}" } else { "}\n" });
            self.out.text(&line)?;
            self.rows += 1;
        }
        Ok(())
    }

    fn kept_back(&self) -> u64 {
        self.out.0.buffer().len() as u64
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        match (self.array, self.rows) {
            (false, _) => {}
            (true, 0) => self.out.text("[]\n")?,
            (true, _) => self.out.text("\n]\n")?,
        }
        self.out.flush()
    }
}
