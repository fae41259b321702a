//! Names that the binder does not know, but the text does.
//!
//! Three kinds of names can be told only when it is known which columns there are: the alias of an earlier item of a SELECT list
//! (`SELECT a + 1 AS b, b * 2 AS c`), which a real column of that name hides, a column that USING has merged, and the name of a relation that stands
//! for its rows (`SELECT to_json(t) FROM t`). So they are looked for
//! when the binder has failed at an unknown column: the text is rewritten without the name, and bound again. It is the same with `unnest(m)` of a map.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion_common::tree_node::TreeNodeRecursion;
use datafusion_common::{Column, DataFusionError, Result, SchemaError};
use datafusion_expr::LogicalPlan;
use sqlparser::ast::*;
use sqlparser::tokenizer::Location;

use super::list_rows::{ENTRIES_OF_MAP, UNNEST};
use super::naming::call;
use super::spelling;
use super::unique_aliases::as_written;
use super::using::{KEPT, keep_hidden, name_kept};
use crate::parser::fold;

/// What can be done about an error of the binder.
pub(super) enum Repair {
    /// The query is another now, to be bound again.
    Done,
    /// Nothing.
    None,
    /// An earlier repair was none: the error before is the one to tell.
    Failed,
}

/// Rewrites the part of `query` that `error` is about.
pub(super) fn repair(query: &mut Query, error: &DataFusionError) -> Repair {
    let Some(column) = unknown_column(error) else { return unnest_entries(query, error) };
    if column.name.starts_with(KEPT) {
        return Repair::Failed;
    }
    let start = column.spans.first().map(|span| Location { line: span.start.line, column: span.start.column });
    let place = Place { name: &column.name, table: column.relation.as_ref().map(|table| table.table()), start };
    if let ControlFlow::Break(true) = VisitMut::visit(query, &mut Rewriting(place)) {
        return Repair::Done;
    }
    let Some(row) = columns_of(error, &column).and_then(|(table, columns)| row_of(&table, &columns)) else { return Repair::None };
    match VisitMut::visit(query, &mut WholeRow { place, row }) {
        ControlFlow::Break(()) => Repair::Done,
        ControlFlow::Continue(()) => Repair::None,
    }
}

/// Lets `unnest` in the SELECT list expand maps, which the binder refuses.
fn unnest_entries(query: &mut Query, error: &DataFusionError) -> Repair {
    const REFUSED: &str = "unnest() can only be applied to";
    if !error.strip_backtrace().contains(REFUSED) {
        return Repair::None;
    }
    let mut changed = false;
    let ControlFlow::Continue(()) = visit_expressions_mut(query, |expr| {
        if let Expr::Function(Function { name, args: FunctionArguments::List(list), .. }) = expr
            && matches!(name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if fold(ident) == UNNEST)
            && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(list))] = list.args.as_mut_slice()
            && !is_entries(list)
        {
            let root = Box::new(Expr::Nested(Box::new(std::mem::replace(list, Expr::value(Value::Null)))));
            let index = Expr::value(Value::SingleQuotedString(ENTRIES_OF_MAP.to_owned()));
            let access_chain = vec![AccessExpr::Subscript(Subscript::Index { index })];
            *list = Expr::CompoundFieldAccess { root, access_chain };
            changed = true;
        }
        ControlFlow::<Infallible>::Continue(())
    });
    if changed { Repair::Done } else { Repair::None }
}

fn is_entries(expr: &Expr) -> bool {
    let Expr::CompoundFieldAccess { access_chain, .. } = expr else { return false };
    let [AccessExpr::Subscript(Subscript::Index { index: Expr::Value(index) })] = access_chain.as_slice() else { return false };
    index.value == Value::SingleQuotedString(ENTRIES_OF_MAP.to_owned())
}

/// The columns of the relation that users call as the unknown `column`, and how it is called here.
fn columns_of(error: &DataFusionError, column: &Column) -> Option<(String, Vec<String>)> {
    let known = match schema_error(error) {
        Some(SchemaError::FieldNotFound { valid_fields, .. }) if column.relation.is_none() => valid_fields.as_slice(),
        _ => &[],
    };
    let tables = known.iter().filter_map(|known| known.relation.as_ref());
    let table = tables.map(|table| table.table()).find(|table| as_written(table) == column.name)?;
    let of_it = |known: &&Column| known.relation.as_ref().is_some_and(|other| other.table() == table);
    let is_shown = |known: &&Column| !known.name.starts_with("__");
    Some((table.to_owned(), known.iter().filter(of_it).filter(is_shown).map(|known| known.name.clone()).collect()))
}

/// The row of the relation `table` as a value: its only column, or a struct; NULL where an outer join has no row of it.
fn row_of(table: &str, columns: &[String]) -> Option<Expr> {
    let quoted = |name: &str| Ident::with_quote('"', name);
    let column = |name: &String| Expr::CompoundIdentifier(vec![quoted(table), quoted(name)]);
    match columns {
        [] => None,
        [only] => Some(column(only)),
        columns => {
            let fields = columns.iter().flat_map(|name| [Expr::value(Value::SingleQuotedString(name.clone())), column(name)]);
            let row = call("named_struct", fields);
            let present = columns.iter().map(|name| Expr::IsNotNull(Box::new(column(name)))).collect();
            Some(spelling::case(vec![(spelling::chain(present, &BinaryOperator::Or)?, row)], None))
        }
    }
}

