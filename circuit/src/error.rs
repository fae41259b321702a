/// What is wrong with a circuit, or what stopped its interpretation. A row that fails is never one of these: see [`crate::EvalError`].
#[derive(Debug, thiserror::Error)]
pub enum CircuitError {
    /// A node that does not fit its inputs, schema or operator.
    #[error("DT3001: invalid circuit: node {node} ({operator}): {problem}")]
    Invalid {
        /// The position of the node.
        node: usize,
        /// Its operator.
        operator: &'static str,
        /// What does not fit.
        problem: String,
    },
    /// A source for which no rows were given.
    #[error("DT3002: no contents were given for relation '{0}'")]
    UnknownSource(String),
    /// A source whose contents have another number or other types of columns than the circuit says, or a negative weight.
    #[error("DT3003: the contents of relation '{relation}' do not fit the circuit: {problem}")]
    SourceMismatch {
        /// The relation.
        relation: String,
        /// What does not fit.
        problem: String,
    },
    /// A Z-set operation failed.
    #[error(transparent)]
    Zset(#[from] deltic_zset::Error),
    /// An Arrow kernel refused its input.
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
}
