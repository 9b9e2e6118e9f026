//! The values of a text column in a group of rows, as its dictionary lists them. Where all pages refer to
//! it, and none of its values fulfils a condition on that column alone, no row of the group does.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use bytes::Bytes;
use datafusion::catalog::Session;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::PhysicalExpr;
use parquet::basic::{Compression, Encoding};
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescPtr;

use super::asked::Worded;

/// Where the dictionary of a column is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dictionary {
    offset: u64,
    bytes: usize,
    compression: Compression,
}

impl Dictionary {
    /// The dictionary of a column that has no value outside of it.
    pub fn of(column: &ColumnChunkMetaData) -> Option<Dictionary> {
        let only = |mask: &parquet::basic::EncodingMask| {
            mask.is_only(Encoding::RLE_DICTIONARY) || mask.is_only(Encoding::PLAIN_DICTIONARY)
        };
        if !column.page_encoding_stats_mask().is_some_and(only) {
            return None;
        }
        let offset = column.dictionary_page_offset()?;
        let bytes = usize::try_from(column.data_page_offset().checked_sub(offset)?).ok()?;
        let offset = u64::try_from(offset).ok()?;
        Some(Dictionary { offset, bytes, compression: column.compression() })
    }

    /// Its values, and a null at the end: where values are missing, a dictionary does not say.
    ///
    /// # Errors
    /// Parquet's, where it cannot be read.
    pub fn values(&self, file: &File, leaf: ColumnDescPtr) -> Result<ArrayRef, ParquetError> {
        let bytes: Bytes = file.get_bytes(self.offset, self.bytes)?;
        let page = ColumnChunkMetaData::builder(leaf)
            .set_compression(self.compression)
            .set_dictionary_page_offset(Some(0))
            .set_total_compressed_size(i64::try_from(self.bytes)?)
            .build()?;
        let mut pages = SerializedPageReader::new(Arc::new(bytes), &page, 0, None)?;
        let Some(Page::DictionaryPage { buf, num_values, .. }) = pages.get_next_page()? else {
            return Err(ParquetError::General("there is no dictionary".to_owned()));
        };
        let mut values = StringViewBuilder::new();
        let mut rest: &[u8] = &buf;
        for _ in 0..num_values {
            let cut = || ParquetError::EOF("a dictionary is cut off".to_owned());
            let (length, others) = rest.split_first_chunk().ok_or_else(cut)?;
            let length = usize::try_from(u32::from_le_bytes(*length))?;
            let (value, others) = others.split_at_checked(length).ok_or_else(cut)?;
            values.append_value(std::str::from_utf8(value)?);
            rest = others;
        }
        // A value that is left out of the count would be missed in silence.
        if !rest.is_empty() {
            return Err(ParquetError::General("a dictionary is longer than it says".to_owned()));
        }
        values.append_null();
        Ok(Arc::new(values.finish()))
    }
}

/// A condition that is asked of the values of one column.
pub(super) struct Words {
    /// The column.
    pub column: &'static str,
    condition: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
}

impl Words {
    /// The condition, ready to be asked of a table with these columns.
    ///
    /// # Errors
    /// The engine's.
    pub fn of(session: &dyn Session, worded: &Worded, table: &SchemaRef) -> Result<Words> {
        let field = table.field_with_name(worded.column)?.clone();
        let schema = Arc::new(Schema::new(vec![field]));
        let plain = worded.condition.clone().transform(|expr| {
            Ok(match expr {
                Expr::Column(column) => {
                    Transformed::yes(Expr::Column(Column::from_name(column.name)))
                }
                other => Transformed::no(other),
            })
        })?;
        let columns = DFSchema::try_from(schema.clone())?;
        let condition = session.create_physical_expr(plain.data, &columns)?;
        Ok(Words { column: worded.column, condition, schema })
    }

    /// Whether it holds for one of these values.
    ///
    /// # Errors
    /// The engine's.
    pub fn hold_for_one(&self, values: &ArrayRef) -> Result<bool> {
        let values = cast(values, self.schema.field(0).data_type())?;
        let rows = values.len();
        let batch = RecordBatch::try_new(self.schema.clone(), vec![values])?;
        let holds = self.condition.evaluate(&batch)?.into_array(rows)?;
        let holds = cast(&holds, &DataType::Boolean)?;
        Ok(holds.as_boolean().true_count() > 0)
    }
}
