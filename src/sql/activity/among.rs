//! Whether a text is one of many.

use hashbrown::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};

/// So many texts are given to readers one by one, so that they can ask bloom filters for each. Of more,
/// hardly a file has none.
pub(super) const FEW: usize = 64;

/// Texts that are looked for.
pub(super) type Texts = Arc<HashSet<String>>;

/// `column IN (texts)`. A text column of the plan with this schema.
///
/// # Errors
/// The engine's.
pub(super) fn among(schema: &DFSchema, column: &Expr, texts: &Texts) -> Result<Expr> {
    if texts.is_empty() {
        return Ok(lit(false));
    }
    if texts.len() > FEW {
        let among = ScalarUDF::new_from_impl(Among {
            texts: texts.clone(),
            signature: Signature::any(1, Volatility::Immutable),
        });
        return Ok(among.call(vec![column.clone()]));
    }
    let kind = datafusion::logical_expr::ExprSchemable::get_type(column, schema)?;
    let mut texts: Vec<&String> = texts.iter().collect();
    texts.sort_unstable();
    let literal =
        |text: &&String| Ok(lit(ScalarValue::Utf8(Some((*text).clone())).cast_to(&kind)?));
    Ok(column.clone().in_list(texts.iter().map(literal).collect::<Result<_>>()?, false))
}

/// The same with a set, whose size costs nothing when a statement is planned.
struct Among {
    texts: Texts,
    signature: Signature,
}

/// Readers put a condition that they do not understand into an error message that nobody sees: with all
/// texts that would take longer than the reading.
impl fmt::Debug for Among {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Among").field("texts", &self.texts.len()).finish_non_exhaustive()
    }
}

impl PartialEq for Among {
    fn eq(&self, other: &Among) -> bool {
        Arc::ptr_eq(&self.texts, &other.texts)
    }
}

impl Eq for Among {}

impl Hash for Among {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.texts).hash(state);
    }
}

impl ScalarUDFImpl for Among {
    fn name(&self) -> &str {
        "among"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [column] = ColumnarValue::values_to_arrays(&args.args)?
            .try_into()
            .or_else(|all: Vec<_>| exec_err!("among takes one column, not {}", all.len()))?;
        let has = |text: Option<&str>| text.map(|text| self.texts.contains(text));
        let found: BooleanArray = if let Some(column) = column.as_string_view_opt() {
            column.iter().map(has).collect()
        } else {
            let column = cast(&column, &DataType::Utf8)?;
            column.as_string::<i32>().iter().map(has).collect()
        };
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}

/// Adds the texts of a column.
///
/// # Errors
/// Arrow's.
pub(super) fn add_texts(column: &dyn Array, texts: &mut HashSet<String>) -> Result<()> {
    let column = cast(column, &DataType::Utf8)?;
    for text in column.as_string::<i32>().iter().flatten() {
        if !texts.contains(text) {
            texts.insert(text.to_owned());
        }
    }
    Ok(())
}
