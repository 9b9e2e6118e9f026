//! Reading parts of the tables as long as they are small, and what to join instead of everything.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use datafusion::catalog::MemTable;
use datafusion::common::Result;
use datafusion::datasource::provider_as_source;
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionState;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use hashbrown::HashSet;

use super::Limits;
use super::lookup::looked_up;
use super::narrowing::{Credentials, Joined};
use super::sides::{
    ATTRIBUTIONS, CREDENTIAL_ID, CREDENTIALS, EVENTS, Sides, column, conditions_are_in_sides,
    is_restricted, one_of, only,
};
use super::top::Top;
use super::window::Window;
use crate::sql::among::{Texts, add_texts};
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
pub(super) struct Held {
    schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
    pub memory: MemoryReservation,
}

/// Texts of a column, and from when to when their rows are: `None` where that is not known.
#[derive(Default)]
pub(super) struct Ids {
    pub texts: Texts,
    pub window: Option<Window>,
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
            && let Some(decided) = self.first(whole, &sides, top).await?
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

    /// The view over these events alone.
    pub async fn around(
        &self,
        whole: &LogicalPlan,
        sides: &Sides,
        events: Held,
    ) -> Result<Option<Decided>> {
        let Some(joined) = self.of_events(sides, &events).await? else { return Ok(None) };
        let Joined { attributions, credentials } = joined;
        let (credentials, held) = match credentials {
            Credentials::Held(held) => (held.as_plan(CREDENTIALS)?, Some(held)),
            Credentials::Plan(plan) => (plan, None),
        };
        let with = [
            (CREDENTIALS, credentials),
            (EVENTS, events.as_plan(EVENTS)?),
            (ATTRIBUTIONS, attributions.as_plan(ATTRIBUTIONS)?),
        ];
        let plan = Sides::replaced(whole, &with)?;
        let few_events = Some(events.rows());
        let held = [Some(events), Some(attributions), held].into_iter().flatten();
        let memory = held.map(|held| held.memory).collect();
        Ok(Some(Decided { plan, memory, few_events, searched: 0 }))
    }

    /// The rows of these plans, all of which give rows of the side; `None` where they are too many.
    pub async fn rows(&self, side: &LogicalPlan, plans: &[LogicalPlan]) -> Result<Option<Held>> {
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
        let name = plan.schema().field(0).name().clone();
        Ok(self.ids(plan, &name, ("", "")).await?.map(|ids| ids.texts))
    }

    /// The distinct texts of a column of a plan, and the time from one of its columns to another; `None`
    /// where they are too many.
    pub async fn ids(
        &self,
        plan: &LogicalPlan,
        name: &str,
        times: (&str, &str),
    ) -> Result<Option<Ids>> {
        let physical = self.state.create_physical_plan(plan).await?;
        let mut stream = execute_stream(physical, self.context.clone())?;
        let (mut texts, mut window) = (HashSet::new(), None::<Window>);
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            if let Some(column) = batch.column_by_name(name) {
                add_texts(column, &mut texts)?;
            }
            let of_batch = Window::of_columns(&batch, times);
            window = window.map_or(of_batch, |known| Some(of_batch.map_or(known, |w| known.or(w))));
            if texts.len() > self.limits.ids {
                return Ok(None);
            }
        }
        Ok(Some(Ids { texts: Arc::new(texts), window }))
    }
}

fn as_it_is(plan: &LogicalPlan) -> Decided {
    Decided { plan: plan.clone(), memory: Vec::new(), few_events: None, searched: 0 }
}

impl Ids {
    /// Adds others.
    pub fn add(&mut self, other: Ids) {
        if self.texts.is_empty() {
            *self = other;
            return;
        }
        if !other.texts.is_empty() {
            Arc::make_mut(&mut self.texts).extend(other.texts.iter().cloned());
            self.window = self.window.zip(other.window).map(|(a, b)| a.or(b));
        }
    }
}

impl Held {
    /// From when to when they are; `None` where a row does not tell.
    pub fn window(&self, times: (&str, &str)) -> Option<Window> {
        let all = self.batches.iter().map(|batch| Window::of_columns(batch, times));
        all.reduce(|a, b| a.zip(b).map(|(a, b)| a.or(b))).flatten()
    }

    /// The same rows with the columns of this side.
    pub fn narrowed_to(self, side: &LogicalPlan) -> Result<Held> {
        let schema: SchemaRef = Arc::new(side.schema().as_arrow().clone());
        let narrowed = |batch: &RecordBatch| {
            let columns: Result<Vec<usize>, ArrowError> = schema
                .fields()
                .iter()
                .map(|field| batch.schema_ref().index_of(field.name()))
                .collect();
            RecordBatch::try_new(schema.clone(), batch.project(&columns?)?.columns().to_vec())
        };
        let batches = self.batches.iter().map(narrowed).collect::<Result<_, ArrowError>>()?;
        Ok(Held { schema, batches, memory: self.memory })
    }

    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    pub fn texts(&self, name: &str) -> Result<HashSet<String>> {
        let mut texts = HashSet::new();
        for batch in &self.batches {
            if let Some(column) = batch.column_by_name(name) {
                add_texts(column, &mut texts)?;
            }
        }
        Ok(texts)
    }

    pub fn as_plan(&self, name: &str) -> Result<LogicalPlan> {
        let table = MemTable::try_new(self.schema.clone(), vec![self.batches.clone()])?;
        LogicalPlanBuilder::scan(name, provider_as_source(Arc::new(table)), None)?.build()
    }
}
