//! The WINDOW clause: named windows are spelled out where they are used, so that nothing behind this step knows of names.
//!
//! As in PostgreSQL, `OVER w` is the window itself, with its frame. `OVER (w ..)` and `WINDOW v AS (w ..)` copy its partition and its order, may add an order to a
//! window that has none, and cannot copy a frame.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion_common::ScalarValue;
use deltic_circuit::frame::Exclusion;
use sqlparser::ast::*;

use super::call_order::carry_order;
use crate::SqlError;
use crate::error::Code;
use crate::parser::fold;

/// Behind it, the name of a copied window says what the frame of the copy leaves out.
pub(crate) const EXCLUDE_MARK: char = '\u{1}';

/// What a key of a partition says of the frame: DataFusion's frames leave nothing out, so it is carried there as a constant text.
pub(crate) fn exclusion_of(key: &datafusion_expr::Expr) -> Option<Exclusion> {
    let text = match key {
        datafusion_expr::Expr::Cast(cast) => return exclusion_of(&cast.expr),
        datafusion_expr::Expr::Literal(ScalarValue::Utf8(Some(text)), _) => text.strip_prefix(EXCLUDE_MARK)?,
        _ => return None,
    };
    match text {
        "current row" => Some(Exclusion::CurrentRow),
        "group" => Some(Exclusion::Group),
        "ties" => Some(Exclusion::Ties),
        _ => None,
    }
}

/// Spells out the named windows of all queries in `query`.
pub(super) fn spell_out_windows(query: &mut Query) -> Result<(), SqlError> {
    match VisitMut::visit(query, &mut Naming) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Naming;

impl VisitorMut for Naming {
    type Break = SqlError;

    // Subqueries come before the query that they are in, so their names are gone when it is visited.
    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<SqlError> {
        let outcome = spell_out(&mut query.body, &mut query.order_by);
        outcome.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    }
}

/// Spells out the windows of a SELECT, or of those that a set operation combines: sides without parentheses are no queries of their own. `order` is that of
/// a query that is only a SELECT.
fn spell_out(body: &mut SetExpr, order: &mut Option<OrderBy>) -> Result<(), SqlError> {
    match body {
        SetExpr::Select(select) => {
            let windows = definitions(std::mem::take(&mut select.named_window))?;
            let mut spelling = Spelling { windows, failed: None };
            spelling.over(&mut select.projection, &mut select.qualify, order);
            spelling.failed.map_or(Ok(()), Err)
        }
        SetExpr::SetOperation { left, right, .. } => {
            spell_out(left, &mut None)?;
            spell_out(right, &mut None)
        }
        _ => Ok(()),
    }
}

/// The windows of a clause by name, each spelled out.
fn definitions(clause: Vec<NamedWindowDefinition>) -> Result<HashMap<String, WindowSpec>, SqlError> {
    let mut windows: HashMap<String, WindowSpec> = HashMap::new();
    for NamedWindowDefinition(name, window) in clause {
        let window = match window {
            NamedWindowExpr::NamedWindow(other) => find(&windows, &other)?.clone(),
            NamedWindowExpr::WindowSpec(spec) => complete(&windows, spec)?,
        };
        let position = name.span.start;
        if windows.insert(fold(&name), window).is_some() {
            let message = format!("the window {name} is defined twice");
            return Err(SqlError::new(Code::Query, position.into(), message));
        }
    }
    Ok(windows)
}

fn find<'a>(windows: &'a HashMap<String, WindowSpec>, name: &Ident) -> Result<&'a WindowSpec, SqlError> {
    windows.get(&fold(name)).ok_or_else(|| {
        SqlError::new(Code::Query, name.span.start.into(), format!("there is no window {name}"))
            .with_hint("define it before it is used: WINDOW w AS (PARTITION BY .. ORDER BY ..)")
    })
}

/// `spec` with what it copies of the window that it names.
fn complete(windows: &HashMap<String, WindowSpec>, mut spec: WindowSpec) -> Result<WindowSpec, SqlError> {
    let Some(mut name) = spec.window_name.take() else { return Ok(spec) };
    let marked = name.value.split_once(EXCLUDE_MARK).map(|(name, kind)| (name.to_string(), kind.to_string()));
    if let Some((copied, kind)) = marked {
        let text = Expr::value(Value::SingleQuotedString(format!("{EXCLUDE_MARK}{kind}")));
        let key =
            Expr::Cast { kind: CastKind::Cast, expr: Box::new(text), data_type: DataType::Text, array: false, format: None };
        name.value = copied;
        spec.window_name = (!name.value.is_empty()).then_some(name);
        let mut spec = complete(windows, spec)?;
        spec.partition_by.push(key);
        return Ok(spec);
    }
    let base = find(windows, &name)?;
    let refused = |what: &str| Err(SqlError::new(Code::Query, name.span.start.into(), format!("{what} of the window {name}")));
    if !spec.partition_by.is_empty() {
        return refused("cannot replace the PARTITION BY");
    }
    if !base.order_by.is_empty() && !spec.order_by.is_empty() {
        return refused("cannot replace the ORDER BY");
    }
    if base.window_frame.is_some() {
        return refused("cannot copy the frame");
    }
    spec.partition_by.clone_from(&base.partition_by);
    if spec.order_by.is_empty() {
        spec.order_by.clone_from(&base.order_by);
    }
    Ok(spec)
}

/// RANGE without distances is GROUPS, for which DataFusion does not ask what distances the type of the order has.
fn count_groups(spec: &mut WindowSpec) {
    if spec.order_by.is_empty() {
        return;
    }
    let frame = spec.window_frame.get_or_insert_default();
    let is_distance =
        |bound: &WindowFrameBound| matches!(bound, WindowFrameBound::Preceding(Some(_)) | WindowFrameBound::Following(Some(_)));
    let measures = is_distance(&frame.start_bound) || frame.end_bound.as_ref().is_some_and(is_distance);
    if frame.units == WindowFrameUnits::Range && !measures {
        frame.units = WindowFrameUnits::Groups;
    }
}

/// Spells out the windows of one SELECT.
struct Spelling {
    windows: HashMap<String, WindowSpec>,
    failed: Option<SqlError>,
}

impl Spelling {
    fn over(&mut self, list: &mut Vec<SelectItem>, qualify: &mut Option<Expr>, order: &mut Option<OrderBy>) {
        let mut spell = |expr: &mut Expr| {
            if let Expr::Function(function) = expr
                && let Some(over) = function.over.take()
            {
                match carry_order(function).and_then(|()| self.spelled(over)) {
                    Ok(over) => function.over = Some(over),
                    Err(error) => self.failed = self.failed.take().or(Some(error)),
                }
            }
            ControlFlow::<std::convert::Infallible>::Continue(())
        };
        let ControlFlow::Continue(()) = visit_expressions_mut(list, &mut spell);
        let ControlFlow::Continue(()) = visit_expressions_mut(qualify, &mut spell);
        let ControlFlow::Continue(()) = visit_expressions_mut(order, &mut spell);
    }

    fn spelled(&self, over: WindowType) -> Result<WindowType, SqlError> {
        let mut spec = match over {
            WindowType::NamedWindow(name) => find(&self.windows, &name)?.clone(),
            WindowType::WindowSpec(spec) => complete(&self.windows, spec)?,
        };
        count_groups(&mut spec);
        Ok(WindowType::WindowSpec(spec))
    }
}
