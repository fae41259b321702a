//! Calls of functions in SQL that share a name: the types of the arguments say which one is meant.
//!
//! Types are known when names are bound, so such a call stays a call until then: of a function that is called [`NAME`] and the name, whose first argument
//! says which of the others are literals in quotes. Its type is that of the function that will be chosen. As soon as a query is bound, the bodies take
//! the places of the calls: they are bound already, over a relation of their parameters.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_common::{DFSchema, Result, ScalarValue, internal_err};
use datafusion_expr::expr_rewriter::NamePreserver;
use datafusion_expr::utils::merge_schema;
use datafusion_expr::{
    ColumnarValue, Expr as PlanExpr, ExprSchemable, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, TypeSignature, Volatility,
};
use deltic_circuit::sql_type;
use sqlparser::ast::{DataType as SqlType, Expr, UnaryOperator, Value};

use super::inline::cast;
use super::naming::call;
use super::window::external;
use super::{Casts, bind_casts};
use crate::SqlError;
use crate::catalog::{Catalog, Given, SqlFunction, Undecided, choose, usages};
use crate::error::Code;
use crate::statement::Query;

/// What the names of such calls begin with.
const NAME: &str = "__overloaded_";

/// A body as a part of plans.
#[derive(Clone, Debug)]
pub(crate) struct BoundBody {
    /// Its columns are the parameters.
    expr: PlanExpr,
    /// The type of the result, with the mark of JSON.
    field: FieldRef,
    /// The values of parameters that a call leaves out.
    pub(crate) defaults: Vec<Option<PlanExpr>>,
}

impl BoundBody {
    pub(crate) fn into_expr(self) -> PlanExpr {
        self.expr
    }
}

/// The call of `name` that is resolved by the types of its arguments.
pub(super) fn by_type(name: &str, arguments: Vec<Expr>) -> Expr {
    let literals: String = arguments.iter().map(|argument| if is_quoted(argument) { '?' } else { '-' }).collect();
    let literals = Expr::value(Value::SingleQuotedString(literals));
    call(&format!("{NAME}{name}"), std::iter::once(literals).chain(arguments.into_iter().map(narrowed)))
}

/// Whether it is a literal that has no type of its own.
fn is_quoted(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_quoted(inner),
        Expr::Value(value) => {
            matches!(value.value, Value::SingleQuotedString(_) | Value::EscapedStringLiteral(_) | Value::DollarQuotedString(_))
        }
        _ => false,
    }
}

/// An integer is an INTEGER if it can be, as in PostgreSQL; the binder makes a BIGINT of it.
fn narrowed(expr: Expr) -> Expr {
    let number = match &expr {
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => expr.as_ref(),
        other => other,
    };
    match number {
        Expr::Value(value) if matches!(&value.value, Value::Number(text, _) if text.parse::<i32>().is_ok()) => {
            cast(expr, &SqlType::Integer(None))
        }
        _ => expr,
    }
}

/// The function that stands for those in SQL until one is chosen, if `name` is its name.
pub(super) fn undecided(catalog: &Catalog, name: &str) -> Option<Arc<ScalarUDF>> {
    let candidates: Vec<Arc<SqlFunction>> = catalog.overloads(name.strip_prefix(NAME)?).cloned().collect();
    Some(Arc::new(ScalarUDF::from(Overloaded {
        name: name.to_owned(),
        candidates,
        signature: Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Immutable),
    })))
}

/// A body with its parameters as arguments, which `query` calls, bound; and the functions that it uses. None if it is not just an expression.
///
/// # Errors
/// If it is wrong.
pub(crate) fn bind_body(catalog: &Catalog, query: &Query) -> std::result::Result<Option<(BoundBody, Vec<String>)>, SqlError> {
    let bound = bind_casts(catalog, query, None, Casts::AsWritten)?;
    let LogicalPlan::Projection(projection) = &bound.plan else { return Ok(None) };
    let is_plain = matches!(projection.input.as_ref(), LogicalPlan::SubqueryAlias(_) | LogicalPlan::EmptyRelation(_));
    let [expr] = projection.expr.as_slice() else { return Ok(None) };
    if !is_plain {
        return Ok(None);
    }
    let field = expr.to_field(projection.input.schema()).map_err(|error| super::internal(&error, query.position))?.1;
    let expr = expr.clone().unalias();
    Ok(Some((BoundBody { expr, field, defaults: Vec::new() }, bound.functions)))
}

