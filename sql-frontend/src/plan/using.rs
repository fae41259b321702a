//! USING and NATURAL.
//!
//! The columns that such a join names are merged into one, the first of its rows: of an inner or left join that of the left side, of a right join that of
//! the right side, of a full join whichever is there. DataFusion keeps both, and picks one of them for `*` by the names of the relations; so these
//! joins are put into parentheses of their own before binding, and planned here when the binder comes to them.
//!
//! What a relation itself has in a merged column can still be named: then its column is kept beside the merged one under an internal name
//! ([`keep_hidden`]).

use std::ops::ControlFlow;

use datafusion_common::{Column, Result, ScalarValue, TableReference, plan_err};
use datafusion_expr::expr::{Alias, ScalarFunction};
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_expr::{Expr as PlanExpr, JoinType, LogicalPlan, LogicalPlanBuilder};
use sqlparser::ast::*;

use super::functions::FUNCTIONS;
use crate::parser::fold;

/// What the internal name of a kept column begins with. The relation and the column follow.
pub(super) const KEPT: &str = "__kept.";
/// Stands in the list of a NATURAL join, which has kept columns only.
const NATURAL: &str = "__natural";

/// Whether `join` merges columns.
pub(super) fn merges(join: &Join) -> bool {
    merging(&join.join_operator)
        .is_some_and(|(_, constraint)| matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural))
}

fn merging(operator: &JoinOperator) -> Option<(JoinType, &JoinConstraint)> {
    match operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => Some((JoinType::Inner, constraint)),
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => Some((JoinType::Left, constraint)),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => Some((JoinType::Right, constraint)),
        JoinOperator::FullOuter(constraint) => Some((JoinType::Full, constraint)),
        _ => None,
    }
}

fn merging_mut(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => Some(constraint),
        _ => None,
    }
}

/// Plans them.
#[derive(Debug)]
pub(crate) struct MergingJoins;

impl RelationPlanner for MergingJoins {
    fn plan_relation(&self, relation: TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let TableFactor::NestedJoin { table_with_joins, alias } = &relation else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let ([join], true) = (table_with_joins.joins.as_slice(), table_with_joins.joins.iter().all(merges)) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let Some((join_type, constraint)) = merging(&join.join_operator) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let left = context.plan(table_with_joins.relation.clone())?;
        let right = context.plan(join.relation.clone())?;
        let plan = merged(left, right, join_type, constraint)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}

fn merged(left: LogicalPlan, right: LogicalPlan, join_type: JoinType, constraint: &JoinConstraint) -> Result<LogicalPlan> {
    let (names, kept) = names(&left, &right, constraint)?;
    let column = |side: &LogicalPlan, name: &str| -> Result<Column> {
        let (table, field) = side.schema().qualified_field_with_unqualified_name(name)?;
        Ok(Column::from((table, field)))
    };
    let mut pairs = Vec::with_capacity(names.len());
    for name in &names {
        pairs.push((column(&left, name)?, column(&right, name)?));
    }
    let mut outputs = Vec::new();
    for ((left, right), name) in pairs.iter().zip(&names) {
        outputs.push(match join_type {
            JoinType::Right => PlanExpr::Column(right.clone()),
            // It is of neither side, and yet not of none: a column without a relation stands beside no other of its name.
            JoinType::Full => {
                let of = |column: &Column| column.relation.as_ref().map(ToString::to_string).unwrap_or_default();
                let table = TableReference::bare(format!("__merged_{}_{}", of(left), of(right)));
                PlanExpr::Alias(Alias::new(coalesce(left, right)?, Some(table), name))
            }
            _ => PlanExpr::Column(left.clone()),
        });
    }
    let is_key = |column: &Column| pairs.iter().any(|(left, right)| left == column || right == column);
    let columns = left.schema().columns().into_iter().chain(right.schema().columns());
    outputs.extend(columns.filter(|column| !is_key(column)).map(PlanExpr::Column));
    for (left, right) in &pairs {
        for column in [left, right] {
            let Some(table) = &column.relation else { continue };
            let name = kept_name(table.table(), &column.name);
            if kept.contains(&name) {
                outputs.push(PlanExpr::Alias(Alias::new(PlanExpr::Column(column.clone()), Some(table.clone()), name)));
            }
        }
    }
    let conditions = pairs.into_iter().map(|(left, right)| PlanExpr::Column(left).eq(PlanExpr::Column(right)));
    let conditions: Vec<PlanExpr> = match names.is_empty() {
        true => vec![PlanExpr::Literal(ScalarValue::Boolean(Some(true)), None)],
        false => conditions.collect(),
    };
    LogicalPlanBuilder::from(left).join_on(right, join_type, conditions)?.project(outputs)?.build()
}

/// The merged columns, and the internal names of those to keep.
fn names(left: &LogicalPlan, right: &LogicalPlan, constraint: &JoinConstraint) -> Result<(Vec<String>, Vec<String>)> {
    let mut kept = Vec::new();
    let mut named = Vec::new();
    let mut natural = matches!(constraint, JoinConstraint::Natural);
    if let JoinConstraint::Using(list) = constraint {
        for name in list {
            let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
                return plan_err!("{name} in USING is not a column");
            };
            match fold(ident) {
                name if name == NATURAL => natural = true,
                name if name.starts_with(KEPT) => kept.push(name),
                name if named.contains(&name) => return plan_err!("column {name} is in USING more than once"),
                name => named.push(name),
            }
        }
    }
    if natural {
        let there: Vec<&String> = right.schema().fields().iter().map(|field| field.name()).collect();
        let here = left.schema().fields().iter().map(|field| field.name());
        // The kept columns of a join below are no columns that anybody named.
        named = here.filter(|name| there.contains(name) && !name.starts_with(KEPT)).cloned().collect();
    }
    Ok((named, kept))
}

