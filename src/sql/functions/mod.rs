//! Functions that SQL knows here beyond DataFusion's own: about addresses, ARNs, keys and chains, and
//! those of Trino that published queries for CloudTrail use.
//!
//! Every function carries its meaning and an example with its answer; `schema --functions` shows
//! them, and a test runs every example. What comes from logs is never a reason to fail: a value that
//! cannot be read gives NULL. What the writer of a query typed is: a literal that cannot be read is an
//! error.

mod addresses;
mod json;
pub(super) mod kin;
mod lists;
mod names;
mod record;
mod scalar;
mod text;
mod time;
mod time_text;
mod time_words;

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::prelude::SessionContext;

use super::among;
use scalar::{Definition, scalar};

pub(super) use scalar::{is_text, text_list};

pub(super) use record::ReadThroughRecords;

/// What `schema --functions` shows of a function.
#[derive(Debug, Clone, Copy)]
pub struct FunctionDoc {
    /// Its name.
    pub name: &'static str,
    /// Its arguments, as in a call; `[]` around those that may be left out.
    pub arguments: &'static str,
    /// What it gives.
    pub meaning: &'static str,
    /// A call.
    pub example: &'static str,
    /// What that call gives, as text; empty for a table.
    pub answer: &'static str,
}

/// All functions made here.
const SCALARS: &[&[Definition]] =
    &[addresses::FUNCTIONS, names::FUNCTIONS, json::FUNCTIONS, time::FUNCTIONS, text::FUNCTIONS];

/// All documented functions, in the order of their names.
pub fn functions() -> Vec<FunctionDoc> {
    let ours = SCALARS.iter().flat_map(|room| room.iter()).map(|definition| definition.doc);
    let others = kin::DOCS.iter().chain(lists::DOCS).chain(json::LIBRARY).chain(REWRITTEN);
    let mut all: Vec<_> = ours.chain(others.copied()).collect();
    all.sort_by_key(|doc| doc.name);
    all
}

/// Makes all functions known.
///
/// # Errors
/// The engine's.
pub(super) fn register(context: &mut SessionContext) -> Result<()> {
    datafusion_functions_json::register_all(context)?;
    for definition in SCALARS.iter().flat_map(|room| room.iter()) {
        context.register_udf(Arc::new(scalar(definition)))?;
    }
    let lists = lists::all().into_iter().chain([among::function()]);
    for function in lists.chain(record::all()).chain(time_text::all()) {
        context.register_udf(Arc::new(function))?;
    }
    Ok(())
}

const fn doc(
    name: &'static str,
    arguments: &'static str,
    meaning: &'static str,
    example: &'static str,
    answer: &'static str,
) -> FunctionDoc {
    FunctionDoc { name, arguments, meaning, example, answer }
}

/// Functions of Trino that are written in other words before they are planned (see `dialect`).
#[rustfmt::skip]
const REWRITTEN: &[FunctionDoc] = &[
    doc("all_match", "list, x -> condition", "whether the condition holds for every item", "all_match(make_array(1, 2), x -> x > 1)", "false"),
    doc("arbitrary", "value", "any value of the group", "arbitrary(5)", "5"),
    doc("count_if", "condition", "rows for which the condition holds", "count_if(1 < 2)", "1"),
    doc("filter", "list, x -> condition", "the items for which the condition holds", "filter(make_array(1, 2, 3), x -> x > 1)", "[2, 3]"),
    doc("if", "condition, then[, else]", "one of two values", "if(1 < 2, 'yes', 'no')", "yes"),
    doc("max_by", "value, by", "the value of the row where by is largest", "max_by('a', now())", "a"),
    doc("min_by", "value, by", "the value of the row where by is smallest", "min_by('a', now())", "a"),
    doc("none_match", "list, x -> condition", "whether the condition holds for no item", "none_match(make_array(1, 2), x -> x > 5)", "true"),
    doc("transform", "list, x -> value", "the list with every item replaced", "transform(make_array(1, 2), x -> x + 1)", "[2, 3]"),
    doc("try", "expression", "the expression; NULL where a cast in it fails or it divides by zero", "try(cast('x' AS bigint)) IS NULL", "true"),
];
