//! Aliases that hide what a common table expression refers to, and cannot be told apart from it by other names ([`unique_aliases`](super::unique_aliases)).
//!
//! Those are the aliases of calls that make rows, such as `unnest(xs) AS x`. A common table expression is put where it is read: there, another relation may have
//! the name of the one that is meant. Such a query is refused.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::*;

use super::unique_aliases::{as_written, name_of};
use crate::SqlError;
use crate::error::Code;
use crate::parser::fold;

/// Whether each common table expression of `query` means where it is read what it means where it stands.
///
/// # Errors
/// If one refers to a relation around its query, and another relation within the query has the same name.
pub(super) fn check(query: &Query) -> Result<(), SqlError> {
    let mut checking = Checking { around: Vec::new() };
    match Visit::visit(query, &mut checking) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// The aliases of the queries around what is visited.
struct Checking {
    around: Vec<BTreeSet<String>>,
}

impl Visitor for Checking {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<SqlError> {
        if let Some(with) = query.with.as_ref().filter(|_| !self.around.is_empty()) {
            for (place, cte) in with.cte_tables.iter().enumerate() {
                let mut within = aliases(&query.body);
                with.cte_tables.iter().skip(place + 1).for_each(|later| within.extend(aliases(&later.query)));
                let around: BTreeSet<String> = self.around.iter().flatten().cloned().collect();
                let meant = outer_references(&cte.query, &around);
                if let Some(hidden) = within.intersection(&meant).next() {
                    let (name, hidden) = (fold(&cte.alias.name), as_written(hidden));
                    let message = format!(
                        "{name} refers to {hidden} of an enclosing query, and another relation is called {hidden} where it is read"
                    );
                    let hint = format!("give one of the two relations {hidden} another alias");
                    return ControlFlow::Break(SqlError::nowhere(Code::Unsupported, message).with_hint(hint));
                }
            }
        }
        self.around.push(aliases_of_body(&query.body));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<SqlError> {
        self.around.pop();
        ControlFlow::Continue(())
    }
}

/// The relations around an expression that its text may refer to: `around` are those that there are. By the name of a column it may refer to each of them.
fn outer_references(query: &Query, around: &BTreeSet<String>) -> BTreeSet<String> {
    struct Collecting {
        qualifiers: BTreeSet<String>,
        has_columns: bool,
    }

    impl Visitor for Collecting {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(_) => self.has_columns = true,
                Expr::CompoundIdentifier(parts) => {
                    self.qualifiers.extend(parts.len().checked_sub(2).and_then(|qualifier| parts.get(qualifier)).map(fold));
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }

    let mut collecting = Collecting { qualifiers: BTreeSet::new(), has_columns: false };
    let _ = Visit::visit(query, &mut collecting);
    if collecting.has_columns {
        return around.clone();
    }
    let own = aliases(query);
    let is_outer = |name: &String| !own.contains(name) && around.contains(name);
    collecting.qualifiers.into_iter().filter(is_outer).collect()
}

/// The names by which relations are known anywhere in `tree`.
fn aliases(tree: &impl Visit) -> BTreeSet<String> {
    struct Collecting(BTreeSet<String>);

    impl Visitor for Collecting {
        type Break = ();

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            self.0.extend(name_of(factor));
            ControlFlow::Continue(())
        }
    }

    let mut collecting = Collecting(BTreeSet::new());
    let _ = tree.visit(&mut collecting);
    collecting.0
}

/// The names of the relations in the FROM clauses of a body itself.
fn aliases_of_body(body: &SetExpr) -> BTreeSet<String> {
    match body {
        SetExpr::Select(select) => {
            let factors = select
                .from
                .iter()
                .flat_map(|item| std::iter::once(&item.relation).chain(item.joins.iter().map(|join| &join.relation)));
            factors.filter_map(name_of).collect()
        }
        SetExpr::SetOperation { left, right, .. } => &aliases_of_body(left) | &aliases_of_body(right),
        _ => BTreeSet::new(),
    }
}
