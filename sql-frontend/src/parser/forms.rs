//! Forms that mean other forms: after parsing, they are written as what the rest of the frontend knows.
//!
//! `(a, b) OVERLAPS (c, d)` is comparisons, `COLLATE "C"` is how texts are compared anyway, `make_interval(days => 2)` is a call
//! without names, and `string_agg(x, ',') WITHIN GROUP (ORDER BY y)` has its order inside. `ARRAY(SELECT ..)` is in [`array_query`](super::array_query), what
//! makes rows is in [`rows`](super::rows).

use std::convert::Infallible;
use std::ops::ControlFlow;

use sqlparser::ast::*;

use super::array_query::array_of;
use super::fold;
use super::rows;
use crate::plan::{call, case};

/// Rewrites the forms in `node`.
pub(super) fn rewrite<V: VisitMut>(node: &mut V) {
    struct Rewriting;

    impl VisitorMut for Rewriting {
        type Break = Infallible;

        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Infallible> {
            rows::rewrite_items(select);
            name_overlaps(&mut select.projection);
            select.projection.iter_mut().for_each(|item| match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => row_value(expr),
                _ => {}
            });
            ControlFlow::Continue(())
        }

        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Infallible> {
            rows::rewrite_relation(factor);
            ControlFlow::Continue(())
        }

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Infallible> {
            let rewritten = match expr {
                Expr::BinaryOp { left, op: BinaryOperator::Overlaps, right } => overlaps(left, right),
                Expr::Collate { expr, collation } if is_bytewise(collation) => Some(std::mem::replace(&mut **expr, null())),
                Expr::Function(function) => function_form(function),
                Expr::CompoundFieldAccess { root, access_chain } => member_of_row(root, access_chain),
                Expr::Value(ValueWithSpan { value: Value::UnicodeStringLiteral(text), .. }) => {
                    Some(Expr::value(Value::SingleQuotedString(std::mem::take(text))))
                }
                _ => None,
            };
            if let Some(rewritten) = rewritten {
                *expr = rewritten;
            }
            ControlFlow::Continue(())
        }
    }

    let ControlFlow::Continue(()) = VisitMut::visit(node, &mut Rewriting);
}

fn null() -> Expr {
    Expr::value(Value::Null)
}

/// Whether the collation compares texts by their bytes, as everything here does.
fn is_bytewise(collation: &ObjectName) -> bool {
    match collation.0.last().and_then(ObjectNamePart::as_ident) {
        Some(ident) => ["c", "posix", "ucs_basic", "default"].contains(&ident.value.to_lowercase().as_str()),
        None => false,
    }
}

/// The folded name of a function without a schema.
pub(super) fn simple_name(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Some(fold(ident)),
        _ => None,
    }
}

/// `(t).a` is `t.a`.
fn member_of_row(root: &Expr, access: &[AccessExpr]) -> Option<Expr> {
    let (Expr::Nested(row), [AccessExpr::Dot(Expr::Identifier(member))]) = (root, access) else { return None };
    match row.as_ref() {
        Expr::Identifier(row) => Some(Expr::CompoundIdentifier(vec![row.clone(), member.clone()])),
        _ => None,
    }
}

/// What a call stands for, if it is one of these forms; others are changed where they are.
fn function_form(function: &mut Function) -> Option<Expr> {
    let name = simple_name(&function.name)?;
    match (name.as_str(), &mut function.args) {
        ("array", FunctionArguments::Subquery(query)) => array_of(query.clone()),
        ("age", FunctionArguments::List(list)) if list.args.len() == 1 => {
            list.args.insert(0, FunctionArg::Unnamed(FunctionArgExpr::Expr(today())));
            None
        }
        ("count", FunctionArguments::List(list)) => {
            list.args.iter_mut().for_each(|argument| {
                if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument {
                    row_value(expr);
                }
            });
            None
        }
        ("make_interval", FunctionArguments::List(list)) => {
            if let Some(positional) = interval_fields(&list.args) {
                list.args = positional;
            }
            None
        }
        ("string_agg" | "listagg", FunctionArguments::List(list)) if !function.within_group.is_empty() => {
            list.clauses.push(FunctionArgumentClause::OrderBy(std::mem::take(&mut function.within_group)));
            if name == "listagg" {
                let nothing = Expr::value(Value::SingleQuotedString(String::new()));
                if list.args.len() == 1 {
                    list.args.push(FunctionArg::Unnamed(FunctionArgExpr::Expr(nothing)));
                }
            }
            None
        }
        _ => None,
    }
}

/// `CURRENT_DATE`, from which `age` of one time counts.
fn today() -> Expr {
    let mut today = call("current_date", []);
    if let Expr::Function(function) = &mut today {
        function.args = FunctionArguments::None;
    }
    today
}

