//! Rows as text: a table for people, CSV and JSON lines for programs.

use std::io::Write;

use arrow::array::{Int64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::{DurationFormat, FormatOptions};
use arrow::util::pretty::pretty_format_batches_with_options;
use deltic::{Rows, Subscription, text_keys, text_values};

/// How rows are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A table with borders
    #[default]
    Table,
    /// CSV with a header
    Csv,
    /// One JSON object a line
    Json,
}

/// PostgreSQL's spelling of times; NULL is `NULL`.
pub(crate) fn display_options() -> FormatOptions<'static> {
    FormatOptions::new()
        .with_null("NULL")
        .with_display_error(true)
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"))
        .with_timestamp_tz_format(Some("%Y-%m-%d %H:%M:%S%.f+00"))
        .with_duration_format(DurationFormat::Pretty)
}

/// Prints results, and the changes that subscriptions see.
pub(crate) struct Printer {
    format: Format,
    /// Whether statements that answer nothing are confirmed.
    confirm: bool,
    subscriptions: Vec<Subscription>,
}

impl Printer {
    /// Prints rows only: what a program reads.
    pub(crate) fn new(format: Format) -> Self {
        Printer { format, confirm: false, subscriptions: Vec::new() }
    }

    /// Also confirms each statement: what a person at a prompt reads.
    pub(crate) fn confirming(format: Format) -> Self {
        Printer { format, confirm: true, subscriptions: Vec::new() }
    }

    /// From now on prints what `subscription` sees, after each statement.
    pub(crate) fn follow(&mut self, subscription: Subscription) {
        self.subscriptions.push(subscription);
    }

    /// Prints an answer.
    pub(crate) fn rows(&self, rows: &Rows, out: &mut dyn Write) -> Result<(), Box<dyn std::error::Error>> {
        match (self.format, rows.batches.is_empty()) {
            (Format::Table | Format::Csv, true) => {
                print_rows(&[RecordBatch::new_empty(rows.schema.clone())], self.format, out)?;
            }
            _ => print_rows(&rows.batches, self.format, out)?,
        }
        if self.confirm && self.format == Format::Table {
            writeln!(out, "{} row{}", rows.len(), if rows.len() == 1 { "" } else { "s" })?;
        }
        Ok(())
    }

    /// Confirms a statement that answers nothing.
    pub(crate) fn done(&self, text: &str, out: &mut dyn Write) -> Result<(), Box<dyn std::error::Error>> {
        if self.confirm {
            writeln!(out, "{text}")?;
        }
        Ok(())
    }

    /// Prints the changes that have come in, each row with its epoch and weight.
    pub(crate) fn changes(&mut self, out: &mut dyn Write) -> Result<(), Box<dyn std::error::Error>> {
        for subscription in &mut self.subscriptions {
            while let Some(change) = subscription.try_next() {
                let change = change?;
                for delta in &change.deltas {
                    if self.format == Format::Table {
                        writeln!(out, "changes of {} at epoch {}:", delta.view, change.epoch)?;
                    }
                    print_rows(&[with_epoch_and_weight(&delta.rows, change.epoch, &delta.weights)?], self.format, out)?;
                }
            }
        }
        self.subscriptions.retain(|subscription| !subscription.is_finished());
        Ok(())
    }
}

fn with_epoch_and_weight(rows: &RecordBatch, epoch: u64, weights: &Int64Array) -> Result<RecordBatch, arrow::error::ArrowError> {
    let mut fields =
        vec![Field::new("epoch", DataType::UInt64, false).into(), Field::new("weight", DataType::Int64, false).into()];
    fields.extend(rows.schema().fields().iter().cloned());
    let mut columns: Vec<arrow::array::ArrayRef> =
        vec![std::sync::Arc::new(UInt64Array::from(vec![epoch; rows.num_rows()])), std::sync::Arc::new(weights.clone())];
    columns.extend(rows.columns().iter().cloned());
    RecordBatch::try_new(std::sync::Arc::new(Schema::new(fields)), columns)
}

/// Prints batches of one schema.
pub(crate) fn print_rows(batches: &[RecordBatch], format: Format, out: &mut dyn Write) -> Result<(), Box<dyn std::error::Error>> {
    match format {
        Format::Table => writeln!(out, "{}", pretty_format_batches_with_options(batches, &display_options())?)?,
        Format::Csv => {
            let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(out);
            for batch in batches {
                writer.write(&text_values(batch)?)?;
            }
        }
        Format::Json => {
            let mut writer =
                arrow::json::WriterBuilder::new().with_explicit_nulls(true).build::<_, arrow::json::writer::LineDelimited>(out);
            for batch in batches {
                writer.write(&text_keys(batch)?)?;
            }
            writer.finish()?;
        }
    }
    Ok(())
}
