//! The tables of a store, or of logs in memory, as SQL: read-only, within a memory limit.

mod params;
pub mod saved;
mod views;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};

use crate::error::{Error, Result};
use crate::store::columns::is_internal;
use crate::store::{Store, TABLES};

pub use params::{Given, ParamType, Params, parse_param};
pub use views::{ACTIVITY, VIEWS};

/// Where the tables come from.
pub enum Source {
    /// A store on disk, pinned to one snapshot.
    Store(Store),
    /// Batches by table name.
    Memory(BTreeMap<&'static str, Vec<RecordBatch>>),
}

/// A read-only SQL session over all tables and views.
pub struct Sql {
    context: SessionContext,
    snapshot: Option<u64>,
    memory_bytes: usize,
}

impl Sql {
    /// Opens the tables. Queries together may use `memory_bytes` before they spill to disk.
    ///
    /// # Errors
    /// The store's and DataFusion's.
    pub async fn open(source: Source, memory_bytes: usize) -> Result<Sql> {
        let pool = Arc::new(FairSpillPool::new(memory_bytes));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build_arc()?;
        let config =
            SessionConfig::new().with_information_schema(true).with_collect_statistics(true);
        // So that an error in somebody's file can be shown with its line.
        let config = config.set_bool("datafusion.sql_parser.collect_spans", true);
        let context = SessionContext::new_with_config_rt(config, runtime);
        let mut snapshot = None;
        match source {
            Source::Store(store) => {
                snapshot = Some(store.snapshot().id);
                for def in TABLES.iter().filter(|def| !is_internal(def)) {
                    context.register_table(def.name, store.provider(def).await?)?;
                }
            }
            Source::Memory(mut tables) => {
                for def in TABLES.iter().filter(|def| !is_internal(def)) {
                    let batches = tables.remove(def.name).unwrap_or_default();
                    let table = MemTable::try_new(def.schema(), spread(batches))?;
                    context.register_table(def.name, Arc::new(table) as Arc<dyn TableProvider>)?;
                }
            }
        }
        for view in VIEWS {
            let plan = context.sql(view.sql).await?;
            context.register_table(view.def.name, plan.into_view())?;
        }
        Ok(Sql { context, snapshot, memory_bytes })
    }

    /// The snapshot of the store that is asked; `None` for logs in memory.
    pub fn snapshot(&self) -> Option<u64> {
        self.snapshot
    }

    /// The same tables, worked on with as little memory as can be: joined by sorting both sides, on
    /// disk where they are large, and not by keeping one side in memory. Slower, and for any size.
    ///
    /// # Errors
    /// The engine's.
    pub fn on_disk(&self) -> Result<Sql> {
        let mut state = self.context.state();
        let options = state.config_mut().options_mut();
        options.optimizer.prefer_hash_join = false;
        // Several sorts run at once, and each must hold a batch and what it merges.
        options.execution.target_partitions = 1;
        options.set("datafusion.execution.batch_size", "512")?;
        options.execution.sort_spill_reservation_bytes = self.memory_bytes / 32;
        Ok(Sql { context: SessionContext::new_with_state(state), ..*self })
    }

    /// Plans one statement with its parameters bound as values.
    ///
    /// # Errors
    /// [`Error::Sql`] with the engine's words; statements that would change anything are refused.
    pub async fn plan(&self, sql: &str, params: Params) -> Result<DataFrame> {
        let frame = self.context.sql_with_options(sql, read_only()).await?;
        let wanted = frame.logical_plan().get_parameter_names()?;
        if let Some(missing) = wanted.iter().find(|name| !params.has(name)) {
            return Err(Error::usage_hint(
                format!("the query needs a value for {missing}"),
                format!("give it with -p {}=VALUE", missing.trim_start_matches('$')),
            ));
        }
        if wanted.is_empty() {
            return Ok(frame);
        }
        Ok(frame.with_param_values(params.into_values())?)
    }

    /// As [`Sql::plan`], for statements and parameters that users type: a value that the statement
    /// does not ask for is refused, because ignoring it would answer another question.
    ///
    /// # Errors
    /// As [`Sql::plan`]; [`Error::Usage`].
    pub async fn plan_exactly(&self, sql: &str, params: Params) -> Result<DataFrame> {
        let wanted = self.context.sql_with_options(sql, read_only()).await?;
        let wanted = wanted.logical_plan().get_parameter_names()?;
        if let Some(name) = params.unwanted(&wanted) {
            let mut names: Vec<_> = wanted.iter().map(String::as_str).collect();
            names.sort_unstable();
            let takes = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Error::usage_hint(
                format!("the query has no parameter ${name}"),
                format!("parameters of the query: {takes}"),
            ));
        }
        self.plan(sql, params).await
    }

    /// Runs one statement; rows come as a stream.
    ///
    /// # Errors
    /// As [`Sql::plan`].
    pub async fn stream(&self, sql: &str, params: Params) -> Result<SendableRecordBatchStream> {
        Ok(self.plan(sql, params).await?.execute_stream().await?)
    }

    /// Runs one statement and collects its rows, for answers that are known to be small.
    ///
    /// # Errors
    /// As [`Sql::plan`].
    pub async fn rows(&self, sql: &str, params: Params) -> Result<Vec<RecordBatch>> {
        Ok(self.plan(sql, params).await?.collect().await?)
    }
}

/// Nothing that would change anything.
fn read_only() -> SQLOptions {
    SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false)
}

/// Several partitions, so that queries over memory use all cores.
fn spread(batches: Vec<RecordBatch>) -> Vec<Vec<RecordBatch>> {
    let parts =
        std::thread::available_parallelism().map_or(1, usize::from).min(batches.len().max(1));
    let mut spread = vec![Vec::new(); parts];
    for (i, batch) in batches.into_iter().enumerate() {
        spread[i % parts].push(batch);
    }
    spread
}
