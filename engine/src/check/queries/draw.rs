//! Draws random queries over random tables.
//!
//! A query is drawn top down for given column types, so that set operations and subqueries fit. What may stand at a place is a list of leaves: the columns
//! in scope, in a grouped SELECT its keys and aggregates, with windows their calls as well. Budgets keep a query small: what finds bugs is the
//! meeting of two or three clauses, not the length.

mod aggregate;
mod expression;
mod functions;
mod relation;
mod special;
mod window;

use std::collections::BTreeSet;

use rand::Rng;
use rand::rngs::StdRng;

use super::tree::{Body, CommonTable, Distinct, Expr, Group, GroupForm, Query, Recursion, Select, Type};

/// A table to draw queries over; its columns are called `c0`, `c1`, ..
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Type>,
}

/// What an expression may refer to.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    /// Columns, keys, aggregates.
    leaves: Vec<Expr>,
    /// Columns that a correlated subquery may refer to, of the queries around; none where subqueries cannot be.
    outer: Vec<Expr>,
    /// Whether subqueries may stand here, and see the leaves.
    subqueries: bool,
}

impl Scope {
    /// These columns and nothing else.
    pub(super) fn of_columns(leaves: Vec<Expr>) -> Scope {
        Scope { leaves, ..Scope::default() }
    }
}

/// Draws queries.
pub(super) struct Draw<'a> {
    pub(super) rng: &'a mut StdRng,
    tables: &'a [Table],
    /// The names of CTEs in scope and their columns.
    common: Vec<Table>,
    /// What the query uses, for the report.
    pub(super) features: BTreeSet<&'static str>,
    /// The scalar functions that it calls.
    pub(super) functions: BTreeSet<&'static str>,
    /// Relations that may still be drawn.
    budget: usize,
    names: usize,
}

impl<'a> Draw<'a> {
    pub(super) fn new(rng: &'a mut StdRng, tables: &'a [Table]) -> Self {
        let budget = rng.random_range(1..=6);
        Draw { rng, tables, common: Vec::new(), features: BTreeSet::new(), functions: BTreeSet::new(), budget, names: 0 }
    }

    /// A query of one to four columns.
    pub(super) fn any_query(&mut self) -> Query {
        let columns = self.columns(4);
        self.query(2, &columns, &[])
    }

    fn columns(&mut self, most: usize) -> Vec<Type> {
        (0..self.rng.random_range(1..=most)).map(|_| self.ty()).collect()
    }

