//! The arguments of the window table functions: by position or by name, the input as `TABLE t [PARTITION BY ..]`, a name or a query.

use sqlparser::ast::*;

use super::WindowKind;
use crate::SqlError;
use crate::error::{Code, Position};
use crate::parser::fold;
use crate::suggest::did_you_mean;

/// What the parser makes of `TABLE t PARTITION BY k` in a list of arguments: a call with `t` and `k`.
pub(crate) const TABLE_ARGUMENT: &str = "__table";

/// The argument of SESSION that guards against keys that are no keys. It has no place, only its name.
const MAX_SESSIONS: &str = "max_sessions_per_key";

/// The named argument [`MAX_SESSIONS`] among `args`, and the others. Only SESSION in GROUP BY and its bounds have it.
///
/// # Errors
/// If it is there twice, or not a positive whole number.
pub(crate) fn max_sessions(args: &[FunctionArg], position: Position) -> Result<(Option<u64>, Vec<FunctionArg>), SqlError> {
    let (named, others): (Vec<&FunctionArg>, Vec<&FunctionArg>) = args.iter().partition(|arg| {
        matches!(arg, FunctionArg::Named { name, operator: FunctionArgOperator::RightArrow, .. } if fold(name) == MAX_SESSIONS)
    });
    let most = match named.as_slice() {
        [] => None,
        [FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }] => Some(whole_number(expr, position)?),
        [FunctionArg::Named { arg, .. }] => {
            let message = format!("{MAX_SESSIONS} must be a positive whole number, not {arg}");
            return Err(SqlError::new(Code::Query, position, message));
        }
        _ => return Err(SqlError::new(Code::Query, position, format!("the argument {MAX_SESSIONS} is given twice"))),
    };
    Ok((most, others.into_iter().cloned().collect()))
}

/// A call of a window table function.
pub(crate) struct WindowCall {
    pub(crate) kind: WindowKind,
    /// What it is called on.
    pub(crate) input: TableFactor,
    /// The columns of PARTITION BY.
    pub(crate) partition: Vec<Expr>,
    /// The column of the event time.
    pub(crate) time: Expr,
    /// In the order of [`WindowKind::lengths`].
    pub(crate) lengths: Vec<Expr>,
    pub(crate) offset: Option<Expr>,
    pub(crate) max_sessions: Option<u64>,
    pub(crate) position: Position,
}

/// An argument with the name that it has or that its place gives it.
struct Argument<'a> {
    name: String,
    expr: &'a Expr,
}

/// The call that `factor` is, with its alias; `None` if it is another relation or another function.
pub(crate) fn check_call(factor: &TableFactor) -> Result<Option<(WindowCall, Option<TableAlias>)>, SqlError> {
    let (name, args, alias) = match factor {
        TableFactor::TableFunction { expr: Expr::Function(function), alias } => match &function.args {
            FunctionArguments::List(list) if list.clauses.is_empty() => (&function.name, list.args.as_slice(), alias),
            _ => return Ok(None),
        },
        TableFactor::Table { name, args: Some(args), alias, .. } => (name, args.args.as_slice(), alias),
        TableFactor::Function { lateral: false, name, args, alias, .. } => (name, args.as_slice(), alias),
        _ => return Ok(None),
    };
    let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else { return Ok(None) };
    let Some(kind) = WindowKind::of(&fold(ident)) else { return Ok(None) };
    let position = ident.span.start.into();
    window_call(kind, args, position).map(|call| Some((call, alias.clone())))
}

fn window_call(kind: WindowKind, args: &[FunctionArg], position: Position) -> Result<WindowCall, SqlError> {
    let function = kind.name().to_uppercase();
    let arguments = named(kind, args, position)?;
    let get = |name: &str| arguments.iter().find(|argument| argument.name == name).map(|argument| argument.expr);
    let required = |name: &str| {
        get(name).ok_or_else(|| {
            let error = SqlError::new(Code::Query, position, format!("{function} needs the argument {name}"));
            error.with_hint(format!("write {}", usage(kind)))
        })
    };
    let (input, partition) = data(required("data")?, position)?;
    if kind != WindowKind::Session && !partition.is_empty() {
        let error = SqlError::new(Code::Query, place(&partition[0], position), format!("{function} has no PARTITION BY"));
        return Err(error.with_hint("windows of fixed size are the same for all keys; group by the key"));
    }
    let max_sessions = get(MAX_SESSIONS).map(|expr| whole_number(expr, position)).transpose()?;
    let lengths = kind.lengths().iter().map(|name| required(name).cloned()).collect::<Result<_, _>>()?;
    let time = time_column(required("timecol")?, position)?;
    Ok(WindowCall { kind, input, partition, time, lengths, offset: get("offset").cloned(), max_sessions, position })
}

