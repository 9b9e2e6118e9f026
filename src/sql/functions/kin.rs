//! Table functions over the chains: who came before a session, what came of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{MemTable, Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;

use super::{FunctionDoc, doc};

#[rustfmt::skip]
pub(super) const DOCS: &[FunctionDoc] = &[
    doc("ancestors", "id", "table: the session and all that it came from, by any candidate that was not refused; columns of sessions and distance, 0 for itself. The id is a session id, its beginning, or an access key", "SELECT distance, role_name FROM ancestors('s-pe9hc9')", ""),
    doc("descendants", "id", "table: the session and all that came of it; columns and id as in ancestors", "SELECT count(*) FROM activity WHERE session_id IN (SELECT session_id FROM descendants('s-twma9v'))", ""),
    doc("chain_of", "event_id", "table: the session that made a call and all that it came from; columns as in ancestors. No rows where no session made it", "SELECT role_name FROM chain_of('247424d3-6b19-414b-b9f9-f76e7ec6c2e3') ORDER BY distance DESC", ""),
];

/// Fewest characters of a session id after its `s-`.
const SHORTEST: usize = 4;

/// Ids named where several fit.
const NAMED: usize = 5;

/// The tables that chains are read from.
#[derive(Debug, Clone)]
struct Tables(Vec<(&'static str, Arc<dyn TableProvider>)>);

/// Makes the functions known; the tables must be there.
///
/// # Errors
/// The engine's.
pub(in crate::sql) async fn register(context: &SessionContext) -> Result<()> {
    let mut tables = Vec::new();
    for name in ["sessions", "links", "activity"] {
        tables.push((name, context.table_provider(name).await?));
    }
    let tables = Tables(tables);
    for (name, way) in
        [("ancestors", Way::Up), ("descendants", Way::Down), ("chain_of", Way::OfEvent)]
    {
        context.register_udtf(name, Arc::new(Kin { name, way, tables: tables.clone() }));
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
    OfEvent,
}

#[derive(Debug)]
struct Kin {
    name: &'static str,
    way: Way,
    tables: Tables,
}

impl TableFunctionImpl for Kin {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let text = |value: &ScalarValue| value.try_as_str().flatten().map(str::to_owned);
        let id = match args.exprs() {
            [Expr::Literal(value, _)] => text(value),
            _ => None,
        };
        let Some(id) = id else {
            return plan_err!("{}(id) takes one id as text, not a column", self.name);
        };
        let Some((_, sessions)) = self.tables.0.first() else {
            return plan_err!("{} has no sessions to read", self.name);
        };
        let mut fields: Vec<_> = sessions.schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new("distance", DataType::Int64, true)));
        let schema = Arc::new(Schema::new(fields));
        Ok(Arc::new(Relatives {
            name: self.name,
            way: self.way,
            id,
            schema,
            tables: self.tables.clone(),
        }))
    }
}

#[derive(Debug)]
struct Relatives {
    name: &'static str,
    way: Way,
    id: String,
    schema: SchemaRef,
    tables: Tables,
}

#[async_trait]
impl TableProvider for Relatives {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let config =
            SessionConfig::new().with_target_partitions(state.config().target_partitions());
        let context = SessionContext::new_with_config_rt(config, state.runtime_env().clone());
        for (name, table) in &self.tables.0 {
            context.register_table(*name, table.clone())?;
        }
        let start = match self.way {
            Way::OfEvent => callers(&context, &self.id).await?,
            _ => sessions(&context, self.name, &self.id).await?,
        };
        let distances = walk(&context, self.way, start).await?;
        context.register_table("kin", Arc::new(table_of(&distances)?))?;
        let all =
            "SELECT s.*, k.distance FROM sessions s JOIN kin k ON s.session_id = k.session_id";
        let mut frame = context.sql(all).await?;
        if let Some(wanted) = projection {
            let names: Vec<&str> =
                wanted.iter().map(|i| self.schema.field(*i).name().as_str()).collect();
            frame = frame.select_columns(&names)?;
        }
        frame.limit(0, limit)?.create_physical_plan().await
    }
}

fn table_of(distances: &BTreeMap<String, i64>) -> Result<MemTable> {
    let fields = vec![
        Field::new("session_id", DataType::Utf8, true),
        Field::new("distance", DataType::Int64, true),
    ];
    let schema = Arc::new(Schema::new(fields));
    let ids: StringArray = distances.keys().map(|id| Some(id.as_str())).collect();
    let far: Int64Array = distances.values().copied().map(Some).collect();
    let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(ids), Arc::new(far)])?;
    MemTable::try_new(schema, vec![vec![batch]])
}

