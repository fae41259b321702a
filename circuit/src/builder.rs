//! [`CircuitBuilder`]: circuits node by node, with schemas and properties inferred and equal nodes made once.
//!
//! Hash-consing is by fingerprint, which does not see column names: `SELECT a AS x` and `SELECT a AS y` are one node. So inner names
//! are those of the node made first; the names that users see are given to [`CircuitBuilder::finish`].

use arrow::datatypes::SchemaRef;
use deltic_zset::ZBatch;

use crate::{AggregateCall, Circuit, CircuitError, Expr, JoinKey, JoinKind, NodeId, Operator, Properties, SortKey};

/// Builds a circuit bottom up. Each method adds a node, or finds the equal one, and returns its id.
#[derive(Debug, Default)]
pub struct CircuitBuilder {}

/// The result of a builder's method.
pub type Built<T> = Result<T, CircuitError>;

impl CircuitBuilder {
    /// A circuit without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The columns of a node.
    pub fn schema(&self, id: NodeId) -> &SchemaRef {
        todo!()
    }

    /// What is known of the rows of a node.
    pub fn properties(&self, id: NodeId) -> &Properties {
        todo!()
    }

    /// The rows of a relation.
    pub fn source(&mut self, relation: &str, schema: SchemaRef, properties: Properties) -> NodeId {
        todo!()
    }

    /// Rows that never change.
    pub fn constant(&mut self, rows: ZBatch) -> NodeId {
        todo!()
    }

    /// [`Operator::MapFilter`] that keeps the columns. No predicates is the input itself.
    pub fn filter(&mut self, input: NodeId, predicates: Vec<Expr>) -> Built<NodeId> {
        todo!()
    }

    /// [`Operator::MapFilter`] with named output columns.
    pub fn map_filter(&mut self, input: NodeId, predicates: Vec<Expr>, projections: Vec<(String, Expr)>) -> Built<NodeId> {
        todo!()
    }

    /// `UNION ALL`. The columns are named as those of the first input.
    pub fn union(&mut self, inputs: Vec<NodeId>) -> Built<NodeId> {
        todo!()
    }

    /// The input with negated weights.
    pub fn negate(&mut self, input: NodeId) -> Built<NodeId> {
        todo!()
    }

    /// The input arranged by `key`.
    pub fn index(&mut self, input: NodeId, key: Vec<usize>) -> Built<NodeId> {
        todo!()
    }

    /// A join; adds the [`Operator::Index`] nodes of both sides.
    pub fn join(
        &mut self,
        left: NodeId,
        right: NodeId,
        kind: JoinKind,
        keys: Vec<JoinKey>,
        residual: Option<Expr>,
    ) -> Built<NodeId> {
        todo!()
    }

    /// Each row once. The input itself if it has a unique key.
    pub fn distinct(&mut self, input: NodeId) -> Built<NodeId> {
        todo!()
    }

    /// Groups with aggregates, each with the name of its column. Group columns keep their names.
    pub fn aggregate(&mut self, input: NodeId, group: Vec<usize>, aggregates: Vec<(String, AggregateCall)>) -> Built<NodeId> {
        todo!()
    }

    /// The first rows of each partition; `row_number` names the appended position (of type `BIGINT UNSIGNED`, as DataFusion's
    /// `row_number()`), if it is wanted.
    #[allow(clippy::too_many_arguments, reason = "they are the operator's")]
    pub fn top_k(
        &mut self,
        input: NodeId,
        partition: Vec<usize>,
        order: Vec<SortKey>,
        offset: u64,
        limit: Option<u64>,
        row_number: Option<String>,
    ) -> Built<NodeId> {
        todo!()
    }

    /// Any operator, with the schema that the caller says it has.
    pub fn node(&mut self, operator: Operator, inputs: Vec<NodeId>, schema: SchemaRef) -> Built<NodeId> {
        todo!()
    }

    /// The circuit that computes `output`, with its columns named `names` (`None`: as they are). Nodes that `output` does not need are left out.
    ///
    /// # Errors
    /// If the circuit is invalid ([`crate::validate`]).
    pub fn finish(self, output: NodeId, names: Option<&[String]>) -> Built<Circuit> {
        todo!()
    }
}
