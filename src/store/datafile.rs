//! Writing one Parquet data file of a table.

use std::fs::{self, File};
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Date32Type, Schema, SchemaRef};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use parquet::arrow::ArrowWriter;
use uuid::Uuid;

use super::location::Location;
use super::sums::{self, Summed};
use super::{layout, stats};
use crate::error::{Error, Result};
use crate::table::TableDef;

/// A data file that was written but belongs to no table yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Path inside the table's folder, with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Number of rows.
    pub rows: u64,
    /// Value of the partition column, for a partitioned table.
    pub partition: Option<String>,
    /// Delta Lake's statistics of the file, as JSON.
    pub stats: String,
    /// When it was written, milliseconds since 1970-01-01 UTC.
    pub(super) modified_at: i64,
}

/// The schema of the table's data files: its columns without the partition column, whose value
/// Delta Lake keeps in the log.
pub(super) fn file_schema(def: &TableDef) -> SchemaRef {
    let all = def.schema();
    let kept = all.fields().iter().filter(|f| def.partition_by != Some(f.name().as_str()));
    SchemaRef::new(Schema::new(kept.cloned().collect::<Vec<_>>()))
}

/// Writes `batches` as one durable file of `def` in its folder; see
/// [`super::Transaction::write_file`].
pub(super) fn write(
    at: &Location,
    def: &TableDef,
    partition: Option<&str>,
    batches: &[RecordBatch],
) -> Result<DataFile> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let sorted = stats::is_sorted(def, batches)?;
    let batches = batches.iter().map(|batch| Ok(batch.clone()));
    let place = partition.map_or(Place::Table, Place::Day);
    write_all(at, def, place, Expected { rows, sorted }, batches)
}

