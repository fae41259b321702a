//! Fitting: a caller's record batch as rows of a table.
//!
//! Done in the caller's thread, before anything is queued: columns are found by name, defaults filled in, values brought to their
//! canonical types and cast where nothing can be lost, NOT NULL and lengths checked. An error names the table, the column and the row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{CastOptions, cast_with_options, take};
use arrow::datatypes::{DataType, Field};
use arrow::util::display::array_value_to_string;
use deltic_circuit::functions;
use deltic_sql::JsonKind;
use deltic_zset::maps::entry_types;
use deltic_zset::{ZBatch, types};

use crate::error::{Error, Result, code};
use crate::source::Source;

/// `batch` as rows of `source`, each with weight 1.
///
/// # Errors
/// `DT4003` if columns or types do not fit; as [`check`].
pub(crate) fn fit(source: &Source, batch: &RecordBatch) -> Result<ZBatch> {
    let schema = batch.schema();
    for (position, field) in schema.fields().iter().enumerate() {
        let target = target(source, field)?;
        if schema.fields()[..position].iter().any(|other| same_name(other.name(), target.name())) {
            return Err(Error::new(code::SHAPE, format!("the batch for '{}' has column '{}' twice", source.name, field.name())));
        }
    }
    let columns = source.schema.fields().iter().enumerate().map(|(position, field)| {
        match schema.fields().iter().position(|given| same_name(given.name(), field.name())) {
            Some(given) => json(source, position, convert(source, field, batch.column(given))?),
            None => default(source, position, batch.num_rows()),
        }
    });
    let rows = ZBatch::new(source.schema.clone(), columns.collect::<Result<_>>()?, None, batch.num_rows());
    check(source, &rows)?;
    Ok(rows)
}

/// Checks NOT NULL and the lengths of strings.
///
/// # Errors
/// `DT4004` for a NULL, `DT4003` for a string that is too long.
pub(crate) fn check(source: &Source, rows: &ZBatch) -> Result<()> {
    for (position, field) in source.schema.fields().iter().enumerate() {
        let column = rows.column(position);
        if !field.is_nullable()
            && column.null_count() > 0
            && let Some(row) = (0..column.len()).find(|&row| column.is_null(row))
        {
            let message = format!(
                "NULL in column '{}' of '{}', which is NOT NULL (row {} of the batch)",
                field.name(),
                source.name,
                row + 1
            );
            return Err(Error::new(code::NOT_NULL, message));
        }
        if let Some(length) = source.relation.max_lengths.get(position).copied().flatten() {
            check_length(source, field, column, length)?;
        }
    }
    Ok(())
}

fn check_length(source: &Source, field: &Field, column: &ArrayRef, length: usize) -> Result<()> {
    let Some(strings) = column.as_string_opt::<i32>() else { return Ok(()) };
    // A string has at least as many bytes as characters.
    let too_long = |text: &str| text.len() > length && text.chars().count() > length;
    match strings.iter().position(|text| text.is_some_and(too_long)) {
        None => Ok(()),
        Some(row) => Err(Error::new(
            code::SHAPE,
            format!(
                "value too long for column '{}' of '{}', VARCHAR({length}) (row {} of the batch)",
                field.name(),
                source.name,
                row + 1
            ),
        )),
    }
}

/// A column of JSON in the form in which it is kept.
fn json(source: &Source, position: usize, column: ArrayRef) -> Result<ArrayRef> {
    let Some(kind) = source.relation.json.get(position).copied().flatten() else { return Ok(column) };
    functions::json_column(&column, kind == JsonKind::Jsonb).map_err(|(row, message)| {
        let name = source.schema.field(position).name();
        Error::new(code::SHAPE, format!("column '{name}' of '{}': {message} (row {} of the batch)", source.name, row + 1))
    })
}

fn same_name(given: &str, column: &str) -> bool {
    given == column || given.eq_ignore_ascii_case(column)
}

