//! One name for one relation.
//!
//! Of a reference to an outer query DataFusion keeps the name of the column and that of its relation, and [`unnest`](super::unnest) looks for a relation of this name
//! from the inside out. That is the one which was meant as long as no relation between the two has its name. Two things bring one there:
//! - a common table expression is put where it is read: in `SELECT (WITH c AS (SELECT t.a AS n) SELECT max((SELECT n FROM c)) FROM t) FROM t` that is beside another `t`;
//! - an aggregation has no columns but its keys: where a subquery beside it names another column of its `t`, the search would go on to a `t` further out.
//!
//! So before binding, a relation in such a query that hides another one gets a name of its own, with all that refers to it. So does a common table expression that hides
//! one of a query around it, which DataFusion takes for a second definition. Users see the name that they wrote: it is the end of the new one ([`as_written`]).

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::ControlFlow;

use sqlparser::ast::*;
use sqlparser::tokenizer::Span;

use super::{recursion, window};
use crate::parser::fold;

/// What a new name begins with. A number and the old one follow.
const AGAIN: &str = "__again";

/// Renames the relations in `query` that hide one of a query around theirs, where it may matter.
pub(super) fn rename(query: &mut Query) {
    let nesting = Nesting::of(query);
    if nesting.levels < 2 {
        return;
    }
    let mut renaming = Renaming { everywhere: nesting.inner_with, alone: nesting.alone, ..Renaming::default() };
    let ControlFlow::Continue(()) = VisitMut::visit(query, &mut renaming);
}

/// `text` with the names that users wrote.
pub(super) fn as_written(text: &str) -> Cow<'_, str> {
    let mut shown = Cow::Borrowed(text);
    while let Some((start, end)) = prefix(&shown) {
        shown.to_mut().replace_range(start..end, "");
    }
    shown
}

/// Where the first prefix of a new name is in `text`.
fn prefix(text: &str) -> Option<(usize, usize)> {
    text.match_indices(AGAIN).find_map(|(start, _)| {
        let rest = &text[start + AGAIN.len()..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0 && rest[digits..].starts_with('_')).then_some((start, start + AGAIN.len() + digits + 1))
    })
}

/// How queries are in each other.
struct Nesting {
    depth: usize,
    levels: usize,
    /// Whether one that is not the outermost has a WITH.
    inner_with: bool,
    /// The names that stand alone in expressions: one may be that of a relation, as in `TUMBLE(TABLE t, ..)`.
    alone: HashSet<String>,
}

impl Nesting {
    fn of(query: &Query) -> Self {
        let mut nesting = Nesting { depth: 0, levels: 0, inner_with: false, alone: HashSet::new() };
        let ControlFlow::Continue(()) = Visit::visit(query, &mut nesting);
        nesting
    }
}

impl Visitor for Nesting {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        self.inner_with |= self.depth > 0 && query.with.is_some();
        self.depth += 1;
        self.levels = self.levels.max(self.depth);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        if let Expr::Identifier(ident) = expr {
            self.alone.insert(fold(ident));
        }
        ControlFlow::Continue(())
    }
}

/// Whether something in `node` may refer to the rows of the query that it is of.
fn has_subquery(node: &impl Visit) -> bool {
    struct Search;

    impl Visitor for Search {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => ControlFlow::Break(()),
                Expr::Function(Function { args: FunctionArguments::Subquery(_), .. }) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }

        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            if matches!(factor, TableFactor::Derived { lateral: true, .. }) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        }
    }

    node.visit(&mut Search).is_break()
}

/// A relation in scope, and its new name.
struct Known {
    name: String,
    unique: Option<String>,
}

/// The relations of one FROM.
#[derive(Default)]
struct Frame {
    relations: Vec<Known>,
    /// Whether what hides a relation further out is renamed.
    renames: bool,
    /// Whether what is visited cannot see it.
    hidden: bool,
}

#[derive(Default)]
struct Renaming {
    /// The FROM clauses around what is visited, the innermost last.
    frames: Vec<Frame>,
    /// The common table expressions that can be read, the innermost last, and for each query how many there are around it.
    ctes: Vec<Known>,
    ctes_around: Vec<usize>,
    alone: HashSet<String>,
    /// Whether all that hides something is renamed.
    everywhere: bool,
    next: usize,
    /// Parts that are dealt with out of their order, for each query or SELECT that is visited.
    withs: Vec<Option<With>>,
    froms: Vec<Vec<TableWithJoins>>,
    /// For each query whether its body is a SELECT; ORDER BY belongs to that.
    bodies: Vec<bool>,
    /// For each SELECT whether it is left with its query.
    left_later: Vec<bool>,
    is_body: bool,
    /// How many relations there were before those in parentheses that have an alias in common.
    marks: Vec<usize>,
}

