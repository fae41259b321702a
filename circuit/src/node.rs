//! The graph: nodes in topological order, each with an operator, inputs, and what is known of its output.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use deltic_zset::ZBatch;

use crate::frame::WindowCall;
use crate::time::{Closing, EventTime, TimeGrid, TimeSource, Window};
use crate::{AggregateCall, Expr, Recursion};

/// The position of a node in its circuit. Inputs have smaller ids than the nodes that read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// A circuit: what one view (or one query) computes from its sources.
#[derive(Clone, Debug)]
pub struct Circuit {
    /// In topological order: a node's inputs come before it.
    pub nodes: Vec<Node>,
    /// The node whose output is the view.
    pub output: NodeId,
}

/// One operator of a circuit and what is known of its output.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it computes.
    pub operator: Operator,
    /// Where its rows come from, in the order of the operator's ports.
    pub inputs: Vec<NodeId>,
    /// The columns of its output.
    pub schema: SchemaRef,
    /// Further facts about its output.
    pub properties: Properties,
}

/// What the planner proved of the rows on an edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// Sets of columns of which no two rows (and no two copies of one row) agree, NULLs counting as equal.
    pub unique_keys: Vec<Vec<usize>>,
    /// No row is ever retracted: every delta has positive weights only.
    pub append_only: bool,
    /// The sources with event time that the rows depend on, each once, by name. Their least watermark is that of the node.
    pub time_sources: Vec<TimeSource>,
    /// Columns below which nothing changes any more.
    pub event_times: Vec<EventTime>,
    /// Columns that say when a row's window closes, those of the last window first.
    pub closings: Vec<Closing>,
    /// Columns whose times lie on a grid.
    pub grids: Vec<TimeGrid>,
}

