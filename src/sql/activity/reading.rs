//! Reading parts of the tables as long as they are small, and what to join instead of everything.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, SchemaRef};
use datafusion::catalog::MemTable;
use datafusion::common::Result;
use datafusion::datasource::provider_as_source;
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionState;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::common::collect;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use hashbrown::HashSet;

use super::Limits;
use super::among::{FEW, Texts, add_texts};
use super::lookup::looked_up;
use super::sides::{
    ATTRIBUTIONS, CREDENTIAL_ID, CREDENTIALS, EVENT_ID, EVENTS, Sides, column,
    conditions_are_in_sides, is_restricted, one_of, only,
};
use super::top::Top;
use crate::sql::compact::{Wasted, compact};

/// A plan that gives the rows of the view, and the memory that its inputs take.
pub(super) struct Decided {
    pub plan: LogicalPlan,
    pub memory: Vec<MemoryReservation>,
    /// How many events it starts from, where they were few.
    pub few_events: Option<usize>,
    /// How many tables are held to be searched for each event.
    pub searched: usize,
}

/// Reads for one statement.
pub(super) struct Reader<'s> {
    pub state: &'s SessionState,
    pub context: Arc<TaskContext>,
    pub limits: Limits,
}

/// Rows in memory.
struct Held {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
    memory: MemoryReservation,
}

/// What every event that is wanted fulfils: it names one of these credentials, or an attribution names
/// one of them for it.
struct Wanted {
    credentials: Texts,
    attributed: Texts,
}

impl Reader<'_> {
    /// The plan to run for an optimised plan of the view.
    ///
    /// # Errors
    /// The engine's.
    pub async fn decide(&self, whole: &LogicalPlan, top: Option<&Top>) -> Result<Decided> {
        let Some(sides) = Sides::of(whole)? else { return Ok(as_it_is(whole)) };
        if let Some(top) = top.filter(|top| top.rows <= self.limits.rows)
            && conditions_are_in_sides(whole)?
            && let Some(events) = self.first(&sides.events, top).await?
            && let Some(decided) = self.around(whole, &sides, events).await?
        {
            return Ok(decided);
        }
        let wanted = if sides.credentials_decide { self.wanted(&sides).await? } else { None };
        let reads = match &wanted {
            Some(wanted) => wanted.reads(&sides.events)?,
            None if is_restricted(&sides.events)? => vec![sides.events.clone()],
            None => return self.whole(whole).await,
        };
        if let Some(events) = self.rows(&sides.events, &reads).await?
            && let Some(decided) = self.around(whole, &sides, events).await?
        {
            return Ok(decided);
        }
        let Some(wanted) = wanted else { return self.of_few_callers(whole, &sides).await };
        let events = only(&sides.events, wanted.condition(&sides.events)?)?;
        let events = self.state.optimize(&events)?;
        self.whole(&Sides::replaced(whole, &[(EVENTS, events)])?).await
    }

    /// The events that come first; `None` where they are too many. Of those that come first in time most
    /// likely lie in the first days that there are, and the files of other days need not be opened.
    async fn first(&self, events: &LogicalPlan, top: &Top) -> Result<Option<Held>> {
        if let Some(first_day) = self.first_day(events, top).await? {
            for count in [1, 8] {
                let days = top.days(first_day, count);
                let near = self.state.optimize(&top.of(&days.of(events)?)?)?;
                let Some(held) = self.rows(events, &[near]).await? else { return Ok(None) };
                if held.rows() == top.rows && days.hold_all(&held.batches)? {
                    return Ok(Some(held));
                }
            }
        }
        let all = self.state.optimize(&top.of(events)?)?;
        self.rows(events, &[all]).await
    }

    /// The first day that has events, in the order that is wanted, as days since 1970-01-01; `None` where
    /// the order is not that of time.
    async fn first_day(&self, events: &LogicalPlan, top: &Top) -> Result<Option<i32>> {
        let Some(plan) = top.first_day(events)? else { return Ok(None) };
        let physical = self.state.create_physical_plan(&plan).await?;
        let batches = collect(execute_stream(physical, self.context.clone())?).await?;
        let days = batches.iter().filter(|batch| batch.num_rows() > 0).map(|batch| {
            batch.column(0).as_primitive_opt::<Date32Type>().filter(|day| day.is_valid(0))
        });
        Ok(days.flatten().map(|day| day.value(0)).next())
    }

    /// The plan over all that its sides give.
    async fn whole(&self, plan: &LogicalPlan) -> Result<Decided> {
        let (plan, searched) = looked_up(self, plan).await?;
        Ok(Decided { searched, ..as_it_is(&plan) })
    }

    /// The view over the credentials that the events, or any attribution, name: those of a day are few
    /// where its events are not.
    async fn of_few_callers(&self, whole: &LogicalPlan, sides: &Sides) -> Result<Decided> {
        let mut ids = HashSet::new();
        for (side, name) in [(&sides.events, EVENTS), (&sides.attributions, ATTRIBUTIONS)] {
            let id = column(name, CREDENTIAL_ID);
            let named = LogicalPlanBuilder::from(side.clone()).project([id])?.build()?;
            let named = self.state.optimize(&named)?;
            let Some(texts) = self.texts(&named).await? else { return self.whole(whole).await };
            ids.extend(texts.iter().cloned());
        }
        let side = &sides.credentials;
        let theirs = only(side, one_of(side, (CREDENTIALS, CREDENTIAL_ID), &Arc::new(ids))?)?;
        let theirs = self.state.optimize(&theirs)?;
        self.whole(&Sides::replaced(whole, &[(CREDENTIALS, theirs)])?).await
    }

    /// What the condition on credentials says of events. `None` where too many credentials fit.
    async fn wanted(&self, sides: &Sides) -> Result<Option<Wanted>> {
        let id = column(CREDENTIALS, CREDENTIAL_ID);
        let ids = LogicalPlanBuilder::from(sides.credentials.clone()).project([id])?.build()?;
        let Some(credentials) = self.texts(&ids).await? else { return Ok(None) };
        let side = &sides.attributions;
        let theirs = only(side, one_of(side, (ATTRIBUTIONS, CREDENTIAL_ID), &credentials)?)?;
        let event = column(ATTRIBUTIONS, EVENT_ID);
        let events = LogicalPlanBuilder::from(theirs).project([event])?.build()?;
        let attributed = self.texts(&events).await?;
        Ok(attributed.map(|attributed| Wanted { credentials, attributed }))
    }

    /// The view over these events alone.
    async fn around(
        &self,
        whole: &LogicalPlan,
        sides: &Sides,
        events: Held,
    ) -> Result<Option<Decided>> {
        let ids = Arc::new(events.texts(EVENT_ID)?);
        let side = &sides.attributions;
        let theirs = only(side, one_of(side, (ATTRIBUTIONS, EVENT_ID), &ids)?)?;
        let Some(attributions) = self.rows(side, &[theirs]).await? else { return Ok(None) };
        let mut ids = events.texts(CREDENTIAL_ID)?;
        ids.extend(attributions.texts(CREDENTIAL_ID)?);
        let side = &sides.credentials;
        let credentials = only(side, one_of(side, (CREDENTIALS, CREDENTIAL_ID), &Arc::new(ids))?)?;
        let with = [
            (CREDENTIALS, self.state.optimize(&credentials)?),
            (EVENTS, events.as_plan(EVENTS)?),
            (ATTRIBUTIONS, attributions.as_plan(ATTRIBUTIONS)?),
        ];
        let plan = Sides::replaced(whole, &with)?;
        let few_events = Some(events.rows());
        Ok(Some(Decided {
            plan,
            memory: vec![events.memory, attributions.memory],
            few_events,
            searched: 0,
        }))
    }

    /// The rows of these plans, all of which give rows of the side; `None` where they are too many.
    async fn rows(&self, side: &LogicalPlan, plans: &[LogicalPlan]) -> Result<Option<Held>> {
        let memory = MemoryConsumer::new("activity").register(self.context.memory_pool());
        let schema: SchemaRef = Arc::new(side.schema().as_arrow().clone());
        let mut held = Held { schema, batches: Vec::new(), memory };
        let mut rows = 0;
        for plan in plans {
            let physical = self.state.create_physical_plan(plan).await?;
            let mut stream = execute_stream(physical, self.context.clone())?;
            while let Some(batch) = stream.next().await {
                let batch = compact(&batch?, &held.schema, Wasted::None)?;
                rows += batch.num_rows();
                let bytes = batch.get_array_memory_size();
                let fits = rows <= self.limits.rows
                    && held.memory.size() + bytes <= self.limits.bytes
                    && held.memory.try_grow(bytes).is_ok();
                if !fits {
                    return Ok(None);
                }
                if batch.num_rows() > 0 {
                    held.batches.push(batch);
                }
            }
        }
        Ok(Some(held))
    }

    /// The distinct texts of a plan's only column; `None` where they are too many.
    async fn texts(&self, plan: &LogicalPlan) -> Result<Option<Texts>> {
        let physical = self.state.create_physical_plan(plan).await?;
        let mut stream = execute_stream(physical, self.context.clone())?;
        let mut texts = HashSet::new();
        while let Some(batch) = stream.next().await {
            for column in batch?.columns() {
                add_texts(column, &mut texts)?;
            }
            if texts.len() > self.limits.ids {
                return Ok(None);
            }
        }
        Ok(Some(Arc::new(texts)))
    }
}

