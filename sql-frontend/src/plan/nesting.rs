//! Joins in parentheses of their own.
//!
//! DataFusion has no hook for a join but one for what stands in FROM. So before binding, the joins that are planned here (ASOF JOIN, those with
//! `FOR SYSTEM_TIME AS OF`, and those that merge columns) are put into parentheses with what stands before them: `a JOIN b .. ASOF JOIN c ..` is `((a JOIN b ..) ASOF JOIN c ..)`.
//! Semi and anti joins get one spelling on the way.

use std::ops::ControlFlow;

use sqlparser::ast::*;

use super::lookup::system_time;
use super::using;

/// Puts such joins into parentheses of their own.
pub(super) fn nest_joins(query: &mut Query) {
    struct Nesting;

    impl VisitorMut for Nesting {
        type Break = std::convert::Infallible;

        fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
            for from in &mut select.from {
                left_semi_joins(from);
                nest(from);
                if matches!(from.joins.as_slice(), [only] if stands_alone(only)) {
                    let joins = std::mem::take(&mut from.joins);
                    from.relation = nested(from.relation.clone(), joins);
                }
            }
            ControlFlow::Continue(())
        }

        fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
            if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
                left_semi_joins(table_with_joins);
                nest(table_with_joins);
            }
            ControlFlow::Continue(())
        }
    }

    let ControlFlow::Continue(()) = VisitMut::visit(query, &mut Nesting);
}

fn stands_alone(join: &Join) -> bool {
    matches!(join.join_operator, JoinOperator::AsOf { .. }) || system_time(&join.relation).is_some() || using::merges(join)
}

/// `relation` with `joins`, as one relation.
pub(super) fn nested(relation: TableFactor, joins: Vec<Join>) -> TableFactor {
    if joins.is_empty() {
        return relation;
    }
    TableFactor::NestedJoin { table_with_joins: Box::new(TableWithJoins { relation, joins }), alias: None }
}

/// Nests all such joins of `from` but one that is its only join.
fn nest(from: &mut TableWithJoins) {
    if from.joins.len() < 2 || !from.joins.iter().any(stands_alone) {
        return;
    }
    let mut relation = from.relation.clone();
    let mut pending: Vec<Join> = Vec::new();
    for join in std::mem::take(&mut from.joins) {
        if stands_alone(&join) {
            relation = nested(nested(relation, std::mem::take(&mut pending)), vec![join]);
        } else {
            pending.push(join);
        }
    }
    from.relation = relation;
    from.joins = pending;
}

/// `a SEMI JOIN b` is `a LEFT SEMI JOIN b`, and `a RIGHT SEMI JOIN b` is `b LEFT SEMI JOIN a`; the same for anti joins.
fn left_semi_joins(from: &mut TableWithJoins) {
    let is_right = |join: &Join| matches!(join.join_operator, JoinOperator::RightSemi(_) | JoinOperator::RightAnti(_));
    if from.joins.iter().any(is_right) {
        let mut relation = from.relation.clone();
        let mut pending: Vec<Join> = Vec::new();
        for join in std::mem::take(&mut from.joins) {
            let join_operator = match join.join_operator {
                JoinOperator::RightSemi(constraint) => JoinOperator::LeftSemi(constraint),
                JoinOperator::RightAnti(constraint) => JoinOperator::LeftAnti(constraint),
                join_operator => {
                    pending.push(Join { join_operator, ..join });
                    continue;
                }
            };
            let left = nested(relation, std::mem::take(&mut pending));
            relation = join.relation;
            pending.push(Join { relation: left, global: false, join_operator });
        }
        from.relation = relation;
        from.joins = pending;
    }
    for join in &mut from.joins {
        join.join_operator = match std::mem::replace(&mut join.join_operator, JoinOperator::CrossJoin(JoinConstraint::None)) {
            JoinOperator::Semi(constraint) => JoinOperator::LeftSemi(constraint),
            JoinOperator::Anti(constraint) => JoinOperator::LeftAnti(constraint),
            other => other,
        };
    }
}
