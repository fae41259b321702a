//! Late rows: which rows a source accepts, and what becomes of the others.
//!
//! Can catch: a border that is off by one, half an update, a late row in a view or nowhere at all. Whether views are right over the accepted rows is
//! tested elsewhere.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use arrow::array::Int64Array;
use common::{copies, drain, manual, pairs, rows, stats, watermark};
use deltic::{Database, LateCounters, Outcome};

/// A database with the statement `create`, which declares watermarks that tests move by hand.
fn with(create: &str) -> Database {
    let (db, _) = manual(0);
    db.execute(create).unwrap();
    db
}

fn late(db: &Database, source: &str) -> Vec<String> {
    rows(db, &format!("SELECT * FROM \"{source}$late\""))
}

#[test]
fn the_border_is_the_watermark_less_the_lateness() {
    let db = with("CREATE TABLE t (n BIGINT, WATERMARK FOR n) WITH (allowed_lateness = '5'); ADVANCE WATERMARK t TO 100");
    db.execute("INSERT INTO t VALUES (100), (99), (95), (94)").unwrap();
    assert_eq!(rows(&db, "SELECT n FROM t"), ["100", "95", "99"]);
    assert_eq!(late(&db, "t"), ["94|late|insert|100|2"]);
    assert_eq!(stats(&db, "t").late, LateCounters { late: 1, ..LateCounters::default() });
}

#[test]
fn without_lateness_the_watermark_itself_is_in_time() {
    let db = with("CREATE STREAM s (n BIGINT, WATERMARK FOR n); ADVANCE WATERMARK s TO -7");
    db.execute("CREATE MATERIALIZED VIEW v AS SELECT n FROM s; INSERT INTO s VALUES (-7), (-8), (-6)").unwrap();
    assert_eq!(rows(&db, "SELECT n FROM v"), ["-6", "-7"]);
    assert_eq!(late(&db, "s"), ["-8|late|insert|-7|2"]);
}

#[test]
fn nothing_is_late_before_the_first_watermark_and_a_null_always_is() {
    let db = with("CREATE STREAM s (n BIGINT, WATERMARK FOR n AS n)");
    db.execute("INSERT INTO s VALUES (-9000000000000000000), (NULL)").unwrap();
    assert_eq!(late(&db, "s"), ["NULL|null_time|insert|NULL|1"]);
    assert_eq!(watermark(&db, "s"), Some(-9_000_000_000_000_000_000));
    assert_eq!(stats(&db, "s").late, LateCounters { null_time: 1, ..LateCounters::default() });
}

#[test]
fn rows_of_one_commit_do_not_make_each_other_late() {
    let db = with("CREATE TABLE t (n BIGINT, WATERMARK FOR n AS n)");
    db.execute("BEGIN; INSERT INTO t VALUES (100); INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2)").unwrap();
    assert_eq!(rows(&db, "SELECT n FROM t"), ["1", "100"]);
    assert_eq!(late(&db, "t"), ["2|late|insert|100|2"]);
}

#[test]
fn a_commit_of_late_rows_only_is_an_epoch() {
    let db = with("CREATE TABLE t (n BIGINT, WATERMARK FOR n AS n); INSERT INTO t VALUES (100)");
    let mut subscription = db.subscribe(&["t", "t$late"]).unwrap();
    db.execute("INSERT INTO t VALUES (1)").unwrap();
    assert_eq!(db.epoch(), 2);
    let change = subscription.try_next().unwrap().unwrap();
    assert_eq!((change.epoch, change.watermark), (2, Some(100)));
    assert_eq!(change.deltas.iter().map(|delta| &*delta.view).collect::<Vec<_>>(), ["t$late"]);
}

#[test]
fn late_rows_are_a_relation_like_others() {
    let db = with(
        "CREATE TABLE t (k BIGINT, v BIGINT, WATERMARK FOR v); ADVANCE WATERMARK t TO 10;
         INSERT INTO t VALUES (1, 5);
         CREATE MATERIALIZED VIEW per_key AS SELECT k, count(*) AS n FROM \"t$late\" GROUP BY k",
    );
    assert_eq!(rows(&db, "SELECT * FROM per_key"), ["1|1"], "a view over them starts with those that are there");
    let mut subscription = db.subscribe(&["t$late", "per_key"]).unwrap();
    db.execute("INSERT INTO t VALUES (1, 6), (2, 9), (2, 10)").unwrap();
    let (mut followed, mut view) = Default::default();
    drain(&mut subscription, "t$late", &mut followed);
    assert_eq!(copies(&followed), ["1|6|late|insert|10|3", "2|9|late|insert|10|3"]);
    assert_eq!(rows(&db, "SELECT * FROM per_key"), ["1|2", "2|1"]);
    db.execute("TRUNCATE \"t$late\"").unwrap();
    assert!(late(&db, "t").is_empty() && rows(&db, "SELECT * FROM per_key").is_empty());
    drain(&mut subscription, "per_key", &mut view);
    assert_eq!(stats(&db, "t").late.late, 3, "counters tell what happened, not what is there");
}

