//! How the Parquet files of a table are laid out: row groups, pages, encodings, compression, statistics and
//! bloom filters.

use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use super::columns::LINKING_STATE;
use super::datafile::file_schema;
use super::stats;
use crate::error::Result;
use crate::table::{Column, Kind, TableDef};

/// Rows in one row group, the unit that a reader skips or decodes.
const ROW_GROUP_ROWS: usize = 128 * 1024;

/// The same of tables that are read by small ranges of what they are sorted by.
const SMALL_ROW_GROUP_ROWS: usize = 8 * 1024;

/// Bytes of a page before compression. A file that is being written holds one for each column.
const PAGE_BYTES: usize = 64 * 1024;

/// The same of [`LARGE`] columns: what is in one page is compressed together.
const LARGE_PAGE_BYTES: usize = 512 * 1024;

/// The same of tables with small row groups, of which a reader takes the whole.
const WHOLE_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// Share of lookups for a value that is not there which a bloom filter lets through.
const BLOOM_FALSE_POSITIVES: f64 = 0.01;

/// The same of what is seldom looked for: half the bytes.
const SELDOM: (&str, f64) = ("request_id", 0.1);

/// Ids, as many as rows or nearly so: a dictionary would be built only to be thrown away, and with the
/// lengths apart the texts compress to little more than the chance that is in them.
const IDS: &[&str] = &[
    "event_id",
    "request_id",
    "shared_event_id",
    "twin_event_id",
    "proof_event_id",
    "grant_event_id",
    "issued_session_id",
    "child_session_id",
    "key",
];

/// Access keys, as many as rows: those of one account begin alike.
const KEYS: &[&str] = &["issued_access_key_id", "child_access_key_id"];

/// The same where the name stands for what repeats in other tables.
const OWN: &[(&str, &str, Encoding)] = &[
    ("credentials", "access_key_id", Encoding::DELTA_BYTE_ARRAY),
    ("sessions", "session_id", Encoding::DELTA_LENGTH_BYTE_ARRAY),
];

/// Hashes, or mostly so.
const NUMBERS: &[&str] = &["record_hash", "answer", "about"];

/// The columns that hold most of what there is: a third of a store at the level of the others. They are
/// read a few rows at a time or not at all, and to compress them better takes one part in thirty of an
/// ingest. The ARNs of `resources` are the third.
const LARGE: &[&str] = &["request_parameters", "response_elements"];

/// The level of zstd for them.
const LARGE_LEVEL: i32 = 6;

