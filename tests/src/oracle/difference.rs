//! Multisets of rows compared as a reader would: what is missing, what is too much.
//!
//! Equal values may come in different types on the two sides (a count as `UInt64` or `Int64`, decimals of different scale) and
//! floats in different roundings: the oracle adds them up naively, Deltic exactly. So cells compare by value, floats within a
//! relative 1e-9. First all rows that are equal to the letter cancel; only what is left is matched with tolerance.

use std::collections::BTreeMap;
use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, IntervalMonthDayNanoType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use deltic_zset::ZBatch;
use deltic_zset::types::interval_nanos;

/// Floats agree if they differ by no more than this share of the greater one.
const TOLERANCE: f64 = 1e-9;
/// The same for `REAL`, which has 24 bits.
const TOLERANCE_REAL: f64 = 1e-6;
/// From this scale on decimals agree if they differ by one unit of the coarser one: a mean has four digits more than what it
/// is the mean of, and the last is cut off by DataFusion but rounded by Deltic.
const MEAN_SCALE: i8 = 6;
/// Rows of each kind that are printed.
const PRINTED: usize = 20;

/// `None` if both are the same multiset of rows, column by position; else what is missing and what is too much, as text.
///
/// Names and order do not count, nor do types of the same family; see the module for tolerances.
pub fn difference(wanted: &ZBatch, got: &ZBatch) -> Option<String> {
    let types = |batch: &ZBatch| batch.schema().fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
    let (wanted_types, got_types) = (types(wanted), types(got));
    if wanted_types.len() != got_types.len() {
        return Some(format!("{} columns instead of {}", got_types.len(), wanted_types.len()));
    }
    for (column, (wanted, got)) in wanted_types.iter().zip(&got_types).enumerate() {
        if family(wanted) != family(got) {
            return Some(format!("column {column} is of type {got} instead of {wanted}"));
        }
    }
    let (mut wanted, got) = match (rows_of(wanted), rows_of(got)) {
        (Ok(wanted), Ok(got)) => (wanted, got),
        (Err(error), _) | (_, Err(error)) => return Some(format!("a result cannot be read: {error}")),
    };
    for (text, row) in got {
        wanted.entry(text).or_insert(Row { cells: row.cells, weight: 0 }).weight -= row.weight;
    }
    wanted.retain(|_, row| row.weight != 0);
    let (mut missing, mut extra): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(_, row)| row.weight > 0);
    match_similar(&mut missing, &mut extra);
    report(&missing, &extra)
}

/// Types whose values compare with one another.
#[derive(PartialEq)]
enum Family<'a> {
    Number,
    Float,
    Same(&'a DataType),
}

fn family(data_type: &DataType) -> Family<'_> {
    match data_type {
        DataType::Float32 | DataType::Float64 => Family::Float,
        data_type if data_type.is_integer() || matches!(data_type, DataType::Decimal128(..)) => Family::Number,
        data_type => Family::Same(data_type),
    }
}

struct Row {
    cells: Vec<Cell>,
    /// Wanted minus got.
    weight: i64,
}

/// A value with what its comparison needs.
#[derive(Clone, Debug)]
enum Cell {
    /// Equal iff spelled the same.
    Text(String),
    Float {
        value: f64,
        tolerance: f64,
    },
    /// Of at least [`MEAN_SCALE`].
    Fine {
        unscaled: i128,
        scale: i8,
    },
}

impl Cell {
    fn is_exact(&self) -> bool {
        matches!(self, Cell::Text(_))
    }

    fn text(&self) -> String {
        match self {
            Cell::Text(text) => text.clone(),
            Cell::Float { value, .. } => format!("{value:?}"),
            Cell::Fine { unscaled, scale } => decimal_text(*unscaled, *scale),
        }
    }

    fn is_close(&self, other: &Cell) -> bool {
        match (self, other) {
            (Cell::Float { value: a, tolerance }, Cell::Float { value: b, tolerance: other }) => {
                let tolerance = tolerance.max(*other) * a.abs().max(b.abs());
                a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance
            }
            (Cell::Fine { unscaled: a, scale: i }, Cell::Fine { unscaled: b, scale: j }) => {
                let unit = 10i128.pow(i.abs_diff(*j).into());
                let (a, b) = if i < j { (a.checked_mul(unit), Some(*b)) } else { (Some(*a), b.checked_mul(unit)) };
                a.zip(b).is_some_and(|(a, b)| a.abs_diff(b) <= unit.unsigned_abs())
            }
            (a, b) => a.text() == b.text(),
        }
    }
}

