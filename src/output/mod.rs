//! Turning Arrow batches into what users see.
//!
//! Every format but `table` writes rows as they arrive, so the size of an answer does not matter.
//! What is for people or spreadsheets (`table`, `csv`, `markdown`) is neutralised by [`safe`]; what
//! is for programs (`json`, `ndjson`, `parquet`, `arrow`) keeps the data as it is.
//!
//! Common to all text: times are RFC 3339 in UTC, with a fraction only when there is one; lists are
//! JSON in CSV, and in tables joined by `, `, or by ` → ` where the column is a `chain`; structs are
//! JSON.

mod arrow;
mod cell;
mod csv;
mod describe;
pub mod export;
mod json;
mod markdown;
mod parquet;
pub mod safe;
mod table;
pub mod target;

pub use describe::{described, with_schema};
pub use parquet::FileNotes;
pub use table::cut;

#[cfg(test)]
mod tests;

use std::io::{ErrorKind, Write};

use ::arrow::array::RecordBatch;
use ::arrow::datatypes::SchemaRef;
use clap::ValueEnum;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use crate::error::{Error, Result};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for the eye, as psql draws them
    Table,
    /// Comma-separated values with a header
    Csv,
    /// One JSON array of objects
    Json,
    /// One JSON object a line
    Ndjson,
    /// A Markdown table
    Markdown,
    /// A Parquet file
    Parquet,
    /// Arrow IPC: a stream, or a Feather file with -o
    Arrow,
}

impl Format {
    /// The usual ending of a file in this format, without dot.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Table => "txt",
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
            Format::Markdown => "md",
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
        }
    }

    /// Whether the output is bytes that do not belong on a terminal.
    pub fn is_binary(self) -> bool {
        matches!(self, Format::Parquet | Format::Arrow)
    }
}

/// What the output is written to, as far as it changes the look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Width of the terminal in columns; `None` when the output is not a terminal: then no value is
    /// cut.
    pub width: Option<usize>,
    /// Whether the table's header may be bold.
    pub color: bool,
    /// The number of rows that the answer was limited to; when it has that many, the table says
    /// that there may be more. Does not limit by itself.
    pub limit: Option<usize>,
    /// Columns that a table may leave out where the terminal is too narrow, the first of them first;
    /// it says so below. Then times are never cut, either.
    pub optional: &'static [&'static str],
    /// Whether the output is a regular file: Arrow IPC is then written in its file format.
    pub file: bool,
}

/// Where batches go, one after the other.
///
/// Nothing is complete before [`Sink::finish`].
pub trait Sink {
    /// Writes the rows of one batch.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Bytes, about, that are kept back and not yet written.
    fn kept_back(&self) -> u64 {
        0
    }

    /// Writes what comes after the last row, and flushes.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Opens a sink that writes batches of `schema` to `out`, which need not be buffered.
///
/// # Errors
///
/// What [`Sink`]'s functions give as well: [`Error::Io`], [`Error::Arrow`] or [`Error::Parquet`] when
/// `out` cannot be written; see [`is_broken_pipe`].
pub fn sink<'w>(
    format: Format,
    schema: &SchemaRef,
    out: &'w mut (dyn Write + Send),
    style: &Style,
) -> Result<Box<dyn Sink + 'w>> {
    sink_with_notes(format, schema, Box::new(out), style, &FileNotes::default())
}

/// As [`sink`], for a writer that the sink owns; Parquet files carry the notes.
///
/// # Errors
///
/// As [`sink`].
pub fn sink_with_notes<'w>(
    format: Format,
    schema: &SchemaRef,
    out: Box<dyn Write + Send + 'w>,
    style: &Style,
    notes: &FileNotes,
) -> Result<Box<dyn Sink + 'w>> {
    let out = Out(std::io::BufWriter::with_capacity(64 * 1024, out));
    Ok(match format {
        Format::Table => Box::new(table::Table::new(schema, out, *style)),
        Format::Csv => Box::new(csv::Csv::new(schema, out)?),
        Format::Json => Box::new(json::Json::new(true, out)),
        Format::Ndjson => Box::new(json::Json::new(false, out)),
        Format::Markdown => Box::new(markdown::Markdown::new(schema, out)?),
        Format::Parquet => Box::new(parquet::Parquet::new(schema, out, notes)?),
        Format::Arrow => Box::new(arrow::Ipc::new(schema, out, style.file)?),
    })
}

/// Writes all batches; returns the number of rows.
///
/// # Errors
///
/// As [`sink`], and the first error that `batches` gives.
pub fn write(
    format: Format,
    schema: &SchemaRef,
    batches: impl IntoIterator<Item = Result<RecordBatch>>,
    out: &mut (dyn Write + Send),
    style: &Style,
) -> Result<u64> {
    let mut sink = sink(format, schema, out, style)?;
    let mut rows = 0;
    for batch in batches {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        sink.write(&batch)?;
    }
    sink.finish()?;
    Ok(rows)
}

/// As [`write()`], for the stream that a query gives.
pub async fn write_stream(
    format: Format,
    mut batches: SendableRecordBatchStream,
    out: &mut (dyn Write + Send),
    style: &Style,
) -> Result<u64> {
    let mut sink = sink(format, &batches.schema(), out, style)?;
    let mut rows = 0;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        sink.write(&batch)?;
    }
    sink.finish()?;
    Ok(rows)
}

/// Whether the error says that nobody reads our output any more, as when it was piped into `head`:
/// a reason to stop, not to complain.
pub fn is_broken_pipe(error: &Error) -> bool {
    use ::arrow::error::ArrowError;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let io = match error.downcast_ref::<ArrowError>() {
            Some(ArrowError::IoError(_, io)) => Some(io),
            _ => error.downcast_ref::<std::io::Error>(),
        };
        if io.is_some_and(|io| io.kind() == ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// What stands between the items of a list that people read.
fn between(column: &str) -> &'static str {
    if column == "chain" { " → " } else { ", " }
}

/// The output, buffered, with errors of ours.
struct Out<'w>(std::io::BufWriter<Box<dyn Write + Send + 'w>>);

impl Out<'_> {
    fn text(&mut self, text: &str) -> Result<()> {
        self.0.write_all(text.as_bytes()).map_err(Error::io("output"))
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush().map_err(Error::io("output"))
    }
}

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}
