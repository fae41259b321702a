//! Sessions, transactions in SQL, statements and files.
#![allow(clippy::unwrap_used)]

mod common;

use common::{database, pairs, rows};
use deltic::Outcome;

fn changed(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Changed { rows, .. } => *rows,
        other => panic!("{other} changed no rows"),
    }
}

#[test]
fn a_transaction_sees_its_own_changes() {
    let db = database(2);
    db.execute(
        "CREATE TABLE a (k BIGINT, v BIGINT); CREATE TABLE b (k BIGINT PRIMARY KEY, v BIGINT); INSERT INTO b VALUES (1, 1)",
    )
    .unwrap();
    let mut session = db.session();
    let outcomes = session
        .execute(
            "BEGIN; INSERT INTO a VALUES (1, 1), (2, 2); UPDATE a SET v = v * 10 WHERE k = 2;
             INSERT INTO b SELECT k, v FROM a; DELETE FROM a WHERE k = 1",
        )
        .unwrap();
    assert_eq!(outcomes[1..].iter().map(changed).collect::<Vec<_>>(), [2, 1, 2, 1]);
    assert!(session.in_transaction());
    let inside = session.execute("SELECT k, v FROM b ORDER BY k").unwrap().remove(0).into_rows().unwrap();
    assert_eq!(common::texts(&inside.batches[0]), ["1|1", "2|20"]);
    assert_eq!(rows(&db, "SELECT * FROM a"), [""; 0], "nobody else sees it");
    session.execute("COMMIT").unwrap();
    assert_eq!(rows(&db, "SELECT * FROM a"), ["2|20"]);
    assert_eq!(rows(&db, "SELECT * FROM b"), ["1|1", "2|20"]);
    assert_eq!(db.epoch(), 2);
}

#[test]
fn rollback_forgets() {
    let db = database(1);
    db.execute("CREATE TABLE a (k BIGINT)").unwrap();
    db.execute("BEGIN; INSERT INTO a VALUES (1); ROLLBACK; BEGIN; INSERT INTO a VALUES (2)").unwrap();
    assert_eq!(rows(&db, "SELECT * FROM a"), [""; 0]);
    let mut session = db.session();
    assert_eq!(session.execute("COMMIT").unwrap_err().code(), "DT4009");
    assert_eq!(session.execute("BEGIN; CREATE TABLE b (k BIGINT)").unwrap_err().code(), "DT4009");
    assert_eq!(session.execute("BEGIN").unwrap_err().code(), "DT4009");
}

#[test]
fn errors_have_places_and_stop_the_script() {
    let db = database(1);
    let error = db.execute("CREATE TABLE a (k BIGINT);\nINSERT INTO a VALUES (1);\n  SELECT kk FROM a").unwrap_err();
    assert_eq!((error.line(), error.column()), (Some(3), Some(10)));
    assert!(error.to_string().contains("at line 3, column 10"), "{error}");
    assert_eq!(rows(&db, "SELECT * FROM a"), ["1"]);
    let error = db.execute("\n SELECT 1 / (k - 1) FROM a").unwrap_err();
    assert_eq!((error.code(), error.line(), error.column()), ("DT2002", Some(2), Some(2)));
    assert!(db.query("SELECT 1; SELECT 2").is_err());
}

#[test]
fn updates_of_one_row_from_two_sessions_are_both_felt() {
    let db = database(2);
    db.execute("CREATE TABLE a (k BIGINT, v BIGINT); INSERT INTO a VALUES (1, 0)").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..20).for_each(|_| _ = db.execute("UPDATE a SET v = v + 1 WHERE k = 1").unwrap()));
        }
    });
    assert_eq!(rows(&db, "SELECT v FROM a"), ["40"]);
}

