//! The graph: nodes in topological order, each with an operator, inputs, and what is known of its output.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use deltic_zset::ZBatch;

use crate::Expr;

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
    /// Rows of the left input beside matching rows of the right one: columns left, then right. Both inputs are [`Operator::Index`] nodes by the key columns,
    /// in the order of `keys`; no keys is a cross join.
    Join {
        /// What happens to rows without a match.
        kind: JoinKind,
        /// Equality conditions.
        keys: Vec<JoinKey>,
        /// A further condition over the columns left + right. For outer joins it decides what a match is. A pair on which it fails goes to the errors
        /// and is no match.
        residual: Option<Expr>,
    },
    /// Each row once, whatever its (positive) weight.
    Distinct,
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
    },
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

/// An aggregate function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub enum AggregateFunction {
    /// Rows (no argument) or non-NULL arguments.
    Count,
    /// Exact; a sum that does not fit the output type is an error row of the group. NULL without non-NULL arguments.
    Sum,
    /// Exact sum divided by the count, rounded once. NULL without non-NULL arguments.
    Avg,
    Min,
    Max,
}

/// One aggregate of an [`Operator::Aggregate`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AggregateCall {
    /// The function.
    pub function: AggregateFunction,
    /// Column of the input; `None` for `count(*)`.
    pub argument: Option<usize>,
    /// Whether equal arguments count once.
    pub distinct: bool,
    /// A boolean column of the input: rows where it is not true do not take part.
    pub filter: Option<usize>,
    /// Type of the result.
    pub data_type: DataType,
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
