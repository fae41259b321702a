//! Trees as SQL.

use std::fmt::{self, Display, Formatter};

use super::{Body, CommonTable, Distinct, Expr, From, Group, GroupForm, Piece, Query, Recursion, Select};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Expr(expr) => expr.fmt(f),
            Piece::Query(query) => write!(f, "({query})"),
        })
    }
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, table) in self.with.iter().enumerate() {
            let word = match table.recursion {
                Recursion::No => "WITH ",
                Recursion::Step => "WITH RECURSIVE ",
                Recursion::Mutual => "WITH MUTUALLY RECURSIVE ",
            };
            write!(f, "{}{table}", if index == 0 { word } else { ", " })?;
        }
        f.write_str(if self.with.is_empty() { "" } else { " " })?;
        match &self.body {
            Body::Select(select) => select.fmt(f, &self.order)?,
            Body::Operation { operator, left, right } => {
                // A subquery in an expression that begins with two parentheses would be taken for a value.
                match matches!(left.body, Body::Select(_)) && left.is_bare() {
                    true => write!(f, "{left}")?,
                    false => write!(f, "SELECT * FROM ({left}) AS side ({})", column_names(left.columns.len()))?,
                }
                write!(f, " {operator} ({right})")?;
            }
            Body::Values(rows) => {
                f.write_str("SELECT * FROM (VALUES ")?;
                for (index, row) in rows.iter().enumerate() {
                    write!(f, "{}({})", if index == 0 { "" } else { ", " }, List(row))?;
                }
                write!(f, ") AS rows ({})", column_names(self.columns.len()))?;
            }
        }
        for (index, (ordinal, direction)) in self.order.iter().enumerate() {
            write!(f, "{}{ordinal}{direction}", if index == 0 { " ORDER BY " } else { ", " })?;
        }
        self.limit.iter().try_for_each(|limit| write!(f, " {limit}"))
    }
}

impl Display for CommonTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.recursion == Recursion::Mutual {
            for (index, ty) in self.query.columns.iter().enumerate() {
                write!(f, "{}c{index} {}", if index == 0 { " (" } else { ", " }, ty.sql())?;
            }
            f.write_str(")")?;
        }
        write!(f, " AS ({})", self.query)
    }
}

impl Select {
    fn fmt(&self, f: &mut Formatter<'_>, order: &[(usize, &str)]) -> fmt::Result {
        f.write_str("SELECT ")?;
        match &self.distinct {
            Distinct::No => {}
            Distinct::Yes => f.write_str("DISTINCT ")?,
            Distinct::On(columns) => {
                let keys = order.iter().take(*columns).filter_map(|(ordinal, _)| self.items.get(ordinal - 1));
                let keys: Vec<Expr> = keys.cloned().collect();
                if !keys.is_empty() {
                    write!(f, "DISTINCT ON ({}) ", List(&keys))?;
                }
            }
        }
        for (index, item) in self.items.iter().enumerate() {
            write!(f, "{}{item} AS c{index}", if index == 0 { "" } else { ", " })?;
        }
        self.from.iter().try_for_each(|from| write!(f, " FROM {from}"))?;
        self.filter.iter().try_for_each(|filter| write!(f, " WHERE {filter}"))?;
        if let Some(Group { form, keys }) = self.group.as_ref().filter(|group| !group.keys.is_empty()) {
            match form {
                GroupForm::Plain => write!(f, " GROUP BY {}", List(keys))?,
                GroupForm::Rollup => write!(f, " GROUP BY ROLLUP ({})", List(keys))?,
                GroupForm::Cube => write!(f, " GROUP BY CUBE ({})", List(keys))?,
                GroupForm::Sets => {
                    f.write_str(" GROUP BY GROUPING SETS (")?;
                    keys.iter().try_for_each(|key| write!(f, "({key}), "))?;
                    f.write_str("())")?;
                }
            }
        }
        self.having.iter().try_for_each(|having| write!(f, " HAVING {having}"))?;
        self.qualify.iter().try_for_each(|qualify| write!(f, " QUALIFY {qualify}"))
    }
}

impl Display for From {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            From::Relation { name, alias } => write!(f, "{name} AS {alias}"),
            From::Derived { query, alias, lateral } => {
                let names = column_names(query.columns.len());
                write!(f, "{}({query}) AS {alias} ({names})", if *lateral { "LATERAL " } else { "" })
            }
            From::Rows { call, alias, columns } => write!(f, "{call} AS {alias} ({})", column_names(*columns)),
            From::Join { kind, left, right, matching, on } => {
                write!(f, "{left} {kind} ")?;
                match right.as_ref() {
                    From::Join { .. } => write!(f, "({right})")?,
                    right => write!(f, "{right}")?,
                }
                matching.iter().try_for_each(|matching| write!(f, " MATCH_CONDITION {matching}"))?;
                on.iter().try_for_each(|on| write!(f, " ON {on}"))
            }
        }
    }
}

/// `c0, c1, ..`
fn column_names(count: usize) -> String {
    (0..count).map(|column| format!("c{column}")).collect::<Vec<_>>().join(", ")
}

/// Expressions with commas between.
struct List<'a>(&'a [Expr]);

impl Display for List<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, expr)| write!(f, "{}{expr}", if index == 0 { "" } else { ", " }))
    }
}
