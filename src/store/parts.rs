//! Parts of tables: what linking makes of a stretch of time, and replaces as a whole.
//!
//! Parts of neighbouring times share a file, because every file costs each reader an opening, and each has
//! groups of rows of its own in it. So a part is replaced without reading the others: their groups are
//! copied as they are. The folder of a file names its parts, in order.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufWriter;
use std::ops::Range;
use std::sync::Arc;

use parquet::arrow::ARROW_SCHEMA_META_KEY;
use parquet::bloom_filter::Sbbf;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::TypePtr;

use super::datafile::{self, DataFile, HalfFile};
use super::location::Location;
use super::opened::Opened;
use super::sums::{self, Summed};
use super::{layout, stats};
use crate::error::{Error, Result};
use crate::table::TableDef;

/// What stands between the names of parts that share a file.
pub(super) const BETWEEN: char = '_';

/// Under this key a file says how many groups of rows each of its parts has, in their order.
const GROUPS_KEY: &str = "roletrail.groups_of_parts";

/// The rows of a part, ready to become groups of rows of a file.
#[derive(Debug)]
pub struct EncodedPart {
    /// The name of the part.
    pub name: String,
    /// A Parquet file without a name.
    pub(super) file: File,
}

/// Groups of rows of a Parquet file that belong to one part.
struct Groups<'f> {
    name: &'f str,
    file: &'f File,
    metadata: &'f ParquetMetaData,
    numbers: Range<usize>,
}

/// Writes parts as one file of the table. Parts of one name that follow each other are one part.
///
/// # Errors
/// [`Error::Io`] and Parquet's.
pub(super) fn write(at: &Location, def: &TableDef, parts: &[EncodedPart]) -> Result<DataFile> {
    let metadata = parts.iter().map(|part| read_metadata(&part.file));
    let metadata: Vec<ParquetMetaData> = metadata.collect::<Result<_, ParquetError>>()?;
    let groups = parts.iter().zip(&metadata).map(|(part, metadata)| Groups {
        name: &part.name,
        file: &part.file,
        metadata,
        numbers: 0..metadata.num_row_groups(),
    });
    copy(at, def, &groups.collect::<Vec<_>>())
}

/// Writes a file again without some of its parts; `None` where it has none of them, or nothing else.
///
/// # Errors
/// [`Error::Damaged`] where the file does not say which rows belong to which part; those of reading it and
/// of writing.
pub(super) fn without(
    at: &Location,
    def: &TableDef,
    path: &str,
    gone: &BTreeSet<String>,
) -> Result<Option<DataFile>> {
    let names: Vec<&str> = names(path).collect();
    let stays = |name: &&&str| !gone.contains(**name);
    let staying = names.iter().filter(stays).count();
    if staying == 0 || staying == names.len() {
        return Ok(None);
    }
    let opened = Opened::open(at, &at.join(def.name).join(path))?;
    opened.bring_all()?;
    // What is copied unread would be whole by its new name.
    sums::check(&at.join(def.name).join(path), opened.file())?;
    let metadata = &read_metadata(opened.file()).map_err(|e| opened.damaged(&e))?;
    let counts = group_counts(metadata).filter(|counts| counts.len() == names.len());
    let total = |counts: &Vec<usize>| counts.iter().sum::<usize>() == metadata.num_row_groups();
    let Some(counts) = counts.filter(total) else {
        let path = at.join(def.name).join(path);
        let message = "this file does not say which of its rows belong together".to_owned();
        return Err(Error::Damaged { path, message });
    };
    let mut from = 0;
    let mut groups = Vec::new();
    for (name, count) in names.into_iter().zip(counts) {
        let numbers = from..from + count;
        from = numbers.end;
        if !gone.contains(name) {
            groups.push(Groups { name, file: opened.file(), metadata, numbers });
        }
    }
    copy(at, def, &groups).map(Some).map_err(|error| match error {
        // Of what is external the disk is the cause, and mostly the one that is written to.
        Error::Parquet(ParquetError::External(_)) => error,
        Error::Parquet(parquet) => opened.damaged(&parquet),
        other => other,
    })
}

