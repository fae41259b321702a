//! The smallest useful program: a table, a view, and the exact changes of the view.
//!
//! Run with `cargo run -p deltic --example orders`.

use deltic::{Config, Database};

fn main() -> Result<(), deltic::Error> {
    let db = Database::open(Config::in_memory())?;
    db.execute(
        "CREATE TABLE orders (id BIGINT PRIMARY KEY, customer VARCHAR, amount DECIMAL(10, 2));
         CREATE MATERIALIZED VIEW spent AS SELECT customer, sum(amount) AS total FROM orders GROUP BY customer;",
    )?;
    let mut changes = db.subscribe(&["spent"])?;

    db.execute("INSERT INTO orders VALUES (1, 'ann', 10.00), (2, 'bob', 7.50)")?;
    db.execute("UPDATE orders SET amount = 12 WHERE id = 1")?;

    while let Some(change) = changes.try_next() {
        let change = change?;
        for delta in &change.deltas {
            println!("epoch {}, {}: weights {:?}", change.epoch, delta.view, delta.weights.values());
            println!("{}", arrow::util::pretty::pretty_format_batches(std::slice::from_ref(&delta.rows))?);
        }
    }
    Ok(())
}