/// A row in parentheses as one with its name before it.
fn row_value(expr: &mut Expr) {
    if let Expr::Tuple(fields) = expr
        && fields.len() > 1
    {
        *expr = call("row", std::mem::take(fields));
    }
}

/// The named fields of `make_interval` by their places.
fn interval_fields(arguments: &[FunctionArg]) -> Option<Vec<FunctionArg>> {
    const FIELDS: [&str; 7] = ["years", "months", "weeks", "days", "hours", "mins", "secs"];
    let zero = || FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::value(Value::Number("0".to_owned(), false))));
    let mut fields: Vec<FunctionArg> = Vec::new();
    let mut named = false;
    for argument in arguments {
        match argument {
            FunctionArg::Named { name, arg, operator: FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment } => {
                named = true;
                let place = FIELDS.iter().position(|field| *field == fold(name))?;
                if fields.len() <= place {
                    fields.resize_with(place + 1, zero);
                }
                fields[place] = FunctionArg::Unnamed(arg.clone());
            }
            FunctionArg::Unnamed(_) if !named => fields.push(argument.clone()),
            _ => return None,
        }
    }
    named.then_some(fields)
}

/// `(start, end) OVERLAPS (start, end)`, where an end may be a length, and what is later may come first. As in PostgreSQL one end that is NULL leaves the
/// answer open only where it matters.
fn overlaps(left: &Expr, right: &Expr) -> Option<Expr> {
    let (first, second) = (Period::of(left)?, Period::of(right)?);
    let compare = |left: &Expr, op: BinaryOperator, right: &Expr| {
        nested(Expr::BinaryOp { left: Box::new(left.clone()), op, right: Box::new(right.clone()) })
    };
    let is_null = |expr: &Expr| Expr::IsNull(Box::new(expr.clone()));
    let truth = |value| Expr::value(Value::Boolean(value));
    // The one that begins later begins before the other one ends.
    let reaches = |later: &Period, earlier: &Period| {
        case(
            vec![
                (is_null(&earlier.end), null()),
                (compare(&later.start, BinaryOperator::Lt, &earlier.end), truth(true)),
                (is_null(&later.end), null()),
            ],
            Some(truth(false)),
        )
    };
    let open = compare(&is_null(&first.end), BinaryOperator::Or, &is_null(&second.end));
    Some(nested(case(
        vec![
            (compare(&first.start, BinaryOperator::Gt, &second.start), reaches(&first, &second)),
            (compare(&first.start, BinaryOperator::Lt, &second.start), reaches(&second, &first)),
            (compare(&first.start, BinaryOperator::Eq, &second.start), case(vec![(open, null())], Some(truth(true)))),
        ],
        None,
    )))
}

/// Names a column that is an OVERLAPS, as PostgreSQL does: what it is rewritten to would have another name. Several keep their own.
fn name_overlaps(items: &mut [SelectItem]) {
    const NAME: &str = "overlaps";
    let is_overlaps =
        |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(Expr::BinaryOp { op: BinaryOperator::Overlaps, .. }));
    let is_named = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => fold(alias) == NAME,
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => fold(name) == NAME,
        _ => false,
    };
    if items.iter().any(is_named) || items.iter().filter(|item| is_overlaps(item)).count() != 1 {
        return;
    }
    for item in items.iter_mut().filter(|item| is_overlaps(item)) {
        if let SelectItem::UnnamedExpr(expr) = item {
            let expr = std::mem::replace(expr, null());
            *item = SelectItem::ExprWithAlias { expr, alias: Ident::new(NAME) };
        }
    }
}

/// A stretch of time. Its start is NULL if both ends are, its end if one is.
struct Period {
    start: Expr,
    end: Expr,
}

impl Period {
    fn of(expr: &Expr) -> Option<Period> {
        let expr = match expr {
            Expr::Nested(inner) => inner.as_ref(),
            other => other,
        };
        let Expr::Tuple(ends) = expr else { return None };
        let [start, end] = ends.as_slice() else { return None };
        let end = match is_interval(end) {
            false => end.clone(),
            true => {
                nested(Expr::BinaryOp { left: Box::new(start.clone()), op: BinaryOperator::Plus, right: Box::new(end.clone()) })
            }
        };
        let present = |expr: &Expr| Expr::IsNotNull(Box::new(expr.clone()));
        let both = Expr::BinaryOp { left: Box::new(present(start)), op: BinaryOperator::And, right: Box::new(present(&end)) };
        Some(Period {
            start: call("least", [start.clone(), end.clone()]),
            end: case(vec![(both, call("greatest", [start.clone(), end]))], None),
        })
    }
}

/// Whether an expression is written as an interval.
fn is_interval(expr: &Expr) -> bool {
    match expr {
        Expr::Interval(_) => true,
        Expr::Cast { data_type, .. } => matches!(data_type, DataType::Interval { .. }),
        Expr::Nested(inner) => is_interval(inner),
        _ => false,
    }
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}
