//! A group of common table expressions that depend on each other.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::DFSchemaRef;
use datafusion_expr::{Expr, LogicalPlan};
use sqlparser::ast;

use super::source::{RecursionPlan, RecursionSource, VariablePlan, VariableSource, new_id};
use super::unfold::names_read;
use crate::SqlError;
use crate::error::{Code, Position};
use crate::parser::{empty_select, fold, table_factor};
use crate::plan::context::Context;
use crate::plan::unnest::references;
use crate::plan::{Casts, bind_in, constant, diagnose, optimise, types};
use crate::statement::{ColumnDefinition, Name, Query};

/// Where a group is planned.
pub(super) struct Scope<'a> {
    pub(super) context: &'a Context<'a>,
    /// The common table expressions that it can read, which are not recursive any more.
    pub(super) visible: &'a [ast::Cte],
    pub(super) position: Position,
    /// The columns of the rows of the queries around it, the outermost first.
    pub(super) outers: Vec<DFSchemaRef>,
}

/// The group.
pub(super) struct Group {
    pub(super) members: Vec<ast::Cte>,
    /// Those that are read outside.
    pub(super) shown: Vec<usize>,
    /// Whether the types of their columns are declared.
    pub(super) mutual: bool,
    pub(super) limit: Option<u64>,
}

/// The names and types of the columns of a member.
type Columns = Vec<(String, DataType)>;

/// How often types are widened to those that definitions yield before they are taken to grow for ever.
const WIDENINGS: usize = 4;

impl Group {
    /// The members as expressions that read relations.
    pub(super) fn plan(&self, scope: &Scope<'_>) -> Result<Vec<ast::Cte>, SqlError> {
        let id = new_id();
        let mut columns = if self.mutual { self.declared()? } else { self.inferred(scope, id)? };
        let mut definitions = self.definitions(scope, id, &columns)?;
        for _ in 0..WIDENINGS {
            let found = definitions.iter().map(|plan| types_of(plan, self.place(scope))).collect::<Result<Vec<_>, _>>()?;
            let wanted = columns.iter().zip(&found).enumerate();
            let widened = wanted.map(|(member, (columns, found))| self.widened(member, columns, found, scope));
            let widened = widened.collect::<Result<Vec<_>, _>>()?;
            if widened == columns {
                return self.finish(scope, id, columns, definitions);
            }
            columns = widened;
            definitions = self.definitions(scope, id, &columns)?;
        }
        let message = format!("the types of {} grow with each iteration", self.names().join(", "));
        Err(SqlError::new(Code::Type, self.place(scope), message).with_hint("cast what the recursive branch selects"))
    }

    fn names(&self) -> Vec<String> {
        self.members.iter().map(|member| fold(&member.alias.name)).collect()
    }

    fn place(&self, scope: &Scope<'_>) -> Position {
        self.members.first().map_or(scope.position, |member| member.alias.name.span.start.into())
    }

    /// The columns as they are declared.
    fn declared(&self) -> Result<Vec<Columns>, SqlError> {
        let column = |member: &ast::Cte, column: &ast::TableAliasColumnDef| {
            let position: Position = column.name.span.start.into();
            let name = Name { value: fold(&column.name), position };
            let Some(data_type) = column.data_type.clone() else {
                let message = format!("column {} of {} has no type", name.value, member.alias.name);
                return Err(SqlError::new(Code::Type, position, message)
                    .with_hint("WITH MUTUALLY RECURSIVE x (a BIGINT, b TEXT) AS (..)"));
            };
            let definition = ColumnDefinition { name, data_type, type_position: position, not_null: false, default: None };
            Ok((definition.name.value.clone(), constant::plan_column_type(&definition)?))
        };
        let columns = |member: &ast::Cte| {
            if member.alias.columns.is_empty() {
                let message = format!("the columns of {} are not declared", member.alias.name);
                return Err(SqlError::new(Code::Type, member.alias.name.span.start.into(), message)
                    .with_hint("WITH MUTUALLY RECURSIVE x (a BIGINT, b TEXT) AS (..)"));
            }
            member.alias.columns.iter().map(|found| column(member, found)).collect()
        };
        self.members.iter().map(columns).collect()
    }

