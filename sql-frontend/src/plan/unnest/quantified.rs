//! EXISTS, IN, ANY and ALL, with the three truth values of SQL.
//!
//! `x IN (S)` is true if a row of S equals x; else NULL if S has a row whose comparison with x is NULL: if it has a NULL, or x is NULL and S has a row at
//! all; else false. Each of these is a question whether S has a row of some kind for the outer row, answered by a join with the set of the keys that
//! have one: so a change of S that does not change an answer changes nothing. `x < ANY (S)` compares with the greatest value of S, `x <> ANY (S)` with
//! the least and the greatest, in place of the first question; `x op ALL (S)` is the negation of `x` (not op) `ANY (S)`. As a condition of WHERE,
//! EXISTS and IN are semi joins and their negations anti joins.

use datafusion_common::{Result, ScalarValue};
use datafusion_expr::expr::{AggregateFunction, Case, SetQuantifier};
use datafusion_expr::{Distinct, Expr, ExprSchemable, Filter, JoinType, LogicalPlan, Operator, binary_expr};

use super::lift::{Asked, Lifted, has_always_a_row, join_conditions};
use super::outer::{boolean, bound, equality};
use super::{Rows, Unnesting, plans};
use crate::plan::functions::FUNCTIONS;

/// An equality between an expression over the outer rows and one over those of a subquery.
type Pair = (Expr, Expr);

impl Unnesting {
    /// The `rows` for which `subquery` has a row; or has none, if `negated`.
    pub(super) fn where_exists(&mut self, rows: Rows, subquery: &LogicalPlan, negated: bool) -> Result<Rows> {
        let lifted = match self.lifted(&rows, subquery, Asked::Presence)? {
            Some(lifted) => lifted,
            None => self.over_domain(&rows, subquery)?,
        };
        if lifted.default.is_some() || (lifted.residual.is_empty() && lifted.keys.is_empty() && has_always_a_row(&lifted.plan)) {
            return constant_condition(rows, !negated);
        }
        let join_type = if negated { JoinType::LeftAnti } else { JoinType::LeftSemi };
        if lifted.residual.is_empty() {
            return Ok(self.matched(rows, join_type, &lifted, None, vec![])?.0);
        }
        let conditions = join_conditions(&lifted.keys, &lifted.residual, rows.schema())?;
        rows.join(lifted.plan, join_type, conditions)
    }

    /// `rows` with a column from which it can be told whether `subquery` has a row. Returns that condition.
    pub(super) fn exists(&mut self, rows: Rows, subquery: &LogicalPlan, negated: bool) -> Result<(Rows, Expr)> {
        let lifted = self.keyed(&rows, subquery, Asked::Presence)?;
        if lifted.default.is_some() || (lifted.keys.is_empty() && has_always_a_row(&lifted.plan)) {
            return Ok((rows, boolean(!negated)));
        }
        let (rows, found) = self.matched(rows, JoinType::Left, &lifted, None, vec![])?;
        Ok((rows, if negated { found.is_null() } else { found.is_not_null() }))
    }

    /// The `rows` for which `value` is in `subquery`.
    pub(super) fn where_in(&mut self, rows: Rows, value: Expr, subquery: &LogicalPlan) -> Result<Rows> {
        let lifted = match self.lifted(&rows, subquery, Asked::Set)? {
            Some(lifted) if lifted.default.is_none() => lifted,
            _ => self.over_domain(&rows, subquery)?,
        };
        let mut conditions = join_conditions(&lifted.keys, &lifted.residual, rows.schema())?;
        conditions.push(equality(value, bound(lifted.outputs[0].clone(), rows.schema())?, false));
        rows.join(lifted.plan, JoinType::LeftSemi, conditions)
    }

    /// The `rows` for which it is true that `value` is not in `subquery`: no row equals it, and no comparison is NULL.
    pub(super) fn where_not_in(&mut self, rows: Rows, value: Expr, subquery: &LogicalPlan) -> Result<Rows> {
        let set = self.keyed_columns(&rows, subquery, Asked::Set)?;
        let element = set.outputs[0].clone();
        let (value_nullable, element_nullable) = (value.nullable(rows.schema())?, element.nullable(set.plan.schema())?);
        let anti = JoinType::LeftAnti;
        let mut rows = rows;
        if element_nullable {
            rows = self.matched(rows, anti, &set, Some(element.clone().is_null()), vec![])?.0;
        }
        if value_nullable {
            rows = self.matched(rows, anti, &set, None, vec![(value.clone().is_null(), boolean(true))])?.0;
        }
        Ok(self.matched(rows, anti, &set, None, vec![(value, element)])?.0)
    }

    /// `rows` with columns from which it can be told whether `value` is in `subquery`. Returns the truth value.
    pub(super) fn is_in(&mut self, rows: Rows, value: Expr, subquery: &LogicalPlan) -> Result<(Rows, Expr)> {
        let set = self.keyed_columns(&rows, subquery, Asked::Set)?;
        let element = set.outputs[0].clone();
        let not_null = element.nullable(set.plan.schema())?.then(|| element.clone().is_not_null());
        let (rows, found) = self.matched(rows, JoinType::Left, &set, not_null, vec![(value.clone(), element)])?;
        self.truth(rows, &set, value, found.is_not_null())
    }

    /// The same for the comparison of `value` with any or all rows of `subquery`.
    pub(super) fn compared(
        &mut self,
        rows: Rows,
        value: Expr,
        op: Operator,
        quantifier: &SetQuantifier,
        subquery: &LogicalPlan,
    ) -> Result<(Rows, Expr)> {
        let any = match quantifier {
            SetQuantifier::Any => op,
            SetQuantifier::All => match op.negate() {
                Some(negated) => negated,
                None => return Err(plans::unsupported(format!("the operator {op} with ALL"))),
            },
        };
        let (rows, truth) = match any {
            Operator::Eq => self.is_in(rows, value, subquery)?,
            _ => self.compared_with_any(rows, value, any, subquery)?,
        };
        Ok((rows, if *quantifier == SetQuantifier::All { Expr::Not(Box::new(truth)) } else { truth }))
    }

