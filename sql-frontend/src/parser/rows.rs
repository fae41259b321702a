//! Functions of PostgreSQL that make rows, as UNNEST of arrays.
//!
//! In FROM `jsonb_each(j)` is `UNNEST(jsonb_object_keys(j), jsonb_object_values(j)) AS jsonb_each (key, value)`, and `jsonb_to_recordset(j) AS t (a INT)` reads
//! the members of each element. As an item of SELECT, `jsonb_array_elements(j)` is `unnest(..)` of it. And `SELECT unnest(l)` without FROM is a query of
//! UNNEST, which may read the queries around it.

use std::ops::ControlFlow;

use sqlparser::ast::*;

use super::forms::simple_name;
use super::{bare_select, empty_select, fold};
use crate::plan::call;

/// A function that makes rows: the functions of the arrays that are unnested, and the names of the columns (none: that of the function or its alias).
type MakesRows = (&'static str, &'static [&'static str], &'static [&'static str]);

const MAKE_ROWS: &[MakesRows] = &[
    ("jsonb_array_elements", &["jsonb_array_elements"], &["value"]),
    ("json_array_elements", &["jsonb_array_elements"], &["value"]),
    ("jsonb_array_elements_text", &["jsonb_array_elements_text"], &["value"]),
    ("json_array_elements_text", &["jsonb_array_elements_text"], &["value"]),
    ("jsonb_object_keys", &["jsonb_object_keys"], &[]),
    ("json_object_keys", &["jsonb_object_keys"], &[]),
    ("jsonb_each", &["jsonb_object_keys", "jsonb_object_values"], &["key", "value"]),
    ("json_each", &["jsonb_object_keys", "jsonb_object_values"], &["key", "value"]),
    ("jsonb_each_text", &["jsonb_object_keys", "jsonb_object_values_text"], &["key", "value"]),
    ("json_each_text", &["jsonb_object_keys", "jsonb_object_values_text"], &["key", "value"]),
    ("jsonb_path_query", &["jsonb_path_query"], &[]),
    ("regexp_matches", &["regexp_matches"], &[]),
    ("regexp_split_to_table", &["regexp_split_to_array"], &[]),
    ("string_to_table", &["string_to_array"], &[]),
];

/// Those that make rows also where they are a part of an item of SELECT, as in `(regexp_matches(text, pattern))[1]`.
const MAKE_ROWS_INSIDE: &[&str] = &["jsonb_path_query", "regexp_matches"];

/// The relation of a `SELECT unnest(l)`.
pub(crate) const UNNESTED: &str = "__unnested";

const ELEMENTS: &str = "jsonb_array_elements";

fn makes_rows(name: &str) -> Option<&'static MakesRows> {
    MAKE_ROWS.iter().find(|(known, ..)| *known == name)
}

/// Rewrites such a function in FROM.
pub(super) fn rewrite_relation(factor: &mut TableFactor) {
    let (name, arguments, with_ordinality, alias) = match factor {
        TableFactor::Table { name, alias, args: Some(args), with_ordinality, .. } if args.settings.is_none() => {
            (name, &args.args, *with_ordinality, alias)
        }
        TableFactor::Function { name, args, with_ordinality, alias, .. } => (name, &*args, *with_ordinality, alias),
        _ => return,
    };
    let Some(name) = simple_name(name) else { return };
    let argument = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    };
    let Some(arguments) = arguments.iter().map(argument).collect::<Option<Vec<Expr>>>() else { return };
    if let (Some(alias), [value], false) = (&*alias, arguments.as_slice(), with_ordinality)
        && let Some(record) = record(&name, value, alias)
    {
        *factor = record;
        return;
    }
    let Some((_, functions, columns)) = makes_rows(&name) else { return };
    let mut alias = alias.clone().unwrap_or_else(|| named(Ident::new(name)));
    if alias.columns.is_empty() {
        alias.columns = columns.iter().map(|column| definition(Ident::new(*column))).collect();
    }
    *factor = TableFactor::UNNEST {
        alias: Some(alias),
        array_exprs: functions.iter().map(|function| call(function, arguments.clone())).collect(),
        with_offset: false,
        with_offset_alias: None,
        with_ordinality,
    };
}

fn named(name: Ident) -> TableAlias {
    TableAlias { explicit: true, name, columns: vec![], at: None }
}

fn definition(name: Ident) -> TableAliasColumnDef {
    TableAliasColumnDef { name, data_type: None }
}

/// `jsonb_to_recordset(value) AS t (a INT, ..)` and `jsonb_to_record`: a SELECT of the members, each cast to its type.
fn record(name: &str, value: &Expr, alias: &TableAlias) -> Option<TableFactor> {
    let many = match name {
        "jsonb_to_recordset" | "json_to_recordset" => true,
        "jsonb_to_record" | "json_to_record" => false,
        _ => return None,
    };
    let object = match many {
        true => Expr::CompoundIdentifier(vec![Ident::new("__record"), Ident::new("value")]),
        false => Expr::Nested(Box::new(value.clone())),
    };
    let member = |column: &TableAliasColumnDef| {
        let key = Expr::value(Value::SingleQuotedString(fold(&column.name)));
        let data_type = column.data_type.clone()?;
        let is_json = matches!(data_type, DataType::JSON | DataType::JSONB);
        let op = if is_json { BinaryOperator::Arrow } else { BinaryOperator::LongArrow };
        let member = Expr::BinaryOp { left: Box::new(object.clone()), op, right: Box::new(key) };
        let expr = Box::new(Expr::Nested(Box::new(member)));
        let cast = Expr::Cast { kind: CastKind::Cast, expr, data_type, array: false, format: None };
        Some(SelectItem::ExprWithAlias { expr: cast, alias: column.name.clone() })
    };
    let mut select = bare_select();
    select.projection = alias.columns.iter().map(member).collect::<Option<Vec<_>>>().filter(|items| !items.is_empty())?;
    if many {
        let relation = TableFactor::UNNEST {
            alias: Some(TableAlias { columns: vec![definition(Ident::new("value"))], ..named(Ident::new("__record")) }),
            array_exprs: vec![call(ELEMENTS, [value.clone()])],
            with_offset: false,
            with_offset_alias: None,
            with_ordinality: false,
        };
        select.from = vec![TableWithJoins { relation, joins: vec![] }];
    }
    let mut query = empty_select();
    *query.body = SetExpr::Select(Box::new(select));
    Some(TableFactor::Derived { lateral: true, subquery: Box::new(query), alias: Some(named(alias.name.clone())), sample: None })
}

/// Rewrites the items of a SELECT that make rows.
pub(super) fn rewrite_items(select: &mut Select) {
    for item in &mut select.projection {
        let (expr, alias) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.clone())),
            _ => continue,
        };
        let Expr::Function(Function { name, args: FunctionArguments::List(list), over: None, .. }) = &*expr else {
            rewrite_inside(item);
            continue;
        };
        let Some(name) = simple_name(name) else { continue };
        let list_of = match makes_rows(&name) {
            Some((_, [only], _)) => *only,
            None if name == "generate_series" => "generate_series",
            _ => {
                rewrite_inside(item);
                continue;
            }
        };
        let argument = |argument: &FunctionArg| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        };
        let Some(arguments) = list.args.iter().map(argument).collect::<Option<Vec<Expr>>>() else { continue };
        let expr = call("unnest", [call(list_of, arguments)]);
        *item = SelectItem::ExprWithAlias { expr, alias: alias.unwrap_or_else(|| Ident::new(name)) };
    }
    unnest_alone(select);
}

