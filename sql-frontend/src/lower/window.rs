//! Windows, and the aggregates of sessions.
//!
//! An aggregation of whole sessions (by the partition and a bound of the window) needs no rows of its own: the session operator keeps the
//! aggregates of each session, which is far cheaper than a group that every longer session enters anew. That is recognised here, whichever way it
//! was written; an aggregation of anything else over sessions, with DISTINCT, or with what a session does not keep, is one over their rows.

use datafusion_expr::{Aggregate, LogicalPlan};
use deltic_circuit::{AggregateCall, Expr, Window};

use super::aggregate::Calls;
use super::clock::reads_clock;
use super::expr::lower_expression;
use super::piped::{Piped, inner_name};
use super::{Lower, Lowering};
use crate::SqlError;
use crate::error::Code;
use crate::plan::{WindowNode, WindowShape};

/// Sessions below an aggregation.
struct Sessions<'a> {
    node: &'a WindowNode,
    /// Each column of the aggregation's input, over the columns of the sessions.
    columns: Vec<Expr>,
}

impl<'a> Sessions<'a> {
    /// The sessions below `plan`, if only aliases and projections are between.
    fn below(plan: &'a LogicalPlan) -> Lower<Option<Self>> {
        match plan {
            LogicalPlan::SubqueryAlias(alias) => Self::below(&alias.input),
            LogicalPlan::Projection(projection) => {
                let Some(below) = Self::below(&projection.input)? else { return Ok(None) };
                let schema = projection.input.schema();
                let lower = |expr| Ok(lower_expression(expr, schema)?.substitute(&|column| below.columns[column].clone()));
                let columns = projection.expr.iter().map(lower).collect::<Lower<Vec<_>>>()?;
                Ok(Some(Sessions { columns, ..below }))
            }
            plan => match WindowNode::of(plan) {
                Some(node) if matches!(node.shape, WindowShape::Session { .. }) => {
                    let column = |(index, field): (usize, &std::sync::Arc<arrow::datatypes::Field>)| {
                        Ok(Expr::column(index, super::expr::column_type(field.data_type())?))
                    };
                    let columns = plan.schema().fields().iter().enumerate().map(column).collect::<Lower<Vec<_>>>()?;
                    Ok(Some(Sessions { node, columns }))
                }
                _ => Ok(None),
            },
        }
    }

    /// The number of columns below the bounds.
    fn width(&self) -> usize {
        self.node.input.schema().fields().len()
    }
}

impl Lowering {
    pub(super) fn window(&mut self, plan: &LogicalPlan) -> Lower<Piped> {
        let Some(node) = WindowNode::of(plan) else {
            return Err(SqlError::nowhere(Code::Internal, "a plan that is no window"));
        };
        let input = self.piped(&node.input)?;
        let exprs = std::iter::once(&node.time).chain(&node.partition);
        let exprs = exprs.map(|expr| lower_expression(expr, node.input.schema())).collect::<Lower<Vec<_>>>()?;
        let (input, positions, width) = self.with_keys(input, exprs)?;
        let (time, partition) = (positions[0], positions[1..].to_vec());
        let windowed = self.built(|builder| match node.shape {
            WindowShape::Tumble { size, offset } => builder.time_window(input, time, Window::Tumble { size, offset }),
            WindowShape::Hop { slide, size, offset } => builder.time_window(input, time, Window::Hop { slide, size, offset }),
            WindowShape::Cumulate { step, size, offset } => {
                builder.time_window(input, time, Window::Cumulate { step, size, offset })
            }
            WindowShape::Session { gap, max_sessions } => builder.session_rows(input, partition, time, gap, max_sessions),
        })?;
        let node = self.materialise(windowed)?;
        let mut columns = self.columns_of(node);
        // Times and keys that were computed for the window stand between the input's columns and the bounds.
        columns.drain(width..columns.len() - 2);
        Ok(Piped::columns(node, columns))
    }

