//! Window functions.

use rand::Rng;

use super::super::tree::{Expr, Type};
use super::{Draw, Scope};

/// What a window function is, as far as its clauses go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rank,
    Offset,
    Value,
    Aggregate,
}

impl Draw<'_> {
    /// A window function with a result of type `ty`, over expressions of `scope`.
    pub(super) fn window(&mut self, scope: &Scope, ty: Type) -> Expr {
        let (call, argument, kind) = self.window_call(ty);
        let mut parts: Vec<Expr> = call.matches('?').map(|_| self.expr(scope, argument, 1)).collect();
        let mut text = call.to_owned();
        match kind {
            Kind::Offset | Kind::Value if self.chance(20) => {
                self.uses("IGNORE NULLS");
                text.push_str(" IGNORE NULLS");
            }
            Kind::Aggregate if self.chance(15) => {
                self.uses("FILTER OVER");
                text.push_str(" FILTER (WHERE ?)");
                parts.push(self.expr(scope, Type::Bool, 1));
            }
            _ => {}
        }
        text.push_str(" OVER (");
        if self.chance(60) && !scope.leaves.is_empty() {
            text.push_str("PARTITION BY ? ");
            parts.push(self.pick(&scope.leaves).clone());
        }
        let mut by = None;
        if self.chance(85) && !scope.leaves.is_empty() {
            let key = self.pick(&scope.leaves).clone();
            by = Some(key.ty);
            text.push_str(&format!("ORDER BY ?{}", self.pick(&["", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"])));
            parts.push(key);
            if self.chance(20) {
                by = None;
                text.push_str(", ?");
                parts.push(self.pick(&scope.leaves).clone());
            }
        }
        if matches!(kind, Kind::Value | Kind::Aggregate) && text.contains("ORDER BY") && self.chance(60) {
            text.push_str(self.frame(by));
            if self.chance(15) {
                self.uses("EXCLUDE");
                let exclusion = *self.pick(&[" EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"]);
                text.push_str(exclusion);
            }
        }
        text.push(')');
        // Ranks and counts are of whatever type; the query wants this one.
        let text = if matches!(ty, Type::Big | Type::Decimal) { format!("CAST({text} AS {})", ty.sql()) } else { text };
        Expr::of(ty, &text, parts)
    }

    /// A call, the type of its arguments, and its kind.
    fn window_call(&mut self, ty: Type) -> (&'static str, Type, Kind) {
        let ranks = ["row_number()", "rank()", "dense_rank()", "ntile(3)", "row_number()", "rank()"];
        let shares = ["percent_rank()", "cume_dist()"];
        let offsets = ["lag(?)", "lead(?)", "lag(?, 2)", "lead(?, 1)", "lead(?, 3)"];
        let values = ["first_value(?)", "last_value(?)", "nth_value(?, 2)"];
        let number = *self.pick(&[Type::Int, Type::Big]);
        match (self.rng.random_range(0..10), ty) {
            (0..4, Type::Big) => {
                self.uses("ranks");
                (*self.pick(&ranks), ty, Kind::Rank)
            }
            (0..2, Type::Double) => {
                self.uses("percent_rank / cume_dist");
                (*self.pick(&shares), ty, Kind::Rank)
            }
            (4..8, Type::Big) => {
                self.uses("aggregates OVER");
                (*self.pick(&["count(*)", "sum(?)", "count(?)"]), number, Kind::Aggregate)
            }
            (2..7, Type::Double) => {
                self.uses("aggregates OVER");
                let (call, of) = *self.pick(&[("sum(?)", Type::Double), ("avg(?)", number), ("avg(?)", Type::Double)]);
                (call, of, Kind::Aggregate)
            }
            (2..7, Type::Decimal) => {
                self.uses("aggregates OVER");
                (*self.pick(&["sum(?)", "avg(?)"]), ty, Kind::Aggregate)
            }
            (0..4, _) => {
                self.uses("lag / lead");
                (*self.pick(&offsets), ty, Kind::Offset)
            }
            (4..7, Type::Int | Type::Text | Type::Date | Type::Timestamp) => {
                self.uses("min / max OVER");
                (*self.pick(&["min(?)", "max(?)"]), ty, Kind::Aggregate)
            }
            _ => {
                self.uses("first / last OVER");
                (*self.pick(&values), ty, Kind::Value)
            }
        }
    }

    /// A frame of an order; `by` is the type of its key if it is one that distances may be of.
    fn frame(&mut self, by: Option<Type>) -> &'static str {
        self.uses("frames");
        let mut frames = vec![
            " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
            " ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING",
            " ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
            " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
            " ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING",
            " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
            " GROUPS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            " GROUPS BETWEEN 1 FOLLOWING AND 2 FOLLOWING",
            " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            " RANGE BETWEEN CURRENT ROW AND CURRENT ROW",
        ];
        match by {
            Some(Type::Int | Type::Big | Type::Double | Type::Decimal) => frames.extend([
                " RANGE BETWEEN 1 PRECEDING AND CURRENT ROW",
                " RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING",
                " RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING",
            ]),
            Some(Type::Timestamp) => frames.extend([
                " RANGE BETWEEN INTERVAL '5' SECOND PRECEDING AND CURRENT ROW",
                " RANGE BETWEEN INTERVAL '1' SECOND FOLLOWING AND INTERVAL '9' SECOND FOLLOWING",
            ]),
            Some(Type::Date) => frames.push(" RANGE BETWEEN INTERVAL '20' DAY PRECEDING AND CURRENT ROW"),
            _ => {}
        }
        frames[self.rng.random_range(0..frames.len())]
    }
}
