//! Windows in GROUP BY.
//!
//! Before binding, `GROUP BY TUMBLE(ts, i)` becomes `GROUP BY tumble_start(ts, i), tumble_end(ts, i)`, and a bare `window_start` in the SELECT list
//! becomes that call; so the binder, which knows which expressions of the list are group keys, does the rest. After binding, these keys
//! become columns of a [`WindowNode`] below the aggregation. The partition of a session is the other keys.

use std::ops::ControlFlow;

use datafusion_common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion_common::{Column, DFSchema, Result, ScalarValue};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::{Aggregate, Expr as PlanExpr, ExprSchemable, LogicalPlan};
use deltic_zset::types::canonical_type;
use sqlparser::ast::*;

use super::super::duration::length;
use super::super::functions::FUNCTIONS;
use super::super::naming::call;
use super::marker::{Marker, is_session_bound, marker_name};
use super::relation::external;
use super::{WindowKind, WindowNode, is_marker, max_sessions};
use crate::SqlError;
use crate::error::{Code, Position};
use crate::lower::{fold as fold_constants, lower_expression};
use crate::parser::fold;

/// The columns of a window in GROUP BY. Nobody can name them.
const BOUNDS: [&str; 2] = ["__window_start", "__window_end"];

/// Rewrites the windows in the GROUP BYs of `query` to calls for their bounds.
///
/// # Errors
/// If a bound in a SELECT list is of other windows than those in its GROUP BY.
pub(crate) fn window_keys(query: &mut Query) -> Result<(), SqlError> {
    match VisitMut::visit(query, &mut Keys) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Keys;

impl VisitorMut for Keys {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<SqlError> {
        let Query { body, order_by, .. } = query;
        let SetExpr::Select(select) = body.as_mut() else { return ControlFlow::Continue(()) };
        select_keys(select, order_by.as_mut())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlError> {
        select_keys(select, None)
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        match expr {
            Expr::Function(function) if function_name(function).is_some_and(|name| is_session_bound(&name)) => {
                place_named(function);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn select_keys(select: &mut Select, order_by: Option<&mut OrderBy>) -> ControlFlow<SqlError> {
    let GroupByExpr::Expressions(keys, _) = &mut select.group_by else { return ControlFlow::Continue(()) };
    let Some((kind, arguments)) = keys.iter().find_map(window_function) else { return ControlFlow::Continue(()) };
    let bounds = [false, true].map(|end| call(&marker_name(kind, end), arguments.clone()));
    let is_named = |name: &str| keys.iter().any(|key| matches!(key, Expr::Identifier(ident) if fold(ident) == name));
    let free = [!is_named("window_start"), !is_named("window_end")];
    let written = std::mem::take(keys);
    for key in written {
        match window_function(&key) {
            None => keys.push(key),
            Some((kind, arguments)) => keys.extend([false, true].map(|end| call(&marker_name(kind, end), arguments.clone()))),
        }
    }
    let mut bare = Bare { bounds, free, kind, lengths: arguments.get(1..).unwrap_or_default().to_vec(), around: 0 };
    for item in &mut select.projection {
        let name = match item {
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) if bare.bound(&fold(ident)).is_some() => Some(fold(ident)),
            _ => None,
        };
        VisitMut::visit(item, &mut bare)?;
        if let (Some(name), SelectItem::UnnamedExpr(expr)) = (name, &*item) {
            *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: Ident::with_quote('"', name) };
        }
    }
    VisitMut::visit(&mut select.having, &mut bare)?;
    let aliases: Vec<String> = select.projection.iter().filter_map(alias).collect();
    for (free, name) in bare.free.iter_mut().zip(["window_start", "window_end"]) {
        *free &= !aliases.iter().any(|alias| alias == name);
    }
    order_by.map_or(ControlFlow::Continue(()), |order_by| VisitMut::visit(order_by, &mut bare))
}

fn alias(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(fold(alias)),
        _ => None,
    }
}

/// The window that `expr` calls, with its arguments.
fn window_function(expr: &Expr) -> Option<(WindowKind, Vec<Expr>)> {
    match expr {
        Expr::Nested(inner) => window_function(inner),
        Expr::Function(function) => Some((WindowKind::of(&function_name(function)?)?, function_arguments(function)?)),
        _ => None,
    }
}

/// Gives the named argument of SESSION or of one of its bounds a place: the last one.
fn place_named(function: &mut Function) {
    if let Some(arguments) = function_arguments(function)
        && let FunctionArguments::List(list) = &mut function.args
    {
        list.args = arguments.into_iter().map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))).collect();
    }
}

