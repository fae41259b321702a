//! What `CREATE FUNCTION` describes: a body that is checked, and bound once for calls that are resolved by their types.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::DataType;
use sqlparser::ast::{self, Expr, Spanned, Visit, VisitMut, Visitor, VisitorMut};

use super::Catalog;
use super::function::{SqlFunction, SqlParameter};
use super::overloads::signature;
use crate::SqlError;
use crate::error::Position;
use crate::parser::{empty_select, fold};
use crate::plan::{BoundBody, Inliner, bind_body, cast, declared_type, is_aggregate, is_window_function, plan_query};
use crate::statement::{CreateFunction, Query};

/// The function that `create` describes, checked by planning it over NULLs of its parameters' types.
pub(super) fn define(catalog: &Catalog, create: &CreateFunction) -> Result<SqlFunction, SqlError> {
    check_body(catalog, create)?;
    let mut body = create.body.clone();
    let mut inliner = Inliner::new(catalog);
    let is_only = catalog.overloads(&create.name.value).next().is_none();
    let mut inline = Inline { inliner: &mut inliner, own: is_only.then_some(create.name.value.as_str()) };
    if let ControlFlow::Break(error) = VisitMut::visit(&mut body, &mut inline) {
        return Err(error.or_at(create.body_position));
    }
    check_types(catalog, create)?;
    let mut parameters: Vec<SqlParameter> = Vec::with_capacity(create.parameters.len());
    for parameter in &create.parameters {
        let default = parameter.default.clone().map(without_positions);
        parameters.push(SqlParameter { name: parameter.name.value.clone(), data_type: parameter.data_type.clone(), default });
    }
    let types = types(create)?;
    let mut function = SqlFunction {
        name: create.name.value.clone(),
        signature: signature(&create.name.value, &types),
        types,
        parameters,
        returns: create.returns.clone(),
        strict: create.strict,
        body: without_positions(body),
        bound: None,
        by_type: inliner.by_type,
        sql: create.sql.clone(),
        depends_on: inliner.used,
    };
    if let Some((bound, used)) = bound(catalog, &function, create.body_position)? {
        let new = used.into_iter().filter(|used| !function.depends_on.contains(used)).collect::<Vec<_>>();
        function.depends_on.extend(new);
        function.bound = Some(Arc::new(bound));
    }
    Ok(function)
}

/// The types of the parameters.
pub(super) fn types(create: &CreateFunction) -> Result<Vec<DataType>, SqlError> {
    let planned = create.parameters.iter().map(|parameter| {
        declared_type(&parameter.data_type, &format!("parameter {}", parameter.name.value), parameter.name.position)
    });
    planned.collect()
}

/// The call of a function with its own parameters as arguments, bound: `SELECT f(a, b) FROM (SELECT CAST(NULL AS t) AS a, ..)`. Beside it the
/// functions that it uses. There is none if the function makes rows.
fn bound(catalog: &Catalog, function: &SqlFunction, position: Position) -> Result<Option<(BoundBody, Vec<String>)>, SqlError> {
    let names = function.parameters.iter().map(|parameter| Expr::Identifier(ast::Ident::with_quote('"', &parameter.name)));
    let body = Inliner::new(catalog).body(function, names.collect(), position)?;
    let parameters = function.parameters.iter().map(|parameter| (parameter.name.as_str(), &parameter.data_type));
    let call = query(vec![unnamed(body)], arguments(parameters, position), position);
    let Some((mut bound, used)) = bind_body(catalog, &call)? else { return Ok(None) };
    for SqlParameter { data_type, default, .. } in &function.parameters {
        let value = default.clone().map(|default| query(vec![unnamed(cast(default, data_type))], None, position));
        let value = value.map(|query| bind_body(catalog, &query)).transpose()?.flatten();
        bound.defaults.push(value.map(|(value, _)| value.into_expr()));
    }
    Ok(Some((bound, used)))
}

