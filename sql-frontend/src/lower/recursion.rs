//! Recursions: the plans of definitions become nodes, and the builder cuts the body of the recursion out of them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion_common::ScalarValue;
use deltic_circuit::{BinaryOp, CircuitError, DEFAULT_RECURSION_LIMIT, Defined, Expr, NodeId};

use super::piped::Piped;
use super::{Lower, Lowering, circuit_error};
use crate::SqlError;
use crate::error::Code;
use crate::plan::{RecursionPlan, RecursionSource, VariablePlan, VariableSource};

impl Lowering {
    /// A variable within its recursion.
    pub(super) fn variable(&self, source: &VariableSource) -> Lower<NodeId> {
        let known = self.variables.get(&(source.id, source.variable)).copied();
        known.ok_or_else(|| SqlError::nowhere(Code::Internal, "a variable is read outside of its recursion"))
    }

    /// The rows of one variable of a recursion that is at its end.
    pub(super) fn recursion(&mut self, source: &RecursionSource) -> Lower<Piped> {
        let recursion = &source.recursion;
        let result = match self.recursions.get(&recursion.id) {
            Some(&node) => node,
            None => {
                let node = self.fixpoint(recursion).map_err(|error| error.or_at(recursion.position))?;
                self.recursions.insert(recursion.id, node);
                node
            }
        };
        let [_] = recursion.shown.as_slice() else { return Ok(self.untagged(recursion, source.variable, result)) };
        Ok(Piped::node(result))
    }

    fn fixpoint(&mut self, recursion: &RecursionPlan) -> Lower<NodeId> {
        // NULLs cost: columns are taken to have none until their definition says otherwise.
        let mut nullable: Vec<Vec<bool>> =
            recursion.variables.iter().map(|variable| vec![false; variable.columns.len()]).collect();
        loop {
            let variables = self.defined(recursion, &nullable)?;
            let mut widened = false;
            for (variable, nullable) in variables.iter().zip(&mut nullable) {
                let fields = self.builder.schema(variable.definition).fields();
                for (field, nullable) in fields.iter().zip(nullable) {
                    widened |= field.is_nullable() && !*nullable;
                    *nullable |= field.is_nullable();
                }
            }
            if !widened {
                return self.closed(recursion, &variables);
            }
        }
    }

    /// The variables with their definitions.
    fn defined(&mut self, recursion: &RecursionPlan, nullable: &[Vec<bool>]) -> Lower<Vec<Defined>> {
        self.attempts += 1;
        let mut sources = Vec::with_capacity(recursion.variables.len());
        for (number, (variable, nullable)) in recursion.variables.iter().zip(nullable).enumerate() {
            let fields = variable.columns.iter().zip(nullable);
            let fields = fields.map(|((name, data_type), nullable)| Field::new(name, data_type.clone(), *nullable));
            let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
            let source = self.builder.variable(&format!("variable {} {number}", self.attempts), schema);
            self.variables.insert((recursion.id, number), source);
            sources.push(source);
        }
        let definitions = recursion.variables.iter().zip(sources).map(|(variable, source)| {
            let definition = self.definition(variable)?;
            Ok(Defined { name: variable.name.clone(), source, definition })
        });
        definitions.collect()
    }

    /// A definition with the types of its variable.
    fn definition(&mut self, variable: &VariablePlan) -> Lower<NodeId> {
        let node = self.node(&variable.definition)?;
        let columns = self.columns_of(node).into_iter().zip(&variable.columns);
        let columns = columns.map(|((name, expr), (_, data_type))| (name, expr.cast(data_type.clone())));
        self.materialise(Piped::columns(node, columns.collect()))
    }

    fn closed(&mut self, recursion: &RecursionPlan, variables: &[Defined]) -> Lower<NodeId> {
        let limit = match recursion.limit {
            None if self.builder.is_finite(variables) => None,
            limit => Some(limit.unwrap_or(DEFAULT_RECURSION_LIMIT)),
        };
        let shown = match recursion.shown.as_slice() {
            [only] => variables[*only].definition,
            _ => self.tagged(recursion, variables)?,
        };
        self.builder.fixpoint(variables, shown, limit).map_err(|error| match error {
            CircuitError::Invalid { operator, problem, .. } => {
                SqlError::nowhere(Code::Unsupported, format!("{operator} {problem}"))
                    .with_hint("what does not depend on the recursion may stand in a query outside of it")
            }
            other => circuit_error(&other),
        })
    }

    /// All variables that are shown, one below the other: the number of the variable, then the columns of all of them, with NULLs in those of the others.
    fn tagged(&mut self, recursion: &RecursionPlan, variables: &[Defined]) -> Lower<NodeId> {
        let mut inputs = Vec::with_capacity(recursion.shown.len());
        for &shown in &recursion.shown {
            let node = variables[shown].definition;
            let mut outputs = vec![("variable".to_owned(), Expr::literal(shown as i64))];
            for &other in &recursion.shown {
                for (column, (name, data_type)) in recursion.variables[other].columns.iter().enumerate() {
                    let value = match other == shown {
                        true => self.builder.column(node, column),
                        false => Expr::Literal(null(data_type)?),
                    };
                    outputs.push((name.clone(), value));
                }
            }
            inputs.push(self.materialise(Piped::columns(node, outputs))?);
        }
        let union = self.built(|builder| builder.union(inputs))?;
        self.materialise(union)
    }

    /// The rows of one variable of those that are [tagged](Self::tagged).
    fn untagged(&mut self, recursion: &RecursionPlan, variable: usize, node: NodeId) -> Piped {
        let before = recursion.shown.iter().take_while(|&&shown| shown != variable);
        let first = 1 + before.map(|&shown| recursion.variables[shown].columns.len()).sum::<usize>();
        let columns = recursion.variables[variable].columns.iter().enumerate();
        let outputs = columns.map(|(column, (name, _))| (name.clone(), self.builder.column(node, first + column)));
        let mut piped = Piped::columns(node, outputs.collect());
        let tag = Expr::binary(BinaryOp::Equal, self.builder.column(node, 0), Expr::literal(variable as i64));
        self.add_node_predicates(&mut piped, vec![tag]);
        piped
    }
}

fn null(data_type: &DataType) -> Lower<ScalarValue> {
    ScalarValue::try_from(data_type).map_err(|error| SqlError::nowhere(Code::Internal, error.to_string()))
}