/// The names of the parts of a file, by its path in the table.
pub(super) fn names(path: &str) -> impl Iterator<Item = &str> {
    let folder = path.split_once('/').map(|(folder, _)| folder);
    folder.filter(|folder| !folder.contains('=')).into_iter().flat_map(|f| f.split(BETWEEN))
}

fn copy(at: &Location, def: &TableDef, all: &[Groups]) -> Result<DataFile> {
    let mut names: Vec<&str> = Vec::new();
    let mut counts: Vec<usize> = Vec::new();
    for groups in all {
        match counts.last_mut().filter(|_| names.last() == Some(&groups.name)) {
            Some(count) => *count += groups.numbers.len(),
            None => {
                names.push(groups.name);
                counts.push(groups.numbers.len());
            }
        }
    }
    let path = format!("{}/{}", names.join(&BETWEEN.to_string()), datafile::new_name());
    let mut half = HalfFile::create(at, &format!("{}/{path}", def.name))?;
    let (schema, arrow) = schema_of(all)?;
    let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
    let said = KeyValue::new(GROUPS_KEY.to_owned(), counts.join(","));
    // Each group is sorted; all of them together are not.
    let properties = layout::properties(def, 0, false)?.into_builder();
    let properties =
        properties.set_key_value_metadata(Some(vec![said].into_iter().chain(arrow).collect()));
    let mut out = half.writer();
    let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::new(properties.build()))?;
    for groups in all {
        for number in groups.numbers.clone() {
            copy_group(&mut writer, groups, number)?;
        }
    }
    let metadata = writer.finish()?;
    drop(writer);
    let (path, size) = half.keep(at, def, &path, &mut out)?;
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(0);
    let stats = stats::json(def, &metadata);
    Ok(DataFile { path, size, rows, partition: None, stats, modified_at: datafile::now_millis() })
}

fn copy_group(
    writer: &mut SerializedFileWriter<&mut BufWriter<Summed>>,
    from: &Groups,
    number: usize,
) -> Result<()> {
    let indexes = from.metadata.column_index().and_then(|all| all.get(number));
    let offsets = from.metadata.offset_index().and_then(|all| all.get(number));
    let group = from.metadata.row_group(number);
    let mut out = writer.next_row_group()?;
    for (leaf, column) in group.columns().iter().enumerate() {
        let close = ColumnCloseResult {
            bytes_written: u64::try_from(column.compressed_size()).unwrap_or(0),
            rows_written: u64::try_from(group.num_rows()).unwrap_or(0),
            metadata: column.clone(),
            bloom_filter: Sbbf::read_from_column_chunk(column, from.file)?,
            column_index: indexes.and_then(|all| all.get(leaf)).cloned(),
            offset_index: offsets.and_then(|all| all.get(leaf)).cloned(),
        };
        out.append_column(from.file, close)?;
    }
    out.close()?;
    Ok(())
}

/// The schema of all, as Parquet knows it and as Arrow does.
fn schema_of(all: &[Groups]) -> Result<(TypePtr, Option<KeyValue>)> {
    let Some(first) = all.first() else {
        return Err(Error::Encoding("a file without parts".to_owned()));
    };
    let file = first.metadata.file_metadata();
    let arrow = file.key_value_metadata().into_iter().flatten();
    let arrow = arrow.into_iter().find(|pair| pair.key == ARROW_SCHEMA_META_KEY).cloned();
    Ok((file.schema_descr().root_schema_ptr(), arrow))
}

fn group_counts(metadata: &ParquetMetaData) -> Option<Vec<usize>> {
    let mut said = metadata.file_metadata().key_value_metadata()?.iter();
    let counts = said.find(|pair| pair.key == GROUPS_KEY)?.value.as_deref()?;
    counts.split(',').map(|count| count.parse().ok()).collect()
}

fn read_metadata(file: &File) -> Result<ParquetMetaData, ParquetError> {
    let reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
    reader.parse_and_finish(file)
}
