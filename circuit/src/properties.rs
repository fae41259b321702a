//! What is known of a node's rows, derived from its operator and its inputs.

use arrow::datatypes::SchemaRef;

use crate::{Node, Operator, Properties};

/// The properties of a node that computes `operator` over `inputs`. A source has those of its relation: they are not derived.
pub fn derive_properties(operator: &Operator, inputs: &[&Node], schema: &SchemaRef) -> Properties {
    todo!()
}
