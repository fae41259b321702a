//! Scalar expressions over the columns of one row.
//!
//! An expression is a pure function of the row (volatile functions never get here) that yields a value or an *error*.
//! Errors are values: `false AND error` is `false` on either side, `CASE` has the errors of the branch it takes only, a
//! strict function of an error is that error. So whether a row fails depends on the row alone: not on the batch it
//! came in, and not on the order in which an optimiser put the conjuncts. That is what makes a deletion retract
//! exactly what the insertion produced.

mod build;
mod display;
mod inspect;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion_common::ScalarValue;
use datafusion_expr::ScalarUDF;

/// A scalar expression. Types are resolved: every node knows the type it yields.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expr {
    /// Column `index` of the input.
    Column {
        /// Position in the input.
        index: usize,
        /// Its type.
        data_type: DataType,
    },
    /// A constant.
    Literal(ScalarValue),
    /// `left op right`; both sides already have the types that the operator wants.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expr>,
        /// Right operand.
        right: Box<Expr>,
        /// Type of the result.
        data_type: DataType,
    },
    /// `NOT e`, three-valued.
    Not(Box<Expr>),
    /// `- e`; overflow is an error.
    Negative(Box<Expr>),
    /// `e IS NULL`; an error stays an error.
    IsNull(Box<Expr>),
    /// `CASE WHEN c1 THEN r1 .. ELSE e END` (a simple CASE is lowered to this form).
    Case {
        /// Conditions with their results, tried in order.
        branches: Vec<(Expr, Expr)>,
        /// The result if no condition is true; NULL if absent.
        otherwise: Option<Box<Expr>>,
        /// Type of the result.
        data_type: DataType,
    },
    /// The first argument that is not NULL; later ones are not evaluated.
    Coalesce {
        /// The candidates.
        arguments: Vec<Expr>,
        /// Type of the result.
        data_type: DataType,
    },
    /// `CAST(e AS t)`, or `TRY_CAST` (NULL where CAST is an error).
    Cast {
        /// What is cast.
        input: Box<Expr>,
        /// The target type.
        data_type: DataType,
        /// Whether a failure is NULL (TRY_CAST) and not an error.
        safe: bool,
    },
    /// `e LIKE pattern` and its kin.
    Like {
        /// The string.
        input: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
        /// `NOT LIKE`.
        negated: bool,
        /// `ILIKE`.
        case_insensitive: bool,
    },
    /// `e IN (literals)`, three-valued. The list has no NULL; `list_has_null` says whether it had.
    InList {
        /// What is looked up.
        input: Box<Expr>,
        /// The distinct, non-NULL literals.
        list: Vec<ScalarValue>,
        /// Whether NULL was among them.
        list_has_null: bool,
        /// `NOT IN`.
        negated: bool,
    },
    /// A scalar function.
    Function {
        /// DataFusion's function; immutable.
        function: Arc<ScalarUDF>,
        /// The arguments, already coerced.
        arguments: Vec<Expr>,
        /// The field that the function itself returns; its type may be another spelling (`Utf8View`) of [`Expr::data_type`].
        return_field: FieldRef,
    },
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are the operators")]
pub enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    IsDistinctFrom,
    IsNotDistinctFrom,
    And,
    Or,
    BitAnd,
    BitOr,
    BitXor,
    ShiftLeft,
    ShiftRight,
    Concat,
    RegexMatch,
    RegexIMatch,
    RegexNotMatch,
    RegexNotIMatch,
}
