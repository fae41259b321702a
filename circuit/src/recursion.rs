//! [`Recursion`]: relations that are defined in terms of each other.
//!
//! The definitions are one circuit, the *body*, whose sources are the inputs of the recursion and its variables. All variables start empty;
//! an iteration computes every definition from the variables as the iteration before left them, and the recursion is what they are when an
//! iteration changes nothing any more. For definitions that only grow with their variables that is the least fixpoint; for others it
//! is what iteration comes to, if it comes to an end. What does not depend on a variable is not part of the body but an input.
//!
//! `UNION` is a [`Operator::Distinct`] in the definition. `UNION ALL` needs nothing: if the step is linear in the variable, as SQL wants it, then the
//! sum of its repeated application is the solution of `x = base + step(x)`, copies counted.

use arrow::datatypes::SchemaRef;

use crate::{Circuit, NodeId, Operator};

/// Definitions and how far they are followed.
#[derive(Clone, Debug)]
pub struct Recursion {
    /// One iteration: its sources are called [`input_name`] and [`variable_name`]; its output is what the recursion shows.
    pub body: Circuit,
    /// The variables, each with its definition in the body.
    pub variables: Vec<Variable>,
    /// After so many iterations the variables must be what their definitions say; else the recursion has no rows and one error row. `None`
    /// where the planner knows that it ends: nothing is ever taken back and no value is computed.
    pub limit: Option<u64>,
}

/// One relation that is defined by recursion.
#[derive(Clone, Debug)]
pub struct Variable {
    /// What people call it.
    pub name: String,
    /// The node of the body that computes it.
    pub definition: NodeId,
}

/// The iterations after which a recursion that is not known to end is an error, if the query does not say.
pub const DEFAULT_RECURSION_LIMIT: u64 = 1000;

/// The source in a body that stands for an input of the recursion.
pub fn input_name(input: usize) -> String {
    format!("input {input}")
}

/// The source in a body that stands for a variable.
pub fn variable_name(variable: usize) -> String {
    format!("variable {variable}")
}

impl Recursion {
    /// The variable that a source of the body stands for.
    pub fn variable_of(&self, relation: &str) -> Option<usize> {
        (0..self.variables.len()).find(|&variable| variable_name(variable) == relation)
    }

    /// The columns of a variable: those of its definition.
    pub fn schema_of(&self, variable: usize) -> &SchemaRef {
        &self.body.node(self.variables[variable].definition).schema
    }

    /// What the error row says if the limit is reached.
    pub fn limit_error(&self) -> crate::EvalError {
        let names: Vec<&str> = self.variables.iter().map(|variable| variable.name.as_str()).collect();
        let limit = self.limit.unwrap_or_default();
        let message = format!("the recursion of {} has not come to an end after {limit} iterations", names.join(", "));
        crate::EvalError::new(crate::errors::code::RECURSION, message)
    }
}

/// Whether the operator may depend on a variable of the recursion that it is in. All may be above and below a recursion.
pub fn can_recur(operator: &Operator) -> bool {
    matches!(
        operator,
        Operator::Source { .. }
            | Operator::MapFilter { .. }
            | Operator::Union
            | Operator::Negate
            | Operator::Index { .. }
            | Operator::Join { .. }
            | Operator::Distinct
            | Operator::Aggregate { .. }
            | Operator::TopK { .. }
            | Operator::SetOperation { .. }
            | Operator::MaxOneRow { .. }
    )
}
