//! Expressions of a plan as expressions of a circuit.
//!
//! Types are canonical on both sides of every operator; where DataFusion's analyzer chose another spelling of a type (nanoseconds, `Utf8View`), the
//! difference disappears here. Constants are folded with the circuit's own evaluator, so that a folded expression means exactly what it
//! would mean on a row; one that fails is left for the rows to fail on.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::{Case, Cast, InList, Like};
use datafusion_expr::{BinaryExpr, Expr as PlanExpr, ExprSchemable, Operator};
use deltic_circuit::{BinaryOp, Expr};
use deltic_zset::types::{canonical_type, canonicalize};

use super::Lower;
use super::function::lower_function;
use super::narrow::{narrowed, narrowed_list};
use crate::SqlError;
use crate::error::Code;
use crate::plan::NOW_NAME;

/// The type that a column of the plan has in a circuit. A column that is always NULL is text.
pub(super) fn column_type(data_type: &DataType) -> Lower<DataType> {
    if data_type == &DataType::Null {
        return Ok(DataType::Utf8);
    }
    canonical_type(data_type).ok_or_else(|| SqlError::nowhere(Code::Type, format!("the type {data_type} is not supported")))
}

/// Lowers an expression over rows with the columns `schema`. A result without a type is a NULL text.
pub(crate) fn lower_expression(expr: &PlanExpr, schema: &DFSchema) -> Lower<Expr> {
    let lowered = Scope { schema }.lower(expr)?;
    Ok(if is_untyped_null(&lowered) { typed_null(&DataType::Utf8)? } else { lowered })
}

/// Where column names are looked up.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) schema: &'a DFSchema,
}

