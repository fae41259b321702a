//! The 24 tables of TPC-DS, small: a deterministic generator of our own, made for tests and not for measuring.
//!
//! The benchmark's generator makes at least a gigabyte, in which the queries' constants are rare. Here a few thousand rows are enough for most of
//! the 99 queries to have an answer: dimensions hold the values that the queries name, sales crowd on the days, items and customers that they ask
//! for, returns refer to sales, and one foreign key in 25 of a sale is NULL. Columns that no query reads are NULL.

mod calendar;
mod dimensions;
mod sales;
mod values;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::feed::Table;

/// `CREATE TABLE` for each of the 24 tables, as the benchmark has them.
pub const SCHEMA: &str = include_str!("../../tpcds/schema.sql");

/// All tables, the same for the same seed.
pub fn tables(seed: u64) -> Vec<Table> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut tables = vec![calendar::date_dim(), calendar::time_dim()];
    tables.extend(dimensions::all(&mut rng));
    tables.extend(sales::all(&mut rng));
    tables
}
