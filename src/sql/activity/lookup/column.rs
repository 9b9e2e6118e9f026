//! Columns in which equal texts are held once: most of those of credentials have few.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, Int64Array, ListArray, StringViewArray,
    StringViewBuilder, UInt32Array, new_empty_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, UInt32Type};
use datafusion::common::{Result, exec_err};
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A column that grows.
pub(super) enum Growing {
    Text { codes: Vec<Option<u32>>, texts: Texts },
    List { item: FieldRef, ends: Vec<i32>, nulls: Vec<bool>, codes: Vec<Option<u32>>, texts: Texts },
    Other { kind: DataType, parts: Vec<ArrayRef>, bytes: usize },
}

/// Different texts, by their numbers.
pub(super) struct Texts {
    seed: u64,
    texts: StringViewBuilder,
    index: HashTable<u32>,
}

/// A column.
pub(super) enum Column {
    Text {
        codes: UInt32Array,
        texts: StringViewArray,
    },
    /// Of every row a list of numbers.
    List {
        item: FieldRef,
        codes: ListArray,
        texts: StringViewArray,
    },
    Other(ArrayRef),
}

impl Texts {
    fn new(seed: u64) -> Texts {
        Texts { seed, texts: StringViewBuilder::new(), index: HashTable::new() }
    }

    fn code(&mut self, text: &str) -> u32 {
        let Texts { seed, texts, index } = self;
        let hash = xxh3_64_with_seed(text.as_bytes(), *seed);
        let is_text = |code: &u32| texts.get_value(*code as usize) == text.as_bytes();
        if let Some(code) = index.find(hash, is_text) {
            return *code;
        }
        // There are fewer texts than rows, and fewer of these than u32 can number.
        let code = texts.len() as u32;
        texts.append_value(text);
        let again = |code: &u32| xxh3_64_with_seed(texts.get_value(*code as usize), *seed);
        index.insert_unique(hash, code, again);
        code
    }

    fn bytes(&self) -> usize {
        self.texts.allocated_size() + self.index.capacity() * 5
    }
}

impl Growing {
    /// Empty. The seed is for the hashes of texts, which whoever writes them must not know.
    pub fn new(kind: &DataType, seed: u64) -> Growing {
        let (codes, texts) = (Vec::new(), Texts::new(seed));
        match kind {
            DataType::Utf8View => Growing::Text { codes, texts },
            DataType::List(item) if item.data_type() == &DataType::Utf8View => {
                let (item, ends, nulls) = (item.clone(), vec![0], Vec::new());
                Growing::List { item, ends, nulls, codes, texts }
            }
            other => Growing::Other { kind: other.clone(), parts: Vec::new(), bytes: 0 },
        }
    }

    /// Adds values.
    ///
    /// # Errors
    /// Arrow's.
    pub fn add(&mut self, array: &ArrayRef) -> Result<()> {
        match self {
            Growing::Text { codes, texts } => {
                let all = array.as_string_view().iter();
                codes.extend(all.map(|text| text.map(|text| texts.code(text))));
            }
            Growing::List { ends, nulls, codes, texts, .. } => {
                for list in array.as_list::<i32>().iter() {
                    nulls.push(list.is_some());
                    if let Some(list) = list {
                        let all = list.as_string_view().iter();
                        codes.extend(all.map(|text| text.map(|text| texts.code(text))));
                    }
                    let end = i32::try_from(codes.len());
                    ends.push(end.or(exec_err!("a column holds more than {} texts", i32::MAX))?);
                }
            }
            Growing::Other { kind, parts, bytes } => {
                let array =
                    if array.data_type() == kind { array.clone() } else { cast(array, kind)? };
                *bytes += array.get_array_memory_size();
                parts.push(array);
            }
        }
        Ok(())
    }

    /// What it holds, and needs for a moment when it is finished.
    pub fn bytes(&self) -> usize {
        match self {
            Growing::Text { codes, texts } => 8 * codes.capacity() + texts.bytes(),
            Growing::List { ends, nulls, codes, texts, .. } => {
                let lists = 4 * ends.capacity() + nulls.capacity();
                lists + 8 * codes.capacity() + texts.bytes()
            }
            Growing::Other { bytes, .. } => 2 * bytes,
        }
    }