fn target<'a>(source: &'a Source, given: &Field) -> Result<&'a Arc<Field>> {
    source.schema.fields().iter().find(|field| same_name(given.name(), field.name())).ok_or_else(|| {
        let columns: Vec<&str> = source.schema.fields().iter().map(|field| field.name().as_str()).collect();
        Error::new(code::SHAPE, format!("'{}' has no column '{}'", source.name, given.name()))
            .with_hint(format!("its columns are {}", columns.join(", ")))
    })
}

/// `column` as values of `field`.
fn convert(source: &Source, field: &Field, column: &ArrayRef) -> Result<ArrayRef> {
    let place = || format!("column '{}' of '{}'", field.name(), source.name);
    let canonical = types::canonicalize(column).map_err(|error| Error::from(error).context(place()))?;
    if same_type(canonical.data_type(), field.data_type()) {
        return Ok(if canonical.data_type() == field.data_type() { canonical } else { renamed(&canonical, field.data_type())? });
    }
    if !is_lossless(canonical.data_type(), field.data_type()) {
        let message = format!("{} is {}, not {}", place(), field.data_type(), column.data_type());
        return Err(Error::new(code::SHAPE, message).with_hint("cast the column before it is inserted"));
    }
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let cast = cast_with_options(&canonical, field.data_type(), &options).map_err(|error| Error::from(error).context(place()))?;
    if cast.null_count() > canonical.logical_null_count() {
        let row = (0..cast.len()).find(|&row| cast.is_null(row) && canonical.is_valid(row)).unwrap_or_default();
        let value = array_value_to_string(&canonical, row).unwrap_or_default();
        let message = format!("{value} does not fit {} ({}; row {} of the batch)", place(), field.data_type(), row + 1);
        return Err(Error::new(code::SHAPE, message));
    }
    Ok(cast)
}

/// Whether two types differ at most in the names and nullability of nested fields.
fn same_type(left: &DataType, right: &DataType) -> bool {
    left.equals_datatype(right)
}

fn renamed(column: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    Ok(cast_with_options(column, data_type, &CastOptions::default())?)
}

/// Whether every value that has a counterpart in `to` keeps its meaning; those that have none are refused one by one.
fn is_lossless(from: &DataType, to: &DataType) -> bool {
    use DataType::{Binary, Date32, Decimal128, Float32, Float64, List, Map, Null, Timestamp, Utf8};
    match (from, to) {
        (Null, _) | (Float32, Float64) | (Utf8, Binary) | (Date32, Timestamp(_, None)) => true,
        (from, to) if from.is_integer() && to.is_integer() => true,
        (from, Decimal128(..)) if from.is_integer() => true,
        (Decimal128(_, scale), Decimal128(_, wanted)) => wanted >= scale,
        (DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16, Float32) => true,
        (DataType::Int8 | DataType::Int16 | DataType::Int32, Float64) => true,
        (DataType::UInt8 | DataType::UInt16 | DataType::UInt32, Float64) => true,
        (List(from), List(to)) => same_type(from.data_type(), to.data_type()) || is_lossless(from.data_type(), to.data_type()),
        (Map(..), Map(..)) => match (entry_types(from), entry_types(to)) {
            (Some((key, value)), Some((wanted_key, wanted))) => {
                key == wanted_key && (same_type(value, wanted) || is_lossless(value, wanted))
            }
            _ => false,
        },
        _ => false,
    }
}

/// The default of column `position`, `rows` times.
fn default(source: &Source, position: usize, rows: usize) -> Result<ArrayRef> {
    let field = source.schema.field(position);
    let Some(default) = source.relation.defaults.get(position).and_then(Option::as_ref) else {
        return Ok(new_null_array(field.data_type(), rows));
    };
    let evaluated = default.evaluate(&[], 1);
    if let Some(error) = evaluated.errors.get(0) {
        let message = format!("the default of column '{}' of '{}': {}", field.name(), source.name, error.message);
        return Err(Error::new(error.code, message));
    }
    Ok(take(&evaluated.values, &UInt32Array::from(vec![0; rows]), None)?)
}
