//! From a parsed statement to a circuit.
//!
//! A query goes through seven steps, each a module: the allow-list over its syntax ([`validate`]), names for its columns ([`naming`]), binding by
//! DataFusion against the catalog ([`context`], [`functions`], [`types`]), type coercion, the removal of subqueries ([`unnest`]) and optimisation
//! ([`optimise`]), lowering to a circuit ([`crate::lower`]), and the names that users see put on the result. Errors of DataFusion are translated by [`diagnose`].

mod aggregates;
mod as_of;
mod builtin;
mod call_order;
mod clock;
mod constant;
mod constant_conditions;
mod context;
mod diagnose;
mod distinct_on;
mod duration;
mod event_time;
mod floats;
mod functions;
mod grouping;
mod inline;
mod join_order;
mod json;
mod key_conditions;
mod length;
mod levels;
mod limit;
mod list_rows;
mod lookup;
mod modify;
mod named_window;
mod naming;
mod nesting;
mod operators;
mod optimise;
mod order_names;
mod overloaded;
mod pivot;
mod recursion;
mod rename;
mod row_membership;
mod second_try;
mod set_operation;
mod shadowed;
mod spelling;
mod table_alias;
mod types;
mod unique_aliases;
mod unnest;
mod using;
mod validate;
mod wildcard;
mod window;

pub(crate) use as_of::{AsOfNode, LEFT_AS_OF};
pub use builtin::{BuiltinFunctions, builtin_functions};
pub(crate) use call_order::{Key, take_order};
pub use clock::Now;
pub(crate) use clock::{NOW_NAME, now_type};
pub(crate) use constant::{constant, constant_value, declared_type, plan_column_type};
pub(crate) use context::RelationSource;
pub(crate) use distinct_on::DistinctOnNode;
pub(crate) use duration::{constant_length, interval_micros};
pub(crate) use event_time::event_time;
pub use event_time::{ClockStep, plan_advance_clock, plan_advance_watermark};
pub(crate) use functions::{is_aggregate, is_known, is_window_function};
pub(crate) use inline::{Inliner, cast};
pub(crate) use limit::TIES;
pub(crate) use list_rows::UnnestNode;
pub(crate) use lookup::LookupNode;
pub(crate) use modify::json_text;
pub use modify::{plan_delete, plan_insert, plan_update};
pub(crate) use named_window::{EXCLUDE_MARK, exclusion_of};
pub(crate) use naming::call;
pub(crate) use overloaded::{BoundBody, bind_body};
pub(crate) use recursion::{
    MUTUALLY_RECURSIVE, RecursionPlan, RecursionSource, VariablePlan, VariableSource, WITH_LIMIT, new_id,
};
pub(crate) use set_operation::SetOperationNode;
pub(crate) use spelling::case;
pub use types::JsonKind;
pub(crate) use types::{TYPE_NAMES, json_kind, max_length};
pub(crate) use unnest::MaxOneRowNode;
pub(crate) use window::{TABLE_ARGUMENT, WindowNode, WindowShape};

use datafusion_common::metadata::FieldMetadata;
use datafusion_common::{Column, DFSchemaRef, DataFusionError};
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion_sql::planner::{ParserOptions, PlannerContext, SqlToRel};
use deltic_circuit::{Circuit, SortKey};
use sqlparser::ast;

use crate::catalog::{Catalog, Relation};
use crate::error::{Code, Position};
use crate::lower::{Lowered, check_clock, circuit_error, lower};
use crate::statement::Query;
use crate::{SqlError, stack};
use clock::Clock;
use context::Context;