#[test]
fn a_transaction_can_empty_the_late_rows_and_add_to_them() {
    let db = with("CREATE TABLE t (n BIGINT, WATERMARK FOR n); ADVANCE WATERMARK t TO 10; INSERT INTO t VALUES (1)");
    db.execute("BEGIN; INSERT INTO t VALUES (2); TRUNCATE \"t$late\"; INSERT INTO t VALUES (3); COMMIT").unwrap();
    assert_eq!(late(&db, "t"), ["2|late|insert|10|3", "3|late|insert|10|3"]);
}

#[test]
fn only_their_source_fills_them() {
    let db = with("CREATE TABLE t (n BIGINT, WATERMARK FOR n)");
    let batch = db.query("SELECT 1 AS n").unwrap().remove(0);
    assert_eq!(db.begin().insert("t$late", batch.clone()).unwrap_err().code(), "DT4002");
    assert_eq!(db.begin().delete("t$late", batch).unwrap_err().code(), "DT4002");
    for refused in [
        "INSERT INTO \"t$late\" (n) VALUES (1)",
        "DELETE FROM \"t$late\"",
        "UPDATE \"t$late\" SET n = 1",
        "COPY \"t$late\" FROM 'nowhere.csv'",
        "DROP TABLE \"t$late\"",
    ] {
        assert!(db.execute(refused).is_err(), "{refused}");
    }
    db.execute("DROP TABLE t").unwrap();
    assert!(db.relations().is_empty());
}

#[test]
fn a_late_deletion_leaves_the_row() {
    let db = with("CREATE TABLE t (k BIGINT, v BIGINT, WATERMARK FOR v); INSERT INTO t VALUES (1, 5), (2, 50)");
    db.execute("ADVANCE WATERMARK t TO 50; DELETE FROM t").unwrap();
    assert_eq!(rows(&db, "SELECT * FROM t"), ["1|5"]);
    assert_eq!(late(&db, "t"), ["1|5|late|delete|50|3"]);
    // Nor is it an error to delete what was too late to be inserted.
    let mut transaction = db.begin();
    transaction.apply("t", pairs(&[(7, 7), (8, 8)]), Int64Array::from(vec![-2, 3])).unwrap();
    transaction.commit().unwrap();
    assert_eq!(stats(&db, "t").late.late, 1 + 2 + 3, "copies count");
    assert_eq!(rows(&db, "SELECT count(*) FROM \"t$late\" WHERE k = 8"), ["3"]);
    // What is missing and in time is an error as ever, and then nothing of the commit happens.
    let mut transaction = db.begin();
    transaction.delete("t", pairs(&[(1, 60)])).unwrap();
    transaction.insert("t", pairs(&[(9, 9)])).unwrap();
    assert_eq!(transaction.commit().unwrap_err().code(), "DT4005");
    assert_eq!(stats(&db, "t").late.late, 6);
    assert!(rows(&db, "SELECT * FROM \"t$late\" WHERE k = 9").is_empty());
}

#[test]
fn an_update_happens_whole_or_not_at_all() {
    for key in ["", " PRIMARY KEY"] {
        let db =
            with(&format!("CREATE TABLE t (k BIGINT{key}, v BIGINT, WATERMARK FOR v); INSERT INTO t VALUES (1, 5), (2, 50)"));
        db.execute("ADVANCE WATERMARK t TO 20").unwrap();
        // The old row is too old, the new one would not be.
        db.execute("UPDATE t SET v = 60 WHERE k = 1").unwrap();
        // The new row is too old.
        db.execute("UPDATE t SET v = 6 WHERE k = 2").unwrap();
        assert_eq!(rows(&db, "SELECT * FROM t"), ["1|5", "2|50"], "{key}");
        assert_eq!(late(&db, "t"), ["1|60|late|insert|20|3", "2|6|late|insert|20|4"], "{key}");
        // Both at once: one row can be updated, the other cannot.
        db.execute("UPDATE t SET v = 70").unwrap();
        assert_eq!(rows(&db, "SELECT * FROM t"), ["1|5", "2|70"], "{key}");
        assert_eq!(rows(&db, "SELECT k, v FROM \"t$late\" WHERE late_epoch = 5"), ["1|70"], "{key}");
    }
}

