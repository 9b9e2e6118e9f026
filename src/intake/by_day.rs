//! Collects events by day and hands them on sorted, a piece at a time, before memory runs short.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use arrow::array::{RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::interleave_record_batch;

use super::{DayEvents, Sink};
use crate::error::Result;
use crate::table::typed;

/// Rows of one sorted batch; small enough to be encoded while it is in the cache.
const SORTED_ROWS: usize = 2 * 1024;

/// Rows of one batch that lie on one day. The batch may be shared with other days.
struct Part {
    batch: RecordBatch,
    rows: Vec<usize>,
}

impl Part {
    /// Its share of the batch's memory.
    fn bytes(&self) -> usize {
        self.batch.get_array_memory_size() / self.batch.num_rows().max(1) * self.rows.len()
    }
}

#[derive(Default)]
struct Day {
    parts: Vec<Part>,
    bytes: usize,
}

#[derive(Default)]
struct State {
    days: BTreeMap<i32, Day>,
    bytes: usize,
}

/// See the module.
pub struct ByDay<'s> {
    sink: &'s dyn Sink,
    /// A day of this size is handed on.
    day_bytes: usize,
    /// Together the days may not hold more.
    all_bytes: usize,
    state: Mutex<State>,
}

impl<'s> ByDay<'s> {
    /// Collects for `sink`, holding `waiting_bytes` at the most; `workers` may be sorting pieces
    /// of their own meanwhile.
    pub fn new(sink: &'s dyn Sink, waiting_bytes: usize, workers: usize) -> ByDay<'s> {
        let day_bytes = (waiting_bytes / (workers + 1)).max(1 << 20);
        ByDay { sink, day_bytes, all_bytes: waiting_bytes, state: Mutex::default() }
    }

    /// Adds rows of a batch, given by day and number. Whoever brings the batch that fills a day sorts
    /// and writes it.
    ///
    /// # Errors
    /// The sink's.
    pub fn add(&self, batch: &RecordBatch, rows: impl Iterator<Item = (i32, usize)>) -> Result<()> {
        let mut days: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (day, row) in rows {
            days.entry(day).or_default().push(row);
        }
        for (day, rows) in days {
            let full = self.collect(day, Part { batch: batch.clone(), rows });
            if let Some((day, parts)) = full {
                self.write(day, &parts)?;
            }
        }
        Ok(())
    }

    fn collect(&self, day: i32, part: Part) -> Option<(i32, Vec<Part>)> {
        let bytes = part.bytes();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = state.days.entry(day).or_default();
        entry.parts.push(part);
        entry.bytes += bytes;
        let day_full = entry.bytes >= self.day_bytes;
        state.bytes += bytes;
        let full = if day_full {
            Some(day)
        } else if state.bytes >= self.all_bytes {
            state.days.iter().max_by_key(|(_, day)| day.bytes).map(|(day, _)| *day)
        } else {
            None
        };
        let taken = state.days.remove(&full?)?;
        state.bytes = state.bytes.saturating_sub(taken.bytes);
        Some((full?, taken.parts))
    }

    fn write(&self, day: i32, parts: &[Part]) -> Result<()> {
        let order = order(parts)?;
        let batches: Vec<&RecordBatch> = parts.iter().map(|part| &part.batch).collect();
        let pieces = order.chunks(SORTED_ROWS);
        let sorted = |piece: &[_]| Ok(interleave_record_batch(&batches, piece)?);
        let batches = Box::new(pieces.map(sorted));
        self.sink.write(DayEvents { day, rows: order.len(), batches })
    }

    /// Takes out one of the days that are left; `None` when none is. Several workers may empty it
    /// together.
    ///
    /// # Errors
    /// The sink's.
    pub fn write_next(&self) -> Result<bool> {
        let next = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.days.pop_first()
        };
        let Some((day, entry)) = next else { return Ok(false) };
        self.write(day, &entry.parts)?;
        Ok(true)
    }
}

/// Where the rows of the parts stand, by time and id: part, row.
fn order(parts: &[Part]) -> Result<Vec<(usize, usize)>> {
    let keys: Vec<Keys> = parts.iter().map(|part| Keys::of(&part.batch)).collect::<Result<_>>()?;
    let mut order: Vec<(i64, u64, usize, usize)> = Vec::new();
    for (p, (part, keys)) in parts.iter().zip(&keys).enumerate() {
        order.extend(part.rows.iter().map(|row| {
            let id = keys.ids.value(*row);
            (keys.times.value(*row), first_bytes(id), p, *row)
        }));
    }
    order.sort_unstable_by(|a, b| {
        let id = |(_, _, part, row): &(i64, u64, usize, usize)| keys[*part].ids.value(*row);
        let by_key = (a.0, a.1).cmp(&(b.0, b.1));
        by_key.then_with(|| id(a).cmp(id(b))).then_with(|| (a.2, a.3).cmp(&(b.2, b.3)))
    });
    Ok(order.into_iter().map(|(_, _, p, row)| (p, row)).collect())
}

/// The columns that rows are sorted by.
struct Keys<'b> {
    times: &'b TimestampMicrosecondArray,
    ids: &'b StringArray,
}

impl Keys<'_> {
    fn of(batch: &RecordBatch) -> Result<Keys<'_>> {
        Ok(Keys { times: typed(batch, "event_time")?, ids: typed(batch, "event_id")? })
    }
}

/// The first bytes of a text as a number that sorts like them: comparing numbers is quicker, and
/// hardly ever leaves two ids equal.
fn first_bytes(text: &str) -> u64 {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
    u64::from_be_bytes(bytes)
}
