//! Functions of users in Rust: called in views, with errors of rows, and refused where they cannot be.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use deltic::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use deltic::arrow::datatypes::{DataType, Int64Type};
use deltic::datafusion_common::exec_err;
use deltic::datafusion_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use deltic::{Config, Database};

/// `name(n)` is n + 1; it refuses 13 and panics on 14.
fn next(name: &str, volatility: Volatility) -> ScalarUDF {
    let compute = |arguments: &[ColumnarValue]| {
        let numbers = ColumnarValue::values_to_arrays(arguments)?;
        let numbers = numbers[0].as_primitive::<Int64Type>();
        if numbers.iter().flatten().any(|number| number == 13) {
            return exec_err!("thirteen");
        }
        assert!(numbers.iter().flatten().all(|number| number != 14), "fourteen");
        Ok(ColumnarValue::Array(Arc::new(numbers.unary::<_, Int64Type>(|number| number + 1)) as ArrayRef))
    };
    create_udf(name, vec![DataType::Int64], DataType::Int64, volatility, Arc::new(compute))
}

fn numbers(db: &Database, sql: &str) -> Vec<i64> {
    let batches = db.query(sql).unwrap();
    let column = |batch: &RecordBatch| -> Int64Array { batch.column(0).as_primitive::<Int64Type>().clone() };
    batches.iter().flat_map(|batch| column(batch).values().to_vec()).collect()
}

#[test]
fn a_view_calls_a_function_in_rust() {
    for workers in [1, 3] {
        let db = Database::open(Config::in_memory().workers(workers)).unwrap();
        db.register_scalar_function(next("successor", Volatility::Immutable)).unwrap();
        db.execute(
            "CREATE TABLE t (n INT);
             CREATE FUNCTION after_next(n BIGINT) RETURNS BIGINT AS 'successor(successor(n))';
             CREATE MATERIALIZED VIEW v AS SELECT successor(n) AS next, after_next(n) AS second FROM t;
             INSERT INTO t VALUES (1), (13), (14), (20)",
        )
        .unwrap();
        assert_eq!(numbers(&db, "SELECT next FROM v ORDER BY next"), [2, 21]);
        assert_eq!(numbers(&db, "SELECT second FROM v ORDER BY second"), [3, 22]);
        let errors: usize = db.errors("v").unwrap().iter().map(|batch| batch.num_rows()).sum();
        assert_eq!(errors, 2, "two rows fail, one of them by a panic");
        db.execute("DELETE FROM t WHERE n > 10").unwrap();
        let errors: usize = db.errors("v").unwrap().iter().map(|batch| batch.num_rows()).sum();
        assert_eq!(errors, 0, "their errors leave with them");
        assert_eq!(numbers(&db, "SELECT next FROM v"), [2]);
        assert_eq!(db.query("SHOW FUNCTIONS").unwrap().iter().map(|batch| batch.num_rows()).sum::<usize>(), 2);
    }
}

#[test]
fn functions_that_cannot_be_are_refused() {
    let db = Database::open(Config::in_memory().workers(1)).unwrap();
    let code = |result: deltic::Result<()>| result.unwrap_err().code().to_string();
    assert_eq!(code(db.register_scalar_function(next("dice", Volatility::Volatile))), "DT1011");
    assert_eq!(code(db.register_scalar_function(next("dice", Volatility::Stable))), "DT1011");
    assert_eq!(code(db.register_scalar_function(next("upper", Volatility::Immutable))), "DT1006");
    assert_eq!(code(db.register_scalar_function(next("Mixed", Volatility::Immutable))), "DT1001");
    db.register_scalar_function(next("successor", Volatility::Immutable)).unwrap();
    assert_eq!(code(db.register_scalar_function(next("successor", Volatility::Immutable))), "DT1006");
    assert_eq!(code(db.execute("CREATE FUNCTION successor(n BIGINT) RETURNS BIGINT AS 'n'").map(|_| ())), "DT1006");
    assert_eq!(code(db.query("SELECT sucessor(1)").map(|_| ())), "DT1004");
}