/// Puts the row of a relation in the place of its name.
struct WholeRow<'a> {
    place: Place<'a>,
    row: Expr,
}

impl VisitorMut for WholeRow<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if !self.place.is(expr) {
            return ControlFlow::Continue(());
        }
        *expr = Expr::Nested(Box::new(self.row.clone()));
        ControlFlow::Break(())
    }
}

/// Refuses an order by a column that its input does not have: DataFusion looks for it below joins that have merged it.
pub(super) fn check_orders(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Sort(sort) = node {
            let schema = sort.input.schema();
            let columns = sort.expr.iter().flat_map(|key| key.expr.column_refs());
            let missing: Vec<&Column> = columns.filter(|column| !schema.has_column(column)).collect();
            // One that is kept is missing only as long as another one is.
            if let Some(column) = missing.iter().find(|column| !column.name.starts_with(KEPT)).or(missing.first()) {
                schema.index_of_column(column)?;
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(plan)
}

fn unknown_column(error: &DataFusionError) -> Option<Column> {
    match schema_error(error)? {
        SchemaError::FieldNotFound { field, .. } => Some(field.as_ref().clone()),
        _ => None,
    }
}

fn schema_error(error: &DataFusionError) -> Option<&SchemaError> {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => schema_error(inner),
        DataFusionError::Shared(inner) => schema_error(inner),
        DataFusionError::Collection(errors) => schema_error(errors.first()?),
        DataFusionError::SchemaError(inner, _) => Some(inner.as_ref()),
        _ => None,
    }
}

/// Where a column is named.
#[derive(Clone, Copy)]
struct Place<'a> {
    name: &'a str,
    table: Option<&'a str>,
    /// Not every error has it: then it is the first place with this name.
    start: Option<Location>,
}

impl Place<'_> {
    fn is(&self, expr: &Expr) -> bool {
        let named = match (expr, self.table) {
            (Expr::Identifier(ident), None) => fold(ident) == self.name,
            (Expr::CompoundIdentifier(parts), Some(of)) => {
                matches!(parts.as_slice(), [table, ident] if fold(table) == of && fold(ident) == self.name)
            }
            _ => false,
        };
        let first = match expr {
            Expr::Identifier(ident) => Some(ident),
            Expr::CompoundIdentifier(parts) => parts.first(),
            _ => None,
        };
        named && self.start.is_none_or(|start| first.is_some_and(|ident| ident.span.start == start))
    }

    /// Whether `node` has it.
    fn is_in(&self, node: &impl Visit) -> bool {
        struct Search<'a>(Place<'a>);

        impl Visitor for Search<'_> {
            type Break = ();

            fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
                if self.0.is(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        }

        node.visit(&mut Search(*self)).is_break()
    }
}

struct Rewriting<'a>(Place<'a>);

impl VisitorMut for Rewriting<'_> {
    type Break = bool;

    /// ORDER BY stands outside of the SELECT whose columns it names.
    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<bool> {
        let (Some(table), SetExpr::Select(select), Some(order)) = (self.0.table, query.body.as_mut(), &mut query.order_by) else {
            return ControlFlow::Continue(());
        };
        if !self.0.is_in(order) || !keep_hidden(select, table, self.0.name) {
            return ControlFlow::Continue(());
        }
        name_kept(order, table, self.0.name);
        ControlFlow::Break(true)
    }

    /// Inner queries come first, so the first one that has the place is the one that names it.
    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<bool> {
        if !self.0.is_in(select) {
            return ControlFlow::Continue(());
        }
        match self.0.table {
            Some(table) if keep_hidden(select, table, self.0.name) => ControlFlow::Break(true),
            // The same name may be right here, and be meant elsewhere.
            Some(_) if self.0.start.is_none() => ControlFlow::Continue(()),
            Some(_) => ControlFlow::Break(false),
            None => ControlFlow::Break(substitute_alias(select, &self.0)),
        }
    }
}

/// Puts the expression of the alias in the places of its name, if an item before the place has it.
fn substitute_alias(select: &mut Select, place: &Place<'_>) -> bool {
    let user = select.projection.iter().position(|item| place.is_in(item));
    let before = &select.projection[..user.unwrap_or(select.projection.len())];
    let defined = before.iter().enumerate().find_map(|(index, item)| match item {
        SelectItem::ExprWithAlias { expr, alias } if fold(alias) == place.name => Some((index, expr.clone())),
        _ => None,
    });
    let Some((index, expr)) = defined else { return false };
    let mut substitution = Substitution { name: place.name, expr: Expr::Nested(Box::new(expr)), depth: 0, changed: false };
    for item in &mut select.projection[index + 1..] {
        let ControlFlow::Continue(()) = VisitMut::visit(item, &mut substitution);
    }
    let ControlFlow::Continue(()) = VisitMut::visit(&mut select.selection, &mut substitution);
    substitution.changed
}

struct Substitution<'a> {
    name: &'a str,
    expr: Expr,
    /// Of queries inside: names mean something else there.
    depth: usize,
    changed: bool,
}

impl VisitorMut for Substitution<'_> {
    type Break = Infallible;

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Self::Break> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if self.depth == 0 && matches!(&*expr, Expr::Identifier(ident) if fold(ident) == self.name) {
            *expr = self.expr.clone();
            self.changed = true;
        }
        ControlFlow::Continue(())
    }
}
