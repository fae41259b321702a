//! ORDER BY, LIMIT and DISTINCT ON.
//!
//! With a limit, an order is a TopK. Without one it has no meaning for a multiset: the outermost is kept beside the circuit as the order
//! in which its rows are presented, all others are dropped. Between a limit and its order DataFusion may leave projections that drop
//! the columns ordered by: with a limit these decide which rows are there, and go once they have. A view that is ordered by them is presented in the
//! order of the columns before them; a query that runs once keeps them until it is.

use datafusion_common::DFSchema;
use datafusion_expr::{Expr as PlanExpr, FetchType, Limit, LogicalPlan, Projection, SkipType, Sort, SortExpr};
use deltic_circuit::{Expr, NodeId, SortKey};

use super::expr::lower_expression;
use super::piped::{Piped, inner_name};
use super::{Lower, Lowering};
use crate::SqlError;
use crate::error::Code;
use crate::plan::{DistinctOnNode, TIES};

/// Columns with their names.
type Outputs = Vec<(String, Expr)>;

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
    /// Those between the order and the limit, from the bottom up.
    below: Vec<&'a Projection>,
    bounds: Option<Bounds>,
    /// Those above the limit, if there is one.
    above: Vec<&'a Projection>,
    /// Whether it belongs to a subquery.
    nested: bool,
}

impl<'a> Ordered<'a> {
    /// The order of `plan`'s rows, if there is one at its top.
    fn find(plan: &'a LogicalPlan) -> Lower<Option<Self>> {
        let (mut below, mut above) = (Vec::new(), Vec::new());
        let mut bounds = None;
        let mut nested = false;
        let mut next = plan;
        let source = loop {
            next = match next {
                LogicalPlan::SubqueryAlias(alias) => {
                    nested = true;
                    &alias.input
                }
                LogicalPlan::Projection(projection) => {
                    below.insert(0, projection);
                    &projection.input
                }
                LogicalPlan::Limit(limit) if bounds.is_none() => {
                    bounds = Some(limit_bounds(limit)?);
                    above = std::mem::take(&mut below);
                    &limit.input
                }
                LogicalPlan::Sort(sort) if sort.fetch.is_none() => break Source::Sort(sort),
                plan => match DistinctOnNode::of(plan).filter(|node| !node.order().is_empty()) {
                    Some(node) => break Source::DistinctOn(node),
                    None => return Ok(None),
                },
            };
        };
        Ok(Some(Ordered { source, below, bounds, above, nested }))
    }
}

/// What `projections` make of rows with the columns `outputs`.
fn projected(projections: &[&Projection], mut outputs: Outputs) -> Lower<Outputs> {
    for projection in projections {
        let names = projection.schema.fields().iter().map(|field| inner_name(field.name()));
        let exprs = projection.expr.iter().map(|expr| {
            let expr = lower_expression(expr, projection.input.schema())?;
            Ok(expr.substitute(&|column| outputs[column].1.clone()))
        });
        outputs = names.zip(exprs.collect::<Lower<Vec<_>>>()?).collect();
    }
    Ok(outputs)
}

