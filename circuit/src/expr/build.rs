//! Constructors of expressions and the types of their results.
//!
//! The frontend knows the result type of each operator from its own analysis and says it ([`Expr::binary_typed`]); tests and
//! rewrites that add operators leave it to [`BinaryOp::result_type`], which follows the same rules.

use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, FieldRef};
use datafusion_common::ScalarValue;
use datafusion_expr::ScalarUDF;

use super::{BinaryOp, Expr};

impl Expr {
    /// Column `index` of type `data_type`.
    pub fn column(index: usize, data_type: DataType) -> Expr {
        Expr::Column { index, data_type }
    }

    /// The constant `value`.
    pub fn literal(value: impl Into<ScalarValue>) -> Expr {
        Expr::Literal(value.into())
    }

    /// `left op right`; the result has the type that [`BinaryOp::result_type`] says, or that of `left` if it knows none (then
    /// [`crate::validate`] refuses the expression).
    pub fn binary(op: BinaryOp, left: Expr, right: Expr) -> Expr {
        let (left_type, right_type) = (left.data_type(), right.data_type());
        let data_type = op.result_type(&left_type, &right_type).unwrap_or(left_type);
        Expr::binary_typed(op, left, right, data_type)
    }

    /// `left op right` with a result of type `data_type`.
    pub fn binary_typed(op: BinaryOp, left: Expr, right: Expr, data_type: DataType) -> Expr {
        Expr::Binary { op, left: Box::new(left), right: Box::new(right), data_type }
    }

    /// `self AND other`.
    pub fn and(self, other: Expr) -> Expr {
        Expr::binary_typed(BinaryOp::And, self, other, DataType::Boolean)
    }

    /// `self OR other`.
    pub fn or(self, other: Expr) -> Expr {
        Expr::binary_typed(BinaryOp::Or, self, other, DataType::Boolean)
    }

    /// `self = other`.
    pub fn equal(self, other: Expr) -> Expr {
        Expr::binary_typed(BinaryOp::Equal, self, other, DataType::Boolean)
    }

    /// `NOT self`.
    pub fn negate(self) -> Expr {
        Expr::Not(Box::new(self))
    }

    /// `- self`.
    pub fn negative(self) -> Expr {
        Expr::Negative(Box::new(self))
    }

    /// `self IS NULL`.
    pub fn is_null(self) -> Expr {
        Expr::IsNull(Box::new(self))
    }

    /// `self IS NOT NULL`.
    pub fn is_not_null(self) -> Expr {
        self.is_null().negate()
    }

    /// `CAST(self AS data_type)`; `self` alone if it has that type already.
    pub fn cast(self, data_type: DataType) -> Expr {
        if self.data_type() == data_type { self } else { Expr::Cast { input: Box::new(self), data_type, safe: false } }
    }

    /// `TRY_CAST(self AS data_type)`: NULL where the cast fails.
    pub fn try_cast(self, data_type: DataType) -> Expr {
        Expr::Cast { input: Box::new(self), data_type, safe: true }
    }

    /// `CASE WHEN .. THEN .. ELSE .. END` of the type of its first result.
    ///
    /// # Panics
    /// Without a branch.
    pub fn case(branches: Vec<(Expr, Expr)>, otherwise: Option<Expr>) -> Expr {
        let data_type = branches[0].1.data_type();
        Expr::Case { branches, otherwise: otherwise.map(Box::new), data_type }
    }

    /// `COALESCE(arguments)` of the type of its first argument.
    ///
    /// # Panics
    /// Without an argument.
    pub fn coalesce(arguments: Vec<Expr>) -> Expr {
        let data_type = arguments[0].data_type();
        Expr::Coalesce { arguments, data_type }
    }

    /// `self LIKE pattern`, negated if `negated`, `ILIKE` if `case_insensitive`.
    pub fn like(self, pattern: Expr, negated: bool, case_insensitive: bool) -> Expr {
        Expr::Like { input: Box::new(self), pattern: Box::new(pattern), negated, case_insensitive }
    }

    /// `self IN (values)`; NULLs and doubles among the values are taken out as [`Expr::InList`] wants.
    pub fn in_list(self, values: Vec<ScalarValue>, negated: bool) -> Expr {
        let list_has_null = values.iter().any(ScalarValue::is_null);
        let mut list: Vec<ScalarValue> = Vec::with_capacity(values.len());
        let mut seen = std::collections::HashSet::new();
        for value in values {
            if !value.is_null() && seen.insert(value.clone()) {
                list.push(value);
            }
        }
        Expr::InList { input: Box::new(self), list, list_has_null, negated }
    }

    /// `function(arguments)`; `return_field` is what the function says it returns for them.
    pub fn function(function: Arc<ScalarUDF>, arguments: Vec<Expr>, return_field: FieldRef) -> Expr {
        Expr::Function { function, arguments, return_field }
    }

