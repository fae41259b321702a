//! Which columns are JSON.
//!
//! JSON is text here, and that a text is JSON is said by the metadata of its field: tables have it from their declaration, results of functions from the
//! function ([`json_mark`]). Columns keep it through relations. What chooses among values (CASE, COALESCE ..) yields JSON if all of them are; that is told
//! from the expression, as fields that DataFusion makes for it say nothing.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, ExprSchema, Result, ScalarValue, plan_err};
use datafusion_expr::expr::ScalarFunction;
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::utils::merge_schema;
use datafusion_expr::{Distinct, Expr, ExprSchemable, LogicalPlan};
use deltic_circuit::functions::{JSON_MARK, json_mark};
use deltic_zset::types::canonical_type;

use super::functions::FUNCTIONS;
use super::types::JsonKind;

/// The functions that yield one of their arguments.
const CHOOSE: &[&str] = &["coalesce", "nvl", "ifnull", "nvl2", "nullif"];

/// The functions that yield a part of what they are given.
const PARTS: &[&str] = &["json_get", "json_get_path"];

/// The metadata of a field that holds this kind of JSON.
pub(super) fn mark_of(kind: JsonKind) -> HashMap<String, String> {
    match kind {
        JsonKind::Json => json_mark(),
        JsonKind::Jsonb => HashMap::from([(JSON_MARK.to_owned(), kind.as_str().to_owned())]),
    }
}

/// The kind of JSON that each column of `plan` holds.
pub(super) fn kinds(plan: &LogicalPlan) -> Vec<Option<JsonKind>> {
    match plan {
        LogicalPlan::Projection(projection) => {
            projection.expr.iter().map(|expr| kind(expr, projection.input.schema().as_ref())).collect()
        }
        LogicalPlan::Filter(filter) => kinds(&filter.input),
        LogicalPlan::Sort(sort) => kinds(&sort.input),
        LogicalPlan::Limit(limit) => kinds(&limit.input),
        LogicalPlan::SubqueryAlias(alias) => kinds(&alias.input),
        LogicalPlan::Distinct(Distinct::All(input)) => kinds(input),
        other => other.schema().fields().iter().map(|field| kind_of(field)).collect(),
    }
}

/// The kind of JSON that `expr` yields.
pub(super) fn kind(expr: &Expr, schema: &dyn ExprSchema) -> Option<JsonKind> {
    match expr {
        Expr::Alias(alias) => kind(&alias.expr, schema),
        Expr::Case(case) => {
            let otherwise = case.else_expr.iter().map(AsRef::as_ref);
            common(case.when_then_expr.iter().map(|(_, then)| then.as_ref()).chain(otherwise), schema)
        }
        Expr::ScalarFunction(function) if CHOOSE.contains(&function.name()) => {
            let unchosen = usize::from(function.name() == "nvl2");
            common(function.args.iter().skip(unchosen), schema)
        }
        Expr::ScalarFunction(function) if function.name().starts_with("jsonb") => {
            field_kind(expr, schema).map(|_| JsonKind::Jsonb)
        }
        Expr::ScalarFunction(function) if PARTS.contains(&function.name()) => {
            function.args.first().and_then(|whole| kind(whole, schema)).or(Some(JsonKind::Json))
        }
        // DataFusion keeps the mark of what is cast.
        Expr::Cast(_) | Expr::TryCast(_) => None,
        expr => field_kind(expr, schema),
    }
}

/// What all of `exprs` hold; literals are what the others are.
fn common<'e>(exprs: impl Iterator<Item = &'e Expr>, schema: &dyn ExprSchema) -> Option<JsonKind> {
    let mut found = None;
    for expr in exprs.filter(|expr| !matches!(expr, Expr::Literal(..))) {
        match (kind(expr, schema)?, found) {
            (JsonKind::Jsonb, None | Some(JsonKind::Jsonb)) => found = Some(JsonKind::Jsonb),
            _ => found = Some(JsonKind::Json),
        }
    }
    found
}

