//! What the views in the shape of Athena and CloudTrail Lake are made of: structs, maps and lists as
//! those tables have them. Not documented, because nobody else needs them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapBuilder, RecordBatch, StringArray, StringBuilder,
    StructArray,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::json;
use super::time_text::{self, ISO_TEXT};
use crate::events::{EVENTS, rebuild};

pub(super) fn all() -> Vec<ScalarUDF> {
    let signature = || Signature::user_defined(Volatility::Immutable);
    let touched =
        |name, members| ScalarUDF::new_from_impl(Touched { name, members, signature: signature() });
    vec![
        ScalarUDF::new_from_impl(Record(Signature::variadic_any(Volatility::Immutable))),
        ScalarUDF::new_from_impl(TextMap(signature())),
        ScalarUDF::new_from_impl(EventJson(Signature::variadic_any(Volatility::Immutable))),
        touched("athena_resources", ["arn", "accountid", "type"]),
        touched("lake_resources", ["ARN", "accountId", "type"]),
    ]
}

const RECORD: &str = "record";

/// `record('a', x, 'b', y)`: a struct, NULL where all its members are NULL: as where the JSON object
/// behind it was absent.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Record(Signature);

fn name_in(value: Option<&ScalarValue>) -> Result<String> {
    match value.and_then(|value| value.try_as_str()).flatten() {
        Some(name) => Ok(name.to_owned()),
        None => plan_err!("{RECORD} takes names and values in turn"),
    }
}

impl ScalarUDFImpl for Record {
    fn name(&self) -> &str {
        RECORD
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("{RECORD} needs its arguments to know its type")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let pairs = args.arg_fields.chunks_exact(2).zip(args.scalar_arguments.chunks_exact(2));
        let fields = pairs.map(|(fields, values)| {
            Ok(Field::new(name_in(values[0])?, fields[1].data_type().clone(), true))
        });
        let fields = fields.collect::<Result<Fields>>()?;
        Ok(Arc::new(Field::new(RECORD, DataType::Struct(fields), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Struct(fields) = args.return_field.data_type() else {
            return exec_err!("{RECORD} gives structs only");
        };
        let given = args.args;
        let rows = args.number_rows;
        let values = given.chunks_exact(2).map(|pair| pair[1].clone().into_array(rows));
        let values = values.collect::<Result<Vec<ArrayRef>>>()?;
        let valid = |row| values.iter().any(|column| column.is_valid(row));
        let nulls = NullBuffer::new(BooleanBuffer::collect_bool(rows, valid));
        let array = StructArray::try_new(fields.clone(), values, Some(nulls))?;
        Ok(ColumnarValue::Array(Arc::new(array)))
    }
}

/// `text_map(json)`: an object's members as a map of text.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TextMap(Signature);

fn entries() -> Fields {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ])
}

impl ScalarUDFImpl for TextMap {
    fn name(&self) -> &str {
        "text_map"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        let entries = Field::new("entries", DataType::Struct(entries()), false);
        Ok(DataType::Map(Arc::new(entries), false))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        if given.len() == 1 { Ok(vec![DataType::Utf8]) } else { plan_err!("text_map takes JSON") }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(texts) = columns.first().and_then(|column| column.as_string_opt::<i32>()) else {
            return exec_err!("text_map takes JSON");
        };
        let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new())
            .with_keys_field(entries()[0].clone())
            .with_values_field(entries()[1].clone());
        for text in texts {
            let members = text.and_then(json::members);
            for (name, value) in members.iter().flatten() {
                maps.keys().append_value(name);
                maps.values().append_option(value.as_deref());
            }
            maps.append(members.is_some())?;
        }
        // The builder has its own names for the parts of a map.
        let maps = cast(&maps.finish(), &self.return_type(&[])?)?;
        Ok(ColumnarValue::Array(maps))
    }
}

/// `event_json(all columns of events)`: the record.
#[derive(Debug, PartialEq, Eq, Hash)]
struct EventJson(Signature);

impl ScalarUDFImpl for EventJson {
    fn name(&self) -> &str {
        "event_json"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if args.args.len() != EVENTS.columns.len() {
            return exec_err!("event_json takes all columns of events");
        }
        let columns = args.args.iter().map(|value| value.clone().into_array(args.number_rows));
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let fields = EVENTS.columns.iter().zip(&columns);
        let fields = fields.map(|(c, array)| Field::new(c.name, array.data_type().clone(), true));
        let schema = Schema::new(fields.collect::<Fields>());
        let batch = RecordBatch::try_new(Arc::new(schema), columns)?;
        let record = |row| Some(rebuild::record(&batch, row).to_string());
        let records: StringArray = (0..batch.num_rows()).map(record).collect();
        Ok(ColumnarValue::Array(Arc::new(records)))
    }
}

