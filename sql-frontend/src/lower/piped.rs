//! [`Piped`]: a node with filters and a projection that wait to be made into one MapFilter.

use datafusion_common::DFSchema;
use datafusion_expr::{Expr as PlanExpr, Filter, LogicalPlan, Projection};
use deltic_circuit::{BinaryOp, Expr, NodeId};

use super::clock::reads_clock;
use super::expr::lower_expression;
use super::row_number::Numbered;
use super::{Lower, Lowering, circuit_error};

/// Rows of `node` for which all `predicates` are true, projected to `outputs`.
pub(super) struct Piped {
    pub(super) node: NodeId,
    predicates: Vec<Expr>,
    /// Names and values; `None` is the columns of the node.
    outputs: Option<Vec<(String, Expr)>>,
}

impl Piped {
    pub(super) fn node(node: NodeId) -> Self {
        Piped { node, predicates: vec![], outputs: None }
    }

    pub(super) fn columns(node: NodeId, outputs: Vec<(String, Expr)>) -> Self {
        Piped { node, predicates: vec![], outputs: Some(outputs) }
    }

    /// The filters that wait, over the node.
    pub(super) fn predicates(&self) -> &[Expr] {
        &self.predicates
    }

    /// Whether `expr`, over the outputs, can be moved below the projection without computing anything twice.
    fn passes(&self, expr: &Expr) -> bool {
        let Some(outputs) = &self.outputs else { return true };
        let mut columns = std::collections::BTreeSet::new();
        expr.columns(&mut columns);
        columns.into_iter().all(|column| matches!(outputs[column].1, Expr::Column { .. } | Expr::Literal(_)))
    }

    /// `expr`, over the outputs, as an expression over the node.
    fn below(&self, expr: Expr) -> Expr {
        match &self.outputs {
            None => expr,
            Some(outputs) => expr.substitute(&|column| outputs[column].1.clone()),
        }
    }
}

impl Lowering {
    /// Makes the filters and the projection.
    pub(super) fn materialise(&mut self, piped: Piped) -> Lower<NodeId> {
        if !self.waits(&piped) {
            return Ok(piped.node);
        }
        let built = match piped.outputs {
            Some(outputs) if !self.is_identity(piped.node, &outputs) => {
                self.builder.map_filter(piped.node, piped.predicates, outputs)
            }
            _ => self.builder.filter(piped.node, piped.predicates),
        };
        built.map_err(|error| circuit_error(&error))
    }

    /// Whether something of `piped` is not made yet.
    pub(super) fn waits(&self, piped: &Piped) -> bool {
        let outputs = piped.outputs.as_ref();
        !piped.predicates.is_empty() || outputs.is_some_and(|outputs| !self.is_identity(piped.node, outputs))
    }

    fn is_identity(&self, node: NodeId, outputs: &[(String, Expr)]) -> bool {
        let width = self.builder.schema(node).fields().len();
        outputs.len() == width && outputs.iter().enumerate().all(|(index, (_, expr))| expr.as_column() == Some(index))
    }

    /// Lowers `exprs`, which are over the rows of `piped` (with the columns `schema`), to expressions over its node. Makes the waiting projection
    /// first if one of them needs a column that it computes.
    pub(super) fn lower_over(&mut self, piped: Piped, exprs: &[&PlanExpr], schema: &DFSchema) -> Lower<(Piped, Vec<Expr>)> {
        let lowered = exprs.iter().map(|expr| lower_expression(expr, schema)).collect::<Lower<Vec<_>>>()?;
        self.over(piped, lowered)
    }

    /// The same for `exprs` that are lowered, over the rows of `piped`.
    pub(super) fn over(&mut self, piped: Piped, lowered: Vec<Expr>) -> Lower<(Piped, Vec<Expr>)> {
        if lowered.iter().any(reads_clock) {
            return self.with_flags(piped, lowered);
        }
        let piped = if lowered.iter().all(|expr| piped.passes(expr)) { piped } else { Piped::node(self.materialise(piped)?) };
        let lowered = lowered.into_iter().map(|expr| piped.below(expr)).collect();
        Ok((piped, lowered))
    }

    /// The rows of `piped` with `outputs` (over these rows) as their only columns.
    pub(super) fn over_outputs(&mut self, piped: Piped, outputs: Vec<(String, Expr)>) -> Lower<Piped> {
        let passes = outputs.iter().all(|(_, expr)| piped.passes(expr));
        let piped = if passes { piped } else { Piped::node(self.materialise(piped)?) };
        let outputs = outputs.into_iter().map(|(name, expr)| (name, piped.below(expr))).collect();
        Ok(self.only_columns(piped, outputs))
    }

    /// The outputs of `piped`, spelled out.
    pub(super) fn outputs_of(&self, piped: &Piped) -> Vec<(String, Expr)> {
        match &piped.outputs {
            Some(outputs) => outputs.clone(),
            None => self.columns_of(piped.node),
        }
    }

    /// The columns of a node as outputs.
    pub(super) fn columns_of(&self, node: NodeId) -> Vec<(String, Expr)> {
        let fields = self.builder.schema(node).fields().iter().enumerate();
        fields.map(|(index, field)| (field.name().clone(), Expr::column(index, field.data_type().clone()))).collect()
    }

