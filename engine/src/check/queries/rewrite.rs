//! Equivalent forms of a query.
//!
//! Each is a law of SQL that holds for every query, and takes another way through planner and operators: partitioning by a predicate and its negation
//! and its being unknown (Rigger and Su, "Finding bugs in database systems via query partitioning", 2020), set operations with itself, subqueries that are always
//! true, groups of all columns, windows that keep every row, views of views.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::draw::{Draw, Scope};
use super::tree::{Body, Distinct, Expr, From, Piece, Query, Select, Type};

/// A law, with the seed of what it draws: it can be applied again to a smaller query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rewriting {
    law: usize,
    seed: u64,
}

const LAWS: [&str; 11] = [
    "a derived table",
    "a common table",
    "a view of a view",
    "rows by the three values of a predicate",
    "INTERSECT ALL with itself",
    "twice EXCEPT ALL once",
    "a row that EXISTS",
    "a scalar that is true",
    "rows with a number",
    "a product with one row",
    "sides of joins, DISTINCT by groups",
];

impl Rewriting {
    pub(super) fn random(rng: &mut StdRng) -> Self {
        Rewriting { law: rng.random_range(0..LAWS.len()), seed: rng.random() }
    }

    /// What it does.
    pub(super) fn name(self) -> &'static str {
        LAWS[self.law]
    }

    /// An equivalent of `query`. `part` is the name of a view of the same query that may be read instead.
    pub(super) fn apply(self, query: &Query, part: &str) -> Query {
        let columns = &query.columns;
        let over = |query: Query| Query::over(query.derived("w"), "w", columns);
        match self.law {
            0 => over(query.clone()),
            1 => {
                let mut outer = Query::over(From::Relation { name: "common".into(), alias: "w".into() }, "w", columns);
                outer.with.push(("common".into(), query.clone()));
                outer
            }
            2 => Query::over(From::Relation { name: part.into(), alias: "w".into() }, "w", columns),
            3 => partitioned(query, &mut StdRng::seed_from_u64(self.seed)),
            4 => Query::operation("INTERSECT ALL", query.clone(), query.clone()),
            5 => {
                let twice = Query::operation("UNION ALL", query.clone(), query.clone());
                Query::operation("EXCEPT ALL", twice, query.clone())
            }
            6 => conditioned(query, exists(query)),
            7 => {
                let two = "(SELECT count(*) FROM (VALUES (1), (2)) AS one (c0)) = 2";
                conditioned(query, Expr::text(Type::Bool, two))
            }
            8 => numbered(query),
            9 => cross(query),
            _ => commuted(query).unwrap_or_else(|| over(over(query.clone()))),
        }
    }
}

/// `p`, `NOT p` and `p IS NULL` for a random `p` over the columns.
fn partitioned(query: &Query, rng: &mut StdRng) -> Query {
    let leaves = (0..query.columns.len()).map(|index| Expr::text(query.columns[index], format!("w.c{index}"))).collect();
    let predicate = Draw::new(rng, &[]).expr(&Scope::of_columns(leaves), Type::Bool, 2);
    let part = |template: &str| conditioned(query, Expr::of(Type::Bool, template, vec![predicate.clone()]));
    let both = Query::operation("UNION ALL", part("?"), part("NOT ?"));
    Query::operation("UNION ALL", both, part("? IS NULL"))
}

/// The rows of `query` for which `condition` over `w` is true.
fn conditioned(query: &Query, condition: Expr) -> Query {
    let mut outer = Query::over(query.clone().derived("w"), "w", &query.columns);
    if let Body::Select(select) = &mut outer.body {
        select.filter = Some(condition);
    }
    outer
}

/// A subquery that has a row for each row of `w`: itself.
fn exists(query: &Query) -> Expr {
    let items = vec![Expr::text(Type::Big, "1")];
    let mut inner = Select::of(items, Some(query.clone().derived("v")));
    let same = (0..query.columns.len()).map(|index| format!("v.c{index} IS NOT DISTINCT FROM w.c{index}"));
    inner.filter = Some(Expr::text(Type::Bool, format!("({})", same.collect::<Vec<_>>().join(" AND "))));
    let pieces = vec![Piece::Text("EXISTS ".into()), Piece::Query(Box::new(Query::select(inner)))];
    Expr { ty: Type::Bool, pieces }
}

fn numbered(query: &Query) -> Query {
    let mut items: Vec<Expr> =
        (0..query.columns.len()).map(|index| Expr::text(query.columns[index], format!("v.c{index}"))).collect();
    items.push(Expr::text(Type::Big, "CAST(row_number() OVER (ORDER BY v.c0) AS BIGINT)"));
    let count = items.len() - 1;
    let inner = Query::select(Select::of(items, Some(query.clone().derived("v"))));
    let mut outer = Query::over(inner.derived("w"), "w", &query.columns);
    if let Body::Select(select) = &mut outer.body {
        select.filter = Some(Expr::text(Type::Bool, format!("w.c{count} >= 1")));
    }
    outer
}

fn cross(query: &Query) -> Query {
    let one = Query::select(Select::of(vec![Expr::text(Type::Big, "count(*)")], None));
    let from = From::Join {
        kind: "CROSS JOIN",
        left: Box::new(one.derived("one")),
        right: Box::new(query.clone().derived("w")),
        on: None,
    };
    Query::over(from, "w", &query.columns)
}

/// Inner joins with their sides changed, DISTINCT as groups. `None` if there is neither at the top.
fn commuted(query: &Query) -> Option<Query> {
    let Body::Select(select) = &query.body else { return None };
    let mut select = select.as_ref().clone();
    let mut changed = false;
    if matches!(select.distinct, Distinct::Yes) && query.order.is_empty() {
        select.distinct = Distinct::No;
        changed = true;
    }
    let grouped = changed;
    if let Some(from) = &mut select.from {
        changed |= commute(from);
    }
    if !changed {
        return None;
    }
    let mut result = Query { body: Body::Select(Box::new(select)), ..query.clone() };
    if grouped {
        let keys = (0..query.columns.len()).map(|index| Expr::text(query.columns[index], format!("w.c{index}"))).collect();
        result = Query::over(result.derived("w"), "w", &query.columns);
        if let Body::Select(select) = &mut result.body {
            select.group = Some(super::tree::Group { form: super::tree::GroupForm::Plain, keys });
        }
    }
    Some(result)
}

fn commute(from: &mut From) -> bool {
    let From::Join { kind, left, right, .. } = from else { return false };
    let below = commute(left);
    // A lateral subquery stays to the right of what it refers to.
    if matches!(**right, From::Derived { lateral: true, .. }) {
        return below;
    }
    *kind = match *kind {
        "JOIN" => "JOIN",
        "LEFT JOIN" => "RIGHT JOIN",
        "RIGHT JOIN" => "LEFT JOIN",
        "FULL JOIN" => "FULL JOIN",
        "CROSS JOIN" => "CROSS JOIN",
        _ => return below,
    };
    std::mem::swap(left, right);
    true
}