    fn ty(&mut self) -> Type {
        // Mostly types of keys and sums.
        if self.chance(50) { *self.pick(&[Type::Int, Type::Big]) } else { *self.pick(&Type::ALL) }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn pick<'t, T>(&mut self, choices: &'t [T]) -> &'t T {
        &choices[self.rng.random_range(0..choices.len())]
    }

    fn uses(&mut self, feature: &'static str) {
        self.features.insert(feature);
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("r{}", self.names)
    }

    /// A query with these columns that may refer to `outer`.
    fn query(&mut self, depth: usize, columns: &[Type], outer: &[Expr]) -> Query {
        let kind = if depth == 0 || self.budget == 0 { 100 } else { self.rng.random_range(0..100) };
        let mut query = match kind {
            0..10 => self.operation(depth, columns, outer),
            10..13 => self.values(columns),
            13..21 => self.with(depth, columns, outer),
            _ => self.select(depth, columns, outer),
        };
        let is_distinct_on = matches!(&query.body, Body::Select(select) if matches!(select.distinct, Distinct::On(_)));
        if !is_distinct_on && self.chance(12) {
            self.limit(&mut query);
        }
        query
    }

    fn operation(&mut self, depth: usize, columns: &[Type], outer: &[Expr]) -> Query {
        let operators = ["UNION ALL", "UNION", "EXCEPT", "EXCEPT ALL", "INTERSECT", "INTERSECT ALL"];
        let operator = *self.pick(&operators);
        self.uses(operator);
        let left = self.query(depth - 1, columns, outer);
        let right = self.query(depth - 1, columns, outer);
        Query::operation(operator, left, right)
    }

    fn values(&mut self, columns: &[Type]) -> Query {
        self.uses("VALUES");
        let rows = (0..self.rng.random_range(1..4)).map(|_| columns.iter().map(|&ty| self.literal(ty)).collect()).collect();
        Query { with: vec![], body: Body::Values(rows), order: vec![], limit: None, columns: columns.to_vec() }
    }

    fn with(&mut self, depth: usize, columns: &[Type], outer: &[Expr]) -> Query {
        self.uses("WITH");
        let table = if self.chance(45) {
            self.recursion(depth)
        } else {
            let of = self.columns(3);
            let query = self.query(depth - 1, &of, &[]);
            CommonTable { name: self.name(), query, recursion: Recursion::No }
        };
        self.common.push(Table { name: table.name.clone(), columns: table.query.columns.clone() });
        self.budget = self.budget.max(1);
        let mut query = self.select(depth, columns, outer);
        self.common.pop();
        query.with.push(table);
        query
    }

    fn limit(&mut self, query: &mut Query) {
        self.order(query);
        let (limit, offset) = (self.rng.random_range(0..5), self.rng.random_range(0..3));
        query.limit = Some(match self.rng.random_range(0..6) {
            0 => format!("LIMIT {limit} OFFSET {offset}"),
            1 => {
                self.uses("WITH TIES");
                format!("FETCH FIRST {limit} ROWS WITH TIES")
            }
            _ => format!("LIMIT {limit}"),
        });
        self.uses("LIMIT");
    }

    fn order(&mut self, query: &mut Query) {
        let count = self.rng.random_range(1..=query.columns.len());
        for ordinal in 1..=count {
            let direction = *self.pick(&["", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"]);
            query.order.push((ordinal, direction));
        }
    }

    fn select(&mut self, depth: usize, columns: &[Type], outer: &[Expr]) -> Query {
        let (from, leaves) = self.from(depth);
        let scope = Scope { leaves, outer: outer.to_vec(), subqueries: depth > 0 };
        let mut select = Select::of(vec![], Some(from));
        let mut conditions = Vec::new();
        if !outer.is_empty() && self.chance(80) {
            conditions.extend(self.correlation(&scope));
        }
        if self.chance(45) {
            conditions.push(self.expr(&scope, Type::Bool, 2));
        }
        select.filter = conditions.into_iter().reduce(|left, right| Expr::of(Type::Bool, "(? AND ?)", vec![left, right]));
        match self.rng.random_range(0..100) {
            0..30 => self.grouped(&mut select, &scope, columns),
            30..38 => self.total(&mut select, &scope, columns),
            38..52 => self.windowed(&mut select, &scope, columns),
            52..60 => {
                self.uses("DISTINCT");
                select.distinct = Distinct::Yes;
                select.items = self.items(&scope, columns, 1);
            }
            60..63 => {
                self.uses("DISTINCT ON");
                select.items = self.items(&scope, columns, 1);
                let mut query = Query::select(select);
                self.order(&mut query);
                let keys = self.rng.random_range(1..=query.order.len());
                if let Body::Select(select) = &mut query.body {
                    select.distinct = Distinct::On(keys);
                }
                return query;
            }
            _ => {
                select.items = self.items(&scope, columns, 2);
                if columns[0] == Type::Big && self.chance(6) {
                    self.uses("unnest in SELECT");
                    let list = self.expr(&Scope::of_columns(scope.leaves), Type::Numbers, 1);
                    select.items[0] = Expr::of(Type::Big, "unnest(?)", vec![list]);
                    select.by_row = false;
                }
            }
        }
        Query::select(select)
    }

    fn items(&mut self, scope: &Scope, columns: &[Type], depth: usize) -> Vec<Expr> {
        columns.iter().map(|&ty| self.expr(scope, ty, depth)).collect()
    }

    /// GROUP BY: items are made of the keys and of aggregates.
    fn grouped(&mut self, select: &mut Select, scope: &Scope, columns: &[Type]) {
        self.uses("GROUP BY");
        select.by_row = false;
        if self.chance(12) && self.grouped_by_window(select, scope, columns) {
            return;
        }
        let mut keys: Vec<Expr> = Vec::new();
        for _ in 0..self.rng.random_range(1..=2) {
            let key = if self.chance(75) && !scope.leaves.is_empty() {
                self.pick(&scope.leaves).clone()
            } else {
                let plain = Scope { leaves: scope.leaves.clone(), ..Scope::default() };
                let ty = self.ty();
                self.expr(&plain, ty, 1)
            };
            // A literal would be an ordinal.
            if key.to_string().contains(".c") && keys.iter().all(|known| known.to_string() != key.to_string()) {
                keys.push(key);
            }
        }
        if keys.is_empty() {
            return self.total(select, scope, columns);
        }
        let form = *self.pick(&[GroupForm::Plain; 8]);
        let form = if self.chance(15) { *self.pick(&[GroupForm::Rollup, GroupForm::Cube, GroupForm::Sets]) } else { form };
        if form != GroupForm::Plain {
            self.uses("grouping sets");
        }
        let mut leaves = keys.clone();
        if form != GroupForm::Plain {
            leaves.push(Expr::of(Type::Big, "CAST(grouping(?) AS BIGINT)", vec![keys[0].clone()]));
        }
        self.above_groups(select, scope, columns, leaves);
        select.group = Some(Group { form, keys });
    }

    /// The items above groups whose keys are `leaves`, and HAVING.
    fn above_groups(&mut self, select: &mut Select, scope: &Scope, columns: &[Type], mut leaves: Vec<Expr>) {
        leaves.extend(self.aggregates(scope, columns));
        let above = Scope::of_columns(leaves);
        select.items = self.items(&above, columns, 1);
        if self.chance(25) {
            self.uses("HAVING");
            select.having = Some(self.expr(&above, Type::Bool, 1));
        }
    }

    /// GROUP BY a function of windows, and maybe a key beside it. Whether there is a time to group by.
    fn grouped_by_window(&mut self, select: &mut Select, scope: &Scope, columns: &[Type]) -> bool {
        let times: Vec<Expr> = scope.leaves.iter().filter(|leaf| leaf.ty == Type::Timestamp).cloned().collect();
        if times.is_empty() {
            return false;
        }
        let time = self.pick(&times).clone();
        let window = *self.pick(&[
            "TUMBLE(?, INTERVAL '4' SECOND)",
            "HOP(?, INTERVAL '2' SECOND, INTERVAL '4' SECOND)",
            "SESSION(?, INTERVAL '3' SECOND)",
        ]);
        self.uses("GROUP BY a window");
        let mut keys = vec![Expr::of(Type::Timestamp, window, vec![time])];
        let mut leaves = vec![Expr::text(Type::Timestamp, "window_start"), Expr::text(Type::Timestamp, "window_end")];
        if self.chance(60) {
            let key = self.pick(&scope.leaves).clone();
            leaves.push(key.clone());
            keys.insert(0, key);
        }
        self.above_groups(select, scope, columns, leaves);
        select.group = Some(Group { form: GroupForm::Plain, keys });
        true
    }

    /// Aggregates without GROUP BY.
    fn total(&mut self, select: &mut Select, scope: &Scope, columns: &[Type]) {
        self.uses("total");
        select.by_row = false;
        let leaves = self.aggregates(scope, columns);
        let above = Scope { leaves, ..Scope::default() };
        select.items = self.items(&above, columns, 1);
        // Without an aggregate in it, it would be a SELECT of its rows.
        let count = Expr::text(Type::Big, "count(*)");
        let first = select.items.remove(0);
        let ty = first.ty;
        select.items.insert(0, Expr::of(ty, "CASE WHEN ? >= 0 THEN ? END", vec![count, first]));
    }

    fn aggregates(&mut self, scope: &Scope, columns: &[Type]) -> Vec<Expr> {
        let below = Scope { leaves: scope.leaves.clone(), ..Scope::default() };
        let mut types = columns.to_vec();
        types.push(Type::Big);
        types.iter().map(|&ty| self.aggregate(&below, ty)).collect()
    }

    /// Window functions beside the columns.
    fn windowed(&mut self, select: &mut Select, scope: &Scope, columns: &[Type]) {
        self.uses("OVER");
        select.by_row = false;
        let below = Scope { leaves: scope.leaves.clone(), ..Scope::default() };
        let mut leaves = scope.leaves.clone();
        for index in 0..self.rng.random_range(1..=2usize) {
            let ty = *columns.get(index).unwrap_or(&Type::Big);
            // More than once, so that it is chosen.
            let call = self.window(&below, ty);
            leaves.extend([call.clone(), call]);
        }
        let above = Scope { leaves, ..Scope::default() };
        select.items = self.items(&above, columns, 1);
        if self.chance(15) {
            self.uses("QUALIFY");
            let call = self.window(&below, Type::Big);
            let bound = self.literal(Type::Big);
            let comparison = *self.pick(&["(? <= ?)", "(? = ?)", "(? > ?)"]);
            select.qualify = Some(Expr::of(Type::Bool, comparison, vec![call, bound]));
        }
    }
}
