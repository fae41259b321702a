//! Vectorised evaluation of expressions, with errors as values.

pub(crate) mod decimal;
pub(crate) mod text;

use arrow::array::ArrayRef;

use crate::{Expr, RowErrors};

/// The values of an expression over some rows.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// One value per row, of the type [`Expr::data_type`]; NULL where the row fails.
    pub values: ArrayRef,
    /// The rows that fail.
    pub errors: RowErrors,
}

impl Expr {
    /// The values of the expression on `rows` rows of `columns`.
    pub fn evaluate(&self, columns: &[ArrayRef], rows: usize) -> Evaluated {
        todo!()
    }
}
