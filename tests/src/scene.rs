//! A small database with one followed view: says what changed as readable lines.

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use deltic::{Config, Database, Error, Subscription};

/// A database with a view whose changes are followed.
pub struct Scene {
    /// The database.
    pub db: Database,
    subscription: Subscription,
}

impl Scene {
    /// Runs `setup`, then follows `view`.
    ///
    /// # Errors
    /// What the database refused.
    pub fn new(workers: usize, setup: &str, view: &str) -> Result<Self, Error> {
        let db = Database::open(Config::in_memory().workers(workers).pin_workers(false))?;
        db.execute(setup)?;
        let subscription = db.subscribe(&[view])?;
        Ok(Scene { db, subscription })
    }

    /// Runs `sql` and returns the changes it made, one line a row (`+1 (2, x)`), sorted within each epoch; epochs follow one another.
    ///
    /// # Errors
    /// What the database refused.
    pub fn run(&mut self, sql: &str) -> Result<Vec<String>, Error> {
        self.db.execute(sql)?;
        let mut lines = Vec::new();
        while let Some(change) = self.subscription.try_next() {
            let mut epoch = Vec::new();
            for delta in change?.deltas {
                for (row, weight) in delta.weights.values().iter().enumerate() {
                    epoch.push(format!("{weight:+} {}", row_text(&delta.rows, row)?));
                }
            }
            epoch.sort();
            lines.extend(epoch);
        }
        Ok(lines)
    }

    /// The rows of a query, one line each, sorted.
    ///
    /// # Errors
    /// What the database refused.
    pub fn rows(&self, sql: &str) -> Result<Vec<String>, Error> {
        let mut lines = Vec::new();
        for batch in self.db.query(sql)? {
            for row in 0..batch.num_rows() {
                lines.push(row_text(&batch, row)?);
            }
        }
        lines.sort();
        Ok(lines)
    }
}

fn row_text(rows: &RecordBatch, row: usize) -> Result<String, Error> {
    let options = FormatOptions::new().with_null("NULL");
    let values: Vec<String> = rows
        .columns()
        .iter()
        .map(|column| Ok(ArrayFormatter::try_new(column, &options)?.value(row).to_string()))
        .collect::<Result<_, Error>>()?;
    Ok(format!("({})", values.join(", ")))
}
