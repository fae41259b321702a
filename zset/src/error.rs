use arrow::error::ArrowError;

/// The result of a fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong while a Z-set is built or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A column type that the state structures have no layout for.
    #[error("type {0} cannot be stored; cast it to a supported type")]
    UnsupportedType(arrow::datatypes::DataType),
    /// The columns handed in do not fit the schema or one another.
    #[error("batch does not fit its schema: {0}")]
    Shape(String),
    /// Entries that are no map.
    #[error("the map in row {} has the key {what}", row + 1)]
    Map {
        /// The row of the column, from 0.
        row: usize,
        /// What is wrong with a key.
        what: String,
    },
    /// A sum of weights left the range of `i64`.
    #[error("a row's weight left the range of a 64-bit integer")]
    WeightOverflow,
    /// An Arrow kernel refused its input.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}