#[test]
fn an_upsert_that_would_replace_an_old_row_is_late() {
    let db = with("CREATE TABLE u (k BIGINT PRIMARY KEY, v BIGINT, WATERMARK FOR v); INSERT INTO u VALUES (1, 5), (2, 50)");
    db.execute("ADVANCE WATERMARK u TO 20").unwrap();
    db.execute("INSERT INTO u VALUES (1, 100), (2, 100), (3, 100), (1, 101)").unwrap();
    assert_eq!(rows(&db, "SELECT * FROM u"), ["1|5", "2|100", "3|100"]);
    assert_eq!(late(&db, "u"), ["1|100|late|insert|20|3", "1|101|late|insert|20|3"]);
    // An update that moves another row onto the old row's key.
    db.execute("UPDATE u SET k = 1 WHERE k = 2").unwrap();
    assert_eq!(rows(&db, "SELECT * FROM u"), ["1|5", "2|100", "3|100"]);
    // The old row replaced by itself is late as well.
    db.execute("INSERT INTO u VALUES (1, 5)").unwrap();
    assert_eq!(stats(&db, "u").late.late, 4);
}

#[test]
fn a_transaction_sees_what_it_will_have_done() {
    for key in ["", " PRIMARY KEY"] {
        let db =
            with(&format!("CREATE TABLE t (k BIGINT{key}, v BIGINT, WATERMARK FOR v); INSERT INTO t VALUES (1, 5), (2, 50)"));
        db.execute("ADVANCE WATERMARK t TO 20").unwrap();
        let mut session = db.session();
        let outcomes = session
            .execute(
                "BEGIN; INSERT INTO t VALUES (3, 19), (4, 20); DELETE FROM t WHERE k = 1; UPDATE t SET v = v + 10; UPDATE t SET v = v + 1;
                 SELECT k, v FROM t ORDER BY k; COMMIT",
            )
            .unwrap();
        let seen = outcomes.into_iter().find_map(Outcome::into_rows).unwrap();
        assert_eq!(seen.batches.iter().flat_map(common::texts).collect::<Vec<_>>(), ["1|5", "2|61", "4|31"], "{key}");
        assert_eq!(rows(&db, "SELECT * FROM t"), ["1|5", "2|61", "4|31"], "{key}");
    }
}

#[test]
fn rows_that_a_commit_replaces_itself_are_not_old() {
    let db = with("CREATE TABLE u (k BIGINT PRIMARY KEY, v BIGINT, WATERMARK FOR v); ADVANCE WATERMARK u TO 20");
    // The last row is late: the one before it stays.
    db.execute("INSERT INTO u VALUES (1, 30), (1, 25), (1, 19)").unwrap();
    assert_eq!(rows(&db, "SELECT * FROM u"), ["1|25"]);
    assert_eq!(late(&db, "u"), ["1|19|late|insert|20|2"]);
}

#[test]
fn the_other_policies_lose_rows_and_count_them() {
    let db = with(
        "CREATE TABLE d (n BIGINT, WATERMARK FOR n) WITH (late_policy = 'drop');
         CREATE TABLE w (n BIGINT, WATERMARK FOR n) WITH (late_policy = 'warn');
         CREATE TABLE a (n BIGINT, WATERMARK FOR n) WITH (late_policy = 'accept');
         ADVANCE WATERMARK d TO 10; ADVANCE WATERMARK w TO 10; ADVANCE WATERMARK a TO 10",
    );
    let mut outcomes = Vec::new();
    for relation in ["d", "w", "a"] {
        outcomes.extend(db.execute(&format!("INSERT INTO {relation} VALUES (10), (9), (NULL)")).unwrap());
        assert!(db.relation(&format!("{relation}$late")).is_none());
    }
    assert_eq!([rows(&db, "SELECT * FROM d"), rows(&db, "SELECT * FROM w")], [["10"], ["10"]]);
    assert_eq!(rows(&db, "SELECT * FROM a"), ["10", "9", "NULL"]);
    let lost = LateCounters { late: 1, null_time: 1, future: 0, lost: 2 };
    assert_eq!([stats(&db, "d").late, stats(&db, "w").late, stats(&db, "a").late], [lost, lost, LateCounters::default()]);
    // Only `warn` tells who wrote.
    let notices: Vec<Vec<String>> =
        outcomes.iter().map(|outcome| outcome.notices().iter().map(ToString::to_string).collect()).collect();
    let expected = "2 rows for 'w' were not accepted and were dropped: 1 late, 1 without a time".to_owned();
    assert_eq!(notices, [vec![], vec![expected], vec![]]);
}