fn function_name(function: &Function) -> Option<String> {
    match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Some(fold(ident)),
        _ => None,
    }
}

/// The arguments by their places; the named one of SESSION is the last.
fn function_arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let (most, args) = max_sessions(&list.args, Position { line: 0, column: 0 }).ok()?;
    let argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    let most = most.map(|most| Some(Expr::value(Value::Number(most.to_string(), false))));
    args.iter().map(argument).chain(most).collect()
}

/// Makes bare `window_start` and `window_end` calls, outside of the arguments of aggregates and bounds: those are over rows of the input.
struct Bare {
    /// The calls.
    bounds: [Expr; 2],
    /// Whether the name is not that of a column or alias.
    free: [bool; 2],
    kind: WindowKind,
    lengths: Vec<Expr>,
    /// How many calls with such arguments are around.
    around: usize,
}

impl Bare {
    fn bound(&self, name: &str) -> Option<&Expr> {
        let index = ["window_start", "window_end"].iter().position(|bound| *bound == name)?;
        (self.free[index] && self.around == 0).then_some(&self.bounds[index])
    }

    /// A bound of the same kind with other lengths means nothing: the binder's message for it would be about its columns. The most sessions of a key need
    /// not be said again.
    fn check(&self, function: &mut Function, name: &str) -> ControlFlow<SqlError> {
        let of_kind = [false, true].iter().any(|end| marker_name(self.kind, *end) == name);
        place_named(function);
        if let (true, WindowKind::Session, FunctionArguments::List(list)) = (of_kind, self.kind, &mut function.args)
            && list.args.len() == 2
        {
            list.args.extend(self.lengths.get(1).map(|most| FunctionArg::Unnamed(FunctionArgExpr::Expr(most.clone()))));
        }
        let lengths = function_arguments(function).unwrap_or_default().into_iter().skip(1).collect::<Vec<_>>();
        let texts = |exprs: &[Expr]| exprs.iter().map(|expr| expr.to_string().to_lowercase()).collect::<Vec<_>>();
        if !of_kind || texts(&lengths) == texts(&self.lengths) {
            return ControlFlow::Continue(());
        }
        let start = function.name.span().start;
        let position = if start.line == 0 { Position { line: 0, column: 0 } } else { start.into() };
        let (bound, window) = (name.to_uppercase(), self.kind.name().to_uppercase());
        let message = format!("{bound} has other arguments than {window} in GROUP BY");
        ControlFlow::Break(SqlError::new(Code::Query, position, message).with_hint("write the same arguments in both"))
    }
}

/// Whether the arguments of the function are over rows of the input, not over groups.
fn is_over_input(function: &str) -> bool {
    FUNCTIONS.aggregate(function).is_some() || is_marker(function)
}