/// A query as a circuit.
#[derive(Clone, Debug)]
pub struct PlannedQuery {
    /// What computes its rows. The names of its columns are those that the user sees; two may be equal.
    pub circuit: Circuit,
    /// How many columns at the end of the circuit's output are there for [`PlannedQuery::order`] only (`SELECT a FROM t ORDER BY b`).
    pub hidden: usize,
    /// The order of a top-level ORDER BY, over the circuit's columns. The rows themselves are a multiset.
    pub order: Vec<SortKey>,
    /// DataFusion's optimised plan, as text.
    pub logical_plan: String,
    /// The kind of JSON that each column holds; not those that are hidden.
    pub json: Vec<Option<JsonKind>>,
    /// The relations that the query names, each once; not those inside of the plain views that it names.
    pub relations: Vec<String>,
    /// The functions of users that it calls, each once; not those inside of the plain views that it names.
    pub functions: Vec<String>,
}

/// Plans a query that runs once. Two columns of one name are allowed here; a view refuses them. `now` is the time of `now()`, in microseconds (UTC); it is
/// asked for only if the query reads it.
///
/// # Errors
/// If the query is wrong or not supported.
pub fn plan_query(catalog: &Catalog, query: &Query, now: Now<'_>) -> Result<PlannedQuery, SqlError> {
    stack::deep(|| plan(catalog, query, Clock::At(now), false))?
}

/// Plans the query of a view, all columns of which are shown. In a materialized one time passes; what a plain one does with the time is up to the
/// queries that name it.
///
/// # Errors
/// If the query is wrong or not supported.
pub(crate) fn plan_view(catalog: &Catalog, query: &Query, materialized: bool) -> Result<PlannedQuery, SqlError> {
    let clock = if materialized { Clock::Moving } else { Clock::At(&|| 0) };
    stack::deep(|| plan(catalog, query, clock, true))?
}

/// [`plan_query`] on a stack that is deep already.
fn plan(catalog: &Catalog, query: &Query, clock: Clock<'_>, is_view: bool) -> Result<PlannedQuery, SqlError> {
    validate::validate_query(&query.ast, query.position)?;
    let bound = bind(catalog, query, None)?;
    let (bound, lowered) = match bound.lower(query, clock, is_view) {
        // Two casts of one column, which the optimiser takes for one.
        Err(error) if error.is(Code::DuplicateColumn) => {
            let named = bind_casts(catalog, query, None, Casts::Named).map_err(|_| error.clone())?;
            let lowered = named.lower(query, clock, is_view).map_err(|_| error)?;
            (named, lowered)
        }
        lowered => (bound, lowered?),
    };
    let Lowered { builder, output, order, hidden, plan } = lowered;
    let mut names: Vec<String> = bound.names;
    names.extend((0..hidden).map(|index| format!("__order_{index}")));
    let circuit = builder.finish(output, Some(&names)).map_err(|error| circuit_error(&error).or_at(query.position))?;
    check_clock(&circuit).map_err(|error| diagnose::at_clock(error, query))?;
    Ok(PlannedQuery {
        circuit,
        hidden,
        order,
        logical_plan: unique_aliases::as_written(&plan.display_indent().to_string()).into_owned(),
        json: json::kinds(&bound.plan),
        relations: bound.relations,
        functions: bound.functions,
    })
}

/// A query with its names resolved, not optimised.
struct Bound {
    plan: LogicalPlan,
    /// The names of its columns as users see them.
    names: Vec<String>,
    relations: Vec<String>,
    functions: Vec<String>,
}

impl Bound {
    /// Optimises and lowers the plan.
    fn lower(&self, query: &Query, clock: Clock<'_>, is_view: bool) -> Result<Lowered, SqlError> {
        check_volatility(&self.plan, query.position, true)?;
        let plan = clock::at(self.plan.clone(), clock).and_then(optimise::optimise);
        let plan = plan.and_then(|plan| recursion::prepare(plan, clock));
        let plan = plan.map_err(|error| diagnose::diagnose(&error, &query.ast, query.position).with_written_names())?;
        lower(plan, is_view).map_err(|error| diagnose::at_clock(error, query).with_written_names())
    }
}

/// Resolves the names of `query`. `values` are the types of its VALUES, if it is one that an INSERT adds.
fn bind(catalog: &Catalog, query: &Query, values: Option<DFSchemaRef>) -> Result<Bound, SqlError> {
    bind_casts(catalog, query, values, Casts::AsWritten)
}

