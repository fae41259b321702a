//! Generated queries as trees: they print as SQL, and know smaller trees that may still show a failure.
//!
//! The tree has just the structure that drawing, rewriting and shrinking need. An expression is text with expressions and queries in between, so a
//! new function or clause costs one line where it is drawn and none here.

use std::fmt::{self, Display, Formatter};

/// The type of a generated column or expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Type {
    Bool,
    Int,
    Big,
    Decimal,
    Double,
    Text,
    Date,
    Timestamp,
}

impl Type {
    /// All of them.
    pub(super) const ALL: [Type; 8] =
        [Type::Bool, Type::Int, Type::Big, Type::Decimal, Type::Double, Type::Text, Type::Date, Type::Timestamp];

    /// How it is declared.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Type::Bool => "BOOLEAN",
            Type::Int => "INT",
            Type::Big => "BIGINT",
            Type::Decimal => "DECIMAL(12, 2)",
            Type::Double => "DOUBLE",
            Type::Text => "VARCHAR",
            Type::Date => "DATE",
            Type::Timestamp => "TIMESTAMP",
        }
    }
}

/// An expression.
#[derive(Clone, Debug)]
pub(super) struct Expr {
    pub(super) ty: Type,
    pub(super) pieces: Vec<Piece>,
}

/// A part of an expression.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    Text(String),
    Expr(Expr),
    Query(Box<Query>),
}

/// A query; its columns are called `c0`, `c1`, ..
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) with: Vec<(String, Query)>,
    pub(super) body: Body,
    /// Ordinals with what stands after them (`DESC NULLS FIRST`).
    pub(super) order: Vec<(usize, &'static str)>,
    pub(super) limit: Option<String>,
    pub(super) columns: Vec<Type>,
}

/// What a query is made of.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Select(Box<Select>),
    /// `UNION ALL` and the like.
    Operation {
        operator: &'static str,
        left: Box<Query>,
        right: Box<Query>,
    },
    Values(Vec<Vec<Expr>>),
}

/// A SELECT.
#[derive(Clone, Debug)]
pub(super) struct Select {
    pub(super) distinct: Distinct,
    pub(super) items: Vec<Expr>,
    pub(super) from: Option<From>,
    pub(super) filter: Option<Expr>,
    pub(super) group: Option<Group>,
    pub(super) having: Option<Expr>,
    pub(super) qualify: Option<Expr>,
}

/// Which rows are left.
#[derive(Clone, Debug)]
pub(super) enum Distinct {
    No,
    Yes,
    /// By the first so many columns, which begin the ORDER BY.
    On(usize),
}

/// GROUP BY.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) form: GroupForm,
    pub(super) keys: Vec<Expr>,
}

/// Which groups the keys make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupForm {
    Plain,
    Rollup,
    Cube,
    /// Each key alone, and none.
    Sets,
}

/// What a SELECT reads.
#[derive(Clone, Debug)]
pub(super) enum From {
    Relation { name: String, alias: String },
    Derived { query: Box<Query>, alias: String, lateral: bool },
    Join { kind: &'static str, left: Box<From>, right: Box<From>, on: Option<Expr> },
}

impl Expr {
    /// An expression without parts.
    pub(super) fn text(ty: Type, text: impl Into<String>) -> Expr {
        Expr { ty, pieces: vec![Piece::Text(text.into())] }
    }

    /// `template` with each `?` replaced by the next of `parts`.
    pub(super) fn of(ty: Type, template: &str, parts: Vec<Expr>) -> Expr {
        let mut pieces = Vec::new();
        let mut parts = parts.into_iter();
        for (index, text) in template.split('?').enumerate() {
            if index > 0 {
                pieces.extend(parts.next().map(Piece::Expr));
            }
            if !text.is_empty() {
                pieces.push(Piece::Text(text.to_owned()));
            }
        }
        Expr { ty, pieces }
    }

