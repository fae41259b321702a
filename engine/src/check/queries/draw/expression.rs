//! Scalar expressions and subqueries in them, by type.

use rand::Rng;

use super::super::tree::{Body, Expr, Piece, Query, Select, Type};
use super::functions::{Template, name, templates, type_of};
use super::{Draw, Scope};

impl Draw<'_> {
    /// An expression of type `ty`.
    pub(in super::super) fn expr(&mut self, scope: &Scope, ty: Type, depth: usize) -> Expr {
        if depth == 0 || self.chance(35) {
            return self.leaf(scope, ty);
        }
        if scope.subqueries && self.budget > 0 && self.chance(if ty == Type::Bool { 25 } else { 6 }) {
            return self.subquery(scope, ty);
        }
        if self.chance(15) {
            return self.conditional(scope, ty, depth);
        }
        let depth = depth - 1;
        match ty {
            Type::Bool => self.predicate(scope, depth),
            _ => self.with_parts(scope, ty, depth, templates(ty)),
        }
    }

    fn leaf(&mut self, scope: &Scope, ty: Type) -> Expr {
        let own: Vec<&Expr> = scope.leaves.iter().filter(|leaf| leaf.ty == ty).collect();
        if !own.is_empty() && self.chance(85) {
            return (*self.pick(&own)).clone();
        }
        let outer: Vec<&Expr> = scope.outer.iter().filter(|leaf| leaf.ty == ty).collect();
        if !outer.is_empty() && self.chance(30) {
            self.uses("correlated");
            return (*self.pick(&outer)).clone();
        }
        if ty == Type::Big && self.chance(70) {
            let ints: Vec<&Expr> = scope.leaves.iter().filter(|leaf| leaf.ty == Type::Int).collect();
            if !ints.is_empty() {
                let int = (*self.pick(&ints)).clone();
                return Expr::of(ty, "CAST(? AS BIGINT)", vec![int]);
            }
        }
        self.literal(ty)
    }

    /// A literal from about the values that tables hold.
    pub(super) fn literal(&mut self, ty: Type) -> Expr {
        let number = self.rng.random_range(-1..5);
        if self.chance(8) {
            return Expr::text(ty, format!("CAST(NULL AS {})", ty.sql()));
        }
        let text = match ty {
            Type::Bool => format!("{}", number > 1),
            Type::Int | Type::Big => format!("CAST({number} AS {})", ty.sql()),
            Type::Decimal => format!("CAST({number}.25 AS DECIMAL(12, 2))"),
            Type::Double => format!("CAST({number}.25 AS DOUBLE)"),
            Type::Text => self.pick(&["'k1'", "'0'", "''", "'a-common-prefix-that-is-long-2'"]).to_string(),
            Type::Date => format!("DATE '1970-01-{:02}'", 2 + number),
            Type::Timestamp => format!("TIMESTAMP '1970-01-01 00:00:{:02}'", 5 + 3 * number),
            Type::Numbers => format!("CAST(ARRAY[{number}, 2] AS BIGINT[])"),
        };
        Expr::text(ty, text)
    }

    fn conditional(&mut self, scope: &Scope, ty: Type, depth: usize) -> Expr {
        let below = depth - 1;
        let (one, other) = (self.expr(scope, ty, below), self.expr(scope, ty, below));
        match self.rng.random_range(0..4) {
            0 => Expr::of(ty, "COALESCE(?, ?)", vec![one, other]),
            1 => Expr::of(ty, "NULLIF(?, ?)", vec![one, other]),
            2 => {
                let condition = self.expr(scope, Type::Bool, below);
                Expr::of(ty, "CASE WHEN ? THEN ? END", vec![condition, one])
            }
            _ => {
                let condition = self.expr(scope, Type::Bool, below);
                Expr::of(ty, "CASE WHEN ? THEN ? ELSE ? END", vec![condition, one, other])
            }
        }
    }

    /// One of `templates`, with parts of the types that its letters stand for.
    fn with_parts(&mut self, scope: &Scope, ty: Type, depth: usize, templates: &[Template]) -> Expr {
        let (template, types) = *self.pick(templates);
        self.functions.extend(name(template));
        let parts = types.chars().map(|letter| self.expr(scope, type_of(letter), depth)).collect();
        Expr::of(ty, template, parts)
    }

    fn predicate(&mut self, scope: &Scope, depth: usize) -> Expr {
        let logic = [("(? AND ?)", "BB"), ("(? OR ?)", "BB"), ("(NOT ?)", "B"), ("(? IS NOT TRUE)", "B"), ("(? IS NULL)", "B")];
        match self.rng.random_range(0..10) {
            0..3 => self.with_parts(scope, Type::Bool, depth, &logic),
            3 | 4 => self.with_parts(scope, Type::Bool, depth, templates(Type::Bool)),
            _ => {
                let ty = self.ty();
                let comparisons = [
                    "(? = ?)",
                    "(? < ?)",
                    "(? >= ?)",
                    "(? <> ?)",
                    "(? IS NULL)",
                    "(? IS NOT NULL)",
                    "(? BETWEEN ? AND ?)",
                    "(? IN (?, ?))",
                    "(? NOT IN (?, ?))",
                    "(? IS DISTINCT FROM ?)",
                ];
                let template = *self.pick(&comparisons);
                // A list that begins with a subquery would be taken for one.
                let plain = without_subqueries(scope);
                let scope = if template.contains("IN (") { &plain } else { scope };
                let parts = template.matches('?').map(|_| self.expr(scope, ty, depth)).collect();
                Expr::of(Type::Bool, template, parts)
            }
        }
    }

    fn subquery(&mut self, scope: &Scope, ty: Type) -> Expr {
        let around: Vec<Expr> = if self.chance(70) { scope.leaves.iter().chain(&scope.outer).cloned().collect() } else { vec![] };
        if ty != Type::Bool {
            return self.scalar(&around, ty);
        }
        match self.rng.random_range(0..10) {
            0..4 => {
                self.uses("EXISTS");
                let columns = self.columns(1);
                let query = self.query(1, &columns, &around);
                let negation = *self.pick(&["EXISTS ", "NOT EXISTS "]);
                Expr { ty, pieces: vec![Piece::Text(negation.into()), Piece::Query(Box::new(query))] }
            }
            4..8 => {
                self.uses("IN");
                let of = self.ty();
                let value = self.expr(&without_subqueries(scope), of, 1);
                let query = self.query(1, &[of], &around);
                let word = *self.pick(&[" IN ", " NOT IN "]);
                Expr { ty, pieces: compared(value, word, query) }
            }
            8 => {
                self.uses("ANY / ALL");
                let of = self.ty();
                let value = self.expr(&without_subqueries(scope), of, 1);
                let query = self.query(1, &[of], &around);
                let word = *self.pick(&[" = ANY ", " < ANY ", " >= ALL ", " <> ALL "]);
                Expr { ty, pieces: compared(value, word, query) }
            }
            _ => self.scalar(&around, ty),
        }
    }

    /// A subquery of at most one row, mostly.
    fn scalar(&mut self, around: &[Expr], ty: Type) -> Expr {
        self.uses("scalar subquery");
        let mut query = self.query(1, &[ty], around);
        if self.chance(90) && query.limit.is_none() {
            // An aggregate on top makes it one row; so does LIMIT 1.
            if self.chance(60) {
                let alias = self.name();
                let call = if ty == Type::Bool { "bool_or" } else { "max" };
                let mut select = Select::of(vec![Expr::text(ty, format!("{call}({alias}.c0)"))], Some(query.derived(&alias)));
                select.by_row = false;
                query = Query::select(select);
            } else if !matches!(query.body, Body::Values(_)) {
                query.order.clear();
                query.order.push((1, ""));
                query.limit = Some("LIMIT 1".into());
            }
        }
        Expr { ty, pieces: vec![Piece::Query(Box::new(query))] }
    }
}

fn compared(value: Expr, word: &str, query: Query) -> Vec<Piece> {
    let text = |text: &str| Piece::Text(text.to_owned());
    vec![text("("), Piece::Expr(value), text(word), Piece::Query(Box::new(query)), text(")")]
}

fn without_subqueries(scope: &Scope) -> Scope {
    Scope { subqueries: false, ..scope.clone() }
}