/// The positions of a body are those of another text than the one that it is inlined in.
fn without_positions(mut expr: Expr) -> Expr {
    struct Erase;

    impl VisitorMut for Erase {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            let nowhere = sqlparser::tokenizer::Span::empty();
            match expr {
                Expr::Identifier(ident) => ident.span = nowhere,
                Expr::CompoundIdentifier(idents) => idents.iter_mut().for_each(|ident| ident.span = nowhere),
                Expr::Value(value) => value.span = nowhere,
                Expr::Function(function) => {
                    for part in &mut function.name.0 {
                        if let ast::ObjectNamePart::Identifier(ident) = part {
                            ident.span = nowhere;
                        }
                    }
                }
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }

    let _ = VisitMut::visit(&mut expr, &mut Erase);
    expr
}

/// Inlines the functions that a body calls.
struct Inline<'i, 'c> {
    inliner: &'i mut Inliner<'c>,
    /// The name of the function, if no other has it.
    own: Option<&'i str>,
}

impl VisitorMut for Inline<'_, '_> {
    type Break = SqlError;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        if let [ast::ObjectNamePart::Identifier(ident)] = function.name.0.as_slice()
            && self.own.is_some_and(|own| own == fold(ident))
        {
            return ControlFlow::Break(SqlError::unsupported(ident.span.start.into(), "a function that calls itself"));
        }
        match self.inliner.inlined(function) {
            Ok(None) => {}
            Ok(Some(inlined)) => *expr = inlined,
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

/// A body is an expression over its parameters: no subqueries, aggregates or names with a qualifier.
fn check_body(catalog: &Catalog, create: &CreateFunction) -> Result<(), SqlError> {
    struct Check<'a>(&'a Catalog, &'a CreateFunction);

    impl Visitor for Check<'_> {
        type Break = SqlError;

        fn pre_visit_query(&mut self, _: &ast::Query) -> ControlFlow<SqlError> {
            ControlFlow::Break(SqlError::unsupported(self.1.body_position, "a subquery in a function"))
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<SqlError> {
            let start = expr.span().start;
            let position = if start.line > 0 { start.into() } else { self.1.body_position };
            let refuse = |what: &str| ControlFlow::Break(SqlError::unsupported(position, format!("{what} in a function")));
            match expr {
                Expr::CompoundIdentifier(_) => refuse("a name with a qualifier"),
                Expr::Function(function) => match function.name.0.as_slice() {
                    [ast::ObjectNamePart::Identifier(ident)] if is_aggregate(self.0, &fold(ident)) => refuse("an aggregate"),
                    [ast::ObjectNamePart::Identifier(ident)] if function.over.is_some() || is_window_function(&fold(ident)) => {
                        refuse("a window function")
                    }
                    _ => ControlFlow::Continue(()),
                },
                _ => ControlFlow::Continue(()),
            }
        }
    }

    match create.body.visit(&mut Check(catalog, create)) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Plans `SELECT CAST(body AS returns) FROM (SELECT CAST(NULL AS t) AS a, ..)`, with the positions of the statement.
fn check_types(catalog: &Catalog, create: &CreateFunction) -> Result<(), SqlError> {
    let position = create.body_position;
    for parameter in &create.parameters {
        if let Some(default) = &parameter.default {
            plan_query(catalog, &query(vec![unnamed(cast(default.clone(), &parameter.data_type))], None, position), &|| 0)?;
        }
    }
    let parameters = create.parameters.iter().map(|parameter| (parameter.name.value.as_str(), &parameter.data_type));
    let from = arguments(parameters, position);
    let mut body = create.body.clone();
    let _ = VisitMut::visit(&mut body, &mut Placeholders(create));
    plan_query(catalog, &query(vec![unnamed(cast(body, &create.returns))], from, position), &|| 0).map(|_| ())
}

/// A relation of NULLs in the places of the parameters, if there are some.
fn arguments<'p>(parameters: impl Iterator<Item = (&'p str, &'p ast::DataType)>, position: Position) -> Option<ast::TableFactor> {
    let nulls = parameters.map(|(name, data_type)| ast::SelectItem::ExprWithAlias {
        expr: cast(Expr::value(ast::Value::Null), data_type),
        alias: ast::Ident::with_quote('"', name),
    });
    let nulls: Vec<ast::SelectItem> = nulls.collect();
    (!nulls.is_empty()).then(|| ast::TableFactor::Derived {
        lateral: false,
        subquery: query(nulls, None, position).ast,
        alias: Some(ast::TableAlias {
            explicit: true,
            name: ast::Ident::with_quote('"', "__arguments"),
            columns: vec![],
            at: None,
        }),
        sample: None,
    })
}

/// `$1` as the name of the first parameter.
struct Placeholders<'a>(&'a CreateFunction);

impl VisitorMut for Placeholders<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(ast::ValueWithSpan { value: ast::Value::Placeholder(text), .. }) = expr
            && let Some(index) = text.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok())
            && let Some(parameter) = index.checked_sub(1).and_then(|index| self.0.parameters.get(index))
        {
            *expr = Expr::Identifier(ast::Ident::with_quote('"', &parameter.name.value));
        }
        ControlFlow::Continue(())
    }
}

fn unnamed(expr: Expr) -> ast::SelectItem {
    ast::SelectItem::UnnamedExpr(expr)
}

fn query(items: Vec<ast::SelectItem>, from: Option<ast::TableFactor>, position: Position) -> Query {
    let mut query = empty_select();
    if let ast::SetExpr::Select(select) = query.body.as_mut() {
        select.projection = items;
        select.from = from.into_iter().map(|relation| ast::TableWithJoins { relation, joins: vec![] }).collect();
    }
    Query { ast: Box::new(query), position }
}
