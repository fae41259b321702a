//! Values that fit one 8-byte word: what hashing, equality and row layouts have in common about the fixed-width types.

/// A native value that travels in one word. Equal canonical values have equal words, and the value comes back from it.
pub(crate) trait Word: Copy + PartialEq {
    /// The word of a value.
    fn to_word(self) -> u64;
    /// The value of a word.
    fn from_word(word: u64) -> Self;
}

macro_rules! integer_word {
    ($($native:ty),*) => { $(
        impl Word for $native {
            #[inline(always)]
            fn to_word(self) -> u64 {
                self as i64 as u64
            }
            #[inline(always)]
            fn from_word(word: u64) -> Self {
                word as $native
            }
        }
    )* };
}
integer_word!(i8, i16, i32, i64, u8, u16, u32, u64);

impl Word for f32 {
    #[inline(always)]
    fn to_word(self) -> u64 {
        u64::from(self.to_bits())
    }
    #[inline(always)]
    fn from_word(word: u64) -> Self {
        f32::from_bits(word as u32)
    }
}

impl Word for f64 {
    #[inline(always)]
    fn to_word(self) -> u64 {
        self.to_bits()
    }
    #[inline(always)]
    fn from_word(word: u64) -> Self {
        f64::from_bits(word)
    }
}

/// Evaluates the first block with the type name bound to the Arrow type of a canonical one-word `DataType` (booleans, which
/// are bits and not words in Arrow, excepted), or the second block for all other types.
macro_rules! match_word_type {
    ($data_type:expr, $name:ident => $word:block, _ => $other:block) => {{
        use arrow::datatypes as arrow_types;
        macro_rules! as_type {
            ($arrow:ty) => {{
                type $name = $arrow;
                $word
            }};
        }
        match $data_type {
            arrow_types::DataType::Int8 => as_type!(arrow_types::Int8Type),
            arrow_types::DataType::Int16 => as_type!(arrow_types::Int16Type),
            arrow_types::DataType::Int32 => as_type!(arrow_types::Int32Type),
            arrow_types::DataType::Int64 => as_type!(arrow_types::Int64Type),
            arrow_types::DataType::UInt8 => as_type!(arrow_types::UInt8Type),
            arrow_types::DataType::UInt16 => as_type!(arrow_types::UInt16Type),
            arrow_types::DataType::UInt32 => as_type!(arrow_types::UInt32Type),
            arrow_types::DataType::UInt64 => as_type!(arrow_types::UInt64Type),
            arrow_types::DataType::Float32 => as_type!(arrow_types::Float32Type),
            arrow_types::DataType::Float64 => as_type!(arrow_types::Float64Type),
            arrow_types::DataType::Date32 => as_type!(arrow_types::Date32Type),
            arrow_types::DataType::Time64(arrow_types::TimeUnit::Microsecond) => as_type!(arrow_types::Time64MicrosecondType),
            arrow_types::DataType::Timestamp(arrow_types::TimeUnit::Microsecond, _) => {
                as_type!(arrow_types::TimestampMicrosecondType)
            }
            arrow_types::DataType::Duration(arrow_types::TimeUnit::Microsecond) => as_type!(arrow_types::DurationMicrosecondType),
            _ => $other,
        }
    }};
}
pub(crate) use match_word_type;
