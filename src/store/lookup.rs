//! A table as the engine is given it. It may have many files, of which a question for an id, for a rare call
//! or for an address needs few: bloom filters and dictionaries are asked before the engine is given the
//! files. It would ask bloom filters too, but only after it has made ready to read each file, which takes
//! several times as long, and dictionaries not at all.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use parquet::file::reader::ChunkReader;
use parquet::schema::types::SchemaDescPtr;

use super::asked::{self, Asked, Bounds, Comparison};
use super::delta::{ActiveFile, Table};
use super::dictionary::{Dictionary, Words};
use super::layout::has_dictionary;
use crate::panics::caught;
use crate::table::Column;

/// With fewer files the engine may as well open all of them.
const FEW_FILES: usize = 4;

/// Of files by whose ids nothing is asked, so many are asked for words before all others: what stands in
/// each of them stands in nearly all, and asking them would only take time.
const SAMPLE: usize = 16;

/// With fewer files a second task is not worth its beginning.
const FEWEST_OF_TASK: usize = 16;

/// A data file, by its path in the table.
struct Candidate {
    path: String,
    bounds: Bounds,
}

/// What a file can be asked, for each group of rows.
type Places = Vec<Group>;

/// What a group of rows can be asked.
struct Group {
    /// Offset and bytes of the bloom filters, for each of [`crate::table::TableDef::lookup`].
    filters: Vec<Option<(u64, usize)>>,
    /// The dictionaries, for each column of the table.
    dictionaries: Vec<Option<Dictionary>>,
}

/// What is asked of every file.
struct Question {
    asked: Asked,
    words: Vec<Words>,
}

/// The table.
pub(super) struct LookedUp {
    whole: Arc<dyn TableProvider>,
    files: Arc<Files>,
}

/// Its files.
struct Files {
    table: Table,
    all: OnceLock<Vec<Candidate>>,
    /// By the number of the file, once it was opened.
    places: Mutex<HashMap<usize, Arc<Places>>>,
    schema: OnceLock<SchemaDescPtr>,
}

impl LookedUp {
    /// The table, which `whole` reads.
    pub fn new(table: Table, whole: Arc<dyn TableProvider>) -> LookedUp {
        let (all, schema) = (OnceLock::new(), OnceLock::new());
        let files = Files { table, all, places: Mutex::default(), schema };
        LookedUp { whole, files: Arc::new(files) }
    }

    /// The files that may hold what is asked for; `None` where no filter and no dictionary can tell, or all
    /// may.
    async fn candidates(
        &self,
        session: &dyn Session,
        filters: &[Expr],
    ) -> Result<Option<Vec<String>>> {
        let Some(asked) = Asked::of(&self.files.table.def, filters) else { return Ok(None) };
        // Of a bucket the engine asks for parts of many objects at once, which counts for more.
        if !self.files.table.is_in_folder() {
            return Ok(None);
        }
        let all = self.files.all();
        if all.len() < FEW_FILES {
            return Ok(None);
        }
        let then: Vec<usize> =
            (0..all.len()).filter(|file| asked.may_lie_in(&all[*file].bounds)).collect();
        // What the engine cannot evaluate it refuses when it reads.
        let words = |worded| Words::of(session, worded, &self.whole.schema()).ok();
        let words = asked.worded.iter().filter_map(words).collect();
        let question = Arc::new(Question { asked, words });
        if question.asked.texts.is_empty() {
            let sample = then.iter().step_by(then.len().div_ceil(SAMPLE).max(1)).copied();
            let sample: Vec<usize> = sample.collect();
            if self.that_may_hold(&question, &sample).await?.len() == sample.len() {
                return Ok(None);
            }
        }
        let found = self.that_may_hold(&question, &then).await?;
        if found.len() == all.len() {
            return Ok(None);
        }
        Ok(Some(found.into_iter().map(|file| all[file].path.clone()).collect()))
    }

    /// Those of some files that may hold what is asked for.
    async fn that_may_hold(&self, question: &Arc<Question>, files: &[usize]) -> Result<Vec<usize>> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let share = files.len().div_ceil(cores).max(FEWEST_OF_TASK);
        let tasks = files.chunks(share).map(|some| {
            let (files, question, some) = (self.files.clone(), question.clone(), some.to_vec());
            tokio::task::spawn_blocking(move || files.that_may_hold(&question, some))
        });
        let mut found = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            found.extend(task.await.map_err(|e| DataFusionError::ExecutionJoin(Box::new(e)))?);
        }
        Ok(found)
    }
}

impl Files {
    fn all(&self) -> &[Candidate] {
        let bounds = |file: &ActiveFile| {
            asked::bounds(&self.table.def, file.partition.as_deref(), file.stats.as_deref())
        };
        let all = || self.table.active_files().into_iter();
        self.all.get_or_init(|| {
            all().map(|file| Candidate { bounds: bounds(&file), path: file.path }).collect()
        })
    }

