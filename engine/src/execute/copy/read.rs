//! Files as batches that fit a source.
//!
//! CSV is read as text and cast by the same rules as `CAST` in SQL, so a bad field is reported with its row, column and value; maps and structs are JSON
//! there. The other formats
//! bring types of their own, which are fitted as the batches of a [`Transaction`](crate::Transaction) are.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use deltic_circuit::Expr;
use deltic_sql::{Copy, CopyFormat, Name};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{file_error, unknown_column};
use crate::csv_rows;
use crate::error::{Error, Result};
use crate::shape;
use crate::source::Source;

/// Rows per batch.
const BATCH_ROWS: usize = 8192;

/// Reads a file batch by batch.
pub(super) struct FileReader<'a> {
    copy: &'a Copy,
    source: &'a Source,
    batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>,
    /// Rows read before the current batch.
    rows: usize,
}

impl<'a> FileReader<'a> {
    pub(super) fn open(copy: &'a Copy, source: &'a Source) -> Result<Self> {
        for name in &copy.columns {
            source.schema.index_of(&name.value).map_err(|_| unknown_column(name))?;
        }
        let file = File::open(&copy.path).map_err(|problem| file_error(copy, problem))?;
        let batches = open_format(copy, source, file).map_err(|error| file_error(copy, error.message()))?;
        Ok(FileReader { copy, source, batches, rows: 0 })
    }

    /// The next rows, under the schema of the source.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.batches.next() else { return Ok(None) };
        let from = self.rows;
        let fitted = batch.map_err(Error::from).and_then(|batch| {
            self.rows += batch.num_rows();
            let batch = only(batch, &self.copy.columns)?;
            let batch = if self.copy.format == CopyFormat::Csv { self.cast(&batch, from)? } else { batch };
            Ok(shape::fit(self.source, &batch)?.to_record_batch()?)
        });
        match fitted {
            Ok(batch) => Ok(Some(batch)),
            Err(error) if from == 0 => Err(file_error(self.copy, error.message())),
            Err(error) => Err(file_error(self.copy, format!("{} (counting from row {} of the file)", error.message(), from + 1))),
        }
    }

    /// Casts text to the types of the source.
    fn cast(&self, batch: &RecordBatch, from: usize) -> Result<RecordBatch> {
        let mut fields = Vec::with_capacity(batch.num_columns());
        let mut columns = Vec::with_capacity(batch.num_columns());
        for (index, field) in batch.schema().fields().iter().enumerate() {
            let target = self.source.schema.field_with_name(field.name())?;
            fields.push(target.clone().with_nullable(true));
            if csv_rows::is_json(target.data_type()) {
                let wrong = |(row, problem): (usize, String)| {
                    Error::new(
                        deltic_circuit::errors::code::CAST,
                        format!("row {}, column '{}': {problem}", from + row + 1, field.name()),
                    )
                };
                columns.push(csv_rows::from_json(batch.column(index), target.data_type()).map_err(wrong)?);
                continue;
            }
            let text = Expr::Column { index, data_type: DataType::Utf8 };
            let cast = Expr::Cast { input: Box::new(text), data_type: target.data_type().clone(), safe: false };
            let evaluated = cast.evaluate(batch.columns(), batch.num_rows());
            if let Some((row, error)) = evaluated.errors.iter().next() {
                let message = format!("row {}, column '{}': {}", from + row + 1, field.name(), error.message);
                return Err(Error::new(error.code, message));
            }
            columns.push(evaluated.values);
        }
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
    }
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

fn open_format(copy: &Copy, source: &Source, file: File) -> Result<Batches> {
    Ok(match copy.format {
        CopyFormat::Csv => open_csv(copy, source, file)?,
        CopyFormat::Json => {
            let wanted = wanted(copy, source);
            let reader = arrow::json::ReaderBuilder::new(wanted).with_strict_mode(true).with_batch_size(BATCH_ROWS);
            Box::new(reader.build(BufReader::new(file))?)
        }
        CopyFormat::Parquet => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(ArrowError::from)?;
            Box::new(reader.with_batch_size(BATCH_ROWS).build().map_err(ArrowError::from)?)
        }
        CopyFormat::Arrow => Box::new(arrow::ipc::reader::FileReader::try_new(BufReader::new(file), None)?),
    })
}

/// A CSV file as text columns named as those of the source.
fn open_csv(copy: &Copy, source: &Source, mut file: File) -> Result<Batches> {
    let format = Format::default().with_header(copy.header).with_delimiter(copy.delimiter);
    let names: Vec<String> = if copy.header {
        let (header, _) = format.infer_schema(BufReader::new(&mut file), Some(0))?;
        file.rewind().map_err(ArrowError::from)?;
        header.fields().iter().map(|field| column_named(source, field.name().trim())).collect::<Result<_>>()?
    } else {
        wanted(copy, source).fields().iter().map(|field| field.name().clone()).collect()
    };
    let schema = Schema::new(names.into_iter().map(|name| Field::new(name, DataType::Utf8, true)).collect::<Vec<_>>());
    let reader = arrow::csv::ReaderBuilder::new(Arc::new(schema)).with_format(format).with_batch_size(BATCH_ROWS);
    Ok(Box::new(reader.build_buffered(BufReader::new(file))?))
}

fn column_named(source: &Source, header: &str) -> Result<String> {
    let fields = source.schema.fields();
    let found = fields
        .iter()
        .find(|field| field.name() == header)
        .or_else(|| fields.iter().find(|field| field.name().eq_ignore_ascii_case(header)));
    found
        .map(|field| field.name().clone())
        .ok_or_else(|| Error::usage(format!("the header has '{header}', which is no column of '{}'", source.name)))
}

/// The columns that the file has: those that the statement names, or all. Nullable: NOT NULL is checked with a better message.
fn wanted(copy: &Copy, source: &Source) -> SchemaRef {
    let nullable = |field: &Field| field.clone().with_nullable(true);
    let fields: Vec<Field> = if copy.columns.is_empty() {
        source.schema.fields().iter().map(|field| nullable(field)).collect()
    } else {
        copy.columns.iter().filter_map(|name| source.schema.field_with_name(&name.value).ok().map(nullable)).collect()
    };
    Arc::new(Schema::new(fields))
}

/// `batch` with the columns that the statement names.
fn only(batch: RecordBatch, columns: &[Name]) -> Result<RecordBatch> {
    if columns.is_empty() {
        return Ok(batch);
    }
    let indices = columns.iter().map(|name| batch.schema().index_of(&name.value)).collect::<Result<Vec<_>, _>>()?;
    Ok(batch.project(&indices)?)
}
