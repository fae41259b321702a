//! Aggregates and window functions.

use rand::Rng;

use super::super::tree::{Expr, Type};
use super::{Draw, Scope};

impl Draw<'_> {
    /// An aggregate with a result of type `ty`, over expressions of `scope`.
    pub(super) fn aggregate(&mut self, scope: &Scope, ty: Type) -> Expr {
        let (call, feature) = self.aggregate_call(scope, ty);
        self.uses(feature);
        if self.chance(15) {
            self.uses("FILTER");
            let filter = self.expr(scope, Type::Bool, 1);
            return Expr::of(ty, "? FILTER (WHERE ?)", vec![call, filter]);
        }
        call
    }

    fn aggregate_call(&mut self, scope: &Scope, ty: Type) -> (Expr, &'static str) {
        let whole = *self.pick(&[Type::Int, Type::Big]);
        let any = *self.pick(&Type::ALL);
        // Template, type of its first part, of its second, and a name for the report.
        let extremes = [("min(?)", ty, ty, "min / max"), ("max(?)", ty, ty, "min / max")];
        let ordered = [
            ("first_value(? ORDER BY ?)", ty, any, "first / last"),
            ("last_value(? ORDER BY ? DESC)", ty, any, "first / last"),
            ("mode() WITHIN GROUP (ORDER BY ?)", ty, ty, "mode"),
            ("percentile_disc(0.5) WITHIN GROUP (ORDER BY ?)", ty, ty, "percentile"),
        ];
        let own: &[(&str, Type, Type, &'static str)] = match ty {
            Type::Big => &[
                ("count(?)", any, any, "count"),
                ("count(DISTINCT ?)", any, any, "count distinct"),
                ("sum(?)", whole, whole, "sum"),
                ("sum(DISTINCT ?)", whole, whole, "sum distinct"),
                ("bit_xor(?)", Type::Big, Type::Big, "bits"),
            ],
            Type::Double => &[
                ("avg(?)", Type::Double, ty, "avg"),
                ("avg(?)", whole, ty, "avg"),
                ("sum(?)", Type::Double, ty, "sum"),
                ("stddev_samp(?)", Type::Double, ty, "variance"),
                ("var_pop(?)", Type::Big, ty, "variance"),
                ("corr(?, ?)", Type::Double, Type::Double, "variance"),
                ("median(?)", Type::Double, ty, "percentile"),
                ("percentile_cont(0.25) WITHIN GROUP (ORDER BY ?)", Type::Double, ty, "percentile"),
            ],
            Type::Decimal => &[("sum(?)", Type::Decimal, ty, "sum")],
            Type::Bool => &[("bool_and(?)", Type::Bool, ty, "bool"), ("bool_or(?)", Type::Bool, ty, "bool")],
            Type::Text => &[
                ("string_agg(?, ',' ORDER BY ?)", Type::Text, any, "string_agg"),
                ("string_agg(DISTINCT ?, '')", Type::Text, any, "string_agg"),
            ],
            _ => &[],
        };
        if ty == Type::Big && self.chance(20) {
            return (Expr::text(ty, "count(*)"), "count");
        }
        let choices: Vec<_> = match self.rng.random_range(0..10) {
            0..5 if !own.is_empty() => own.to_vec(),
            0..8 if ty != Type::Bool => extremes.to_vec(),
            _ if ty != Type::Bool => ordered.to_vec(),
            _ => own.to_vec(),
        };
        let (template, first, second, feature) = *self.pick(&choices);
        let mut parts = vec![self.expr(scope, first, 1)];
        if template.matches('?').count() > 1 {
            parts.push(self.expr(scope, second, 1));
        }
        (Expr::of(ty, template, parts), feature)
    }

    /// A window function with a result of type `ty`.
    pub(super) fn window(&mut self, scope: &Scope, ty: Type) -> Expr {
        let mut parts = Vec::new();
        let ranks = ["row_number()", "rank()", "dense_rank()", "ntile(3)"];
        let value = *self.pick(&["first_value(?)", "last_value(?)", "nth_value(?, 2)", "min(?)", "max(?)"]);
        let (call, framed, offset) = match self.rng.random_range(0..10) {
            0..5 if ty == Type::Big => (format!("CAST({} ", self.pick(&ranks)), false, false),
            5..8 if ty == Type::Big => (self.pick(&["count(*) ", "sum(?) ", "count(?) "]).to_string(), true, false),
            _ if ty == Type::Bool => (self.pick(&["lag(?) ", "lead(?) "]).to_string(), false, true),
            0..3 => (self.pick(&["lag(?) ", "lead(?) ", "lag(?, 2) ", "lead(?, 1) "]).to_string(), false, true),
            _ => (format!("{value} "), true, false),
        };
        self.uses(if offset {
            "lag / lead"
        } else if framed {
            "frames"
        } else {
            "ranks"
        });
        for _ in call.matches('?') {
            parts.push(self.expr(scope, ty, 1));
        }
        let mut text = call;
        text.push_str("OVER (");
        if self.chance(60) && !scope.leaves.is_empty() {
            text.push_str("PARTITION BY ? ");
            parts.push(self.pick(&scope.leaves).clone());
        }
        let ordered = !scope.leaves.is_empty() && self.chance(85);
        let key = if ordered { self.pick(&scope.leaves).clone() } else { Expr::text(Type::Int, "") };
        let (by, direction) = (key.ty, *self.pick(&["", " DESC", " NULLS FIRST"]));
        if ordered {
            text.push_str(&format!("ORDER BY ?{direction}"));
            parts.push(key);
        }
        if framed && ordered && self.chance(60) {
            text.push_str(self.frame(by));
        }
        text.push(')');
        if text.starts_with("CAST(") {
            text.push_str(" AS BIGINT)");
        }
        Expr::of(ty, &text, parts)
    }

    fn frame(&mut self, by: Type) -> &'static str {
        let mut frames = vec![
            " ROWS BETWEEN 1 PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING",
            " ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING",
            " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
            " ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING",
            " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW",
            " GROUPS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
            " RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            " RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
        ];
        if matches!(by, Type::Int | Type::Big) {
            frames.extend([" RANGE BETWEEN 1 PRECEDING AND CURRENT ROW", " RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING"]);
        }
        if by == Type::Timestamp {
            frames.push(" RANGE BETWEEN INTERVAL '5' SECOND PRECEDING AND CURRENT ROW");
        }
        frames[self.rng.random_range(0..frames.len())]
    }
}
