//! Checks that a circuit is well formed, so that operators need not.
//!
//! What passes has inputs before the nodes that read them, positions within range, and expressions and operators over the types they are
//! defined for: the `unsupported` errors of evaluation cannot occur in it, and every column of an edge has the type that its schema says.

mod expression;
mod recursion;
mod timed;
mod window;

use arrow::datatypes::{DataType, Schema};
use datafusion_common::ScalarValue;
use deltic_zset::types;

use crate::aggregate::aggregate_type;
use crate::{
    AggregateCall, AggregateFunction, Circuit, CircuitError, Expr, JoinKey, JoinKind, Node, Operator, Ties, operator_label,
};

/// Checks order, arity, positions and types of every node.
///
/// # Errors
/// [`CircuitError::Invalid`] for the first node that does not fit.
pub fn validate(circuit: &Circuit) -> Result<(), CircuitError> {
    for (position, node) in circuit.nodes.iter().enumerate() {
        let invalid = |problem| CircuitError::Invalid { node: position, operator: operator_label(&node.operator), problem };
        if let Some(input) = node.inputs.iter().find(|input| input.0 >= position) {
            return Err(invalid(format!("input {} does not come before it", input.0)));
        }
        let inputs: Vec<&Node> = node.inputs.iter().map(|&input| circuit.node(input)).collect();
        validate_node(&node.operator, &inputs, &node.schema).map_err(invalid)?;
    }
    if circuit.output.0 >= circuit.nodes.len() {
        let problem = format!("the circuit has {} nodes", circuit.nodes.len());
        return Err(CircuitError::Invalid { node: circuit.output.0, operator: "output", problem });
    }
    Ok(())
}

type Check = Result<(), String>;

fn ensure(condition: bool, problem: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(problem()) }
}

/// Checks one node against its inputs and its schema.
pub(crate) fn validate_node(operator: &Operator, inputs: &[&Node], schema: &Schema) -> Check {
    let arity = match operator {
        Operator::Source { .. } | Operator::Constant { .. } => 0..=0,
        Operator::Join { .. }
        | Operator::IntervalJoin { .. }
        | Operator::AsOfJoin { .. }
        | Operator::TemporalLookup { .. }
        | Operator::SetOperation { .. } => 2..=2,
        Operator::Union => 1..=usize::MAX,
        Operator::Fixpoint { .. } => 0..=usize::MAX,
        _ => 1..=1,
    };
    ensure(arity.contains(&inputs.len()), || format!("has {} inputs", inputs.len()))?;
    for field in schema.fields() {
        let canonical = types::canonical_type(field.data_type());
        ensure(canonical.as_ref() == Some(field.data_type()), || {
            format!("column {} has type {}, which is not canonical", field.name(), field.data_type())
        })?;
    }
    match operator {
        Operator::Source { .. } => Ok(()),
        Operator::Constant { rows } => same_types(&types_of(rows.schema()), schema),
        Operator::Union | Operator::SetOperation { .. } => {
            inputs.iter().try_for_each(|input| same_types(&types_of(&input.schema), schema))
        }
        Operator::Negate | Operator::Distinct => same_types(&types_of(&inputs[0].schema), schema),
        Operator::MapFilter { predicates, projections } => map_filter(predicates, projections.as_deref(), inputs[0], schema),
        Operator::Unnest { keep, lists, ordinality, .. } => unnest(keep, lists, *ordinality, inputs[0], schema),
        Operator::Index { key } => {
            in_range(key, inputs[0])?;
            same_types(&types_of(&inputs[0].schema), schema)
        }
        Operator::Join { kind, keys, residual } => join(*kind, keys, residual.as_ref(), inputs[0], inputs[1], schema),
        Operator::MaxOneRow { group } => {
            in_range(group, inputs[0])?;
            same_types(&types_of(&inputs[0].schema), schema)
        }
        Operator::Aggregate { group, aggregates } => aggregate(group, aggregates, inputs[0], schema),
        Operator::TopK { partition, order, offset, limit, with_row_number, ties } => {
            ensure(!*with_row_number || *ties == Ties::Cut, || "row numbers of rows with their ties".to_owned())?;
            let counts_groups = *ties == Ties::AsOne;
            ensure(!counts_groups || (*offset == 0 && limit.is_some()), || "groups are counted from the first on".to_owned())?;
            in_range(partition, inputs[0])?;
            in_range(&order.iter().map(|key| key.column).collect::<Vec<_>>(), inputs[0])?;
            let mut expected = types_of(&inputs[0].schema);
            if *with_row_number {
                let last = schema.fields().last().map(|field| field.data_type().clone());
                ensure(last.as_ref().is_some_and(DataType::is_integer), || "the row number is not an integer".to_owned())?;
                expected.extend(last);
            }
            same_types(&expected, schema)
        }
        Operator::Fixpoint { recursion } => recursion::check(recursion, inputs, schema),
        Operator::WindowFrame { partition, order, calls } => window::check(partition, order, calls, inputs[0], schema),
        timed => timed::check(timed, inputs, schema),
    }
}

