//! `FROM t AS a (x)` with fewer names than columns: the other columns keep theirs, as in PostgreSQL. DataFusion wants as many names as columns.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion_common::Result;
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_expr::{Expr as PlanExpr, LogicalPlanBuilder};
use sqlparser::ast::*;

use super::window::external;
use crate::SqlError;
use crate::error::{Code, Position};
use crate::parser::{bare_select, empty_select, fold};

/// Plans relations whose alias names columns.
#[derive(Debug)]
pub(crate) struct TableAliases;

impl RelationPlanner for TableAliases {
    fn plan_relation(&self, mut relation: TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let Some(mut alias) = take_alias(&mut relation) else { return Ok(RelationPlanning::Original(Box::new(relation))) };
        let names = std::mem::take(&mut alias.columns);
        let plan = context.plan(relation)?;
        let columns = plan.schema().columns();
        if let Some(extra) = names.get(columns.len()) {
            let message = format!("'{}' has {} columns, and its alias names {}", fold(&alias.name), columns.len(), names.len());
            return Err(external(SqlError::new(Code::Query, Position::from(extra.name.span.start), message)));
        }
        let kept = &columns[names.len()..];
        if let Some(name) = names.iter().find(|name| kept.iter().any(|column| column.name == fold(&name.name))) {
            let message = format!("'{}' would have two columns '{}'", fold(&alias.name), fold(&name.name));
            let error = SqlError::new(Code::DuplicateColumn, Position::from(name.name.span.start), message);
            return Err(external(error.with_hint("name the others, too")));
        }
        let mut names = names.into_iter();
        let named = columns.into_iter().map(|column| match names.next() {
            Some(name) => PlanExpr::Column(column).alias(context.normalize_ident(name.name)),
            None => PlanExpr::Column(column),
        });
        let plan = LogicalPlanBuilder::from(plan).project(named.collect::<Vec<_>>())?.build()?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, Some(alias)))))
    }
}

/// Takes the alias of a relation away if it names columns.
fn take_alias(relation: &mut TableFactor) -> Option<TableAlias> {
    let alias = match relation {
        TableFactor::Table { alias, args: None, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::NestedJoin { alias, .. } => alias,
        _ => return None,
    };
    alias.take_if(|alias| !alias.columns.is_empty())
}

/// Puts the names of common table expressions that have fewer than columns, `WITH c (x) AS (..)`, into an alias.
pub(super) fn name_tables(query: &mut Query) {
    struct Naming;

    impl VisitorMut for Naming {
        type Break = Infallible;

        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Infallible> {
            if let Some(with) = query.with.as_mut().filter(|with| !with.recursive) {
                with.cte_tables.iter_mut().filter(|table| has_fewer_names(table)).for_each(name_inside);
            }
            ControlFlow::Continue(())
        }
    }

    let ControlFlow::Continue(()) = VisitMut::visit(query, &mut Naming);
}

fn has_fewer_names(table: &Cte) -> bool {
    let names = table.alias.columns.len();
    names > 0 && width(&table.query.body).is_some_and(|width| width > names)
}

/// How many columns a query has, as far as its text says it.
fn width(body: &SetExpr) -> Option<usize> {
    match body {
        SetExpr::Select(select) => {
            let is_one = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
            select.projection.iter().all(is_one).then_some(select.projection.len())
        }
        SetExpr::Query(query) => width(&query.body),
        SetExpr::SetOperation { left, .. } => width(left),
        SetExpr::Values(values) => values.rows.first().map(|row| row.len()),
        _ => None,
    }
}

/// `c (x) AS (query)` as `c AS (SELECT * FROM (query) AS c (x))`.
fn name_inside(table: &mut Cte) {
    let inner = std::mem::replace(&mut table.query, Box::new(empty_select()));
    let alias = table.alias.clone();
    table.alias.columns.clear();
    let relation = TableFactor::Derived { lateral: false, subquery: inner, alias: Some(alias), sample: None };
    let select = Select {
        projection: vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())],
        from: vec![TableWithJoins { relation, joins: vec![] }],
        ..bare_select()
    };
    *table.query.body = SetExpr::Select(Box::new(select));
}