#[test]
fn a_receipt_has_the_notices_of_its_commit() {
    let db = with("CREATE TABLE w (k BIGINT, v BIGINT, WATERMARK FOR v) WITH (late_policy = 'warn'); ADVANCE WATERMARK w TO 10");
    let mut transaction = db.begin();
    transaction.insert("w", pairs(&[(1, 9), (2, 10)])).unwrap();
    let receipt = transaction.submit().unwrap().receipt().unwrap();
    assert_eq!((receipt.epoch, receipt.notices.len(), receipt.notices[0].rows.late), (2, 1, 1));
    transaction.insert("w", pairs(&[(1, 11)])).unwrap();
    assert!(transaction.submit().unwrap().receipt().unwrap().notices.is_empty());
    let outcomes = db.execute("BEGIN; INSERT INTO w VALUES (1, 1); COMMIT").unwrap();
    assert!(matches!(&outcomes[2], Outcome::Transaction { notices, .. } if notices.len() == 1));
}

#[test]
fn sources_judge_their_own_rows() {
    let db = with(
        "CREATE TABLE a (k BIGINT, v BIGINT, WATERMARK FOR v); CREATE STREAM b (k BIGINT, v BIGINT, WATERMARK FOR v) WITH (allowed_lateness = '10');
         CREATE TABLE c (k BIGINT, v BIGINT); ADVANCE WATERMARK a TO 100; ADVANCE WATERMARK b TO 50",
    );
    let mut transaction = db.begin();
    for relation in ["a", "b", "c"] {
        transaction.insert(relation, pairs(&[(1, 100), (2, 40), (3, 39)])).unwrap();
    }
    transaction.commit().unwrap();
    assert_eq!(rows(&db, "SELECT k FROM a"), ["1"]);
    assert_eq!(late(&db, "b"), ["3|39|late|insert|50|3"]);
    assert_eq!(rows(&db, "SELECT k FROM c"), ["1", "2", "3"]);
}

#[test]
fn dates_and_small_integers_show_the_watermark_as_they_can() {
    let db = with(
        "CREATE STREAM d (day DATE, WATERMARK FOR day); CREATE STREAM n (n TINYINT, WATERMARK FOR n);
         ADVANCE WATERMARK d TO '2024-01-02'; ADVANCE WATERMARK n TO 5",
    );
    db.execute("INSERT INTO d VALUES ('2024-01-01'); INSERT INTO n VALUES (4)").unwrap();
    assert_eq!(late(&db, "d"), ["2024-01-01|late|insert|2024-01-02|3"]);
    db.advance_watermark("n", 1000).unwrap();
    db.execute("INSERT INTO n VALUES (127)").unwrap();
    assert_eq!(late(&db, "n"), ["127|late|insert|NULL|6", "4|late|insert|5|4"]);
}

#[test]
fn a_source_that_wakes_finds_that_others_went_on() {
    let (db, clock) = manual(0);
    db.execute(
        "CREATE STREAM a (n BIGINT, WATERMARK FOR n AS n) WITH (idle_timeout = '10s');
         CREATE STREAM b (n BIGINT, WATERMARK FOR n AS n); CREATE STREAM other (n BIGINT, WATERMARK FOR n AS n);
         CREATE MATERIALIZED VIEW both AS SELECT n FROM a UNION ALL SELECT n FROM b",
    )
    .unwrap();
    let mut subscription = db.subscribe(&["both"]).unwrap();
    let mut followed = || subscription.next().unwrap().unwrap().watermark;
    db.execute("INSERT INTO a VALUES (10)").unwrap();
    assert_eq!(followed(), None);
    clock.advance(Duration::from_secs(10));
    db.execute("INSERT INTO b VALUES (100)").unwrap();
    assert_eq!((followed(), stats(&db, "a").idle), (Some(100), true));
    db.execute("INSERT INTO other VALUES (1000)").unwrap();
    followed();
    // By its own watermark 50 would be in time, but a view may have gone by b's. No view reads a and `other` together.
    db.execute("INSERT INTO a VALUES (50), (100)").unwrap();
    assert_eq!(rows(&db, "SELECT n FROM both"), ["10", "100", "100"]);
    assert_eq!(late(&db, "a"), ["50|late|insert|100|4"]);
    assert_eq!((stats(&db, "a").idle, watermark(&db, "a")), (false, Some(100)));
}

