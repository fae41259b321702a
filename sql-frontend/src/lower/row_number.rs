//! `row_number() OVER (PARTITION BY p ORDER BY o) <= k` as a TopK; `rank() .. <= k` as one that keeps ties and `dense_rank() .. <= k` as one in which ties count as
//! one, with the ranks of what they keep if they are read.
//!
//! The optimiser leaves the predicate on the number right above the window. If nobody reads the number, the operator need not know it,
//! which is far cheaper: a new first row then changes one row of the output instead of k.

use std::collections::BTreeSet;

use datafusion_common::ScalarValue;
use datafusion_expr::expr::WindowFunctionParams;
use datafusion_expr::{Expr as PlanExpr, Filter, LogicalPlan, Projection, Window, WindowFunctionDefinition};
use deltic_circuit::{BinaryOp, Expr, NodeId, Ties};

use super::expr::lower_expression;
use super::piped::{Piped, below_aliases, conjuncts, inner_name};
use super::{Lower, Lowering};

/// A window below a filter, with the columns that the optimiser left of it.
pub(super) struct Numbered<'a> {
    window: &'a Window,
    /// For each column of the filter's input, its place in the window's rows.
    columns: Vec<usize>,
    /// The place of the row number there.
    number: usize,
    /// How a limit on it counts rows that are equal in the order.
    ties: Ties,
}

impl<'a> Numbered<'a> {
    /// The window below `plan`, if only aliases and projections that pick columns are between.
    pub(super) fn below(plan: &'a LogicalPlan) -> Lower<Option<Self>> {
        match plan {
            LogicalPlan::SubqueryAlias(alias) => Self::below(&alias.input),
            LogicalPlan::Window(window) => {
                let [PlanExpr::WindowFunction(function)] = window.window_expr.as_slice() else { return Ok(None) };
                let WindowFunctionDefinition::WindowUDF(udf) = &function.fun else { return Ok(None) };
                let ties = match udf.name() {
                    "row_number" => Ties::Cut,
                    "rank" => Ties::Kept,
                    "dense_rank" => Ties::AsOne,
                    _ => return Ok(None),
                };
                let columns = (0..window.schema.fields().len()).collect();
                let number = window.input.schema().fields().len();
                Ok(Some(Numbered { window, columns, number, ties }))
            }
            LogicalPlan::Projection(projection) => {
                let Some(below) = Self::below(&projection.input)? else { return Ok(None) };
                let schema = projection.input.schema();
                let picked = projection.expr.iter().map(|expr| Ok(lower_expression(expr, schema)?.as_column()));
                let picked: Option<Vec<usize>> = picked.collect::<Lower<_>>()?;
                Ok(picked.map(|picked| {
                    let columns = picked.into_iter().map(|column| below.columns[column]).collect();
                    Numbered { columns, ..below }
                }))
            }
            _ => Ok(None),
        }
    }
}

impl Lowering {
    /// The rows below `projection` if they are first rows of partitions whose number it does not read.
    pub(super) fn first_rows(&mut self, projection: &Projection) -> Lower<Option<Piped>> {
        let LogicalPlan::Filter(filter) = below_aliases(&projection.input) else { return Ok(None) };
        let Some(numbered) = Numbered::below(&filter.input)? else { return Ok(None) };
        let mut read = BTreeSet::new();
        for expr in &projection.expr {
            lower_expression(expr, projection.input.schema())?.columns(&mut read);
        }
        let wanted = read.into_iter().any(|column| numbered.columns[column] == numbered.number);
        self.row_number(filter, &numbered, wanted)
    }

    /// `filter` over a window, if it bounds the number. If the number is not `wanted`, its column is NULL.
    pub(super) fn row_number(&mut self, filter: &Filter, numbered: &Numbered<'_>, wanted: bool) -> Lower<Option<Piped>> {
        let [PlanExpr::WindowFunction(function)] = numbered.window.window_expr.as_slice() else { return Ok(None) };
        let predicate = lower_expression(&filter.predicate, filter.input.schema())?.remap(&|column| numbered.columns[column]);
        let (Some(limit), rest) = split(predicate, numbered) else { return Ok(None) };
        let mut read = BTreeSet::new();
        rest.iter().for_each(|predicate| predicate.columns(&mut read));
        let wanted = wanted || read.contains(&numbered.number);
        let (top, outputs) = self.first_of_partitions(numbered, &function.params, limit, wanted)?;
        let rows = self.filter_conjuncts(Piped::columns(top, outputs.clone()), rest)?;
        Ok(Some(self.only_columns(rows, numbered.columns.iter().map(|&column| outputs[column].clone()).collect())))
    }

    /// The TopK, and the window's columns over it.
    fn first_of_partitions(
        &mut self,
        numbered: &Numbered<'_>,
        params: &WindowFunctionParams,
        limit: u64,
        wanted: bool,
    ) -> Lower<(NodeId, Vec<(String, Expr)>)> {
        let window = numbered.window;
        let input = self.piped(&window.input)?;
        let (node, columns, width) = self.order_columns(input, &params.order_by, &params.partition_by, window.input.schema())?;
        let name = inner_name(window.schema.field(window.input.schema().fields().len()).name());
        if numbered.ties != Ties::Cut {
            let top = self.built(|builder| match numbered.ties {
                Ties::AsOne => builder.top_groups(node, columns.partition, columns.keys, limit),
                _ => builder.top_k_with_ties(node, columns.partition, columns.keys, 0, limit),
            })?;
            let top = self.materialise(top)?;
            if wanted {
                // The rows before a kept one are kept, so ranks among them are ranks among all.
                let ranked = self.window_functions_over(window, top)?;
                return Ok((ranked.node, self.outputs_of(&ranked)));
            }
            let mut outputs = self.columns_of(top);
            outputs.truncate(width);
            outputs.push((name, Expr::Literal(ScalarValue::UInt64(None))));
            return Ok((top, outputs));
        }
        let number = wanted.then(|| name.clone());
        let top = self.built(|builder| builder.top_k(node, columns.partition, columns.keys, 0, Some(limit), number))?;
        let top = self.materialise(top)?;
        let mut outputs = self.columns_of(top);
        let number = wanted.then(|| outputs.pop()).flatten();
        outputs.truncate(width);
        outputs.push(number.unwrap_or_else(|| (name, Expr::Literal(ScalarValue::UInt64(None)))));
        Ok((top, outputs))
    }
}

/// The bound that the conjuncts of `predicate` set to the number, and those that say more.
fn split(predicate: Expr, numbered: &Numbered<'_>) -> (Option<u64>, Vec<Expr>) {
    let mut limit: Option<u64> = None;
    let mut rest = Vec::new();
    let mut at_most = |last: u64| limit = Some(limit.map_or(last, |limit| limit.min(last)));
    for conjunct in conjuncts(predicate) {
        match Bound::of(&conjunct, numbered.number) {
            Some(Bound::Last(last)) => at_most(last),
            Some(Bound::Exactly(place)) => {
                at_most(place);
                if place > 1 {
                    rest.push(conjunct);
                }
            }
            Some(Bound::Always) => {}
            None => rest.push(conjunct),
        }
    }
    (limit, rest)
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
pub(super) fn integer(value: &ScalarValue) -> Option<i128> {
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