/// The same, with names for casts from the start if so wanted.
fn bind_casts(catalog: &Catalog, query: &Query, values: Option<DFSchemaRef>, casts: Casts) -> Result<Bound, SqlError> {
    let context = Context::new(catalog);
    let bound = bind_in(&context, query, values, &[], casts)?;
    let mut functions = context.functions();
    functions.extend(bound.functions.iter().filter(|name| !functions.contains(name)).cloned().collect::<Vec<_>>());
    Ok(Bound { relations: context.into_named(), functions, ..bound })
}

/// The same in a context that may have relations of its own; it knows which relations were named. `outers` are the columns of the rows of the queries around
/// this one, the outermost first.
fn bind_in(
    context: &Context<'_>,
    query: &Query,
    values: Option<DFSchemaRef>,
    outers: &[DFSchemaRef],
    casts: Casts,
) -> Result<Bound, SqlError> {
    let mut text = query.ast.clone();
    unique_aliases::rename(&mut text);
    bind_unique(context, query, text, values, outers, casts).map_err(SqlError::with_written_names)
}

/// The same for `text`, which is that of `query` with a name for each relation.
fn bind_unique(
    context: &Context<'_>,
    query: &Query,
    mut text: Box<ast::Query>,
    values: Option<DFSchemaRef>,
    outers: &[DFSchemaRef],
    mut casts: Casts,
) -> Result<Bound, SqlError> {
    shadowed::check(&text).map_err(|error| error.or_at(query.position))?;
    recursion::unfold(context, &mut text, query.position)?;
    let mut before = None;
    loop {
        let bind = |text: &ast::Query| bind_text(context, query.position, text, values.clone(), outers, casts);
        let error = match bind(&text)? {
            Ok(bound) => {
                let again = |text: &ast::Query| bind(text).ok()?.ok().map(|bound| bound.plan);
                let checked = levels::check(&bound.plan, &text, again);
                return checked.map(|()| bound).map_err(|error| diagnose::diagnose(&error, &query.ast, query.position));
            }
            Err(error) => error,
        };
        let told = diagnose::diagnose(&error, &query.ast, query.position);
        if casts == Casts::Named {
            return Err(before.unwrap_or(told));
        }
        if told.is(Code::DuplicateColumn) {
            casts = Casts::Named;
            before = Some(told);
            continue;
        }
        match second_try::repair(&mut text, &error) {
            second_try::Repair::Done => before = Some(told),
            second_try::Repair::None => return Err(told),
            second_try::Repair::Failed => return Err(before.unwrap_or(told)),
        }
    }
}

/// What the binder sees of casts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Casts {
    AsWritten,
    /// With names of their own, if there would be one name for two.
    Named,
}

/// Binds `text`. The inner error is DataFusion's.
fn bind_text(
    context: &Context<'_>,
    position: Position,
    text: &ast::Query,
    values: Option<DFSchemaRef>,
    outers: &[DFSchemaRef],
    casts: Casts,
) -> Result<Result<Bound, DataFusionError>, SqlError> {
    let mut ast = Box::new(text.clone());
    table_alias::name_tables(&mut ast);
    rename::derive_tables(&mut ast).map_err(|error| error.or_at(position))?;
    named_window::spell_out_windows(&mut ast).map_err(|error| error.or_at(position))?;
    window::window_keys(&mut ast).map_err(|error| error.or_at(position))?;
    limit::spell_limits(&mut ast);
    grouping::spell_out_sets(&mut ast).map_err(|error| error.or_at(position))?;
    list_rows::set_apart(&mut ast);
    list_rows::nest_calls(&mut ast);
    nesting::nest_joins(&mut ast);
    set_operation::mark(&mut ast);
    let replacements = wildcard::mark_replacements(&mut ast);
    let (visible, mut functions) = naming::name_columns(&mut ast, context.catalog()).map_err(|error| error.or_at(position))?;
    spelling::call_arrays(&mut ast);
    if casts == Casts::Named {
        spelling::name_casts(&mut ast);
    }
    let mut planner_context = PlannerContext::new();
    planner_context.set_table_schema(values);
    outers.iter().for_each(|outer| planner_context.append_outer_query_schema(outer.clone()));
    let plan = planner(context)
        .sql_statement_to_plan_with_context(ast::Statement::Query(ast), &mut planner_context)
        .and_then(|plan| overloaded::inline(plan, context.catalog(), &mut functions))
        .and_then(json::embed)
        .and_then(second_try::check_orders)
        .and_then(order_names::name_columns_of_from)
        .and_then(|plan| replacements.unmark(plan))
        .and_then(window::group_by_windows)
        .and_then(distinct_on::own_nodes);
    Ok(plan.map(|plan| {
        let shown = |name: &String| using::shown_name(visible.get(name).unwrap_or(name)).to_string();
        let names = plan.schema().fields().iter().map(|field| shown(field.name())).collect();
        Bound { names, relations: Vec::new(), functions, plan }
    }))
}