/// How the function is called.
fn usage(kind: WindowKind) -> String {
    let partition = if kind == WindowKind::Session { " PARTITION BY k" } else { "" };
    let offset = if kind.has_offset() { " [, offset]" } else { "" };
    let lengths = kind.lengths().join(", ");
    format!("{}(TABLE t{partition}, DESCRIPTOR(ts), {lengths}{offset})", kind.name().to_uppercase())
}

fn named(kind: WindowKind, args: &[FunctionArg], position: Position) -> Result<Vec<Argument<'_>>, SqlError> {
    let function = kind.name().to_uppercase();
    let mut order = vec!["data", "timecol"];
    order.extend(kind.lengths());
    let mut known = order.clone();
    if kind.has_offset() {
        order.push("offset");
        known.push("offset");
    } else {
        known.push(MAX_SESSIONS);
    }
    let mut found: Vec<Argument<'_>> = Vec::new();
    for (index, arg) in args.iter().enumerate() {
        let (name, expr, place) = match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => match order.get(index) {
                Some(name) => (name.to_string(), expr, place(expr, position)),
                None => {
                    let message = format!("{function} has {} arguments, not {}", order.len(), args.len());
                    return Err(
                        SqlError::new(Code::Query, place(expr, position), message).with_hint(format!("write {}", usage(kind)))
                    );
                }
            },
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(expr), operator: FunctionArgOperator::RightArrow } => {
                (fold(name), expr, name.span.start.into())
            }
            other => return Err(SqlError::unsupported(position, format!("the argument {other} of {function}"))),
        };
        if !known.contains(&name.as_str()) {
            let error = SqlError::new(Code::Query, place, format!("{function} has no argument {name}"));
            let hint = did_you_mean(&name, known.iter().copied());
            return Err(error.with_hint(hint.unwrap_or_else(|| format!("known are {}", known.join(", ")))));
        }
        if found.iter().any(|argument| argument.name == name) {
            return Err(SqlError::new(Code::Query, place, format!("the argument {name} of {function} is given twice")));
        }
        found.push(Argument { name, expr });
    }
    Ok(found)
}

fn place(expr: &Expr, otherwise: Position) -> Position {
    let start = expr.span().start;
    if start.line == 0 { otherwise } else { start.into() }
}

/// The input of a window: a name, a query, or either after TABLE.
fn data(expr: &Expr, position: Position) -> Result<(TableFactor, Vec<Expr>), SqlError> {
    match expr {
        Expr::Identifier(ident) => {
            let factor = crate::parser::table_factor(ident.clone(), None);
            Ok((factor, vec![]))
        }
        Expr::Subquery(query) => {
            Ok((TableFactor::Derived { lateral: false, subquery: query.clone(), alias: None, sample: None }, vec![]))
        }
        Expr::Nested(inner) => data(inner, position),
        Expr::Function(function) => {
            let is_table =
                matches!(function.name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if ident.value == TABLE_ARGUMENT);
            let arguments = match &function.args {
                FunctionArguments::List(list) if is_table => list.args.as_slice(),
                _ => &[],
            };
            let mut exprs = arguments.iter().filter_map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                _ => None,
            });
            match exprs.next() {
                Some(table) => Ok((data(table, position)?.0, exprs.cloned().collect())),
                None => Err(not_an_input(expr, position)),
            }
        }
        _ => Err(not_an_input(expr, position)),
    }
}

fn not_an_input(expr: &Expr, position: Position) -> SqlError {
    let error = SqlError::new(Code::Query, place(expr, position), format!("{expr} is not the input of a window"));
    error.with_hint("write TABLE t, the name of a relation, or a query in parentheses")
}

/// `DESCRIPTOR(ts)` or `ts`.
fn time_column(expr: &Expr, position: Position) -> Result<Expr, SqlError> {
    let column = match expr {
        Expr::Function(function) if is_descriptor(function) => match &function.args {
            FunctionArguments::List(list) => match list.args.as_slice() {
                [FunctionArg::Unnamed(FunctionArgExpr::Expr(column))] => column,
                _ => expr,
            },
            _ => expr,
        },
        _ => expr,
    };
    match column {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => Ok(column.clone()),
        _ => {
            let error = SqlError::new(Code::Query, place(expr, position), format!("{expr} is not a column with a time"));
            Err(error.with_hint("write DESCRIPTOR(column); compute the time in a query below the window"))
        }
    }
}

fn is_descriptor(function: &Function) -> bool {
    matches!(function.name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if fold(ident) == "descriptor")
}

/// The most sessions of a key.
///
/// # Errors
/// If it is not a positive whole number.
fn whole_number(expr: &Expr, position: Position) -> Result<u64, SqlError> {
    match expr {
        Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) => text.parse().ok().filter(|number| *number > 0),
        _ => None,
    }
    .ok_or_else(|| {
        let message = format!("{MAX_SESSIONS} must be a positive whole number, not {expr}");
        SqlError::new(Code::Query, place(expr, position), message)
    })
}
