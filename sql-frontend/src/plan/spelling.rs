//! Syntax and functions that other databases, or the standard, have for what there is already: rewritten in the syntax tree, before names are bound.
//!
//! `x SIMILAR TO p` is a regular expression, `(a, b) < (c, d)` a chain of comparisons, `x AT TIME ZONE z` and `FLOOR(t TO HOUR)` are functions,
//! `year(t)` is a field of `t`, and so on. The rewritten form has the positions of its operands.

use std::convert::Infallible;
use std::ops::ControlFlow;

use deltic_circuit::parse_interval;
use sqlparser::ast::*;

use super::naming::call;
use super::row_membership;
use crate::parser::fold;

/// Functions that are fields of a time.
const FIELDS: &[(&str, &str)] = &[
    ("year", "year"),
    ("quarter", "quarter"),
    ("month", "month"),
    ("week", "week"),
    ("day", "day"),
    ("dayofmonth", "day"),
    ("dayofyear", "doy"),
    ("hour", "hour"),
    ("minute", "minute"),
    ("second", "second"),
];

/// Functions whose first argument is a unit of time, which may be written as a word.
const WITH_UNIT: &[&str] = &["timestampadd", "dateadd", "timestampdiff", "datediff", "date_diff"];

/// The other functions that are rewritten here.
const REWRITTEN: &[&str] = &["if", "iif", "date_add", "date_sub", "dayofweek", "quote_nullable"];

/// Whether `name` is a function that is rewritten and not resolved.
pub(crate) fn is_rewritten(name: &str) -> bool {
    REWRITTEN.contains(&name) || FIELDS.iter().any(|(field, _)| *field == name)
}

/// The names of the functions that are rewritten.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    REWRITTEN.iter().copied().chain(FIELDS.iter().map(|(name, _)| *name))
}

/// What `expr` stands for, if it is another spelling; its parts are rewritten already.
pub(crate) fn rewritten(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Function(function) => function_call(function),
        Expr::BinaryOp { left, op, right } => match (tuple(left), tuple(right)) {
            (Some(left), Some(right)) => rows(left, op, right),
            _ => None,
        },
        Expr::IsDistinctFrom(left, right) => pairs(tuple(left)?, tuple(right)?, Expr::IsDistinctFrom, BinaryOperator::Or),
        Expr::IsNotDistinctFrom(left, right) => pairs(tuple(left)?, tuple(right)?, Expr::IsNotDistinctFrom, BinaryOperator::And),
        Expr::InList { expr, list, negated } => {
            let row = tuple(expr)?;
            let equal = list.iter().map(|item| rows(row, &BinaryOperator::Eq, tuple(item)?)).collect::<Option<Vec<_>>>()?;
            Some(negate_if(*negated, chain(equal, &BinaryOperator::Or)?))
        }
        Expr::InSubquery { expr, subquery, negated } => {
            row_membership::membership(row_membership::row_of(expr)?, subquery, *negated)
        }
        // All bits are exchanged.
        Expr::UnaryOp { op: UnaryOperator::BitwiseNot, expr } => {
            Some(Expr::Nested(Box::new(binary((**expr).clone(), BinaryOperator::PGBitwiseXor, number("-1")))))
        }
        Expr::UnaryOp { op, expr } => Some(call(unary_function(op)?, [(**expr).clone()])),
        Expr::AtTimeZone { timestamp, time_zone } => Some(call("timezone", [(**time_zone).clone(), (**timestamp).clone()])),
        Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(unit) } if unit != &DateTimeField::NoDateTime => {
            Some(call("date_ceil", [text(unit.to_string()), (**expr).clone()]))
        }
        Expr::Floor { expr, field: CeilFloorKind::DateTimeField(unit) } if unit != &DateTimeField::NoDateTime => {
            Some(call("date_floor", [text(unit.to_string()), (**expr).clone()]))
        }
        Expr::Substring { expr, substring_from: Some(pattern), substring_for: None, .. } => match pattern.as_ref() {
            Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(_), .. }) => {
                Some(call("substring_by_regex", [(**expr).clone(), (**pattern).clone()]))
            }
            _ => None,
        },
        Expr::Like { .. } | Expr::ILike { .. } | Expr::SimilarTo { .. } | Expr::RLike { .. } => pattern(expr),
        Expr::AnyOp { left, compare_op, right, .. } => quantified(left, compare_op, right, "compare_any", &BinaryOperator::Or),
        Expr::AllOp { left, compare_op, right } => quantified(left, compare_op, right, "compare_all", &BinaryOperator::And),
        Expr::Cast { kind, expr, data_type: data_type @ DataType::Array(_), array, format } if is_empty_array(expr) => {
            let expr = Box::new(Expr::value(Value::SingleQuotedString("{}".to_owned())));
            let (kind, data_type, format) = (kind.clone(), data_type.clone(), format.clone());
            Some(Expr::Cast { kind, expr, data_type, array: *array, format })
        }
        Expr::Cast { kind, expr, data_type, .. } => {
            let name = match (data_type, kind) {
                (DataType::JSON, CastKind::TryCast) => "try_json",
                (DataType::JSON, _) => "json",
                (DataType::JSONB, CastKind::TryCast) => "try_jsonb",
                (DataType::JSONB, _) => "jsonb",
                _ => return None,
            };
            Some(call(name, [(**expr).clone()]))
        }
        Expr::Interval(interval) => interval_literal(interval),
        Expr::TypedString(TypedString { data_type: data_type @ (DataType::JSON | DataType::JSONB), value, .. }) => {
            Some(call(if data_type == &DataType::JSON { "json" } else { "jsonb" }, [Expr::Value(value.clone())]))
        }
        _ => None,
    }
}

