//! Finds the recursions of a query, and puts relations in their places.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{self, Visit, VisitMut};

use super::enclosing::{Enclosing, any_query, outer_rows};
use super::group::{Group, Scope};
use super::{MUTUALLY_RECURSIVE, is_mark};
use crate::SqlError;
use crate::error::{Code, Position};
use crate::parser::fold;
use crate::plan::context::Context;

/// Takes the recursive common table expressions out of `query`, wherever in it they are.
///
/// # Errors
/// If a definition is wrong, or has other columns than it says.
pub(crate) fn unfold(context: &Context<'_>, query: &mut ast::Query, position: Position) -> Result<(), SqlError> {
    if !has_recursion(query) {
        return Ok(());
    }
    let mut unfolding = Unfolding { context, position, scope: Vec::new(), enclosing: Vec::new(), saved: Vec::new() };
    match VisitMut::visit(query, &mut unfolding) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// Whether a WITH in `query` is recursive.
fn has_recursion(query: &ast::Query) -> bool {
    let is_recursive = |query: &ast::Query| query.with.as_ref().is_some_and(|with| with.recursive);
    any_query(query, &is_recursive)
}

struct Unfolding<'a> {
    context: &'a Context<'a>,
    position: Position,
    /// The common table expressions that can be read, without recursion.
    scope: Vec<ast::Cte>,
    /// The queries around the one that is visited.
    enclosing: Vec<Enclosing>,
    /// For each query that is being visited its WITH, and how many expressions could be read before it.
    saved: Vec<(Option<ast::With>, usize)>,
}

/// Each WITH is dealt with, expression by expression, when its query is entered; the visitor does not see it.
impl ast::VisitorMut for Unfolding<'_> {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<SqlError> {
        let before = self.scope.len();
        let mut with = query.with.take();
        if let Some(with) = &mut with {
            let read = names_read(query);
            if let Err(error) = self.with(with, &read) {
                return ControlFlow::Break(error);
            }
        }
        self.saved.push((with.filter(|with| !with.cte_tables.is_empty()), before));
        self.enclosing.push(Enclosing { body: query.body.clone(), scope: self.scope.len() });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<SqlError> {
        if let Some((with, before)) = self.saved.pop() {
            query.with = with;
            self.scope.truncate(before);
            self.enclosing.pop();
        }
        ControlFlow::Continue(())
    }
}

impl Unfolding<'_> {
    /// Deals with the expressions of one WITH; `read` are the names that its query reads.
    fn with(&mut self, with: &mut ast::With, read: &BTreeSet<String>) -> Result<(), SqlError> {
        let mut ctes = std::mem::take(&mut with.cte_tables);
        if !std::mem::take(&mut with.recursive) {
            for mut cte in ctes {
                self.plain(&mut cte)?;
                with.cte_tables.push(cte.clone());
                self.scope.push(cte);
            }
            return Ok(());
        }
        let mark = ctes.first().is_some_and(is_mark).then(|| ctes.remove(0));
        let mutual = mark.as_ref().is_some_and(|mark| mark.alias.name.value == MUTUALLY_RECURSIVE);
        let limit = mark.as_ref().and_then(limit_of);
        let names: Vec<String> = ctes.iter().map(|cte| fold(&cte.alias.name)).collect();
        let reads: Vec<BTreeSet<String>> = ctes.iter().map(|cte| names_read(&cte.query)).collect();
        for group in groups(&names, &reads) {
            let recursive = group.len() > 1 || reads[group[0]].contains(&names[group[0]]);
            let outside = |name: &String| {
                let by_others = (0..names.len()).any(|other| !group.contains(&other) && reads[other].contains(name));
                by_others || read.contains(name)
            };
            let done = if recursive || mutual {
                let members = group.iter().map(|&member| ctes[member].clone()).collect();
                let shown = (0..group.len()).filter(|&place| outside(&names[group[place]])).collect();
                self.group(&Group { members, shown, mutual, limit })?
            } else {
                let mut cte = ctes[group[0]].clone();
                self.plain(&mut cte)?;
                vec![cte]
            };
            with.cte_tables.extend(done.iter().cloned());
            self.scope.extend(done);
        }
        Ok(())
    }

    /// The members of a group as expressions that read relations. Only if one names a column that it does not have are the queries around it asked for it.
    fn group(&self, group: &Group) -> Result<Vec<ast::Cte>, SqlError> {
        let scope = Scope { context: self.context, visible: &self.scope, position: self.position, outers: Vec::new() };
        match group.plan(&scope) {
            Err(error) if error.is(Code::UnknownColumn) => {
                let outers = outer_rows(&scope, &self.enclosing, group)?;
                if outers.is_empty() { Err(error) } else { group.plan(&Scope { outers, ..scope }) }
            }
            planned => planned,
        }
    }

    /// What is recursive inside of an expression that is not.
    fn plain(&mut self, cte: &mut ast::Cte) -> Result<(), SqlError> {
        let mut inner = Unfolding {
            context: self.context,
            position: self.position,
            scope: self.scope.clone(),
            enclosing: self.enclosing.clone(),
            saved: Vec::new(),
        };
        match VisitMut::visit(&mut cte.query, &mut inner) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }
}

fn limit_of(mark: &ast::Cte) -> Option<u64> {
    let ast::SetExpr::Select(select) = mark.query.body.as_ref() else { return None };
    match select.projection.first() {
        Some(ast::SelectItem::UnnamedExpr(ast::Expr::Value(value))) => match &value.value {
            ast::Value::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// The names of relations in `tree`, folded: those of one part. A name that is hidden by another one inside is among them, which does no harm: what
/// looks recursive and is not is computed in one iteration.
pub(super) fn names_read(tree: &impl Visit) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let ControlFlow::Continue(()) = ast::visit_relations(tree, |name| {
        if let [ast::ObjectNamePart::Identifier(ident)] = name.0.as_slice() {
            names.insert(fold(ident));
        }
        ControlFlow::<std::convert::Infallible>::Continue(())
    });
    names
}

/// The expressions in groups of those that depend on each other, each group after those that it depends on.
fn groups(names: &[String], reads: &[BTreeSet<String>]) -> Vec<Vec<usize>> {
    let count = names.len();
    let mut reaches: Vec<Vec<bool>> = reads.iter().map(|reads| names.iter().map(|name| reads.contains(name)).collect()).collect();
    for through in 0..count {
        let further = reaches[through].clone();
        for reaches in reaches.iter_mut().filter(|reaches| reaches[through]) {
            reaches.iter_mut().zip(&further).for_each(|(known, further)| *known |= further);
        }
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut done = vec![false; count];
    while let Some(next) = (0..count).find(|&at| {
        // The ones that it depends on and that do not depend on it are done.
        !done[at] && (0..count).all(|other| done[other] || !reaches[at][other] || reaches[other][at])
    }) {
        let members: Vec<usize> =
            (0..count).filter(|&other| other == next || (reaches[next][other] && reaches[other][next])).collect();
        members.iter().for_each(|&member| done[member] = true);
        groups.push(members);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_come_after_what_they_read() {
        let names: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let reads = [&["b"][..], &["c", "t"], &["b"], &["d", "a"]].map(|reads| reads.iter().map(ToString::to_string).collect());
        assert_eq!(groups(&names, &reads), [vec![1, 2], vec![0], vec![3]]);
    }
}
