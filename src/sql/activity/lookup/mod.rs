//! Joining every event with one row of other tables: these are held, and searched for each event.
//!
//! The engine's own join holds them too, with each text as often as it occurs, and what a batch keeps
//! of them counts for every batch again.

mod column;
mod exec;
mod table;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, Result};
use datafusion::datasource::provider_as_source;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::logical_expr::logical_plan::Join;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableType};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;

use super::reading::Reader;
use exec::LookupExec;
use table::{Growing, Table};

/// The plan with its joins made this way, as far as the other tables fit into memory, and how many were.
///
/// # Errors
/// The engine's.
pub(super) async fn looked_up(
    reader: &Reader<'_>,
    plan: &LogicalPlan,
) -> Result<(LogicalPlan, usize)> {
    let mut joins = Vec::new();
    plan.apply(|node| {
        if let LogicalPlan::Join(join) = node
            && let Some(key) = key(join)
        {
            joins.push((join.right.clone(), key));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut tables = Vec::new();
    for (right, key) in joins {
        if let Some(table) = held(reader, &right, &key).await? {
            tables.push((right, key, Arc::new(table)));
        }
    }
    let replaced = plan.clone().transform_up(|node| {
        let LogicalPlan::Join(join) = &node else { return Ok(Transformed::no(node)) };
        let own = key(join);
        let table =
            tables.iter().find(|(right, key, _)| *right == join.right && own.as_ref() == Some(key));
        match table {
            Some((_, _, table)) => Ok(Transformed::yes(scan(join, table)?)),
            None => Ok(Transformed::no(node)),
        }
    })?;
    Ok((replaced.data, tables.len()))
}

/// The columns of the right side by which a join finds rows, where every row of the left side is wanted
/// once, or only those that find one.
fn key(join: &Join) -> Option<Vec<usize>> {
    let fits = matches!(join.join_type, JoinType::Left | JoinType::Inner)
        && join.filter.is_none()
        && !join.on.is_empty();
    let column = |(_, right): &(Expr, Expr)| match right {
        Expr::Column(column) => join.right.schema().maybe_index_of_column(column),
        _ => None,
    };
    if fits { join.on.iter().map(column).collect() } else { None }
}

/// All rows of a side; `None` where they are too many, or a key has several.
async fn held(reader: &Reader<'_>, side: &LogicalPlan, key: &[usize]) -> Result<Option<Table>> {
    let memory = MemoryConsumer::new("activity").register(reader.context.memory_pool());
    let plan = reader.state.create_physical_plan(side).await?;
    let mut growing = Growing::new(&plan.schema(), memory);
    let mut rows = execute_stream(plan, reader.context.clone())?;
    while let Some(batch) = rows.next().await {
        if !growing.add(&batch?, reader.limits.held)? {
            return Ok(None);
        }
    }
    growing.finish(key)
}

/// The join as a table with columns of the same names.
fn scan(join: &Join, table: &Arc<Table>) -> Result<LogicalPlan> {
    let fields = join.schema.fields().iter().enumerate();
    let fields = fields.map(|(i, f)| Field::new(i.to_string(), f.data_type().clone(), true));
    let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let found = Found {
        left: join.left.as_ref().clone(),
        key: join.on.iter().map(|(left, _)| left.clone()).collect(),
        table: table.clone(),
        all: join.join_type == JoinType::Left,
        schema,
    };
    let columns = join.schema.iter().enumerate().map(|(i, (qualifier, field))| {
        let column = Expr::Column(Column::from_name(i.to_string()));
        column.alias_qualified(qualifier.cloned(), field.name())
    });
    let columns: Vec<Expr> = columns.collect();
    LogicalPlanBuilder::scan("found", provider_as_source(Arc::new(found)), None)?
        .project(columns)?
        .build()
}

/// Rows of a plan, each with what is found for it.
struct Found {
    left: LogicalPlan,
    key: Vec<Expr>,
    table: Arc<Table>,
    /// Whether rows stay for which nothing is found.
    all: bool,
    schema: SchemaRef,
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Found").field("key", &self.key).finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for Found {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let left = session.create_physical_plan(&self.left).await?;
        let physical = |e: &Expr| session.create_physical_expr(e.clone(), self.left.schema());
        let key = self.key.iter().map(physical).collect::<Result<_>>()?;
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let columns = projection.unwrap_or(&all).clone();
        let schema = Arc::new(self.schema.project(&columns)?);
        let joined =
            exec::Joined { key, table: self.table.clone(), all: self.all, columns, schema };
        Ok(Arc::new(LookupExec::new(left, joined)))
    }
}