impl Scope<'_> {
    pub(super) fn lower(self, expr: &PlanExpr) -> Lower<Expr> {
        Ok(fold(self.lower_node(expr)?))
    }

    fn lower_node(self, expr: &PlanExpr) -> Lower<Expr> {
        let truth = |op: BinaryOp, input: &PlanExpr, value: bool| {
            Ok(Expr::binary_typed(op, self.boolean(input)?, Expr::literal(ScalarValue::Boolean(Some(value))), DataType::Boolean))
        };
        match expr {
            PlanExpr::Alias(alias) => self.lower(&alias.expr),
            PlanExpr::Column(column) => {
                let index = self.schema.index_of_column(column).map_err(|error| internal(&error))?;
                Ok(Expr::column(index, column_type(self.schema.field(index).data_type())?))
            }
            PlanExpr::Literal(value, _) => literal(value),
            PlanExpr::BinaryExpr(binary) => self.binary(binary, expr),
            PlanExpr::Not(input) => Ok(self.boolean(input)?.negate()),
            PlanExpr::Negative(input) => Ok(self.lower(input)?.negative()),
            PlanExpr::IsNull(input) | PlanExpr::IsUnknown(input) => Ok(self.lower(input)?.is_null()),
            PlanExpr::IsNotNull(input) | PlanExpr::IsNotUnknown(input) => Ok(self.lower(input)?.is_not_null()),
            PlanExpr::IsTrue(input) => truth(BinaryOp::IsNotDistinctFrom, input, true),
            PlanExpr::IsFalse(input) => truth(BinaryOp::IsNotDistinctFrom, input, false),
            PlanExpr::IsNotTrue(input) => truth(BinaryOp::IsDistinctFrom, input, true),
            PlanExpr::IsNotFalse(input) => truth(BinaryOp::IsDistinctFrom, input, false),
            PlanExpr::Between(between) => {
                let input = self.lower(&between.expr)?;
                let low = compare(BinaryOp::GreaterOrEqual, input.clone(), self.lower(&between.low)?)?;
                let high = compare(BinaryOp::LessOrEqual, input, self.lower(&between.high)?)?;
                let inside = low.and(high);
                Ok(if between.negated { inside.negate() } else { inside })
            }
            PlanExpr::Case(case) => self.case(case, &self.type_of(expr)?),
            PlanExpr::Cast(cast) => self.cast(cast),
            PlanExpr::TryCast(cast) => {
                let data_type = column_type(cast.field.data_type())?;
                let input = self.lower(&cast.expr)?;
                if is_untyped_null(&input) { typed_null(&data_type) } else { Ok(input.try_cast(data_type)) }
            }
            PlanExpr::Like(like) => self.like(like),
            PlanExpr::InList(list) => self.in_list(list),
            PlanExpr::ScalarFunction(function) => lower_function(self, function, &self.type_of(expr)?),
            other => Err(unsupported(&other.schema_name())),
        }
    }

    /// The canonical type that the plan gives to `expr`.
    fn type_of(self, expr: &PlanExpr) -> Lower<DataType> {
        column_type(&expr.get_type(self.schema).map_err(|error| internal(&error))?)
    }

    fn boolean(self, expr: &PlanExpr) -> Lower<Expr> {
        typed(self.lower(expr)?, &DataType::Boolean)
    }

    fn cast(self, cast: &Cast) -> Lower<Expr> {
        if let DataType::Timestamp(_, Some(zone)) = cast.field.data_type()
            && !["UTC", "+00:00"].contains(&zone.as_ref())
        {
            return Err(unsupported(&format!("the time zone {zone}")));
        }
        let data_type = column_type(cast.field.data_type())?;
        let input = self.lower(&cast.expr)?;
        // Durations are kept in microseconds, but counted in the unit that the analyzer chose.
        if let DataType::Duration(unit) = cast.field.data_type()
            && unit != &TimeUnit::Microsecond
            && !matches!(input.data_type(), DataType::Duration(_) | DataType::Interval(_))
        {
            return Err(unsupported(&format!("a cast of {} to {}", input.data_type(), cast.field.data_type())));
        }
        if is_untyped_null(&input) { typed_null(&data_type) } else { Ok(input.cast(data_type)) }
    }

    fn binary(self, binary: &BinaryExpr, expr: &PlanExpr) -> Lower<Expr> {
        let op = match binary.op {
            Operator::LikeMatch | Operator::ILikeMatch | Operator::NotLikeMatch | Operator::NotILikeMatch => {
                let insensitive = matches!(binary.op, Operator::ILikeMatch | Operator::NotILikeMatch);
                let negated = matches!(binary.op, Operator::NotLikeMatch | Operator::NotILikeMatch);
                let (left, right) = (self.text(&binary.left)?, self.text(&binary.right)?);
                return Ok(left.like(right, negated, insensitive));
            }
            op => operator(op).ok_or_else(|| unsupported(&format!("the operator {op}")))?,
        };
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            return Ok(Expr::binary_typed(op, self.boolean(&binary.left)?, self.boolean(&binary.right)?, DataType::Boolean));
        }
        let operands = (added_days(&binary.left).unwrap_or(&binary.left), added_days(&binary.right).unwrap_or(&binary.right));
        let (mut left, mut right) = (self.lower(operands.0)?, self.lower(operands.1)?);
        if op.is_comparison() {
            return compare(op, left, right);
        }
        if matches!((left.data_type(), right.data_type()), (DataType::Timestamp(_, left), DataType::Timestamp(_, right)) if left != right)
        {
            // A time without zone is one in UTC.
            let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            (left, right) = (left.cast(utc.clone()), right.cast(utc));
        }
        let wanted = self.type_of(expr)?;
        if is_untyped_null(&left) || is_untyped_null(&right) {
            return typed_null(&wanted);
        }
        let (left_type, right_type) = (left.data_type(), right.data_type());
        match op.result_type(&left_type, &right_type) {
            // Numbers are rounded to the declared type once, by the operator itself.
            Some(result) if op.is_arithmetic() && result.is_numeric() && wanted.is_numeric() => {
                Ok(Expr::binary_typed(op, left, right, wanted))
            }
            Some(result) => Ok(Expr::binary_typed(op, left, right, result).cast(wanted)),
            None => {
                let message = format!("the operator {} is not defined for {left_type} and {right_type}", binary.op);
                Err(SqlError::nowhere(Code::Type, message))
            }
        }
    }

    fn text(self, expr: &PlanExpr) -> Lower<Expr> {
        typed(self.lower(expr)?, &DataType::Utf8)
    }

    fn case(self, case: &Case, data_type: &DataType) -> Lower<Expr> {
        let operand = case.expr.as_deref().map(|operand| self.lower(operand)).transpose()?;
        let branches = case.when_then_expr.iter().map(|(when, then)| {
            let condition = match &operand {
                None => self.boolean(when)?,
                Some(operand) => fold(compare(BinaryOp::Equal, operand.clone(), self.lower(when)?)?),
            };
            Ok((condition, typed(self.lower(then)?, data_type)?))
        });
        let branches = branches.collect::<Lower<Vec<_>>>()?;
        let otherwise = case.else_expr.as_deref().map(|otherwise| typed(self.lower(otherwise)?, data_type)).transpose()?;
        Ok(Expr::Case { branches, otherwise: otherwise.map(Box::new), data_type: data_type.clone() })
    }

    fn like(self, like: &Like) -> Lower<Expr> {
        if !matches!(like.escape_char, None | Some('\\')) {
            return Err(unsupported("LIKE .. ESCAPE with another character than \\"));
        }
        let (input, pattern) = (self.text(&like.expr)?, self.text(&like.pattern)?);
        Ok(input.like(pattern, like.negated, like.case_insensitive))
    }

    fn in_list(self, list: &InList) -> Lower<Expr> {
        let input = self.lower(&list.expr)?;
        let data_type = input.data_type();
        let items = list.list.iter().map(|item| typed(self.lower(item)?, &data_type)).collect::<Lower<Vec<_>>>()?;
        let literals: Option<Vec<ScalarValue>> = items.iter().map(|item| item.as_literal().cloned()).collect();
        if let Some(literals) = literals {
            let (input, literals) = narrowed_list(input, literals);
            return Ok(input.in_list(literals, list.negated));
        }
        let equalities = items.into_iter().map(|item| input.clone().equal(item)).collect();
        let any = balanced(equalities, Expr::or).ok_or_else(|| unsupported("IN with an empty list"))?;
        Ok(if list.negated { any.negate() } else { any })
    }
}

