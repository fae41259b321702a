//! Calls: whether the function exists, is pure, and is called in a way that has a meaning here.

use datafusion_expr::{AggregateUDF, Volatility};
use sqlparser::ast::*;

use super::super::clock::CLOCK_FUNCTIONS;
use super::super::functions::{FUNCTIONS, WINDOW_FUNCTIONS, is_known};
use super::super::grouping::GROUPING;
use super::super::list_rows::UNNEST;
use super::super::naming;
use super::super::spelling;
use super::super::window::{WindowKind, is_session_bound, max_sessions};
use super::{Valid, Validator};
use crate::SqlError;
use crate::error::Code;
use crate::parser::fold;

/// The aggregates of which other numbers of arguments would get a message about types from the binder.
const UNARY: &[&str] = &["sum", "avg", "min", "max"];

/// Window functions whose result is the argument of some row.
const CHOOSES_ROWS: &[&str] = &["lag", "lead", "first_value", "last_value", "nth_value"];

impl Validator {
    pub(super) fn function(self, function: &Function) -> Valid {
        let here = function.name.0.first().map_or(self, |part| self.at(part));
        let [ObjectNamePart::Identifier(ident)] = function.name.0.as_slice() else {
            return here.refuse(format!("a function with a schema ({})", function.name));
        };
        let name = fold(ident);
        here.absent(&[
            (function.uses_odbc_syntax, "{fn ..}"),
            (!matches!(function.parameters, FunctionArguments::None), "parameters of a function"),
        ])?;
        // What is not built in may be an aggregate of the user's, or misspelt: that is seen where the catalog is known.
        let may_be_aggregate = aggregate(&name, function.over.is_some()).is_some() || !is_known(&name);
        here.absent(&[
            (
                function.null_treatment.is_some() && !may_be_aggregate && function.over.is_none(),
                "IGNORE / RESPECT NULLS without OVER",
            ),
            (!function.within_group.is_empty() && !may_be_aggregate, "WITHIN GROUP"),
        ])?;
        here.order_by_list(&function.within_group)?;
        let mut distinct = false;
        let mut arguments = 0;
        match &function.args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(_) => return here.refuse("a subquery as an argument"),
            FunctionArguments::List(list) => {
                distinct = matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct));
                arguments = list.args.len();
                match is_session_bound(&name) {
                    true => here.session_arguments(list)?,
                    false => here.function_arguments(list, may_be_aggregate)?,
                }
            }
        }
        if UNARY.contains(&name.as_str()) && arguments != 1 {
            return Err(SqlError::new(Code::Query, here.position, format!("{name} has one argument, not {arguments}")));
        }
        if name == "count" && arguments == 0 {
            let error = SqlError::new(Code::Query, here.position, "count has one argument, not 0");
            return Err(error.with_hint("count(*) counts rows"));
        }
        if name == UNNEST && (distinct || arguments != 1 || function.filter.is_some() || function.over.is_some()) {
            return here.refuse("UNNEST of several lists or with modifiers outside of FROM");
        }
        if name == GROUPING && (distinct || arguments == 0 || function.filter.is_some() || function.over.is_some()) {
            return here.refuse("GROUPING without keys or with modifiers");
        }
        if CLOCK_FUNCTIONS.contains(&name.as_str()) && (arguments > 0 || function.over.is_some() || function.filter.is_some()) {
            return here.refuse(format!("{name} with arguments or modifiers"));
        }
        if let Some(over) = &function.over {
            return here.window_function(&name, function, over, distinct);
        }
        here.resolve(&name)?;
        function.filter.as_deref().map_or(Ok(()), |filter| here.expr(filter))
    }

    /// A window as a key of GROUP BY.
    pub(super) fn window_key(self, function: &Function) -> Valid {
        let here = function.name.0.first().map_or(self, |part| self.at(part));
        let modified = function.filter.is_some() || function.over.is_some() || function.null_treatment.is_some();
        here.absent(&[(modified || !function.within_group.is_empty(), "a modifier of a window in GROUP BY")])?;
        let is_session = matches!(function.name.0.as_slice(), [ObjectNamePart::Identifier(ident)] if WindowKind::of(&fold(ident)) == Some(WindowKind::Session));
        match &function.args {
            FunctionArguments::List(list) if list.duplicate_treatment.is_none() && is_session => here.session_arguments(list),
            FunctionArguments::List(list) if list.duplicate_treatment.is_none() => here.function_arguments(list, false),
            _ => here.refuse("a window in GROUP BY without arguments"),
        }
    }

    fn function_arguments(self, list: &FunctionArgumentList, is_aggregate: bool) -> Valid {
        for clause in &list.clauses {
            match clause {
                FunctionArgumentClause::OrderBy(order) if is_aggregate => self.order_by_list(order)?,
                FunctionArgumentClause::IgnoreOrRespectNulls(_) if is_aggregate => {}
                other => return self.refuse(format!("{other} in a call")),
            }
        }
        list.args.iter().try_for_each(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => self.expr(expr),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => Ok(()),
            FunctionArg::Unnamed(other) => self.refuse(format!("the argument {other}")),
            FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => self.refuse("a named argument"),
        })
    }

    /// Time and gap by position, the most sessions of a key by its name.
    fn session_arguments(self, list: &FunctionArgumentList) -> Valid {
        let (_, args) = max_sessions(&list.args, self.position)?;
        if args.len() > 2 {
            let error = SqlError::new(Code::Query, self.position, "SESSION has the arguments time, gap");
            return Err(error.with_hint("the most sessions of a key are given as max_sessions_per_key => .."));
        }
        self.function_arguments(&FunctionArgumentList { args, ..list.clone() }, false)
    }

    /// Whether the function may be used, if it is built in.
    fn resolve(self, name: &str) -> Valid {
        let known = matches!(name, naming::MOD | GROUPING | UNNEST) || spelling::is_rewritten(name);
        if known || FUNCTIONS.aggregate(name).is_some() || CLOCK_FUNCTIONS.contains(&name) {
            return Ok(());
        }
        if WindowKind::of(name).is_some() {
            let window = name.to_uppercase();
            let hint = format!("group by it, and select {window}_START(..) and {window}_END(..)");
            return self.refuse(format!("{window} outside of GROUP BY and FROM")).map_err(|error| error.with_hint(hint));
        }
        if let Some(function) = FUNCTIONS.scalar(name) {
            if function.signature().volatility == Volatility::Immutable {
                return Ok(());
            }
            let message = format!("{name}() is not a function of its arguments, so its rows could not be retracted");
            return Err(SqlError::new(Code::Volatile, self.position, message));
        }
        if FUNCTIONS.window(name).is_some() {
            return self.refuse(format!("the window function {name} without OVER"));
        }
        // What is not built in may be a function of the user's: that is looked up where the catalog is known.
        Ok(())
    }

    fn window_function(self, name: &str, function: &Function, over: &WindowType, distinct: bool) -> Valid {
        let aggregate = aggregate(name, true);
        if aggregate.is_none() && !WINDOW_FUNCTIONS.contains(&name) && is_known(name) {
            return match FUNCTIONS.window(name) {
                Some(_) => self.refuse(format!("the window function {name} .. OVER")),
                None => self.resolve(name).and_then(|()| self.refuse(format!("{name} with OVER"))),
            };
        }
        let takes_nulls = aggregate.map_or(CHOOSES_ROWS.contains(&name), |aggregate| aggregate.supports_null_handling_clause());
        let no_aggregate = WINDOW_FUNCTIONS.contains(&name);
        self.absent(&[
            (distinct && no_aggregate, "DISTINCT in a window function that is no aggregate"),
            (function.filter.is_some() && no_aggregate, "FILTER of a window function that is no aggregate"),
        ])?;
        if ignores_nulls(function) && !takes_nulls && is_known(name) {
            return self.refuse(format!("IGNORE NULLS in {name} .. OVER"));
        }
        function.filter.as_deref().map_or(Ok(()), |filter| self.expr(filter))?;
        match over {
            WindowType::NamedWindow(_) => Ok(()),
            WindowType::WindowSpec(spec) => self.window(spec),
        }
    }

    pub(super) fn window(self, spec: &WindowSpec) -> Valid {
        self.all(&spec.partition_by)?;
        self.order_by_list(&spec.order_by)?;
        let Some(frame) = &spec.window_frame else { return Ok(()) };
        [Some(&frame.start_bound), frame.end_bound.as_ref()].into_iter().flatten().try_for_each(|bound| match bound {
            WindowFrameBound::Preceding(Some(distance)) | WindowFrameBound::Following(Some(distance)) => self.expr(distance),
            WindowFrameBound::CurrentRow | WindowFrameBound::Preceding(None) | WindowFrameBound::Following(None) => Ok(()),
        })
    }
}

/// The aggregate of this name, where one stands: with OVER, a window function of that name comes first.
fn aggregate(name: &str, over: bool) -> Option<&'static AggregateUDF> {
    let is_window_function = over && WINDOW_FUNCTIONS.contains(&name);
    FUNCTIONS.aggregate(name).filter(|_| !is_window_function).map(AsRef::as_ref)
}

fn ignores_nulls(function: &Function) -> bool {
    let inside = match &function.args {
        FunctionArguments::List(list) => list.clauses.as_slice(),
        _ => &[],
    };
    let inside = inside.iter().find_map(|clause| match clause {
        FunctionArgumentClause::IgnoreOrRespectNulls(nulls) => Some(*nulls),
        _ => None,
    });
    matches!(function.null_treatment.or(inside), Some(NullTreatment::IgnoreNulls))
}