    fn that_may_hold(&self, question: &Question, mut files: Vec<usize>) -> Vec<usize> {
        // Whoever reads a file that cannot be read says what is wrong with it.
        let may_hold = |file| caught(|| self.may_hold(file, question).unwrap_or(true));
        files.retain(|file| may_hold(*file).unwrap_or(true));
        files
    }

    /// Whether one group of rows of a file may have all that is asked for.
    fn may_hold(&self, number: usize, question: &Question) -> Result<bool> {
        let file = File::open(self.table.dir().join(&self.all()[number].path))?;
        for group in self.places(number, &file)?.iter() {
            if group.may_have_ids(&file, &question.asked)?
                && self.may_have_words(group, &file, &question.words)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn may_have_words(&self, group: &Group, file: &File, words: &[Words]) -> Result<bool> {
        let Some(schema) = self.schema.get() else { return Ok(true) };
        for words in words {
            let columns = self.table.def.columns.iter();
            let dictionary = columns.zip(&group.dictionaries).find(|(c, _)| c.name == words.column);
            let Some((_, Some(dictionary))) = dictionary else { continue };
            let Some(leaf) = leaf(schema, words.column) else { continue };
            let values = dictionary.values(file, schema.column(leaf))?;
            if !words.hold_for_one(&values)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn places(&self, number: usize, file: &File) -> Result<Arc<Places>, ParquetError> {
        let known = || self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = known().get(&number) {
            return Ok(places.clone());
        }
        let mut options = ParquetMetaDataOptions::new()
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_encoding_stats_as_mask(true);
        if let Some(schema) = self.schema.get() {
            options = options.with_schema(schema.clone());
        }
        let reader = ParquetMetaDataReader::new()
            .with_metadata_options(Some(options))
            .with_prefetch_hint(Some(64 << 10));
        let metadata = reader.parse_and_finish(file)?;
        let schema = metadata.file_metadata().schema_descr_ptr();
        let def = &self.table.def;
        let of_ids: Vec<Option<usize>> =
            def.lookup.iter().map(|name| leaf(&schema, name)).collect();
        let worded = |column: &Column| {
            has_dictionary(def, column).then(|| leaf(&schema, column.name)).flatten()
        };
        let of_words: Vec<Option<usize>> = def.columns.iter().map(worded).collect();
        let groups = metadata.row_groups().iter().map(|group| {
            let filter = |leaf: &Option<usize>| {
                let column = group.column((*leaf)?);
                let offset = u64::try_from(column.bloom_filter_offset()?).ok()?;
                Some((offset, usize::try_from(column.bloom_filter_length()?).ok()?))
            };
            let dictionary = |leaf: &Option<usize>| Dictionary::of(group.column((*leaf)?));
            let filters = of_ids.iter().map(filter).collect();
            Group { filters, dictionaries: of_words.iter().map(dictionary).collect() }
        });
        let places: Arc<Places> = Arc::new(groups.collect());
        _ = self.schema.set(schema.clone());
        known().insert(number, places.clone());
        Ok(places)
    }
}

impl Group {
    fn may_have_ids(&self, file: &File, asked: &Asked) -> Result<bool, ParquetError> {
        for (column, texts) in &asked.texts {
            let Some((offset, length)) = self.filters.get(*column).copied().flatten() else {
                continue;
            };
            let filter = Sbbf::from_bytes(&file.get_bytes(offset, length)?)?;
            if filter.num_blocks() > 0 && !texts.iter().any(|text| filter.check(text.as_str())) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The number of a column that is one leaf of a file.
fn leaf(schema: &SchemaDescPtr, name: &str) -> Option<usize> {
    schema.columns().iter().position(|leaf| leaf.path().string() == name)
}

impl fmt::Debug for LookedUp {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("LookedUp")
            .field("table", &self.files.table.def.name)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for LookedUp {
    fn schema(&self) -> SchemaRef {
        self.whole.schema()
    }

    fn table_type(&self) -> TableType {
        self.whole.table_type()
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let exactly = |filter: &Expr| {
            let found = Comparison::of(filter);
            found.is_some_and(|found| Some(found.column) == self.files.table.def.partition_by)
        };
        // The crate calls every condition on the partition alone exact, and every one without columns.
        // But it only leaves out files by it, and keeps one where the condition is neither true nor
        // false, or none that it understands.
        let told = self.whole.supports_filters_pushdown(filters)?.into_iter().zip(filters);
        let all = told.map(|(told, filter)| match told {
            TableProviderFilterPushDown::Exact if !exactly(filter) => {
                TableProviderFilterPushDown::Inexact
            }
            told => told,
        });
        Ok(all.collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match self.candidates(session, filters).await? {
            None => self.whole.scan(session, projection, filters, limit).await,
            Some(paths) => {
                let some = self.files.table.scan(Some(paths)).await?;
                some.scan(session, projection, filters, limit).await
            }
        }
    }
}
