//! One shape for all functions of one row: what they take, what they give, and a plain function over
//! arrays.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::FunctionDoc;

/// Kinds of argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    Int,
    /// An instant; dates and text are read as one.
    Time,
}

/// Kinds of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    Text,
    Int,
    Float,
    Bool,
    Time,
    Date,
    TextList,
}

/// A function of one row.
#[derive(Debug)]
pub(super) struct Definition {
    pub doc: FunctionDoc,
    pub takes: &'static [Takes],
    /// How many of `takes` must be given.
    pub required: usize,
    pub gives: Gives,
    pub run: fn(&Args) -> Result<ArrayRef>,
}

/// The arguments of one call, as columns of equal length.
pub(super) struct Args {
    name: &'static str,
    columns: Vec<ArrayRef>,
    literal: Vec<bool>,
}

impl Args {
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.len())
    }

    /// Whether the argument was given.
    pub fn has(&self, argument: usize) -> bool {
        argument < self.columns.len()
    }

    pub fn text(&self, argument: usize, row: usize) -> Option<&str> {
        let column = self.columns.get(argument)?.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    pub fn int(&self, argument: usize, row: usize) -> Option<i64> {
        let column = self.columns.get(argument)?.as_primitive_opt::<Int64Type>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    /// Microseconds since 1970.
    pub fn time(&self, argument: usize, row: usize) -> Option<i64> {
        let column = self.columns.get(argument)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    /// A value that cannot be read: NULL where it is data, an error where somebody typed it.
    pub fn unreadable<T>(&self, argument: usize, text: &str, what: &str) -> Result<Option<T>> {
        if self.literal.get(argument) == Some(&true) {
            return exec_err!("{}: {text:?} is no {what}", self.name);
        }
        Ok(None)
    }

    pub fn texts(&self, mut each: impl FnMut(usize) -> Result<Option<String>>) -> Result<ArrayRef> {
        let rows = (0..self.rows()).map(&mut each);
        Ok(Arc::new(rows.collect::<Result<StringArray>>()?))
    }

    pub fn bools(&self, mut each: impl FnMut(usize) -> Result<Option<bool>>) -> Result<ArrayRef> {
        let rows = (0..self.rows()).map(&mut each);
        Ok(Arc::new(rows.collect::<Result<BooleanArray>>()?))
    }

    pub fn ints(&self, mut each: impl FnMut(usize) -> Result<Option<i64>>) -> Result<ArrayRef> {
        let rows = (0..self.rows()).map(&mut each);
        Ok(Arc::new(rows.collect::<Result<Int64Array>>()?))
    }

    pub fn times(&self, mut each: impl FnMut(usize) -> Result<Option<i64>>) -> Result<ArrayRef> {
        let rows = (0..self.rows()).map(&mut each);
        let times = rows.collect::<Result<TimestampMicrosecondArray>>()?;
        Ok(Arc::new(times.with_timezone("UTC")))
    }
}

/// The type of every instant here.
pub(super) fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A list of text as lists are built everywhere else.
pub(in crate::sql) fn text_list() -> DataType {
    DataType::List(crate::table::list_item(DataType::Utf8))
}

/// Whether values of the type are text.
pub(in crate::sql) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

/// Makes the engine's form of a definition.
pub(super) fn scalar(definition: &'static Definition) -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    ScalarUDF::new_from_impl(Scalar { definition, signature })
}

#[derive(Debug)]
struct Scalar {
    definition: &'static Definition,
    signature: Signature,
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Scalar) -> bool {
        self.definition.doc.name == other.definition.doc.name
    }
}
impl Eq for Scalar {}
impl Hash for Scalar {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.doc.name.hash(state);
    }
}

impl ScalarUDFImpl for Scalar {
    fn name(&self) -> &str {
        self.definition.doc.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.definition.gives {
            Gives::Text => DataType::Utf8,
            Gives::Int => DataType::Int64,
            Gives::Float => DataType::Float64,
            Gives::Bool => DataType::Boolean,
            Gives::Time => instant(),
            Gives::Date => DataType::Date32,
            Gives::TextList => text_list(),
        })
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let Definition { doc, takes, required, .. } = self.definition;
        if given.len() < *required || given.len() > takes.len() {
            return plan_err!("call it as {}({})", doc.name, doc.arguments);
        }
        let fits = |(kind, given): (&Takes, &DataType)| match (kind, given) {
            (Takes::Text, t) if is_text(t) => Ok(DataType::Utf8),
            (Takes::Text, DataType::Null) => Ok(DataType::Utf8),
            (Takes::Int, t) if t.is_integer() || t.is_null() => Ok(DataType::Int64),
            (Takes::Time, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64) => {
                Ok(instant())
            }
            (Takes::Time, t) if is_text(t) || t.is_null() => Ok(instant()),
            (kind, other) => {
                let wanted = format!("{kind:?}").to_lowercase();
                plan_err!("{}({}) takes {wanted}, not {other}", doc.name, doc.arguments)
            }
        };
        takes.iter().zip(given).map(fits).collect()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_literal = |value: &ColumnarValue| matches!(value, ColumnarValue::Scalar(_));
        let literal: Vec<bool> = args.args.iter().map(is_literal).collect();
        let all_literal = literal.iter().all(|literal| *literal);
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let answer =
            (self.definition.run)(&Args { name: self.definition.doc.name, columns, literal })?;
        if all_literal {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&answer, 0)?));
        }
        Ok(ColumnarValue::Array(answer))
    }
}
