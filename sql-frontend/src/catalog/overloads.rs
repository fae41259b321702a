//! Which of the functions of one name a call means.
//!
//! The rules are PostgreSQL's (its manual's chapter on type conversion, "Functions"): a function of exactly the types that are given; else, of those
//! whose types the given ones can be cast to implicitly, the one that needs the fewest casts, then the one that casts to preferred types. A literal in quotes
//! and NULL have no type of their own: they are what the function wants, a text if one wants that.

use std::sync::Arc;

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use deltic_circuit::sql_type;
use deltic_zset::types::canonical_type;

use super::function::SqlFunction;

/// The type of an argument; `None` if it has none yet.
pub(crate) type Given = Option<DataType>;

/// Why no function can be chosen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Undecided {
    /// None takes these types.
    None,
    /// More than one does.
    Several,
}

/// The key of the function `name` with parameters of these types: `f(BIGINT, VARCHAR)`.
pub(crate) fn signature(name: &str, types: &[DataType]) -> String {
    format!("{name}({})", types.iter().map(spelled).collect::<Vec<_>>().join(", "))
}

/// The type as it tells functions apart: digits and lengths do not.
fn spelled(data_type: &DataType) -> String {
    match data_type {
        DataType::Decimal128(..) => "DECIMAL".to_owned(),
        other => sql_type(other),
    }
}

/// The one of `candidates` that a call with arguments of these types means.
///
/// # Errors
/// If it is none or not one.
pub(crate) fn choose<'f>(candidates: &[&'f Arc<SqlFunction>], given: &[Given]) -> Result<&'f Arc<SqlFunction>, Undecided> {
    let given: Vec<Given> = given.iter().map(|given| given.as_ref().map(identity)).collect();
    let mut left: Vec<Candidate<'f>> =
        candidates.iter().filter(|function| function.takes(given.len())).map(|function| Candidate::new(function)).collect();
    left.retain(|candidate| candidate.pairs(&given).all(|(given, wanted)| castable(given, wanted)));
    if left.is_empty() {
        return Err(Undecided::None);
    }
    keep_best(&mut left, |candidate| candidate.pairs(&given).filter(|(given, wanted)| given.as_ref() == Some(wanted)).count());
    keep_best(&mut left, |candidate| {
        let casts = candidate.pairs(&given).filter(|(given, wanted)| given.as_ref().is_some_and(|given| given != *wanted));
        casts.filter(|(given, wanted)| is_preferred(wanted) && given.as_ref().map(category) == Some(category(wanted))).count()
    });
    if left.len() > 1 {
        untyped(&mut left, &given)?;
    }
    match left.as_slice() {
        [only] => Ok(only.function),
        _ => Err(Undecided::Several),
    }
}

/// Decides by the arguments without a type.
fn untyped(left: &mut Vec<Candidate<'_>>, given: &[Given]) -> Result<(), Undecided> {
    for place in given.iter().enumerate().filter(|(_, given)| given.is_none()).map(|(place, _)| place) {
        let categories: Vec<Category> = left.iter().map(|candidate| category(&candidate.wanted[place])).collect();
        let chosen = match categories.as_slice() {
            all if all.contains(&Category::Text) => Category::Text,
            [first, rest @ ..] if rest.iter().all(|other| other == first) => *first,
            _ => return same_as_others(left, given),
        };
        left.retain(|candidate| category(&candidate.wanted[place]) == chosen);
        if left.iter().any(|candidate| is_preferred(&candidate.wanted[place])) {
            left.retain(|candidate| is_preferred(&candidate.wanted[place]));
        }
    }
    if left.len() > 1 { same_as_others(left, given) } else { Ok(()) }
}

/// Takes the arguments without a type for what the others are, if those are of one type.
fn same_as_others(left: &mut Vec<Candidate<'_>>, given: &[Given]) -> Result<(), Undecided> {
    let mut known = given.iter().flatten();
    let Some(first) = known.next().filter(|first| given.iter().flatten().all(|other| other == *first)) else {
        return Err(Undecided::Several);
    };
    left.retain(|candidate| candidate.wanted[..given.len()].iter().all(|wanted| castable(&Some(first.clone()), wanted)));
    if left.len() == 1 { Ok(()) } else { Err(Undecided::Several) }
}

/// A function and the identities of its parameters' types.
struct Candidate<'f> {
    function: &'f Arc<SqlFunction>,
    wanted: Vec<DataType>,
}

impl<'f> Candidate<'f> {
    fn new(function: &'f Arc<SqlFunction>) -> Self {
        Candidate { function, wanted: function.types.iter().map(identity).collect() }
    }

    /// What is given and what is wanted, by argument.
    fn pairs<'a>(&'a self, given: &'a [Given]) -> impl Iterator<Item = (&'a Given, &'a DataType)> {
        given.iter().zip(&self.wanted)
    }
}

fn keep_best(left: &mut Vec<Candidate<'_>>, score: impl Fn(&Candidate<'_>) -> usize) {
    let best = left.iter().map(&score).max();
    left.retain(|candidate| Some(score(candidate)) == best);
}

/// What types are as far as functions are told apart.
fn identity(data_type: &DataType) -> DataType {
    match canonical_type(data_type).unwrap_or_else(|| data_type.clone()) {
        DataType::Decimal128(..) => DataType::Decimal128(38, 0),
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Duration(_) => DataType::Interval(IntervalUnit::MonthDayNano),
        other => other,
    }
}

/// The numeric types, each of which casts to those behind it.
fn width(data_type: &DataType) -> Option<usize> {
    use DataType::{Decimal128, Float32, Float64, Int8, Int16, Int32, Int64};
    let order = [Int8, Int16, Int32, Int64, Decimal128(38, 0), Float32, Float64];
    order.iter().position(|other| other == data_type)
}

/// Whether there is an implicit cast.
fn castable(given: &Given, wanted: &DataType) -> bool {
    let Some(given) = given else { return true };
    let numbers = matches!((width(given), width(wanted)), (Some(given), Some(wanted)) if given < wanted);
    let times = matches!(
        (given, wanted),
        (DataType::Date32, DataType::Timestamp(..))
            | (DataType::Timestamp(_, None), DataType::Timestamp(_, Some(_)))
            | (DataType::Time64(_), DataType::Interval(_))
    );
    given == wanted || numbers || times
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Category {
    Boolean,
    Number,
    Text,
    Time,
    Span,
    Other,
}

fn category(data_type: &DataType) -> Category {
    match data_type {
        DataType::Boolean => Category::Boolean,
        DataType::Utf8 => Category::Text,
        DataType::Date32 | DataType::Time64(_) | DataType::Timestamp(..) => Category::Time,
        DataType::Interval(_) => Category::Span,
        other if width(other).is_some() => Category::Number,
        _ => Category::Other,
    }
}

/// The type of its category that others are cast to rather than to each other.
fn is_preferred(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Boolean
            | DataType::Float64
            | DataType::Utf8
            | DataType::Timestamp(TimeUnit::Microsecond, Some(_))
            | DataType::Interval(_)
    )
}
