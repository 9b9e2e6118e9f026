//! What Trino says in other words than DataFusion, rewritten in the tree.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArguments, Ident, LambdaFunction, LambdaSyntax, ObjectNamePart,
    OneOrManyWithParens, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr, Spanned,
    Statement, UnaryOperator, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::parser::Parser;

use super::Grammar;

/// Functions whose arguments may be lambdas.
const HIGHER: &[&str] = &[
    "any_match",
    "all_match",
    "none_match",
    "filter",
    "transform",
    "array_any_match",
    "list_any_match",
    "array_filter",
    "list_filter",
    "array_transform",
    "list_transform",
    "array_first",
    "list_first",
];

/// Columns that are structs.
const STRUCTS: &[&str] = &["useridentity", "tlsdetails", "addendum", "edgedevicedetails"];

/// Functions of Trino by name and number of arguments, in DataFusion's words.
const SAME: &[(&str, usize, &str)] = &[
    ("max_by", 2, "last_value(__1 ORDER BY __2 ASC) FILTER (WHERE __2 IS NOT NULL)"),
    ("min_by", 2, "first_value(__1 ORDER BY __2 ASC) FILTER (WHERE __2 IS NOT NULL)"),
    ("arbitrary", 1, "first_value(__1) FILTER (WHERE __1 IS NOT NULL)"),
    ("any_value", 1, "first_value(__1) FILTER (WHERE __1 IS NOT NULL)"),
    ("count_if", 1, "count(*) FILTER (WHERE __1)"),
    ("if", 2, "CASE WHEN __1 THEN __2 END"),
    ("if", 3, "CASE WHEN __1 THEN __2 ELSE __3 END"),
    ("all_match", 2, "NOT array_any_match(__1, __2)"),
    ("none_match", 2, "NOT array_any_match(__1, __2)"),
    ("filter", 2, "array_filter(__1, __2)"),
    ("transform", 2, "array_transform(__1, __2)"),
    ("approx_percentile", 2, "approx_percentile_cont(__1, __2)"),
    ("listagg", 2, "string_agg(__1, __2)"),
    ("date", 1, "CAST(__1 AS date)"),
    ("year", 1, "date_part('year', __1)"),
    ("quarter", 1, "date_part('quarter', __1)"),
    ("month", 1, "date_part('month', __1)"),
    ("week", 1, "date_part('week', __1)"),
    ("day", 1, "date_part('day', __1)"),
    ("hour", 1, "date_part('hour', __1)"),
    ("minute", 1, "date_part('minute', __1)"),
    ("second", 1, "date_part('second', __1)"),
    ("at_timezone", 2, "__1 AT TIME ZONE __2"),
    ("regexp_replace", 2, "regexp_replace(__1, __2, '', 'g')"),
    ("regexp_replace", 3, "regexp_replace(__1, __2, __3, 'g')"),
];

/// Rewrites a statement.
pub(super) fn apply(ast: &mut Statement) {
    let _ = VisitMut::visit(ast, &mut Rewriter);
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = &mut *query.body {
            name_columns(select);
        }
        order_by_columns(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        name_columns(select);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && HIGHER.contains(&name_of(function).as_str())
        {
            // Marks what stays a lambda.
            arguments(function).filter_map(lambda).for_each(|lambda| {
                lambda.syntax = LambdaSyntax::LambdaKeyword;
                members_of_parameters(lambda);
            });
        }
        arrow(expr);
        if let Expr::Function(function) = expr
            && name_of(function) == "try"
            && let Some(mut inner) = only_argument(function)
        {
            let _ = VisitMut::visit(&mut inner, &mut Trying);
            *expr = Expr::Nested(Box::new(inner));
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => {
                if let Some(same) = in_other_words(function) {
                    *expr = same;
                }
            }
            Expr::Cast { .. } => cast(expr),
            Expr::CompoundFieldAccess { root, access_chain } => {
                column_of_table(root, access_chain);
                access_chain.iter_mut().for_each(dot);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn name_of(function: &Function) -> String {
    function.name.to_string().to_lowercase()
}

fn arguments(function: &mut Function) -> impl Iterator<Item = &mut Expr> {
    let list = match &mut function.args {
        FunctionArguments::List(list) => list.args.as_mut_slice(),
        _ => &mut [],
    };
    list.iter_mut().filter_map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    })
}

fn only_argument(function: &mut Function) -> Option<Expr> {
    let mut all = arguments(function);
    let only = all.next()?.clone();
    all.next().is_none().then_some(only)
}

fn lambda(expr: &mut Expr) -> Option<&mut LambdaFunction> {
    match expr {
        Expr::Lambda(lambda) => Some(lambda),
        _ => None,
    }
}

/// `column -> 'member'` outside of such functions is the arrow of JSON, not a lambda: the arrow is put
/// back where it binds.
fn arrow(expr: &mut Expr) {
    let Expr::Lambda(lambda) = expr else { return };
    let (LambdaSyntax::Arrow, OneOrManyWithParens::One(parameter)) =
        (&lambda.syntax, &lambda.params)
    else {
        return;
    };
    let column = Expr::Identifier(parameter.name.clone());
    let mut body = (*lambda.body).clone();
    let leaf = leftmost(&mut body);
    *leaf = Expr::BinaryOp {
        left: Box::new(column),
        op: BinaryOperator::Arrow,
        right: Box::new(leaf.clone()),
    };
    *expr = body;
}

fn leftmost(expr: &mut Expr) -> &mut Expr {
    match expr {
        Expr::BinaryOp { left: inner, .. }
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::Like { expr: inner, .. }
        | Expr::ILike { expr: inner, .. }
        | Expr::InList { expr: inner, .. }
        | Expr::Between { expr: inner, .. }
        | Expr::Cast { kind: CastKind::DoubleColon, expr: inner, .. } => leftmost(inner),
        leaf => leaf,
    }
}

/// Parses words of ours and puts the arguments in.
fn words(text: &str, arguments: &[Expr]) -> Option<Expr> {
    let mut expr = Parser::new(&Grammar).try_with_sql(text).ok()?.parse_expr().ok()?;
    let _ = VisitMut::visit(&mut expr, &mut PutIn(arguments));
    Some(expr)
}

struct PutIn<'a>(&'a [Expr]);

impl VisitorMut for PutIn<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr
            && let Some(number) = name.value.strip_prefix("__")
            && let Ok(number) = number.parse::<usize>()
            && let Some(argument) = number.checked_sub(1).and_then(|i| self.0.get(i))
        {
            *expr = argument.clone();
        }
        ControlFlow::Continue(())
    }
}