/// How a file of `def` with so many `rows` is written.
///
/// # Errors
/// Parquet's: a defect of ours.
pub(super) fn properties(def: &TableDef, rows: usize, sorted: bool) -> Result<WriterProperties> {
    let (row_group_rows, page_bytes, level) = shape(def);
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(level)?))
        .set_max_row_group_row_count(Some(row_group_rows))
        .set_created_by(concat!("roletrail ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_data_page_size_limit(page_bytes)
        .set_statistics_enabled(EnabledStatistics::None);
    // Sized for as many values as rows; the writer folds a filter that has fewer.
    let ndv = rows.clamp(1, ROW_GROUP_ROWS) as u64;
    for column in def.columns {
        let path = ColumnPath::from(column.name);
        builder = builder.set_column_statistics_enabled(path.clone(), statistics(def, column));
        if let Some(encoding) = encoding(def, column) {
            builder = builder.set_column_encoding(path.clone(), encoding);
            builder = builder.set_column_dictionary_enabled(path.clone(), false);
        }
        if let Some(leaf) = large(column) {
            let level = ZstdLevel::try_new(LARGE_LEVEL)?;
            builder = builder
                .set_column_compression(leaf.clone(), Compression::ZSTD(level))
                .set_column_data_page_size_limit(leaf, LARGE_PAGE_BYTES);
        }
        if def.lookup.contains(&column.name) {
            let seldom = column.name == SELDOM.0;
            let false_positives = if seldom { SELDOM.1 } else { BLOOM_FALSE_POSITIVES };
            builder = builder
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_fpp(path.clone(), false_positives)
                .set_column_bloom_filter_max_ndv(path, ndv);
        }
    }
    if sorted {
        let leaves = ArrowSchemaConverter::new().convert(&file_schema(def))?;
        builder = builder.set_sorting_columns(sorting(def, &leaves));
    }
    Ok(builder.build())
}

/// Rows of a row group, bytes of a page, and the level of zstd. What only linking reads is a tenth of what
/// is written and compresses well, so that more trouble pays.
fn shape(def: &TableDef) -> (usize, usize, i32) {
    if def.name == LINKING_STATE.name {
        (SMALL_ROW_GROUP_ROWS, WHOLE_PAGE_BYTES, 3)
    } else {
        (ROW_GROUP_ROWS, PAGE_BYTES, 1)
    }
}

/// Where the values of a large column are, if it is one.
fn large(column: &Column) -> Option<ColumnPath> {
    if column.kind == Kind::Resources {
        let arn = [column.name, "list", "element", "arn"].map(str::to_owned);
        return Some(ColumnPath::new(arn.to_vec()));
    }
    LARGE.contains(&column.name).then(|| ColumnPath::from(column.name))
}

/// Whether a column is text that is written as references to a dictionary, as long as that stays small.
pub(super) fn has_dictionary(def: &TableDef, column: &Column) -> bool {
    let in_files = def.partition_by != Some(column.name);
    column.kind == Kind::Text && in_files && encoding(def, column).is_none()
}

/// The encoding of a column for which a dictionary is the wrong one.
fn encoding(def: &TableDef, column: &Column) -> Option<Encoding> {
    let in_order = def.sort_by.first() == Some(&column.name);
    let looked_up = def.lookup.contains(&column.name);
    let own = OWN.iter().find(|(table, name, _)| (*table, *name) == (def.name, column.name));
    if let Some((_, _, encoding)) = own {
        return Some(*encoding);
    }
    match column.kind {
        Kind::Time | Kind::Int if in_order => Some(Encoding::DELTA_BINARY_PACKED),
        Kind::Text if in_order && looked_up => Some(Encoding::DELTA_BYTE_ARRAY),
        _ if KEYS.contains(&column.name) => Some(Encoding::DELTA_BYTE_ARRAY),
        _ if IDS.contains(&column.name) => Some(Encoding::DELTA_LENGTH_BYTE_ARRAY),
        // Times that are not in order differ from row to row.
        Kind::Time | Kind::Binary => Some(Encoding::PLAIN),
        _ if LARGE.contains(&column.name) || NUMBERS.contains(&column.name) => {
            Some(Encoding::PLAIN)
        }
        _ => None,
    }
}

/// Statistics cost two comparisons a value, so only columns have them by which a reader can skip
/// something: all but text, and the text that files are sorted by or that people filter by.
fn statistics(def: &TableDef, column: &Column) -> EnabledStatistics {
    if def.sort_by.first() == Some(&column.name) || column.kind == Kind::Time {
        EnabledStatistics::Page
    } else if !matches!(
        column.kind,
        Kind::Text | Kind::Json | Kind::Binary | Kind::TextList | Kind::Resources
    ) || stats::columns(def).any(|c| c.name == column.name)
    {
        EnabledStatistics::Chunk
    } else {
        EnabledStatistics::None
    }
}

/// The sort columns as Parquet names them: by their number among the leaf columns.
fn sorting(def: &TableDef, leaves: &SchemaDescriptor) -> Option<Vec<SortingColumn>> {
    let number = |name: &str| leaves.columns().iter().position(|c| c.path().string() == name);
    def.sort_by
        .iter()
        .map(|name| {
            let column_idx = i32::try_from(number(name)?).ok()?;
            Some(SortingColumn { column_idx, descending: false, nulls_first: true })
        })
        .collect()
}
