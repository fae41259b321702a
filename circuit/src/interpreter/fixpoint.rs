//! [`Operator::Fixpoint`](crate::Operator::Fixpoint) by iteration, everything anew each time.

use std::collections::HashMap;

use datafusion_common::ScalarValue;
use deltic_zset::Error;

use super::relation::Relation;
use super::{History, Interpreter};
use crate::recursion::{input_name, variable_name};
use crate::{CircuitError, EpochInfo, Recursion, error_schema};

/// The rows and the errors of `recursion` over its inputs. The errors are those of the iteration that changes nothing.
pub(super) fn fixpoint(
    recursion: &Recursion,
    inputs: Vec<Relation>,
    info: &EpochInfo,
) -> Result<(Relation, Relation), CircuitError> {
    let inputs: HashMap<String, Relation> =
        inputs.into_iter().enumerate().map(|(input, relation)| (input_name(input), relation)).collect();
    let empty = |variable| Relation::new(recursion.schema_of(variable).clone());
    let mut variables: Vec<Relation> = (0..recursion.variables.len()).map(empty).collect();
    let mut iteration = 0;
    loop {
        let mut given = inputs.clone();
        given.extend(variables.iter().enumerate().map(|(number, rows)| (variable_name(number), rows.clone())));
        let sources = HashMap::new();
        let (mut history, errors) = (History::default(), Relation::new(error_schema()));
        let mut step = Interpreter { sources: &sources, given, info, history: &mut history, outputs: Vec::new(), errors };
        for (position, node) in recursion.body.nodes.iter().enumerate() {
            let output = match step.node(position, node) {
                // Copies that multiply without end are more than can be counted before the limit is reached.
                Err(CircuitError::Zset(Error::WeightOverflow)) if recursion.limit.is_some() => return at_limit(recursion),
                output => output?,
            };
            step.outputs.push(Some(output));
        }
        let output = |position: usize| step.outputs[position].clone().unwrap_or_else(|| Relation::new(error_schema()));
        let next: Vec<Relation> = recursion.variables.iter().map(|variable| output(variable.definition.0)).collect();
        if next.iter().zip(&variables).all(|(next, known)| next.is(known)) {
            return Ok((output(recursion.body.output.0), step.errors));
        }
        if recursion.limit.is_some_and(|limit| iteration >= limit) {
            return at_limit(recursion);
        }
        variables = next;
        iteration += 1;
    }
}

/// No rows and one error.
fn at_limit(recursion: &Recursion) -> Result<(Relation, Relation), CircuitError> {
    let error = recursion.limit_error();
    let text = |text: &str| ScalarValue::Utf8(Some(text.to_owned()));
    let errors = Relation::single(error_schema(), vec![text(error.code), text(&error.message), text("recursion"), text("()")])?;
    Ok((Relation::new(recursion.body.schema().clone()), errors))
}