fn in_other_words(function: &mut Function) -> Option<Expr> {
    let name = name_of(function);
    let mut given: Vec<Expr> = arguments(function).map(|argument| argument.clone()).collect();
    let (.., text) = SAME.iter().find(|(n, count, _)| *n == name && *count == given.len())?;
    if name == "all_match"
        && let Some(Expr::Lambda(lambda)) = given.get_mut(1)
    {
        let condition = Expr::Nested(lambda.body.clone());
        *lambda.body = Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(condition) };
    }
    let mut expr = words(text, &given)?;
    if let Expr::Function(made) = &mut expr {
        made.over = function.over.take();
        made.filter = match (made.filter.take(), function.filter.take()) {
            (Some(ours), Some(theirs)) => Some(Box::new(Expr::BinaryOp {
                left: Box::new(Expr::Nested(ours)),
                op: BinaryOperator::And,
                right: Box::new(Expr::Nested(theirs)),
            })),
            (ours, theirs) => ours.or(theirs),
        };
        if made.within_group.is_empty() && name == "listagg" {
            made.within_group = std::mem::take(&mut function.within_group);
        }
    }
    Some(expr)
}

/// Casts of JSON: text here, a type of its own in Trino.
fn cast(expr: &mut Expr) {
    let Expr::Cast { expr: inner, data_type, .. } = expr else { return };
    let is_extract = matches!(&**inner, Expr::Function(f) if name_of(f) == "json_extract");
    let replaced = match data_type {
        DataType::JSON => Some((**inner).clone()),
        DataType::Array(element) if is_text_or_json(element) => {
            words("json_array_texts(__1)", std::slice::from_ref(inner))
        }
        DataType::Varchar(_) | DataType::Text | DataType::String(_) if is_extract => {
            let mut scalar = (**inner).clone();
            if let Expr::Function(function) = &mut scalar {
                function.name = vec![Ident::new("json_extract_scalar")].into();
            }
            Some(scalar)
        }
        _ => None,
    };
    if let Some(replaced) = replaced {
        *expr = replaced;
    }
}

fn is_text_or_json(element: &ArrayElemTypeDef) -> bool {
    let inner = match element {
        ArrayElemTypeDef::AngleBracket(inner) | ArrayElemTypeDef::Parenthesis(inner) => inner,
        ArrayElemTypeDef::SquareBracket(inner, _) => inner,
        ArrayElemTypeDef::None => return false,
    };
    matches!(**inner, DataType::Varchar(_) | DataType::Text | DataType::String(_) | DataType::JSON)
}

/// Inside `try(…)`: what fails gives NULL.
struct Trying;

