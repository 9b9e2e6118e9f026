//! Functions over lists: those of Trino over lists and maps that DataFusion has under another meaning,
//! and what is asked of the resources of a record.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, UInt64Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::functions_nested::array_has::array_has_udf;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::scalar::is_text;
use super::{FunctionDoc, doc};

/// The member of a resource that names it.
const ARN: &str = "arn";

#[rustfmt::skip]
pub(super) const DOCS: &[FunctionDoc] = &[
    doc("among", "text, list", "contains(list, text), found sooner where the list is a value of the query", "among('b', make_array('a', 'b'))", "true"),
    doc("contains", "list, item", "whether a list holds the item; of two texts, whether the first holds the second", "contains(make_array('a', 'b'), 'b')", "true"),
    doc("touches_like", "resources, pattern", "whether the ARN of one of a record's resources is like the pattern", "touches_like(make_array(named_struct('arn', 'arn:aws:s3:::logs')), 'arn:aws:s3:::%')", "true"),
    doc("element_at", "list, position", "the item at a position, from 1, or from the end where negative; of a map the value of a key; NULL where there is none", "element_at(make_array('a', 'b'), -1)", "b"),
];

pub(super) fn all() -> Vec<ScalarUDF> {
    let signature = || Signature::user_defined(Volatility::Immutable);
    vec![
        ScalarUDF::new_from_impl(TouchesLike(Signature::any(2, Volatility::Immutable))),
        ScalarUDF::new_from_impl(ElementAt(signature())),
        ScalarUDF::new_from_impl(Contains(signature())),
    ]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TouchesLike(Signature);

impl ScalarUDFImpl for TouchesLike {
    fn name(&self) -> &str {
        "touches_like"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let has_arn = |item: &DataType| match item {
            DataType::Struct(members) => members.iter().any(|member| member.name() == ARN),
            _ => false,
        };
        match given {
            [DataType::List(item), pattern] if has_arn(item.data_type()) && is_text(pattern) => {
                Ok(DataType::Boolean)
            }
            _ => plan_err!("call it as touches_like(resources, pattern)"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [resources, ColumnarValue::Scalar(pattern)] = args.args.as_slice() else {
            return exec_err!("touches_like takes a column and one pattern");
        };
        let resources = resources.to_array(args.number_rows)?;
        let resources = resources.as_list::<i32>();
        // Those of rows that were sliced away stand before and after.
        let offsets = resources.value_offsets();
        let (from, to) = (offsets[0] as usize, offsets[resources.len()] as usize);
        let arns = resources.values().as_struct().column_by_name(ARN);
        let arns = arns.map(|arns| cast(&arns.slice(from, to - from), &DataType::Utf8View));
        let Some(arns) = arns.transpose()? else { return exec_err!("resources have no ARN") };
        let pattern = pattern.cast_to(&DataType::Utf8View)?.to_scalar()?;
        let fits = arrow::compute::like(&arns, &pattern)?;
        let touches = |row: usize| {
            let all = offsets[row] as usize - from..offsets[row + 1] as usize - from;
            resources
                .is_valid(row)
                .then(|| all.into_iter().any(|i| fits.is_valid(i) && fits.value(i)))
        };
        let touched: BooleanArray = (0..resources.len()).map(touches).collect();
        Ok(ColumnarValue::Array(Arc::new(touched)))
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ElementAt(Signature);

impl ScalarUDFImpl for ElementAt {
    fn name(&self) -> &str {
        "element_at"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        match given.first() {
            Some(DataType::List(item)) => Ok(item.data_type().clone()),
            Some(DataType::Map(entries, _)) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => Ok(fields[1].data_type().clone()),
                other => plan_err!("element_at knows no map of {other}"),
            },
            Some(DataType::Null) => Ok(DataType::Null),
            _ => plan_err!("element_at takes a list and a position, or a map and a key"),
        }
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [DataType::Null, key] => Ok(vec![DataType::Null, key.clone()]),
            [
                DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _),
                _,
            ] => Ok(vec![DataType::List(item.clone()), DataType::Int64]),
            [map @ DataType::Map(..), key] if is_text(key) || key.is_null() => {
                Ok(vec![map.clone(), DataType::Utf8])
            }
            _ => {
                plan_err!("element_at takes a list and a position, or a map and a key that is text")
            }
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let [values, keys] = columns.as_slice() else {
            return exec_err!("element_at takes two arguments");
        };
        let answer = match values.data_type() {
            DataType::List(_) => item_at(values, keys)?,
            DataType::Map(..) => value_of(values, keys)?,
            _ => values.clone(),
        };
        Ok(ColumnarValue::Array(answer))
    }
}

fn item_at(lists: &ArrayRef, positions: &ArrayRef) -> Result<ArrayRef> {
    let lists = lists.as_list::<i32>();
    let positions: &Int64Array = positions.as_primitive::<Int64Type>();
    let place = |row: usize| {
        if lists.is_null(row) || positions.is_null(row) {
            return None;
        }
        let (from, length) = (lists.value_offsets()[row], lists.value_length(row));
        let (length, position) = (i64::from(length), positions.value(row));
        let back = if position < 0 { length + position } else { position - 1 };
        let inside = position != 0 && (0..length).contains(&back);
        inside.then(|| u64::try_from(i64::from(from) + back).ok()).flatten()
    };
    let places: UInt64Array = (0..lists.len()).map(place).collect();
    Ok(take(lists.values(), &places, None)?)
}

fn value_of(maps: &ArrayRef, keys: &ArrayRef) -> Result<ArrayRef> {
    let maps = maps.as_map();
    let names = cast(maps.keys(), &DataType::Utf8)?;
    let (names, keys) = (names.as_string::<i32>(), keys.as_string::<i32>());
    let place = |row: usize| {
        if maps.is_null(row) || keys.is_null(row) {
            return None;
        }
        let entries = maps.value_offsets()[row]..maps.value_offsets()[row + 1];
        let found = entries
            .filter_map(|entry| usize::try_from(entry).ok())
            .find(|entry| names.is_valid(*entry) && names.value(*entry) == keys.value(row))?;
        Some(found as u64)
    };
    let places: UInt64Array = (0..maps.len()).map(place).collect();
    Ok(take(maps.values(), &places, None)?)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Contains(Signature);

impl ScalarUDFImpl for Contains {
    fn name(&self) -> &str {
        "contains"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        match given {
            [
                DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _),
                _,
            ] => Ok(vec![DataType::List(item.clone()), item.data_type().clone()]),
            [text, part]
                if (is_text(text) || text.is_null()) && (is_text(part) || part.is_null()) =>
            {
                Ok(vec![DataType::Utf8, DataType::Utf8])
            }
            _ => plan_err!("contains takes a list and an item, or two texts"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if matches!(args.args.first().map(ColumnarValue::data_type), Some(DataType::List(_))) {
            return array_has_udf().invoke_with_args(args);
        }
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let [texts, parts] = columns.as_slice() else {
            return exec_err!("contains takes two arguments");
        };
        let answer = arrow::compute::contains(texts, parts)?;
        Ok(ColumnarValue::Array(Arc::new(answer)))
    }
}