#[test]
fn files_come_back_as_they_went() {
    let folder = tempfile::tempdir().unwrap();
    let db = database(2);
    let columns = "id BIGINT PRIMARY KEY, name VARCHAR, price DECIMAL(8, 2), at TIMESTAMP, day DATE, ok BOOLEAN, x DOUBLE";
    db.execute(&format!("CREATE TABLE a ({columns})")).unwrap();
    db.execute(
        "INSERT INTO a VALUES (1, 'one, \"quoted\"', 1.25, '2026-01-02 03:04:05.678901', '2026-01-02', true, 0.1),
         (2, NULL, NULL, NULL, NULL, NULL, NULL), (3, 'three', -3.00, '1969-12-31 23:59:59', '1969-12-31', false, -12345.678)",
    )
    .unwrap();
    for format in ["csv", "json", "parquet", "arrow"] {
        let path = folder.path().join(format!("a.{format}"));
        let path = path.display();
        let outcomes = db.execute(&format!("COPY a TO '{path}' (FORMAT {format})")).unwrap();
        assert_eq!(changed(&outcomes[0]), 3);
        db.execute(&format!("CREATE TABLE {format}_copy ({columns})")).unwrap();
        let outcomes = db.execute(&format!("COPY {format}_copy FROM '{path}' (FORMAT {format}, rows_per_commit 2)")).unwrap();
        assert_eq!(changed(&outcomes[0]), 3, "{format}");
        assert_eq!(rows(&db, &format!("SELECT * FROM {format}_copy")), rows(&db, "SELECT * FROM a"), "{format}");
    }
}

#[test]
fn a_bad_field_is_reported_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.csv");
    std::fs::write(&path, "v,k\n1,1\n2,2\n3,x\n4,4\n").unwrap();
    let path = path.display();
    let db = database(1);
    db.execute("CREATE TABLE a (k BIGINT NOT NULL, v BIGINT)").unwrap();
    let error = db.execute(&format!("COPY a FROM '{path}' (FORMAT csv)")).unwrap_err();
    assert_eq!(error.code(), "DT4011");
    for part in ["bad.csv", "row 3", "'k'", "x"] {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    assert_eq!(rows(&db, "SELECT * FROM a"), [""; 0], "nothing was half-applied");
    std::fs::write(folder.path().join("bad.csv"), "v,k\n1,1\n2,2\n3,\n").unwrap();
    let error = db.execute(&format!("COPY a FROM '{path}' (FORMAT csv)")).unwrap_err();
    assert!(error.message().contains("NOT NULL") && error.message().contains("row 3"), "{error}");
    assert!(db.execute("COPY a FROM '/no/such/file.csv' (FORMAT csv)").unwrap_err().message().contains("/no/such/file.csv"));
    std::fs::write(folder.path().join("bad.csv"), "v,kk\n1,1\n").unwrap();
    assert!(db.execute(&format!("COPY a FROM '{path}' (FORMAT csv)")).unwrap_err().message().contains("'kk'"));
}

#[test]
fn what_there_is_can_be_shown() {
    let db = database(1);
    db.execute("CREATE TABLE a (k BIGINT PRIMARY KEY, v VARCHAR(9) NOT NULL DEFAULT 'x'); CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM a").unwrap();
    assert_eq!(rows(&db, "SHOW TABLES"), ["a|k, v|k"]);
    assert_eq!(rows(&db, "SHOW VIEWS").len(), 1);
    assert_eq!(rows(&db, "DESCRIBE a").len(), 2);
    assert_eq!(rows(&db, "SHOW STATS").len(), 2);
    assert!(!rows(&db, "SHOW STATS FOR m").is_empty());
    assert!(!rows(&db, "EXPLAIN m").is_empty() && !rows(&db, "EXPLAIN (FORMAT mermaid) SELECT k FROM a").is_empty());
    assert!(matches!(db.execute("SUBSCRIBE m").unwrap()[0], Outcome::Subscription(_)));
    let names: Vec<String> = db.relations().into_iter().map(|relation| relation.name).collect();
    assert_eq!(names, ["a", "m"]);
    assert_eq!(db.relation("A").unwrap().primary_key, Some(vec![0]));
    assert!(db.begin().insert("m", pairs(&[(1, 1)])).unwrap_err().message().contains("view"));
}
