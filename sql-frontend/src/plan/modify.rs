//! INSERT, UPDATE and DELETE as queries for the rows that they add, change and take away.

use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::{DFSchema, ScalarValue};
use deltic_circuit::{Circuit, Expr, NodeId};
use sqlparser::ast;

use super::{JsonKind, Now, bind, clock::Clock, constant::select, length::check_length, stack, validate};
use crate::SqlError;
use crate::catalog::{Catalog, Relation, RelationKind};
use crate::error::{Code, Position};
use crate::lower::{Lowered, circuit_error, fold};
use crate::statement::{Delete, Insert, Name, Query, Update};
use crate::suggest::did_you_mean;

/// The rows that `insert` adds: the columns of the table in its order, defaults filled in, cast to their types. NOT NULL is for the
/// table to check.
///
/// # Errors
/// If the statement is wrong, or its target is a view.
pub fn plan_insert(catalog: &Catalog, insert: &Insert, now: Now<'_>) -> Result<Circuit, SqlError> {
    stack::deep(|| insert_rows(catalog, insert, Clock::At(now)))?.map_err(|error| error.or_at(insert.table.position))
}

/// The rows that `update` changes: the columns of the old row, then those of the new one.
///
/// # Errors
/// If the statement is wrong, or its target is not a table.
pub fn plan_update(catalog: &Catalog, update: &Update, now: Now<'_>) -> Result<Circuit, SqlError> {
    stack::deep(|| updated_rows(catalog, update, Clock::At(now)))?.map_err(|error| error.or_at(update.table.position))
}

/// The rows that `delete` takes away.
///
/// # Errors
/// If the statement is wrong, or its target is not a table.
pub fn plan_delete(catalog: &Catalog, delete: &Delete, now: Now<'_>) -> Result<Circuit, SqlError> {
    stack::deep(|| deleted_rows(catalog, delete, Clock::At(now)))?.map_err(|error| error.or_at(delete.table.position))
}

fn insert_rows(catalog: &Catalog, insert: &Insert, clock: Clock<'_>) -> Result<Circuit, SqlError> {
    let relation = target(catalog, &insert.table, true)?;
    let columns = target_columns(relation, &insert.columns)?;
    let Some(source) = &insert.source else {
        return finish(Lowered::one_row(), relation, |column, _| Ok(default(relation, column)), 1);
    };
    let mut source = source.clone();
    let mut values = None;
    if let ast::SetExpr::Values(rows) = source.ast.body.as_mut() {
        prepare_values(rows, relation, &columns, &insert.table)?;
        let fields: Vec<Field> =
            columns.iter().map(|&column| relation.schema.field(column).clone().with_nullable(true)).collect();
        let schema = DFSchema::try_from(Schema::new(fields)).map_err(|error| super::internal(&error, source.position))?;
        values = Some(schema.into());
    }
    validate::validate_query(&source.ast, source.position)?;
    let bound = bind(catalog, &source, values)?;
    let given = bound.plan.schema().fields().len();
    if given != columns.len() {
        return Err(wrong_count(&insert.table, columns.len(), given, source.position));
    }
    let untyped: Vec<bool> = bound.plan.schema().fields().iter().map(|field| field.data_type() == &DataType::Null).collect();
    let lowered = bound.lower(&source, clock, false)?;
    let value = |column: usize, output: &dyn Fn(usize) -> Expr| match columns.iter().position(|&target| target == column) {
        None => Ok(default(relation, column)),
        Some(index) if untyped[index] => null(relation.schema.field(column).data_type()),
        Some(index) => assign(output(index), relation, column, source.position),
    };
    finish(lowered, relation, value, 1)
}

