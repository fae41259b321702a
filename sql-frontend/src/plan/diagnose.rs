//! DataFusion's errors in our words, with a code and a position.
//!
//! Columns carry the spans of the text, and some errors a diagnostic; where neither does, the name is looked up among the identifiers of the
//! query, and the first one that fits is where the error is.

use std::ops::ControlFlow;

use datafusion_common::{Column, DataFusionError, SchemaError};
use sqlparser::ast::{Expr, ObjectNamePart, Query, Spanned, Visit, Visitor};
use sqlparser::tokenizer::Span;

use super::clock::CLOCK_FUNCTIONS;
use crate::SqlError;
use crate::error::{Code, Position};
use crate::parser::fold;
use crate::suggest::nearest;

/// The error of the statement that `query` belongs to; `position` is where that begins.
pub(crate) fn diagnose(error: &DataFusionError, query: &Query, position: Position) -> SqlError {
    let found = translate(error);
    if found.error.line > 0 {
        return found.error;
    }
    let place = error.diagnostic().and_then(|diagnostic| diagnostic.span).map(|span| Position::from(sql_location(span.start)));
    let place = place.or_else(|| found.about.and_then(|name| find(query, &name))).unwrap_or(position);
    SqlError { line: place.line, column: place.column, ..found.error }
}

/// An error of lowering, which is placed at the first function that reads the clock if it is about that, else where the query begins.
pub(super) fn at_clock(error: SqlError, query: &crate::statement::Query) -> SqlError {
    let about_clock = error.line == 0 && error.is(Code::Volatile);
    let place = CLOCK_FUNCTIONS.iter().filter(|_| about_clock).find_map(|name| find(&query.ast, name));
    error.or_at(place.unwrap_or(query.position))
}

/// An error and the name that it is about, by which its place can be found.
struct Found {
    error: SqlError,
    about: Option<String>,
}

const NOWHERE: Position = Position { line: 0, column: 0 };

fn translate(error: &DataFusionError) -> Found {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => translate(inner),
        DataFusionError::Shared(inner) => translate(inner),
        DataFusionError::Collection(errors) if !errors.is_empty() => translate(&errors[0]),
        DataFusionError::External(inner) => match inner.downcast_ref::<SqlError>() {
            Some(error) => Found { error: error.clone(), about: about(error) },
            None => Found { error: SqlError::new(Code::Query, NOWHERE, inner.to_string()), about: None },
        },
        DataFusionError::SchemaError(inner, _) => schema_error(inner),
        other => Found { error: plain(other), about: None },
    }
}

/// The name that an error of ours is about: a relation at the end of the message, or a function, in capitals, at its start.
fn about(error: &SqlError) -> Option<String> {
    let first = error.message.split([' ', ':']).next().unwrap_or_default();
    if first.len() > 1 && first.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
        return Some(first.to_lowercase());
    }
    error.message.rsplit(' ').next().map(str::to_string)
}

fn schema_error(error: &SchemaError) -> Found {
    let (code, message, hint, column) = match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let names: Vec<&str> = valid_fields.iter().map(|column| column.name.as_str()).collect();
            let hint = match (nearest(&field.name, names.iter().copied()), names.as_slice()) {
                (Some(near), _) => Some(format!("did you mean {near}?")),
                (None, []) => None,
                (None, names) => Some(format!("known are {}", names.join(", "))),
            };
            (Code::UnknownColumn, format!("unknown column {}", display(field)), hint, field.as_ref().clone())
        }
        SchemaError::AmbiguousReference { field } => {
            let hint = Some("put the table's name or alias before it".to_string());
            (Code::Ambiguous, format!("column {} is ambiguous", display(field)), hint, field.as_ref().clone())
        }
        SchemaError::DuplicateQualifiedField { name, .. } | SchemaError::DuplicateUnqualifiedField { name } => {
            let hint = Some("give one of them an alias with AS".to_string());
            (Code::DuplicateColumn, format!("column {name} is there more than once"), hint, Column::new_unqualified(name))
        }
    };
    let place = column.spans.first().map_or(NOWHERE, |span| sql_location(span.start).into());
    let error = SqlError { hint, ..SqlError::new(code, place, message) };
    Found { error, about: Some(column.name) }
}

fn display(column: &Column) -> String {
    match &column.relation {
        Some(relation) => format!("{relation}.{}", column.name),
        None => column.name.clone(),
    }
}

/// Errors that are text only.
fn plain(error: &DataFusionError) -> SqlError {
    let text = error.strip_backtrace();
    let text = [
        "Error during planning: ",
        "This feature is not implemented: ",
        "Execution error: ",
        "Internal error: ",
        "type_coercion\ncaused by\n",
    ]
    .iter()
    .fold(text, |text, prefix| text.replace(prefix, ""));
    let text = text.lines().next().unwrap_or_default().trim_end_matches('.').to_string();
    let has = |part: &str| text.contains(part);
    if let Some(column) = between(&text, "column \"", "\" must appear in the GROUP BY clause") {
        let message = format!("column {column} is neither in GROUP BY nor in an aggregate");
        return SqlError::new(Code::Query, NOWHERE, message);
    }
    let code = if matches!(error, DataFusionError::NotImplemented(_)) {
        Code::Unsupported
    } else if has("unique expression names") {
        let message = "two columns of a SELECT list have one name";
        return SqlError::new(Code::DuplicateColumn, NOWHERE, message).with_hint("give one of them an alias with AS");
    } else if has("coerc")
        || has("common argument type")
        || has("types")
        || has("Cannot infer")
        || has("cast")
        || has("data type")
    {
        Code::Type
    } else {
        Code::Query
    };
    SqlError::new(code, NOWHERE, text)
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let rest = &text[text.find(before)? + before.len()..];
    Some(&rest[..rest.find(after)?])
}

fn sql_location(location: datafusion_common::Location) -> sqlparser::tokenizer::Location {
    sqlparser::tokenizer::Location { line: location.line, column: location.column }
}

/// Where `name` is first written in `query`, as a relation, a column or a function.
fn find(query: &Query, name: &str) -> Option<Position> {
    struct Finder<'a>(&'a str);

    impl Visitor for Finder<'_> {
        type Break = Position;

        fn pre_visit_relation(&mut self, relation: &sqlparser::ast::ObjectName) -> ControlFlow<Position> {
            let ident = relation.0.last().and_then(|part| part.as_ident());
            self.check(ident.is_some_and(|ident| fold(ident) == self.0), relation.span())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Position> {
            match expr {
                Expr::Identifier(ident) => self.check(fold(ident) == self.0, ident.span),
                Expr::Function(function) => match function.name.0.as_slice() {
                    [ObjectNamePart::Identifier(ident)] => self.check(fold(ident) == self.0, ident.span),
                    _ => ControlFlow::Continue(()),
                },
                Expr::CompoundIdentifier(parts) => {
                    self.check(parts.last().is_some_and(|ident| fold(ident) == self.0), expr.span())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }

    impl Finder<'_> {
        fn check(&self, is_it: bool, span: Span) -> ControlFlow<Position> {
            let start = span.start;
            if is_it && start.line > 0 { ControlFlow::Break(start.into()) } else { ControlFlow::Continue(()) }
        }
    }

    match query.visit(&mut Finder(name)) {
        ControlFlow::Break(position) => Some(position),
        ControlFlow::Continue(()) => None,
    }
}
