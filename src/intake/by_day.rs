//! Collects events by day and hands them on sorted, a piece at a time, before memory runs short.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use arrow::array::{
    Array, Date32Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute::{interleave_record_batch, take_record_batch};

use super::Sink;
use crate::error::Result;

/// Rows of one sorted batch; small enough to be encoded while it is in the cache.
const SORTED_ROWS: usize = 8 * 1024;

#[derive(Default)]
struct Day {
    batches: Vec<RecordBatch>,
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

    /// Adds a batch with rows of any days. Whoever brings the batch that fills a day sorts and
    /// writes it.
    ///
    /// # Errors
    /// The sink's.
    pub fn add(&self, batch: &RecordBatch) -> Result<()> {
        for (day, part) in split_by_day(batch)? {
            let full = self.collect(day, part);
            if let Some((day, batches)) = full {
                self.sink.write(day, sorted(&batches)?)?;
            }
        }
        Ok(())
    }

    fn collect(&self, day: i32, part: RecordBatch) -> Option<(i32, Vec<RecordBatch>)> {
        let bytes = part.get_array_memory_size();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = state.days.entry(day).or_default();
        entry.batches.push(part);
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
        Some((full?, taken.batches))
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
        self.sink.write(day, sorted(&entry.batches)?)?;
        Ok(true)
    }
}

/// The rows of a batch, day by day; the batch itself when all are of one day.
fn split_by_day(batch: &RecordBatch) -> Result<Vec<(i32, RecordBatch)>> {
    let dates = batch.column_by_name("event_date");
    let Some(dates) = dates.and_then(|c| c.as_any().downcast_ref::<Date32Array>()) else {
        return Ok(Vec::new());
    };
    let mut rows: BTreeMap<i32, Vec<u32>> = BTreeMap::new();
    for (row, day) in dates.values().iter().enumerate() {
        rows.entry(*day).or_default().push(u32::try_from(row).unwrap_or(u32::MAX));
    }
    if let (1, Some(day)) = (rows.len(), rows.keys().next()) {
        return Ok(vec![(*day, batch.clone())]);
    }
    rows.into_iter()
        .map(|(day, rows)| Ok((day, take_record_batch(batch, &UInt32Array::from(rows))?)))
        .collect()
}

/// All rows of the batches, by time and id.
pub fn sorted(batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
    let mut keys: Vec<(i64, &str, (usize, usize))> = Vec::new();
    for (b, batch) in batches.iter().enumerate() {
        let times = batch.column_by_name("event_time");
        let ids = batch.column_by_name("event_id");
        let times = times.and_then(|c| c.as_any().downcast_ref::<TimestampMicrosecondArray>());
        let ids = ids.and_then(|c| c.as_any().downcast_ref::<StringArray>());
        let (Some(times), Some(ids)) = (times, ids) else { continue };
        keys.extend((0..batch.num_rows()).map(|row| (times.value(row), ids.value(row), (b, row))));
    }
    keys.sort_unstable();
    let order: Vec<(usize, usize)> = keys.into_iter().map(|(.., place)| place).collect();
    let all: Vec<&RecordBatch> = batches.iter().collect();
    let pieces = order.chunks(SORTED_ROWS);
    pieces.map(|piece| Ok(interleave_record_batch(&all, piece)?)).collect()
}
