//! Collects events by day and hands them on in runs: sorted, a piece at a time, before memory runs short.
//!
//! Logs come about in the order of time. So a day that has become too large hands on its older rows only, behind
//! those that it has handed on before: then one run holds much of a day, and its pieces need not be merged
//! later. Rows that come too late for the run wait for the next one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use arrow::array::{RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::interleave_record_batch;

use super::{Run, Sink};
use crate::error::Result;
use crate::table::typed;

/// Rows of one sorted batch; small enough to be encoded while it is in the cache.
const SORTED_ROWS: usize = 2 * 1024;

/// The newest rows of a full day stay, one of so many: others that belong among them are on their way.
const STAYS: usize = 3;

/// Runs that are open at once; each has buffers for every column.
const MOST_OPEN: usize = 2;

/// Rows after which a run ends.
const MOST_ROWS: usize = 600_000;

/// A day to which so many batches have added nothing is over, as far as that can be known.
const IDLE: u64 = 32;

/// A day is taken for over only where it holds one of so many bytes: each one that is becomes a file.
const WORTHWHILE: usize = 16;

/// Of a batch that is shared by days these rows are copied where they are one of so many, so that one
/// row does not hold all of it.
const FEW: usize = 8;

/// Rows of one batch that lie on one day. The batch may be shared with other days.
struct Part {
    batch: RecordBatch,
    rows: Vec<usize>,
}

impl Part {
    /// Rows of some batches, in memory of their own.
    fn copied(batches: &[&RecordBatch], rows: &[(usize, usize)]) -> Result<Part> {
        let batch = interleave_record_batch(batches, rows)?;
        Ok(Part { rows: (0..batch.num_rows()).collect(), batch })
    }

    /// Its share of the batch's memory.
    fn bytes(&self) -> usize {
        self.batch.get_array_memory_size() / self.batch.num_rows().max(1) * self.rows.len()
    }
}

#[derive(Default)]
struct Day {
    parts: Vec<Part>,
    bytes: usize,
    /// How many batches had come when the last one added to it.
    last_met: u64,
}

#[derive(Default)]
struct State {
    days: BTreeMap<i32, Day>,
    bytes: usize,
    batches: u64,
}

impl State {
    fn put(&mut self, day: i32, part: Part) -> &mut Day {
        let bytes = part.bytes();
        self.bytes += bytes;
        let entry = self.days.entry(day).or_default();
        entry.bytes += bytes;
        entry.parts.push(part);
        entry
    }

    /// Takes a day out; at its `end` all of it is written.
    fn take(&mut self, day: i32, end: bool) -> Option<Full> {
        let taken = self.days.remove(&day)?;
        self.bytes = self.bytes.saturating_sub(taken.bytes);
        Some(Full { day, parts: taken.parts, end })
    }

    /// The day to be written where memory runs short: one that is over, else the largest.
    fn fullest(&mut self) -> Option<Full> {
        let over = |day: &Day| {
            let idle = self.batches.saturating_sub(day.last_met) >= IDLE;
            idle && day.bytes >= self.bytes / WORTHWHILE
        };
        let largest = self.days.iter().max_by_key(|(_, day)| (over(day), day.bytes))?;
        let (day, end) = (*largest.0, over(largest.1));
        self.take(day, end)
    }
}

/// A day on its way out of memory.
struct Full {
    day: i32,
    parts: Vec<Part>,
    end: bool,
}

/// A run that goes on.
struct Open<'s> {
    day: i32,
    run: Box<dyn Run + 's>,
    rows: usize,
    /// Time and id of the last row.
    last: (i64, String),
}

/// See the module.
pub struct ByDay<'s> {
    sink: &'s dyn Sink,
    /// A day of this size hands on rows.
    day_bytes: usize,
    /// Together the days may not hold more.
    all_bytes: usize,
    state: Mutex<State>,
    /// The one that was written to last comes last. Held while a day is sorted and written: one worker at
    /// a time is enough, the others have input to decode meanwhile.
    open: Mutex<Vec<Open<'s>>>,
}

impl<'s> ByDay<'s> {
    /// Collects for `sink`, holding about `waiting_bytes`; `workers` may each bring a day that is full, and
    /// wait until it is written.
    pub fn new(sink: &'s dyn Sink, waiting_bytes: usize, workers: usize) -> ByDay<'s> {
        let day_bytes = (waiting_bytes / workers.max(1)).max(1 << 20);
        let (state, open) = (Mutex::default(), Mutex::default());
        ByDay { sink, day_bytes, all_bytes: waiting_bytes, state, open }
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner).batches += 1;
        for (day, rows) in days {
            let mut part = Part { batch: batch.clone(), rows };
            if part.rows.len() < batch.num_rows() / FEW {
                let rows: Vec<_> = part.rows.iter().map(|row| (0, *row)).collect();
                part = Part::copied(&[batch], &rows)?;
            }
            let full = self.collect(day, part);
            full.map_or(Ok(()), |full| self.hand_on(&full))?;
        }
        Ok(())
    }