/// The number of days that `expr` is, if it is what the analyzer makes of an integer that is added to a date: so many seconds as an
/// interval.
fn added_days(expr: &PlanExpr) -> Option<&PlanExpr> {
    let PlanExpr::Cast(interval) = expr else { return None };
    let PlanExpr::Cast(seconds) = interval.expr.as_ref() else { return None };
    let PlanExpr::BinaryExpr(BinaryExpr { left, op: Operator::Multiply, right }) = seconds.expr.as_ref() else { return None };
    let is_day = matches!(right.as_ref(), PlanExpr::Literal(ScalarValue::Int64(Some(86_400)), _));
    let is_seconds = seconds.field.data_type() == &DataType::Duration(TimeUnit::Second);
    (is_day && is_seconds && matches!(interval.field.data_type(), DataType::Interval(_))).then_some(left)
}

/// `left op right` for operands of one type; an untyped NULL takes that of the other side.
fn compare(op: BinaryOp, left: Expr, right: Expr) -> Lower<Expr> {
    let (left, right) = match (is_untyped_null(&left), is_untyped_null(&right)) {
        (true, true) => (typed_null(&DataType::Utf8)?, typed_null(&DataType::Utf8)?),
        (true, false) => (typed_null(&right.data_type())?, right),
        (false, true) => {
            let null = typed_null(&left.data_type())?;
            (left, null)
        }
        (false, false) => narrowed(left, right),
    };
    let (left_type, right_type) = (left.data_type(), right.data_type());
    if left_type != right_type {
        return Err(SqlError::nowhere(Code::Type, format!("{left_type} and {right_type} cannot be compared")));
    }
    Ok(Expr::binary_typed(op, left, right, DataType::Boolean))
}

/// `exprs` joined by an associative operator, as deep as the logarithm of their number.
fn balanced(mut exprs: Vec<Expr>, join: fn(Expr, Expr) -> Expr) -> Option<Expr> {
    while exprs.len() > 1 {
        let mut pairs = exprs.into_iter();
        let mut above = Vec::new();
        while let Some(left) = pairs.next() {
            above.push(match pairs.next() {
                Some(right) => join(left, right),
                None => left,
            });
        }
        exprs = above;
    }
    exprs.pop()
}

