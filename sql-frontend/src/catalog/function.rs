//! Functions of users: those in SQL, which are inlined, and those in Rust, which are called.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion_expr::{AggregateUDF, ScalarUDF, Volatility};
use sqlparser::ast::{self, Expr, Spanned, Visit, VisitMut, Visitor, VisitorMut};

use super::Catalog;
use crate::error::{Code, Position};
use crate::parser::{empty_select, fold};
use crate::plan::{Inliner, cast, is_aggregate, is_known, is_window_function, plan_query};
use crate::statement::{CreateFunction, DropFunction, Name, Query};
use crate::suggest::did_you_mean;
use crate::{Relation, SqlError};

/// A function in SQL.
#[derive(Clone, Debug)]
pub struct SqlFunction {
    /// Its folded name.
    pub name: String,
    pub(crate) parameters: Vec<SqlParameter>,
    pub(crate) returns: ast::DataType,
    pub(crate) strict: bool,
    /// The expression; functions that it calls are inlined already, and it has no positions.
    pub(crate) body: Expr,
    /// The statement that created it.
    pub sql: String,
    /// The functions that it calls, each once.
    pub depends_on: Vec<String>,
}

/// A parameter of a function in SQL.
#[derive(Clone, Debug)]
pub(crate) struct SqlParameter {
    pub(crate) name: String,
    pub(crate) data_type: ast::DataType,
    pub(crate) default: Option<Expr>,
}

impl SqlFunction {
    /// How it is called, such as `f(a BIGINT, b VARCHAR DEFAULT 'x')`.
    pub fn usage(&self) -> String {
        let parameters = self.parameters.iter().map(|SqlParameter { name, data_type, default }| match default {
            Some(default) => format!("{name} {data_type} DEFAULT {default}"),
            None => format!("{name} {data_type}"),
        });
        format!("{}({})", self.name, parameters.collect::<Vec<_>>().join(", "))
    }

    /// The type of its result, as it was written.
    pub fn returns(&self) -> String {
        self.returns.to_string()
    }
}

impl Catalog {
    /// The function in SQL with this folded name.
    pub fn sql_function(&self, name: &str) -> Option<&SqlFunction> {
        self.sql_functions.get(name).map(Arc::as_ref)
    }

    /// All functions in SQL, by name.
    pub fn sql_functions(&self) -> impl Iterator<Item = &SqlFunction> {
        self.sql_functions.values().map(Arc::as_ref)
    }

    /// The function in Rust with this name.
    pub fn scalar_function(&self, name: &str) -> Option<&Arc<ScalarUDF>> {
        self.scalar_functions.get(name)
    }

    /// All functions in Rust, by name.
    pub fn scalar_functions(&self) -> impl Iterator<Item = &Arc<ScalarUDF>> {
        self.scalar_functions.values()
    }

    /// The aggregate in Rust with this name.
    pub fn aggregate_function(&self, name: &str) -> Option<&Arc<AggregateUDF>> {
        self.aggregate_functions.get(name)
    }

    /// All aggregates in Rust, by name.
    pub fn aggregate_functions(&self) -> impl Iterator<Item = &Arc<AggregateUDF>> {
        self.aggregate_functions.values()
    }

    /// The names of all functions of users.
    pub(crate) fn function_names(&self) -> impl Iterator<Item = &str> {
        let rust = self.scalar_functions.keys().chain(self.aggregate_functions.keys());
        self.sql_functions.keys().chain(rust).map(String::as_str)
    }

    /// Adds a function in Rust, which SQL can call from then on.
    ///
    /// # Errors
    /// DT1011 if it is not immutable, DT1006 if its name is taken, DT1001 if SQL could not write it.
    pub fn register_scalar_function(&mut self, function: ScalarUDF) -> Result<(), SqlError> {
        let name = self.check_registered(function.name(), function.signature().volatility)?;
        self.scalar_functions.insert(name, Arc::new(function));
        Ok(())
    }