fn types_of(schema: &Schema) -> Vec<DataType> {
    schema.fields().iter().map(|field| field.data_type().clone()).collect()
}

fn same_types(expected: &[DataType], schema: &Schema) -> Check {
    let actual = types_of(schema);
    ensure(expected == actual, || format!("computes columns of types {expected:?}, its schema says {actual:?}"))
}

fn in_range(columns: &[usize], input: &Node) -> Check {
    let width = input.schema.fields().len();
    columns.iter().try_for_each(|&column| ensure(column < width, || format!("column #{column} of {width}")))
}

fn map_filter(predicates: &[Expr], projections: Option<&[Expr]>, input: &Node, schema: &Schema) -> Check {
    let columns = types_of(&input.schema);
    predicates.iter().try_for_each(|predicate| expression::predicate(predicate, &columns))?;
    let Some(projections) = projections else { return same_types(&columns, schema) };
    let types: Result<Vec<DataType>, String> =
        projections.iter().map(|projection| expression::check(projection, &columns).map(|()| projection.data_type())).collect();
    same_types(&types?, schema)
}

fn join(kind: JoinKind, keys: &[JoinKey], residual: Option<&Expr>, left: &Node, right: &Node, schema: &Schema) -> Check {
    let sides: [(&str, &Node, Vec<usize>); 2] =
        [("left", left, keys.iter().map(|key| key.left).collect()), ("right", right, keys.iter().map(|key| key.right).collect())];
    for (side, node, columns) in &sides {
        let indexed = matches!(&node.operator, Operator::Index { key } if key == columns);
        ensure(indexed, || format!("the {side} input is not indexed by the join columns {columns:?}"))?;
    }
    for key in keys {
        let (left_type, right_type) = (left.schema.field(key.left).data_type(), right.schema.field(key.right).data_type());
        ensure(left_type == right_type, || format!("joins {left_type} with {right_type}"))?;
    }
    let mut columns = types_of(&left.schema);
    columns.extend(types_of(&right.schema));
    residual.map_or(Ok(()), |residual| expression::predicate(residual, &columns))?;
    let (left_null, right_null) =
        (matches!(kind, JoinKind::Right | JoinKind::Full), matches!(kind, JoinKind::Left | JoinKind::Full));
    let width = left.schema.fields().len();
    columns.truncate(if kind.is_left_only() { width } else { columns.len() });
    same_types(&columns, schema)?;
    schema.fields().iter().enumerate().try_for_each(|(position, field)| {
        let padded = if position < width { left_null } else { right_null };
        ensure(!padded || field.is_nullable(), || format!("column {} can be NULL in an outer join", field.name()))
    })
}

fn unnest(keep: &[usize], lists: &[usize], ordinality: bool, input: &Node, schema: &Schema) -> Check {
    in_range(keep, input)?;
    in_range(lists, input)?;
    ensure(!lists.is_empty(), || "has no list".to_owned())?;
    let mut expected: Vec<DataType> = keep.iter().map(|&column| input.schema.field(column).data_type().clone()).collect();
    for &list in lists {
        match input.schema.field(list).data_type() {
            DataType::List(item) => expected.push(item.data_type().clone()),
            other => return Err(format!("column #{list} has type {other}, which is no list")),
        }
    }
    expected.extend(ordinality.then_some(DataType::Int64));
    same_types(&expected, schema)
}

