//! Names of columns.
//!
//! DataFusion wants the expressions of a SELECT list to have different names, and calls a column without a name after its
//! expression's text, in which the types of casts do not show: `SELECT CAST(s AS INT), CAST(s AS BIGINT)` would be refused. So every
//! item without a name gets one here: that of PostgreSQL (the function, the column that is cast ..; `column2` where PostgreSQL
//! says `?column?`), or an internal one where that is taken. The names that users see are kept beside and put back on the circuit.
//!
//! Three spellings of PostgreSQL are rewritten on the way: `mod(a, b)` is `a % b`, `CAST(e AS VARCHAR(n))` cuts the text, and `1.5e3` is
//! the decimal `1500.0` (and `1e300`, which no decimal holds, a double).

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use sqlparser::ast::*;

use super::clock;
use super::inline::Inliner;
use super::row_membership;
use super::spelling;
use super::types::{is_padded, max_length};
use super::unique_aliases::name_of;
use crate::SqlError;
use crate::catalog::Catalog;
use crate::parser::fold;

/// The function that is rewritten to `%`.
pub(crate) const MOD: &str = "mod";

const INTERNAL: &str = "__column";

/// Decimals have 38 digits.
const MAX_EXPONENT: i32 = 36;

/// Names the items of all SELECT lists in `query`, and inlines the functions of users. Returns what the internal names stand for, and the
/// functions.
///
/// # Errors
/// If a function does not exist or cannot be called so.
pub(crate) fn name_columns(query: &mut Query, catalog: &Catalog) -> Result<(HashMap<String, String>, Vec<String>), SqlError> {
    let mut naming = Naming { visible: HashMap::new(), inliner: Inliner::new(catalog) };
    if let SetExpr::Select(select) = query.body.as_mut() {
        naming.name_items(select, true);
    }
    match VisitMut::visit(query, &mut naming) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok((naming.visible, naming.inliner.used)),
    }
}

struct Naming<'a> {
    visible: HashMap<String, String>,
    inliner: Inliner<'a>,
}

impl VisitorMut for Naming<'_> {
    type Break = SqlError;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Self::Break> {
        if let Some(condition) = &mut select.selection {
            row_membership::respell_conditions(condition);
        }
        self.name_items(select, false);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::Function(function) = expr {
            match self.inliner.inlined(function) {
                Ok(None) => {}
                Ok(Some(mut inlined)) => {
                    // The body may have spellings of its own. Its calls are known, so nothing is inlined twice.
                    let walked = VisitMut::visit(&mut inlined, self);
                    *expr = inlined;
                    return walked;
                }
                Err(error) => return ControlFlow::Break(error),
            }
        }
        if let Some(rewritten) = spelling::rewritten(expr) {
            *expr = rewritten;
        }
        match expr {
            Expr::Function(function) => {
                if let Some(now) = clock::rewritten(function) {
                    *expr = now;
                } else if let Some([left, right]) = arguments_of_mod(function) {
                    let quotient = Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::Modulo, right: Box::new(right) };
                    *expr = Expr::Nested(Box::new(quotient));
                }
            }
            Expr::Cast { data_type, .. } => {
                if let Some(length) = max_length(data_type) {
                    let is_padded = is_padded(data_type);
                    let cast = expr.clone();
                    let cut = call("left", [cast, Expr::value(Value::Number(length.to_string(), false))]);
                    // The blanks that PostgreSQL pads a CHAR with mean nothing to it: here they are not there.
                    *expr = match is_padded {
                        true => call("rtrim", [cut, Expr::value(Value::SingleQuotedString(" ".to_owned()))]),
                        false => cut,
                    };
                }
            }
            Expr::Value(ValueWithSpan { value: Value::Number(text, _), .. }) if is_beyond_decimals(text) => {
                let text = Expr::value(Value::SingleQuotedString(text.clone()));
                let data_type = DataType::DoublePrecision;
                *expr = Expr::Cast { kind: CastKind::Cast, expr: Box::new(text), data_type, array: false, format: None };
            }
            // PostgreSQL lets the bounds of a slice out.
            Expr::CompoundFieldAccess { access_chain, .. } => access_chain.iter_mut().for_each(|access| {
                match access {
                    AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, .. }) => {
                        let number = |text: &str| Expr::value(Value::Number(text.to_string(), false));
                        lower_bound.get_or_insert_with(|| number("1"));
                        upper_bound.get_or_insert_with(|| number("2147483647"));
                    }
                    // Lengths of arrays are unsigned, places in them are not.
                    AccessExpr::Subscript(Subscript::Index { index }) if is_length(index) => {
                        let place = Box::new(std::mem::replace(index, Expr::value(Value::Null)));
                        let (kind, data_type) = (CastKind::Cast, DataType::BigInt(None));
                        *index = Expr::Cast { kind, expr: place, data_type, array: false, format: None };
                    }
                    _ => {}
                }
            }),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Self::Break> {
        if let Value::Number(text, _) = &mut value.value
            && let Some(plain) = without_exponent(text)
        {
            *text = plain;
        }
        ControlFlow::Continue(())
    }
}

