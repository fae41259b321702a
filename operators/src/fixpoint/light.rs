//! [`Light`]: what can be done to a row without looking at its values: plain columns, and whether they are NULL.

use deltic_circuit::{Expr, Node, Operator};

use super::format::From;

/// A projection to columns of rows in which some are not NULL.
#[derive(Clone, Debug)]
pub(super) struct Light {
    /// Columns of the input that must not be NULL.
    pub(super) not_null: Vec<usize>,
    /// Columns of the input, in the order of the output.
    pub(super) columns: Vec<usize>,
}

impl Light {
    /// The columns as those of one of several rows.
    pub(super) fn picks(&self, row: usize) -> Vec<From> {
        self.columns.iter().map(|&column| (row, column)).collect()
    }

    /// Whether rows with `width` columns stay as they are.
    pub(super) fn is_identity(&self, width: usize) -> bool {
        self.columns.iter().copied().eq(0..width)
    }
}

/// A filter and projection that is one of these.
pub(super) fn light(node: &Node) -> Option<Light> {
    let Operator::MapFilter { predicates, projections } = &node.operator else { return None };
    let not_null = predicates.iter().map(not_null).collect::<Option<Vec<_>>>()?;
    let columns = match projections {
        None => (0..node.schema.fields().len()).collect(),
        Some(projections) => projections.iter().map(Expr::as_column).collect::<Option<Vec<_>>>()?,
    };
    Some(Light { not_null, columns })
}

/// The column that a predicate says is not NULL.
fn not_null(predicate: &Expr) -> Option<usize> {
    match predicate {
        Expr::Not(inner) => match inner.as_ref() {
            Expr::IsNull(column) => column.as_column(),
            _ => None,
        },
        _ => None,
    }
}
