//! Scalar expressions: DataFusion's, over named columns, to ours, over positions.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::{DFSchema, ScalarValue};
use datafusion_expr::expr::{Between, BinaryExpr, Case, InList, Like, ScalarFunction};
use datafusion_expr::{Expr as PlanExpr, Operator, ReturnFieldArgs};
use deltic_circuit::{BinaryOp, Expr};
use deltic_zset::types::{canonical_type, canonicalize};

use crate::error::{Code, Position, SqlError};

/// The canonical type of a plan's column; an untyped NULL is text.
pub(super) fn column_type(data_type: &DataType, position: Position) -> Result<DataType, SqlError> {
    if data_type.is_null() {
        return Ok(DataType::Utf8);
    }
    canonical_type(data_type).ok_or_else(|| SqlError::unsupported(position, format!("the type {data_type}")))
}

/// The canonical types of the columns of a plan.
pub(super) fn field_types(fields: &Fields, position: Position) -> Result<Vec<DataType>, SqlError> {
    fields.iter().map(|field| column_type(field.data_type(), position)).collect()
}

/// What the columns of an expression mean: position `i` of `schema` is `columns[i]`.
pub(super) struct Scope<'a> {
    pub(super) schema: &'a DFSchema,
    pub(super) columns: &'a [Expr],
    pub(super) position: Position,
}