/// Puts the functions that are meant in the places of such calls, and adds their signatures to `used`.
pub(super) fn inline(plan: LogicalPlan, catalog: &Catalog, used: &mut Vec<String>) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let mut inline = |expr: PlanExpr| match &expr {
            PlanExpr::ScalarFunction(function) => match function.name().strip_prefix(NAME) {
                Some(name) => {
                    let body = body(name, &function.args, catalog, &schema, used)?;
                    Ok(Transformed::yes(names.save(&expr).restore(body)))
                }
                None => Ok(Transformed::no(expr)),
            },
            _ => Ok(Transformed::no(expr)),
        };
        let node = node.map_expressions(|expr| expr.transform_up(&mut inline))?;
        if node.transformed { node.map_data(LogicalPlan::recompute_schema) } else { Ok(node) }
    })?;
    Ok(plan.data)
}

/// What stands for the call of `name` with these arguments, of which the first is about the others.
fn body(name: &str, arguments: &[PlanExpr], catalog: &Catalog, schema: &DFSchema, used: &mut Vec<String>) -> Result<PlanExpr> {
    let Some((literals, arguments)) = arguments.split_first() else { return internal_err!("a call of {name} without literals") };
    let literals = match literals {
        PlanExpr::Literal(literals, _) => Some(literals),
        _ => None,
    };
    let types = arguments.iter().map(|argument| argument.get_type(schema)).collect::<Result<Vec<_>>>()?;
    let candidates: Vec<&Arc<SqlFunction>> = catalog.overloads(name).collect();
    let chosen = chosen(name, &candidates, &given(literals, &types))?;
    let Some(bound) = &chosen.bound else { return Err(makes_rows(chosen)) };
    if !used.contains(&chosen.signature) {
        used.push(chosen.signature.clone());
    }
    let body = bound.expr.clone().transform_up(|part| match &part {
        PlanExpr::Column(column) => {
            let place = chosen.parameters.iter().position(|parameter| parameter.name == column.name);
            match place.and_then(|place| arguments.get(place).or(bound.defaults.get(place)?.as_ref())) {
                Some(argument) => Ok(Transformed::yes(argument.clone())),
                None => internal_err!("the function {} has no argument {}", chosen.name, column.name),
            }
        }
        _ => Ok(Transformed::no(part)),
    })?;
    Ok(body.data)
}

/// What is known of the types of arguments.
fn given(literals: Option<&ScalarValue>, types: &[DataType]) -> Vec<Given> {
    let literals = match literals {
        Some(ScalarValue::Utf8(Some(literals))) => literals.as_bytes(),
        _ => &[],
    };
    let is_quoted = |place: usize| literals.get(place) == Some(&b'?');
    let given = types.iter().enumerate().map(|(place, of)| (!is_quoted(place) && !of.is_null()).then(|| of.clone()));
    given.collect()
}

fn chosen<'f>(name: &str, candidates: &[&'f Arc<SqlFunction>], given: &[Given]) -> Result<&'f Arc<SqlFunction>> {
    let undecided = match choose(candidates, given) {
        Ok(chosen) => return Ok(chosen),
        Err(undecided) => undecided,
    };
    let types = given.iter().map(|given| given.as_ref().map_or_else(|| "unknown".to_owned(), sql_type));
    let types = types.collect::<Vec<_>>().join(", ");
    let (code, message) = match undecided {
        Undecided::None => (Code::Type, format!("the types ({types}) are those of no function {name}")),
        Undecided::Several => {
            (Code::Ambiguous, format!("with the types ({types}) it is not clear which function is meant by {name}"))
        }
    };
    let hint = format!("cast the arguments to the types of one: {}", usages(candidates));
    Err(external(SqlError::nowhere(code, message).with_hint(hint)))
}

fn makes_rows(function: &SqlFunction) -> datafusion_common::DataFusionError {
    let message = format!("a function that makes rows, of which there are several: {}", function.name);
    external(SqlError::nowhere(Code::Unsupported, message))
}

/// Functions of one name, before one is chosen.
#[derive(Debug)]
struct Overloaded {
    name: String,
    candidates: Vec<Arc<SqlFunction>>,
    signature: Signature,
}

impl Overloaded {
    fn key(&self) -> (&str, Vec<&str>) {
        (&self.name, self.candidates.iter().map(|candidate| candidate.signature.as_str()).collect())
    }
}

impl PartialEq for Overloaded {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Overloaded {}

impl Hash for Overloaded {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl ScalarUDFImpl for Overloaded {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {} is that of its field", self.name)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = arguments.arg_fields.iter().skip(1).map(|field| field.data_type().clone()).collect();
        let literals = arguments.scalar_arguments.first().copied().flatten();
        let candidates: Vec<&Arc<SqlFunction>> = self.candidates.iter().collect();
        let name = self.name.strip_prefix(NAME).unwrap_or(&self.name);
        let chosen = chosen(name, &candidates, &given(literals, &types))?;
        let Some(bound) = &chosen.bound else { return Err(makes_rows(chosen)) };
        let field = Field::new(&self.name, bound.field.data_type().clone(), true);
        Ok(Arc::new(field.with_metadata(bound.field.metadata().clone())))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("{} is replaced before a plan runs", self.name)
    }
}
