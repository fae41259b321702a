//! `TUMBLE_START(..)` and its kin: calls that stand for a bound of the window in GROUP BY.
//!
//! They are functions for the binder only, which so finds that the call in the SELECT list is the one in GROUP BY. After it, the
//! group keys that are such calls are computed by a [`WindowNode`](super::WindowNode); none is ever evaluated.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion_common::{Result, internal_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::WindowKind;
use super::node::window_bound;
use super::relation::external;
use crate::SqlError;
use crate::error::Code;

/// The functions.
pub(crate) static MARKERS: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(|| {
    let ends = WindowKind::ALL.into_iter().flat_map(|kind| [false, true].map(|end| (kind, end)));
    ends.map(|(kind, end)| Arc::new(ScalarUDF::from(Marker::new(kind, end)))).collect()
});

/// Whether a function of this (folded) name is one of them.
pub(crate) fn is_marker(name: &str) -> bool {
    MARKERS.iter().any(|marker| marker.name() == name)
}

/// Whether a function of this (folded) name is a bound of a session.
pub(crate) fn is_session_bound(name: &str) -> bool {
    [false, true].iter().any(|end| marker_name(WindowKind::Session, *end) == name)
}

/// The name of the function for one bound.
pub(super) fn marker_name(kind: WindowKind, end: bool) -> String {
    format!("{}_{}", kind.name(), if end { "end" } else { "start" })
}

/// A bound of the window in GROUP BY.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Marker {
    pub(super) kind: WindowKind,
    /// The end, not the start.
    pub(super) end: bool,
    name: String,
    signature: Signature,
}

impl Marker {
    fn new(kind: WindowKind, end: bool) -> Self {
        let signature = Signature::variadic_any(Volatility::Immutable);
        Marker { kind, end, name: marker_name(kind, end), signature }
    }

    /// The marker that `function` is, if it is one.
    pub(super) fn of(function: &ScalarUDF) -> Option<&Marker> {
        function.inner().downcast_ref::<Marker>()
    }
}

impl ScalarUDFImpl for Marker {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let lengths = self.kind.lengths();
        // An offset, or the most sessions of a key.
        let most = 1 + lengths.len() + 1;
        if arguments.len() <= lengths.len() || arguments.len() > most {
            let function = self.kind.name().to_uppercase();
            let offset = if self.kind.has_offset() { " [, offset]" } else { "" };
            let message = format!("{function} has the arguments time, {}{offset}", lengths.join(", "));
            return Err(external(SqlError::nowhere(Code::Query, message)));
        }
        window_bound(self.kind.name(), &arguments[0])
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("{} is a bound of the window in GROUP BY", self.name)
    }
}