    /// The rows of `piped` with `exprs` (over its node) among the columns: returns the node, the positions of the expressions, and how
    /// many columns of `piped` come first.
    pub(super) fn with_columns(&mut self, piped: Piped, exprs: Vec<Expr>) -> Lower<(NodeId, Vec<usize>, usize)> {
        let mut outputs = self.outputs_of(&piped);
        let width = outputs.len();
        let mut positions = Vec::with_capacity(exprs.len());
        for expr in exprs {
            let known = outputs.iter().position(|(_, output)| *output == expr);
            positions.push(known.unwrap_or_else(|| {
                outputs.push((format!("__key_{}", outputs.len()), expr));
                outputs.len() - 1
            }));
        }
        let node = self.materialise(Piped { outputs: Some(outputs), ..piped })?;
        Ok((node, positions, width))
    }

    /// [`Lowering::with_columns`] for expressions over the rows of `piped`.
    pub(super) fn with_keys(&mut self, piped: Piped, exprs: Vec<Expr>) -> Lower<(NodeId, Vec<usize>, usize)> {
        let piped = if exprs.iter().all(|expr| piped.passes(expr)) { piped } else { Piped::node(self.materialise(piped)?) };
        let exprs = exprs.into_iter().map(|expr| piped.below(expr)).collect();
        self.with_columns(piped, exprs)
    }

    /// Drops the rows in which one of `columns` is NULL, if that costs no node of its own: a few useless rows in the state of an operator are
    /// cheaper than one, and keep its state the same as that of others who read these rows.
    pub(super) fn without_nulls(&mut self, mut piped: Piped, columns: Vec<Expr>) -> Piped {
        if !self.waits(&piped) {
            return piped;
        }
        for column in columns {
            let column = piped.below(column);
            let nullable = column.as_column().is_some_and(|index| self.builder.schema(piped.node).field(index).is_nullable());
            let predicate = column.is_not_null();
            if nullable && !piped.predicates.contains(&predicate) {
                piped.predicates.push(predicate);
            }
        }
        piped
    }

    /// The rows of `piped` with `exprs` (over its node) as their only columns.
    pub(super) fn only_columns(&mut self, piped: Piped, outputs: Vec<(String, Expr)>) -> Piped {
        Piped { outputs: Some(outputs), ..piped }
    }

    pub(super) fn projection(&mut self, projection: &Projection) -> Lower<Piped> {
        let input = match self.first_rows(projection)? {
            Some(input) => input,
            None => match self.unnested_for(projection)? {
                Some(input) => input,
                None => self.piped(&projection.input)?,
            },
        };
        self.project(input, projection)
    }

    /// `projection` over rows that are lowered already.
    pub(super) fn project(&mut self, input: Piped, projection: &Projection) -> Lower<Piped> {
        let exprs: Vec<&PlanExpr> = projection.expr.iter().collect();
        let (input, exprs) = self.lower_over(input, &exprs, projection.input.schema())?;
        let names = projection.schema.fields().iter().map(|field| inner_name(field.name()));
        Ok(self.only_columns(input, names.zip(exprs).collect()))
    }

    pub(super) fn filter(&mut self, filter: &Filter) -> Lower<Piped> {
        if let Some(numbered) = Numbered::below(&filter.input)?
            && let Some(first_rows) = self.row_number(filter, &numbered, true)?
        {
            return Ok(first_rows);
        }
        let input = self.piped(&filter.input)?;
        self.filter_over(input, &filter.predicate, filter.input.schema())
    }

    pub(super) fn filter_over(&mut self, input: Piped, predicate: &PlanExpr, schema: &DFSchema) -> Lower<Piped> {
        let predicate = lower_expression(predicate, schema)?;
        self.filter_conjuncts(input, vec![predicate])
    }

    /// Adds predicates over the node of `piped`.
    pub(super) fn add_node_predicates(&mut self, piped: &mut Piped, predicates: Vec<Expr>) {
        for conjunct in predicates {
            if !piped.predicates.contains(&conjunct) {
                piped.predicates.push(conjunct);
            }
        }
    }
}

/// A short name for a column of which DataFusion's is the text of its expression. Names inside of a circuit are for readers only.
pub(super) fn inner_name(name: &str) -> String {
    let head = name.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '$' | '.')).next().unwrap_or_default();
    match head.rsplit('.').next() {
        Some(last) if !last.is_empty() => last.to_string(),
        _ => "expression".to_string(),
    }
}

/// The operands of the ANDs at the top of `expr`.
pub(super) fn conjuncts(expr: Expr) -> Vec<Expr> {
    let mut flat = Vec::new();
    let mut pending = vec![expr];
    while let Some(next) = pending.pop() {
        match next {
            Expr::Binary { op: BinaryOp::And, left, right, .. } => pending.extend([*right, *left]),
            other => flat.push(other),
        }
    }
    flat
}

/// What is below the aliases of a plan.
pub(super) fn below_aliases(mut plan: &LogicalPlan) -> &LogicalPlan {
    while let LogicalPlan::SubqueryAlias(alias) = plan {
        plan = &alias.input;
    }
    plan
}
