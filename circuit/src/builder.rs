//! [`CircuitBuilder`]: circuits node by node, with schemas and properties inferred and equal nodes made once.
//!
//! Hash-consing is by fingerprint, which does not see column names: `SELECT a AS x` and `SELECT a AS y` are one node. So inner names
//! are those of the node made first; the names that users see are given to [`CircuitBuilder::finish`].

mod recursion;
#[cfg(test)]
mod tests;
mod timed;

pub use recursion::Defined;
pub use timed::TimeMatch;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use deltic_zset::ZBatch;

use crate::fingerprint::node_fingerprint;
use crate::frame::WindowCall;
use crate::validate::validate_node;
use crate::{
    AggregateCall, AggregateFunction, Circuit, CircuitError, Expr, JoinKey, JoinKind, Node, NodeId, Operator, Properties,
    SetOperationKind, SortKey, Ties, derive_properties, operator_label, validate,
};

/// Builds a circuit bottom up. Each method adds a node, or finds the equal one, and returns its id.
///
/// # Panics
/// Every method, if it is given an id of another builder.
#[derive(Debug, Default)]
pub struct CircuitBuilder {
    nodes: Vec<Node>,
    fingerprints: Vec<u128>,
    known: HashMap<u128, NodeId>,
}

/// The result of a builder's method: an error if the node would be invalid.
pub type Built<T> = Result<T, CircuitError>;

impl CircuitBuilder {
    /// A circuit without nodes.
    pub fn new() -> Self {
        Self::default()
    }

