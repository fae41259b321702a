//! What a SELECT reads: tables, CTEs, derived tables, joins, lateral subqueries.

use rand::Rng;

use super::super::tree::{Body, Expr, From, Query, Type};
use super::{Draw, Scope, Table};

impl Draw<'_> {
    /// Something to read, and its columns.
    pub(super) fn from(&mut self, depth: usize) -> (From, Vec<Expr>) {
        let (mut from, mut leaves) = self.factor(depth);
        while self.budget > 0 && self.chance(35) {
            (from, leaves) = self.join(depth, from, leaves);
        }
        (from, leaves)
    }

    /// One relation. It does not see the queries around: only what is lateral does.
    fn factor(&mut self, depth: usize) -> (From, Vec<Expr>) {
        self.budget = self.budget.saturating_sub(1);
        if depth > 0 && self.budget > 0 && self.chance(25) {
            self.uses("derived table");
            let columns = self.columns(3);
            let query = self.query(depth - 1, &columns, &[]);
            return self.derived(query, false);
        }
        if self.chance(9) {
            return self.special(depth);
        }
        let table = self.table();
        self.relation(table)
    }

    /// A table or a common table.
    pub(super) fn table(&mut self) -> Table {
        let mut choices: Vec<Table> = self.tables.to_vec();
        choices.extend(self.common.iter().flat_map(|table| [table.clone(), table.clone(), table.clone()]));
        self.pick(&choices).clone()
    }

    /// `table` with an alias, and its columns.
    pub(super) fn relation(&mut self, table: Table) -> (From, Vec<Expr>) {
        let alias = self.name();
        let leaves = columns_of(&alias, &table.columns);
        (From::Relation { name: table.name, alias }, leaves)
    }

    fn derived(&mut self, query: Query, lateral: bool) -> (From, Vec<Expr>) {
        let alias = self.name();
        let leaves = columns_of(&alias, &query.columns);
        (From::Derived { query: Box::new(query), alias, lateral }, leaves)
    }

    fn join(&mut self, depth: usize, left: From, leaves: Vec<Expr>) -> (From, Vec<Expr>) {
        match self.rng.random_range(0..100) {
            0..12 if depth > 0 => return self.lateral(depth, left, leaves),
            12..20 => return self.elements(left, leaves),
            _ => {}
        }
        let (right, added) = self.factor(depth);
        if self.chance(10)
            && let Some((matching, on)) = self.asof(&leaves, &added)
        {
            let kind = *self.pick(&["ASOF JOIN", "ASOF LEFT JOIN"]);
            self.uses(kind);
            let join = From::Join { kind, left: Box::new(left), right: Box::new(right), matching: Some(matching), on: Some(on) };
            return (join, leaves.into_iter().chain(added).collect());
        }
        let kinds = ["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "LEFT SEMI JOIN", "LEFT ANTI JOIN"];
        let kind = *self.pick(&kinds);
        self.uses(kind);
        let on = (kind != "CROSS JOIN").then(|| self.condition(&leaves, &added));
        let mut columns = leaves;
        if !kind.contains("SEMI") && !kind.contains("ANTI") {
            columns.extend(added);
        }
        (From::join(kind, left, right, on), columns)
    }

    fn lateral(&mut self, depth: usize, left: From, leaves: Vec<Expr>) -> (From, Vec<Expr>) {
        self.uses("LATERAL");
        let columns = self.columns(2);
        self.budget = self.budget.max(1);
        let mut query = self.query(depth - 1, &columns, &leaves);
        let is_plain = matches!(&query.body, Body::Select(_)) && query.order.is_empty();
        if is_plain && self.chance(40) {
            self.uses("LATERAL with LIMIT");
            self.limit(&mut query);
        }
        let (right, added) = self.derived(query, true);
        let (kind, on) = match self.rng.random_range(0..2) {
            0 => ("CROSS JOIN", None),
            _ => ("LEFT JOIN", Some(Expr::text(Type::Bool, "true"))),
        };
        let columns = leaves.into_iter().chain(added).collect();
        (From::join(kind, left, right, on), columns)
    }

    /// The elements of a list, or a series, beside each row.
    fn elements(&mut self, left: From, leaves: Vec<Expr>) -> (From, Vec<Expr>) {
        let scope = Scope::of_columns(leaves.clone());
        let alias = self.name();
        let ordinality = self.chance(25);
        let mut call = if self.chance(60) {
            self.uses("UNNEST");
            let list = self.expr(&scope, Type::Numbers, 1);
            Expr::of(Type::Numbers, "UNNEST(?)", vec![list])
        } else {
            self.uses("generate_series");
            let bound = self.expr(&scope, Type::Big, 1);
            // Never more than a few rows: bounds may be as large as a BIGINT is.
            let template =
                *self.pick(&["generate_series(1, ? % 4)", "generate_series(? % 3, 2)", "generate_series(5, ? % 5, -2)"]);
            Expr::of(Type::Big, template, vec![bound])
        };
        if ordinality {
            self.uses("WITH ORDINALITY");
            call = Expr::of(call.ty, "? WITH ORDINALITY", vec![call]);
        }
        let columns = 1 + usize::from(ordinality);
        let added = columns_of(&alias, &vec![Type::Big; columns]);
        let right = From::Rows { call, alias, columns };
        let (kind, on) = match self.rng.random_range(0..3) {
            0 => ("LEFT JOIN", Some(Expr::text(Type::Bool, "true"))),
            1 if !leaves.is_empty() => ("JOIN", Some(self.condition(&leaves, &added))),
            _ => ("CROSS JOIN", None),
        };
        (From::join(kind, left, right, on), leaves.into_iter().chain(added).collect())
    }

    /// The conditions of an as-of join: the order and the keys.
    fn asof(&mut self, left: &[Expr], right: &[Expr]) -> Option<(Expr, Expr)> {
        let ordered = |leaf: &&Expr| matches!(leaf.ty, Type::Timestamp | Type::Date | Type::Big | Type::Int);
        let pairs: Vec<(&Expr, &Expr)> = left
            .iter()
            .filter(ordered)
            .flat_map(|l| right.iter().filter(|r| r.ty == l.ty).map(move |r| (l, r)))
            .filter(|(l, _)| l.ty == Type::Timestamp || !left.iter().any(|leaf| leaf.ty == Type::Timestamp))
            .collect();
        if pairs.is_empty() {
            return None;
        }
        let (l, r) = *self.pick(&pairs);
        let template = *self.pick(&["(? >= ?)", "(? > ?)", "(? <= ?)", "(? < ?)"]);
        let matching = Expr::of(Type::Bool, template, vec![l.clone(), r.clone()]);
        let keys: Vec<(&Expr, &Expr)> =
            left.iter().flat_map(|l| right.iter().filter(|r| r.ty == l.ty).map(move |r| (l, r))).collect();
        let (l, r) = *self.pick(&keys);
        Some((matching, Expr::of(Type::Bool, "(? = ?)", vec![l.clone(), r.clone()])))
    }

    /// ON: mostly an equality of two columns of one type, and sometimes more.
    pub(super) fn condition(&mut self, left: &[Expr], right: &[Expr]) -> Expr {
        let scope = Scope::of_columns(left.iter().chain(right).cloned().collect());
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

/// The columns `c0 ..` of `alias`.
pub(super) fn columns_of(alias: &str, columns: &[Type]) -> Vec<Expr> {
    columns.iter().enumerate().map(|(index, &ty)| Expr::text(ty, format!("{alias}.c{index}"))).collect()
}