/// Puts the defaults in the places of DEFAULT, and checks that each row has the right number of values.
fn prepare_values(values: &mut ast::Values, relation: &Relation, columns: &[usize], table: &Name) -> Result<(), SqlError> {
    for row in &mut values.rows {
        let row = &mut row.content;
        if row.len() != columns.len() {
            let place = row.first().map(|expr| ast::Spanned::span(expr).start).filter(|start| start.line > 0);
            let position = place.map_or(table.position, Position::from);
            return Err(wrong_count(table, columns.len(), row.len(), position));
        }
        for (cell, &column) in row.iter_mut().zip(columns) {
            let is_default = matches!(cell, ast::Expr::Identifier(ident) if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"));
            if is_default {
                *cell = relation.default_syntax[column].clone().unwrap_or(ast::Expr::value(ast::Value::Null));
            }
        }
    }
    Ok(())
}

fn wrong_count(table: &Name, wanted: usize, given: usize, position: Position) -> SqlError {
    SqlError::new(Code::Query, position, format!("{wanted} values are needed for {}, not {given}", table.value))
}

fn updated_rows(catalog: &Catalog, update: &Update, clock: Clock<'_>) -> Result<Circuit, SqlError> {
    let relation = target(catalog, &update.table, false)?;
    let mut assigned: Vec<Option<&Option<ast::Expr>>> = vec![None; relation.schema.fields().len()];
    for assignment in &update.assignments {
        let column = column_index(relation, &assignment.column)?;
        if assigned[column].replace(&assignment.value).is_some() {
            let message = format!("column {} is assigned more than once", assignment.column.value);
            return Err(SqlError::new(Code::DuplicateColumn, assignment.column.position, message));
        }
    }
    let position = update.table.position;
    let mut items = old_columns(relation, &update.table, update.alias.as_ref());
    for value in assigned.iter().copied().flatten().flatten() {
        validate::validate_expression(value, position)?;
        items.push(aliased(value.clone(), items.len()));
    }
    let query = rows_of(items, &update.table, update.alias.as_ref(), update.filter.as_ref())?;
    let bound = bind(catalog, &query, None)?;
    let untyped: Vec<bool> = bound.plan.schema().fields().iter().map(|field| field.data_type() == &DataType::Null).collect();
    let lowered = bound.lower(&query, clock, false)?;
    let width = relation.schema.fields().len();
    let value = |index: usize, output: &dyn Fn(usize) -> Expr| {
        let Some(column) = index.checked_sub(width) else { return Ok(output(index)) };
        match assigned[column] {
            None => Ok(output(column)),
            Some(None) => Ok(default(relation, column)),
            Some(Some(_)) => {
                let before = assigned[..column].iter().flatten().filter(|value| value.is_some()).count();
                let index = width + before;
                if untyped[index] {
                    null(relation.schema.field(column).data_type())
                } else {
                    assign(output(index), relation, column, position)
                }
            }
        }
    };
    finish(lowered, relation, value, 2)
}

fn deleted_rows(catalog: &Catalog, delete: &Delete, clock: Clock<'_>) -> Result<Circuit, SqlError> {
    let relation = target(catalog, &delete.table, false)?;
    let items = old_columns(relation, &delete.table, delete.alias.as_ref());
    let query = rows_of(items, &delete.table, delete.alias.as_ref(), delete.filter.as_ref())?;
    let lowered = bind(catalog, &query, None)?.lower(&query, clock, false)?;
    finish(lowered, relation, |column, output| Ok(output(column)), 1)
}

/// The relation that a statement changes.
fn target<'a>(catalog: &'a Catalog, name: &Name, insert: bool) -> Result<&'a Relation, SqlError> {
    let relation = catalog.resolve(name)?;
    let (what, hint) = match relation.kind {
        RelationKind::Table => return Ok(relation),
        RelationKind::Stream if insert => return Ok(relation),
        RelationKind::Stream => ("a stream, which is append-only", "use CREATE TABLE for rows that change"),
        RelationKind::LateRows => {
            ("filled by its source with the rows that come too late", "TRUNCATE empties it, nothing else changes it")
        }
        RelationKind::View | RelationKind::MaterializedView => ("a view", "change the tables that it reads"),
    };
    Err(SqlError::new(Code::WrongKind, name.position, format!("{} is {what}", name.value)).with_hint(hint))
}

fn target_columns(relation: &Relation, names: &[Name]) -> Result<Vec<usize>, SqlError> {
    if names.is_empty() {
        return Ok((0..relation.schema.fields().len()).collect());
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let column = column_index(relation, name)?;
        if columns.contains(&column) {
            let message = format!("column {} is there more than once", name.value);
            return Err(SqlError::new(Code::DuplicateColumn, name.position, message));
        }
        columns.push(column);
    }
    Ok(columns)
}

fn column_index(relation: &Relation, name: &Name) -> Result<usize, SqlError> {
    relation.schema.index_of(&name.value).map_err(|_| {
        let error =
            SqlError::new(Code::UnknownColumn, name.position, format!("unknown column {} of {}", name.value, relation.name));
        match did_you_mean(&name.value, relation.schema.fields().iter().map(|field| field.name().as_str())) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    })
}