impl Scope<'_> {
    /// `expr` over the columns of this scope.
    pub(super) fn lower(&self, expr: &PlanExpr) -> Result<Expr, SqlError> {
        match expr {
            PlanExpr::Alias(alias) => self.lower(&alias.expr),
            PlanExpr::Column(column) => match self.schema.maybe_index_of_column(column) {
                Some(index) => Ok(self.columns[index].clone()),
                None => Err(self.internal(format!("column {column} is not in {:?}", self.schema.field_names()))),
            },
            PlanExpr::Literal(value, _) => self.literal(value),
            PlanExpr::BinaryExpr(binary) => self.binary(binary),
            PlanExpr::Not(input) => Ok(self.lower(input)?.negate()),
            PlanExpr::Negative(input) => Ok(self.lower(input)?.negative()),
            PlanExpr::IsNull(input) | PlanExpr::IsUnknown(input) => Ok(self.lower(input)?.is_null()),
            PlanExpr::IsNotNull(input) | PlanExpr::IsNotUnknown(input) => Ok(self.lower(input)?.is_not_null()),
            PlanExpr::IsTrue(input) => self.is_boolean(input, true),
            PlanExpr::IsNotTrue(input) => Ok(self.is_boolean(input, true)?.negate()),
            PlanExpr::IsFalse(input) => self.is_boolean(input, false),
            PlanExpr::IsNotFalse(input) => Ok(self.is_boolean(input, false)?.negate()),
            PlanExpr::Between(between) => self.between(between),
            PlanExpr::Case(case) => self.case(case),
            PlanExpr::Cast(cast) => self.cast(&cast.expr, cast.field.data_type(), false),
            PlanExpr::TryCast(cast) => self.cast(&cast.expr, cast.field.data_type(), true),
            PlanExpr::Like(like) => self.like(like),
            PlanExpr::InList(list) => self.in_list(list),
            PlanExpr::ScalarFunction(function) => self.function(function),
            PlanExpr::SimilarTo(_) => Err(SqlError::unsupported(self.position, "SIMILAR TO")),
            PlanExpr::ScalarSubquery(_) | PlanExpr::Exists(_) | PlanExpr::InSubquery(_) | PlanExpr::SetComparison(_) => {
                Err(SqlError::unsupported(self.position, "a subquery in an expression"))
            }
            PlanExpr::AggregateFunction(_) => Err(SqlError::unsupported(self.position, "an aggregate outside of GROUP BY")),
            PlanExpr::WindowFunction(_) => Err(SqlError::unsupported(self.position, "a window function here")),
            PlanExpr::Placeholder(placeholder) => {
                Err(SqlError::unsupported(self.position, format!("the parameter {}", placeholder.id)))
            }
            other => Err(SqlError::unsupported(self.position, format!("the expression {other}"))),
        }
    }

    fn internal(&self, message: String) -> SqlError {
        SqlError::new(Code::Internal, self.position, message)
    }

    fn literal(&self, value: &ScalarValue) -> Result<Expr, SqlError> {
        if value.data_type().is_null() {
            return Ok(Expr::Literal(ScalarValue::Utf8(None)));
        }
        let canonical = value
            .to_array()
            .map_err(|error| error.to_string())
            .and_then(|array| canonicalize(&array).map_err(|error| error.to_string()))
            .and_then(|array| ScalarValue::try_from_array(&array, 0).map_err(|error| error.to_string()));
        canonical.map(Expr::Literal).map_err(|error| {
            SqlError::new(Code::Type, self.position, format!("the constant {value} does not fit its type: {error}"))
        })
    }

    fn binary(&self, binary: &BinaryExpr) -> Result<Expr, SqlError> {
        let (left, right) = (self.lower(&binary.left)?, self.lower(&binary.right)?);
        let op = match binary.op {
            Operator::LikeMatch => return Ok(left.like(right, false, false)),
            Operator::ILikeMatch => return Ok(left.like(right, false, true)),
            Operator::NotLikeMatch => return Ok(left.like(right, true, false)),
            Operator::NotILikeMatch => return Ok(left.like(right, true, true)),
            op => binary_op(op).ok_or_else(|| SqlError::unsupported(self.position, format!("the operator {op}")))?,
        };
        let (left, right) = same_type_if_needed(op, left, right);
        match op.result_type(&left.data_type(), &right.data_type()) {
            Some(data_type) => Ok(Expr::binary_typed(op, left, right, data_type)),
            None => Err(SqlError::new(
                Code::Type,
                self.position,
                format!("{} {} {} is not defined", left.data_type(), binary.op, right.data_type()),
            )
            .with_hint("cast one side")),
        }
    }

    fn is_boolean(&self, input: &PlanExpr, value: bool) -> Result<Expr, SqlError> {
        Ok(Expr::binary(BinaryOp::IsNotDistinctFrom, self.lower(input)?, Expr::literal(value)))
    }

    fn between(&self, between: &Between) -> Result<Expr, SqlError> {
        let (input, low, high) = (self.lower(&between.expr)?, self.lower(&between.low)?, self.lower(&between.high)?);
        let inside = Expr::binary(BinaryOp::GreaterOrEqual, input.clone(), low)
            .and(Expr::binary(BinaryOp::LessOrEqual, input, high));
        Ok(if between.negated { inside.negate() } else { inside })
    }

    fn case(&self, case: &Case) -> Result<Expr, SqlError> {
        let base = case.expr.as_ref().map(|base| self.lower(base)).transpose()?;
        let mut branches = Vec::with_capacity(case.when_then_expr.len());
        for (when, then) in &case.when_then_expr {
            let when = self.lower(when)?;
            let condition = match &base {
                Some(base) => base.clone().equal(when),
                None => when,
            };
            branches.push((condition, self.lower(then)?));
        }
        let otherwise = case.else_expr.as_ref().map(|otherwise| self.lower(otherwise)).transpose()?;
        // An untyped NULL takes the type of its siblings.
        let results = branches.iter().map(|(_, result)| result).chain(&otherwise);
        let data_type = common_type(results);
        let branches = branches.into_iter().map(|(condition, result)| (condition, result.cast(data_type.clone()))).collect();
        let otherwise = otherwise.map(|otherwise| Box::new(otherwise.cast(data_type.clone())));
        Ok(Expr::Case { branches, otherwise, data_type })
    }

    fn cast(&self, input: &PlanExpr, to: &DataType, safe: bool) -> Result<Expr, SqlError> {
        let input = self.lower(input)?;
        let to = column_type(to, self.position)?;
        if let Some(value) = input.as_literal()
            && value.is_null()
            && let Ok(null) = ScalarValue::try_from(&to)
        {
            return Ok(Expr::Literal(null));
        }
        Ok(if safe { input.try_cast(to) } else { input.cast(to) })
    }

    fn like(&self, like: &Like) -> Result<Expr, SqlError> {
        if !matches!(like.escape_char, None | Some('\\')) {
            return Err(SqlError::unsupported(self.position, "LIKE with an ESCAPE character other than \\"));
        }
        Ok(self.lower(&like.expr)?.like(self.lower(&like.pattern)?, like.negated, like.case_insensitive))
    }

    fn in_list(&self, list: &InList) -> Result<Expr, SqlError> {
        let input = self.lower(&list.expr)?;
        let to = input.data_type();
        let items = list.list.iter().map(|item| Ok(self.lower(item)?.cast(to.clone()))).collect::<Result<Vec<_>, SqlError>>()?;
        let literals: Option<Vec<ScalarValue>> = items
            .iter()
            .map(|item| match item {
                Expr::Literal(value) => Some(value.clone()),
                Expr::Cast { input, .. } if input.as_literal().is_some_and(ScalarValue::is_null) => ScalarValue::try_from(&to).ok(),
                _ => None,
            })
            .collect();
        if let Some(literals) = literals {
            return Ok(input.in_list(literals, list.negated));
        }
        let any = items.into_iter().map(|item| input.clone().equal(item)).reduce(Expr::or);
        let any = any.unwrap_or_else(|| Expr::literal(false));
        Ok(if list.negated { any.negate() } else { any })
    }

    fn function(&self, function: &ScalarFunction) -> Result<Expr, SqlError> {
        let mut arguments = function.args.iter().map(|argument| self.lower(argument)).collect::<Result<Vec<_>, _>>()?;
        match (function.name(), arguments.len()) {
            ("coalesce" | "nvl" | "ifnull", 1..) => {
                let data_type = common_type(arguments.iter());
                let arguments = arguments.into_iter().map(|argument| argument.cast(data_type.clone())).collect();
                return Ok(Expr::Coalesce { arguments, data_type });
            }
            ("nullif", 2) => {
                let (second, first) = (arguments.pop(), arguments.pop());
                if let (Some(first), Some(second)) = (first, second) {
                    let null = Expr::Literal(ScalarValue::try_from(&first.data_type()).unwrap_or(ScalarValue::Null));
                    return Ok(Expr::case(vec![(first.clone().equal(second), null)], Some(first)));
                }
            }
            _ => {}
        }
        self.call(function, arguments)
    }

    /// A function of its actual, canonical arguments: it says anew what it returns for them.
    fn call(&self, function: &ScalarFunction, arguments: Vec<Expr>) -> Result<Expr, SqlError> {
        let fields: Vec<FieldRef> = arguments
            .iter()
            .enumerate()
            .map(|(index, argument)| Arc::new(Field::new(format!("argument{index}"), argument.data_type(), true)))
            .collect();
        let scalars: Vec<Option<&ScalarValue>> = arguments.iter().map(Expr::as_literal).collect();
        let returns = function
            .func
            .return_field_from_args(ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &scalars })
            .map_err(|error| {
                SqlError::new(Code::Type, self.position, format!("{}: {}", function.name(), error.strip_backtrace()))
            })?;
        column_type(returns.data_type(), self.position)?;
        Ok(Expr::function(function.func.clone(), arguments, returns))
    }
}

