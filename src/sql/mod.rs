//! The tables of a store, or of logs in memory, as SQL: read-only, within a memory limit.

mod activity;
mod among;
mod athena;
mod compact;
mod dialect;
mod functions;
mod gathering;
mod lake;
mod memory;
mod params;
mod run;
pub mod saved;
mod sorting;
mod trouble;
mod unknown;
mod views;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::{Column, DataFusionError};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::SessionStateDefaults;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};

use activity::Activity;
use dialect::Parsed;

use crate::error::{Error, Result};
use crate::store::columns::is_internal;
use crate::store::{Store, TABLES};

pub use activity::Limits;
pub use compact::own;
pub use dialect::Dialect;
pub use functions::{FunctionDoc, functions};
pub use params::{Given, ParamType, Params, parse_param};
pub use run::is_out_of_memory;
pub use trouble::offered;
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
        Sql::open_with(source, memory_bytes, Limits::of_memory(memory_bytes)).await
    }

    /// As [`Sql::open`], with other limits for what is joined in memory.
    ///
    /// # Errors
    /// As [`Sql::open`].
    pub async fn open_with(source: Source, memory_bytes: usize, limits: Limits) -> Result<Sql> {
        let mut config =
            SessionConfig::new().with_information_schema(true).with_collect_statistics(true);
        let runtime = memory::bounded(memory_bytes, &mut config)?;
        config.options_mut().sql_parser.collect_spans = true;
        let mut context = SessionContext::new_with_state(state(config, runtime));
        functions::register(&mut context)?;
        let mut snapshot = None;
        match source {
            Source::Store(store) => {
                snapshot = Some(store.snapshot().id);
                if let Some((address, bucket)) = store.location().bucket()? {
                    context.register_object_store(&address, bucket);
                }
                // At once: each reads the log of a table and looks whether its files are there.
                let opened = TABLES.iter().filter(|def| !is_internal(def)).map(|def| {
                    let store = store.clone();
                    let table = tokio::spawn(async move { store.provider(def).await });
                    async move { (def, table.await) }
                });
                for (def, table) in futures::future::join_all(opened).await {
                    let lost = |e| DataFusionError::ExecutionJoin(Box::new(e));
                    context.register_table(def.name, table.map_err(lost)??)?;
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
            let select = (view.sql)();
            let table: Arc<dyn TableProvider> = if view.def.name == ACTIVITY.name {
                Arc::new(Activity::new(&context, &select, limits).await?)
            } else {
                context.sql(&select).await?.into_view()
            };
            context.register_table(view.def.name, table)?;
        }
        functions::kin::register(&context).await?;
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

    /// Plans one statement of ours with its parameters bound as values.
    ///
    /// # Errors
    /// [`Error::Sql`] with the engine's words; statements that would change anything are refused.
    pub async fn plan(&self, sql: &str, params: Params) -> Result<DataFrame> {
        let (frame, _) = self.read(sql, Dialect::Plain, &params).await?;
        bound(frame, params)
    }

    /// As [`Sql::plan`], for statements and parameters that users type: a value that the statement
    /// does not ask for is refused, because ignoring it would answer another question.
    ///
    /// # Errors
    /// As [`Sql::plan`]; [`Error::Usage`].
    pub async fn plan_exactly(
        &self,
        sql: &str,
        params: Params,
        dialect: Dialect,
    ) -> Result<DataFrame> {
        let read = self.read(sql, dialect, &params).await;
        let (frame, spelled) = read.map_err(|e| trouble::explained(sql, e, &self.context))?;
        let mut wanted = frame.logical_plan().get_parameter_names()?;
        // Those of table functions were put in when the statement was read.
        wanted.extend(dialect::parameters(sql));
        if let Some(name) = params.unwanted(&wanted) {
            let mut names: Vec<_> = wanted.iter().map(String::as_str).collect();
            names.sort_unstable();
            let takes = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Error::usage_hint(
                format!("the query has no parameter ${name}"),
                format!("parameters of the query: {takes}"),
            ));
        }
        let planned = bound(frame, params).and_then(|frame| named(frame, &spelled));
        planned.map_err(|e| trouble::explained(sql, e, &self.context))
    }

    /// The names of all functions that can be called.
    pub fn functions(&self) -> Vec<String> {
        let state = self.context.state();
        let scalar = state.scalar_functions().keys().chain(state.aggregate_functions().keys());
        let all = scalar.chain(state.window_functions().keys());
        let all = all.chain(state.table_functions().keys()).cloned();
        let ours = functions().into_iter().map(|function| function.name.to_owned());
        let mut names: Vec<String> = all.chain(ours).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Reads a statement and plans it, parameters left open.
    async fn read(
        &self,
        sql: &str,
        dialect: Dialect,
        params: &Params,
    ) -> Result<(DataFrame, HashMap<String, String>)> {
        let Parsed { statement, spelled } = dialect::parse(sql, dialect, params)?;
        let state = self.context.state();
        let plan = state.statement_to_plan(statement).await?;
        read_only().verify_plan(&plan)?;
        Ok((DataFrame::new(state, plan), spelled))
    }

    /// Runs one statement; rows come as a stream.
    ///
    /// # Errors
    /// As [`Sql::plan`].
    pub async fn stream(&self, sql: &str, params: Params) -> Result<SendableRecordBatchStream> {
        self.run(self.plan(sql, params).await?).await
    }

    /// Runs one statement and collects its rows, for answers that are known to be small.
    ///
    /// # Errors
    /// As [`Sql::plan`].
    pub async fn rows(&self, sql: &str, params: Params) -> Result<Vec<RecordBatch>> {
        Ok(datafusion::physical_plan::common::collect(self.stream(sql, params).await?).await?)
    }
}

/// The rule that moves conditions down.
const PUSHES: &str = "push_down_filter";

/// DataFusion's own, and before all rules the one that reads through records.
fn state(config: SessionConfig, runtime: Arc<RuntimeEnv>) -> SessionState {
    let mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>> =
        vec![Arc::new(functions::ReadThroughRecords)];
    // The rules that move members of structs towards the files stumble over views that show one
    // column under two names; what they are for is done by the rule above.
    let members = ["extract_leaf_expressions", "push_down_leaf_projections"];
    for rule in Optimizer::new().rules {
        if members.contains(&rule.name()) {
            continue;
        }
        let pushes = rule.name() == PUSHES;
        rules.push(rule);
        if pushes {
            // What came down from a view is a condition on the view's expressions now: it is made
            // one on columns before anything else takes it apart.
            rules.push(Arc::new(functions::ReadThroughRecords));
            rules.push(Arc::new(SimplifyExpressions::new()));
            rules.push(Arc::new(PushDownFilter::new()));
        }
    }
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(dialect::MembersInAnyCase)];
    planners.extend(SessionStateDefaults::default_expr_planners());
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_expr_planners(planners)
        .with_optimizer_rules(rules)
        .with_analyzer_rule(Arc::new(unknown::UnknownStaysUnknown))
        .with_analyzer_rule(Arc::new(gathering::GatherPlainTexts))
        .with_physical_optimizer_rule(Arc::new(activity::TopOfActivity))
        .with_physical_optimizer_rule(Arc::new(sorting::CompactBeforeSorts))
        .build()
}

/// Puts the values in.
fn bound(frame: DataFrame, params: Params) -> Result<DataFrame> {
    let wanted = frame.logical_plan().get_parameter_names()?;
    if let Some(missing) = wanted.iter().filter(|name| !params.has(name)).min() {
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

/// Columns named as they were spelled.
fn named(frame: DataFrame, spelled: &HashMap<String, String>) -> Result<DataFrame> {
    let shows_rows = !matches!(
        frame.logical_plan(),
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_)
    );
    let as_spelled = |name: &str| spelled.get(name).filter(|way| *way != name);
    let fields = frame.schema().fields().iter();
    if !shows_rows || !fields.clone().any(|field| as_spelled(field.name()).is_some()) {
        return Ok(frame);
    }
    let columns = frame.schema().iter().map(|(qualifier, field)| {
        let column = Expr::Column(Column::from((qualifier, field)));
        match as_spelled(field.name()) {
            Some(way) => column.alias(way),
            None => column,
        }
    });
    let columns: Vec<Expr> = columns.collect();
    Ok(frame.select(columns)?)
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