fn as_it_is(plan: &LogicalPlan) -> Decided {
    Decided { plan: plan.clone(), memory: Vec::new(), few_events: None, searched: 0 }
}

impl Wanted {
    /// As one condition on events.
    fn condition(&self, events: &LogicalPlan) -> Result<datafusion::logical_expr::Expr> {
        let own = one_of(events, (EVENTS, CREDENTIAL_ID), &self.credentials)?;
        Ok(own.or(one_of(events, (EVENTS, EVENT_ID), &self.attributed)?))
    }

    /// What to read of the events. Few ids are asked for one by one: a reader finds no use for a bloom
    /// filter in a condition on one column or another.
    fn reads(&self, events: &LogicalPlan) -> Result<Vec<LogicalPlan>> {
        if self.credentials.len() > FEW || self.attributed.len() > FEW {
            return Ok(vec![only(events, self.condition(events)?)?]);
        }
        let own = one_of(events, (EVENTS, CREDENTIAL_ID), &self.credentials)?;
        let mut reads = vec![only(events, own.clone())?];
        if !self.attributed.is_empty() {
            let other = one_of(events, (EVENTS, EVENT_ID), &self.attributed)?;
            reads.push(only(events, other.and(own.is_not_true()))?);
        }
        Ok(reads)
    }
}

impl Held {
    fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    fn texts(&self, name: &str) -> Result<HashSet<String>> {
        let mut texts = HashSet::new();
        for batch in &self.batches {
            if let Some(column) = batch.column_by_name(name) {
                add_texts(column, &mut texts)?;
            }
        }
        Ok(texts)
    }

    fn as_plan(&self, name: &str) -> Result<LogicalPlan> {
        let table = MemTable::try_new(self.schema.clone(), vec![self.batches.clone()])?;
        LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(table)), None)?.build()
    }
}