    /// Adds an aggregate in Rust, which SQL can call from then on.
    ///
    /// # Errors
    /// DT1011 if it is not immutable, DT1006 if its name is taken, DT1001 if SQL could not write it.
    pub fn register_aggregate_function(&mut self, function: AggregateUDF) -> Result<(), SqlError> {
        let name = self.check_registered(function.name(), function.signature().volatility)?;
        self.aggregate_functions.insert(name, Arc::new(function));
        Ok(())
    }

    /// The name of a function in Rust, if it can be one.
    fn check_registered(&self, name: &str, volatility: Volatility) -> Result<String, SqlError> {
        let nowhere = Position::default();
        if name.is_empty() || name != name.to_lowercase() {
            let message = format!("the function name '{name}' must be in lower case: SQL folds what is not quoted");
            return Err(SqlError::new(Code::Syntax, nowhere, message));
        }
        if volatility != Volatility::Immutable {
            let message = format!("{name}() is not a function of its arguments, so its rows could not be retracted");
            let error = SqlError::new(Code::Volatile, nowhere, message);
            return Err(error.with_hint("give it the signature of an immutable function if it is one"));
        }
        self.check_free(&Name { value: name.to_string(), position: nowhere }, false)?;
        Ok(name.to_string())
    }

    fn check_free(&self, name: &Name, or_replace: bool) -> Result<(), SqlError> {
        let taken = |what: &str| {
            let message = format!("{what} called {} exists already", name.value);
            Err(SqlError::new(Code::RelationExists, name.position, message))
        };
        if is_known(&name.value) {
            return taken("a built-in function");
        }
        if self.scalar_functions.contains_key(&name.value) || self.aggregate_functions.contains_key(&name.value) {
            return taken("a function in Rust");
        }
        if self.sql_functions.contains_key(&name.value) && !or_replace {
            return taken("a function");
        }
        Ok(())
    }

    /// Checks and adds a function in SQL. Returns whether it replaced one.
    ///
    /// # Errors
    /// If its name is taken, its body is wrong for its types, or (with OR REPLACE) something uses the former one.
    pub fn create_function(&mut self, create: &CreateFunction) -> Result<bool, SqlError> {
        self.check_free(&create.name, create.or_replace)?;
        let replaced = self.sql_functions.contains_key(&create.name.value);
        if replaced && let Some(user) = self.function_users(&create.name.value).first() {
            let message = format!("{} cannot be replaced: {user} uses it", create.name.value);
            return Err(SqlError::new(Code::RelationInUse, create.name.position, message));
        }
        let mut others = self.clone();
        others.sql_functions.remove(&create.name.value);
        let function = crate::stack::deep(|| define(&others, create))??;
        self.sql_functions.insert(function.name.clone(), Arc::new(function));
        Ok(replaced)
    }

    /// Removes functions and, with CASCADE, what uses them. Returns the names of the functions that were removed, and the relations, each before what it
    /// reads. All or nothing.
    ///
    /// # Errors
    /// If one does not exist, or is in use without CASCADE.
    pub fn drop_functions(&mut self, drop: &DropFunction) -> Result<(Vec<String>, Vec<Arc<Relation>>), SqlError> {
        let mut doomed: Vec<String> = Vec::new();
        for name in &drop.names {
            if !self.sql_functions.contains_key(&name.value) {
                if drop.if_exists {
                    continue;
                }
                let error = SqlError::new(Code::UnknownFunction, name.position, format!("unknown function {}", name.value));
                let known = did_you_mean(&name.value, self.sql_functions.keys().map(String::as_str));
                return Err(SqlError { hint: known, ..error });
            }
            doomed.push(name.value.clone());
        }
        // Functions of functions are found first; then the views that use one of them.
        let (mut index, mut relations) = (0, Vec::new());
        while index < doomed.len() {
            let name = doomed[index].clone();
            for user in self.function_users(&name) {
                let named = doomed.contains(&user);
                if !drop.cascade && !named {
                    let position = drop.names.first().map_or(Position::default(), |name| name.position);
                    let error = SqlError::new(Code::RelationInUse, position, format!("{name} is used by {user}"));
                    return Err(error.with_hint("DROP .. CASCADE drops what uses it, too"));
                }
                match self.sql_functions.contains_key(&user) {
                    true if !named => doomed.push(user),
                    true => {}
                    false => relations.push(user),
                }
            }
            index += 1;
        }
        let mut removed: Vec<Arc<Relation>> = Vec::new();
        for name in relations {
            for name in self.dependents(&name).into_iter().chain([name.clone()]) {
                removed.extend(self.relations.remove(&name));
            }
        }
        doomed.iter().for_each(|name| {
            self.sql_functions.remove(name);
        });
        Ok((doomed, removed))
    }

