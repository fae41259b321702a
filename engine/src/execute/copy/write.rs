//! Rows as files. The file is written beside its place and moved there when it is whole.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::error::ArrowError;
use arrow::json;
use deltic_sql::{Copy, CopyFormat};
use parquet::arrow::ArrowWriter;

use crate::csv_rows::text_values;
use crate::error::Result;
use crate::json_rows::{has_maps, text_keys};

pub(super) fn write(copy: &Copy, rows: &RecordBatch) -> Result<()> {
    let partial = format!("{}.partial", copy.path);
    let written =
        write_to(copy, rows, Path::new(&partial)).and_then(|()| std::fs::rename(&partial, &copy.path).map_err(ArrowError::from));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&partial);
    }
    Ok(written?)
}

fn write_to(copy: &Copy, rows: &RecordBatch, path: &Path) -> Result<(), ArrowError> {
    let mut file = BufWriter::new(File::create(path)?);
    match copy.format {
        CopyFormat::Csv => {
            let mut writer = WriterBuilder::new().with_header(copy.header).with_delimiter(copy.delimiter).build(&mut file);
            writer.write(&text_values(rows)?)?;
        }
        CopyFormat::Json => {
            // A column that is missing is NULL; an entry of a map that is missing is not there.
            let builder = json::WriterBuilder::new().with_explicit_nulls(has_maps(&rows.schema()));
            let mut writer = builder.build::<_, json::writer::LineDelimited>(&mut file);
            writer.write(&text_keys(rows)?)?;
            writer.finish()?;
        }
        CopyFormat::Parquet => {
            let mut writer = ArrowWriter::try_new(&mut file, rows.schema(), None)?;
            writer.write(rows)?;
            writer.close()?;
        }
        CopyFormat::Arrow => {
            let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut file, &rows.schema())?;
            writer.write(rows)?;
            writer.finish()?;
        }
    }
    Ok(file.flush()?)
}
