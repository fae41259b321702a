//! Generated queries as trees: they print as SQL, and know smaller trees that may still show a failure.
//!
//! The tree has just the structure that drawing, rewriting and shrinking need. An expression is text with expressions and queries in between, so a
//! new function or clause costs one line where it is drawn and none here.

mod print;
mod smaller;

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
    /// A list of BIGINT.
    Numbers,
}

impl Type {
    /// All of them.
    pub(super) const ALL: [Type; 9] =
        [Type::Bool, Type::Int, Type::Big, Type::Decimal, Type::Double, Type::Text, Type::Date, Type::Timestamp, Type::Numbers];

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
            Type::Numbers => "BIGINT[]",
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
    pub(super) with: Vec<CommonTable>,
    pub(super) body: Body,
    /// Ordinals with what stands after them (`DESC NULLS FIRST`).
    pub(super) order: Vec<(usize, &'static str)>,
    pub(super) limit: Option<String>,
    pub(super) columns: Vec<Type>,
}

/// A query with a name in WITH.
#[derive(Clone, Debug)]
pub(super) struct CommonTable {
    pub(super) name: String,
    pub(super) query: Query,
    pub(super) recursion: Recursion,
}

/// Whether a common table reads itself. A WITH has one table if that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recursion {
    No,
    /// As the UNION of a start and a step.
    Step,
    /// Anywhere, with declared columns.
    Mutual,
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
    /// Whether each item is made of one row of FROM: no aggregates, windows or lists.
    pub(super) by_row: bool,
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
    Relation {
        name: String,
        alias: String,
    },
    Derived {
        query: Box<Query>,
        alias: String,
        lateral: bool,
    },
    /// A relation that is not a query: UNNEST, a window, a pivot. It has so many columns.
    Rows {
        call: Expr,
        alias: String,
        columns: usize,
    },
    Join {
        kind: &'static str,
        left: Box<From>,
        right: Box<From>,
        matching: Option<Expr>,
        on: Option<Expr>,
    },
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

    /// The query whose rows come one for one from a SELECT of rows, if it is one.
    pub(super) fn of_rows(&self) -> Option<&Select> {
        match &self.body {
            Body::Select(select) if self.is_bare() => {
                Some(select.as_ref()).filter(|select| select.by_row && matches!(select.distinct, Distinct::No))
            }
            _ => None,
        }
    }

    /// The query as what a SELECT reads.
    pub(super) fn derived(self, alias: &str) -> From {
        From::Derived { query: Box::new(self), alias: alias.to_owned(), lateral: false }
    }

    fn is_bare(&self) -> bool {
        self.with.is_empty() && self.order.is_empty() && self.limit.is_none()
    }
}

impl From {
    /// A join without more than its sides and their condition.
    pub(super) fn join(kind: &'static str, left: From, right: From, on: Option<Expr>) -> From {
        From::Join { kind, left: Box::new(left), right: Box::new(right), matching: None, on }
    }
}

impl Select {
    /// A SELECT without further clauses.
    pub(super) fn of(items: Vec<Expr>, from: Option<From>) -> Select {
        Select { distinct: Distinct::No, items, from, filter: None, group: None, having: None, qualify: None, by_row: true }
    }
}