/// Whether it is a length of an array.
fn is_length(expr: &Expr) -> bool {
    match expr {
        Expr::Function(function) => match function.name.0.as_slice() {
            [ObjectNamePart::Identifier(ident)] => matches!(fold(ident).as_str(), "array_length" | "cardinality"),
            _ => false,
        },
        _ => false,
    }
}

/// Whether a number has an exponent that no decimal can hold: it is a double then.
fn is_beyond_decimals(text: &str) -> bool {
    text.contains(['e', 'E']) && without_exponent(text).is_none()
}

/// A number with an exponent, written without one; as long as a decimal can hold it.
fn without_exponent(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok().filter(|exponent: &i32| exponent.abs() <= MAX_EXPONENT)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let length = i32::try_from(digits.len()).ok()?;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    Some(if point <= 0 {
        format!("0.{}{digits}", zeros(-point))
    } else if point >= length {
        format!("{digits}{}.0", zeros(point - length))
    } else {
        let point = usize::try_from(point).unwrap_or(0);
        format!("{}.{}", &digits[..point], &digits[point..])
    })
}

impl Naming<'_> {
    /// Names the items of one list. Nobody can name those of the outermost one, so there a column beside a `*`, which may stand for it
    /// as well, gets a name of its own.
    fn name_items(&mut self, select: &mut Select, outermost: bool) {
        let has_wildcard =
            select.projection.iter().any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
        let mut taken: HashSet<String> = select.projection.iter().filter_map(explicit_name).collect();
        let mut columns = HashSet::new();
        let own = if outermost { None } else { own_relations(&select.from) };
        let only = names_of_one(&select.projection);
        for (index, item) in select.projection.iter_mut().enumerate() {
            let SelectItem::UnnamedExpr(expr) = item else { continue };
            let hidden = outermost && has_wildcard && is_column(expr);
            if let Some(name) = postgres_name(expr).filter(|name| !has_wildcard && only.contains(name))
                && is_of_outer_query(expr, own.as_ref())
            {
                // The binder would call it after the reference.
                let expr = std::mem::replace(expr, Expr::value(Value::Null));
                *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', name) };
                continue;
            }
            if !hidden && is_column(expr) && columns.insert(expr.to_string().to_lowercase()) {
                continue;
            }
            if outermost && !has_wildcard && self.name_part(item, &mut taken) {
                continue;
            }
            let SelectItem::UnnamedExpr(expr) = item else { continue };
            let name = postgres_name(expr);
            // An alias is also seen by HAVING and QUALIFY, where PostgreSQL sees none: there it must not hide a column.
            let usable = select.having.is_none() && select.qualify.is_none() && !hidden && !(name.is_none() && has_wildcard);
            let visible = name.unwrap_or_else(|| format!("column{}", index + 1));
            let alias = if usable && taken.insert(visible.clone()) {
                visible
            } else {
                let internal = format!("{INTERNAL}_{}", self.visible.len());
                self.visible.insert(internal.clone(), visible);
                internal
            };
            let expr = std::mem::replace(expr, Expr::value(Value::Null));
            *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', alias) };
        }
    }

    /// Names an item that is an element of something, `m['b']`, as that is named. The name is internal, as ORDER BY may be about `m` itself. Whether it has
    /// the name: another item may have it.
    fn name_part(&mut self, item: &mut SelectItem, taken: &mut HashSet<String>) -> bool {
        let SelectItem::UnnamedExpr(expr) = item else { return false };
        let Some(visible) = whole_of(expr).and_then(postgres_name).filter(|name| taken.insert(name.clone())) else {
            return false;
        };
        let internal = format!("{INTERNAL}_{}", self.visible.len());
        self.visible.insert(internal.clone(), visible);
        let expr = std::mem::replace(expr, Expr::value(Value::Null));
        *item = SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', internal) };
        true
    }
}