#[test]
fn an_idle_source_is_lifted_so_that_no_bound_goes_back() {
    let (db, clock) = manual(0);
    db.execute(
        "CREATE STREAM a (n BIGINT, WATERMARK FOR n AS n) WITH (idle_timeout = '10s', allowed_lateness = '7');
         CREATE STREAM b (n BIGINT, WATERMARK FOR n AS n);
         CREATE MATERIALIZED VIEW both AS SELECT n FROM a UNION ALL SELECT n FROM b; INSERT INTO a VALUES (10)",
    )
    .unwrap();
    clock.advance(Duration::from_secs(10));
    db.execute("INSERT INTO b VALUES (100)").unwrap();
    // Views may have dropped what is below 100: with a's lateness, that is a watermark of 107.
    assert_eq!(watermark(&db, "a"), Some(107));
    db.execute("INSERT INTO a VALUES (99), (100)").unwrap();
    assert_eq!(rows(&db, "SELECT n, late_watermark FROM \"a$late\""), ["99|107"]);
    assert!(!stats(&db, "a").idle);
}

#[test]
fn an_idle_source_is_lifted_when_a_view_brings_it_together_with_others() {
    let (db, clock) = manual(0);
    db.execute(
        "CREATE TABLE a (n BIGINT, WATERMARK FOR n AS n) WITH (idle_timeout = '10s'); CREATE TABLE b (n BIGINT, WATERMARK FOR n AS n);
         INSERT INTO a VALUES (10); INSERT INTO b VALUES (100)",
    )
    .unwrap();
    clock.advance(Duration::from_secs(10));
    db.tick().unwrap();
    assert_eq!((stats(&db, "a").idle, watermark(&db, "a")), (true, Some(10)));
    db.execute("CREATE MATERIALIZED VIEW both AS SELECT n FROM a UNION ALL SELECT n FROM b").unwrap();
    db.execute("INSERT INTO a VALUES (99)").unwrap();
    assert_eq!(rows(&db, "SELECT n, late_watermark FROM \"a$late\""), ["99|100"]);
}

#[test]
fn late_rows_do_not_wake_a_source() {
    let (db, clock) = manual(0);
    db.execute("CREATE STREAM a (n BIGINT, WATERMARK FOR n AS n) WITH (idle_timeout = '10s'); INSERT INTO a VALUES (10)")
        .unwrap();
    clock.advance(Duration::from_secs(9));
    db.tick().unwrap();
    assert!(!stats(&db, "a").idle);
    clock.advance(Duration::from_secs(1));
    db.execute("INSERT INTO a VALUES (9)").unwrap();
    assert!(stats(&db, "a").idle);
    db.execute("INSERT INTO a VALUES (10)").unwrap();
    assert!(!stats(&db, "a").idle);
}

#[test]
fn the_queue_of_a_source_overflows_as_it_says() {
    let create = |policy: &str| format!("CREATE STREAM s (k BIGINT, v BIGINT) WITH (on_overflow = '{policy}')");
    // A commit larger than the queue is let in alone; a second one while it is under way finds it full.
    let config = deltic::Config::in_memory().pin_workers(false).queue_rows(1);
    for (policy, dropped, refused) in [("drop", true, false), ("error", false, true)] {
        let db = Database::open(config.clone()).unwrap();
        db.execute(&create(policy)).unwrap();
        let mut results = Vec::new();
        for round in 0..200 {
            let mut transaction = db.begin();
            transaction.insert("s", pairs(&[(round, 1), (round, 2)])).unwrap();
            results.push(transaction.submit());
        }
        let codes: Vec<String> = results.iter().filter_map(|result| Some(result.as_ref().err()?.code().to_owned())).collect();
        let counters = stats(&db, "s").ingest;
        assert!(codes.iter().all(|code| code == "DT4007"));
        if !refused {
            assert!(codes.is_empty(), "{policy}");
        }
        assert!(dropped || counters.dropped_rows == 0, "{policy}");
        assert_eq!(counters.blocked, 0, "{policy}");
    }
}
