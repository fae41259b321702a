//! Two threads write record batches without waiting for each commit, while a third follows a view.
//!
//! Run with `cargo run -p deltic --example pipelined_writers`.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use deltic::{Config, Database};

const COMMITS: i64 = 100;
const ROWS: i64 = 1_000;
const IN_FLIGHT: usize = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = Database::open(Config::in_memory().workers(2))?;
    db.execute(
        "CREATE STREAM reading (sensor BIGINT, value BIGINT);
         CREATE MATERIALIZED VIEW per_sensor AS
           SELECT sensor, count(*) AS readings, max(value) AS highest FROM reading GROUP BY sensor;",
    )?;
    let mut changes = db.subscribe(&["per_sensor"])?;

    std::thread::scope(|scope| {
        let writers: Vec<_> =
            (0..2).map(|seed| (seed, db.clone())).map(|(seed, db)| scope.spawn(move || write(&db, seed))).collect();
        let mut rows_changed = 0;
        while !writers.iter().all(|writer| writer.is_finished()) {
            if let Some(change) = changes.next_timeout(std::time::Duration::from_millis(10)) {
                rows_changed += change?.deltas.iter().map(|delta| delta.rows.num_rows()).sum::<usize>();
            }
        }
        for writer in writers {
            writer.join().map_err(|_| "a writer panicked")?.map_err(|error| error.to_string())?;
        }
        println!("{rows_changed} rows of the view changed while the writers ran");
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;

    let total = db.query("SELECT count(*) AS sensors, sum(readings) AS readings FROM per_sensor")?;
    println!("{}", arrow::util::pretty::pretty_format_batches(&total)?);
    Ok(())
}

/// Submits commits, a few ahead of the last one that is known to be done.
fn write(db: &Database, seed: i64) -> Result<(), deltic::Error> {
    let schema =
        Arc::new(Schema::new(vec![Field::new("sensor", DataType::Int64, true), Field::new("value", DataType::Int64, true)]));
    let mut pending = VecDeque::new();
    for commit in 0..COMMITS {
        let sensors: Int64Array = (0..ROWS).map(|row| (row * 7 + seed) % 50).collect();
        let values: Int64Array = (0..ROWS).map(|row| row * 31 % 1_000 + commit).collect();
        let mut transaction = db.begin();
        transaction.insert("reading", RecordBatch::try_new(schema.clone(), vec![Arc::new(sensors), Arc::new(values)])?)?;
        pending.push_back(transaction.submit()?);
        if pending.len() > IN_FLIGHT
            && let Some(oldest) = pending.pop_front()
        {
            oldest.wait()?;
        }
    }
    for commit in pending {
        commit.wait()?;
    }
    Ok(())
}