/// The function that an operator of PostgreSQL is: `|/ x`, `||/ x`, `@ x`.
pub(super) fn unary_function(op: &UnaryOperator) -> Option<&'static str> {
    match op {
        UnaryOperator::PGSquareRoot => Some("sqrt"),
        UnaryOperator::PGCubeRoot => Some("cbrt"),
        UnaryOperator::PGAbs => Some("abs"),
        _ => None,
    }
}

/// Whether it is `ARRAY[]`, which has no type of its own.
fn is_empty_array(expr: &Expr) -> bool {
    matches!(expr, Expr::Array(array) if array.elem.is_empty())
}

/// An interval in one of PostgreSQL's spellings, in that which the binder reads.
fn interval_literal(interval: &Interval) -> Option<Expr> {
    use DateTimeField::{Day, Hour, Minute, Month, Second, Year};
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) = interval.value.as_ref() else { return None };
    let whole = match (&interval.leading_field, &interval.last_field) {
        (None, None) => text.clone(),
        (Some(Year), Some(Month)) if text.contains('-') => text.clone(),
        (Some(Day), Some(Hour)) => format!("{text}:00"),
        (Some(Day), Some(Minute | Second)) | (Some(Hour), Some(Minute | Second)) if text.contains(':') => text.clone(),
        (Some(Minute), Some(Second)) => match text.strip_prefix('-') {
            Some(text) => format!("-00:{text}"),
            None => format!("00:{text}"),
        },
        _ => return None,
    };
    let parsed = parse_interval(&whole)?;
    let (seconds, nanos) = (parsed.nanoseconds / 1_000_000_000, (parsed.nanoseconds % 1_000_000_000).unsigned_abs());
    let sign = if parsed.nanoseconds < 0 { "-" } else { "" };
    let text = format!("{} months {} days {sign}{}.{nanos:09} seconds", parsed.months, parsed.days, seconds.unsigned_abs());
    let value = Box::new(Expr::value(Value::SingleQuotedString(text)));
    let plain =
        Interval { value, leading_field: None, leading_precision: None, last_field: None, fractional_seconds_precision: None };
    Some(Expr::Interval(plain))
}

/// Whether `op` compares its sides.
pub(crate) fn compares(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

/// The fields of a row value.
pub(crate) fn tuple(expr: &Expr) -> Option<&[Expr]> {
    match expr {
        Expr::Tuple(fields) if fields.len() > 1 => Some(fields),
        Expr::Nested(inner) => tuple(inner),
        _ => None,
    }
}

fn text(text: String) -> Expr {
    Expr::value(Value::SingleQuotedString(text.trim_matches('\'').to_lowercase()))
}

pub(super) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::Nested(Box::new(Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }))
}

pub(super) fn negate_if(negated: bool, expr: Expr) -> Expr {
    match negated {
        true => Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(Expr::Nested(Box::new(expr))) },
        false => expr,
    }
}

/// `exprs` joined by `op`, as a balanced tree.
pub(super) fn chain(mut exprs: Vec<Expr>, op: &BinaryOperator) -> Option<Expr> {
    while exprs.len() > 1 {
        let mut rest = exprs.into_iter();
        let mut above = Vec::new();
        while let Some(left) = rest.next() {
            above.push(match rest.next() {
                Some(right) => binary(left, op.clone(), right),
                None => left,
            });
        }
        exprs = above;
    }
    exprs.pop()
}