    /// The column.
    ///
    /// # Errors
    /// Arrow's.
    pub fn finish(self) -> Result<Column> {
        Ok(match self {
            Growing::Text { codes, mut texts } => {
                Column::Text { codes: codes.into(), texts: texts.texts.finish() }
            }
            Growing::List { item, ends, nulls, codes, mut texts } => {
                let (ends, nulls) = (OffsetBuffer::new(ends.into()), NullBuffer::from(nulls));
                let code = Arc::new(Field::new("code", DataType::UInt32, true));
                let codes = Arc::new(UInt32Array::from(codes));
                let codes = ListArray::try_new(code, ends, codes, Some(nulls))?;
                Column::List { item, codes, texts: texts.texts.finish() }
            }
            Growing::Other { kind, parts, .. } if parts.is_empty() => {
                Column::Other(new_empty_array(&kind))
            }
            Growing::Other { parts, .. } => {
                let parts: Vec<&dyn Array> = parts.iter().map(ArrayRef::as_ref).collect();
                Column::Other(concat(&parts)?)
            }
        })
    }
}

impl Column {
    /// What it holds.
    pub fn bytes(&self) -> usize {
        match self {
            Column::Text { codes, texts } => {
                codes.get_array_memory_size() + texts.get_array_memory_size()
            }
            Column::List { codes, texts, .. } => {
                codes.get_array_memory_size() + texts.get_array_memory_size()
            }
            Column::Other(array) => array.get_array_memory_size(),
        }
    }

    /// These rows, null where there is none.
    ///
    /// # Errors
    /// Arrow's.
    pub fn rows(&self, rows: &UInt32Array) -> Result<ArrayRef> {
        Ok(match self {
            Column::Text { codes, texts } => take(texts, &take(codes, rows, None)?, None)?,
            Column::List { item, codes, texts } => {
                let lists = take(codes, rows, None)?;
                let (_, ends, codes, nulls) = lists.as_list::<i32>().clone().into_parts();
                let items = take(texts, codes.as_primitive::<UInt32Type>(), None)?;
                Arc::new(ListArray::try_new(item.clone(), ends, items, nulls)?)
            }
            Column::Other(array) => take(array, rows, None)?,
        })
    }

    /// Whether rows can be searched by it.
    pub fn has_parts(&self) -> bool {
        match self {
            Column::Text { .. } => true,
            Column::List { .. } => false,
            Column::Other(array) => array.data_type() == &DataType::Int64,
        }
    }

    /// The values, where they are numbers that rows can be searched by.
    pub fn numbers(&self) -> Option<impl ExactSizeIterator<Item = Option<i64>>> {
        match self {
            Column::Other(array) => Some(array.as_primitive_opt::<Int64Type>()?.iter()),
            _ => None,
        }
    }

    /// The value of a row as a part of a key.
    #[inline]
    pub fn part(&self, row: usize) -> Option<Part<'_>> {
        match self {
            Column::Text { codes, texts } if codes.is_valid(row) => {
                Some(Part::Text(texts.value(codes.value(row) as usize)))
            }
            Column::Other(array) => {
                let numbers = array.as_primitive_opt::<Int64Type>()?;
                numbers.is_valid(row).then(|| Part::Number(numbers.value(row)))
            }
            _ => None,
        }
    }

    /// Values that are compared with those of this column.
    ///
    /// # Errors
    /// Arrow's, where they are of another type.
    pub fn like(&self, array: &ArrayRef) -> Result<Searched> {
        Ok(match self {
            Column::Other(own) => {
                Searched::Numbers(cast(array, own.data_type())?.as_primitive().clone())
            }
            _ => Searched::Texts(cast(array, &DataType::Utf8View)?.as_string_view().clone()),
        })
    }
}

/// Values that rows are searched by.
pub(super) enum Searched {
    Texts(StringViewArray),
    Numbers(Int64Array),
}

/// A value in a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'t> {
    Text(&'t str),
    Number(i64),
}

impl Searched {
    /// The value of a row.
    #[inline]
    pub fn part(&self, row: usize) -> Option<Part<'_>> {
        match self {
            Searched::Texts(texts) => texts.is_valid(row).then(|| Part::Text(texts.value(row))),
            Searched::Numbers(all) => all.is_valid(row).then(|| Part::Number(all.value(row))),
        }
    }
}

impl Part<'_> {
    /// Of a value after others, whose hash is the seed.
    #[inline]
    pub fn hash(self, seed: u64) -> u64 {
        match self {
            Part::Text(text) => xxh3_64_with_seed(text.as_bytes(), seed),
            Part::Number(number) => xxh3_64_with_seed(&number.to_le_bytes(), seed),
        }
    }
}