/// What `expr` is an element or a part of.
fn whole_of(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Nested(inner) => whole_of(inner),
        Expr::CompoundFieldAccess { root, access_chain } => {
            access_chain.iter().all(|access| matches!(access, AccessExpr::Subscript(_))).then_some(root.as_ref())
        }
        _ => None,
    }
}

/// The names of the relations in a FROM; `None` if one has none that is plain to see.
fn own_relations(from: &[TableWithJoins]) -> Option<HashSet<String>> {
    fn add(tables: &TableWithJoins, names: &mut HashSet<String>) -> Option<()> {
        for factor in std::iter::once(&tables.relation).chain(tables.joins.iter().map(|join| &join.relation)) {
            match factor {
                TableFactor::NestedJoin { table_with_joins, alias: None } => add(table_with_joins, names)?,
                factor => {
                    names.insert(name_of(factor)?);
                }
            }
        }
        Some(())
    }

    let mut names = HashSet::new();
    from.iter().try_for_each(|tables| add(tables, &mut names))?;
    Some(names)
}

/// The names that one item has and no other.
fn names_of_one(items: &[SelectItem]) -> HashSet<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for name in items.iter().filter_map(explicit_name) {
        *counts.entry(name).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count == 1).map(|(name, _)| name).collect()
}

/// Whether `expr` is a column of a relation that is not among those of its query.
fn is_of_outer_query(expr: &Expr, own: Option<&HashSet<String>>) -> bool {
    match (expr, own) {
        (Expr::CompoundIdentifier(parts), Some(own)) => matches!(parts.as_slice(), [table, _] if !own.contains(&fold(table))),
        _ => false,
    }
}

fn explicit_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(fold(alias)),
        SelectItem::UnnamedExpr(expr) if is_column(expr) => postgres_name(expr),
        _ => None,
    }
}

fn is_column(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::Nested(expr) => is_column(expr),
        _ => false,
    }
}

/// What PostgreSQL calls a column without an alias; `None` is its `?column?`.
pub(super) fn postgres_name(expr: &Expr) -> Option<String> {
    let fixed = match expr {
        Expr::Identifier(ident) => return Some(fold(ident)),
        Expr::CompoundIdentifier(parts) => return parts.last().map(fold),
        Expr::Nested(expr) => return postgres_name(expr),
        Expr::Cast { expr, data_type, .. } => {
            return postgres_name(expr).or_else(|| Some(data_type.to_string().to_lowercase()));
        }
        Expr::Function(function) => match function.name.0.last() {
            // What `ARRAY(SELECT ..)` is by then.
            Some(ObjectNamePart::Identifier(ident)) if ident.value == "array_or_empty" => "array",
            Some(ObjectNamePart::Identifier(ident)) => return Some(fold(ident)),
            _ => return None,
        },
        Expr::CompoundFieldAccess { access_chain, .. } => match access_chain.last() {
            Some(AccessExpr::Dot(expr)) => return postgres_name(expr),
            _ => return None,
        },
        Expr::Case { else_result, .. } => {
            return else_result.as_deref().filter(|e| is_column(e)).and_then(postgres_name).or(Some("case".into()));
        }
        // A scalar subquery is called as its only column.
        Expr::Subquery(query) => match query.body.as_ref() {
            SetExpr::Select(select) => match select.projection.as_slice() {
                [SelectItem::ExprWithAlias { alias, .. }] => return Some(fold(alias)),
                [SelectItem::UnnamedExpr(expr)] => return postgres_name(expr),
                _ => return None,
            },
            _ => return None,
        },
        Expr::Exists { .. } => "exists",
        Expr::Extract { .. } => "extract",
        Expr::Ceil { .. } => "ceil",
        Expr::Floor { .. } => "floor",
        Expr::Position { .. } => "position",
        Expr::Substring { .. } => "substring",
        Expr::Trim { .. } => "btrim",
        Expr::Overlay { .. } => "overlay",
        Expr::Interval(_) => "interval",
        Expr::Array(_) => "array",
        Expr::Map(_) => "map",
        _ => return None,
    };
    Some(fixed.to_string())
}

fn arguments_of_mod(function: &Function) -> Option<[Expr; 2]> {
    let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice() else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    let operand = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(Expr::Nested(Box::new(expr.clone()))),
        _ => None,
    };
    match list.args.as_slice() {
        [left, right] if fold(name) == MOD => Some([operand(left)?, operand(right)?]),
        _ => None,
    }
}

/// `name(arguments)`.
pub(crate) fn call(name: &str, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}
