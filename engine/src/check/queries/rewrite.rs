//! Equivalent forms of a query.
//!
//! Each is a law of SQL, and takes another way through planner and operators: partitioning by a predicate and its negation and its being unknown (Rigger and
//! Su, "Finding bugs in database systems via query partitioning", 2020), a condition as a value of each row (their NoREC, 2020), set operations with itself,
//! subqueries that are always true, outer joins that add nothing, windows that keep every row, views of views. Some hold for every query, some for its form.

mod forms;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::draw::{Draw, Scope};
use super::tree::{Body, CommonTable, Distinct, Expr, From, Piece, Query, Recursion, Select, Type};

/// A law, with the seed of what it draws: it can be applied again to a smaller query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rewriting {
    law: Law,
    seed: u64,
}

/// A law of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Law {
    DerivedTable,
    CommonTable,
    ViewOfView,
    Partitioned,
    IntersectItself,
    TwiceExceptOnce,
    RowThatExists,
    TrueScalar,
    NumberedRows,
    OneRow,
    LeftJoinOfKeys,
    /// The following hold for queries of some form.
    Commuted,
    ConditionAsValue,
    OuterAsInner,
    NumberedLimit,
}

/// Laws of every query.
const GENERAL: [Law; 11] = [
    Law::DerivedTable,
    Law::CommonTable,
    Law::ViewOfView,
    Law::Partitioned,
    Law::IntersectItself,
    Law::TwiceExceptOnce,
    Law::RowThatExists,
    Law::TrueScalar,
    Law::NumberedRows,
    Law::OneRow,
    Law::LeftJoinOfKeys,
];

/// Laws of queries of some form.
const OF_FORM: [Law; 4] = [Law::Commuted, Law::ConditionAsValue, Law::OuterAsInner, Law::NumberedLimit];

impl Rewriting {
    /// Two different ones that apply to `query`: one of every query, and if there is any, one of its form.
    pub(super) fn two(rng: &mut StdRng, query: &Query) -> [Self; 2] {
        let first = GENERAL[rng.random_range(0..GENERAL.len())];
        let of_form: Vec<Law> = OF_FORM.into_iter().filter(|&law| forms::rewritten(law, query).is_some()).collect();
        let others: Vec<Law> = GENERAL.into_iter().filter(|&law| law != first).collect();
        let choices = if of_form.is_empty() { others } else { of_form };
        let second = choices[rng.random_range(0..choices.len())];
        [first, second].map(|law| Rewriting { law, seed: rng.random() })
    }

    /// What it does.
    pub(super) fn name(self) -> &'static str {
        match self.law {
            Law::DerivedTable => "= a derived table",
            Law::CommonTable => "= a common table",
            Law::ViewOfView => "= a view of the view",
            Law::Partitioned => "= rows by the values of a predicate",
            Law::IntersectItself => "= INTERSECT ALL with itself",
            Law::TwiceExceptOnce => "= twice EXCEPT ALL once",
            Law::RowThatExists => "= rows that EXIST",
            Law::TrueScalar => "= rows if a scalar is true",
            Law::NumberedRows => "= rows with a number",
            Law::OneRow => "= a product with one row",
            Law::LeftJoinOfKeys => "= a LEFT JOIN of its keys",
            Law::Commuted => "= sides of joins, DISTINCT by groups",
            Law::ConditionAsValue => "= a condition as a value",
            Law::OuterAsInner => "= a LEFT JOIN in two parts",
            Law::NumberedLimit => "= LIMIT by numbers",
        }
    }

    /// An equivalent of `query`; `None` if the law does not apply to it. `part` is the name of a view of the same query that may be read instead.
    pub(super) fn apply(self, query: &Query, part: &str) -> Option<Query> {
        let columns = &query.columns;
        Some(match self.law {
            Law::DerivedTable => Query::over(query.clone().derived("w"), "w", columns),
            Law::CommonTable => {
                let mut outer = Query::over(From::Relation { name: "common".into(), alias: "w".into() }, "w", columns);
                outer.with.push(CommonTable { name: "common".into(), query: query.clone(), recursion: Recursion::No });
                outer
            }
            Law::ViewOfView => Query::over(From::Relation { name: part.into(), alias: "w".into() }, "w", columns),
            Law::Partitioned => partitioned(query, &mut StdRng::seed_from_u64(self.seed)),
            Law::IntersectItself => Query::operation("INTERSECT ALL", query.clone(), query.clone()),
            Law::TwiceExceptOnce => {
                let twice = Query::operation("UNION ALL", query.clone(), query.clone());
                Query::operation("EXCEPT ALL", twice, query.clone())
            }
            Law::RowThatExists => conditioned(query, exists(query)),
            Law::TrueScalar => {
                let two = "(SELECT count(*) FROM (VALUES (1), (2)) AS one (c0)) = 2";
                conditioned(query, Expr::text(Type::Bool, two))
            }
            Law::NumberedRows => numbered(query),
            Law::OneRow => cross(query),
            Law::LeftJoinOfKeys => left_join(query),
            law => forms::rewritten(law, query)?,
        })
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
    let mut inner = Select::of(items, Some(query.clone().derived("v")));
    inner.by_row = false;
    let mut outer = Query::over(Query::select(inner).derived("w"), "w", &query.columns);
    if let Body::Select(select) = &mut outer.body {
        select.filter = Some(Expr::text(Type::Bool, format!("w.c{count} >= 1")));
    }
    outer
}

fn cross(query: &Query) -> Query {
    let mut one = Select::of(vec![Expr::text(Type::Big, "count(*)")], None);
    one.by_row = false;
    let from = From::join("CROSS JOIN", Query::select(one).derived("one"), query.clone().derived("w"), None);
    Query::over(from, "w", &query.columns)
}

/// Each row beside its first column, once.
fn left_join(query: &Query) -> Query {
    let mut keys = Select::of(vec![Expr::text(query.columns[0], "u.c0")], Some(query.clone().derived("u")));
    keys.distinct = Distinct::Yes;
    let on = Expr::text(Type::Bool, "(w.c0 IS NOT DISTINCT FROM v.c0)");
    let from = From::join("LEFT JOIN", query.clone().derived("w"), Query::select(keys).derived("v"), Some(on));
    Query::over(from, "w", &query.columns)
}
