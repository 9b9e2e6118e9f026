//! Batches without memory that their rows do not need.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ByteView, GenericByteViewArray, ListArray, MutableArrayData,
    RecordBatch, RecordBatchOptions, StructArray, make_array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{ByteViewType, DataType, Field, SchemaRef};
use datafusion::common::Result;

/// How much memory that its rows do not need a column may keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wasted {
    /// None: for rows that are held for long.
    None,
    /// Three times what its rows need: for rows that pass through, which are copied only where they
    /// would count for far more than they are.
    ThreeTimes,
}

/// Texts that are longer than this stand outside of their view.
const INLINE: u32 = 12;

/// Bytes that a buffer may have more than it needs: it is not worth a copy to give them back.
const SPARE: usize = 256;

/// The batch with columns of the types of `schema` that keep no more than is allowed. Texts that were
/// picked out of a page or of one side of a join keep all of that alive, and whoever accounts for
/// memory counts it whole for every batch.
pub(super) fn compact(
    batch: &RecordBatch,
    schema: &SchemaRef,
    wasted: Wasted,
) -> Result<RecordBatch> {
    let own = |(array, field): (&ArrayRef, &Arc<Field>)| {
        let array = lean(array, wasted)?;
        match array.data_type() == field.data_type() {
            true => Ok(array),
            false => Ok(cast(&array, field.data_type())?),
        }
    };
    let columns = batch.columns().iter().zip(schema.fields()).map(own).collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// The batch with memory of its own: what is kept of an answer must not keep the rest of it.
///
/// # Errors
/// Arrow's.
pub fn own(batch: &RecordBatch) -> crate::error::Result<RecordBatch> {
    Ok(compact(batch, &batch.schema(), Wasted::None)?)
}

impl Wasted {
    /// Most bytes that may be kept for so many that are needed.
    fn allowed(self, needed: usize) -> usize {
        match self {
            Wasted::None => needed,
            Wasted::ThreeTimes => needed.saturating_mul(4),
        }
    }
}

fn lean(array: &ArrayRef, wasted: Wasted) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Utf8View => packed(array.as_string_view(), wasted)?,
        DataType::BinaryView => packed(array.as_binary_view(), wasted)?,
        DataType::List(field) => {
            let (_, offsets, values, nulls) = array.as_list::<i32>().clone().into_parts();
            // Those before and after belong to rows that were sliced away.
            let (from, to) = (offsets[0], offsets[offsets.len() - 1]);
            let values = values.slice(from as usize, (to - from) as usize);
            let offsets = offsets.iter().map(|offset| offset - from).collect();
            let offsets = OffsetBuffer::new(offsets);
            Arc::new(ListArray::try_new(field.clone(), offsets, lean(&values, wasted)?, nulls)?)
        }
        DataType::Struct(_) => {
            let (fields, members, nulls) = array.as_struct().clone().into_parts();
            let rows = array.len();
            let members = members.iter().map(|member| lean(member, wasted));
            let members = members.collect::<Result<_>>()?;
            Arc::new(StructArray::try_new_with_length(fields, members, nulls, rows)?)
        }
        plain if plain.is_primitive() || *plain == DataType::Boolean => sized(array, wasted)?,
        _ => array.clone(),
    })
}

/// A reader makes room for a whole batch, however few of its rows are wanted.
fn sized(array: &ArrayRef, wasted: Wasted) -> Result<ArrayRef> {
    let data = array.to_data();
    if data.get_buffer_memory_size() <= wasted.allowed(data.get_slice_memory_size()? + SPARE) {
        return Ok(array.clone());
    }
    let mut copy = MutableArrayData::new(vec![&data], false, array.len());
    copy.try_extend(0, 0, array.len())?;
    Ok(make_array(copy.freeze()))
}

fn packed<T: ByteViewType>(array: &GenericByteViewArray<T>, wasted: Wasted) -> Result<ArrayRef> {
    let kept: usize = array.data_buffers().iter().map(|buffer| buffer.capacity()).sum();
    let outside = |view: &u128| ByteView::from(*view).length;
    let lengths = array.views().iter().map(outside).filter(|length| *length > INLINE);
    let needed: usize = lengths.map(|length| length as usize).sum();
    let views = size_of_val(&**array.views());
    let allowed = wasted.allowed(needed) + if wasted == Wasted::None { 0 } else { views };
    let array = if kept > allowed { array.gc() } else { array.clone() };
    // What has no text outside of the views keeps these as they are.
    if array.views().inner().capacity() <= wasted.allowed(views + SPARE) {
        return Ok(Arc::new(array));
    }
    let (views, texts, nulls) = array.into_parts();
    let views = ScalarBuffer::from(views.to_vec());
    Ok(Arc::new(GenericByteViewArray::<T>::try_new(views, texts, nulls)?))
}

#[cfg(test)]
mod tests {
    use arrow::array::{BooleanArray, Int64Array, StringViewArray};
    use arrow::datatypes::Schema;

    use super::*;

    fn bytes(array: &StringViewArray, wasted: Wasted) -> usize {
        let schema = Arc::new(Schema::new(vec![Field::new("t", DataType::Utf8View, true)]));
        let batch = RecordBatch::try_new(schema.clone(), vec![Arc::new(array.clone())]).unwrap();
        let own = compact(&batch, &schema, wasted).unwrap();
        assert_eq!(own.column(0).as_string_view(), array);
        own.column(0).as_string_view().data_buffers().iter().map(|b| b.len()).sum()
    }

    #[test]
    fn room_for_rows_that_are_not_there_is_given_back() {
        let nulls = StringViewArray::from_iter((0..8192).map(|_| None::<&str>));
        let short = StringViewArray::from_iter_values((0..8192).map(|n| n.to_string()));
        let numbers = Int64Array::from_iter_values(0..8192);
        let flags = BooleanArray::from_iter((0..8192).map(|n| Some(n % 3 == 0)));
        let arn = Arc::new(Field::new("arn", DataType::Utf8View, true));
        let member: ArrayRef = Arc::new(short.clone());
        let inside = StructArray::from(vec![(arn, member)]);
        let all: [ArrayRef; 5] = [
            Arc::new(nulls),
            Arc::new(short),
            Arc::new(numbers),
            Arc::new(flags),
            Arc::new(inside),
        ];
        for column in all {
            let few = column.slice(7, 3);
            let field = Field::new("c", column.data_type().clone(), true);
            let schema = Arc::new(Schema::new(vec![field]));
            let batch = RecordBatch::try_new(schema.clone(), vec![few.clone()]).unwrap();
            for wasted in [Wasted::None, Wasted::ThreeTimes] {
                let own = compact(&batch, &schema, wasted).unwrap();
                assert_eq!(own.column(0), &few);
                let bytes = own.get_array_memory_size();
                assert!(bytes < 2048, "{bytes} of {}", column.data_type());
            }
        }
    }

    #[test]
    fn few_rows_of_many_let_the_others_go() {
        let texts = (0..1000).map(|i| format!("a text of which thirty bytes {i}"));
        let all = StringViewArray::from_iter_values(texts);
        let few = all.slice(10, 5);
        let whole = bytes(&all, Wasted::ThreeTimes);
        assert_eq!(bytes(&few, Wasted::None), 5 * 31);
        assert_eq!(bytes(&few, Wasted::ThreeTimes), 5 * 31);
        let most = all.slice(0, 900);
        assert_eq!(bytes(&most, Wasted::ThreeTimes), whole, "not worth a copy");
        assert!(bytes(&most, Wasted::None) < whole);
    }
}
