//! Whether a text is one of many.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::functions_nested::array_has::array_has_udf;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};
use hashbrown::HashSet;

use super::functions::{is_text, text_list};

/// So many texts are given to readers one by one, so that they can ask bloom filters for each. Of more,
/// hardly a file has none.
pub(super) const FEW: usize = 64;

/// Texts that are looked for.
pub(super) type Texts = Arc<HashSet<String>>;

/// `column IN (texts)`, of a column of this kind of text.
///
/// # Errors
/// The engine's.
pub(super) fn among(kind: &DataType, column: &Expr, texts: &Texts) -> Result<Expr> {
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
    let mut texts: Vec<&String> = texts.iter().collect();
    texts.sort_unstable();
    let literal = |text: &&String| Ok(lit(ScalarValue::Utf8(Some((*text).clone())).cast_to(kind)?));
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

/// `among(text, list)`: a list that is bound to a statement as one value becomes a set, or is asked for
/// text by text, as [`among`] does.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::new_from_impl(AmongList(Signature::user_defined(Volatility::Immutable)))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct AmongList(Signature);

impl ScalarUDFImpl for AmongList {
    fn name(&self) -> &str {
        "among"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let text = |kind: &DataType| is_text(kind) || kind.is_null();
        match given {
            // The column stays as it is: files know nothing of a cast.
            [kind, DataType::List(item)] if text(kind) && text(item.data_type()) => {
                Ok(vec![kind.clone(), text_list()])
            }
            _ => plan_err!("among takes a text and a list of texts"),
        }
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let [column, Expr::Literal(ScalarValue::List(list), _)] = args.as_slice() else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        // What follows from a list that is absent, or has a null, is not for a set to say.
        if list.is_null(0) || list.value(0).null_count() > 0 {
            return Ok(ExprSimplifyResult::Original(args));
        }
        let mut texts = HashSet::new();
        add_texts(&list.value(0), &mut texts)?;
        let kind = info.get_data_type(column)?;
        Ok(ExprSimplifyResult::Simplified(among(&kind, column, &Arc::new(texts))?))
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text, list] = args.args.as_slice() else {
            return exec_err!("among takes two arguments");
        };
        args.args = vec![list.clone(), text.cast_to(&DataType::Utf8, None)?];
        args.arg_fields.reverse();
        array_has_udf().invoke_with_args(args)
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