    fn compared_with_any(&mut self, rows: Rows, value: Expr, op: Operator, subquery: &LogicalPlan) -> Result<(Rows, Expr)> {
        let extremes: &[&str] = match op {
            Operator::Lt | Operator::LtEq => &["max"],
            Operator::Gt | Operator::GtEq => &["min"],
            Operator::NotEq => &["min", "max"],
            _ => return Err(plans::unsupported(format!("the operator {op} with ANY or ALL"))),
        };
        let set = self.keyed_columns(&rows, subquery, Asked::Set)?;
        let calls = extremes.iter().map(|name| aggregate_call(name, set.outputs[0].clone())).collect::<Result<_>>()?;
        let inner: Vec<Expr> = set.keys.iter().map(|key| key.inner.clone()).collect();
        let (plan, named) = plans::aggregated(set.plan.clone(), inner, calls, &mut self.fresh)?;
        let (keys, extremes) = named.split_at(set.keys.len());
        let conditions = self.key_conditions(&set, keys, &rows)?;
        let join_type = if keys.is_empty() { JoinType::Inner } else { JoinType::Left };
        let rows = rows.join(plan, join_type, conditions)?;
        let found = extremes.iter().map(|extreme| binary_expr(value.clone(), op, extreme.clone())).reduce(Expr::or);
        self.truth(rows, &set, value, found.unwrap_or_else(|| boolean(false)))
    }

    /// True if `found` is; else NULL if a comparison of `value` with a row of `set` is; else false.
    fn truth(&mut self, rows: Rows, set: &Lifted, value: Expr, found: Expr) -> Result<(Rows, Expr)> {
        let element = set.outputs[0].clone();
        let mut rows = rows;
        let mut unknown: Option<Expr> = None;
        if element.nullable(set.plan.schema())? {
            let (joined, has_null) = self.matched(rows, JoinType::Left, set, Some(element.is_null()), vec![])?;
            rows = joined;
            unknown = Some(has_null.is_not_null());
        }
        if value.nullable(rows.schema())? {
            let pair = (value.is_null(), boolean(true));
            let (joined, is_null) = self.matched(rows, JoinType::Left, set, None, vec![pair])?;
            rows = joined;
            let is_null = is_null.is_not_null();
            unknown = Some(unknown.map_or(is_null.clone(), |unknown| unknown.or(is_null)));
        }
        let branches = [(Some(found), ScalarValue::Boolean(Some(true))), (unknown, ScalarValue::Boolean(None))];
        let branches = branches
            .into_iter()
            .filter_map(|(condition, value)| Some((Box::new(condition?), Box::new(Expr::Literal(value, None)))));
        let truth = Case { expr: None, when_then_expr: branches.collect(), else_expr: Some(Box::new(boolean(false))) };
        Ok((rows, Expr::Case(truth)))
    }

    /// `rows` joined with the rows of `set` for which `filter` is true, by the keys and `pairs`. Of the outer join with them as a set, the column that is
    /// not NULL for rows with a match is returned too.
    fn matched(
        &mut self,
        rows: Rows,
        join_type: JoinType,
        set: &Lifted,
        filter: Option<Expr>,
        pairs: Vec<Pair>,
    ) -> Result<(Rows, Expr)> {
        let mut plan = set.plan.clone();
        if let Some(filter) = filter {
            plan = LogicalPlan::Filter(Filter::try_new(filter, plan.into())?);
        }
        let (values, elements): (Vec<Expr>, Vec<Expr>) = pairs.into_iter().unzip();
        // Of a semi or anti join the right side is no set, but one row is enough of many that are the same.
        let all_the_same = set.keys.is_empty() && !elements.iter().any(super::outer::reads_columns);
        let inner = set.keys.iter().map(|key| key.inner.clone());
        let (plan, mut named) = plans::projected(plan, inner.chain(elements).chain([boolean(true)]).collect(), &mut self.fresh)?;
        let found = named.remove(named.len() - 1);
        let as_set = join_type == JoinType::Left || all_the_same;
        let plan = if as_set { LogicalPlan::Distinct(Distinct::All(plan.into())) } else { plan };
        let (keys, elements) = named.split_at(set.keys.len());
        let mut conditions = self.key_conditions(set, keys, &rows)?;
        conditions.extend(values.into_iter().zip(elements).map(|(value, element)| equality(value, element.clone(), false)));
        Ok((rows.join(plan, join_type, conditions)?, found))
    }

    /// The keys of `set` as conditions, where its columns are `named`.
    fn key_conditions(&self, set: &Lifted, named: &[Expr], rows: &Rows) -> Result<Vec<Expr>> {
        let keys = set.keys.iter().zip(named);
        keys.map(|(key, inner)| Ok(equality(bound(key.outer.clone(), rows.schema())?, inner.clone(), key.null_safe))).collect()
    }
}

fn constant_condition(rows: Rows, holds: bool) -> Result<Rows> {
    if holds { Ok(rows) } else { rows.filter(boolean(false)) }
}

fn aggregate_call(name: &str, argument: Expr) -> Result<Expr> {
    let Some(function) = FUNCTIONS.aggregate(name) else {
        return datafusion_common::internal_err!("there is no {name}");
    };
    Ok(Expr::AggregateFunction(AggregateFunction::new_udf(function.clone(), vec![argument], false, None, vec![], None)))
}