    /// The columns of the first branch of each member's UNION that needs no member, or only such as are known.
    fn inferred(&self, scope: &Scope<'_>, id: u64) -> Result<Vec<Columns>, SqlError> {
        let names = self.names();
        let mut known: Vec<Option<Columns>> = vec![None; self.members.len()];
        while let Some((member, branch)) = self.next_base(&names, &known) {
            let mut query = empty_select();
            query.body = Box::new(branch);
            let bound = self.bind(scope, id, &known, query)?;
            let types = types_of(&bound.plan, self.place(scope))?;
            let declared = &self.members[member].alias.columns;
            if !declared.is_empty() && declared.len() != types.len() {
                let message = format!("{} has {} columns, not {}", names[member], types.len(), declared.len());
                return Err(SqlError::new(Code::Query, self.members[member].alias.name.span.start.into(), message));
            }
            let name =
                |column: usize| declared.get(column).map_or_else(|| bound.names[column].clone(), |found| fold(&found.name));
            known[member] = Some(types.into_iter().enumerate().map(|(column, data_type)| (name(column), data_type)).collect());
        }
        let unknown = known.iter().position(Option::is_none);
        if let Some(member) = unknown {
            let message = format!("{} has no branch that does not depend on itself", names[member]);
            return Err(SqlError::new(Code::Query, self.members[member].alias.name.span.start.into(), message)
                .with_hint("write base UNION step, or declare its columns with WITH MUTUALLY RECURSIVE"));
        }
        Ok(known.into_iter().flatten().collect())
    }

    /// A member without known columns, and a branch of it that can be planned.
    fn next_base(&self, names: &[String], known: &[Option<Columns>]) -> Option<(usize, ast::SetExpr)> {
        let unknown: BTreeSet<&String> =
            names.iter().zip(known).filter(|(_, columns)| columns.is_none()).map(|(name, _)| name).collect();
        (0..names.len()).filter(|&member| known[member].is_none()).find_map(|member| {
            let query = &self.members[member].query;
            let mut branches = Vec::new();
            if query.with.is_none() {
                flatten(&query.body, &mut branches);
            }
            let fits = |branch: &&ast::SetExpr| names_read(*branch).iter().all(|name| !unknown.contains(name));
            branches.into_iter().find(fits).map(|branch| (member, branch.clone()))
        })
    }

    /// `query` with the scope and the members, as far as they are known, in its WITH.
    fn bind(
        &self,
        scope: &Scope<'_>,
        id: u64,
        known: &[Option<Columns>],
        query: ast::Query,
    ) -> Result<crate::plan::Bound, SqlError> {
        let mut ctes = scope.visible.to_vec();
        for (variable, (member, columns)) in self.members.iter().zip(known).enumerate() {
            let Some(columns) = columns else { continue };
            let relation = format!("__variable_{id}_{variable}");
            let source = VariableSource { id, variable, columns: columns.clone() };
            scope.context.add_internal(&relation, Arc::new(source));
            ctes.push(reading(member, columns, &relation));
        }
        let ast = ast::Query {
            with: Some(ast::With {
                with_token: ast::helpers::attached_token::AttachedToken::empty(),
                recursive: false,
                cte_tables: ctes,
            }),
            body: Box::new(ast::SetExpr::Query(Box::new(query))),
            ..empty_select()
        };
        let query = Query { ast: Box::new(ast), position: scope.position };
        let bound = bind_in(scope.context, &query, None, &scope.outers, Casts::AsWritten)?;
        scope.context.add_functions(bound.functions.clone());
        Ok(bound)
    }

    fn definitions(&self, scope: &Scope<'_>, id: u64, columns: &[Columns]) -> Result<Vec<LogicalPlan>, SqlError> {
        let known: Vec<Option<Columns>> = columns.iter().cloned().map(Some).collect();
        let plan = |member: &ast::Cte| Ok(self.bind(scope, id, &known, (*member.query).clone())?.plan);
        self.members.iter().map(plan).collect()
    }

    /// The columns of a member whose definition yields `found`.
    fn widened(&self, member: usize, columns: &Columns, found: &[DataType], scope: &Scope<'_>) -> Result<Columns, SqlError> {
        let name = &self.names()[member];
        let place = || self.members[member].alias.name.span.start.into();
        if columns.len() != found.len() {
            let message = format!("{name} has {} columns, its definition {}", columns.len(), found.len());
            return Err(SqlError::new(Code::Query, self.place(scope), message).or_at(place()));
        }
        let column = |((column, known), found): (&(String, DataType), &DataType)| {
            if !self.mutual {
                return Ok((column.clone(), found.clone()));
            }
            let converts = known == found || *found == DataType::Null || (known.is_numeric() && found.is_numeric());
            if !converts {
                let message = format!("column {column} of {name} is declared {known}, but its definition yields {found}");
                return Err(SqlError::new(Code::Type, place(), message).with_hint("cast it in the definition"));
            }
            Ok((column.clone(), known.clone()))
        };
        columns.iter().zip(found).map(column).collect()
    }

