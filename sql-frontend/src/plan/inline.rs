//! Functions that users define: calls of SQL functions are replaced by their bodies, before names are bound.
//!
//! A parameter becomes its argument, cast to the declared type; the result is cast to the declared type. A body has no identifiers but its parameters,
//! and the bodies of the functions that it calls are in it already, so nothing can be captured and nothing recurs. A call that several functions of the
//! name could take is left for the binder, which knows the types of the arguments (see [`overloaded`](super::overloaded)).

use std::ops::ControlFlow;
use std::sync::Arc;

use sqlparser::ast::*;

use super::functions::{FUNCTIONS, is_known};
use super::overloaded::by_type;
use crate::SqlError;
use crate::catalog::{Catalog, SqlFunction, usages};
use crate::error::{Code, Position};
use crate::parser::fold;
use crate::suggest::did_you_mean;

/// A query may grow to so many nodes by inlining: an argument that is used twice at each of twenty levels would be there a million times.
const MOST_NODES: usize = 100_000;

/// Inlines functions, and remembers which.
pub(crate) struct Inliner<'a> {
    catalog: &'a Catalog,
    /// The functions that were inlined or called, each once: those in SQL by their signatures.
    pub(crate) used: Vec<String>,
    /// Whether a call was left for the binder.
    pub(crate) by_type: bool,
    nodes: usize,
}

impl<'a> Inliner<'a> {
    pub(crate) fn new(catalog: &'a Catalog) -> Self {
        Inliner { catalog, used: Vec::new(), by_type: false, nodes: 0 }
    }

    /// What stands for the call `function`, if users defined it in SQL.
    ///
    /// # Errors
    /// If there is no such function, or its arguments are wrong.
    pub(crate) fn inlined(&mut self, function: &Function) -> Result<Option<Expr>, SqlError> {
        let [ObjectNamePart::Identifier(ident)] = function.name.0.as_slice() else { return Ok(None) };
        let (name, position) = (fold(ident), Position::from(ident.span.start));
        if self.catalog.overloads(&name).next().is_some() {
            return self.call(&name, function, position).map(Some);
        }
        if self.catalog.scalar_function(&name).is_some() {
            self.note(&name);
            return without_modifiers(function, &name, position).map(|()| None);
        }
        if self.catalog.aggregate_function(&name).is_some() {
            self.note(&name);
            return Ok(None);
        }
        // Words of clauses that are written as calls, and marks that rewriting leaves.
        let is_mark = matches!(name.as_str(), "descriptor" | "proctime") || name.starts_with("__");
        if is_known(&name) || is_mark || position.line == 0 {
            return Ok(None);
        }
        let error = SqlError::new(Code::UnknownFunction, position, format!("unknown function {name}"));
        let known = FUNCTIONS.names().chain(self.catalog.function_names());
        Err(match did_you_mean(&name, known) {
            Some(hint) => error.with_hint(hint),
            None => error,
        })
    }

    fn note(&mut self, name: &str) {
        if !self.used.iter().any(|used| used == name) {
            self.used.push(name.to_string());
        }
    }

