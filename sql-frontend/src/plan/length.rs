//! The length of `VARCHAR(n)`: a function that returns its text, or fails if that is too long.
//!
//! As in PostgreSQL, blanks beyond the length are cut off without complaint.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion_common::{Result, ScalarValue, exec_err, internal_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use deltic_circuit::Expr;

static CHECK_LENGTH: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| Arc::new(ScalarUDF::from(CheckLength::new())));

/// `text`, checked to have at most `length` characters.
pub(super) fn check_length(text: Expr, length: usize) -> Expr {
    let length = ScalarValue::Int64(Some(i64::try_from(length).unwrap_or(i64::MAX)));
    let field = Arc::new(Field::new("varchar", DataType::Utf8, true));
    Expr::function(CHECK_LENGTH.clone(), vec![text, Expr::literal(length)], field)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CheckLength {
    signature: Signature,
}

impl CheckLength {
    fn new() -> Self {
        CheckLength { signature: Signature::exact(vec![DataType::Utf8, DataType::Int64], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for CheckLength {
    fn name(&self) -> &str {
        "varchar"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [texts, lengths] = arrays.as_slice() else { return internal_err!("varchar has two arguments") };
        let lengths = lengths.as_primitive::<Int64Type>();
        let checked = texts.as_string::<i32>().iter().zip(lengths.iter()).map(|(text, length)| match (text, length) {
            (Some(text), Some(length)) => fit(text, length as usize).map(Some),
            _ => Ok(None),
        });
        let checked: StringArray = checked.collect::<Result<_>>()?;
        Ok(ColumnarValue::Array(Arc::new(checked) as ArrayRef))
    }
}

fn fit(text: &str, length: usize) -> Result<&str> {
    let Some((end, _)) = text.char_indices().nth(length) else { return Ok(text) };
    if text[end..].chars().all(|character| character == ' ') {
        return Ok(&text[..end]);
    }
    exec_err!("value too long for type VARCHAR({length})")
}