    /// `aggregate` as the aggregates of sessions, if it is that.
    pub(super) fn session_aggregates(&mut self, aggregate: &Aggregate) -> Lower<Option<Piped>> {
        let Some(sessions) = Sessions::below(&aggregate.input)? else { return Ok(None) };
        let node = sessions.node;
        let WindowShape::Session { gap, max_sessions } = node.shape else { return Ok(None) };
        let calls = Calls::of(aggregate)?;
        let width = sessions.width();
        let schema = aggregate.input.schema();
        let over_sessions = |expr| Ok(lower_expression(expr, schema)?.substitute(&|column| sessions.columns[column].clone()));
        let groups = aggregate.group_expr.iter().map(over_sessions).collect::<Lower<Vec<Expr>>>()?;
        let partition = node.partition.iter().map(|key| lower_expression(key, node.input.schema())).collect::<Lower<Vec<_>>>()?;
        let Some(places) = places(&groups, &partition, width) else { return Ok(None) };
        let mut arguments = calls.arguments.iter().map(|expr| over_sessions(expr)).collect::<Lower<Vec<Expr>>>()?;
        if !calls.are_mergeable() || arguments.iter().any(|argument| reads_bounds(argument, width) || reads_clock(argument)) {
            return Ok(None);
        }
        calls.strip_casts(&mut arguments);
        let time = lower_expression(&node.time, node.input.schema())?;
        let keys = partition.len();
        let exprs: Vec<Expr> = partition.into_iter().chain([time]).chain(arguments).collect();
        let input = self.piped(&node.input)?;
        let (input, positions) = self.narrowed(input, exprs)?;
        let made: Vec<(String, AggregateCall)> = calls.made(&positions[keys + 1..])?;
        let count = made.len();
        let partition = positions[..keys].to_vec();
        let made =
            self.built(|builder| builder.session_aggregates(input, partition, positions[keys], gap, max_sessions, made))?;
        let made = self.materialise(made)?;
        let columns = self.columns_of(made);
        let names = aggregate.schema.fields().iter().map(|field| inner_name(field.name()));
        let places = places.into_iter().chain((0..count).map(|call| keys + 2 + call));
        Ok(Some(Piped::columns(made, names.zip(places).map(|(name, place)| (name, columns[place].1.clone())).collect())))
    }

    /// Only `exprs` (over the rows of `piped`) as columns, equal ones once, and where each is.
    fn narrowed(&mut self, piped: Piped, exprs: Vec<Expr>) -> Lower<(deltic_circuit::NodeId, Vec<usize>)> {
        let mut distinct: Vec<Expr> = Vec::new();
        let mut positions = Vec::with_capacity(exprs.len());
        for expr in exprs {
            let known = distinct.iter().position(|other| *other == expr);
            positions.push(known.unwrap_or_else(|| {
                distinct.push(expr);
                distinct.len() - 1
            }));
        }
        let columns = self.outputs_of(&piped);
        let named = |expr: Expr| match expr.as_column() {
            Some(column) => (columns[column].0.clone(), expr),
            None => ("__argument".to_string(), expr),
        };
        let outputs: Vec<(String, Expr)> = distinct.into_iter().map(named).collect();
        let narrowed = self.over_outputs(piped, outputs)?;
        Ok((self.materialise(narrowed)?, positions))
    }
}

/// Where each group key is among partition, start and end of a session; `None` if the groups are not whole sessions.
fn places(groups: &[Expr], partition: &[Expr], width: usize) -> Option<Vec<usize>> {
    let place = |group: &Expr| match group.as_column() {
        Some(column) if column >= width => Some(partition.len() + column - width),
        _ => partition.iter().position(|key| key == group),
    };
    let places = groups.iter().map(place).collect::<Option<Vec<usize>>>()?;
    let has_bound = places.iter().any(|&place| place >= partition.len());
    // A key that is there twice in the partition is found at its first place.
    let has_keys = partition.iter().all(|key| groups.contains(key));
    (has_bound && has_keys).then_some(places)
}

fn reads_bounds(expr: &Expr, width: usize) -> bool {
    let mut columns = std::collections::BTreeSet::new();
    expr.columns(&mut columns);
    columns.last().is_some_and(|&last| last >= width)
}