/// DataFusion's binder with our options.
fn planner<'a>(context: &'a Context<'a>) -> SqlToRel<'a, Context<'a>> {
    let options = ParserOptions::new()
        .with_parse_float_as_decimal(true)
        .with_map_string_types_to_utf8view(false)
        .with_enable_ident_normalization(true)
        .with_collect_spans(true);
    SqlToRel::new_with_options(context, options)
}

/// The plan of a plain view where another query names it. Its columns have the names that it was created with.
pub(crate) fn inline_view(catalog: &Catalog, relation: &Relation, query: &Query) -> Result<LogicalPlan, SqlError> {
    let plan = bind(&catalog.with_overloads_of(&relation.functions), query, None)?.plan;
    let columns = plan.schema().columns().into_iter().zip(relation.schema.fields()).zip(&relation.json);
    let columns = columns.map(|((column, field), json)| {
        let mark = json.map(|kind| FieldMetadata::from(json::mark_of(kind)));
        Expr::Column(column_without_spans(column)).alias_with_metadata(field.name(), mark)
    });
    let columns: Vec<Expr> = columns.collect();
    let renamed = LogicalPlanBuilder::from(plan).project(columns).and_then(LogicalPlanBuilder::build);
    renamed.map_err(|error| diagnose::diagnose(&error, &query.ast, query.position))
}

/// Spans are of the text in which a view was created: elsewhere they would mislead.
fn column_without_spans(column: Column) -> Column {
    Column::new(column.relation, column.name)
}

/// Looks once more, in the plan, for functions that are not pure: those that syntax stands for have no name in the text. `clock` says whether
/// `now()` is allowed.
fn check_volatility(plan: &LogicalPlan, position: Position, clock: bool) -> Result<(), SqlError> {
    use datafusion_common::tree_node::{TreeNode, TreeNodeRecursion};
    let mut found = None;
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::ScalarFunction(function) = expr
                    && function.func.signature().volatility != datafusion_expr::Volatility::Immutable
                    && !(clock && function.func.name() == NOW_NAME)
                {
                    found = Some(function.func.name().to_string());
                    return Ok(TreeNodeRecursion::Stop);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    walked.map_err(|error: DataFusionError| internal(&error, position))?;
    match found {
        None => Ok(()),
        Some(name) => {
            let name = if name == NOW_NAME { "now" } else { &name };
            let message = format!("{name}() is not a function of its arguments, so its rows could not be retracted");
            Err(SqlError::new(Code::Volatile, position, message))
        }
    }
}

impl SqlError {
    /// The error with the names of relations that the user wrote.
    fn with_written_names(mut self) -> Self {
        for text in std::iter::once(&mut self.message).chain(&mut self.hint) {
            if let std::borrow::Cow::Owned(shown) = unique_aliases::as_written(text) {
                *text = shown;
            }
        }
        self
    }
}

fn internal(error: &impl std::fmt::Display, position: Position) -> SqlError {
    SqlError::new(Code::Internal, position, error.to_string())
}
