//! Feeds whole tables into a database in random order and random commits, deleting and re-inserting some rows on the way.

use std::collections::HashMap;

use arrow::array::{BooleanArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute;
use arrow::error::ArrowError;
use deltic::Database;
use deltic_zset::ZBatch;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

/// A table to be fed.
pub struct Table {
    /// Its name.
    pub name: String,
    /// All its rows.
    pub rows: RecordBatch,
}

/// One row that comes or goes.
#[derive(Clone, Copy)]
struct Event {
    at: f64,
    table: usize,
    row: u32,
    weight: i64,
}

/// A schedule of commits over tables, and which rows are in them so far.
pub struct Feed {
    tables: Vec<Table>,
    commits: Vec<Vec<Event>>,
    next: usize,
    present: Vec<Vec<bool>>,
}

impl Feed {
    /// All rows in random order; `churn` (0 to 1) of them are deleted some time after they came, and come again later.
    pub fn new(tables: Vec<Table>, churn: f64, commits: usize, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut events = Vec::new();
        for (table, Table { rows, .. }) in tables.iter().enumerate() {
            for row in 0..rows.num_rows() as u32 {
                let at: f64 = rng.random();
                events.push(Event { at, table, row, weight: 1 });
                if rng.random_bool(churn) {
                    let gone = rng.random_range(at..1.0);
                    let back = rng.random_range(gone..1.0);
                    events.push(Event { at: gone, table, row, weight: -1 });
                    events.push(Event { at: back, table, row, weight: 1 });
                }
            }
        }
        // Stable, so that the events of one row keep their order even at one time.
        events.sort_by(|a, b| a.at.total_cmp(&b.at));
        let mut cuts: Vec<usize> = (0..events.len()).collect();
        cuts.shuffle(&mut rng);
        cuts.truncate(commits.saturating_sub(1));
        cuts.push(events.len());
        cuts.sort_unstable();
        let mut commits = Vec::with_capacity(cuts.len());
        let mut start = 0;
        for cut in cuts {
            commits.push(events[start..cut].to_vec());
            start = cut;
        }
        let present = tables.iter().map(|table| vec![false; table.rows.num_rows()]).collect();
        Feed { tables, commits, next: 0, present }
    }

    /// The number of commits.
    pub fn len(&self) -> usize {
        self.commits.len()
    }

    /// Whether there is nothing to feed.
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// Commits the next slice; `false` at the end.
    ///
    /// # Errors
    /// What the database refused.
    pub fn commit_next(&mut self, db: &Database) -> Result<bool, deltic::Error> {
        let Some(events) = self.commits.get(self.next) else { return Ok(false) };
        self.next += 1;
        let mut by_table: HashMap<usize, (Vec<u32>, Vec<i64>)> = HashMap::new();
        for event in events {
            let (rows, weights) = by_table.entry(event.table).or_default();
            rows.push(event.row);
            weights.push(event.weight);
            self.present[event.table][event.row as usize] = event.weight > 0;
        }
        let mut transaction = db.begin();
        for (table, (rows, weights)) in by_table {
            let Table { name, rows: all } = &self.tables[table];
            transaction.apply(name, take(all, rows)?, Int64Array::from(weights))?;
        }
        transaction.commit()?;
        Ok(true)
    }

    /// What the tables should hold now.
    ///
    /// # Errors
    /// Arrow's, which does not happen for rows that fit in memory.
    pub fn contents(&self) -> Result<Vec<(String, ZBatch)>, ArrowError> {
        self.tables
            .iter()
            .zip(&self.present)
            .map(|(table, present)| {
                let rows = compute::filter_record_batch(&table.rows, &BooleanArray::from(present.clone()))?;
                Ok((table.name.clone(), ZBatch::from_record_batch(&rows)))
            })
            .collect()
    }
}

fn take(rows: &RecordBatch, indices: Vec<u32>) -> Result<RecordBatch, ArrowError> {
    compute::take_record_batch(rows, &UInt32Array::from(indices))
}