    /// The conjunction of `conjuncts`; `None` if there is none.
    pub fn conjunction(conjuncts: impl IntoIterator<Item = Expr>) -> Option<Expr> {
        conjuncts.into_iter().reduce(Expr::and)
    }
}

impl BinaryOp {
    /// Whether it is a comparison (`=`, `<`, `IS DISTINCT FROM` ..).
    pub fn is_comparison(self) -> bool {
        use BinaryOp::*;
        matches!(self, Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual | IsDistinctFrom | IsNotDistinctFrom)
    }

    /// Whether it is `+`, `-`, `*`, `/` or `%`.
    pub fn is_arithmetic(self) -> bool {
        use BinaryOp::*;
        matches!(self, Add | Subtract | Multiply | Divide | Modulo)
    }

    /// Whether it is a regular expression match.
    pub fn is_regex(self) -> bool {
        use BinaryOp::*;
        matches!(self, RegexMatch | RegexIMatch | RegexNotMatch | RegexNotIMatch)
    }

    /// The type of `left op right`, or `None` if the operator is not defined for these types (both must be canonical).
    ///
    /// Decimals follow the rules of SQL Server and DataFusion: a sum has one more digit, a product the digits of both, a quotient four
    /// more decimals than the dividend; precision stops at 38.
    pub fn result_type(self, left: &DataType, right: &DataType) -> Option<DataType> {
        use DataType::*;
        if self.is_comparison() {
            return (left == right).then_some(Boolean);
        }
        if self.is_regex() {
            return (left == &Utf8 && right == &Utf8).then_some(Boolean);
        }
        match self {
            BinaryOp::And | BinaryOp::Or => (left == &Boolean && right == &Boolean).then_some(Boolean),
            BinaryOp::Concat => (left == right && matches!(left, Utf8 | Binary)).then(|| left.clone()),
            BinaryOp::BitAnd | BinaryOp::BitOr | BinaryOp::BitXor | BinaryOp::ShiftLeft | BinaryOp::ShiftRight => {
                (left == right && left.is_integer()).then(|| left.clone())
            }
            _ => match (left, right) {
                (Decimal128(p1, s1), Decimal128(p2, s2)) => self.decimal_type((*p1, *s1), (*p2, *s2)),
                _ if left == right && left.is_numeric() => Some(left.clone()),
                _ => self.temporal_type(left, right),
            },
        }
    }

    fn decimal_type(self, (p1, s1): (u8, i8), (p2, s2): (u8, i8)) -> Option<DataType> {
        let (whole1, whole2) = (i16::from(p1) - i16::from(s1), i16::from(p2) - i16::from(s2));
        let scale_max = i16::from(s1.max(s2));
        let (precision, scale) = match self {
            BinaryOp::Add | BinaryOp::Subtract => (whole1.max(whole2) + scale_max + 1, scale_max),
            BinaryOp::Multiply => (i16::from(p1) + i16::from(p2) + 1, i16::from(s1) + i16::from(s2)),
            BinaryOp::Divide => {
                let scale = (i16::from(s1) + 4).min(i16::from(DECIMAL128_MAX_PRECISION));
                (whole1 + i16::from(s2) + scale, scale)
            }
            _ => (whole1.min(whole2) + scale_max, scale_max),
        };
        let maximum = i16::from(DECIMAL128_MAX_PRECISION);
        (scale <= maximum).then(|| DataType::Decimal128(precision.clamp(1, maximum) as u8, scale as i8))
    }

    fn temporal_type(self, left: &DataType, right: &DataType) -> Option<DataType> {
        use BinaryOp::{Add, Multiply, Subtract};
        use DataType::*;
        match (self, left, right) {
            (Add | Subtract, Timestamp(..) | Date32 | Time64(_), Interval(_) | Duration(_)) => Some(left.clone()),
            (Add, Interval(_) | Duration(_), Timestamp(..) | Date32 | Time64(_)) => Some(right.clone()),
            (Add | Subtract, Date32, integer) if integer.is_integer() => Some(Date32),
            (Add, integer, Date32) if integer.is_integer() => Some(Date32),
            (Subtract, Date32, Date32) => Some(Int64),
            (Subtract, Timestamp(..), Timestamp(..)) if left == right => Some(Duration(arrow::datatypes::TimeUnit::Microsecond)),
            (Add | Subtract, Interval(_), Interval(_)) | (Add | Subtract, Duration(_), Duration(_)) if left == right => {
                Some(left.clone())
            }
            (Add | Subtract, Interval(_), Duration(_)) => Some(left.clone()),
            (Add | Subtract, Duration(_), Interval(_)) => Some(right.clone()),
            (Multiply, Interval(_), Int64) => Some(left.clone()),
            (Multiply, Int64, Interval(_)) => Some(right.clone()),
            _ => None,
        }
    }
}