/// All rows of a statement over text columns.
async fn texts(
    context: &SessionContext,
    sql: &str,
    value: &str,
    mut each: impl FnMut(&[&str]),
) -> Result<()> {
    let frame = context.sql(sql).await?;
    let value = ScalarValue::Utf8(Some(value.to_owned()));
    let mut rows = frame.with_param_values(vec![("id", value)])?.execute_stream().await?;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let columns = batch.columns().iter().map(|column| cast(column, &DataType::Utf8));
        let columns = columns.collect::<Result<Vec<ArrayRef>, _>>()?;
        let columns: Vec<&StringArray> = columns.iter().map(|c| c.as_string::<i32>()).collect();
        for row in 0..batch.num_rows() {
            let cells: Vec<&str> = columns.iter().map(|column| column.value(row)).collect();
            each(&cells);
        }
    }
    Ok(())
}

/// The sessions that an id stands for: one by its beginning, or all that held an access key.
async fn sessions(context: &SessionContext, function: &str, id: &str) -> Result<Vec<String>> {
    let by_id = "SELECT session_id FROM sessions WHERE starts_with(session_id, $id) ORDER BY 1";
    let by_key = "SELECT session_id FROM sessions WHERE array_has(access_key_ids, $id) ORDER BY 1";
    let is_session = id.starts_with("s-");
    if is_session && id.len() < 2 + SHORTEST {
        return plan_err!("{function}: {id:?} is too short; give {SHORTEST} characters after s-");
    }
    let mut found = Vec::new();
    let statement = if is_session { by_id } else { by_key };
    texts(context, statement, id, |row| found.push(row[0].to_owned())).await?;
    match found.len() {
        0 if is_session => plan_err!("{function}: no session id begins with {id:?}"),
        0 => plan_err!(
            "{function}: {id:?} is no session id (s-…), and no session held it as access key"
        ),
        n if is_session && n > 1 => {
            let named = found.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let more = if n > NAMED { ", …" } else { "" };
            plan_err!("{function}: {id:?} fits {n} sessions: {named}{more}")
        }
        _ => Ok(found),
    }
}

/// The session that made a call.
async fn callers(context: &SessionContext, event: &str) -> Result<Vec<String>> {
    let statement = "SELECT event_id, coalesce(session_id, '') FROM activity WHERE event_id = $id";
    let (mut found, mut known) = (Vec::new(), false);
    texts(context, statement, event, |row| {
        known = true;
        if !row[1].is_empty() {
            found.push(row[1].to_owned());
        }
    })
    .await?;
    if !known {
        return plan_err!("chain_of: there is no event {event:?} in these logs");
    }
    Ok(found)
}

/// Every session within reach, with the fewest hops to it. A password is only a hint and a refused
/// candidate is none, as everywhere else.
async fn walk(
    context: &SessionContext,
    way: Way,
    start: Vec<String>,
) -> Result<BTreeMap<String, i64>> {
    let statement = "
        SELECT DISTINCT child_session_id, parent_session_id FROM links
        WHERE strength <> 'none' AND rule <> 'login_profile' AND $id IS NOT NULL
          AND child_session_id IS NOT NULL AND parent_session_id IS NOT NULL";
    let mut next: HashMap<String, Vec<String>> = HashMap::new();
    texts(context, statement, "", |row| {
        let (from, to) = if way == Way::Down { (row[1], row[0]) } else { (row[0], row[1]) };
        next.entry(from.to_owned()).or_default().push(to.to_owned());
    })
    .await?;
    let mut distances: BTreeMap<String, i64> = start.iter().map(|id| (id.clone(), 0)).collect();
    let (mut edge, mut distance) = (start, 0);
    while !edge.is_empty() {
        distance += 1;
        let reached: HashSet<&String> =
            edge.iter().filter_map(|id| next.get(id)).flatten().collect();
        let mut fresh: Vec<String> =
            reached.into_iter().filter(|id| !distances.contains_key(*id)).cloned().collect();
        fresh.sort_unstable();
        distances.extend(fresh.iter().map(|id| (id.clone(), distance)));
        edge = fresh;
    }
    Ok(distances)
}
