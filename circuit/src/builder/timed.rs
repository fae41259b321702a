//! Nodes of time.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};

use super::{Built, CircuitBuilder};
use crate::time::bound_type;
use crate::{
    AggregateCall, AggregateFunction, AsOfComparison, EmitPolicy, Expr, IntervalJoinKind, JoinKey, JoinKind, NodeId, Operator,
    SessionOutput, TemporalOutput, Window,
};

/// The columns that are matched by time: key columns and times of an interval or as-of join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeMatch {
    /// Equality conditions.
    pub keys: Vec<JoinKey>,
    /// Time column of the left input.
    pub left_time: usize,
    /// Time column of the right input.
    pub right_time: usize,
}

impl CircuitBuilder {
    /// Appends `window_start` and `window_end`, once per window of `time`.
    pub fn time_window(&mut self, input: NodeId, time: usize, window: Window) -> Built<NodeId> {
        let fields = self.schema(input).fields().iter().cloned();
        let fields: Vec<FieldRef> = fields.chain(self.bounds(input, time)).collect();
        self.node(Operator::TimeWindow { time, window }, vec![input], Arc::new(Schema::new(fields)))
    }

    /// The rows with the bounds of their sessions.
    pub fn session_rows(
        &mut self,
        input: NodeId,
        partition: Vec<usize>,
        time: usize,
        gap: i64,
        max_sessions: Option<u64>,
    ) -> Built<NodeId> {
        let fields = self.schema(input).fields().iter().cloned();
        let fields: Vec<FieldRef> = fields.chain(self.bounds(input, time)).collect();
        let operator = Operator::Session { partition, time, gap, max_sessions, output: SessionOutput::Rows };
        self.node(operator, vec![input], Arc::new(Schema::new(fields)))
    }

    /// One row per session: partition columns, `window_start`, `window_end`, aggregates with their names.
    pub fn session_aggregates(
        &mut self,
        input: NodeId,
        partition: Vec<usize>,
        time: usize,
        gap: i64,
        max_sessions: Option<u64>,
        aggregates: Vec<(String, AggregateCall)>,
    ) -> Built<NodeId> {
        let columns = self.schema(input).fields();
        let keys: Vec<FieldRef> = partition.iter().filter_map(|&column| columns.get(column).cloned()).collect();
        let calls = aggregates.iter().map(|(name, call)| {
            Arc::new(Field::new(name, call.data_type.clone(), call.function != AggregateFunction::Count)) as FieldRef
        });
        let fields: Vec<FieldRef> = keys.into_iter().chain(self.bounds(input, time)).chain(calls).collect();
        let output = SessionOutput::Aggregates(aggregates.iter().map(|(_, call)| call.clone()).collect());
        let operator = Operator::Session { partition, time, gap, max_sessions, output };
        self.node(operator, vec![input], Arc::new(Schema::new(fields)))
    }

    /// What EMIT shows of the rows.
    pub fn emit(&mut self, input: NodeId, policy: EmitPolicy) -> Built<NodeId> {
        let schema = self.schema(input).clone();
        self.node(Operator::Emit { policy }, vec![input], schema)
    }

    /// The rows that are in at the time of the epoch.
    pub fn temporal_filter(&mut self, input: NodeId, from: Option<usize>, until: Option<usize>) -> Built<NodeId> {
        let schema = self.schema(input).clone();
        self.node(Operator::TemporalFilter { from, until, output: TemporalOutput::Keep }, vec![input], schema)
    }

    /// All rows, with a column that says whether they are in.
    pub fn temporal_flag(&mut self, input: NodeId, from: Option<usize>, until: Option<usize>, name: &str) -> Built<NodeId> {
        let flag: FieldRef = Arc::new(Field::new(name, DataType::Boolean, true));
        let fields: Vec<FieldRef> = self.schema(input).fields().iter().cloned().chain([flag]).collect();
        let operator = Operator::TemporalFilter { from, until, output: TemporalOutput::Flag };
        self.node(operator, vec![input], Arc::new(Schema::new(fields)))
    }

    /// Rows beside those with equal keys and `right time - left time` in `range` (both ends included).
    pub fn interval_join(
        &mut self,
        inputs: [NodeId; 2],
        kind: IntervalJoinKind,
        on: TimeMatch,
        range: (i64, i64),
        residual: Option<Expr>,
    ) -> Built<NodeId> {
        let padded = [
            matches!(kind, IntervalJoinKind::Right | IntervalJoinKind::Full),
            matches!(kind, IntervalJoinKind::Left | IntervalJoinKind::Full),
        ];
        let left_only = matches!(kind, IntervalJoinKind::Semi | IntervalJoinKind::Anti);
        let fields = self.beside(&inputs[..if left_only { 1 } else { 2 }], padded);
        let TimeMatch { keys, left_time, right_time } = on;
        let operator = Operator::IntervalJoin { kind, keys, left_time, right_time, lower: range.0, upper: range.1, residual };
        self.node(operator, inputs.to_vec(), Arc::new(Schema::new(fields)))
    }

    /// Left rows beside the nearest right row.
    pub fn as_of_join(
        &mut self,
        inputs: [NodeId; 2],
        kind: JoinKind,
        on: TimeMatch,
        comparison: AsOfComparison,
    ) -> Built<NodeId> {
        let fields = self.beside(&inputs, [false, kind == JoinKind::Left]);
        let TimeMatch { keys, left_time, right_time } = on;
        let operator = Operator::AsOfJoin { kind, keys, left_time, right_time, comparison };
        self.node(operator, inputs.to_vec(), Arc::new(Schema::new(fields)))
    }

    /// Left rows beside the right row of their key as it is when they come. The right input gets an index if it has none.
    pub fn temporal_lookup(
        &mut self,
        inputs: [NodeId; 2],
        kind: JoinKind,
        keys: Vec<JoinKey>,
        residual: Option<Expr>,
    ) -> Built<NodeId> {
        let fields = self.beside(&inputs, [false, kind == JoinKind::Left]);
        let right = self.index(inputs[1], keys.iter().map(|key| key.right).collect())?;
        let operator = Operator::TemporalLookup { kind, keys, residual };
        self.node(operator, vec![inputs[0], right], Arc::new(Schema::new(fields)))
    }

    /// The two columns that windows of column `time` append.
    fn bounds(&self, input: NodeId, time: usize) -> Vec<FieldRef> {
        let Some(time) = self.schema(input).fields().get(time) else { return Vec::new() };
        let bound = bound_type(time.data_type());
        ["window_start", "window_end"].map(|name| Arc::new(Field::new(name, bound.clone(), false)) as FieldRef).to_vec()
    }

    fn beside(&self, inputs: &[NodeId], padded: [bool; 2]) -> Vec<FieldRef> {
        let side = |(&id, padded): (&NodeId, bool)| {
            self.schema(id).fields().iter().map(move |field| {
                let nullable = padded || field.is_nullable();
                Arc::new(field.as_ref().clone().with_nullable(nullable)) as FieldRef
            })
        };
        inputs.iter().zip(padded).flat_map(side).collect()
    }
}