impl VisitorMut for Renaming {
    type Break = std::convert::Infallible;

    /// What a WITH defines does not see the relations of its query.
    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        self.ctes_around.push(self.ctes.len());
        let mut with = query.with.take();
        if let Some(with) = &mut with {
            self.define(with)?;
        }
        self.withs.push(with);
        let has_subquery = has_subquery(query);
        self.is_body = matches!(query.body.as_ref(), SetExpr::Select(_));
        self.bodies.push(self.is_body);
        if let SetExpr::Select(select) = query.body.as_mut() {
            self.enter(select, has_subquery)?;
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<Self::Break> {
        if let (Some(true), SetExpr::Select(select)) = (self.bodies.pop(), query.body.as_mut()) {
            self.leave(select);
        }
        query.with = self.withs.pop().flatten();
        self.ctes.truncate(self.ctes_around.pop().unwrap_or_default());
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        let is_body = std::mem::take(&mut self.is_body);
        self.left_later.push(is_body);
        if is_body { ControlFlow::Continue(()) } else { self.enter(select, has_subquery(select)) }
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        if self.left_later.pop() == Some(false) {
            self.leave(select);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        if let TableFactor::Table { name, alias, args: None, .. } = factor {
            self.read(name, alias);
        }
        let Some(frame) = self.frames.last_mut() else { return ControlFlow::Continue(()) };
        match factor {
            TableFactor::Derived { lateral: false, .. } => frame.hidden = true,
            TableFactor::NestedJoin { alias: Some(_), .. } => self.marks.push(frame.relations.len()),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        let Some(frame) = self.frames.last_mut() else { return ControlFlow::Continue(()) };
        match factor {
            TableFactor::Derived { lateral: false, .. } => frame.hidden = false,
            TableFactor::NestedJoin { alias: Some(_), .. } => frame.relations.truncate(self.marks.pop().unwrap_or_default()),
            _ => {}
        }
        self.declare(factor);
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        match expr {
            Expr::CompoundIdentifier(parts) if parts.len() > 1 => self.refer(&mut parts[0]),
            Expr::CompoundFieldAccess { root, access_chain } => {
                if let (Expr::Identifier(ident), Some(AccessExpr::Dot(_))) = (root.as_mut(), access_chain.first()) {
                    self.refer(ident);
                }
            }
            Expr::QualifiedWildcard(name, _) => self.refer_by(name),
            Expr::Function(Function { args: FunctionArguments::List(list), .. }) => {
                for argument in &mut list.args {
                    if let FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) = argument {
                        self.refer_by(name);
                    }
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

impl Renaming {
    /// Visits FROM, in which each relation may see those before it. All else in the SELECT sees them all.
    fn enter(&mut self, select: &mut Select, renames: bool) -> ControlFlow<std::convert::Infallible> {
        let mut from = std::mem::take(&mut select.from);
        let is_body = std::mem::take(&mut self.is_body);
        self.frames.push(Frame { renames, ..Frame::default() });
        VisitMut::visit(&mut from, self)?;
        self.is_body = is_body;
        self.froms.push(from);
        for item in &mut select.projection {
            if let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) = item {
                self.refer_by(name);
            }
        }
        ControlFlow::Continue(())
    }

    fn leave(&mut self, select: &mut Select) {
        self.frames.pop();
        select.from = self.froms.pop().unwrap_or_default();
    }

    /// Takes note of the expressions of a WITH. One that recurs is seen by itself and by those before it.
    fn define(&mut self, with: &mut With) -> ControlFlow<std::convert::Infallible> {
        let around = self.ctes.len();
        if with.recursive {
            with.cte_tables.iter_mut().for_each(|cte| self.define_one(cte, around));
        }
        for cte in &mut with.cte_tables {
            VisitMut::visit(&mut cte.query, self)?;
            if !with.recursive {
                self.define_one(cte, around);
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes note of an expression. It is renamed if it has the name of one of the first `around`.
    fn define_one(&mut self, cte: &mut Cte, around: usize) {
        let name = fold(&cte.alias.name);
        let hides = self.ctes[..around].iter().any(|known| known.name == name);
        let mut unique = None;
        if hides && !recursion::is_mark(cte) && !self.alone.contains(&name) {
            let new = self.new_name(&name);
            cte.alias.name = quoted(&new, cte.alias.name.span);
            unique = Some(new);
        }
        self.ctes.push(Known { name, unique });
    }

    /// Gives the name of an expression where it is read its new one; it is known by the old one there.
    fn read(&self, name: &mut ObjectName, alias: &mut Option<TableAlias>) {
        let [ObjectNamePart::Identifier(ident)] = name.0.as_mut_slice() else { return };
        let folded = fold(ident);
        let known = self.ctes.iter().rev().find(|known| known.name == folded);
        if let Some(unique) = known.and_then(|known| known.unique.as_ref()) {
            alias.get_or_insert_with(|| alias_of(quoted(&folded, ident.span)));
            *ident = quoted(unique, ident.span);
        }
    }

    fn new_name(&mut self, name: &str) -> String {
        self.next += 1;
        format!("{AGAIN}{}_{name}", self.next)
    }

    /// Takes note of a relation in FROM. It is renamed if it has the name of one further out.
    fn declare(&mut self, factor: &mut TableFactor) {
        let Some((innermost, around)) = self.frames.split_last() else { return };
        let renames = self.everywhere || innermost.renames;
        let name = match name_of(factor) {
            Some(name) => name,
            // Its columns would have the names of the relations in it.
            None if renames && !around.is_empty() && matches!(factor, TableFactor::Derived { .. }) => String::new(),
            None => return,
        };
        let is_hidden = |frame: &Frame| !frame.hidden && frame.relations.iter().any(|known| known.name == name);
        let mut unique = None;
        if renames && (name.is_empty() || around.iter().any(is_hidden)) {
            let new = self.new_name(&name);
            unique = set_alias(factor, &new).then_some(new);
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.relations.push(Known { name, unique });
        }
    }

    /// Gives the name of a relation in a reference its new one.
    fn refer(&self, ident: &mut Ident) {
        let name = fold(ident);
        let in_sight = self.frames.iter().rev().filter(|frame| !frame.hidden);
        let known = in_sight.flat_map(|frame| frame.relations.iter().rev()).find(|known| known.name == name);
        if let Some(unique) = known.and_then(|known| known.unique.as_ref()) {
            *ident = quoted(unique, ident.span);
        }
    }

    fn refer_by(&self, name: &mut ObjectName) {
        if let Some(ObjectNamePart::Identifier(ident)) = name.0.first_mut() {
            self.refer(ident);
        }
    }
}

fn quoted(name: &str, span: Span) -> Ident {
    Ident { value: name.to_owned(), quote_style: Some('"'), span }
}

/// The name by which a relation is known.
pub(super) fn name_of(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { alias: Some(alias), .. }
        | TableFactor::Derived { alias: Some(alias), .. }
        | TableFactor::TableFunction { alias: Some(alias), .. }
        | TableFactor::Function { alias: Some(alias), .. }
        | TableFactor::UNNEST { alias: Some(alias), .. }
        | TableFactor::Pivot { alias: Some(alias), .. }
        | TableFactor::Unpivot { alias: Some(alias), .. }
        | TableFactor::NestedJoin { alias: Some(alias), .. } => Some(fold(&alias.name)),
        TableFactor::Table { name, .. } | TableFactor::Function { name, .. } => {
            name.0.last().and_then(ObjectNamePart::as_ident).map(fold)
        }
        TableFactor::UNNEST { .. } => Some("unnest".to_owned()),
        _ => None,
    }
}

/// Gives `factor` the alias `unique`, if it can have another one: the alias of a call that makes rows is the name of its column as well.
fn set_alias(factor: &mut TableFactor, unique: &str) -> bool {
    let is_window = window::check_call(factor).is_ok_and(|call| call.is_some());
    let (alias, span) = match factor {
        TableFactor::Table { name, alias, args: None, .. } => {
            (alias, name.0.last().and_then(ObjectNamePart::as_ident).map_or_else(Span::empty, |ident| ident.span))
        }
        TableFactor::Derived { alias, .. } => (alias, Span::empty()),
        TableFactor::NestedJoin { alias: alias @ Some(_), .. } => (alias, Span::empty()),
        TableFactor::Table { alias: alias @ Some(_), .. }
        | TableFactor::TableFunction { alias: alias @ Some(_), .. }
        | TableFactor::Function { alias: alias @ Some(_), .. }
            if is_window =>
        {
            (alias, Span::empty())
        }
        _ => return false,
    };
    match alias {
        Some(alias) => alias.name = quoted(unique, alias.name.span),
        None => *alias = Some(alias_of(quoted(unique, span))),
    }
    true
}

fn alias_of(name: Ident) -> TableAlias {
    TableAlias { explicit: true, name, columns: vec![], at: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_as_they_were_written() {
        assert_eq!(as_written("unknown column __again0_t.a, __again12_u.b"), "unknown column t.a, u.b");
        assert_eq!(as_written("__again and __again_t and __again7"), "__again and __again_t and __again7");
    }
}
