//! EXCEPT and INTERSECT.
//!
//! DataFusion plans both as joins, which forget how often a row is there. So before binding, `a EXCEPT b` is made into a query over a marker that
//! stands in FROM, and planned here when the binder comes to it. As in a UNION, the columns have the names of the left side and types
//! that hold the values of both.

use std::cmp::Ordering;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::{DFSchema, DFSchemaRef, Result};
use datafusion_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion_expr::type_coercion::binary::type_union_coercion;
use datafusion_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use deltic_circuit::SetOperationKind;
use sqlparser::ast;

use super::constant::select;
use super::floats::{is_decimal, is_float};
use super::naming::call;
use super::window::external;
use crate::SqlError;
use crate::error::{Code, Position};
use crate::parser::empty_select;

/// What the marker of an operation begins with; the rest says which one.
const MARKER: &str = "__set_operation_";

const OPERATIONS: [(SetOperationKind, &str); 4] = [
    (SetOperationKind::Except, "EXCEPT"),
    (SetOperationKind::ExceptAll, "EXCEPT ALL"),
    (SetOperationKind::Intersect, "INTERSECT"),
    (SetOperationKind::IntersectAll, "INTERSECT ALL"),
];

/// Makes markers of the operations in `query`.
pub(super) fn mark(query: &mut ast::Query) {
    struct Marking;

    impl ast::VisitorMut for Marking {
        type Break = std::convert::Infallible;

        fn pre_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<Self::Break> {
            mark_body(&mut query.body);
            ControlFlow::Continue(())
        }
    }

    let ControlFlow::Continue(()) = ast::VisitMut::visit(query, &mut Marking);
}

fn mark_body(body: &mut ast::SetExpr) {
    let ast::SetExpr::SetOperation { op, set_quantifier, left, right } = body else { return };
    mark_body(left);
    mark_body(right);
    let all = *set_quantifier == ast::SetQuantifier::All;
    let kind = match (op, all) {
        (ast::SetOperator::Union, _) => return,
        (ast::SetOperator::Except | ast::SetOperator::Minus, false) => SetOperationKind::Except,
        (ast::SetOperator::Except | ast::SetOperator::Minus, true) => SetOperationKind::ExceptAll,
        (ast::SetOperator::Intersect, false) => SetOperationKind::Intersect,
        (ast::SetOperator::Intersect, true) => SetOperationKind::IntersectAll,
    };
    let start = ast::Spanned::span(right.as_ref()).start;
    let side = |side: &mut ast::SetExpr| {
        let query = ast::Query { body: Box::new(std::mem::replace(side, nothing())), ..empty_select() };
        ast::Expr::Subquery(Box::new(query))
    };
    let place = OPERATIONS.iter().position(|(known, _)| *known == kind).unwrap_or_default();
    let marker = call(&format!("{MARKER}{place}"), [side(left), side(right), position_literal(start)]);
    let from = ast::TableFactor::TableFunction { expr: marker, alias: None };
    let everything = ast::SelectItem::Wildcard(ast::WildcardAdditionalOptions::default());
    *body = *select(vec![everything], Some(from)).body;
}

fn nothing() -> ast::SetExpr {
    ast::SetExpr::Values(ast::Values { explicit_row: false, value_keyword: false, rows: vec![] })
}

/// Where the right side begins, as an argument of the marker.
fn position_literal(start: sqlparser::tokenizer::Location) -> ast::Expr {
    ast::Expr::value(ast::Value::SingleQuotedString(format!("{}:{}", start.line, start.column)))
}

/// A marker with its sides.
struct Marked {
    kind: SetOperationKind,
    name: &'static str,
    sides: [Box<ast::Query>; 2],
    position: Position,
}

