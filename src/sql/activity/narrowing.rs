//! What is wanted of one table, by what is known of the others: ids to look for, and the time in which
//! to look for them.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, lit};
use hashbrown::HashSet;

use super::reading::{Held, Ids, Reader};
use super::sides::{
    ATTRIBUTIONS, CREDENTIAL_ID, CREDENTIALS, EVENT_ID, EVENTS, Sides, TIME, hinted, one_of, only,
    widened,
};
use super::window::Window;
use crate::model::ids;
use crate::sessions::SHARED_EVENT;
use crate::sql::among::{FEW, Texts};

/// When a credential made its first call and its last.
const CALLS: (&str, &str) = ("first_event_at", "last_event_at");
/// When an event happened, as a range.
const THEN: (&str, &str) = (TIME, TIME);
/// What joins an attribution's two records.
const RULE: &str = "rule";

/// What every event that is wanted fulfils: it names one of these credentials, or an attribution names
/// one of them for it.
pub(super) struct Wanted {
    credentials: Ids,
    attributed: Ids,
}

/// What can join some events.
pub(super) struct Joined {
    pub attributions: Held,
    pub credentials: Credentials,
}

/// Credentials as far as they are few, else how to read them.
pub(super) enum Credentials {
    Held(Held),
    Plan(LogicalPlan),
}

/// Credentials that attributions name.
#[derive(Default)]
struct Named {
    /// Those that made a call of their own at the time of an attributed event.
    at_the_time: HashSet<String>,
    /// Callers without session: their ids stand together.
    without_session: HashSet<String>,
    /// Of these it is not known when they called, or whether they did.
    others: HashSet<String>,
}

impl Reader<'_> {
    /// What the condition on credentials says of events. `None` where too many credentials fit.
    pub async fn wanted(&self, sides: &Sides) -> Result<Option<Wanted>> {
        if let Some(window) = Window::of_conditions(&sides.events)?.filter(Window::is_short)
            && let Some(wanted) = self.wanted_in(sides, window).await?
        {
            return Ok(Some(wanted));
        }
        let side = widened(&sides.credentials, &[CALLS.0, CALLS.1])?;
        let Some(credentials) = self.ids(&side, CREDENTIAL_ID, CALLS).await? else {
            return Ok(None);
        };
        let side = widened(&sides.attributions, &[TIME])?;
        let theirs = one_of(&side, (ATTRIBUTIONS, CREDENTIAL_ID), &credentials.texts)?;
        let attributed = self.ids(&only(&side, theirs)?, EVENT_ID, THEN).await?;
        Ok(attributed.map(|attributed| Wanted { credentials, attributed }))
    }

    /// The same of events of a time: only credentials of then are looked at.
    async fn wanted_in(&self, sides: &Sides, window: Window) -> Result<Option<Wanted>> {
        let side = widened(&sides.attributions, &[TIME, RULE])?;
        let Some(attributions) = self.rows(&side, &[window.hint(&side, THEN)?]).await? else {
            return Ok(None);
        };
        let named = Named::by(&attributions.batches)?;
        let side = widened(&sides.credentials, &[CALLS.0, CALLS.1])?;
        let Some(mut credentials) =
            self.ids(&window.hint(&side, CALLS)?, CREDENTIAL_ID, CALLS).await?
        else {
            return Ok(None);
        };
        for plan in named.elsewhere(&side)? {
            let Some(more) = self.ids(&plan, CREDENTIAL_ID, CALLS).await? else { return Ok(None) };
            credentials.add(more);
        }
        let mut attributed = Ids::default();
        for batch in &attributions.batches {
            let (events, callers) = (texts(batch, EVENT_ID)?, texts(batch, CREDENTIAL_ID)?);
            let pairs = events.as_string::<i32>().iter().zip(callers.as_string::<i32>());
            let theirs = pairs.filter(|(_, caller)| {
                caller.is_some_and(|caller| credentials.texts.contains(caller))
            });
            let theirs: HashSet<String> =
                theirs.filter_map(|(event, _)| event.map(str::to_owned)).collect();
            if !theirs.is_empty() {
                let window = Window::of_columns(batch, THEN);
                attributed.add(Ids { texts: Arc::new(theirs), window });
            }
        }
        Ok(Some(Wanted { credentials, attributed }))
    }

    /// The attributions of these events, and the credentials that either names; `None` where they are too
    /// many.
    pub async fn of_events(&self, sides: &Sides, events: &Held) -> Result<Option<Joined>> {
        let window = events.window(THEN).filter(Window::is_short);
        let side = widened(&sides.attributions, &[TIME, RULE])?;
        let hinted = window.map_or_else(|| Ok(side.clone()), |then| then.hint(&side, THEN))?;
        let ids = Arc::new(events.texts(EVENT_ID)?);
        let theirs = only(&hinted, one_of(&side, (ATTRIBUTIONS, EVENT_ID), &ids)?)?;
        let Some(attributions) = self.rows(&side, &[theirs]).await? else { return Ok(None) };
        let mut named = Named::by(&attributions.batches)?;
        for id in events.texts(CREDENTIAL_ID)? {
            let kind = match ids::is_external(&id) {
                true => &mut named.without_session,
                false => &mut named.at_the_time,
            };
            kind.insert(id);
        }
        let named = named.told_apart();
        let attributions = attributions.narrowed_to(&sides.attributions)?;
        let credentials = self.named(&sides.credentials, &named, window).await?;
        Ok(Some(Joined { attributions, credentials }))
    }

    async fn named(
        &self,
        side: &LogicalPlan,
        named: &Named,
        window: Option<Window>,
    ) -> Result<Credentials> {
        if let Some(window) = window {
            let mut plans = named.elsewhere(side)?;
            plans.extend(named.at_the_time(&window.hint(side, CALLS)?)?);
            if let Some(held) = self.rows(side, &plans).await? {
                return Ok(Credentials::Held(held));
            }
        }
        let theirs = only(side, one_of(side, (CREDENTIALS, CREDENTIAL_ID), &named.all())?)?;
        Ok(Credentials::Plan(self.state.optimize(&theirs)?))
    }
}