/// Where in a table's folder a file belongs.
#[derive(Debug, Clone, Copy)]
pub enum Place<'p> {
    /// Anywhere.
    Table,
    /// To the rows with this value of the partition column, a day: `2024-05-01`.
    Day(&'p str),
    /// To a part of a table without partition column; parts are replaced as a whole. The name
    /// consists of lower-case letters, digits and dashes.
    Part(&'p str),
}

/// As [`write`], for batches that come one by one; refuses rows out of order.
pub(super) fn write_sorted(
    at: &Location,
    def: &TableDef,
    place: Place,
    rows: usize,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<DataFile> {
    write_all(at, def, place, Expected { rows, sorted: true }, batches)
}

/// As [`write`], for batches that come one by one, in any order.
pub(super) fn write_unsorted(
    at: &Location,
    def: &TableDef,
    place: Place,
    rows: usize,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<DataFile> {
    write_all(at, def, place, Expected { rows, sorted: false }, batches)
}

/// As [`write_sorted`], but to a file without a name in the folder `scratch`, which belongs to no table.
pub(super) fn encode(
    at: &Location,
    scratch: &Path,
    def: &TableDef,
    rows: usize,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<File> {
    let half = HalfFile::nameless(scratch)?;
    let expected = Expected { rows, sorted: true };
    let mut file = Writing::to(half, (at, def, String::new()), None, expected)?;
    for batch in batches {
        file.write(batch?)?;
    }
    file.writer.finish()?;
    let HalfFile { file: written, full, .. } = &file.half;
    file.writer.inner_mut().flush().map_err(Error::io(full))?;
    written.try_clone().map_err(Error::io(full))
}

fn write_all(
    at: &Location,
    def: &TableDef,
    place: Place,
    expected: Expected,
    batches: impl Iterator<Item = Result<RecordBatch>>,
) -> Result<DataFile> {
    let mut file = Writing::begin(at, def, place, expected)?;
    for batch in batches {
        file.write(batch?)?;
    }
    file.finish()
}

/// What a file's header says of its content, before the content is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// Rows; about as many will do where they are not known yet.
    pub rows: usize,
    /// Whether they are in the table's order: then other rows are refused.
    pub sorted: bool,
}

/// A file that is being written. Dropped before it is finished, there is no file.
pub(super) struct Writing<'w> {
    at: &'w Location,
    def: &'w TableDef,
    /// Path inside the table's folder, as long as it is not finished.
    path: String,
    partition: Option<String>,
    check: Check<'w>,
    /// Numbers of the columns that the file has.
    columns: Vec<usize>,
    expected: Expected,
    /// The last row so far, where order counts.
    last: Option<RecordBatch>,
    writer: ArrowWriter<BufWriter<Summed>>,
    half: HalfFile,
}

/// Where the bytes go; of an object to a file without a name. Half a file is of no use to anybody, so
/// it vanishes unless it is kept.
pub(super) struct HalfFile {
    file: Arc<File>,
    full: PathBuf,
    vanishes: bool,
}

impl<'w> Writing<'w> {
    /// Begins a file.
    ///
    /// # Errors
    /// As [`super::Transaction::write_sorted`], of which this is the beginning.
    pub(super) fn begin(
        at: &'w Location,
        def: &'w TableDef,
        place: Place,
        expected: Expected,
    ) -> Result<Writing<'w>> {
        let name = new_name();
        let path = match (def.partition_by, place) {
            (Some(column), Place::Day(value)) => format!("{column}={value}/{name}"),
            (None, Place::Part(part)) if is_part(part) => format!("{part}/{name}"),
            (_, Place::Part(part)) => return Err(wrong(def, &format!("{part:?} is no part"))),
            _ => name,
        };
        let partition = match place {
            Place::Day(day) => Some(day),
            _ => None,
        };
        let half = HalfFile::create(at, &format!("{}/{path}", def.name))?;
        Writing::to(half, (at, def, path), partition, expected)
    }

    fn to(
        half: HalfFile,
        (at, def, path): (&'w Location, &'w TableDef, String),
        partition: Option<&str>,
        expected: Expected,
    ) -> Result<Writing<'w>> {
        let check = Check::of(def, partition)?;
        let properties = layout::properties(def, expected.rows, expected.sorted)?;
        let writer = ArrowWriter::try_new(half.writer(), file_schema(def), Some(properties))?;
        let own = |i: &usize| def.partition_by != Some(def.columns[*i].name);
        Ok(Writing {
            at,
            def,
            path,
            partition: partition.map(str::to_owned),
            check,
            columns: (0..def.columns.len()).filter(own).collect(),
            expected,
            last: None,
            writer,
            half,
        })
    }

    /// Writes rows behind those that were written.
    ///
    /// # Errors
    /// [`Error::Arrow`] where they do not belong there; Parquet's.
    pub(super) fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let batch = self.check.batch(batch)?;
        if self.expected.sorted && batch.num_rows() > 0 {
            let both: Vec<RecordBatch> =
                self.last.take().into_iter().chain([batch.clone()]).collect();
            if !stats::is_sorted(self.def, &both)? {
                return Err(wrong(self.def, "rows are not in the table's order"));
            }
            // A copy: a slice would hold all of the batch.
            let last = UInt32Array::from_iter_values(u32::try_from(batch.num_rows() - 1));
            self.last = Some(take_record_batch(&batch, &last)?);
        }
        Ok(self.writer.write(&batch.project(&self.columns)?)?)
    }

    /// Makes it a durable file.
    ///
    /// # Errors
    /// Those of writing it.
    pub(super) fn finish(mut self) -> Result<DataFile> {
        let metadata = self.writer.finish()?;
        let (path, size) =
            self.half.keep(self.at, self.def, &self.path, self.writer.inner_mut())?;
        Ok(DataFile {
            path,
            size,
            rows: u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0),
            partition: self.partition,
            stats: stats::json(self.def, &metadata),
            modified_at: now_millis(),
        })
    }
}

impl HalfFile {
    /// An empty file for what will have this name in the store.
    pub(super) fn create(at: &Location, name: &str) -> Result<HalfFile> {
        if matches!(at, Location::Bucket(_)) {
            return HalfFile::nameless(&std::env::temp_dir());
        }
        let full = at.join(name);
        if let Some(parent) = full.parent() {
            fs::create_dir_all(parent).map_err(Error::io(parent))?;
        }
        let file = Arc::new(File::create_new(&full).map_err(Error::io(&full))?);
        Ok(HalfFile { file, full, vanishes: true })
    }

