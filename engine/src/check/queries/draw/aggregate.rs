//! Aggregates.

use rand::Rng;

use super::super::tree::{Expr, Type};
use super::{Draw, Scope};

impl Draw<'_> {
    /// An aggregate with a result of type `ty`, over expressions of `scope`.
    pub(super) fn aggregate(&mut self, scope: &Scope, ty: Type) -> Expr {
        let (call, feature) = self.aggregate_call(scope, ty);
        self.uses(feature);
        // What stands in a cast takes no FILTER behind it.
        if self.chance(15) && !call.to_string().starts_with("CAST(") {
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
            ("nth_value(?, 2 ORDER BY ?)", ty, any, "first / last"),
            ("arg_min(?, ?)", ty, any, "arg_min / arg_max"),
            ("arg_max(?, ?)", ty, any, "arg_min / arg_max"),
            ("any_value(?)", ty, ty, "any_value"),
        ];
        let own: &[(&str, Type, Type, &'static str)] = match ty {
            Type::Big => &[
                ("count(?)", any, any, "count"),
                ("count(DISTINCT ?)", any, any, "count distinct"),
                ("sum(?)", whole, whole, "sum"),
                ("sum(DISTINCT ?)", whole, whole, "sum distinct"),
                ("bit_xor(?)", Type::Big, Type::Big, "bits"),
                ("bit_and(?)", Type::Big, Type::Big, "bits"),
                ("bit_or(?)", Type::Big, Type::Big, "bits"),
                ("count(?, ?)", any, whole, "count"),
                ("count(DISTINCT ?, ?)", any, any, "count distinct"),
                ("CAST(regr_count(?, ?) AS BIGINT)", Type::Double, Type::Double, "variance"),
            ],
            Type::Double => &[
                ("avg(?)", Type::Double, ty, "avg"),
                ("avg(?)", whole, ty, "avg"),
                ("sum(?)", Type::Double, ty, "sum"),
                ("stddev_samp(?)", Type::Double, ty, "variance"),
                ("var_pop(?)", Type::Big, ty, "variance"),
                ("covar_samp(?, ?)", Type::Double, Type::Double, "variance"),
                ("regr_slope(?, ?)", Type::Double, Type::Double, "variance"),
                ("corr(?, ?)", Type::Double, Type::Double, "variance"),
                ("median(?)", Type::Double, ty, "percentile"),
                ("percentile_cont(0.25) WITHIN GROUP (ORDER BY ?)", Type::Double, ty, "percentile"),
            ],
            Type::Decimal => &[
                ("CAST(sum(?) AS DECIMAL(12, 2))", Type::Decimal, ty, "sum"),
                ("CAST(avg(?) AS DECIMAL(12, 2))", Type::Decimal, ty, "avg"),
                ("CAST(median(?) AS DECIMAL(12, 2))", Type::Decimal, ty, "percentile"),
            ],
            Type::Bool => &[("bool_and(?)", Type::Bool, ty, "bool"), ("bool_or(?)", Type::Bool, ty, "bool")],
            Type::Text => &[
                ("string_agg(?, ',' ORDER BY ?)", Type::Text, any, "string_agg"),
                ("string_agg(DISTINCT ?, '')", Type::Text, any, "string_agg"),
                ("CAST(json_agg(? ORDER BY ?) AS VARCHAR)", Type::Big, any, "json_agg"),
                ("CAST(jsonb_object_agg(COALESCE(?, ''), ?) AS VARCHAR)", Type::Text, Type::Big, "json_agg"),
                ("CAST(map_agg(COALESCE(?, ''), ?) AS VARCHAR)", Type::Text, any, "map_agg"),
            ],
            Type::Numbers => &[
                ("array_agg(?)", Type::Big, any, "array_agg"),
                ("array_agg(? ORDER BY ? DESC)", Type::Big, any, "array_agg"),
                ("array_agg(DISTINCT ?)", Type::Big, any, "array_agg"),
                ("CAST(map_values(map_agg(COALESCE(?, 0), ?)) AS BIGINT[])", Type::Big, Type::Big, "map_agg"),
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
}