    /// What stands for a call of functions in SQL.
    fn call(&mut self, name: &str, call: &Function, position: Position) -> Result<Expr, SqlError> {
        let refused = |what: &str| SqlError::unsupported(position, format!("{what} of the function {name}"));
        without_modifiers(call, name, position)?;
        let FunctionArguments::List(list) = &call.args else { return Err(refused("a call without parentheses")) };
        let given = list.args.iter().map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr.clone()),
            _ => Err(refused("a named argument or *")),
        });
        let arguments = given.collect::<Result<Vec<_>, _>>()?;
        let all: Vec<&Arc<SqlFunction>> = self.catalog.overloads(name).collect();
        let fitting: Vec<&Arc<SqlFunction>> = all.iter().filter(|function| function.takes(arguments.len())).copied().collect();
        match fitting.as_slice() {
            [] => {
                let message = format!("{name} does not take {} arguments: it is called as {}", arguments.len(), usages(&all));
                Err(SqlError::new(Code::Type, position, message))
            }
            [only] if !only.by_type => {
                self.note(&only.signature);
                self.body(only, arguments, position)
            }
            _ => {
                self.by_type = true;
                Ok(by_type(name, arguments))
            }
        }
    }

    /// The body of `found` with `arguments`, which may be fewer than its parameters.
    ///
    /// # Errors
    /// If the query grows too long.
    pub(crate) fn body(&mut self, found: &SqlFunction, mut arguments: Vec<Expr>, position: Position) -> Result<Expr, SqlError> {
        let defaults = found.parameters.iter().skip(arguments.len());
        arguments.extend(defaults.map_while(|parameter| parameter.default.clone()));
        let arguments: Vec<Expr> = arguments
            .into_iter()
            .zip(&found.parameters)
            .map(|(argument, parameter)| cast(argument, &parameter.data_type))
            .collect();
        let mut body = found.body.clone();
        if found.strict {
            body = strict(body, found);
        }
        let mut substitute = Substitute { function: found, arguments: &arguments, nodes: self.nodes };
        if VisitMut::visit(&mut body, &mut substitute).is_break() {
            let message = format!("the calls of {} grow to more than {MOST_NODES} expressions", found.name);
            return Err(SqlError::new(Code::TooComplex, position, message));
        }
        self.nodes = substitute.nodes;
        Ok(cast(body, &found.returns))
    }
}

/// What is no aggregate has no modifiers.
fn without_modifiers(call: &Function, name: &str, position: Position) -> Result<(), SqlError> {
    let refused = |what: &str| Err(SqlError::unsupported(position, format!("{what} of the function {name}")));
    if call.over.is_some() || call.filter.is_some() || call.null_treatment.is_some() || !call.within_group.is_empty() {
        return refused("OVER, FILTER or another modifier");
    }
    match &call.args {
        FunctionArguments::List(list) if list.duplicate_treatment.is_some() || !list.clauses.is_empty() => {
            refused("DISTINCT or another modifier")
        }
        _ => Ok(()),
    }
}

/// `CAST((expr) AS data_type)`, in parentheses.
pub(crate) fn cast(expr: Expr, data_type: &DataType) -> Expr {
    let expr = Box::new(Expr::Nested(Box::new(expr)));
    let cast = Expr::Cast { kind: CastKind::Cast, expr, data_type: data_type.clone(), array: false, format: None };
    Expr::Nested(Box::new(cast))
}

/// `CASE WHEN a IS NOT NULL AND .. THEN body END`.
fn strict(body: Expr, function: &SqlFunction) -> Expr {
    let present = function
        .parameters
        .iter()
        .map(|parameter| Expr::IsNotNull(Box::new(Expr::Identifier(Ident::with_quote('"', &parameter.name)))));
    let condition =
        present.reduce(|left, right| Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) });
    let Some(condition) = condition else { return body };
    Expr::Case {
        case_token: helpers::attached_token::AttachedToken::empty(),
        end_token: helpers::attached_token::AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result: body }],
        else_result: None,
    }
}

/// Puts arguments in the places of parameters.
struct Substitute<'a> {
    function: &'a SqlFunction,
    arguments: &'a [Expr],
    nodes: usize,
}

impl Substitute<'_> {
    fn argument(&self, expr: &Expr) -> Option<&Expr> {
        let index = match expr {
            Expr::Identifier(ident) => {
                let name = fold(ident);
                self.function.parameters.iter().position(|parameter| parameter.name == name)?
            }
            Expr::Value(ValueWithSpan { value: Value::Placeholder(text), .. }) => {
                text.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)?
            }
            _ => return None,
        };
        self.arguments.get(index)
    }
}

impl VisitorMut for Substitute<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let argument = self.argument(expr).cloned();
        if let Some(argument) = argument {
            let mut size = Size(0);
            let _ = Visit::visit(&argument, &mut size);
            self.nodes += size.0;
            *expr = argument;
        }
        self.nodes += 1;
        if self.nodes > MOST_NODES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

struct Size(usize);

impl Visitor for Size {
    type Break = ();

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.0 += 1;
        ControlFlow::Continue(())
    }
}