    /// One that nobody else can open, in this folder.
    fn nameless(folder: &Path) -> Result<HalfFile> {
        let file = tempfile::tempfile_in(folder).map_err(Error::io(folder))?;
        Ok(HalfFile { file: Arc::new(file), full: folder.to_path_buf(), vanishes: false })
    }

    /// Where to write.
    pub(super) fn writer(&self) -> BufWriter<Summed> {
        Summed::buffered(self.file.clone())
    }

    /// Makes what was written durable as this file of the table, and gives its path there, which
    /// has a sum in it, and its bytes.
    ///
    /// # Errors
    /// [`Error::Io`]; those of sending an object.
    pub(super) fn keep(
        &mut self,
        at: &Location,
        def: &TableDef,
        path: &str,
        written: &mut BufWriter<Summed>,
    ) -> Result<(String, u64)> {
        let HalfFile { file, full, .. } = self;
        written.flush().map_err(Error::io(&*full))?;
        let path = sums::with_sum(path, written.get_ref().sum());
        let name = format!("{}/{path}", def.name);
        let size = file.metadata().map_err(Error::io(&*full))?.len();
        match at {
            Location::Folder(_) => {
                file.sync_all().map_err(Error::io(&*full))?;
                fs::rename(&*full, at.join(&name)).map_err(Error::io(&*full))?;
            }
            Location::Bucket(place) => {
                let mut file = file.try_clone().map_err(Error::io(&*full))?;
                file.rewind().map_err(Error::io(&*full))?;
                place.send(&name, file, size)?;
            }
        }
        self.vanishes = false;
        Ok((path, size))
    }
}

impl Drop for HalfFile {
    fn drop(&mut self) {
        if self.vanishes {
            // That it cannot be removed is not the news.
            let _ = fs::remove_file(&self.full);
        }
    }
}

/// The name of a new file.
pub(super) fn new_name() -> String {
    format!("part-{}.parquet", Uuid::new_v4())
}

fn is_part(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty() && name.bytes().all(plain)
}

fn wrong(def: &TableDef, what: &str) -> Error {
    Error::Arrow(ArrowError::SchemaError(format!("table {}: {what}", def.name)))
}

/// Refuses batches that would make the table lie: other columns than the table's, rows of another
/// partition, or a partition value that is no plain date.
struct Check<'d> {
    def: &'d TableDef,
    schema: SchemaRef,
    /// Column and day of the partition.
    partition: Option<(&'static str, i32)>,
}

impl Check<'_> {
    fn of<'d>(def: &'d TableDef, partition: Option<&str>) -> Result<Check<'d>> {
        let partition = match (def.partition_by, partition) {
            (None, None) => None,
            (Some(column), Some(value)) => {
                let day = parse_day(value);
                Some((
                    column,
                    day.ok_or_else(|| wrong(def, &format!("{value:?} is no partition")))?,
                ))
            }
            _ => return Err(wrong(def, "a partition is given exactly where the table has one")),
        };
        Ok(Check { def, schema: def.schema(), partition })
    }

    fn batch(&self, batch: RecordBatch) -> Result<RecordBatch> {
        if batch.schema_ref().fields() != self.schema.fields() {
            return Err(wrong(self.def, "a batch does not have the table's columns"));
        }
        if let Some((column, day)) = self.partition {
            let days =
                batch.column_by_name(column).and_then(|c| c.as_primitive_opt::<Date32Type>());
            let same =
                days.is_some_and(|d| d.null_count() == 0 && d.values().iter().all(|v| *v == day));
            if !same {
                return Err(wrong(self.def, &format!("a row of the file has another {column}")));
            }
        }
        Ok(batch)
    }
}

/// Days since 1970-01-01 of a date written `2024-05-01`; nothing else is accepted, because it
/// becomes the name of a folder.
pub(super) fn parse_day(text: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (text.len() == 10 && date.format("%Y-%m-%d").to_string() == text)
        .then(|| Date32Type::from_naive_date(date))
}

pub(super) fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