fn coalesce(left: &Column, right: &Column) -> Result<PlanExpr> {
    let Some(function) = FUNCTIONS.scalar("coalesce") else { return plan_err!("the function coalesce is missing") };
    let args = vec![PlanExpr::Column(left.clone()), PlanExpr::Column(right.clone())];
    Ok(PlanExpr::ScalarFunction(ScalarFunction::new_udf(function.clone(), args)))
}

fn kept_name(table: &str, column: &str) -> String {
    format!("{KEPT}{table}.{column}")
}

/// The name of a column as the user wrote it.
pub(super) fn shown_name(name: &str) -> &str {
    name.strip_prefix(KEPT).and_then(|kept| kept.split_once('.')).map_or(name, |(_, column)| column)
}

/// Lets the joins of `select` keep column `name` of `table`, and names it by its internal name. Says whether there is a join that merges it.
pub(super) fn keep_hidden(select: &mut Select, table: &str, name: &str) -> bool {
    let kept = kept_name(table, name);
    let mut found = false;
    select.from.iter_mut().for_each(|from| keep_in(from, name, &kept, &mut found));
    if !found {
        return false;
    }
    // A column of the list keeps its name, if it is the only one of that name.
    let is_it = |parts: &[Ident]| matches!(parts, [of, column] if fold(of) == table && fold(column) == name);
    let named = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(Expr::Identifier(ident)) | SelectItem::ExprWithAlias { alias: ident, .. } => fold(ident) == name,
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().is_some_and(|ident| fold(ident) == name),
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        _ => false,
    };
    let is_only = select.projection.iter().filter(|item| named(item)).count() == 1;
    for item in &mut select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) if is_only => {
                if matches!(&*expr, Expr::CompoundIdentifier(parts) if is_it(parts)) {
                    *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', name) };
                }
            }
            SelectItem::Wildcard(options) => exclude(options, &kept),
            _ => {}
        }
    }
    name_kept(select, table, name);
    true
}

/// Names column `name` of `table` in `node` by its internal name.
pub(super) fn name_kept(node: &mut impl VisitMut, table: &str, name: &str) {
    struct Renaming<'a> {
        table: &'a str,
        name: &'a str,
        kept: String,
    }

    impl VisitorMut for Renaming<'_> {
        type Break = std::convert::Infallible;

        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
            if let Expr::CompoundIdentifier(parts) = expr
                && let [table, column] = parts.as_mut_slice()
                && fold(table) == self.table
                && fold(column) == self.name
            {
                *column = Ident { value: self.kept.clone(), quote_style: Some('"'), span: column.span };
            }
            ControlFlow::Continue(())
        }
    }

    let ControlFlow::Continue(()) = VisitMut::visit(node, &mut Renaming { table, name, kept: kept_name(table, name) });
}

fn keep_in(from: &mut TableWithJoins, name: &str, kept: &str, found: &mut bool) {
    let nested = |factor: &mut TableFactor, found: &mut bool| {
        if let TableFactor::NestedJoin { table_with_joins, alias: None } = factor {
            keep_in(table_with_joins, name, kept, found);
        }
    };
    nested(&mut from.relation, found);
    for join in &mut from.joins {
        nested(&mut join.relation, found);
        let Some(constraint) = merging_mut(&mut join.join_operator) else { continue };
        let ident = |name: &str| ObjectName::from(vec![Ident::with_quote('"', name)]);
        let is = |object: &ObjectName, wanted: &str| matches!(object.0.as_slice(), [ObjectNamePart::Identifier(ident)] if fold(ident) == wanted);
        match constraint {
            JoinConstraint::Natural => *constraint = JoinConstraint::Using(vec![ident(NATURAL), ident(kept)]),
            JoinConstraint::Using(list) => {
                let merges = list.iter().any(|object| is(object, name) || is(object, NATURAL));
                if !merges {
                    continue;
                }
                if !list.iter().any(|object| is(object, kept)) {
                    list.push(ident(kept));
                }
            }
            _ => continue,
        }
        *found = true;
    }
}

fn exclude(options: &mut WildcardAdditionalOptions, name: &str) {
    let name = ObjectName::from(vec![Ident::with_quote('"', name)]);
    if matches!(&options.opt_exclude, Some(ExcludeSelectItem::Multiple(names)) if names.contains(&name)) {
        return;
    }
    options.opt_exclude = Some(match options.opt_exclude.take() {
        None => ExcludeSelectItem::Multiple(vec![name]),
        Some(ExcludeSelectItem::Single(other)) => ExcludeSelectItem::Multiple(vec![other, name]),
        Some(ExcludeSelectItem::Multiple(mut others)) => {
            others.push(name);
            ExcludeSelectItem::Multiple(others)
        }
    });
}
