//! Rows made of lists: UNNEST, `generate_series` and `range` in FROM.
//!
//! Each of them may read the relations before it in FROM. The binder takes that for a correlated subquery, which it is not: it is an expansion of these
//! relations' rows. So before binding, such a call and what stands before it are put into parentheses of their own, and planned here as one
//! [`UnnestNode`] when the binder comes to it. A call that reads nothing expands a row without columns, or whatever stands before it.

mod beside;
mod node;
mod relation;
mod series;

use std::ops::ControlFlow;

pub(super) use beside::set_apart;
pub(crate) use node::UnnestNode;
pub(crate) use relation::Unnests;
use sqlparser::ast::*;

use super::nesting::nested;
use crate::parser::fold;

/// The function of the SELECT list.
pub(crate) const UNNEST: &str = "unnest";

/// A subscript that stands for the entries of a map, and for nothing else of any other value: `unnest(m['__entries'])`. What is a map is known when
/// expressions are bound, and then the binder has refused `unnest(m)` already.
pub(crate) const ENTRIES_OF_MAP: &str = "__entries";

/// A call that makes rows.
pub(crate) struct Call<'a> {
    pub(crate) kind: CallKind,
    pub(crate) arguments: Vec<&'a Expr>,
    pub(crate) ordinality: bool,
    pub(crate) alias: Option<&'a TableAlias>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    Unnest,
    GenerateSeries,
    Range,
}

impl CallKind {
    fn of(name: &ObjectName) -> Option<CallKind> {
        let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else { return None };
        [CallKind::Unnest, CallKind::GenerateSeries, CallKind::Range].into_iter().find(|kind| kind.name() == fold(ident))
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            CallKind::Unnest => "unnest",
            CallKind::GenerateSeries => "generate_series",
            CallKind::Range => "range",
        }
    }
}

impl<'a> Call<'a> {
    /// The call that `factor` is; `None` if it is another relation, or has arguments that no such call has.
    pub(crate) fn of(factor: &'a TableFactor) -> Option<Call<'a>> {
        let (kind, args, ordinality, alias) = match factor {
            TableFactor::UNNEST { alias, array_exprs, with_ordinality, .. } => {
                let arguments = array_exprs.iter().collect();
                return Some(Call { kind: CallKind::Unnest, arguments, ordinality: *with_ordinality, alias: alias.as_ref() });
            }
            TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } if args.settings.is_none() => {
                (CallKind::of(name)?, &args.args, *with_ordinality, alias.as_ref())
            }
            TableFactor::Function { name, args, with_ordinality, alias, .. } => {
                (CallKind::of(name)?, args, *with_ordinality, alias.as_ref())
            }
            _ => return None,
        };
        let argument = |argument: &'a FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        };
        let arguments = args.iter().map(argument).collect::<Option<Vec<_>>>()?;
        Some(Call { kind, arguments, ordinality, alias })
    }

    fn reads_columns(&self) -> bool {
        struct Search;

        impl Visitor for Search {
            type Break = ();

            fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
                let is_column = matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
                if is_column { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            }
        }

        self.arguments.iter().any(|argument| argument.visit(&mut Search).is_break())
    }
}

/// Puts such calls into parentheses with what stands before them.
pub(super) fn nest_calls(query: &mut Query) {
    struct Nesting;

    impl VisitorMut for Nesting {
        type Break = std::convert::Infallible;

        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
            select.from.iter_mut().for_each(nest);
            nest_list(&mut select.from);
            ControlFlow::Continue(())
        }

        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
            if let TableFactor::NestedJoin { table_with_joins, .. } = factor
                && table_with_joins.joins.len() > 1
            {
                nest(table_with_joins);
            }
            ControlFlow::Continue(())
        }
    }

    let ControlFlow::Continue(()) = VisitMut::visit(query, &mut Nesting);
}

/// Whether the join's right side is a call that is to expand its left one. One that reads no columns is a relation like any other where the join has a
/// condition that an expansion has not.
fn expands(join: &Join) -> bool {
    let Some((outer, constraint)) = relation::expansion(&join.join_operator) else { return false };
    let Some(call) = Call::of(&join.relation) else { return false };
    let is_expansion = match constraint {
        JoinConstraint::None => true,
        JoinConstraint::On(on) => !outer || relation::is_true(on),
        JoinConstraint::Using(_) | JoinConstraint::Natural => false,
    };
    is_expansion || call.reads_columns()
}

/// Nests the calls that are joined.
fn nest(from: &mut TableWithJoins) {
    if !from.joins.iter().any(expands) {
        return;
    }
    let mut relation = from.relation.clone();
    let mut pending: Vec<Join> = Vec::new();
    for join in std::mem::take(&mut from.joins) {
        if expands(&join) {
            relation = nested(nested(relation, std::mem::take(&mut pending)), vec![join]);
        } else {
            pending.push(join);
        }
    }
    from.relation = relation;
    from.joins = pending;
}

/// Nests the calls that a comma separates from what stands before them. What is joined to a call stays joined to it, which means the same unless the join
/// keeps rows of its right side.
fn nest_list(list: &mut Vec<TableWithJoins>) {
    let keeps_right = |join: &Join| {
        matches!(
            join.join_operator,
            JoinOperator::Right(_)
                | JoinOperator::RightOuter(_)
                | JoinOperator::FullOuter(_)
                | JoinOperator::RightSemi(_)
                | JoinOperator::RightAnti(_)
        )
    };
    let is_call = |item: &TableWithJoins| Call::of(first(&item.relation)).is_some() && !item.joins.iter().any(keeps_right);
    if !list.iter().skip(1).any(is_call) {
        return;
    }
    let mut made: Vec<TableWithJoins> = Vec::new();
    for mut item in std::mem::take(list) {
        if made.is_empty() || !is_call(&item) {
            made.push(item);
            continue;
        }
        let mut before = std::mem::take(&mut made).into_iter();
        let Some(TableWithJoins { relation, joins }) = before.next() else { continue };
        let others = before.map(|other| cross(nested(other.relation, other.joins))).collect();
        let left = nested(nested(relation, joins), others);
        item.relation = after(left, item.relation);
        made.push(item);
    }
    *list = made;
}

/// The first relation of what [`nest`] may have made of one that expanding calls follow.
fn first(factor: &TableFactor) -> &TableFactor {
    match factor {
        TableFactor::NestedJoin { table_with_joins, alias: None } if table_with_joins.joins.iter().all(expands) => {
            first(&table_with_joins.relation)
        }
        other => other,
    }
}

/// `right`, whose first relation is a call, with `left` before it.
fn after(left: TableFactor, right: TableFactor) -> TableFactor {
    match right {
        TableFactor::NestedJoin { mut table_with_joins, alias: None }
            if Call::of(first(&table_with_joins.relation)).is_some() =>
        {
            table_with_joins.relation = after(left, table_with_joins.relation);
            TableFactor::NestedJoin { table_with_joins, alias: None }
        }
        call => nested(left, vec![cross(call)]),
    }
}

fn cross(relation: TableFactor) -> Join {
    Join { relation, global: false, join_operator: JoinOperator::CrossJoin(JoinConstraint::None) }
}