    fn collect(&self, day: i32, part: Part) -> Option<Full> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let batches = state.batches;
        let entry = state.put(day, part);
        entry.last_met = batches;
        if entry.bytes >= self.day_bytes {
            return state.take(day, false);
        }
        if state.bytes >= self.all_bytes { state.fullest() } else { None }
    }

    /// Writes all that is left and ends all runs.
    ///
    /// # Errors
    /// The sink's.
    pub fn finish(self) -> Result<()> {
        loop {
            let next = {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                let first = state.days.keys().next().copied();
                first.and_then(|day| state.take(day, true))
            };
            let Some(full) = next else { break };
            self.hand_on(&full)?;
        }
        let open = self.open.into_inner().unwrap_or_else(PoisonError::into_inner);
        open.into_iter().try_for_each(|open| open.run.finish())
    }

    /// Writes what can be written of a day, all of it at its `end`; the rest stays.
    fn hand_on(&self, Full { day, parts, end }: &Full) -> Result<()> {
        let (day, end) = (*day, *end);
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = Sorted::of(parts)?;
        let mut going = all.extract_if(.., |open| open.day == day).next();
        let mut late = going.as_ref().map_or(0, |open| rows.before(&open.last));
        if late > rows.order.len() / 2 {
            if let Some(open) = going.take() {
                open.run.finish()?;
            }
            late = 0;
        }
        let newest = if end { 0 } else { (rows.order.len() - late) / STAYS };
        let goes = late..rows.order.len() - newest;
        let mut open = match going {
            Some(open) => open,
            None => self.begin(day, &mut all)?,
        };
        rows.write(goes.clone(), &mut open)?;
        if open.rows >= MOST_ROWS || end {
            open.run.finish()?;
        } else {
            all.push(open);
        }
        if end && late > 0 {
            let mut open = self.begin(day, &mut all)?;
            rows.write(0..late, &mut open)?;
            return open.run.finish();
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let batches = state.batches;
        for part in rows.left_but(goes)? {
            state.put(day, part).last_met = batches;
        }
        Ok(())
    }

    fn begin(&self, day: i32, all: &mut Vec<Open<'s>>) -> Result<Open<'s>> {
        if all.len() >= MOST_OPEN {
            all.remove(0).run.finish()?;
        }
        let run = self.sink.begin(day, MOST_ROWS)?;
        Ok(Open { day, run, rows: 0, last: (i64::MIN, String::new()) })
    }
}

/// Rows of some parts in their order.
struct Sorted<'p> {
    batches: Vec<&'p RecordBatch>,
    keys: Vec<Keys<'p>>,
    /// By time and id: part, row.
    order: Vec<(usize, usize)>,
}