impl VisitorMut for Bare {
    type Break = SqlError;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        match expr {
            Expr::Function(function) => {
                let name = function_name(function).unwrap_or_default();
                self.around += usize::from(is_over_input(&name));
                if is_marker(&name) { self.check(function, &name) } else { ControlFlow::Continue(()) }
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        match expr {
            Expr::Function(function) => {
                let name = function_name(function).unwrap_or_default();
                self.around -= usize::from(is_over_input(&name));
            }
            Expr::Identifier(ident) => {
                if let Some(bound) = self.bound(&fold(ident)) {
                    *expr = bound.clone();
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Puts a [`WindowNode`] below each aggregation that groups by bounds.
///
/// # Errors
/// If the windows cannot be, or a bound is left that belongs to no GROUP BY.
pub(crate) fn group_by_windows(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Aggregate(aggregate) => windowed(aggregate),
        other => Ok(Transformed::no(other)),
    })?;
    check_left_over(&plan.data)?;
    Ok(plan.data)
}

fn windowed(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let mut calls: Vec<ScalarFunction> = Vec::new();
    for key in &aggregate.group_expr {
        key.apply(|expr| {
            if let PlanExpr::ScalarFunction(function) = expr
                && Marker::of(&function.func).is_some()
            {
                calls.push(function.clone());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    let Some((first, kind)) = calls.first().and_then(|call| Some((call.clone(), Marker::of(&call.func)?.kind))) else {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    };
    let is_same = |call: &ScalarFunction| call.args == first.args && Marker::of(&call.func).is_some_and(|m| m.kind == kind);
    if !calls.iter().all(is_same) {
        let message = format!("{} is not the only window in GROUP BY", kind.name().to_uppercase());
        let error = SqlError::nowhere(Code::Unsupported, message);
        return Err(external(error.with_hint("window the rows of a window in a query around it")));
    }
    let has_marker = |key: &PlanExpr| key.exists(|expr| Ok(marker_of(expr).is_some()));
    let mut partition = Vec::new();
    for key in &aggregate.group_expr {
        if kind == WindowKind::Session && !has_marker(key)? {
            partition.push(key.clone().unalias());
        }
    }
    let node = window_node(&aggregate, kind, &first.args, partition)?;
    let keys = aggregate.group_expr.iter().map(|key| if has_marker(key)? { bound_key(key) } else { Ok(key.clone()) });
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let input = std::sync::Arc::new(node.into_plan());
    Ok(Transformed::yes(LogicalPlan::Aggregate(Aggregate::try_new(input, keys, aggregate.aggr_expr)?)))
}

fn marker_of(expr: &PlanExpr) -> Option<&Marker> {
    match expr {
        PlanExpr::ScalarFunction(function) => Marker::of(&function.func),
        _ => None,
    }
}

fn window_node(aggregate: &Aggregate, kind: WindowKind, args: &[PlanExpr], partition: Vec<PlanExpr>) -> Result<WindowNode> {
    let function = kind.name().to_uppercase();
    let time = args[0].clone();
    let time_type = time.get_type(aggregate.input.schema())?;
    let time_type = canonical_type(&time_type).unwrap_or(time_type);
    let names = kind.lengths().iter().copied().chain(["offset"]);
    let (args, max_sessions) = match (kind, args) {
        (WindowKind::Session, [_, _, PlanExpr::Literal(most, _)]) => (&args[..2], whole(most)),
        _ => (args, None),
    };
    let empty = DFSchema::empty();
    let mut lengths = Vec::new();
    for (expr, name) in args.iter().skip(1).zip(names) {
        let what = format!("{function}: the {name}");
        let literal = lower_expression(expr, &empty).ok().map(fold_constants).and_then(|expr| expr.as_literal().cloned());
        let Some(literal) = literal else {
            let error = SqlError::nowhere(Code::Query, format!("{what} must be a constant, not {expr}"));
            return Err(external(error));
        };
        lengths.push(length(&literal, &time_type, &what, Position { line: 0, column: 0 }).map_err(external)?);
    }
    let offset = if lengths.len() > kind.lengths().len() { lengths.pop() } else { None };
    let shape = kind.shape(&lengths, offset.unwrap_or(0), max_sessions).map_err(external)?;
    WindowNode::try_new(aggregate.input.as_ref().clone(), shape, time, partition, BOUNDS)
}

/// The number that [`max_sessions`] read, as the binder has it.
fn whole(number: &ScalarValue) -> Option<u64> {
    match number {
        ScalarValue::Int64(number) => number.and_then(|number| u64::try_from(number).ok()),
        ScalarValue::UInt64(number) => *number,
        _ => None,
    }
}

/// A group key with the columns of the window for its calls, and its former name.
fn bound_key(key: &PlanExpr) -> Result<PlanExpr> {
    let name = key.schema_name().to_string();
    let replaced = key.clone().transform_up(|expr| match marker_of(&expr).map(|marker| marker.end) {
        Some(end) => Ok(Transformed::yes(PlanExpr::Column(Column::new_unqualified(BOUNDS[usize::from(end)])))),
        None => Ok(Transformed::no(expr)),
    })?;
    Ok(replaced.data.unalias().alias(name))
}

fn check_left_over(plan: &LogicalPlan) -> Result<()> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                found = found.or(marker_of(expr).map(|marker| (marker.kind, marker.end)));
                Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    })?;
    match found {
        None => Ok(()),
        Some((kind, end)) => {
            let window = kind.name().to_uppercase();
            let message = format!("{} needs {window} in GROUP BY", marker_name(kind, end).to_uppercase());
            Err(external(
                SqlError::nowhere(Code::Query, message).with_hint(format!("add GROUP BY {window}(..) with the same arguments")),
            ))
        }
    }
}
