//! Comparisons of a cast column with constants, without the cast.
//!
//! The analyzer brings both sides of `small_column = 5` to one type, the wider one, so each row would be cast. If the constant has a
//! counterpart in the column's own type, the column is compared with that.

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use deltic_circuit::Expr;

/// The operands of a comparison, the cast of one of them taken away if that changes nothing.
pub(super) fn narrowed(left: Expr, right: Expr) -> (Expr, Expr) {
    match (&left, &right) {
        (Expr::Cast { input, safe: false, .. }, Expr::Literal(value)) => match narrow(input, value) {
            Some(value) => (input.as_ref().clone(), Expr::Literal(value)),
            None => (left, right),
        },
        (Expr::Literal(value), Expr::Cast { input, safe: false, .. }) => match narrow(input, value) {
            Some(value) => (Expr::Literal(value), input.as_ref().clone()),
            None => (left, right),
        },
        _ => (left, right),
    }
}

/// The same for `IN`.
pub(super) fn narrowed_list(input: Expr, values: Vec<ScalarValue>) -> (Expr, Vec<ScalarValue>) {
    let Expr::Cast { input: inner, safe: false, .. } = &input else { return (input, values) };
    let null = ScalarValue::try_from(&inner.data_type()).ok();
    let narrow = values.iter().map(|value| if value.is_null() { null.clone() } else { narrow(inner, value) });
    match narrow.collect::<Option<Vec<_>>>() {
        Some(narrow) => (inner.as_ref().clone(), narrow),
        None => (input, values),
    }
}

/// `value` in the type of `input`, if every value of that type has a counterpart in the type of `value`, in the same order, and `value`
/// is one of those.
fn narrow(input: &Expr, value: &ScalarValue) -> Option<ScalarValue> {
    let (small, wide) = (input.data_type(), value.data_type());
    if value.is_null() || !embeds(&small, &wide) {
        return None;
    }
    let narrow = value.cast_to(&small).ok().filter(|narrow| !narrow.is_null())?;
    (narrow.cast_to(&wide).ok()? == *value).then_some(narrow)
}

/// Whether `small` is a part of `wide`.
fn embeds(small: &DataType, wide: &DataType) -> bool {
    use DataType::Decimal128;
    match (small, wide) {
        (small, wide) if small.is_signed_integer() && wide.is_signed_integer() => {
            small.primitive_width() < wide.primitive_width()
        }
        (small, Decimal128(precision, scale)) if small.is_integer() => {
            let digits = match small {
                DataType::Int8 | DataType::UInt8 => 3,
                DataType::Int16 | DataType::UInt16 => 5,
                DataType::Int32 | DataType::UInt32 => 10,
                DataType::Int64 => 19,
                _ => 20,
            };
            i16::from(*precision) - i16::from(*scale) >= digits && *scale >= 0
        }
        (Decimal128(p1, s1), Decimal128(p2, s2)) => {
            s2 >= s1 && i16::from(*p2) - i16::from(*s2) >= i16::from(*p1) - i16::from(*s1)
        }
        _ => false,
    }
}