impl Sorted<'_> {
    fn of(parts: &[Part]) -> Result<Sorted<'_>> {
        let keys: Vec<Keys> =
            parts.iter().map(|part| Keys::of(&part.batch)).collect::<Result<_>>()?;
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
        let order = order.into_iter().map(|(_, _, p, row)| (p, row)).collect();
        Ok(Sorted { batches: parts.iter().map(|part| &part.batch).collect(), keys, order })
    }

    fn key(&self, (part, row): (usize, usize)) -> (i64, &str) {
        let keys = &self.keys[part];
        (keys.times.value(row), keys.ids.value(row))
    }

    /// How many rows would stand before this one.
    fn before(&self, (time, id): &(i64, String)) -> usize {
        self.order.partition_point(|row| self.key(*row) < (*time, id.as_str()))
    }

    /// Writes some of the rows, by their number in the order.
    fn write(&self, rows: std::ops::Range<usize>, to: &mut Open) -> Result<()> {
        for piece in self.order[rows].chunks(SORTED_ROWS) {
            to.run.write(interleave_record_batch(&self.batches, piece)?)?;
            to.rows += piece.len();
            if let Some(last) = piece.last() {
                let (time, id) = self.key(*last);
                to.last = (time, id.to_owned());
            }
        }
        Ok(())
    }

    /// All other rows. Of a batch of which few are left these are copied, so that it can go.
    fn left_but(&self, gone: std::ops::Range<usize>) -> Result<Vec<Part>> {
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); self.batches.len()];
        let left = self.order[..gone.start].iter().chain(&self.order[gone.end..]);
        left.for_each(|(part, row)| rows[*part].push(*row));
        let (mut parts, mut few) = (Vec::new(), Vec::new());
        for (p, rows) in rows.into_iter().enumerate() {
            if rows.len() * 2 > self.batches[p].num_rows() {
                parts.push(Part { batch: self.batches[p].clone(), rows });
            } else {
                few.extend(rows.into_iter().map(|row| (p, row)));
            }
        }
        if !few.is_empty() {
            parts.push(Part::copied(&self.batches, &few)?);
        }
        Ok(parts)
    }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::ArrayRef;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::intake::books::FileReject;
    use crate::sessions::packed::PackedFacts;

    type Rows = Vec<(i64, String)>;

    /// The runs of each day, in the order in which they ended.
    #[derive(Default)]
    struct Kept(Mutex<Vec<(i32, Rows)>>);

    struct KeptRun<'k>(&'k Kept, i32, Rows);

    impl Sink for Kept {
        fn begin(&self, day: i32, _: usize) -> Result<Box<dyn Run + '_>> {
            Ok(Box::new(KeptRun(self, day, Rows::new())))
        }

        fn rejects(&self, _: Vec<FileReject>) -> Result<()> {
            Ok(())
        }

        fn keep(&self, _: PackedFacts) -> Result<()> {
            Ok(())
        }
    }

    impl Run for KeptRun<'_> {
        fn write(&mut self, batch: RecordBatch) -> Result<()> {
            let keys = Keys::of(&batch)?;
            let row = |row| (keys.times.value(row), keys.ids.value(row).to_owned());
            self.2.extend((0..batch.num_rows()).map(row));
            Ok(())
        }

        fn finish(self: Box<Self>) -> Result<()> {
            self.0.0.lock().unwrap().push((self.1, self.2));
            Ok(())
        }
    }

    fn batch(times: &[i64], number: usize) -> RecordBatch {
        let ids = (0..times.len()).map(|row| Some(format!("{number}-{row}-{}", "x".repeat(200))));
        let ids: ArrayRef = Arc::new(StringArray::from_iter(ids));
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times.to_vec()));
        RecordBatch::try_from_iter([("event_time", times), ("event_id", ids)]).unwrap()
    }

    /// Hands batches in, a hundred microseconds to the day.
    fn handed_on(batches: &[Vec<i64>], day_bytes: usize) -> Vec<(i32, Rows)> {
        let kept = Kept::default();
        let mut by_day = ByDay::new(&kept, 1 << 30, 1);
        (by_day.day_bytes, by_day.all_bytes) = (day_bytes, 3 * day_bytes);
        for (number, times) in batches.iter().enumerate() {
            let days = times.iter().map(|time| (*time / 100) as i32).zip(0..);
            by_day.add(&batch(times, number), days).unwrap();
        }
        by_day.finish().unwrap();
        kept.0.into_inner().unwrap()
    }

    proptest! {
        #[test]
        fn whatever_the_order_every_row_is_in_one_sorted_run_of_its_day(
            batches in vec(vec(0_i64..500, 1..30), 1..40),
            day_bytes in 1_usize..40_000,
        ) {
            let runs = handed_on(&batches, day_bytes);
            for (day, rows) in &runs {
                prop_assert!(rows.is_sorted());
                prop_assert!(rows.iter().all(|(time, _)| (time / 100) as i32 == *day));
            }
            let mut all: Rows = runs.into_iter().flat_map(|(_, rows)| rows).collect();
            all.sort();
            let given = batches.iter().enumerate().flat_map(|(number, times)| {
                let keys = batch(times, number);
                let ids = Keys::of(&keys).unwrap().ids.iter().map(|id| id.unwrap().to_owned());
                times.iter().copied().zip(ids.collect::<Vec<_>>())
            });
            let mut given: Rows = given.collect();
            given.sort();
            prop_assert_eq!(all, given);
        }
    }

    #[test]
    fn logs_in_about_the_order_of_time_make_one_run_a_day() {
        // Each batch reaches back into the one before.
        let batches: Vec<Vec<i64>> =
            (0..100).map(|n| (0..20).map(|row| (n + 19 - row) * 2).collect()).collect();
        let runs = handed_on(&batches, 500_000);
        let days: Vec<i32> = runs.iter().map(|(day, _)| *day).collect();
        assert_eq!(days, [0, 1, 2]);
    }
}
