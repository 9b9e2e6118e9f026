//! The view **activity** as a table that decides while it is read how to join.
//!
//! What it answers is the SELECT of the view and nothing else. That one joins every event with all
//! credentials, which is right for a count over everything and wasteful for the ten calls of one key.
//! Nobody knows beforehand how many events a condition leaves, so the table tries: it reads the events
//! that fit, and as long as they are few, it reads only those rows of the other tables that can join
//! them, and runs the SELECT over these. Leaving out rows that no event joins changes no answer.
//!
//! ```text
//! condition on credentials?  -> the credentials that fit, if few -> what else must hold of an event
//! events that fit, if few    -> attributions of these events -> credentials of both -> the SELECT
//! too many, of few callers   -> credentials of all events that fit -> the SELECT over these
//! too many                   -> the SELECT over everything, its joins as searches in tables that are
//!                               held as a whole, where these fit into memory
//! first rows by their events -> these events, and then as for few
//! first rows of some callers -> the same for the events of the last days, if these have enough of them
//! ```
//!
//! Of a condition on time, and of events that lie near each other in time, follows in which files the
//! credentials and attributions can be that join them ([`window`]).

mod exec;
mod first;
mod lookup;
mod narrowing;
mod reading;
mod sides;
mod top;
mod window;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Column, Result, internal_err};
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableProviderFilterPushDown, TableType,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;

use exec::ActivityExec;
pub(super) use top::TopOfActivity;

/// Up to how much is few.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Rows of a table that are held in memory.
    pub rows: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Ids that other tables are searched for.
    pub ids: usize,
    /// Bytes of a whole table that is held to be searched.
    pub held: usize,
}

impl Limits {
    /// What is few where so many bytes may be used altogether.
    pub(super) fn of_memory(bytes: usize) -> Limits {
        Limits { rows: 500_000, bytes: bytes / 6, ids: bytes / 2048, held: bytes / 2 }
    }

    /// For a statement that has run out of memory: what is held must not be what fills it again.
    fn sparing(self) -> Limits {
        Limits { rows: self.rows / 16, bytes: self.bytes / 16, ids: self.ids / 4, held: self.held }
    }
}

/// The view.
pub(super) struct Activity {
    select: LogicalPlan,
    schema: SchemaRef,
    /// By column: whether it is a column of **events** under its own name.
    of_events: Vec<bool>,
    events: Arc<dyn TableProvider>,
    limits: Limits,
}

impl fmt::Debug for Activity {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Activity").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Activity {
    /// The view that this SELECT describes; `e`, `a` and `c` are events, attributions and credentials
    /// there.
    ///
    /// # Errors
    /// The engine's.
    pub async fn new(context: &SessionContext, select: &str, limits: Limits) -> Result<Activity> {
        let select = context.sql(select).await?.into_unoptimized_plan();
        let schema: SchemaRef = Arc::new(select.schema().as_arrow().clone());
        let own = |expr: &Expr, name: &str| match expr {
            Expr::Column(Column { relation: Some(from), name: of, .. }) => {
                from.table() == sides::EVENTS && of == name
            }
            _ => false,
        };
        let of_events = match &select {
            LogicalPlan::Projection(top) => {
                let names = schema.fields().iter().map(|field| field.name());
                top.expr.iter().zip(names).map(|(expr, name)| own(expr, name)).collect()
            }
            _ => vec![false; schema.fields().len()],
        };
        let events = context.table_provider("events").await?;
        Ok(Activity { select, schema, of_events, events, limits })
    }

    /// Every event has one row here, so where only its own columns are asked for nothing is joined.
    fn needs_only_events(&self, projection: &[usize], filters: &[Expr]) -> bool {
        let own = |name: &str| self.schema.index_of(name).is_ok_and(|i| self.of_events[i]);
        projection.iter().all(|i| self.of_events[*i])
            && filters.iter().all(|filter| filter.column_refs().iter().all(|c| own(&c.name)))
    }
}

#[async_trait]
impl TableProvider for Activity {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let whole = |filter: &&Expr| {
            let asks_elsewhere = filter.contains_outer()
                || filter.contains_scalar_subquery()
                || filter.is_volatile();
            if asks_elsewhere {
                TableProviderFilterPushDown::Unsupported
            } else {
                TableProviderFilterPushDown::Exact
            }
        };
        Ok(filters.iter().map(whole).collect())
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Some(state) = session.as_any().downcast_ref::<SessionState>() else {
            return internal_err!("activity is read in a session of another kind");
        };
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let projection = projection.unwrap_or(&all);
        let only_events = self.needs_only_events(projection, filters);
        let mut plan = if only_events {
            LogicalPlanBuilder::scan("events", provider_as_source(self.events.clone()), None)?
        } else {
            LogicalPlanBuilder::from(self.select.clone())
        };
        if let Some(condition) = filters.iter().cloned().reduce(Expr::and) {
            plan = plan.filter(condition)?;
        }
        let columns = projection.iter().map(|i| match only_events {
            true => Expr::Column(Column::new(Some("events"), self.schema.field(*i).name())),
            false => Expr::Column(Column::from(self.select.schema().qualified_field(*i))),
        });
        plan = plan.project(columns.collect::<Vec<_>>())?;
        if limit.is_some() {
            plan = plan.limit(0, limit)?;
        }
        let plan = plan.build()?;
        if only_events {
            return state.create_physical_plan(&plan).await;
        }
        let schema = Arc::new(self.schema.project(projection)?);
        let own_columns = projection.iter().filter(|i| self.of_events[**i]);
        let own_columns = own_columns.map(|i| self.schema.field(*i).name().clone()).collect();
        let own_filters = self.needs_only_events(&[], filters);
        let filters = filters.to_vec();
        let asked = exec::Asked { filters, limit, own_columns, own_filters, top: None };
        // So are statements run that need little memory.
        let spares = !state.config_options().optimizer.prefer_hash_join;
        let limits = if spares { self.limits.sparing() } else { self.limits };
        Ok(Arc::new(ActivityExec::new(state.clone(), plan, schema, asked, limits)?))
    }
}
