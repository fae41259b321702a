//! State that ends with watermarks: what views remember of windows that no row can come to any more.
//!
//! Can catch: an operator that keeps what it need not, or that takes back what it has shown when it forgets. When exactly state may end is tested with the operators.
#![allow(clippy::unwrap_used)]

mod common;

use common::{database, rows};
use deltic::Database;

/// Ten rows in each of the epochs from `from` to `to`, one for each of the integers from ten times its number on.
fn feed(db: &Database, from: i64, to: i64) {
    for epoch in from..to {
        let values = (0..10).map(|row| format!("({}, {}, {})", row % 3, (epoch * 7 + row * 3) % 11, epoch * 10 + row));
        db.execute(&format!("INSERT INTO s VALUES {}", values.collect::<Vec<_>>().join(", "))).unwrap();
    }
}

fn state(db: &Database, view: &str) -> usize {
    let stats = db.stats().unwrap();
    let view = stats.relations.iter().find(|relation| relation.name == view).unwrap();
    view.operators.iter().map(|operator| operator.rows).sum()
}

#[test]
fn window_functions_keep_the_rows_of_open_windows() {
    for workers in [1, 3] {
        let db = database(workers);
        db.execute(
            "CREATE STREAM s (k INT, v INT, n BIGINT, WATERMARK FOR n AS n - 10);
             CREATE MATERIALIZED VIEW placed AS SELECT window_start, n, rank() OVER w AS r, max(v) OVER w AS m, dense_rank() OVER w AS d
               FROM TUMBLE(s, n, 100) WINDOW w AS (PARTITION BY window_start, k ORDER BY v);
             CREATE MATERIALIZED VIEW first_two AS SELECT window_start, v FROM TUMBLE(s, n, 100)
               QUALIFY dense_rank() OVER (PARTITION BY window_start ORDER BY v) <= 2",
        )
        .unwrap();
        feed(&db, 0, 30);
        let before = ["placed", "first_two"].map(|view| state(&db, view));
        // An open window has a hundred rows at most, and the one before it is kept for as long as rows of it may come.
        assert!(before.iter().all(|rows| (1..=230).contains(rows)), "{before:?}");
        feed(&db, 30, 300);
        assert_eq!(["placed", "first_two"].map(|view| state(&db, view)), before);
        // What was shown stays: all rows, and of each window those with 0 or 1.
        assert_eq!(rows(&db, "SELECT count(*), count(DISTINCT window_start) FROM placed"), ["3000|30"]);
        assert_eq!(rows(&db, "SELECT max(v), count(DISTINCT window_start) FROM first_two"), ["1|30"]);
    }
}
