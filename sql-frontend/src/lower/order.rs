//! ORDER BY, LIMIT and DISTINCT ON.
//!
//! With a limit, an order is a TopK. Without one it has no meaning for a multiset: the outermost is kept beside the circuit as the order
//! in which its rows are presented, all others are dropped. Between a limit and its order DataFusion may leave projections that drop
//! the columns ordered by.

use datafusion_common::DFSchema;
use datafusion_expr::{Expr as PlanExpr, FetchType, Limit, LogicalPlan, Projection, SkipType, Sort, SortExpr};
use deltic_circuit::{Expr, NodeId, SortKey};

use super::expr::lower_expression;
use super::piped::{Piped, inner_name};
use super::{Lower, Lowering};
use crate::SqlError;
use crate::error::Code;
use crate::plan::{DistinctOnNode, TIES};

/// The copies that LIMIT and OFFSET keep.
#[derive(Clone, Copy)]
struct Bounds {
    offset: u64,
    limit: Option<u64>,
    /// And all rows that are equal in the order to the last of them.
    ties: bool,
}

/// What has an order.
#[derive(Clone, Copy)]
enum Source<'a> {
    Sort(&'a Sort),
    /// Its order is that of the whole query, too.
    DistinctOn(&'a DistinctOnNode),
}

/// Rows in an order, with what stands above them.
struct Ordered<'a> {
    source: Source<'a>,
    /// From the bottom up.
    projections: Vec<&'a Projection>,
    bounds: Option<Bounds>,
    /// Whether it belongs to a subquery.
    nested: bool,
}

impl<'a> Ordered<'a> {
    /// The order of `plan`'s rows, if there is one at its top.
    fn find(plan: &'a LogicalPlan) -> Lower<Option<Self>> {
        let mut projections = Vec::new();
        let mut bounds = None;
        let mut nested = false;
        let mut next = plan;
        loop {
            next = match next {
                LogicalPlan::SubqueryAlias(alias) => {
                    nested = true;
                    &alias.input
                }
                LogicalPlan::Projection(projection) => {
                    projections.insert(0, projection);
                    &projection.input
                }
                LogicalPlan::Limit(limit) if bounds.is_none() => {
                    bounds = Some(limit_bounds(limit)?);
                    &limit.input
                }
                LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                    return Ok(Some(Ordered { source: Source::Sort(sort), projections, bounds, nested }));
                }
                plan => {
                    let node = DistinctOnNode::of(plan).filter(|node| !node.order().is_empty());
                    return Ok(node.map(|node| Ordered { source: Source::DistinctOn(node), projections, bounds, nested }));
                }
            };
        }
    }

    /// The projections above the Sort as outputs over its rows.
    fn project(&self, mut outputs: Vec<(String, Expr)>) -> Lower<Vec<(String, Expr)>> {
        for projection in &self.projections {
            let names = projection.schema.fields().iter().map(|field| inner_name(field.name()));
            let exprs = projection.expr.iter().map(|expr| {
                let expr = lower_expression(expr, projection.input.schema())?;
                Ok(expr.substitute(&|column| outputs[column].1.clone()))
            });
            outputs = names.zip(exprs.collect::<Lower<Vec<_>>>()?).collect();
        }
        Ok(outputs)
    }
}

impl Lowering {
    /// The rows of a whole query, with the order in which they are presented and the number of columns that are there for it only.
    pub(super) fn presented(&mut self, plan: &LogicalPlan) -> Lower<(NodeId, Vec<SortKey>, usize)> {
        let Some(ordered) = Ordered::find(plan)? else { return Ok((self.node(plan)?, vec![], 0)) };
        let (node, keys, width) = self.sorted(&ordered)?;
        let columns = self.columns_of(node);
        let mut outputs = ordered.project(columns[..width].to_vec())?;
        let visible = outputs.len();
        let mut order: Vec<SortKey> = Vec::with_capacity(keys.len());
        for key in keys {
            let (name, column) = &columns[key.column];
            let shown = outputs.iter().position(|(_, output)| output == column);
            // That of DISTINCT ON says which row is the first, too: a view may have it, and shows what it can.
            if shown.is_none() && self.is_view && matches!(ordered.source, Source::DistinctOn(_)) {
                break;
            }
            let place = shown.unwrap_or_else(|| {
                outputs.push((name.clone(), column.clone()));
                outputs.len() - 1
            });
            order.push(SortKey { column: place, ..key });
        }
        let hidden = outputs.len() - visible;
        if hidden > 0 && ordered.nested {
            // The order of a subquery by columns that the query does not have.
            return Ok((self.node(plan)?, vec![], 0));
        }
        Ok((self.materialise(Piped::columns(node, outputs))?, order, hidden))
    }

    /// LIMIT and OFFSET anywhere in a query.
    pub(super) fn limit(&mut self, limit: &Limit) -> Lower<Piped> {
        let plan = LogicalPlan::Limit(limit.clone());
        if let Some(ordered) = Ordered::find(&plan)? {
            let (node, _, width) = self.sorted(&ordered)?;
            let columns = self.columns_of(node);
            return Ok(Piped::columns(node, ordered.project(columns[..width].to_vec())?));
        }
        // Without an order, that of the whole row: the result is a function of the input.
        let bounds = limit_bounds(limit)?;
        let input = self.node(&limit.input)?;
        self.top_k(input, vec![], vec![], bounds)
    }

