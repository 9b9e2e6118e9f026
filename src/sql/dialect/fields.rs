//! Members of structs in any letter case: `useridentity.sessionContext.sessionIssuer.ARN`.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, TableReference};
use datafusion::functions::core::expr_ext::FieldAccessor;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawFieldAccessExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess};

/// Finds members by their small letters where there is no exact one.
#[derive(Debug)]
pub(crate) struct MembersInAnyCase;

/// The member's real name and type. Of a map every text is a key.
fn member<'t>(of: &'t DataType, name: &'t str) -> Option<(&'t str, Option<&'t DataType>)> {
    match of {
        DataType::Struct(fields) => {
            let exact = fields.iter().find(|field| field.name() == name);
            let field = exact
                .or_else(|| fields.iter().find(|field| field.name().eq_ignore_ascii_case(name)))?;
            Some((field.name(), Some(field.data_type())))
        }
        DataType::Map(..) => Some((name, None)),
        _ => None,
    }
}

impl ExprPlanner for MembersInAnyCase {
    fn plan_compound_identifier(
        &self,
        field: &Field,
        qualifier: Option<&TableReference>,
        nested: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let mut expr = Expr::Column(Column::from((qualifier, field)));
        let mut data_type = Some(field.data_type());
        for name in nested {
            let Some((name, inner)) = data_type.and_then(|of| member(of, name)) else {
                // The engine says what is wrong.
                return Ok(PlannerResult::Original(Vec::new()));
            };
            expr = expr.field(name);
            data_type = inner;
        }
        Ok(PlannerResult::Planned(expr))
    }

    fn plan_field_access(
        &self,
        mut raw: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        if let GetFieldAccess::NamedStructField { name } = &mut raw.field_access
            && let Some(wanted) = name.try_as_str().flatten()
            && let Ok(of) = raw.expr.get_type(schema)
            && let Some((real, _)) = member(&of, wanted)
        {
            *name = ScalarValue::from(real);
        }
        Ok(PlannerResult::Original(raw))
    }
}