fn pairs(left: &[Expr], right: &[Expr], compare: fn(Box<Expr>, Box<Expr>) -> Expr, op: BinaryOperator) -> Option<Expr> {
    if left.len() != right.len() {
        return None;
    }
    let compared = left.iter().zip(right).map(|(left, right)| {
        // Rows in rows are compared field by field as well.
        let compared = compare(Box::new(left.clone()), Box::new(right.clone()));
        rewritten(&compared).unwrap_or_else(|| Expr::Nested(Box::new(compared)))
    });
    chain(compared.collect(), &op)
}

/// `(a, b) op (c, d)`.
fn rows(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Option<Expr> {
    let compared = |op: &BinaryOperator, left: &Expr, right: &Expr| match (tuple(left), tuple(right)) {
        (Some(left), Some(right)) => rows(left, op, right),
        (None, None) => Some(binary(left.clone(), op.clone(), right.clone())),
        _ => None,
    };
    if left.len() != right.len() {
        return None;
    }
    let each =
        |op: &BinaryOperator| left.iter().zip(right).map(|(left, right)| compared(op, left, right)).collect::<Option<Vec<_>>>();
    match op {
        BinaryOperator::Eq => chain(each(&BinaryOperator::Eq)?, &BinaryOperator::And),
        BinaryOperator::NotEq => chain(each(&BinaryOperator::NotEq)?, &BinaryOperator::Or),
        BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq => {
            // The first fields decide, unless they are equal.
            let strict =
                if matches!(op, BinaryOperator::Lt | BinaryOperator::LtEq) { BinaryOperator::Lt } else { BinaryOperator::Gt };
            let mut fields = left.iter().zip(right).rev();
            let (left, right) = fields.next()?;
            let mut decided = compared(op, left, right)?;
            for (left, right) in fields {
                let rest = binary(compared(&BinaryOperator::Eq, left, right)?, BinaryOperator::And, decided);
                decided = binary(compared(&strict, left, right)?, BinaryOperator::Or, rest);
            }
            Some(decided)
        }
        _ => None,
    }
}

fn simple_name(function: &Function) -> Option<String> {
    match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Some(fold(ident)),
        _ => None,
    }
}

/// The arguments of a plain call.
fn arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let plain = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    list.args.iter().map(plain).collect()
}

fn function_call(function: &Function) -> Option<Expr> {
    let name = simple_name(function)?;
    let given = arguments(function)?;
    if let ([argument], Some((_, field))) = (given.as_slice(), FIELDS.iter().find(|(known, _)| *known == name)) {
        return Some(call("date_part", [text(field.to_string()), argument.clone()]));
    }
    match (name.as_str(), given.as_slice()) {
        ("dayofweek", [time]) => {
            let day = call("date_part", [text("dow".to_string()), time.clone()]);
            Some(binary(day, BinaryOperator::Plus, number("1")))
        }
        ("if" | "iif", [condition, then, otherwise]) => {
            Some(case(vec![(condition.clone(), then.clone())], Some(otherwise.clone())))
        }
        // Three arguments or more are Oracle's; two are PostgreSQL's, a function.
        ("decode", [value, searched @ ..]) if searched.len() > 1 => {
            let branches = searched.chunks_exact(2).map(|pair| {
                let same = Expr::IsNotDistinctFrom(Box::new(value.clone()), Box::new(pair[0].clone()));
                (Expr::Nested(Box::new(same)), pair[1].clone())
            });
            Some(case(branches.collect(), searched.chunks_exact(2).remainder().first().cloned()))
        }
        // The unit begins in that zone.
        ("date_trunc", [unit, time, zone]) => {
            let local = call("timezone", [zone.clone(), time.clone()]);
            Some(call("timezone", [zone.clone(), call("date_trunc", [unit.clone(), local])]))
        }
        ("quote_nullable", [value]) => Some(call(
            "coalesce",
            [call("quote_literal", [value.clone()]), Expr::value(Value::SingleQuotedString("NULL".to_string()))],
        )),
        ("date_add", [time, by]) => Some(binary(time.clone(), BinaryOperator::Plus, by.clone())),
        ("date_sub", [time, by]) => Some(binary(time.clone(), BinaryOperator::Minus, by.clone())),
        (name, [Expr::Identifier(unit), rest @ ..]) if rest.len() == 2 && WITH_UNIT.contains(&name) => {
            Some(call(name, [text(unit.value.clone())].into_iter().chain(rest.iter().cloned())))
        }
        _ => None,
    }
}

fn number(text: &str) -> Expr {
    Expr::value(Value::Number(text.to_string(), false))
}