impl Wanted {
    /// As one condition on events.
    pub fn condition(&self, events: &LogicalPlan) -> Result<Expr> {
        let own = one_of(events, (EVENTS, CREDENTIAL_ID), &self.credentials.texts)?;
        Ok(own.or(one_of(events, (EVENTS, EVENT_ID), &self.attributed.texts)?))
    }

    /// What to read of the events. Few ids are asked for one by one: a reader finds no use for a bloom
    /// filter in a condition on one column or another.
    pub fn reads(&self, events: &LogicalPlan) -> Result<Vec<LogicalPlan>> {
        let (own, attributed) = (&self.credentials, &self.attributed);
        if own.texts.len() > FEW || attributed.texts.len() > FEW {
            let both = own.window.zip(attributed.window).map(|(own, other)| own.or(other));
            let window = if attributed.texts.is_empty() { own.window } else { both };
            return Ok(vec![only(&then(events, window)?, self.condition(events)?)?]);
        }
        let is_own = one_of(events, (EVENTS, CREDENTIAL_ID), &own.texts)?;
        let mut reads = vec![only(&then(events, own.window)?, is_own.clone())?];
        if !attributed.texts.is_empty() {
            let is_other = one_of(events, (EVENTS, EVENT_ID), &attributed.texts)?;
            let side = then(events, attributed.window)?;
            reads.push(only(&side, is_other.and(is_own.is_not_true()))?);
        }
        Ok(reads)
    }
}

fn then(events: &LogicalPlan, window: Option<Window>) -> Result<LogicalPlan> {
    window.map_or_else(|| Ok(events.clone()), |window| window.hint(events, THEN))
}

impl Named {
    /// Those that attributions name.
    fn by(attributions: &[RecordBatch]) -> Result<Named> {
        let mut named = Named::default();
        for batch in attributions {
            let callers = texts(batch, CREDENTIAL_ID)?;
            let rules = batch.column_by_name(RULE).map(|rules| cast(rules, &DataType::Utf8));
            let rules = rules.transpose()?;
            for (row, caller) in callers.as_string::<i32>().iter().enumerate() {
                let Some(caller) = caller else { continue };
                let rule = rules.as_ref().map(|rules| rules.as_string::<i32>().value(row));
                let kind = match rule {
                    _ if ids::is_external(caller) => &mut named.without_session,
                    Some(SHARED_EVENT) => &mut named.at_the_time,
                    _ => &mut named.others,
                };
                if !kind.contains(caller) {
                    kind.insert(caller.to_owned());
                }
            }
        }
        Ok(named)
    }

    fn all(&self) -> Texts {
        let all = self.at_the_time.iter().chain(&self.without_session).chain(&self.others);
        Arc::new(all.cloned().collect())
    }

    /// Of those that called at the time it is enough to know that.
    fn told_apart(mut self) -> Named {
        self.others.retain(|id| !self.at_the_time.contains(id));
        self
    }

    /// The rows of those that need not have called at the time.
    fn elsewhere(&self, side: &LogicalPlan) -> Result<Vec<LogicalPlan>> {
        let kinds = [self.without_session.clone(), self.others.clone()].into_iter();
        kinds.filter(|ids| !ids.is_empty()).map(|ids| of_ids(side, ids)).collect()
    }

    /// The rows of the others; a side with all that called at the time.
    fn at_the_time(&self, side: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        let ids = Some(self.at_the_time.clone()).filter(|ids| !ids.is_empty());
        ids.map(|ids| of_ids(side, ids)).transpose()
    }
}

/// The credentials with these ids. Files are in order of the ids, so that those without any of them need
/// not be opened.
fn of_ids(side: &LogicalPlan, ids: HashSet<String>) -> Result<LogicalPlan> {
    let kind =
        Expr::Column(Column::new(Some(CREDENTIALS), CREDENTIAL_ID)).get_type(side.schema())?;
    let bound = |id: Option<&String>| {
        Ok(lit(ScalarValue::Utf8(Some(id.cloned().unwrap_or_default())).cast_to(&kind)?))
    };
    let bounds: Result<(Expr, Expr)> =
        bound(ids.iter().min()).and_then(|least| Ok((least, bound(ids.iter().max())?)));
    let (least, most) = bounds?;
    let bounded = hinted(side, |table| {
        let id = Expr::Column(Column::new(Some(table.clone()), CREDENTIAL_ID));
        id.clone().gt_eq(least.clone()).and(id.lt_eq(most.clone()))
    })?;
    only(&bounded, one_of(side, (CREDENTIALS, CREDENTIAL_ID), &Arc::new(ids))?)
}

fn texts(batch: &RecordBatch, name: &str) -> Result<arrow::array::ArrayRef> {
    match batch.column_by_name(name) {
        Some(column) => Ok(cast(column, &DataType::Utf8)?),
        None => Ok(arrow::array::new_null_array(&DataType::Utf8, batch.num_rows())),
    }
}