fn field_kind(expr: &Expr, schema: &dyn ExprSchema) -> Option<JsonKind> {
    kind_of(&expr.to_field(schema).ok()?.1)
}

fn kind_of(field: &Field) -> Option<JsonKind> {
    let mark = field.metadata().get(JSON_MARK)?;
    let kind = if mark == JsonKind::Jsonb.as_str() { JsonKind::Jsonb } else { JsonKind::Json };
    (canonical_type(field.data_type()) == Some(DataType::Utf8)).then_some(kind)
}

/// The functions that make JSON of their arguments, and whether every second one is a key.
const MAKE: &[(&str, bool)] = &[("to_jsonb", false), ("jsonb_build_array", false), ("jsonb_build_object", true)];
/// The aggregates, and the place of the value.
const GATHER: &[(&str, usize)] = &[("json_agg", 0), ("json_object_agg", 1), ("jsonb_object_agg", 1)];

/// Tells the functions that make JSON which of their arguments are JSON already: those come in a struct with one field (see [`JSON_MARK`]).
pub(super) fn embed(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let mut embed = |mut expr: Expr| {
            let name = names.save(&expr);
            let arguments: Vec<&mut Expr> = match &mut expr {
                Expr::ScalarFunction(function) => match MAKE.iter().find(|(name, _)| *name == function.func.name()) {
                    Some((_, keys)) => values(&mut function.args, *keys),
                    None => return Ok(Transformed::no(expr)),
                },
                Expr::AggregateFunction(function) => match GATHER.iter().find(|(name, _)| *name == function.func.name()) {
                    Some((_, value)) => function.params.args.iter_mut().skip(*value).take(1).collect(),
                    None => return Ok(Transformed::no(expr)),
                },
                _ => return Ok(Transformed::no(expr)),
            };
            let changed = arguments.into_iter().map(|argument| embed_value(argument, &schema)).collect::<Result<Vec<_>>>()?;
            Ok(if changed.contains(&true) { Transformed::yes(name.restore(expr)) } else { Transformed::no(expr) })
        };
        let node = node.map_expressions(|expr| expr.transform_up(&mut embed))?;
        if node.transformed { node.map_data(LogicalPlan::recompute_schema) } else { Ok(node) }
    })?;
    Ok(plan.data)
}

/// The arguments, or every second one.
fn values(arguments: &mut [Expr], keys: bool) -> Vec<&mut Expr> {
    let step = if keys { 2 } else { 1 };
    arguments.iter_mut().skip(step - 1).step_by(step).collect()
}

/// Marks a value that is JSON, and those in a struct. Whether there was one.
fn embed_value(value: &mut Expr, schema: &DFSchema) -> Result<bool> {
    if kind(value, schema).is_some() {
        let Some(function) = FUNCTIONS.scalar("named_struct").cloned() else {
            return plan_err!("there is no function named_struct");
        };
        let name = Expr::Literal(ScalarValue::from(JSON_MARK), None);
        let inner = std::mem::replace(value, name.clone());
        *value = Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![name, inner]));
        return Ok(true);
    }
    match value {
        Expr::ScalarFunction(function) if matches!(function.func.name(), "named_struct" | "struct") => {
            let keys = function.func.name() == "named_struct";
            let fields = values(&mut function.args, keys).into_iter();
            let changed = fields.map(|field| embed_value(field, schema)).collect::<Result<Vec<_>>>()?;
            Ok(changed.contains(&true))
        }
        Expr::Case(case) => {
            let results = case.when_then_expr.iter_mut().map(|(_, then)| then).chain(&mut case.else_expr);
            let changed = results.map(|result| embed_value(result, schema)).collect::<Result<Vec<_>>>()?;
            Ok(changed.contains(&true))
        }
        _ => Ok(false),
    }
}