pub(crate) fn case(branches: Vec<(Expr, Expr)>, otherwise: Option<Expr>) -> Expr {
    Expr::Case {
        case_token: helpers::attached_token::AttachedToken::empty(),
        end_token: helpers::attached_token::AttachedToken::empty(),
        operand: None,
        conditions: branches.into_iter().map(|(condition, result)| CaseWhen { condition, result }).collect(),
        else_result: otherwise.map(Box::new),
    }
}

/// Writes all `ARRAY[a, b]` as calls: DataFusion binds the elements of the literal without the queries around it, so that a subquery could not refer to
/// those in one.
pub(crate) fn call_arrays(query: &mut Query) {
    let ControlFlow::Continue(()) = visit_expressions_mut(query, |expr| {
        if let Expr::Array(array) = expr
            && !array.elem.is_empty()
        {
            *expr = call("make_array", std::mem::take(&mut array.elem));
        }
        ControlFlow::<Infallible>::Continue(())
    });
}

/// Names all casts of columns and of NULL by their types: `CASE WHEN 'INT' IS NOT NULL THEN CAST(a AS INT) END`. DataFusion names a cast as what is cast, so that it
/// takes `sum(a)` and `sum(a::INT)` for one column.
pub(crate) fn name_casts(query: &mut Query) {
    let ControlFlow::Continue(()) = visit_expressions_mut(query, |expr| {
        if let Expr::Cast { data_type, expr: input, .. } = expr
            && visit_expressions(input.as_ref(), is_column).is_break()
        {
            let condition = Expr::IsNotNull(Box::new(text(data_type.to_string())));
            *expr = case(vec![(condition, expr.clone())], None);
        }
        ControlFlow::<Infallible>::Continue(())
    });
}

fn is_column(expr: &Expr) -> ControlFlow<()> {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        Expr::Value(value) if value.value == Value::Null => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}

/// The elements of `(a, b)` or `ARRAY[a, b]`.
fn items(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Tuple(items) => Some(items.clone()),
        Expr::Array(array) => Some(array.elem.clone()),
        Expr::Nested(inner) => items(inner).or_else(|| Some(vec![(**inner).clone()])),
        _ => None,
    }
}

/// The escape character of a LIKE, unless it is the usual one.
pub(crate) fn escape(escape: Option<&ValueWithSpan>) -> Option<Expr> {
    escape.filter(|escape| escape.value.to_string() != r"'\'").map(|escape| Expr::Value(escape.clone()))
}

fn pattern(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Like { negated, any, expr: input, pattern, escape_char }
        | Expr::ILike { negated, any, expr: input, pattern, escape_char } => {
            let escape = escape(escape_char.as_ref());
            if !*any && escape.is_none() {
                return None;
            }
            let insensitive = matches!(expr, Expr::ILike { .. });
            let patterns = if *any { items(pattern)? } else { vec![(**pattern).clone()] };
            let likes = patterns.into_iter().map(|pattern| {
                let pattern = match &escape {
                    Some(escape) => call("like_escape", [pattern, escape.clone()]),
                    None => pattern,
                };
                let (negated, any, expr, pattern, escape_char) = (*negated, false, input.clone(), Box::new(pattern), None);
                match insensitive {
                    true => Expr::ILike { negated, any, expr, pattern, escape_char },
                    false => Expr::Like { negated, any, expr, pattern, escape_char },
                }
            });
            chain(likes.collect(), &BinaryOperator::Or)
        }
        Expr::SimilarTo { negated, expr, pattern, escape_char } => {
            let arguments = std::iter::once((**pattern).clone()).chain(escape_char.clone().map(Expr::Value));
            Some(matches(*negated, expr, call("similar_to_escape", arguments)))
        }
        Expr::RLike { negated, expr, pattern, .. } => Some(matches(*negated, expr, (**pattern).clone())),
        _ => None,
    }
}

fn matches(negated: bool, input: &Expr, pattern: Expr) -> Expr {
    let op = if negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
    binary(input.clone(), op, pattern)
}

/// `left op ANY (right)` or `ALL`, where the right side is an array: one that is written out is a chain of comparisons.
fn quantified(left: &Expr, op: &BinaryOperator, right: &Expr, function: &str, join: &BinaryOperator) -> Option<Expr> {
    match right {
        Expr::Subquery(_) => None,
        Expr::Nested(inner) => quantified(left, op, inner, function, join),
        Expr::Array(array) if !array.elem.is_empty() => {
            chain(array.elem.iter().map(|item| binary(left.clone(), op.clone(), item.clone())).collect(), join)
        }
        right => Some(call(function, [text(op.to_string()), left.clone(), right.clone()])),
    }
}
