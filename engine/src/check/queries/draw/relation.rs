//! What a SELECT reads: tables, CTEs, derived tables, joins, lateral subqueries.

use rand::Rng;

use super::super::tree::{Expr, From, Query, Type};
use super::{Draw, Scope, Table};

impl Draw<'_> {
    /// Something to read, and its columns.
    pub(super) fn from(&mut self, depth: usize, outer: &[Expr]) -> (From, Vec<Expr>) {
        let (mut from, mut leaves) = self.factor(depth, outer);
        while self.budget > 0 && self.chance(35) {
            (from, leaves) = self.join(depth, from, leaves, outer);
        }
        (from, leaves)
    }

    fn factor(&mut self, depth: usize, outer: &[Expr]) -> (From, Vec<Expr>) {
        self.budget = self.budget.saturating_sub(1);
        if depth > 0 && self.budget > 0 && self.chance(25) {
            self.uses("derived table");
            let columns = self.columns(3);
            // A derived table sees the queries around only if it is lateral, and what is around a lateral one in turn.
            let _ = outer;
            let query = self.query(depth - 1, &columns, &[]);
            return self.derived(query, false);
        }
        let mut choices: Vec<Table> = self.tables.to_vec();
        choices.extend(self.common.iter().flat_map(|table| [table.clone(), table.clone(), table.clone()]));
        let Table { name, columns } = self.pick(&choices).clone();
        let alias = self.name();
        let leaves = columns_of(&alias, &columns);
        (From::Relation { name, alias }, leaves)
    }

    fn derived(&mut self, query: Query, lateral: bool) -> (From, Vec<Expr>) {
        let alias = self.name();
        let leaves = columns_of(&alias, &query.columns);
        (From::Derived { query: Box::new(query), alias, lateral }, leaves)
    }

    fn join(&mut self, depth: usize, left: From, leaves: Vec<Expr>, outer: &[Expr]) -> (From, Vec<Expr>) {
        if depth > 0 && self.chance(12) {
            return self.lateral(depth, left, leaves);
        }
        let (right, added) = self.factor(depth, outer);
        let kinds = ["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "LEFT SEMI JOIN", "LEFT ANTI JOIN"];
        let kind = *self.pick(&kinds);
        self.uses(kind);
        let on = (kind != "CROSS JOIN").then(|| self.condition(&leaves, &added));
        let mut columns = leaves;
        if !kind.contains("SEMI") && !kind.contains("ANTI") {
            columns.extend(added);
        }
        (From::Join { kind, left: Box::new(left), right: Box::new(right), on }, columns)
    }

    fn lateral(&mut self, depth: usize, left: From, leaves: Vec<Expr>) -> (From, Vec<Expr>) {
        self.uses("LATERAL");
        let columns = self.columns(2);
        self.budget = self.budget.max(1);
        let query = self.query(depth - 1, &columns, &leaves);
        let (right, added) = self.derived(query, true);
        let (kind, on) = match self.rng.random_range(0..2) {
            0 => ("CROSS JOIN", None),
            _ => ("LEFT JOIN", Some(Expr::text(Type::Bool, "true"))),
        };
        let columns = leaves.into_iter().chain(added).collect();
        (From::Join { kind, left: Box::new(left), right: Box::new(right), on }, columns)
    }

    /// ON: mostly an equality of two columns of one type, and sometimes more.
    fn condition(&mut self, left: &[Expr], right: &[Expr]) -> Expr {
        let scope = Scope { leaves: left.iter().chain(right).cloned().collect(), ..Scope::default() };
        let Some(equality) = self.equality(left, right) else { return self.expr(&scope, Type::Bool, 1) };
        match self.rng.random_range(0..10) {
            0 | 1 => {
                let more = self.expr(&scope, Type::Bool, 1);
                Expr::of(Type::Bool, "(? AND ?)", vec![equality, more])
            }
            2 => self.expr(&scope, Type::Bool, 1),
            _ => equality,
        }
    }

    fn equality(&mut self, left: &[Expr], right: &[Expr]) -> Option<Expr> {
        let pairs: Vec<(&Expr, &Expr)> =
            left.iter().flat_map(|l| right.iter().filter(|r| r.ty == l.ty).map(move |r| (l, r))).collect();
        if pairs.is_empty() {
            return None;
        }
        let (l, r) = *self.pick(&pairs);
        let template = if self.chance(12) { "(? IS NOT DISTINCT FROM ?)" } else { "(? = ?)" };
        Some(Expr::of(Type::Bool, template, vec![l.clone(), r.clone()]))
    }

    /// A condition that refers to a query around.
    pub(super) fn correlation(&mut self, scope: &Scope) -> Option<Expr> {
        self.uses("correlated");
        if self.chance(70) {
            return self.equality(&scope.leaves, &scope.outer);
        }
        let template = *self.pick(&["(? < ?)", "(? >= ?)", "(? <> ?)"]);
        let pairs: Vec<(&Expr, &Expr)> = scope
            .leaves
            .iter()
            .flat_map(|inner| scope.outer.iter().filter(|outer| outer.ty == inner.ty).map(move |outer| (inner, outer)))
            .collect();
        if pairs.is_empty() {
            return None;
        }
        let (inner, outer) = *self.pick(&pairs);
        Some(Expr::of(Type::Bool, template, vec![inner.clone(), outer.clone()]))
    }
}

fn columns_of(alias: &str, columns: &[Type]) -> Vec<Expr> {
    columns.iter().enumerate().map(|(index, &ty)| Expr::text(ty, format!("{alias}.c{index}"))).collect()
}