fn marked(relation: &ast::TableFactor) -> Option<Marked> {
    let ast::TableFactor::TableFunction { expr: ast::Expr::Function(function), .. } = relation else { return None };
    let [ast::ObjectNamePart::Identifier(ident)] = function.name.0.as_slice() else { return None };
    let &(kind, name) = OPERATIONS.get(ident.value.strip_prefix(MARKER)?.parse::<usize>().ok()?)?;
    let ast::FunctionArguments::List(list) = &function.args else { return None };
    let mut arguments = list.args.iter().filter_map(|argument| match argument {
        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    let mut side = || match arguments.next() {
        Some(ast::Expr::Subquery(query)) => Some(query.clone()),
        _ => None,
    };
    let sides = [side()?, side()?];
    let ast::Expr::Value(place) = arguments.next()? else { return None };
    let ast::Value::SingleQuotedString(place) = &place.value else { return None };
    let (line, column) = place.split_once(':')?;
    let position = Position { line: line.parse().ok()?, column: column.parse().ok()? };
    Some(Marked { kind, name, sides, position })
}

/// Plans them.
#[derive(Debug)]
pub(crate) struct SetOperations;

impl RelationPlanner for SetOperations {
    fn plan_relation(&self, relation: ast::TableFactor, context: &mut dyn RelationPlannerContext) -> Result<RelationPlanning> {
        let Some(Marked { kind, name, sides: [left, right], position }) = marked(&relation) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let mut plan = |subquery| context.plan(ast::TableFactor::Derived { lateral: false, subquery, alias: None, sample: None });
        let (left, right) = (plan(left)?, plan(right)?);
        let widths = [&left, &right].map(|side| side.schema().fields().len());
        if widths[0] != widths[1] {
            let message = format!("{name} of {} and {} columns", widths[0], widths[1]);
            return Err(external(SqlError::new(Code::Query, position, message)));
        }
        let node = SetOperationNode::try_new(kind, left, right).map_err(|error| match error {
            Mismatch::Types(message) => external(SqlError::new(Code::Type, position, format!("{name} of {message}"))),
            Mismatch::Other(error) => error,
        })?;
        let plan = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, None))))
    }
}

enum Mismatch {
    Types(String),
    Other(datafusion_common::DataFusionError),
}

/// EXCEPT or INTERSECT of two inputs. Its types are those that both are cast to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SetOperationNode {
    pub(crate) kind: SetOperationKind,
    pub(crate) left: LogicalPlan,
    pub(crate) right: LogicalPlan,
    pub(crate) schema: DFSchemaRef,
}

impl SetOperationNode {
    fn try_new(kind: SetOperationKind, left: LogicalPlan, right: LogicalPlan) -> std::result::Result<Self, Mismatch> {
        let mut fields = Vec::with_capacity(left.schema().fields().len());
        for ((table, field), other) in left.schema().iter().zip(right.schema().fields()) {
            let (this, that) = (field.data_type(), other.data_type());
            let Some(common) = common_type(this, that) else {
                return Err(Mismatch::Types(format!("{this} and {that} in column {}", field.name())));
            };
            let nullable = field.is_nullable() || other.is_nullable();
            fields.push((table.cloned(), Arc::new(field.as_ref().clone().with_data_type(common).with_nullable(nullable))));
        }
        let schema = DFSchema::new_with_metadata(fields, left.schema().metadata().clone()).map_err(Mismatch::Other)?;
        Ok(SetOperationNode { kind, left, right, schema: Arc::new(schema) })
    }

    /// The operation on two sides with columns of the same types.
    pub(super) fn plan(kind: SetOperationKind, left: LogicalPlan, right: LogicalPlan) -> Result<LogicalPlan> {
        match Self::try_new(kind, left, right) {
            Ok(node) => Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) })),
            Err(Mismatch::Types(message)) => datafusion_common::internal_err!("a set operation of {message}"),
            Err(Mismatch::Other(error)) => Err(error),
        }
    }

    /// The node that `plan` is, if it is one.
    pub(crate) fn of(plan: &LogicalPlan) -> Option<&SetOperationNode> {
        match plan {
            LogicalPlan::Extension(extension) => extension.node.as_any().downcast_ref::<SetOperationNode>(),
            _ => None,
        }
    }
}

/// The type in which values of two types are compared and shown.
fn common_type(left: &DataType, right: &DataType) -> Option<DataType> {
    if is_float(left) && is_decimal(right) || is_decimal(left) && is_float(right) {
        return Some(DataType::Float64);
    }
    type_union_coercion(left, right)
}

impl PartialOrd for SetOperationNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (&self.left, &self.right).partial_cmp(&(&other.left, &other.right))
    }
}

impl UserDefinedLogicalNodeCore for SetOperationNode {
    fn name(&self) -> &str {
        "SetOperation"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.left, &self.right]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let name = OPERATIONS.iter().find(|(kind, _)| *kind == self.kind).map_or("", |(_, name)| name);
        write!(f, "SetOperation: {name}")
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([left, right]) = <[LogicalPlan; 2]>::try_from(inputs) else {
            return datafusion_common::internal_err!("a set operation has two inputs");
        };
        SetOperationNode::try_new(self.kind, left, right).map_err(|error| match error {
            Mismatch::Types(message) => datafusion_common::plan_datafusion_err!("a set operation of {message}"),
            Mismatch::Other(error) => error,
        })
    }

    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        // Whole rows are compared.
        let all = |side: &LogicalPlan| (0..side.schema().fields().len()).collect();
        Some(vec![all(&self.left), all(&self.right)])
    }
}