/// `resources` with the member names of another table.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Touched {
    name: &'static str,
    members: [&'static str; 3],
    signature: Signature,
}

impl ScalarUDFImpl for Touched {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        let fields = match given.first() {
            Some(DataType::List(item)) => match item.data_type() {
                DataType::Struct(fields) if fields.len() == 3 => fields.clone(),
                other => return plan_err!("{} takes resources, not lists of {other}", self.name),
            },
            _ => return plan_err!("{} takes resources", self.name),
        };
        let renamed = fields
            .iter()
            .zip(self.members)
            .map(|(field, name)| Field::new(name, field.data_type().clone(), true));
        Ok(DataType::List(crate::table::list_item(DataType::Struct(renamed.collect()))))
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        Ok(given.to_vec())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::List(item) = args.return_field.data_type().clone() else {
            return exec_err!("{} gives lists only", self.name);
        };
        let DataType::Struct(fields) = item.data_type().clone() else {
            return exec_err!("{} gives lists of structs only", self.name);
        };
        let columns = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(lists) = columns.first().and_then(|column| column.as_list_opt::<i32>()) else {
            return exec_err!("{} takes resources", self.name);
        };
        let structs = lists.values().as_struct();
        let (_, members, nulls) = structs.clone().into_parts();
        let structs = StructArray::try_new(fields, members, nulls)?;
        let offsets = lists.offsets().clone();
        let lists = ListArray::try_new(item, offsets, Arc::new(structs), lists.nulls().cloned())?;
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
}

/// Reads members of a [`Record`] where they come from: `get_field(record('a', x), 'a')` is `x`, NULL
/// record or not. Thus conditions on members reach the files.
#[derive(Debug)]
pub(crate) struct ReadThroughRecords;

impl OptimizerRule for ReadThroughRecords {
    fn name(&self) -> &str {
        "read_through_records"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let names = NamePreserver::new(&plan);
        plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let read = expr.transform_up(|expr| Ok(read_through(expr)))?;
            Ok(read.update_data(|expr| name.restore(expr)))
        })
    }
}

fn read_through(expr: Expr) -> Transformed<Expr> {
    match member_of(&expr).or_else(|| time_of(&expr)).or_else(|| span_of(&expr)) {
        Some(member) => Transformed::yes(member),
        None => Transformed::no(expr),
    }
}

/// `text BETWEEN a AND b` as two comparisons: only those are understood as conditions on the time.
fn span_of(expr: &Expr) -> Option<Expr> {
    let Expr::Between(between) = expr else { return None };
    let Expr::ScalarFunction(text) = &*between.expr else { return None };
    if between.negated || !time_text::is_one(text.func.name()) {
        return None;
    }
    let of = || (*between.expr).clone();
    Some(of().gt_eq((*between.low).clone()).and(of().lt_eq((*between.high).clone())))
}

/// A time that is read from the text made of it is the time itself.
fn time_of(expr: &Expr) -> Option<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return None };
    let [Expr::ScalarFunction(text), format @ ..] = args.as_slice() else { return None };
    let reads = match (func.name(), format) {
        ("from_iso8601_timestamp", []) => true,
        ("date_parse", [format]) => text_of(format) == Some("%Y-%m-%dT%H:%i:%sZ"),
        ("parse_datetime", [format]) => text_of(format) == Some("yyyy-MM-dd'T'HH:mm:ss'Z'"),
        _ => false,
    };
    let time = text.args.first().filter(|_| reads && text.func.name() == ISO_TEXT);
    time.cloned()
}

fn text_of(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

fn member_of(expr: &Expr) -> Option<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return None };
    let [Expr::ScalarFunction(base), path @ ..] = args.as_slice() else { return None };
    if func.name() != "get_field" || base.func.name() != RECORD {
        return None;
    }
    let mut value = base;
    for (depth, step) in path.iter().enumerate() {
        let wanted = text_of(step)?;
        let mut pairs = value.args.chunks_exact(2);
        let member = pairs.find(|pair| text_of(&pair[0]) == Some(wanted)).map(|pair| &pair[1])?;
        match (member, &path[depth + 1..]) {
            (found, []) => return Some(found.clone()),
            (Expr::ScalarFunction(inner), _) if inner.func.name() == RECORD => value = inner,
            (found, rest) => {
                let mut args = vec![found.clone()];
                args.extend_from_slice(rest);
                return Some(Expr::ScalarFunction(ScalarFunction { func: func.clone(), args }));
            }
        }
    }
    None
}