    fn parts_mut(&mut self) -> impl Iterator<Item = &mut Expr> {
        self.pieces.iter_mut().filter_map(|piece| match piece {
            Piece::Expr(expr) => Some(expr),
            _ => None,
        })
    }

    /// Smaller expressions of the same type.
    fn smaller(&self) -> Vec<Expr> {
        let mut found = Vec::new();
        for (at, piece) in self.pieces.iter().enumerate() {
            let mut put = |new: Piece| {
                let mut smaller = self.clone();
                smaller.pieces[at] = new;
                found.push(smaller);
            };
            match piece {
                Piece::Text(_) => {}
                Piece::Expr(expr) => expr.smaller().into_iter().for_each(|expr| put(Piece::Expr(expr))),
                Piece::Query(query) => query.smaller().into_iter().for_each(|query| put(Piece::Query(Box::new(query)))),
            }
        }
        let mut whole = self.clone();
        found.splice(0..0, whole.parts_mut().filter(|part| part.ty == self.ty).map(|part| part.clone()));
        if self.pieces.len() > 1 {
            found.insert(0, Expr::text(self.ty, format!("CAST(NULL AS {})", self.ty.sql())));
        }
        found
    }
}

impl Query {
    /// A SELECT of everything in `from`, whose columns are `c0 ..` under `alias`.
    pub(super) fn over(from: From, alias: &str, columns: &[Type]) -> Query {
        let items = columns.iter().enumerate().map(|(index, &ty)| Expr::text(ty, format!("{alias}.c{index}"))).collect();
        Query::select(Select::of(items, Some(from)))
    }

    /// The query that is only a SELECT.
    pub(super) fn select(select: Select) -> Query {
        let columns = select.items.iter().map(|item| item.ty).collect();
        Query { with: vec![], body: Body::Select(Box::new(select)), order: vec![], limit: None, columns }
    }

    /// Two queries of the same columns with an operator between.
    pub(super) fn operation(operator: &'static str, left: Query, right: Query) -> Query {
        let columns = left.columns.clone();
        let body = Body::Operation { operator, left: Box::new(left), right: Box::new(right) };
        Query { with: vec![], body, order: vec![], limit: None, columns }
    }

    /// The query as what a SELECT reads.
    pub(super) fn derived(self, alias: &str) -> From {
        From::Derived { query: Box::new(self), alias: alias.to_owned(), lateral: false }
    }

    fn is_bare_select(&self) -> bool {
        matches!(self.body, Body::Select(_)) && self.with.is_empty() && self.order.is_empty() && self.limit.is_none()
    }

    /// Smaller queries of the same number of columns, the smallest first.
    pub(super) fn smaller(&self) -> Vec<Query> {
        let mut found = Vec::new();
        match &self.body {
            Body::Operation { left, right, .. } => found.extend([left.as_ref().clone(), right.as_ref().clone()]),
            Body::Select(select) => {
                if let Some(From::Derived { query, lateral: false, .. }) = &select.from
                    && query.columns == self.columns
                {
                    found.push(query.as_ref().clone());
                }
            }
            Body::Values(_) => {}
        }
        let mut with = |change: &dyn Fn(&mut Query)| {
            let mut smaller = self.clone();
            change(&mut smaller);
            found.push(smaller);
        };
        if self.limit.is_some() {
            with(&|query| query.limit = None);
        }
        if !self.order.is_empty() {
            with(&|query| query.order.clear());
        }
        for index in 0..self.with.len() {
            for smaller in self.with[index].1.smaller() {
                with(&|query| query.with[index].1 = smaller.clone());
            }
        }
        match &self.body {
            Body::Select(select) => {
                for smaller in select.smaller() {
                    with(&|query| query.body = Body::Select(Box::new(smaller.clone())));
                }
            }
            Body::Operation { operator, left, right } => {
                for left in left.smaller() {
                    with(&|query| {
                        query.body = Body::Operation { operator, left: Box::new(left.clone()), right: right.clone() };
                    });
                }
                for right in right.smaller() {
                    with(&|query| {
                        query.body = Body::Operation { operator, left: left.clone(), right: Box::new(right.clone()) };
                    });
                }
            }
            Body::Values(rows) => {
                for index in (0..rows.len()).filter(|_| rows.len() > 1) {
                    with(&|query| {
                        if let Body::Values(rows) = &mut query.body {
                            rows.remove(index);
                        }
                    });
                }
            }
        }
        found
    }
}

impl Select {
    /// A SELECT without further clauses.
    pub(super) fn of(items: Vec<Expr>, from: Option<From>) -> Select {
        Select { distinct: Distinct::No, items, from, filter: None, group: None, having: None, qualify: None }
    }

