//! Recursions: a body over inputs and variables.

use arrow::datatypes::Schema;

use super::{Check, ensure, same_types, types_of, validate};
use crate::recursion::{can_recur, input_name};
use crate::{Node, Operator, Recursion, operator_label};

/// Checks the body, and that its sources are the inputs and the variables.
pub(super) fn check(recursion: &Recursion, inputs: &[&Node], schema: &Schema) -> Check {
    validate(&recursion.body).map_err(|error| error.to_string())?;
    for variable in &recursion.variables {
        let known = variable.definition.0 < recursion.body.nodes.len();
        ensure(known, || format!("{} has no definition", variable.name))?;
    }
    for node in &recursion.body.nodes {
        let allowed = can_recur(&node.operator);
        ensure(allowed, || format!("{} cannot be in a recursion", operator_label(&node.operator)))?;
        if let Operator::Source { relation } = &node.operator {
            let input = (0..inputs.len()).find(|&input| input_name(input) == *relation).map(|input| &inputs[input].schema);
            let stands_for = recursion.variable_of(relation).map(|variable| recursion.schema_of(variable)).or(input);
            let Some(stands_for) = stands_for else { return Err(format!("{relation} is neither an input nor a variable")) };
            same_types(&types_of(stands_for), &node.schema)?;
        }
    }
    same_types(&types_of(recursion.body.schema()), schema)
}
