//! Rows that were not accepted: as rows of `<source>$late`, as counters, as notices.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::time::{DAY_MICROS, bound_column, bound_type};
use deltic_zset::ZBatch;

use super::acceptance::{Refused, Verdict};
use crate::error::Result;

/// What a source with event time did not accept since it was created. Copies count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LateCounters {
    /// Rows that came too late.
    pub late: u64,
    /// Rows without an event time.
    pub null_time: u64,
    /// Rows from too far in the future.
    pub future: u64,
    /// How many of all of these are nowhere, because the policy is to `drop` or to `warn`.
    pub lost: u64,
}

impl LateCounters {
    /// The number of refused rows.
    pub fn total(&self) -> u64 {
        self.late + self.null_time + self.future
    }

    pub(crate) fn add(&mut self, more: &LateCounters) {
        self.late += more.late;
        self.null_time += more.null_time;
        self.future += more.future;
        self.lost += more.lost;
    }

    pub(super) fn count(refused: &[Refused]) -> Self {
        let mut counters = LateCounters::default();
        for part in refused {
            for (row, verdict) in part.verdicts.iter().enumerate() {
                let copies = part.rows.weight(row).unsigned_abs();
                match verdict {
                    Verdict::Accepted => {}
                    Verdict::Late => counters.late += copies,
                    Verdict::NullTime => counters.null_time += copies,
                    Verdict::Future => counters.future += copies,
                }
            }
        }
        counters
    }
}

/// Rows of a commit that a source with `late_policy = 'warn'` did not accept: they are lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateNotice {
    /// The table or stream.
    pub relation: String,
    /// How many rows, by reason.
    pub rows: LateCounters,
}

impl LateNotice {
    /// Adds `more` to `notices`: one for each relation.
    pub(crate) fn collect(notices: &mut Vec<LateNotice>, more: Vec<LateNotice>) {
        for notice in more {
            match notices.iter_mut().find(|known| known.relation == notice.relation) {
                Some(known) => known.rows.add(&notice.rows),
                None => notices.push(notice),
            }
        }
    }
}

impl fmt::Display for LateNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.rows.total();
        let (was, plural) = if total == 1 { ("was", "") } else { ("were", "s") };
        write!(f, "{total} row{plural} for '{}' {was} not accepted and {was} dropped: ", self.relation)?;
        let reasons = [(self.rows.late, "late"), (self.rows.null_time, "without a time"), (self.rows.future, "from the future")];
        let reasons: Vec<String> =
            reasons.iter().filter(|(count, _)| *count > 0).map(|(count, reason)| format!("{count} {reason}")).collect();
        f.write_str(&reasons.join(", "))
    }
}

/// `refused` as rows of the relation of late rows with columns `schema`: those of the source and four more.
///
/// # Errors
/// Arrow's, if a string column passes 2 GiB.
pub(super) fn late_rows(schema: &SchemaRef, refused: &[Refused], watermark: Option<i64>, epoch: u64) -> Result<Vec<ZBatch>> {
    refused.iter().map(|part| late_part(schema, part, watermark, epoch)).collect()
}

fn late_part(schema: &SchemaRef, refused: &Refused, watermark: Option<i64>, epoch: u64) -> Result<ZBatch> {
    let Refused { rows, verdicts } = refused;
    let count = rows.len();
    let reason = |verdict: &Verdict| match verdict {
        Verdict::Accepted | Verdict::Late => "late",
        Verdict::NullTime => "null_time",
        Verdict::Future => "future",
    };
    let operation = |row: usize| if rows.weight(row) > 0 { "insert" } else { "delete" };
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(StringArray::from_iter_values(verdicts.iter().map(reason))));
    columns.push(Arc::new(StringArray::from_iter_values((0..count).map(operation))));
    columns.push(watermark_column(watermark, schema.field(columns.len()).data_type(), count)?);
    columns.push(Arc::new(Int64Array::from(vec![i64::try_from(epoch).unwrap_or(i64::MAX); count])));
    let weights = rows.weights().map(|weights| weights.iter().map(|weight| weight.saturating_abs()).collect());
    Ok(ZBatch::try_new(schema.clone(), columns, weights, count)?)
}

/// `watermark` as a column of the type of the event times. What such a column cannot say (a watermark below all TINYINTs) is NULL.
fn watermark_column(watermark: Option<i64>, data_type: &DataType, rows: usize) -> Result<ArrayRef> {
    let watermark = match data_type {
        DataType::Date32 => {
            let days = watermark.and_then(|watermark| i32::try_from(watermark.div_euclid(DAY_MICROS)).ok());
            return Ok(Arc::new(arrow::array::Date32Array::from(vec![days; rows])));
        }
        _ => Int64Array::from(vec![watermark; rows]),
    };
    let column = bound_column(watermark, &bound_type(data_type));
    Ok(cast_with_options(&column, data_type, &CastOptions { safe: true, ..CastOptions::default() })?)
}
