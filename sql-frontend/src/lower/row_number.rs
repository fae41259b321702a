//! `row_number() OVER (PARTITION BY p ORDER BY o) <= k` as a TopK.
//!
//! The optimiser leaves the predicate on the number right above the window. If nobody reads the number, the operator need not know it,
//! which is far cheaper: a new first row then changes one row of the output instead of k.

use datafusion_common::ScalarValue;
use datafusion_expr::{Expr as PlanExpr, Filter, LogicalPlan, Projection, Window, WindowFunctionDefinition};
use deltic_circuit::{BinaryOp, Expr};

use super::expr::lower_expression;
use super::piped::{Piped, below_aliases, conjuncts};
use super::{Lower, Lowering};
use crate::SqlError;
use crate::error::Code;

/// The window right below a filter.
pub(super) fn window_below(plan: &LogicalPlan) -> Option<&Window> {
    match below_aliases(plan) {
        LogicalPlan::Window(window) => Some(window),
        _ => None,
    }
}

impl Lowering {
    /// The rows below `projection` if they are first rows of partitions whose number it does not read.
    pub(super) fn first_rows(&mut self, projection: &Projection) -> Lower<Option<Piped>> {
        let LogicalPlan::Filter(filter) = below_aliases(&projection.input) else { return Ok(None) };
        let Some(window) = window_below(&filter.input) else { return Ok(None) };
        let number = window.input.schema().fields().len();
        let mut read = std::collections::BTreeSet::new();
        for expr in &projection.expr {
            lower_expression(expr, projection.input.schema())?.columns(&mut read);
        }
        self.row_number(filter, window, read.contains(&number)).map(Some)
    }

    /// `filter` over `window`; the last column, the number, may be missing if it is not `wanted`.
    pub(super) fn row_number(&mut self, filter: &Filter, window: &Window, wanted: bool) -> Lower<Piped> {
        let [PlanExpr::WindowFunction(function)] = window.window_expr.as_slice() else {
            return Err(SqlError::nowhere(Code::Unsupported, "several window functions in one query are not supported"));
        };
        let is_row_number = matches!(&function.fun, WindowFunctionDefinition::WindowUDF(udf) if udf.name() == "row_number");
        let params = &function.params;
        if !is_row_number || params.filter.is_some() || params.distinct || params.null_treatment.is_some() {
            return Err(SqlError::nowhere(Code::Unsupported, format!("the window function {} is not supported", function.fun)));
        }
        let number = window.input.schema().fields().len();
        let mut limit: Option<u64> = None;
        let mut rest = Vec::new();
        for conjunct in conjuncts(lower_expression(&filter.predicate, filter.input.schema())?) {
            match Bound::of(&conjunct, number) {
                Some(Bound::Last(last)) => limit = Some(limit.map_or(last, |limit| limit.min(last))),
                Some(Bound::Exactly(1)) => limit = Some(limit.map_or(1, |limit| limit.min(1))),
                Some(Bound::Exactly(place)) => {
                    limit = Some(limit.map_or(place, |limit| limit.min(place)));
                    rest.push(conjunct);
                }
                Some(Bound::Always) => {}
                None => rest.push(conjunct),
            }
        }
        let Some(limit) = limit else {
            let error = SqlError::nowhere(Code::Unsupported, "row_number() is not supported without an upper bound on it");
            return Err(error.with_hint("keep its first rows: WHERE n <= 10"));
        };
        let mut read = std::collections::BTreeSet::new();
        rest.iter().for_each(|predicate| predicate.columns(&mut read));
        let wanted = wanted || read.contains(&number);
        let rows = self.first_of_partitions(window, params, limit, wanted)?;
        Ok(self.add_predicates(rows, rest))
    }

    fn first_of_partitions(
        &mut self,
        window: &Window,
        params: &datafusion_expr::expr::WindowFunctionParams,
        limit: u64,
        wanted: bool,
    ) -> Lower<Piped> {
        let input = self.piped(&window.input)?;
        let (node, columns, width) = self.order_columns(input, &params.order_by, &params.partition_by, window.input.schema())?;
        let name = window.schema.field(window.input.schema().fields().len()).name().clone();
        let name = wanted.then_some(name);
        let top = self.built(|builder| builder.top_k(node, columns.partition, columns.keys, 0, Some(limit), name))?;
        let top = self.materialise(top)?;
        let mut outputs = self.columns_of(top);
        let number = wanted.then(|| outputs.pop()).flatten();
        outputs.truncate(width);
        outputs.extend(number);
        Ok(Piped::columns(top, outputs))
    }
}

/// What a conjunct says of the row number.
enum Bound {
    /// It is at most this.
    Last(u64),
    /// It is this.
    Exactly(u64),
    /// Nothing: it is at least one in any case.
    Always,
}

impl Bound {
    fn of(conjunct: &Expr, number: usize) -> Option<Bound> {
        let Expr::Binary { op, left, right, .. } = conjunct else { return None };
        let (op, constant) = if is_number(left, number) {
            (*op, integer(right.as_literal()?)?)
        } else if is_number(right, number) {
            (mirrored(*op)?, integer(left.as_literal()?)?)
        } else {
            return None;
        };
        let at_most = |last: i128| Bound::Last(u64::try_from(last.max(0)).unwrap_or(u64::MAX));
        match op {
            BinaryOp::LessOrEqual => Some(at_most(constant)),
            BinaryOp::Less => Some(at_most(constant - 1)),
            BinaryOp::Equal if constant < 1 => Some(Bound::Last(0)),
            BinaryOp::Equal => Some(Bound::Exactly(u64::try_from(constant).unwrap_or(u64::MAX))),
            BinaryOp::GreaterOrEqual if constant <= 1 => Some(Bound::Always),
            BinaryOp::Greater if constant < 1 => Some(Bound::Always),
            _ => None,
        }
    }
}

fn is_number(expr: &Expr, number: usize) -> bool {
    match expr {
        Expr::Cast { input, data_type, .. } if data_type.is_numeric() => is_number(input, number),
        expr => expr.as_column() == Some(number),
    }
}

fn mirrored(op: BinaryOp) -> Option<BinaryOp> {
    match op {
        BinaryOp::Less => Some(BinaryOp::Greater),
        BinaryOp::LessOrEqual => Some(BinaryOp::GreaterOrEqual),
        BinaryOp::Greater => Some(BinaryOp::Less),
        BinaryOp::GreaterOrEqual => Some(BinaryOp::LessOrEqual),
        BinaryOp::Equal => Some(op),
        _ => None,
    }
}

/// The whole number that a literal is.
fn integer(value: &ScalarValue) -> Option<i128> {
    match value {
        ScalarValue::Decimal128(Some(value), _, scale) => {
            let unit = 10i128.checked_pow(u32::try_from(*scale).ok()?)?;
            (value % unit == 0).then_some(value / unit)
        }
        ScalarValue::UInt64(value) => value.map(i128::from),
        value if value.data_type().is_integer() => match value.cast_to(&arrow::datatypes::DataType::Int64) {
            Ok(ScalarValue::Int64(value)) => value.map(i128::from),
            _ => None,
        },
        _ => None,
    }
}