    /// The rows below a Sort, cut to its bounds if it has some. Returns the order, over columns of which the ones from the number
    /// returned last are there for it only.
    fn sorted(&mut self, ordered: &Ordered<'_>) -> Lower<(NodeId, Vec<SortKey>, usize)> {
        let (node, keys, width) = match ordered.source {
            Source::Sort(sort) => {
                let input = self.piped(&sort.input)?;
                let (node, order, width) = self.order_columns(input, &sort.expr, &[], sort.input.schema())?;
                (node, order.keys, width)
            }
            Source::DistinctOn(node) => self.first_of_each(node)?,
        };
        match ordered.bounds {
            None => Ok((node, keys, width)),
            Some(bounds) => {
                let top = self.top_k(node, vec![], keys.clone(), bounds)?;
                Ok((self.materialise(top)?, keys, width))
            }
        }
    }

    pub(super) fn distinct_on(&mut self, plan: &LogicalPlan) -> Lower<Piped> {
        let Some(node) = DistinctOnNode::of(plan) else {
            return Err(SqlError::nowhere(Code::Internal, "a plan that is no DISTINCT ON"));
        };
        let (node, _, width) = self.first_of_each(node)?;
        let mut columns = self.columns_of(node);
        columns.truncate(width);
        Ok(Piped::columns(node, columns))
    }

    /// The first row of each group of DISTINCT ON, with the order of all of them. Returns how many columns are its own; the others are there for group and
    /// order only. Only columns that are selected decide between rows that are equal in the order.
    fn first_of_each(&mut self, node: &DistinctOnNode) -> Lower<(NodeId, Vec<SortKey>, usize)> {
        let (on, order) = (&node.on, node.order());
        let keys = on.on_expr.iter().chain(order.iter().map(|key| &key.expr));
        let exprs: Vec<&PlanExpr> = on.select_expr.iter().chain(keys).collect();
        let input = self.piped(&on.input)?;
        let (input, mut exprs) = self.lower_over(input, &exprs, on.input.schema())?;
        let width = on.select_expr.len();
        let keys = exprs.split_off(width);
        let constants: Vec<bool> = keys.iter().map(|key| key.as_literal().is_some()).collect();
        let names = on.schema.fields().iter().map(|field| inner_name(field.name()));
        let selected = self.only_columns(input, names.zip(exprs).collect());
        let (rows, positions, _) = self.with_columns(selected, keys)?;
        let (partition, order_columns) = positions.split_at(on.on_expr.len());
        let mut keys: Vec<SortKey> = Vec::new();
        for ((key, &column), _) in
            order.iter().zip(order_columns).zip(&constants[partition.len()..]).filter(|(_, constant)| !**constant)
        {
            if keys.iter().all(|known| known.column != column) {
                keys.push(SortKey { column, descending: !key.asc, nulls_first: key.nulls_first });
            }
        }
        let within = keys.iter().copied().filter(|key| !partition.contains(&key.column)).collect();
        let bounds = Bounds { offset: 0, limit: Some(1), ties: false };
        let top = self.top_k(rows, partition.to_vec(), within, bounds)?;
        // There is one row of each group: the keys of the groups order them all.
        keys.retain(|key| partition.contains(&key.column));
        Ok((self.materialise(top)?, keys, width))
    }

    fn top_k(&mut self, input: NodeId, partition: Vec<usize>, order: Vec<SortKey>, bounds: Bounds) -> Lower<Piped> {
        if bounds.offset == 0 && bounds.limit.is_none() {
            return Ok(Piped::node(input));
        }
        match bounds {
            Bounds { offset, limit: Some(limit), ties: true } => {
                self.built(|builder| builder.top_k_with_ties(input, partition, order, offset, limit))
            }
            Bounds { offset, limit, .. } => self.built(|builder| builder.top_k(input, partition, order, offset, limit, None)),
        }
    }

    /// The rows of `input` with columns for the sort keys and the partition. Returns how many columns were there before, too.
    pub(super) fn order_columns(
        &mut self,
        input: Piped,
        order: &[SortExpr],
        partition: &[PlanExpr],
        schema: &DFSchema,
    ) -> Lower<(NodeId, OrderColumns, usize)> {
        let exprs: Vec<&PlanExpr> = order.iter().map(|key| &key.expr).chain(partition).collect();
        let (input, exprs) = self.lower_over(input, &exprs, schema)?;
        let constants: Vec<bool> = exprs.iter().map(|expr| expr.as_literal().is_some()).collect();
        let (node, positions, width) = self.with_columns(input, exprs)?;
        let mut keys: Vec<SortKey> = Vec::new();
        for ((key, &column), _) in order.iter().zip(&positions).zip(&constants).filter(|(_, constant)| !**constant) {
            if keys.iter().all(|known| known.column != column) {
                keys.push(SortKey { column, descending: !key.asc, nulls_first: key.nulls_first });
            }
        }
        let partition = positions[order.len()..].to_vec();
        Ok((node, OrderColumns { keys, partition }, width))
    }
}

/// Where the keys of an order and of a partition are.
pub(super) struct OrderColumns {
    pub(super) keys: Vec<SortKey>,
    pub(super) partition: Vec<usize>,
}

fn limit_bounds(limit: &Limit) -> Lower<Bounds> {
    let not_literal = || SqlError::nowhere(Code::Query, "LIMIT and OFFSET must be whole numbers");
    let offset = match limit.get_skip_type().map_err(|_| not_literal())? {
        SkipType::Literal(offset) => offset as u64,
        SkipType::UnsupportedExpr => return Err(not_literal()),
    };
    let limit = match limit.get_fetch_type().map_err(|_| not_literal())? {
        FetchType::Literal(limit) => limit.map(|limit| limit as u64),
        FetchType::UnsupportedExpr => return Err(not_literal()),
    };
    match limit {
        Some(limit) if limit >= TIES => Ok(Bounds { offset, limit: Some(limit - TIES), ties: true }),
        limit => Ok(Bounds { offset, limit, ties: false }),
    }
}