/// The rows by their spelling, which is the same exactly for rows of equal values.
fn rows_of(batch: &ZBatch) -> Result<BTreeMap<Vec<String>, Row>, ArrowError> {
    let columns = batch.columns().iter().map(cells_of).collect::<Result<Vec<_>, _>>()?;
    let mut rows = BTreeMap::new();
    for row in 0..batch.len() {
        let cells: Vec<Cell> = columns.iter().map(|column| column[row].clone()).collect();
        let text = cells.iter().map(Cell::text).collect();
        rows.entry(text).or_insert(Row { cells, weight: 0 }).weight += batch.weight(row);
    }
    Ok(rows)
}

fn cells_of(column: &ArrayRef) -> Result<Vec<Cell>, ArrowError> {
    let options = FormatOptions::default().with_null("NULL");
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    let cell = |row: usize| match column.data_type() {
        _ if column.is_null(row) => Cell::Text("NULL".into()),
        DataType::Float64 => Cell::Float { value: column.as_primitive::<Float64Type>().value(row), tolerance: TOLERANCE },
        DataType::Float32 => {
            Cell::Float { value: column.as_primitive::<Float32Type>().value(row).into(), tolerance: TOLERANCE_REAL }
        }
        DataType::Decimal128(_, scale) => {
            let unscaled = column.as_primitive::<Decimal128Type>().value(row);
            if *scale >= MEAN_SCALE { Cell::Fine { unscaled, scale: *scale } } else { Cell::Text(decimal_text(unscaled, *scale)) }
        }
        DataType::Interval(_) => {
            // Intervals are equal if they last equally long, however they are spelled.
            let interval = column.as_primitive::<IntervalMonthDayNanoType>().value(row);
            Cell::Text(format!("{} ns", interval_nanos(interval.months, interval.days, interval.nanoseconds)))
        }
        DataType::Utf8 => Cell::Text(format!("{:?}", column.as_string::<i32>().value(row))),
        _ => Cell::Text(formatter.value(row).to_string()),
    };
    Ok((0..column.len()).map(cell).collect())
}

/// The shortest spelling: `1.50` is `1.5` and `2.00` is `2`.
fn decimal_text(unscaled: i128, scale: i8) -> String {
    let mut unscaled = unscaled;
    let mut scale = scale;
    while scale > 0 && unscaled % 10 == 0 {
        unscaled /= 10;
        scale -= 1;
    }
    if scale <= 0 {
        return format!("{unscaled}{}", "0".repeat(if unscaled == 0 { 0 } else { scale.unsigned_abs().into() }));
    }
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    format!("{}{whole}.{fraction}", if unscaled < 0 { "-" } else { "" })
}

/// Cancels rows that agree where they must agree exactly and are close where they may be.
fn match_similar(missing: &mut Vec<(Vec<String>, Row)>, extra: &mut Vec<(Vec<String>, Row)>) {
    // Candidates are rows with the same exact cells, so that a big difference does not take quadratic time.
    let exact =
        |row: &Row| -> Vec<Option<String>> { row.cells.iter().map(|cell| cell.is_exact().then(|| cell.text())).collect() };
    let mut candidates: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, (_, row)) in extra.iter().enumerate() {
        candidates.entry(exact(row)).or_default().push(index);
    }
    for (_, row) in missing.iter_mut() {
        for &index in candidates.get(&exact(row)).into_iter().flatten() {
            let other = &mut extra[index].1;
            if other.weight < 0 && row.cells.iter().zip(&other.cells).all(|(a, b)| a.is_close(b)) {
                let copies = row.weight.min(-other.weight);
                row.weight -= copies;
                other.weight += copies;
            }
            if row.weight == 0 {
                break;
            }
        }
    }
    missing.retain(|(_, row)| row.weight != 0);
    extra.retain(|(_, row)| row.weight != 0);
}

fn report(missing: &[(Vec<String>, Row)], extra: &[(Vec<String>, Row)]) -> Option<String> {
    if missing.is_empty() && extra.is_empty() {
        return None;
    }
    let mut text = String::new();
    for (title, rows) in [("missing", missing), ("too much", extra)] {
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(text, "{title}: {} different rows", rows.len());
        for (cells, row) in rows.iter().take(PRINTED) {
            let _ = writeln!(text, "  {} x ({})", row.weight.unsigned_abs(), cells.join(", "));
        }
        if rows.len() > PRINTED {
            let _ = writeln!(text, "  ..");
        }
    }
    Some(text)
}