fn old_columns(relation: &Relation, table: &Name, alias: Option<&Name>) -> Vec<ast::SelectItem> {
    let table = quoted(alias.unwrap_or(table));
    let column = |(index, field): (usize, &std::sync::Arc<Field>)| {
        aliased(ast::Expr::CompoundIdentifier(vec![table.clone(), ast::Ident::with_quote('"', field.name())]), index)
    };
    relation.schema.fields().iter().enumerate().map(column).collect()
}

fn aliased(expr: ast::Expr, index: usize) -> ast::SelectItem {
    ast::SelectItem::ExprWithAlias { expr, alias: ast::Ident::with_quote('"', format!("__column_{index}")) }
}

fn quoted(name: &Name) -> ast::Ident {
    ast::Ident::with_quote('"', &name.value)
}

/// `SELECT items FROM table AS alias WHERE filter`.
fn rows_of(
    items: Vec<ast::SelectItem>,
    table: &Name,
    alias: Option<&Name>,
    filter: Option<&ast::Expr>,
) -> Result<Query, SqlError> {
    let factor = crate::parser::table_factor(quoted(table), alias.map(quoted));
    let mut query = select(items, Some(factor));
    if let (ast::SetExpr::Select(select), Some(filter)) = (query.body.as_mut(), filter) {
        validate::validate_expression(filter, table.position)?;
        select.selection = Some(filter.clone());
    }
    Ok(Query { ast: Box::new(query), position: table.position })
}

fn default(relation: &Relation, column: usize) -> Expr {
    let typed_null = || ScalarValue::try_from(relation.schema.field(column).data_type()).unwrap_or(ScalarValue::Null);
    relation.defaults[column].clone().unwrap_or_else(|| Expr::literal(typed_null()))
}

fn null(data_type: &DataType) -> Result<Expr, SqlError> {
    let value = ScalarValue::try_from(data_type);
    value.map(Expr::literal).map_err(|error| super::internal(&error, Position::default()))
}

/// `value` as the content of a column: cast to its type, its length checked.
fn assign(value: Expr, relation: &Relation, column: usize, position: Position) -> Result<Expr, SqlError> {
    let field = relation.schema.field(column);
    let from = value.data_type();
    if &from != field.data_type() && !arrow::compute::can_cast_types(&from, field.data_type()) {
        let message = format!("column {} has the type {}, the value {from}", field.name(), field.data_type());
        return Err(SqlError::new(Code::Type, position, message));
    }
    let value = value.cast(field.data_type().clone());
    Ok(fold(match (relation.max_lengths[column], relation.json[column]) {
        (Some(length), _) => check_length(value, length),
        (None, Some(kind)) => json_text(value, kind),
        (None, None) => value,
    }))
}

/// A text as the content of a column of JSON: one that is not JSON fails.
pub(crate) fn json_text(text: Expr, kind: JsonKind) -> Expr {
    let name = kind.as_str().to_lowercase();
    match deltic_circuit::functions::named(&name) {
        Some(function) => Expr::function(function, vec![text], std::sync::Arc::new(Field::new(name, DataType::Utf8, true))),
        None => text,
    }
}

/// Adds the projection to the columns of the relation, `copies` times side by side.
fn finish(
    lowered: Lowered,
    relation: &Relation,
    value: impl Fn(usize, &dyn Fn(usize) -> Expr) -> Result<Expr, SqlError>,
    copies: usize,
) -> Result<Circuit, SqlError> {
    let Lowered { mut builder, output, .. } = lowered;
    let schema = builder.schema(output).clone();
    let column = |index: usize| Expr::column(index, schema.field(index).data_type().clone());
    let width = relation.schema.fields().len();
    let mut projections = Vec::with_capacity(width * copies);
    for index in 0..width * copies {
        let name = relation.schema.field(index % width).name().clone();
        projections.push((name, value(index, &column)?));
    }
    let names: Vec<String> = projections.iter().map(|(name, _)| name.clone()).collect();
    let output: NodeId = builder.map_filter(output, vec![], projections).map_err(|error| circuit_error(&error))?;
    builder.finish(output, Some(&names)).map_err(|error| circuit_error(&error))
}