/// What a node computes. Each variant has a builder in `deltic-operators` and a meaning in the interpreter.
#[derive(Clone, Debug)]
pub enum Operator {
    /// The rows of a table, a stream or another view.
    Source {
        /// Its name in the catalog (normalised).
        relation: String,
    },
    /// Rows that never change (`VALUES`, a SELECT without FROM).
    Constant {
        /// The rows.
        rows: ZBatch,
    },
    /// Keep the rows for which every predicate is true, then compute the projections (`None`: keep the columns). A row on which a predicate
    /// or projection fails goes to the errors. Linear and stateless.
    MapFilter {
        /// Conjuncts.
        predicates: Vec<Expr>,
        /// The output columns.
        projections: Option<Vec<Expr>>,
    },
    /// The sum of all inputs (`UNION ALL`).
    Union,
    /// The input with every weight negated.
    Negate,
    /// The input arranged by a key, so that several joins can share the state. Its output is its input.
    Index {
        /// Key columns.
        key: Vec<usize>,
    },
    /// Rows of the left input beside matching rows of the right one: columns left, then right; of a semi or anti join the left ones only. Both inputs are
    /// [`Operator::Index`] nodes by the key columns, in the order of `keys`; no keys is a cross join.
    Join {
        /// What happens to rows without a match.
        kind: JoinKind,
        /// Equality conditions.
        keys: Vec<JoinKey>,
        /// A further condition over the columns left + right. For joins that are not inner it decides what a match is. A pair on which it fails goes to
        /// the errors and is no match.
        residual: Option<Expr>,
    },
    /// Each row once, whatever its (positive) weight.
    Distinct,
    /// The rows of two inputs, each as often as `kind` makes of its copies in the left and in the right one. NULLs are equal. The columns are named as those
    /// of the left input.
    SetOperation {
        /// Of how many copies.
        kind: SetOperationKind,
    },
    /// Each row once per place of its longest list: the columns `keep`, then per list its element at that place, NULL where the list is shorter. A NULL is a
    /// list without elements. Linear and stateless.
    Unnest {
        /// The columns of the input that stay.
        keep: Vec<usize>,
        /// List columns of the input; at least one.
        lists: Vec<usize>,
        /// Whether a row without any element stays, once, beside NULLs.
        outer: bool,
        /// Append the place, from 1 (`BIGINT`); NULL where a row stays without an element.
        ordinality: bool,
    },
    /// The rows of the groups that have one row, copies counted. A group with more is an error row.
    MaxOneRow {
        /// Group columns; NULLs are a group.
        group: Vec<usize>,
    },
    /// Groups with aggregates: columns `group`, then one per call. Without group columns there is always exactly one row.
    Aggregate {
        /// Group columns; NULLs are a group.
        group: Vec<usize>,
        /// The aggregates.
        aggregates: Vec<AggregateCall>,
    },
    /// Per partition the rows `offset .. offset + limit`, counted by copies, in a total order (`order`, then the remaining columns ascending, NULLs last).
    TopK {
        /// Partition columns; NULLs are a partition.
        partition: Vec<usize>,
        /// The order.
        order: Vec<SortKey>,
        /// Copies to skip.
        offset: u64,
        /// Copies to keep; `None` is all.
        limit: Option<u64>,
        /// Append the 1-based position in the partition as a last column (type: that of the schema's last field). Copies are then rows of their own.
        with_row_number: bool,
        /// What happens to rows that are equal in the order. Row numbers are for [`Ties::Cut`] only.
        ties: Ties,
    },
    /// Each copy of a row with the results of window functions appended, in order.
    WindowFrame {
        /// Partition columns; NULLs are a partition.
        partition: Vec<usize>,
        /// The order of a partition. Rows that are equal in it are peers; the remaining columns decide how they stand (ascending, NULLs last).
        order: Vec<SortKey>,
        /// The functions; there is at least one. If one fails on a row, the row goes to the errors.
        calls: Vec<WindowCall>,
    },
    /// Each row once per window of fixed size that holds its time, with the columns `window_start` and `window_end` appended
    /// ([`crate::time::bound_type`]). A row with NULL time is in no window; one with a bound out of range goes to the errors. Stateless.
    TimeWindow {
        /// The time column ([`crate::time::is_event_time`]).
        time: usize,
        /// The windows.
        window: Window,
    },
    /// Sessions: two rows of a partition are in one session iff a chain of rows of that partition links them with steps of at most `gap`.
    /// `window_start` is the least time of a session, `window_end` the greatest plus `gap`. A row with NULL time is in no session; one whose time plus `gap` is
    /// out of range goes to the errors.
    Session {
        /// Partition columns; NULLs are a partition.
        partition: Vec<usize>,
        /// The time column.
        time: usize,
        /// The longest step within a session; positive.
        gap: i64,
        /// A partition with more sessions has none, and an error row.
        max_sessions: Option<u64>,
        /// What is shown of each session.
        output: SessionOutput,
    },
    /// The rows that the clause EMIT of a view shows.
    Emit {
        /// Which, and when.
        policy: EmitPolicy,
    },
    /// Rows by the time of the epoch: a row is *in* iff `from <= now` and `now < until`, where a given column is not NULL.
    TemporalFilter {
        /// Column with the first instant at which the row is in (a timestamp); `None`: since ever.
        from: Option<usize>,
        /// Column with the first instant at which it is not in any more; `None`: for ever.
        until: Option<usize>,
        /// What happens to rows that are not in.
        output: TemporalOutput,
    },
    /// Rows of the left input beside the rows of the right one with equal keys and a time in `left time + lower ..= left time + upper`. A NULL time
    /// matches nothing.
    IntervalJoin {
        /// What happens to rows without a match, and what is shown.
        kind: IntervalJoinKind,
        /// Equality conditions; there may be none.
        keys: Vec<JoinKey>,
        /// Time column of the left input.
        left_time: usize,
        /// Time column of the right input, of the same type.
        right_time: usize,
        /// The least `right time - left time`.
        lower: i64,
        /// The greatest `right time - left time`.
        upper: i64,
        /// A further condition over the columns left + right, as in [`Operator::Join`].
        residual: Option<Expr>,
    },
    /// Each row of the left input beside the *one* row of the right input with equal keys whose time is nearest among those that satisfy the
    /// comparison; of several with that time, the first in the order of all right columns (ascending, NULLs last). A NULL time matches nothing.
    AsOfJoin {
        /// `Inner` or `Left`.
        kind: JoinKind,
        /// Equality conditions; there may be none.
        keys: Vec<JoinKey>,
        /// Time column of the left input.
        left_time: usize,
        /// Time column of the right input, of the same type.
        right_time: usize,
        /// `left time .. right time`.
        comparison: AsOfComparison,
    },
    /// Each row of the left input beside the one row of the right input with equal keys *as it is in the epoch in which the left row comes*, with the changes
    /// of that epoch. What the right input becomes later changes nothing, so the output is no function of what the inputs hold but of how they came to it. A
    /// left row that goes takes with it what was shown for it; of copies that came in several epochs, the last ones go first. The right input is an
    /// [`Operator::Index`] by the key columns, in the order of `keys`, and some of them are a unique key of it.
    TemporalLookup {
        /// `Inner` or `Left`.
        kind: JoinKind,
        /// Equality conditions; there may be none.
        keys: Vec<JoinKey>,
        /// A further condition over the columns left + right, as in [`Operator::Join`].
        residual: Option<Expr>,
    },
    /// Relations defined in terms of each other, over the inputs.
    Fixpoint {
        /// The definitions.
        recursion: Arc<Recursion>,
    },
}

/// What a [`Operator::Session`] shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionOutput {
    /// The input's rows, with `window_start` and `window_end` appended.
    Rows,
    /// One row per session: the partition columns, `window_start`, `window_end`, then one column per call. All calls are
    /// [mergeable](AggregateCall::is_mergeable). A call that fails removes the session and makes an error row, as in [`Operator::Aggregate`] grouped by these
    /// columns.
    Aggregates(Vec<AggregateCall>),
}

