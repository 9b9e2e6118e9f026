//! Rows into files: one, or several by size and by the values of columns, as Hive lays them out.
//!
//! Rows must come sorted by the partition columns: then one file at a time is open, however many
//! partitions there are.

mod partition;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use super::target::Target;
use super::{FileNotes, Format, Sink, Style, sink_with_notes};
use crate::error::{Error, Result};
use partition::Partitions;

pub use partition::is_export_file;

/// Rows that are written at once: between them the size of the file is looked at.
const ROWS_AT_ONCE: usize = 256;

/// Most partitions of one export: each is a folder and a file at least.
const MOST_PARTITIONS: usize = 10_000;

/// How rows become files.
#[derive(Debug, Clone)]
pub struct Layout {
    /// What the files are.
    pub format: Format,
    /// Columns whose values become folders, `NAME=VALUE`; the files do not hold them.
    pub partition_by: Vec<String>,
    /// A new file is begun when one has about this many bytes.
    pub most_bytes: Option<u64>,
    /// What Parquet files say of themselves.
    pub notes: FileNotes,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows.
    pub rows: u64,
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Writes all rows; nothing is seen before the target is committed. Of no rows comes one file
/// without rows, which still tells the columns.
///
/// # Errors
/// [`Error::Usage`] for columns that cannot be partitions; the first error that `rows` gives; the
/// target's.
pub async fn export(
    mut rows: SendableRecordBatchStream,
    layout: &Layout,
    target: &mut dyn Target,
) -> Result<Written> {
    let partitions = Partitions::of(&rows.schema(), &layout.partition_by)?;
    let mut writer = Writer {
        schema: partitions.file_schema(&rows.schema())?,
        layout,
        target,
        open: None,
        folders: 0,
        written: Written::default(),
    };
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        for (folder, some) in partitions.split(&batch)? {
            writer.write(&folder, &some)?;
        }
    }
    if writer.open.is_none() {
        writer.open("")?;
    }
    writer.close()?;
    Ok(writer.written)
}

struct Writer<'a> {
    schema: SchemaRef,
    layout: &'a Layout,
    target: &'a mut dyn Target,
    open: Option<Open>,
    folders: usize,
    written: Written,
}

struct Open {
    folder: String,
    number: u32,
    sink: Box<dyn Sink>,
    passed: Arc<AtomicU64>,
}

impl Writer<'_> {
    fn write(&mut self, folder: &str, rows: &RecordBatch) -> Result<()> {
        if self.open.as_ref().is_none_or(|open| open.folder != folder) {
            self.close()?;
            self.folders += 1;
            if self.folders > MOST_PARTITIONS && !self.layout.partition_by.is_empty() {
                return Err(Error::usage_hint(
                    format!(
                        "{} has more than {MOST_PARTITIONS} values",
                        self.layout.partition_by.join(", ")
                    ),
                    "partition by a column with fewer values, such as event_date",
                ));
            }
            self.open(folder)?;
        }
        let mut at = 0;
        while at < rows.num_rows() {
            self.roll()?;
            let some = rows.slice(at, ROWS_AT_ONCE.min(rows.num_rows() - at));
            at += some.num_rows();
            let Some(open) = &mut self.open else { break };
            open.sink.write(&some)?;
            self.written.rows += some.num_rows() as u64;
        }
        Ok(())
    }

    /// Begins the next file of the folder when this one is large enough.
    fn roll(&mut self) -> Result<()> {
        let (Some(open), Some(most)) = (&self.open, self.layout.most_bytes) else { return Ok(()) };
        if open.passed.load(Ordering::Relaxed) + open.sink.kept_back() < most {
            return Ok(());
        }
        let (folder, number) = (open.folder.clone(), open.number + 1);
        self.close()?;
        self.open_numbered(&folder, number)
    }

    fn open(&mut self, folder: &str) -> Result<()> {
        self.open_numbered(folder, 0)
    }

    fn open_numbered(&mut self, folder: &str, number: u32) -> Result<()> {
        let name = partition::file_name(folder, number, self.layout.format);
        let passed = Arc::new(AtomicU64::new(0));
        let out = Counted { out: self.target.create(&name)?, passed: passed.clone() };
        let style = Style { file: true, ..Style::default() };
        let (format, notes) = (self.layout.format, &self.layout.notes);
        let sink = sink_with_notes(format, &self.schema, Box::new(out), &style, notes)?;
        self.open = Some(Open { folder: folder.to_owned(), number, sink, passed });
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        open.sink.finish()?;
        self.written.bytes += self.target.close()?;
        self.written.files += 1;
        Ok(())
    }
}

struct Counted {
    out: Box<dyn Write + Send>,
    passed: Arc<AtomicU64>,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.out.write(bytes)?;
        self.passed.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