fn aggregate(group: &[usize], aggregates: &[AggregateCall], input: &Node, schema: &Schema) -> Check {
    in_range(group, input)?;
    aggregate_calls(aggregates, input)?;
    let groups = group.iter().map(|&column| input.schema.field(column).data_type().clone());
    same_types(&groups.chain(aggregates.iter().map(|call| call.data_type.clone())).collect::<Vec<_>>(), schema)
}

fn aggregate_calls(aggregates: &[AggregateCall], input: &Node) -> Check {
    for call in aggregates {
        in_range(&call.columns().collect::<Vec<_>>(), input)?;
        let column = |index: usize| input.schema.field(index).data_type();
        if let Some(filter) = call.filter {
            ensure(column(filter) == &DataType::Boolean, || format!("filter #{filter} is not boolean"))?;
        }
        let arguments: Vec<DataType> = call.arguments.iter().map(|&argument| column(argument).clone()).collect();
        let text = crate::aggregate_text(call);
        ensure(!(arguments.is_empty() && call.distinct), || format!("{text} has no argument to be distinct"))?;
        parameters(call).map_err(|why| format!("{text} {why}"))?;
        if matches!(call.function, AggregateFunction::Other(_)) {
            continue;
        }
        let natural =
            aggregate_type(&call.function, &arguments).ok_or_else(|| format!("{text} is not defined for {arguments:?}"))?;
        ensure(is_result_type(call, arguments.first(), &natural), || format!("{text} yields {natural}, not {}", call.data_type))?;
    }
    Ok(())
}

/// Whether the constant arguments are what the function wants.
fn parameters(call: &AggregateCall) -> Check {
    use AggregateFunction::{NthValue, Other, PercentileCont, PercentileDisc, StringAgg};
    let fits = match (&call.function, call.parameters.as_slice()) {
        (Other(_), _) => true,
        (NthValue, [ScalarValue::Int64(Some(place))]) => *place != 0,
        (PercentileCont | PercentileDisc, [ScalarValue::Float64(Some(fraction))]) => (0.0..=1.0).contains(fraction),
        (StringAgg, [ScalarValue::Utf8(_)]) => true,
        (NthValue | PercentileCont | PercentileDisc | StringAgg, _) => false,
        (_, parameters) => parameters.is_empty(),
    };
    ensure(fits, || "has other constants than its function wants".to_owned())
}

/// Whether the call may have its declared type: the frontend may choose another width of an integer, float or decimal.
fn is_result_type(call: &AggregateCall, argument: Option<&DataType>, natural: &DataType) -> bool {
    match (&call.function, natural, &call.data_type) {
        (_, natural, declared) if natural == declared => true,
        (AggregateFunction::Count, _, declared) => declared.is_integer(),
        (AggregateFunction::Sum, natural, declared) if natural.is_integer() => {
            declared.is_integer() || declared.is_floating() || matches!(declared, DataType::Decimal128(_, 0))
        }
        // The sum of such sums.
        (AggregateFunction::Sum, DataType::Decimal128(_, 0), declared) if declared.is_integer() || declared.is_floating() => true,
        (AggregateFunction::Sum, natural, declared) if natural.is_floating() => declared.is_floating(),
        // A sum is exact: it has the scale of its argument.
        (AggregateFunction::Sum, DataType::Decimal128(_, s1), DataType::Decimal128(_, s2)) => s1 == s2,
        (AggregateFunction::Avg, _, DataType::Decimal128(..)) => argument.is_some_and(|argument| !argument.is_floating()),
        (AggregateFunction::Avg, _, declared) => declared.is_floating(),
        (AggregateFunction::Median | AggregateFunction::PercentileCont, natural, declared) => {
            natural.is_floating() && declared.is_floating()
        }
        _ => false,
    }
}