/// What a view shows of its relation, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EmitPolicy {
    /// The rows whose window is closed at the watermark.
    OnWindowClose(Closing),
    /// The rows whose window is closed at the bound (the watermark less the allowed lateness): they never change.
    Final(Closing),
    /// The relation as it was at the last tick. An epoch is a tick if a multiple of `interval` lies after the time of the last tick and not after its
    /// own; the first epoch is one. Without a watermark there is no tick.
    Every {
        /// Microseconds, or the unit of the event time.
        interval: i64,
        /// By which time.
        ticks: Ticks,
    },
}

/// The time that [`EmitPolicy::Every`] goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ticks {
    /// The time of the epoch.
    Clock,
    /// The watermark.
    Watermark,
}

/// What a [`Operator::TemporalFilter`] does with rows that are not in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TemporalOutput {
    /// They are left out; the columns are those of the input.
    Keep,
    /// All rows are there, with a BOOLEAN column appended that says whether they are in; NULL if a given column is.
    Flag,
}

/// What a [`Operator::IntervalJoin`] does with rows that have (no) match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IntervalJoinKind {
    /// Pairs only.
    Inner,
    /// And left rows without a match beside NULLs.
    Left,
    /// And right rows without a match beside NULLs.
    Right,
    /// And both.
    Full,
    /// Left rows that have a match, once per copy.
    Semi,
    /// Left rows that have none.
    Anti,
}

/// The comparison of a [`Operator::AsOfJoin`]: left time, operator, right time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AsOfComparison {
    /// `>=`: the latest right row that is not after the left one.
    GreaterOrEqual,
    /// `>`
    Greater,
    /// `<=`: the earliest right row that is not before the left one.
    LessOrEqual,
    /// `<`
    Less,
}

/// What a join does with rows that have no match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// Drops them.
    Inner,
    /// Keeps left ones beside NULLs.
    Left,
    /// Keeps right ones beside NULLs.
    Right,
    /// Keeps both.
    Full,
    /// Shows the left rows that have a match, once per copy.
    Semi,
    /// Shows the left rows that have none.
    Anti,
}

impl JoinKind {
    /// Whether the output has the columns of the left input only.
    pub fn is_left_only(self) -> bool {
        matches!(self, JoinKind::Semi | JoinKind::Anti)
    }
}

/// What a [`Operator::TopK`] does with rows that are equal in the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ties {
    /// It counts copies, and cuts among them.
    #[default]
    Cut,
    /// It counts copies, and keeps as well all rows whose order keys are those of the last kept copy (`WITH TIES`, `rank() <= k`).
    Kept,
    /// It counts the groups of equal rows, and keeps each whole (`dense_rank() <= k`). There is a limit and no offset.
    AsOne,
}

/// How many copies of a row a [`Operator::SetOperation`] yields, if there are `l` in the left and `r` in the right input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SetOperationKind {
    /// `EXCEPT`: one if `l > 0` and `r = 0`.
    Except,
    /// `EXCEPT ALL`: `l - r`, or none if that is negative.
    ExceptAll,
    /// `INTERSECT`: one if `l > 0` and `r > 0`.
    Intersect,
    /// `INTERSECT ALL`: the lesser of `l` and `r`.
    IntersectAll,
}

/// One equality condition of a join; both columns have the same type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JoinKey {
    /// Column of the left input.
    pub left: usize,
    /// Column of the right input.
    pub right: usize,
    /// `IS NOT DISTINCT FROM`: NULL matches NULL. Else NULL matches nothing.
    pub null_safe: bool,
}

/// One column of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SortKey {
    /// Column of the input.
    pub column: usize,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

impl Circuit {
    /// The node `id`.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The columns of the result.
    pub fn schema(&self) -> &SchemaRef {
        &self.nodes[self.output.0].schema
    }

    /// Whether the output may change without any change of a source, because time passes.
    pub fn is_timed(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.operator, Operator::Emit { .. } | Operator::TemporalFilter { .. }))
    }

    /// Whether the output depends on the time of the epoch.
    pub fn reads_clock(&self) -> bool {
        self.nodes.iter().any(|node| {
            matches!(
                node.operator,
                Operator::TemporalFilter { .. } | Operator::Emit { policy: EmitPolicy::Every { ticks: Ticks::Clock, .. } }
            )
        })
    }

    /// Whether the output depends on how the sources came to what they hold, not on that alone.
    pub fn depends_on_history(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.operator, Operator::TemporalLookup { .. }))
    }

    /// Whether no operator remembers anything: then each row is worked on by itself, on whatever worker it is.
    pub fn is_stateless(&self) -> bool {
        self.nodes.iter().all(|node| {
            matches!(
                node.operator,
                Operator::Source { .. }
                    | Operator::Constant { .. }
                    | Operator::MapFilter { .. }
                    | Operator::Union
                    | Operator::Negate
                    | Operator::Unnest { .. }
                    | Operator::TimeWindow { .. }
            )
        })
    }

    /// The relations that the circuit reads, each once, in order of first use.
    pub fn sources(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for node in &self.nodes {
            if let Operator::Source { relation } = &node.operator
                && !names.contains(&relation.as_str())
            {
                names.push(relation);
            }
        }
        names
    }
}

/// A shared circuit.
pub type CircuitRef = Arc<Circuit>;