impl Lowering {
    /// The rows of a whole query, with the order in which they are presented and the number of columns that are there for it only.
    pub(super) fn presented(&mut self, plan: &LogicalPlan) -> Lower<(NodeId, Vec<SortKey>, usize)> {
        let Some(ordered) = Ordered::find(plan)? else { return Ok((self.node(plan)?, vec![], 0)) };
        if let (true, Source::Sort(sort), None) = (self.is_view, ordered.source, ordered.bounds) {
            let (node, order) = self.presented_view(&ordered, sort)?;
            return Ok((node, order, 0));
        }
        let (node, keys, rows) = self.sorted(&ordered)?;
        let mut outputs = projected(&ordered.above, rows)?;
        let columns = self.columns_of(node);
        let visible = outputs.len();
        let mut order: Vec<SortKey> = Vec::with_capacity(keys.len());
        for key in keys {
            let (name, column) = &columns[key.column];
            let shown = outputs.iter().position(|(_, output)| output == column);
            if shown.is_none() && self.is_view {
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

    /// The rows of a view with an order and no limit, which has no say in what they are: keys that are not shown are not computed.
    fn presented_view(&mut self, ordered: &Ordered<'_>, sort: &Sort) -> Lower<(NodeId, Vec<SortKey>)> {
        let input = self.piped(&sort.input)?;
        let exprs: Vec<&PlanExpr> = sort.expr.iter().map(|key| &key.expr).collect();
        let (input, keys) = self.lower_over(input, &exprs, sort.input.schema())?;
        let outputs = projected(&ordered.below, self.outputs_of(&input))?;
        let mut order: Vec<SortKey> = Vec::with_capacity(keys.len());
        for (key, expr) in sort.expr.iter().zip(keys).filter(|(_, expr)| expr.as_literal().is_none()) {
            let Some(column) = outputs.iter().position(|(_, output)| *output == expr) else { break };
            if order.iter().all(|known| known.column != column) {
                order.push(SortKey { column, descending: !key.asc, nulls_first: key.nulls_first });
            }
        }
        let rows = self.only_columns(input, outputs);
        Ok((self.materialise(rows)?, order))
    }

    /// LIMIT and OFFSET anywhere in a query.
    pub(super) fn limit(&mut self, limit: &Limit) -> Lower<Piped> {
        let plan = LogicalPlan::Limit(limit.clone());
        if let Some(ordered) = Ordered::find(&plan)? {
            let (node, _, rows) = self.sorted(&ordered)?;
            return Ok(Piped::columns(node, rows));
        }
        // Without an order, that of the whole row: the result is a function of the input.
        let bounds = limit_bounds(limit)?;
        let input = self.node(&limit.input)?;
        self.top_k(input, vec![], vec![], bounds)
    }

    /// The rows below a Sort, cut to its bounds if it has some. Returns the order over the columns of the node, and the columns of the rows: the others
    /// are there for the order only.
    fn sorted(&mut self, ordered: &Ordered<'_>) -> Lower<(NodeId, Vec<SortKey>, Outputs)> {
        let (node, keys, width) = match ordered.source {
            Source::Sort(sort) => {
                let input = self.piped(&sort.input)?;
                if let Some(picked) = picked(&ordered.below)?.filter(|_| ordered.bounds.is_some()) {
                    return self.limited(ordered, sort, input, &picked);
                }
                let (node, order, width) = self.order_columns(input, &sort.expr, &[], sort.input.schema())?;
                (node, order.keys, width)
            }
            Source::DistinctOn(node) => self.first_of_each(node)?,
        };
        let node = self.cut(node, &keys, ordered.bounds)?;
        let mut columns = self.columns_of(node);
        columns.truncate(width);
        Ok((node, keys, projected(&ordered.below, columns)?))
    }

    /// [`Lowering::sorted`] for a limit whose rows have the columns `picked` of `input` only. The others are dropped before the limit, and the keys that
    /// they make come last: between rows that are equal in the order it is what is shown that decides.
    fn limited(
        &mut self,
        ordered: &Ordered<'_>,
        sort: &Sort,
        input: Piped,
        picked: &[usize],
    ) -> Lower<(NodeId, Vec<SortKey>, Outputs)> {
        let exprs: Vec<&PlanExpr> = sort.expr.iter().map(|key| &key.expr).collect();
        let (input, keys) = self.lower_over(input, &exprs, sort.input.schema())?;
        let outputs = self.outputs_of(&input);
        let rows = picked.iter().map(|&column| outputs[column].clone()).collect();
        let rows = self.only_columns(input, rows);
        let (node, order, width) = self.keyed(rows, &sort.expr, keys)?;
        let node = self.cut(node, &order.keys, ordered.bounds)?;
        let mut columns = self.columns_of(node);
        columns.truncate(width);
        Ok((node, order.keys, columns))
    }

    fn cut(&mut self, node: NodeId, keys: &[SortKey], bounds: Option<Bounds>) -> Lower<NodeId> {
        let Some(bounds) = bounds else { return Ok(node) };
        let top = self.top_k(node, vec![], keys.to_vec(), bounds)?;
        self.materialise(top)
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
        self.keyed(input, order, exprs)
    }

    /// The same for keys that are lowered: `exprs`, first those of `order`, are over the node of `input`.
    fn keyed(&mut self, input: Piped, order: &[SortExpr], exprs: Vec<Expr>) -> Lower<(NodeId, OrderColumns, usize)> {
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

/// The places of the columns that `projections` pick, if they do no more.
fn picked(projections: &[&Projection]) -> Lower<Option<Vec<usize>>> {
    let Some(first) = projections.first() else { return Ok(None) };
    let mut places: Vec<usize> = (0..first.input.schema().fields().len()).collect();
    for projection in projections {
        let schema = projection.input.schema();
        let columns = projection.expr.iter().map(|expr| Ok(lower_expression(expr, schema)?.as_column()));
        match columns.collect::<Lower<Option<Vec<usize>>>>()? {
            Some(columns) => places = columns.into_iter().map(|column| places[column]).collect(),
            None => return Ok(None),
        }
    }
    Ok(Some(places))
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
