//! A function in Rust, called in a view: it scores words, and refuses what it cannot score.
//!
//! Run with `cargo run -p deltic --example own_function`.

use std::sync::Arc;

use deltic::arrow::array::{ArrayRef, AsArray, Int64Array};
use deltic::arrow::datatypes::{DataType, Int64Type};
use deltic::datafusion_common::exec_err;
use deltic::datafusion_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use deltic::{Config, Database};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let db = Database::open(Config::in_memory().workers(2))?;
    db.register_scalar_function(score())?;
    db.execute(
        "CREATE TABLE play (player VARCHAR, word VARCHAR);
         CREATE MATERIALIZED VIEW total AS SELECT player, sum(score(word)) AS points FROM play GROUP BY player;
         INSERT INTO play VALUES ('ann', 'quiz'), ('ann', 'tea'), ('bob', 'sea-hare'), ('bob', 'oak');",
    )?;
    for batch in db.query("SELECT player, points FROM total ORDER BY player")? {
        let (players, points) = (batch.column(0).as_string::<i32>(), batch.column(1));
        let points = points.as_primitive::<Int64Type>();
        (0..batch.num_rows()).for_each(|row| println!("{}: {}", players.value(row), points.value(row)));
    }
    let failed: usize = db.errors("total")?.iter().map(|batch| batch.num_rows()).sum();
    println!("{failed} word could not be scored");
    Ok(())
}

/// One point for a vowel, two for another letter.
fn score() -> ScalarUDF {
    let compute = |arguments: &[ColumnarValue]| {
        let words = ColumnarValue::values_to_arrays(arguments)?;
        let mut scores = Vec::with_capacity(words[0].len());
        for word in words[0].as_string::<i32>() {
            match word {
                Some(word) if !word.chars().all(char::is_alphabetic) => return exec_err!("'{word}' is not a word"),
                word => scores.push(word.map(points)),
            }
        }
        Ok(ColumnarValue::Array(Arc::new(Int64Array::from(scores)) as ArrayRef))
    };
    create_udf("score", vec![DataType::Utf8], DataType::Int64, Volatility::Immutable, Arc::new(compute))
}

fn points(word: &str) -> i64 {
    word.chars().map(|letter| if "aeiou".contains(letter) { 1 } else { 2 }).sum()
}
