//! Values of up to eight bytes as unsigned integers in the same order.
//!
//! Signed integers have their sign bit flipped. Floats are canonical, so flipping the sign bit of positive ones and all
//! bits of negative ones orders them, with NaN after infinity as in PostgreSQL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, DurationMicrosecondType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

/// A native value that fits a word.
trait Word: Copy {
    fn encode(self) -> u64;
    fn decode(word: u64) -> Self;
}

macro_rules! signed {
    ($($native:ty),*) => {$(
        impl Word for $native {
            #[inline]
            fn encode(self) -> u64 {
                i64::from(self) as u64 ^ 1 << 63
            }
            #[inline]
            fn decode(word: u64) -> Self {
                (word ^ 1 << 63) as $native
            }
        }
    )*};
}

macro_rules! unsigned {
    ($($native:ty),*) => {$(
        impl Word for $native {
            #[inline]
            fn encode(self) -> u64 {
                u64::from(self)
            }
            #[inline]
            fn decode(word: u64) -> Self {
                word as $native
            }
        }
    )*};
}

signed!(i8, i16, i32, i64);
unsigned!(u8, u16, u32, u64);

impl Word for f64 {
    #[inline]
    fn encode(self) -> u64 {
        let bits = self.to_bits();
        if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
    }
    #[inline]
    fn decode(word: u64) -> Self {
        f64::from_bits(if word >> 63 == 1 { word & !(1 << 63) } else { !word })
    }
}

impl Word for f32 {
    #[inline]
    fn encode(self) -> u64 {
        let bits = self.to_bits();
        u64::from(if bits >> 31 == 0 { bits | 1 << 31 } else { !bits })
    }
    #[inline]
    fn decode(word: u64) -> Self {
        let bits = word as u32;
        f32::from_bits(if bits >> 31 == 1 { bits & !(1 << 31) } else { !bits })
    }
}

/// Calls `$function` for the Arrow type whose values are those of `$data_type`, if they fit a word.
macro_rules! with_word_type {
    ($data_type:expr, $function:ident ( $($argument:expr),* ), $otherwise:expr) => {
        match $data_type {
            DataType::Int8 => $function::<Int8Type>($($argument),*),
            DataType::Int16 => $function::<Int16Type>($($argument),*),
            DataType::Int32 => $function::<Int32Type>($($argument),*),
            DataType::Int64 => $function::<Int64Type>($($argument),*),
            DataType::UInt8 => $function::<UInt8Type>($($argument),*),
            DataType::UInt16 => $function::<UInt16Type>($($argument),*),
            DataType::UInt32 => $function::<UInt32Type>($($argument),*),
            DataType::UInt64 => $function::<UInt64Type>($($argument),*),
            DataType::Float32 => $function::<Float32Type>($($argument),*),
            DataType::Float64 => $function::<Float64Type>($($argument),*),
            DataType::Date32 => $function::<Date32Type>($($argument),*),
            DataType::Time64(TimeUnit::Microsecond) => $function::<Time64MicrosecondType>($($argument),*),
            DataType::Timestamp(TimeUnit::Microsecond, _) => $function::<TimestampMicrosecondType>($($argument),*),
            DataType::Duration(TimeUnit::Microsecond) => $function::<DurationMicrosecondType>($($argument),*),
            _ => $otherwise,
        }
    };
}

/// Whether values of the type fit a word.
pub(crate) fn fits_word(data_type: &DataType) -> bool {
    data_type == &DataType::Boolean || data_type.primitive_width().is_some_and(|width| width <= 8)
}

/// The values of `array`, whose type must [fit a word](fits_word); what stands for a NULL is any word.
pub(crate) fn encode(array: &ArrayRef) -> Vec<u64> {
    fn values<T: ArrowPrimitiveType>(array: &ArrayRef) -> Vec<u64>
    where
        T::Native: Word,
    {
        array.as_primitive::<T>().values().iter().map(|value| value.encode()).collect()
    }
    with_word_type!(array.data_type(), values(array), array.as_boolean().values().iter().map(u64::from).collect())
}

/// The array that `words` were encoded from; a word that is not `valid` is NULL, and stands over a zero: functions of others compute on what is
/// below a NULL too, and must not overflow there.
pub(crate) fn decode(words: &[u64], valid: Option<NullBuffer>, data_type: &DataType) -> ArrayRef {
    fn array<T: ArrowPrimitiveType>(words: &[u64], valid: Option<NullBuffer>, data_type: &DataType) -> ArrayRef
    where
        T::Native: Word,
    {
        let mut values: Vec<T::Native> = words.iter().map(|&word| T::Native::decode(word)).collect();
        if let Some(valid) = &valid {
            values.iter_mut().zip(valid).filter(|(_, valid)| !valid).for_each(|(value, _)| *value = T::Native::default());
        }
        Arc::new(PrimitiveArray::<T>::new(values.into(), valid).with_data_type(data_type.clone()))
    }
    let booleans = || Arc::new(BooleanArray::new(words.iter().map(|&word| word != 0).collect(), valid.clone()));
    with_word_type!(data_type, array(words, valid.clone(), data_type), booleans())
}

#[cfg(test)]
mod tests {
    use arrow::array::Float64Array;

    use super::*;

    #[test]
    fn the_order_of_words_is_the_order_of_values() {
        let floats = [f64::NEG_INFINITY, -1.5, -f64::MIN_POSITIVE, 0.0, 5e-324, 2.0, f64::INFINITY, f64::NAN];
        assert!(floats.map(Word::encode).is_sorted());
        assert!([f32::NEG_INFINITY, -1.5, 0.0, 2.0, f32::NAN].map(Word::encode).is_sorted());
        assert!([i64::MIN, -1, 0, 1, i64::MAX].map(Word::encode).is_sorted());
        assert!([i8::MIN, -1, 0, 1, i8::MAX].map(Word::encode).is_sorted());

        let array: ArrayRef = Arc::new(Float64Array::from(floats.to_vec()));
        let decoded = decode(&encode(&array), None, &DataType::Float64);
        let bits =
            |array: &ArrayRef| array.as_primitive::<Float64Type>().values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&decoded), bits(&array));
    }
}
