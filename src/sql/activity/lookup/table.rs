//! Rows that are searched by their key.

use std::hash::{BuildHasher, RandomState};

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use hashbrown::HashTable;

use super::column::{self, Column, Part};

/// Rows, at most one for a key.
pub(super) struct Table {
    columns: Vec<Column>,
    /// The columns of the key. One with a null is equal to none.
    key: Vec<usize>,
    index: HashTable<u32>,
    /// Of a part of the key that is a number: which one it is, and what numbers there are.
    numbers: Option<(usize, Numbers)>,
    seed: u64,
    _memory: MemoryReservation,
}

/// Numbers, of which a few others are taken for some of them.
struct Numbers {
    bits: Vec<u64>,
}

impl Numbers {
    /// Bits for each number: one in sixteen others is let through.
    const EACH: usize = 16;

    fn of(numbers: impl ExactSizeIterator<Item = Option<i64>>) -> Numbers {
        let words = (numbers.len() * Numbers::EACH / 64).next_power_of_two();
        let mut all = Numbers { bits: vec![0; words] };
        for number in numbers.flatten() {
            let (word, bit) = all.place(number);
            all.bits[word] |= bit;
        }
        all
    }

    fn may_have(&self, number: i64) -> bool {
        let (word, bit) = self.place(number);
        self.bits[word] & bit != 0
    }

    fn place(&self, number: i64) -> (usize, u64) {
        let mixed = number.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // The upper bits are the better mixed ones.
        let word = (mixed >> 32) as usize & (self.bits.len() - 1);
        (word, 1 << (mixed >> 26 & 63))
    }

    fn bytes(&self) -> usize {
        size_of_val(self.bits.as_slice())
    }
}

impl Table {
    /// The row with this key, for every row of these columns.
    ///
    /// # Errors
    /// Arrow's, where they are of another type.
    pub fn find(&self, key: &[ArrayRef]) -> Result<UInt32Array> {
        let columns = key.iter().zip(&self.key).map(|(array, i)| self.columns[*i].like(array));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let rows = key.first().map_or(0, |column| column.len());
        let find = |row: usize| {
            let part = |i: usize| columns[i].part(row);
            // Of most rows nothing is found, which their number tells sooner than their texts.
            if let Some((i, numbers)) = &self.numbers
                && let Some(Part::Number(number)) = part(*i)
                && !numbers.may_have(number)
            {
                return None;
            }
            let hash = hash(self.seed, columns.len(), part)?;
            self.index.find(hash, |known| self.has(*known, part)).copied()
        };
        Ok((0..rows).map(find).collect())
    }

    /// These rows, nulls where there is none.
    ///
    /// # Errors
    /// Arrow's.
    pub fn rows(&self, rows: &UInt32Array) -> Result<Vec<ArrayRef>> {
        self.columns.iter().map(|column| column.rows(rows)).collect()
    }

    #[inline]
    fn part(&self, row: u32, part: usize) -> Option<Part<'_>> {
        self.columns[self.key[part]].part(row as usize)
    }

    /// Whether a row has the key with these parts.
    fn has<'t>(&self, row: u32, part: impl Fn(usize) -> Option<Part<'t>>) -> bool {
        (0..self.key.len()).all(|i| self.part(row, i) == part(i))
    }

    /// Makes the index of so many rows; whether no two have the same key.
    fn number(&mut self, rows: u32) -> bool {
        let mut index = HashTable::with_capacity(rows as usize);
        for row in 0..rows {
            let part = |i: usize| self.part(row, i);
            let Some(hashed) = hash(self.seed, self.key.len(), part) else { continue };
            if index.find(hashed, |other| self.has(*other, part)).is_some() {
                return false;
            }
            let again =
                |row: &u32| hash(self.seed, self.key.len(), |i| self.part(*row, i)).unwrap_or(0);
            index.insert_unique(hashed, row, again);
        }
        self.index = index;
        true
    }
}

/// Of a key with so many parts; a null is equal to nothing.
#[inline]
fn hash<'t>(seed: u64, parts: usize, part: impl Fn(usize) -> Option<Part<'t>>) -> Option<u64> {
    let add = |hash, i| Some(part(i)?.hash(hash));
    (0..parts).try_fold(seed, add)
}

/// A table that grows.
pub(super) struct Growing {
    columns: Vec<column::Growing>,
    rows: usize,
    seed: u64,
    memory: MemoryReservation,
}

impl Growing {
    /// None yet.
    pub fn new(schema: &SchemaRef, memory: MemoryReservation) -> Growing {
        let seed = RandomState::new().hash_one(0);
        let column = |kind| column::Growing::new(kind, seed);
        let columns = schema.fields().iter().map(|field| column(field.data_type())).collect();
        Growing { columns, rows: 0, seed, memory }
    }

    /// Adds rows; whether they fit into `bytes` and into what the statement may have.
    ///
    /// # Errors
    /// Arrow's.
    pub fn add(&mut self, batch: &RecordBatch, bytes: usize) -> Result<bool> {
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            column.add(array)?;
        }
        self.rows += batch.num_rows();
        let columns: usize = self.columns.iter().map(column::Growing::bytes).sum();
        let needed = columns + self.rows * INDEX_BYTES;
        let numbered = u32::try_from(self.rows).is_ok();
        Ok(numbered && needed <= bytes && self.memory.try_resize(needed).is_ok())
    }

    /// The table by these columns; `None` where two rows have the same key.
    ///
    /// # Errors
    /// Arrow's.
    pub fn finish(self, key: &[usize]) -> Result<Option<Table>> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in self.columns {
            columns.push(column.finish()?);
        }
        let searchable = key.iter().all(|i| columns[*i].has_parts());
        let numbers = key
            .iter()
            .enumerate()
            .find_map(|(part, i)| Some((part, Numbers::of(columns[*i].numbers()?))));
        let bytes = columns.iter().map(Column::bytes).sum::<usize>()
            + self.rows * INDEX_BYTES
            + numbers.as_ref().map_or(0, |(_, numbers)| numbers.bytes());
        // Less than while it grew.
        self.memory.resize(bytes);
        let (key, index, seed, _memory) = (key.to_vec(), HashTable::new(), self.seed, self.memory);
        let mut table = Table { columns, key, index, numbers, seed, _memory };
        let found = searchable && table.number(self.rows as u32);
        Ok(found.then_some(table))
    }
}

/// Of the index for a row: five, in a table that may be half empty.
const INDEX_BYTES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_missed_and_few_others_are_let_through() {
        for count in [0_u32, 1, 5, 10_000] {
            let there = |n: u32| i64::from(n) * i64::from(n) - 7;
            let numbers = Numbers::of((0..count).map(|n| Some(there(n))));
            assert!((0..count).all(|n| numbers.may_have(there(n))));
            let others = (0..10_000).filter(|n| numbers.may_have(-8 - n)).count();
            assert!(others < 1_500, "{others} of {count}");
        }
        assert!(!Numbers::of([None].into_iter()).may_have(0));
    }
}