    /// The functions and relations that use the function `name` themselves.
    fn function_users(&self, name: &str) -> Vec<String> {
        let uses = |on: &[String]| on.iter().any(|on| on == name);
        let functions =
            self.sql_functions.values().filter(|function| uses(&function.depends_on)).map(|function| function.name.clone());
        let relations =
            self.relations.values().filter(|relation| uses(&relation.functions)).map(|relation| relation.name.clone());
        functions.chain(relations).collect()
    }
}

/// The function that `create` describes, checked by planning it over NULLs of its parameters' types.
fn define(catalog: &Catalog, create: &CreateFunction) -> Result<SqlFunction, SqlError> {
    check_body(catalog, create)?;
    let mut body = create.body.clone();
    let mut inliner = Inliner::new(catalog);
    let mut inline = Inline { inliner: &mut inliner, own: &create.name.value };
    if let ControlFlow::Break(error) = VisitMut::visit(&mut body, &mut inline) {
        return Err(error.or_at(create.body_position));
    }
    check_types(catalog, create)?;
    let mut parameters: Vec<SqlParameter> = Vec::with_capacity(create.parameters.len());
    for parameter in &create.parameters {
        let default = parameter.default.clone().map(without_positions);
        parameters.push(SqlParameter { name: parameter.name.value.clone(), data_type: parameter.data_type.clone(), default });
    }
    Ok(SqlFunction {
        name: create.name.value.clone(),
        parameters,
        returns: create.returns.clone(),
        strict: create.strict,
        body: without_positions(body),
        sql: create.sql.clone(),
        depends_on: inliner.used,
    })
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
    own: &'i str,
}

impl VisitorMut for Inline<'_, '_> {
    type Break = SqlError;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<SqlError> {
        let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
        if let [ast::ObjectNamePart::Identifier(ident)] = function.name.0.as_slice()
            && fold(ident) == self.own
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
    for parameter in create.parameters.iter() {
        if let Some(default) = &parameter.default {
            plan_query(catalog, &query(vec![unnamed(cast(default.clone(), &parameter.data_type))], None, position), &|| 0)?;
        }
    }
    let nulls = create.parameters.iter().map(|parameter| ast::SelectItem::ExprWithAlias {
        expr: cast(Expr::value(ast::Value::Null), &parameter.data_type),
        alias: ast::Ident::with_quote('"', &parameter.name.value),
    });
    let nulls: Vec<ast::SelectItem> = nulls.collect();
    let from = (!nulls.is_empty()).then(|| ast::TableFactor::Derived {
        lateral: false,
        subquery: query(nulls, None, position).ast,
        alias: Some(ast::TableAlias {
            explicit: true,
            name: ast::Ident::with_quote('"', "__arguments"),
            columns: vec![],
            at: None,
        }),
        sample: None,
    });
    let mut body = create.body.clone();
    let _ = VisitMut::visit(&mut body, &mut Placeholders(create));
    plan_query(catalog, &query(vec![unnamed(cast(body, &create.returns))], from, position), &|| 0).map(|_| ())
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