/// The constant that `expr` is, if its operands are constants and it does not fail.
pub(crate) fn fold(expr: Expr) -> Expr {
    let children = expr.children();
    let is_leaf = children.is_empty() && !matches!(&expr, Expr::Function { function, .. } if function.name() != NOW_NAME);
    if is_leaf || !children.iter().all(|child| child.as_literal().is_some_and(|value| value.data_type() != DataType::Null)) {
        return expr;
    }
    let evaluated = expr.evaluate(&[], 1);
    if !evaluated.errors.is_empty() {
        return expr;
    }
    match ScalarValue::try_from_array(&evaluated.values, 0) {
        Ok(value) => Expr::Literal(value),
        Err(_) => expr,
    }
}

pub(super) fn is_untyped_null(expr: &Expr) -> bool {
    expr.as_literal().is_some_and(|value| matches!(value, ScalarValue::Null))
}

pub(super) fn typed_null(data_type: &DataType) -> Lower<Expr> {
    ScalarValue::try_from(data_type).map(Expr::Literal).map_err(|error| internal(&error))
}

/// `expr` as a value of `data_type`: an untyped NULL takes it, another spelling is cast.
pub(super) fn typed(expr: Expr, data_type: &DataType) -> Lower<Expr> {
    if is_untyped_null(&expr) { typed_null(data_type) } else { Ok(fold(expr.cast(data_type.clone()))) }
}

fn literal(value: &ScalarValue) -> Lower<Expr> {
    if matches!(value, ScalarValue::Null) {
        return Ok(Expr::Literal(ScalarValue::Null));
    }
    let unsupported = |error: &dyn std::fmt::Display| SqlError::nowhere(Code::Type, format!("the constant {value}: {error}"));
    column_type(&value.data_type())?;
    let array = value.to_array().map_err(|error| unsupported(&error))?;
    let array = canonicalize(&array).map_err(|error| unsupported(&error))?;
    ScalarValue::try_from_array(&array, 0).map(Expr::Literal).map_err(|error| unsupported(&error))
}

fn operator(op: Operator) -> Option<BinaryOp> {
    Some(match op {
        Operator::Eq => BinaryOp::Equal,
        Operator::NotEq => BinaryOp::NotEqual,
        Operator::Lt => BinaryOp::Less,
        Operator::LtEq => BinaryOp::LessOrEqual,
        Operator::Gt => BinaryOp::Greater,
        Operator::GtEq => BinaryOp::GreaterOrEqual,
        Operator::Plus => BinaryOp::Add,
        Operator::Minus => BinaryOp::Subtract,
        Operator::Multiply => BinaryOp::Multiply,
        Operator::Divide => BinaryOp::Divide,
        Operator::Modulo => BinaryOp::Modulo,
        Operator::And => BinaryOp::And,
        Operator::Or => BinaryOp::Or,
        Operator::IsDistinctFrom => BinaryOp::IsDistinctFrom,
        Operator::IsNotDistinctFrom => BinaryOp::IsNotDistinctFrom,
        Operator::BitwiseAnd => BinaryOp::BitAnd,
        Operator::BitwiseOr => BinaryOp::BitOr,
        Operator::BitwiseXor => BinaryOp::BitXor,
        Operator::BitwiseShiftLeft => BinaryOp::ShiftLeft,
        Operator::BitwiseShiftRight => BinaryOp::ShiftRight,
        Operator::StringConcat => BinaryOp::Concat,
        Operator::RegexMatch => BinaryOp::RegexMatch,
        Operator::RegexIMatch => BinaryOp::RegexIMatch,
        Operator::RegexNotMatch => BinaryOp::RegexNotMatch,
        Operator::RegexNotIMatch => BinaryOp::RegexNotIMatch,
        _ => return None,
    })
}

pub(super) fn unsupported(what: &(impl std::fmt::Display + ?Sized)) -> SqlError {
    SqlError::nowhere(Code::Unsupported, format!("{what} is not supported"))
}

pub(super) fn internal(error: &impl std::fmt::Display) -> SqlError {
    SqlError::nowhere(Code::Internal, error.to_string())
}