/// Rewrites those calls inside of an item that make rows there. A column without a name is called as the function.
fn rewrite_inside(item: &mut SelectItem) {
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return };
    let mut inside = Inside { depth: 0, found: None };
    let ControlFlow::Continue(()) = VisitMut::visit(expr, &mut inside);
    if let (Some(name), SelectItem::UnnamedExpr(expr)) = (inside.found, &mut *item) {
        let expr = std::mem::replace(expr, Expr::value(Value::Null));
        *item = SelectItem::ExprWithAlias { expr, alias: Ident::new(name) };
    }
}

struct Inside {
    /// Of queries inside, whose rows are their own.
    depth: usize,
    /// The function that was found last.
    found: Option<String>,
}

impl VisitorMut for Inside {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Self::Break> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if self.depth == 0
            && let Expr::Function(function) = &*expr
            && let Some(name) = simple_name(&function.name).filter(|name| MAKE_ROWS_INSIDE.contains(&name.as_str()))
        {
            *expr = call("unnest", [expr.clone()]);
            self.found = Some(name);
        }
        ControlFlow::Continue(())
    }
}

/// `SELECT unnest(a), unnest(b), c` without FROM, as a query of UNNEST; columns in it are of the queries around.
fn unnest_alone(select: &mut Select) {
    let is_bare = Select { projection: vec![], select_token: bare_select().select_token, ..select.clone() } == bare_select();
    if !is_bare {
        return;
    }
    let mut lists = Vec::new();
    let mut items = select.projection.clone();
    for item in &mut items {
        let (expr, name) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(alias.clone())),
            _ => return,
        };
        match unnested(expr) {
            Some(list) => {
                let column = vec![Ident::new(UNNESTED), Ident::new(format!("c{}", lists.len()))];
                lists.push(list.clone());
                let alias = name.unwrap_or_else(|| Ident::new("unnest"));
                *item = SelectItem::ExprWithAlias { expr: Expr::CompoundIdentifier(column), alias };
            }
            None if has_unnest(expr) => return,
            None => {}
        }
    }
    if !lists.iter().any(has_column) {
        return;
    }
    let columns = (0..lists.len()).map(|place| definition(Ident::new(format!("c{place}")))).collect();
    let relation = TableFactor::UNNEST {
        alias: Some(TableAlias { columns, ..named(Ident::new(UNNESTED)) }),
        array_exprs: lists,
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    };
    select.projection = items;
    select.from = vec![TableWithJoins { relation, joins: vec![] }];
}

/// The array of `unnest(array)`.
fn unnested(expr: &Expr) -> Option<&Expr> {
    let Expr::Function(Function { name, args: FunctionArguments::List(list), over: None, .. }) = expr else { return None };
    match (simple_name(name).as_deref(), list.args.as_slice()) {
        (Some("unnest"), [FunctionArg::Unnamed(FunctionArgExpr::Expr(array))]) => Some(array),
        _ => None,
    }
}

fn has_unnest(expr: &Expr) -> bool {
    let found = visit_expressions(expr, |expr| match unnested(expr) {
        Some(_) => ControlFlow::Break(()),
        None => ControlFlow::Continue(()),
    });
    found.is_break()
}

fn has_column(expr: &Expr) -> bool {
    let found = visit_expressions(expr, |expr| match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}