/// The type of the first operand that is not an untyped NULL.
fn common_type<'e>(operands: impl Iterator<Item = &'e Expr> + Clone) -> DataType {
    let typed = operands.clone().find(|operand| !operand.as_literal().is_some_and(|value| *value == ScalarValue::Utf8(None)));
    typed.or_else(|| operands.clone().next()).map_or(DataType::Utf8, Expr::data_type)
}

/// An untyped NULL beside a typed operand takes its type, where the operator wants equal types.
fn same_type_if_needed(op: BinaryOp, left: Expr, right: Expr) -> (Expr, Expr) {
    let untyped = |expr: &Expr| expr.as_literal().is_some_and(|value| *value == ScalarValue::Utf8(None));
    let null_of = |expr: &Expr| ScalarValue::try_from(&expr.data_type()).map(Expr::Literal);
    if !(op.is_comparison() || op.is_arithmetic() || matches!(op, BinaryOp::And | BinaryOp::Or)) {
        return (left, right);
    }
    match (untyped(&left), untyped(&right)) {
        (true, false) => (null_of(&right).unwrap_or(left), right),
        (false, true) => {
            let null = null_of(&left).unwrap_or(right);
            (left, null)
        }
        _ => (left, right),
    }
}

fn binary_op(op: Operator) -> Option<BinaryOp> {
    Some(match op {
        Operator::Plus => BinaryOp::Add,
        Operator::Minus => BinaryOp::Subtract,
        Operator::Multiply => BinaryOp::Multiply,
        Operator::Divide => BinaryOp::Divide,
        Operator::Modulo => BinaryOp::Modulo,
        Operator::Eq => BinaryOp::Equal,
        Operator::NotEq => BinaryOp::NotEqual,
        Operator::Lt => BinaryOp::Less,
        Operator::LtEq => BinaryOp::LessOrEqual,
        Operator::Gt => BinaryOp::Greater,
        Operator::GtEq => BinaryOp::GreaterOrEqual,
        Operator::IsDistinctFrom => BinaryOp::IsDistinctFrom,
        Operator::IsNotDistinctFrom => BinaryOp::IsNotDistinctFrom,
        Operator::And => BinaryOp::And,
        Operator::Or => BinaryOp::Or,
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
