//! Rows of several data files of a table as one sequence in the table's order.

use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::row::{RowConverter, Rows, SortField};

use super::location::Location;
use super::read;
use crate::error::Result;
use crate::table::TableDef;

/// Rows that are decoded at once from every file: few, because all files are open together.
const READ_ROWS: usize = 1024;

/// Rows of a merged batch.
const MERGED_ROWS: usize = 2 * 1024;

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>>>;

/// A data file, and the partition that its rows are in.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub path: PathBuf,
    pub partition: Option<String>,
}

fn open(at: &Location, def: &TableDef, part: &Part) -> Result<Batches> {
    Ok(Box::new(read::whole_file(at, def, &part.path, part.partition.as_deref(), READ_ROWS)?))
}

/// The rows of the files one file after the other.
pub(super) fn joined<'d>(
    at: &'d Location,
    def: &'d TableDef,
    parts: &'d [Part],
) -> impl Iterator<Item = Result<RecordBatch>> + 'd {
    parts.iter().flat_map(move |part| match open(at, def, part) {
        Ok(batches) => batches,
        Err(error) => Box::new(std::iter::once(Err(error))) as Batches,
    })
}

/// The rows of sorted files, sorted. Rows that sort alike stay in the order of the files.
pub(super) struct Merged {
    converter: RowConverter,
    /// Numbers of the sort columns.
    sort_by: Vec<usize>,
    inputs: Vec<Input>,
    /// Batches that inputs stand in, or that rows were taken from since the last merged batch.
    held: Vec<RecordBatch>,
    failed: bool,
}

struct Input {
    batches: Batches,
    at: Option<At>,
}

/// Where an input stands.
struct At {
    /// Number of the batch among those held.
    batch: usize,
    keys: Rows,
    row: usize,
}

impl Merged {
    /// Opens the files. All of them are sorted.
    pub(super) fn open(at: &Location, def: &TableDef, parts: &[Part]) -> Result<Merged> {
        let number = |name: &&str| def.columns.iter().position(|column| column.name == *name);
        let sort_by: Vec<usize> = def.sort_by.iter().filter_map(number).collect();
        // Ascending, nulls first: the order of every table's files.
        let fields = sort_by.iter().map(|n| SortField::new(def.columns[*n].kind.arrow()));
        let converter = RowConverter::new(fields.collect())?;
        let mut merged =
            Merged { converter, sort_by, inputs: Vec::new(), held: Vec::new(), failed: false };
        for part in parts {
            merged.inputs.push(Input { batches: open(at, def, part)?, at: None });
            merged.load(merged.inputs.len() - 1)?;
        }
        Ok(merged)
    }

    /// Puts an input before its next batch.
    fn load(&mut self, input: usize) -> Result<()> {
        let Some(input) = self.inputs.get_mut(input) else { return Ok(()) };
        input.at = None;
        for batch in input.batches.by_ref() {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            let columns: Vec<_> = self.sort_by.iter().map(|n| batch.column(*n).clone()).collect();
            let keys = self.converter.convert_columns(&columns)?;
            self.held.push(batch);
            input.at = Some(At { batch: self.held.len() - 1, keys, row: 0 });
            break;
        }
        Ok(())
    }

    /// The input whose row is next.
    fn first(&self) -> Option<usize> {
        let standing = self.inputs.iter().enumerate();
        let keys = standing.filter_map(|(n, input)| {
            let at = input.at.as_ref()?;
            Some((at.keys.row(at.row), n))
        });
        keys.min().map(|(_, n)| n)
    }

    fn merge(&mut self) -> Result<Option<RecordBatch>> {
        self.forget();
        let mut rows = Vec::with_capacity(MERGED_ROWS);
        while rows.len() < MERGED_ROWS {
            let Some(first) = self.first() else { break };
            let Some(at) = self.inputs[first].at.as_mut() else { break };
            rows.push((at.batch, at.row));
            at.row += 1;
            if at.row == at.keys.num_rows() {
                self.load(first)?;
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let held: Vec<&RecordBatch> = self.held.iter().collect();
        Ok(Some(interleave_record_batch(&held, &rows)?))
    }

    /// Lets go of the batches in which no input stands.
    fn forget(&mut self) {
        let mut held = Vec::new();
        for at in self.inputs.iter_mut().filter_map(|input| input.at.as_mut()) {
            held.push(self.held[at.batch].clone());
            at.batch = held.len() - 1;
        }
        self.held = held;
    }
}

impl Iterator for Merged {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.failed {
            return None;
        }
        let merged = self.merge().transpose();
        self.failed = matches!(merged, Some(Err(_)));
        merged
    }
}