impl VisitorMut for Trying {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Cast { kind, .. } => *kind = CastKind::TryCast,
            Expr::BinaryOp {
                op: BinaryOperator::Divide | BinaryOperator::Modulo, right, ..
            } => {
                if let Some(safe) = words("nullif(__1, 0)", std::slice::from_ref(right)) {
                    **right = safe;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// `s.chain[1]`: what stands before the first bracket is a column of a table, as anywhere else.
fn column_of_table(root: &mut Expr, accesses: &mut Vec<AccessExpr>) {
    let Expr::Identifier(first) = root else { return };
    let names = accesses.iter().map_while(|access| match access {
        AccessExpr::Dot(Expr::Identifier(name)) => Some(name.clone()),
        _ => None,
    });
    let way: Vec<Ident> = std::iter::once(first.clone()).chain(names).collect();
    let dots = way.len() - 1;
    if dots > 0 && dots < accesses.len() {
        accesses.drain(..dots);
        *root = Expr::CompoundIdentifier(way);
    }
}

/// `element_at(resources, 1).arn`: the engine takes the name of a member after an expression as text.
fn dot(access: &mut AccessExpr) {
    if let AccessExpr::Dot(member) = access
        && let Expr::Identifier(name) = member
    {
        let name = match name.quote_style {
            None => name.value.to_lowercase(),
            Some(_) => name.value.clone(),
        };
        *member = Expr::value(Value::SingleQuotedString(name));
    }
}

/// A member of a struct is a column named like the member, as in Trino; where that name is taken, by
/// its whole way. A call is named as it was written.
fn name_columns(select: &mut Select) {
    let mut taken: HashSet<String> = HashSet::new();
    for item in &select.projection {
        match item {
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => _ = taken.insert(small(name)),
            SelectItem::ExprWithAlias { alias, .. } => _ = taken.insert(small(alias)),
            _ => {}
        }
    }
    for item in &mut select.projection {
        let SelectItem::UnnamedExpr(expr) = item else { continue };
        let name = match expr {
            Expr::CompoundIdentifier(way) => member_name(way, &mut taken),
            Expr::Function(_) => call_name(expr).filter(|name| taken.insert(name.clone())),
            _ => None,
        };
        if let Some(name) = name {
            let span = expr.span();
            let alias = Ident { value: name, quote_style: Some('"'), span };
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
        }
    }
}

fn small(name: &Ident) -> String {
    name.value.to_lowercase()
}

fn member_name(way: &[Ident], taken: &mut HashSet<String>) -> Option<String> {
    let from = way.iter().take(2).position(|name| STRUCTS.contains(&small(name).as_str()))?;
    let last = way.last().filter(|_| way.len() > from + 1)?;
    if taken.insert(small(last)) {
        return Some(small(last));
    }
    let whole: Vec<String> = way[from..].iter().map(small).collect();
    Some(whole.join(".")).filter(|name| taken.insert(name.clone()))
}

/// `max_by(a, b)`, whatever it is rewritten to.
fn call_name(expr: &Expr) -> Option<String> {
    let text = expr.to_string();
    let (name, rest) = text.split_once('(')?;
    Some(format!("{}({rest}", name.to_lowercase()))
}

/// What is sorted by an expression of the SELECT list is sorted by that column: after DISTINCT and
/// GROUP BY nothing else is left.
fn order_by_columns(query: &mut Query) {
    let SetExpr::Select(select) = &*query.body else { return };
    let named = select.projection.iter().filter_map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } => Some((folded(expr), alias)),
        _ => None,
    });
    let named: Vec<(String, Ident)> = named.map(|(text, alias)| (text, alias.clone())).collect();
    let Some(OrderBy { kind: OrderByKind::Expressions(sorted), .. }) = &mut query.order_by else {
        return;
    };
    for order in sorted {
        if matches!(order.expr, Expr::Identifier(_) | Expr::Value(_)) {
            continue;
        }
        let text = folded(&order.expr);
        if let Some((_, alias)) = named.iter().find(|(known, _)| *known == text) {
            order.expr = Expr::Identifier(alias.clone());
        }
    }
}

/// An expression with its names in small letters, where they are not quoted.
fn folded(expr: &Expr) -> String {
    let mut expr = expr.clone();
    let _ = VisitMut::visit(&mut expr, &mut Folding);
    expr.to_string()
}

struct Folding;

impl VisitorMut for Folding {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let fold = |name: &mut Ident| {
            if name.quote_style.is_none() {
                name.value = small(name);
            }
        };
        match expr {
            Expr::Identifier(name) => fold(name),
            Expr::CompoundIdentifier(way) => way.iter_mut().for_each(fold),
            Expr::Function(function) => {
                let parts = function.name.0.iter_mut();
                parts.for_each(|part| {
                    if let ObjectNamePart::Identifier(name) = part {
                        fold(name);
                    }
                });
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// `x -> x.arn LIKE …`: the engine knows members of columns by dots, of parameters only as access.
fn members_of_parameters(lambda: &mut LambdaFunction) {
    let names = match &lambda.params {
        OneOrManyWithParens::One(parameter) => vec![small(&parameter.name)],
        OneOrManyWithParens::Many(parameters) => {
            parameters.iter().map(|p| small(&p.name)).collect()
        }
    };
    let _ = VisitMut::visit(&mut *lambda.body, &mut Members(names));
}

struct Members(Vec<String>);

impl VisitorMut for Members {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::CompoundIdentifier(way) = expr
            && let [first, rest @ ..] = way.as_slice()
            && self.0.contains(&small(first))
        {
            let dots = rest.iter().map(|name| AccessExpr::Dot(Expr::Identifier(name.clone())));
            let access_chain = dots.collect();
            let root = Box::new(Expr::Identifier(first.clone()));
            *expr = Expr::CompoundFieldAccess { root, access_chain };
        } else if let Expr::CompoundFieldAccess { root, access_chain } = expr
            && let Expr::Identifier(first) = &**root
            && self.0.contains(&small(first))
        {
            access_chain.iter_mut().for_each(dot);
        }
        ControlFlow::Continue(())
    }
}