    fn finish(
        &self,
        scope: &Scope<'_>,
        id: u64,
        columns: Vec<Columns>,
        definitions: Vec<LogicalPlan>,
    ) -> Result<Vec<ast::Cte>, SqlError> {
        let variables = self.names().into_iter().zip(columns.iter().cloned()).zip(definitions);
        let variables = variables.map(|((name, columns), definition)| VariablePlan { name, columns, definition });
        let variables: Vec<VariablePlan> = variables.collect();
        let outer = if scope.outers.is_empty() { Vec::new() } else { outer_references(&variables, self.place(scope))? };
        let recursion = Arc::new(RecursionPlan {
            id,
            variables,
            shown: self.shown.clone(),
            limit: self.limit,
            position: self.place(scope),
            outer,
        });
        let member = |(variable, member): (usize, &ast::Cte)| {
            let relation = format!("__recursion_{id}_{variable}");
            scope.context.add_internal(&relation, Arc::new(RecursionSource { recursion: recursion.clone(), variable }));
            let mut cte = reading(member, &columns[variable], &relation);
            refer(&mut cte, &recursion.outer);
            cte
        };
        Ok(self.members.iter().enumerate().map(member).collect())
    }
}

/// The branches of the UNIONs at the top of `body`.
fn flatten<'b>(body: &'b ast::SetExpr, branches: &mut Vec<&'b ast::SetExpr>) {
    match body {
        ast::SetExpr::SetOperation { op: ast::SetOperator::Union, left, right, .. } => {
            flatten(left, branches);
            flatten(right, branches);
        }
        other => branches.push(other),
    }
}

/// `member (columns) AS (SELECT * FROM relation)`.
fn reading(member: &ast::Cte, columns: &Columns, relation: &str) -> ast::Cte {
    let column =
        |(name, _): &(String, DataType)| ast::TableAliasColumnDef { name: ast::Ident::with_quote('"', name), data_type: None };
    let all = vec![ast::SelectItem::Wildcard(ast::WildcardAdditionalOptions::default())];
    let query = constant::select(all, Some(table_factor(ast::Ident::new(relation), None)));
    ast::Cte {
        alias: ast::TableAlias { columns: columns.iter().map(column).collect(), ..member.alias.clone() },
        query: Box::new(query),
        ..member.clone()
    }
}

/// Makes it seen that what reads a recursion refers to the queries around it: a condition that is always true names what its definitions refer to.
fn refer(cte: &mut ast::Cte, outer: &[Expr]) {
    let ast::SetExpr::Select(select) = cte.query.body.as_mut() else { return };
    let names =
        outer.iter().filter_map(|expr| if let Expr::OuterReferenceColumn(_, column) = expr { Some(column) } else { None });
    let names = names.map(|column| {
        let parts = column.relation.iter().map(|relation| relation.table()).chain([column.name.as_str()]);
        let mut parts: Vec<ast::Ident> = parts.map(|part| ast::Ident::with_quote('"', part)).collect();
        match (parts.len(), parts.pop()) {
            (1, Some(name)) => ast::Expr::Identifier(name),
            (_, name) => ast::Expr::CompoundIdentifier(parts.into_iter().chain(name).collect()),
        }
    });
    let conditions = names.map(|name| ast::Expr::IsNotDistinctFrom(Box::new(name.clone()), Box::new(name)));
    let and = |left, right| ast::Expr::BinaryOp { left: Box::new(left), op: ast::BinaryOperator::And, right: Box::new(right) };
    select.selection = conditions.reduce(and);
}

/// What the definitions refer to of the queries around the recursion.
fn outer_references(variables: &[VariablePlan], position: Position) -> Result<Vec<Expr>, SqlError> {
    let mut outer: Vec<Expr> = Vec::new();
    for variable in variables {
        let plan = optimise::analyse_inner(variable.definition.clone());
        let plan = plan.map_err(|error| diagnose::diagnose(&error, &empty_select(), position))?;
        outer.extend(references(&plan).into_iter().filter(|found| !outer.contains(found)).collect::<Vec<_>>());
    }
    Ok(outer)
}

/// The types of the columns of a plan.
fn types_of(plan: &LogicalPlan, position: Position) -> Result<Vec<DataType>, SqlError> {
    let plan = optimise::analyse_inner(plan.clone()).map_err(|error| diagnose::diagnose(&error, &empty_select(), position))?;
    let canonical = |field: &Arc<arrow::datatypes::Field>| match field.data_type() {
        DataType::Null => Ok(DataType::Null),
        data_type => types::canonical(data_type, &format!("column {}", field.name()), position),
    };
    plan.schema().fields().iter().map(canonical).collect()
}