    fn smaller(&self) -> Vec<Select> {
        let mut found = Vec::new();
        let mut with = |change: &dyn Fn(&mut Select)| {
            let mut smaller = self.clone();
            change(&mut smaller);
            found.push(smaller);
        };
        if !matches!(self.distinct, Distinct::No) {
            with(&|select| select.distinct = Distinct::No);
        }
        let clauses: [fn(&mut Select) -> &mut Option<Expr>; 3] =
            [|select| &mut select.filter, |select| &mut select.having, |select| &mut select.qualify];
        for clause in clauses {
            let mut copy = self.clone();
            let Some(present) = clause(&mut copy).take() else { continue };
            with(&|select| *clause(select) = None);
            for smaller in present.smaller() {
                with(&|select| *clause(select) = Some(smaller.clone()));
            }
        }
        if let Some(group) = &self.group {
            if group.form != GroupForm::Plain {
                with(&|select| {
                    if let Some(group) = &mut select.group {
                        group.form = GroupForm::Plain;
                    }
                });
            }
            for index in 0..group.keys.len() {
                with(&|select| {
                    if let Some(group) = &mut select.group {
                        group.keys.remove(index);
                    }
                });
            }
        }
        for from in self.from.iter().flat_map(From::smaller) {
            with(&|select| select.from = Some(from.clone()));
        }
        for (index, item) in self.items.iter().enumerate() {
            for smaller in item.smaller() {
                with(&|select| select.items[index] = smaller.clone());
            }
        }
        found
    }
}

impl From {
    fn smaller(&self) -> Vec<From> {
        match self {
            From::Relation { .. } => vec![],
            From::Derived { query, alias, lateral } => {
                let derived = |query| From::Derived { query: Box::new(query), alias: alias.clone(), lateral: *lateral };
                query.smaller().into_iter().map(derived).collect()
            }
            From::Join { kind, left, right, on } => {
                let join = |left: &From, right: &From, on: &Option<Expr>| From::Join {
                    kind,
                    left: Box::new(left.clone()),
                    right: Box::new(right.clone()),
                    on: on.clone(),
                };
                let mut found = vec![left.as_ref().clone(), right.as_ref().clone()];
                found.extend(left.smaller().iter().map(|left| join(left, right, on)));
                found.extend(right.smaller().iter().map(|right| join(left, right, on)));
                let conditions = on.iter().flat_map(Expr::smaller).map(Some);
                found.extend(conditions.map(|on| join(left, right, &on)));
                found
            }
        }
    }
}

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
        for (index, (name, query)) in self.with.iter().enumerate() {
            write!(f, "{}{name} AS ({query})", if index == 0 { "WITH " } else { ", " })?;
        }
        f.write_str(if self.with.is_empty() { "" } else { " " })?;
        match &self.body {
            Body::Select(select) => select.fmt(f, &self.order)?,
            Body::Operation { operator, left, right } => {
                // A subquery in an expression that begins with two parentheses would be taken for a value.
                match left.is_bare_select() {
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
            From::Join { kind, left, right, on } => {
                write!(f, "{left} {kind} ")?;
                match right.as_ref() {
                    From::Join { .. } => write!(f, "({right})")?,
                    right => write!(f, "{right}")?,
                }
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
