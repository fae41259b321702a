//! Functions and aggregates of users in Rust: called in views, with errors of rows and groups, and refused where they cannot be.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use deltic::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use deltic::arrow::datatypes::{DataType, Int64Type};
use deltic::datafusion_common::{Result as DataFusionResult, ScalarValue, exec_err};
use deltic::datafusion_expr::function::AccumulatorArgs;
use deltic::datafusion_expr::{Accumulator, AggregateUDF, ColumnarValue, ScalarUDF, Volatility, create_udaf, create_udf};
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

/// The product of whole numbers, 1 of none; it refuses 13 and panics on 14. It neither retracts nor merges.
#[derive(Debug)]
struct Product(i64);

impl Accumulator for Product {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        for number in values[0].as_primitive::<Int64Type>().iter().flatten() {
            if number == 13 {
                return exec_err!("thirteen");
            }
            assert!(number != 14, "fourteen");
            self.0 *= number;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        Ok(ScalarValue::Int64(Some(self.0)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        exec_err!("a product has no state")
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> DataFusionResult<()> {
        exec_err!("products are not merged")
    }
}

/// Digits read as one number, in the order in which they come.
#[derive(Debug)]
struct Digits(i64);

impl Accumulator for Digits {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.0 = values[0].as_primitive::<Int64Type>().iter().flatten().fold(self.0, |number, digit| 10 * number + digit);
        Ok(())
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        Ok(ScalarValue::Int64((self.0 > 0).then_some(self.0)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        exec_err!("digits have no state")
    }

    fn merge_batch(&mut self, _: &[ArrayRef]) -> DataFusionResult<()> {
        exec_err!("digits are not merged")
    }
}

fn aggregate<A: Accumulator + 'static>(name: &str, volatility: Volatility, new: fn() -> A) -> AggregateUDF {
    let integer = DataType::Int64;
    let state = Arc::new(vec![integer.clone()]);
    let accumulator = Arc::new(move |_: AccumulatorArgs<'_>| Ok(Box::new(new()) as Box<dyn Accumulator>));
    create_udaf(name, vec![integer.clone()], Arc::new(integer), volatility, accumulator, state)
}

fn product(name: &str, volatility: Volatility) -> AggregateUDF {
    aggregate(name, volatility, || Product(1))
}

#[test]
fn a_view_calls_an_aggregate_in_rust() {
    for workers in [1, 3] {
        let db = Database::open(Config::in_memory().workers(workers)).unwrap();
        db.register_aggregate_function(product("product", Volatility::Immutable)).unwrap();
        db.register_aggregate_function(aggregate("digits", Volatility::Immutable, || Digits(0))).unwrap();
        db.execute(
            "CREATE TABLE t (k INT, n INT);
             CREATE TABLE u (k INT);
             CREATE MATERIALIZED VIEW v AS SELECT k, product(n) AS p, product(DISTINCT n) AS d, product(n) FILTER (WHERE n < 5) AS f FROM t GROUP BY k;
             CREATE MATERIALIZED VIEW whole AS SELECT product(n) AS p FROM t;
             CREATE MATERIALIZED VIEW ordered AS SELECT k, digits(n ORDER BY n DESC) AS down, digits(n) AS up FROM t GROUP BY k;
             CREATE MATERIALIZED VIEW beside AS SELECT u.k, (SELECT product(n) FROM t WHERE t.k = u.k) AS p FROM u;
             CREATE MATERIALIZED VIEW running AS SELECT k, n, digits(n) OVER w AS d, digits(n ORDER BY n DESC) OVER w AS r FROM t WINDOW w AS (PARTITION BY k ORDER BY n);
             CREATE MATERIALIZED VIEW over_groups AS SELECT k, product(n) AS p FROM t GROUP BY ROLLUP (k) HAVING product(n) > 10",
        )
        .unwrap();
        // Of no rows, the value that the accumulator has then.
        assert_eq!(numbers(&db, "SELECT p FROM whole"), [1]);
        db.execute("INSERT INTO u VALUES (1), (9); INSERT INTO t VALUES (1, 2), (1, 2), (1, 6), (2, 3), (2, NULL)").unwrap();
        assert_eq!(numbers(&db, "SELECT p FROM v ORDER BY k"), [24, 3]);
        assert_eq!(numbers(&db, "SELECT d FROM v ORDER BY k"), [12, 3]);
        assert_eq!(numbers(&db, "SELECT f FROM v ORDER BY k"), [4, 3]);
        assert_eq!(numbers(&db, "SELECT p FROM whole"), [72]);
        assert_eq!(numbers(&db, "SELECT down FROM ordered ORDER BY k"), [622, 3]);
        assert_eq!(numbers(&db, "SELECT up FROM ordered ORDER BY k"), [226, 3]);
        assert_eq!(numbers(&db, "SELECT d FROM running WHERE k = 1 ORDER BY d"), [22, 22, 226]);
        assert_eq!(numbers(&db, "SELECT r FROM running WHERE k = 1 ORDER BY r"), [22, 22, 622]);
        assert_eq!(numbers(&db, "SELECT p FROM beside ORDER BY k"), [24, 1]);
        assert_eq!(numbers(&db, "SELECT p FROM over_groups ORDER BY p"), [24, 72]);
        // A group on which it fails is an error until it changes again; the others go on.
        let errors = |view: &str| db.errors(view).unwrap().iter().map(RecordBatch::num_rows).sum::<usize>();
        db.execute("INSERT INTO t VALUES (1, 13), (2, 14), (3, 7)").unwrap();
        assert_eq!(numbers(&db, "SELECT p FROM v"), [7]);
        assert_eq!(errors("v"), 2, "one refuses, one panics");
        db.execute("DELETE FROM t WHERE n IN (2, 13, 14)").unwrap();
        assert_eq!(numbers(&db, "SELECT p FROM v ORDER BY k"), [6, 3, 7]);
        assert_eq!(errors("v"), 0);
        db.execute("DELETE FROM t").unwrap();
        assert_eq!(numbers(&db, "SELECT p FROM v"), [0; 0]);
        assert_eq!(numbers(&db, "SELECT p FROM beside ORDER BY k"), [1, 1]);
        assert_eq!(numbers(&db, "SELECT p FROM whole"), [1]);
    }
}

#[test]
fn aggregates_that_cannot_be_are_refused() {
    let db = Database::open(Config::in_memory().workers(1)).unwrap();
    let code = |result: deltic::Result<()>| result.unwrap_err().code().to_string();
    assert_eq!(code(db.register_aggregate_function(product("dice", Volatility::Volatile))), "DT1011");
    assert_eq!(code(db.register_aggregate_function(product("sum", Volatility::Immutable))), "DT1006");
    assert_eq!(code(db.register_aggregate_function(product("Mixed", Volatility::Immutable))), "DT1001");
    db.register_aggregate_function(product("product", Volatility::Immutable)).unwrap();
    db.register_scalar_function(next("successor", Volatility::Immutable)).unwrap();
    assert_eq!(code(db.register_scalar_function(next("product", Volatility::Immutable))), "DT1006");
    assert_eq!(code(db.register_aggregate_function(product("successor", Volatility::Immutable))), "DT1006");
    db.execute("CREATE TABLE t (k INT, n INT)").unwrap();
    for (sql, wanted) in [
        ("CREATE FUNCTION f(n BIGINT) RETURNS BIGINT AS 'product(n)'", "DT1009"),
        ("SELECT successor(n) OVER (PARTITION BY k) FROM t", "DT1009"),
        ("SELECT successor(n) FILTER (WHERE n > 1) FROM t", "DT1009"),
        ("SELECT successor(n ORDER BY n) FROM t", "DT1009"),
        ("SELECT prodct(n) FROM t", "DT1004"),
        ("SELECT product(n) FROM t WHERE product(n) > 1", "DT1016"),
    ] {
        assert_eq!(code(db.execute(sql).map(|_| ())), wanted, "{sql}");
    }
    assert_eq!(db.query("SHOW FUNCTIONS").unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    db.execute("INSERT INTO t VALUES (1, 2), (1, 5)").unwrap();
    assert_eq!(numbers(&db, "SELECT product(n) FROM t GROUP BY k"), [10]);
}