    /// A node that was built.
    pub fn get(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The columns of a node.
    pub fn schema(&self, id: NodeId) -> &SchemaRef {
        &self.nodes[id.0].schema
    }

    /// What is known of the rows of a node.
    pub fn properties(&self, id: NodeId) -> &Properties {
        &self.nodes[id.0].properties
    }

    /// Column `index` of a node as an expression.
    pub fn column(&self, id: NodeId, index: usize) -> Expr {
        Expr::column(index, self.schema(id).field(index).data_type().clone())
    }

    /// The rows of a relation.
    pub fn source(&mut self, relation: &str, schema: SchemaRef, properties: Properties) -> NodeId {
        self.insert(Operator::Source { relation: relation.to_owned() }, vec![], schema, Some(properties))
    }

    /// Rows that never change.
    pub fn constant(&mut self, rows: ZBatch) -> NodeId {
        let schema = rows.schema().clone();
        self.insert(Operator::Constant { rows }, vec![], schema, None)
    }

    /// [`Operator::MapFilter`] that keeps the columns. No predicates is the input itself.
    pub fn filter(&mut self, input: NodeId, predicates: Vec<Expr>) -> Built<NodeId> {
        if predicates.is_empty() {
            return Ok(input);
        }
        let schema = self.schema(input).clone();
        self.node(Operator::MapFilter { predicates, projections: None }, vec![input], schema)
    }

    /// [`Operator::MapFilter`] with named output columns.
    pub fn map_filter(&mut self, input: NodeId, predicates: Vec<Expr>, projections: Vec<(String, Expr)>) -> Built<NodeId> {
        let field = |(name, expr): &(String, Expr)| {
            let nullable = match expr.as_column() {
                Some(column) if column < self.schema(input).fields().len() => self.schema(input).field(column).is_nullable(),
                _ => true,
            };
            Field::new(name, expr.data_type(), nullable)
        };
        let schema = Arc::new(Schema::new(projections.iter().map(field).collect::<Vec<_>>()));
        let projections = Some(projections.into_iter().map(|(_, expr)| expr).collect());
        self.node(Operator::MapFilter { predicates, projections }, vec![input], schema)
    }

    /// `UNION ALL`. The columns are named as those of the first input; a column is nullable if it is in any.
    pub fn union(&mut self, inputs: Vec<NodeId>) -> Built<NodeId> {
        let Some(&first) = inputs.first() else { return Err(self.invalid(&Operator::Union, "has no inputs")) };
        let nullable = |column: usize| {
            inputs.iter().any(|&input| self.schema(input).fields().get(column).is_none_or(|field| field.is_nullable()))
        };
        let fields = self.schema(first).fields().iter().enumerate();
        let fields: Vec<FieldRef> =
            fields.map(|(column, field)| Arc::new(field.as_ref().clone().with_nullable(nullable(column))) as FieldRef).collect();
        self.node(Operator::Union, inputs, Arc::new(Schema::new(fields)))
    }

    /// The input with negated weights.
    pub fn negate(&mut self, input: NodeId) -> Built<NodeId> {
        let schema = self.schema(input).clone();
        self.node(Operator::Negate, vec![input], schema)
    }

    /// The input arranged by `key`.
    pub fn index(&mut self, input: NodeId, key: Vec<usize>) -> Built<NodeId> {
        let schema = self.schema(input).clone();
        self.node(Operator::Index { key }, vec![input], schema)
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
        let left = self.index(left, keys.iter().map(|key| key.left).collect())?;
        let right = self.index(right, keys.iter().map(|key| key.right).collect())?;
        let side = |id: NodeId, padded: bool| {
            let fields: Vec<FieldRef> = self.schema(id).fields().iter().cloned().collect();
            fields.into_iter().map(move |field| {
                let nullable = padded || field.is_nullable();
                Arc::new(field.as_ref().clone().with_nullable(nullable)) as FieldRef
            })
        };
        let left_fields = side(left, matches!(kind, JoinKind::Right | JoinKind::Full));
        let right_fields = side(right, matches!(kind, JoinKind::Left | JoinKind::Full));
        let right_fields = right_fields.filter(|_| !kind.is_left_only());
        let schema = Arc::new(Schema::new(left_fields.chain(right_fields).collect::<Vec<_>>()));
        self.node(Operator::Join { kind, keys, residual }, vec![left, right], schema)
    }

    /// Each row once. The input itself if it has a unique key.
    pub fn distinct(&mut self, input: NodeId) -> Built<NodeId> {
        if !self.properties(input).unique_keys.is_empty() {
            return Ok(input);
        }
        let schema = self.schema(input).clone();
        self.node(Operator::Distinct, vec![input], schema)
    }

    /// `EXCEPT` or `INTERSECT`. The columns are named as those of the left input.
    pub fn set_operation(&mut self, left: NodeId, right: NodeId, kind: SetOperationKind) -> Built<NodeId> {
        let both = matches!(kind, SetOperationKind::Intersect | SetOperationKind::IntersectAll);
        let fields = self.schema(left).fields().iter().enumerate().map(|(column, field)| {
            let other = self.schema(right).fields().get(column).is_none_or(|field| field.is_nullable());
            Arc::new(field.as_ref().clone().with_nullable(field.is_nullable() && (other || !both))) as FieldRef
        });
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        self.node(Operator::SetOperation { kind }, vec![left, right], schema)
    }

    /// The rows of `input` once per element of their `lists`, which have the names of the element columns beside them; `ordinality` names the place,
    /// if it is wanted.
    pub fn unnest(
        &mut self,
        input: NodeId,
        keep: Vec<usize>,
        lists: Vec<(String, usize)>,
        outer: bool,
        ordinality: Option<String>,
    ) -> Built<NodeId> {
        let schema = self.schema(input);
        let (names, lists): (Vec<String>, Vec<usize>) = lists.into_iter().unzip();
        let operator = Operator::Unnest { keep: keep.clone(), lists: lists.clone(), outer, ordinality: ordinality.is_some() };
        let width = schema.fields().len();
        if keep.iter().chain(&lists).any(|&column| column >= width) {
            return Err(self.invalid(&operator, "reads a column that its input does not have"));
        }
        let mut fields: Vec<FieldRef> = keep.iter().map(|&column| schema.fields()[column].clone()).collect();
        for (name, &list) in names.iter().zip(&lists) {
            let DataType::List(item) = schema.field(list).data_type() else {
                return Err(self.invalid(&operator, format!("column #{list} is no list")));
            };
            fields.push(Arc::new(Field::new(name, item.data_type().clone(), true)));
        }
        fields.extend(ordinality.map(|name| Arc::new(Field::new(name, DataType::Int64, outer))));
        self.node(operator, vec![input], Arc::new(Schema::new(fields)))
    }

    /// The rows of the groups that have one.
    pub fn max_one_row(&mut self, input: NodeId, group: Vec<usize>) -> Built<NodeId> {
        let schema = self.schema(input).clone();
        self.node(Operator::MaxOneRow { group }, vec![input], schema)
    }

    /// Groups with aggregates, each with the name of its column. Group columns keep their names.
    pub fn aggregate(&mut self, input: NodeId, group: Vec<usize>, aggregates: Vec<(String, AggregateCall)>) -> Built<NodeId> {
        let schema = self.schema(input);
        let operator =
            Operator::Aggregate { group: group.clone(), aggregates: aggregates.iter().map(|(_, call)| call.clone()).collect() };
        if group.iter().any(|&column| column >= schema.fields().len()) {
            return Err(self.invalid(&operator, "groups by a column that its input does not have"));
        }
        let groups = group.iter().map(|&column| schema.fields()[column].clone());
        let calls = aggregates.iter().map(|(name, call)| {
            Arc::new(Field::new(name, call.data_type.clone(), call.function != AggregateFunction::Count)) as FieldRef
        });
        let schema = Arc::new(Schema::new(groups.chain(calls).collect::<Vec<_>>()));
        self.node(operator, vec![input], schema)
    }

    /// The first rows of each partition; `row_number` names the appended position (of type `BIGINT UNSIGNED`, as DataFusion's
    /// `row_number()`), if it is wanted.
    pub fn top_k(
        &mut self,
        input: NodeId,
        partition: Vec<usize>,
        order: Vec<SortKey>,
        offset: u64,
        limit: Option<u64>,
        row_number: Option<String>,
    ) -> Built<NodeId> {
        let mut fields: Vec<FieldRef> = self.schema(input).fields().iter().cloned().collect();
        let with_row_number = row_number.is_some();
        fields.extend(row_number.map(|name| Arc::new(Field::new(name, DataType::UInt64, false))));
        let operator = Operator::TopK { partition, order, offset, limit, with_row_number, ties: Ties::Cut };
        self.node(operator, vec![input], Arc::new(Schema::new(fields)))
    }

    /// The copies `offset .. offset + limit` of each partition, and all rows with the order keys of the last of them.
    pub fn top_k_with_ties(
        &mut self,
        input: NodeId,
        partition: Vec<usize>,
        order: Vec<SortKey>,
        offset: u64,
        limit: u64,
    ) -> Built<NodeId> {
        let operator = Operator::TopK { partition, order, offset, limit: Some(limit), with_row_number: false, ties: Ties::Kept };
        let schema = self.schema(input).clone();
        self.node(operator, vec![input], schema)
    }

    /// The first `limit` groups of rows with equal order keys of each partition.
    pub fn top_groups(&mut self, input: NodeId, partition: Vec<usize>, order: Vec<SortKey>, limit: u64) -> Built<NodeId> {
        let (limit, with_row_number) = (Some(limit), false);
        let operator = Operator::TopK { partition, order, offset: 0, limit, with_row_number, ties: Ties::AsOne };
        let schema = self.schema(input).clone();
        self.node(operator, vec![input], schema)
    }

    /// Each copy of a row with the results of window functions, each with the name of its column.
    pub fn window_frame(
        &mut self,
        input: NodeId,
        partition: Vec<usize>,
        order: Vec<SortKey>,
        calls: Vec<(String, WindowCall)>,
    ) -> Built<NodeId> {
        let columns = calls
            .iter()
            .map(|(name, call)| Arc::new(Field::new(name, call.data_type.clone(), call.function.is_nullable())) as FieldRef);
        let fields: Vec<FieldRef> = self.schema(input).fields().iter().cloned().chain(columns).collect();
        let calls = calls.into_iter().map(|(_, call)| call).collect();
        self.node(Operator::WindowFrame { partition, order, calls }, vec![input], Arc::new(Schema::new(fields)))
    }

    /// Any operator, with the schema that the caller says it has.
    ///
    /// # Errors
    /// If the node does not fit its inputs or its schema.
    pub fn node(&mut self, operator: Operator, inputs: Vec<NodeId>, schema: SchemaRef) -> Built<NodeId> {
        let nodes: Vec<&Node> = inputs.iter().map(|&input| &self.nodes[input.0]).collect();
        validate_node(&operator, &nodes, &schema).map_err(|problem| self.invalid(&operator, problem))?;
        Ok(self.insert(operator, inputs, schema, None))
    }

    fn invalid(&self, operator: &Operator, problem: impl Into<String>) -> CircuitError {
        CircuitError::Invalid { node: self.nodes.len(), operator: operator_label(operator), problem: problem.into() }
    }

    fn insert(&mut self, operator: Operator, inputs: Vec<NodeId>, schema: SchemaRef, known: Option<Properties>) -> NodeId {
        let prints: Vec<u128> = inputs.iter().map(|input| self.fingerprints[input.0]).collect();
        let fingerprint = node_fingerprint(&operator, &prints, &schema);
        if let Some(&id) = self.known.get(&fingerprint) {
            return id;
        }
        let nodes: Vec<&Node> = inputs.iter().map(|&input| &self.nodes[input.0]).collect();
        let properties = known.unwrap_or_else(|| derive_properties(&operator, &nodes, &schema));
        let id = NodeId(self.nodes.len());
        self.nodes.push(Node { operator, inputs, schema, properties });
        self.fingerprints.push(fingerprint);
        self.known.insert(fingerprint, id);
        id
    }

    /// The circuit that computes `output`, with its columns named `names` (`None`: as they are). Nodes that `output` does not need are
    /// left out.
    ///
    /// # Errors
    /// If the circuit is invalid ([`crate::validate`]) or the number of names is not that of the columns.
    pub fn finish(mut self, output: NodeId, names: Option<&[String]>) -> Built<Circuit> {
        if let Some(names) = names {
            self.rename(output, names)?;
        }
        let mut needed = vec![false; self.nodes.len()];
        needed[output.0] = true;
        for position in (0..=output.0).rev() {
            if needed[position] {
                self.nodes[position].inputs.iter().for_each(|input| needed[input.0] = true);
            }
        }
        let mut positions: Vec<NodeId> = Vec::with_capacity(self.nodes.len());
        let mut nodes: Vec<Node> = Vec::new();
        for (mut node, needed) in self.nodes.into_iter().zip(needed) {
            positions.push(NodeId(nodes.len()));
            if needed {
                node.inputs.iter_mut().for_each(|input| *input = positions[input.0]);
                nodes.push(node);
            }
        }
        let circuit = Circuit { nodes, output: positions[output.0] };
        validate(&circuit)?;
        Ok(circuit)
    }

    fn rename(&mut self, output: NodeId, names: &[String]) -> Built<()> {
        let fields = self.schema(output).fields();
        if fields.len() != names.len() {
            return Err(
                self.invalid(&self.nodes[output.0].operator, format!("{} names for {} columns", names.len(), fields.len()))
            );
        }
        let fields = fields.iter().zip(names).map(|(field, name)| field.as_ref().clone().with_name(name));
        self.nodes[output.0].schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(())
    }
}
