//! What can be asked of an expression without evaluating it: its type, its columns, whether it can fail.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use deltic_zset::types;

use super::{BinaryOp, Expr};

impl Expr {
    /// The type that the expression yields, in its canonical spelling.
    pub fn data_type(&self) -> DataType {
        match self {
            Expr::Literal(value) => canonical(value.data_type()),
            Expr::Column { data_type, .. }
            | Expr::Binary { data_type, .. }
            | Expr::Case { data_type, .. }
            | Expr::Coalesce { data_type, .. }
            | Expr::Cast { data_type, .. } => canonical(data_type.clone()),
            Expr::Negative(input) => input.data_type(),
            Expr::Not(_) | Expr::IsNull(_) | Expr::Like { .. } | Expr::InList { .. } => DataType::Boolean,
            Expr::Function { return_field, .. } => canonical(return_field.data_type().clone()),
        }
    }

    /// The direct operands, in order.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Column { .. } | Expr::Literal(_) => vec![],
            Expr::Binary { left, right, .. } => vec![left, right],
            Expr::Not(input) | Expr::Negative(input) | Expr::IsNull(input) => vec![input],
            Expr::Cast { input, .. } | Expr::InList { input, .. } => vec![input],
            Expr::Like { input, pattern, .. } => vec![input, pattern],
            Expr::Case { branches, otherwise, .. } => {
                let branches = branches.iter().flat_map(|(condition, result)| [condition, result]);
                branches.chain(otherwise.as_deref()).collect()
            }
            Expr::Coalesce { arguments, .. } | Expr::Function { arguments, .. } => arguments.iter().collect(),
        }
    }

    /// The direct operands, in order, to be replaced. Their types must stay what they are.
    pub fn children_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Expr::Column { .. } | Expr::Literal(_) => vec![],
            Expr::Binary { left, right, .. } => vec![left, right],
            Expr::Not(input) | Expr::Negative(input) | Expr::IsNull(input) => vec![input],
            Expr::Cast { input, .. } | Expr::InList { input, .. } => vec![input],
            Expr::Like { input, pattern, .. } => vec![input, pattern],
            Expr::Case { branches, otherwise, .. } => {
                let branches = branches.iter_mut().flat_map(|(condition, result)| [condition, result]);
                branches.chain(otherwise.as_deref_mut()).collect()
            }
            Expr::Coalesce { arguments, .. } | Expr::Function { arguments, .. } => arguments.iter_mut().collect(),
        }
    }

    /// Adds the columns that the expression reads to `into`.
    pub fn columns(&self, into: &mut BTreeSet<usize>) {
        if let Expr::Column { index, .. } = self {
            into.insert(*index);
        }
        for child in self.children() {
            child.columns(into);
        }
    }

    /// The same expression over other positions: column `i` becomes column `position(i)`.
    pub fn remap(&self, position: &impl Fn(usize) -> usize) -> Expr {
        let mut expr = self.clone();
        expr.remap_in_place(position);
        expr
    }

    fn remap_in_place(&mut self, position: &impl Fn(usize) -> usize) {
        if let Expr::Column { index, .. } = self {
            *index = position(*index);
        }
        for child in self.children_mut() {
            child.remap_in_place(position);
        }
    }

    /// The expression with each column replaced by what `definition` says it is: what composes a projection with the one below it.
    pub fn substitute(&self, definition: &impl Fn(usize) -> Expr) -> Expr {
        if let Expr::Column { index, .. } = self {
            return definition(*index);
        }
        let mut expr = self.clone();
        for child in expr.children_mut() {
            *child = child.substitute(definition);
        }
        expr
    }

    /// Whether there may be a row on which the expression is an error. `false` is a proof.
    pub fn can_fail(&self) -> bool {
        let itself = match self {
            Expr::Function { .. } => true,
            Expr::Negative(input) => !input.data_type().is_floating(),
            Expr::Binary { op, left, data_type, .. } => binary_can_fail(*op, &left.data_type(), data_type),
            Expr::Cast { input, data_type, safe } => !safe && !cast_is_total(&input.data_type(), data_type),
            _ => false,
        };
        itself || self.children().into_iter().any(Expr::can_fail)
    }

    /// The literal's value if the expression is a literal.
    pub fn as_literal(&self) -> Option<&datafusion_common::ScalarValue> {
        if let Expr::Literal(value) = self { Some(value) } else { None }
    }

    /// The column's position if the expression is a column.
    pub fn as_column(&self) -> Option<usize> {
        if let Expr::Column { index, .. } = self { Some(*index) } else { None }
    }
}

fn canonical(data_type: DataType) -> DataType {
    types::canonical_type(&data_type).unwrap_or(data_type)
}

fn binary_can_fail(op: BinaryOp, left: &DataType, result: &DataType) -> bool {
    match op {
        _ if op.is_arithmetic() => !(left.is_floating() && result.is_floating()),
        _ => op.is_regex(),
    }
}

/// Whether every value of `from` has a value of `to`: what is not listed may fail.
fn cast_is_total(from: &DataType, to: &DataType) -> bool {
    use DataType::*;
    match (from, to) {
        (from, to) if from == to => true,
        (from, Float32 | Float64) => from.is_numeric(),
        (from, to) if from.is_signed_integer() && to.is_signed_integer() => from.primitive_width() <= to.primitive_width(),
        (from, to) if from.is_unsigned_integer() && to.is_unsigned_integer() => from.primitive_width() <= to.primitive_width(),
        (from, to) if from.is_unsigned_integer() && to.is_signed_integer() => from.primitive_width() < to.primitive_width(),
        (Boolean, to) => to.is_integer() || to == &Utf8,
        (Decimal128(p1, s1), Decimal128(p2, s2)) => {
            s2 >= s1 && i16::from(*p2) - i16::from(*s2) >= i16::from(*p1) - i16::from(*s1)
        }
        (from, Utf8) => from.is_integer() || from.is_floating() || matches!(from, Decimal128(..)),
        _ => false,
    }
}
