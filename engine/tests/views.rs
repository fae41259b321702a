//! Views through the engine: the law of subscriptions, definitions amid data, error relations, drops.
//!
//! Can catch: lost or doubled deltas, wrong hydration, epochs out of order. What a view means is tested against the interpreter elsewhere.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashMap;
use std::time::Duration;

use common::{copies, database, drain, ordered_rows, pairs, rows, within};
use deltic::Database;
use proptest::prelude::*;

const VIEWS: [(&str, &str); 4] = [
    ("sums", "SELECT k, sum(v) AS total, count(*) AS n FROM t GROUP BY k"),
    ("joined", "SELECT t.k, t.v, u.v AS w FROM t LEFT JOIN u ON t.k = u.k"),
    ("top", "SELECT k, total FROM sums ORDER BY total DESC, k LIMIT 2"),
    ("plain", "SELECT k + 1 AS k1, v FROM t WHERE v > 2"),
];

fn tables(workers: usize) -> Database {
    let db = database(workers);
    db.execute("CREATE TABLE t (k BIGINT, v BIGINT); CREATE TABLE u (k BIGINT PRIMARY KEY, v BIGINT)").unwrap();
    db
}

fn create(db: &Database, view: usize) {
    let (name, query) = VIEWS[view];
    db.execute(&format!("CREATE MATERIALIZED VIEW {name} AS {query}")).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The contents of a view are those of its query, and the sum of its changes is its contents, whenever it was created.
    #[test]
    fn changes_add_up(
        workers in 1..5usize,
        created_at in prop::array::uniform4(0..6usize),
        commits in prop::collection::vec(prop::collection::vec((any::<bool>(), 0..5i64, 0..6i64, any::<bool>()), 0..40), 6),
    ) {
        let db = tables(workers);
        let mut there: Vec<(i64, i64)> = Vec::new();
        let mut live: HashMap<&str, (deltic::Subscription, HashMap<String, i64>)> = HashMap::new();
        for (at, commit) in commits.into_iter().enumerate() {
            for (view, (name, _)) in VIEWS.iter().enumerate() {
                // `top` reads `sums`.
                if created_at[view].max(if view == 2 { created_at[0] } else { 0 }) == at {
                    create(&db, view);
                    let subscription = db.subscribe(&[name]).unwrap();
                    let mut sum = HashMap::new();
                    rows(&db, &format!("SELECT * FROM {name}")).into_iter().for_each(|row| *sum.entry(row).or_insert(0) += 1);
                    live.insert(name, (subscription, sum));
                }
            }
            let mut transaction = db.begin();
            for (insert, k, v, into_t) in commit {
                if !into_t {
                    transaction.insert("u", pairs(&[(k, v)])).unwrap();
                } else if insert || there.is_empty() {
                    there.push((k, v));
                    transaction.insert("t", pairs(&[(k, v)])).unwrap();
                } else {
                    let gone = there.swap_remove((k * 7 + v) as usize % there.len());
                    transaction.delete("t", pairs(&[gone])).unwrap();
                }
            }
            transaction.commit().unwrap();
            for (name, (subscription, sum)) in &mut live {
                drain(subscription, name, sum);
                let query = VIEWS.iter().find(|(view, _)| view == name).unwrap().1;
                let contents = rows(&db, &format!("SELECT * FROM {name}"));
                prop_assert_eq!(&copies(sum), &contents, "changes of {}", name);
                prop_assert_eq!(rows(&db, query), contents, "contents of {}", name);
            }
        }
    }
}

#[test]
fn a_subscription_sees_every_epoch_once() {
    let db = tables(2);
    create(&db, 0);
    let mut changes = db.subscribe(&["sums", "t"]).unwrap();
    db.execute("INSERT INTO t VALUES (1, 1), (1, 2); INSERT INTO u VALUES (1, 1); INSERT INTO t VALUES (2, 2)").unwrap();
    let seen: Vec<(u64, Vec<String>)> = (0..3)
        .map(|_| {
            let change = changes.next().unwrap().unwrap();
            (change.epoch, change.deltas.into_iter().map(|delta| delta.view).collect())
        })
        .collect();
    let both = || vec!["sums".to_owned(), "t".to_owned()];
    assert_eq!(seen, [(1, both()), (2, vec![]), (3, both())]);
    assert!(changes.try_next().is_none());
    assert!(changes.next_timeout(Duration::from_millis(10)).is_none());
}

#[test]
fn a_slow_subscriber_is_told() {
    let config = deltic::Config::in_memory().pin_workers(false).subscription_epochs(3);
    let db = Database::open(config).unwrap();
    db.execute("CREATE TABLE t (k BIGINT, v BIGINT)").unwrap();
    let changes = db.subscribe(&["t"]).unwrap();
    for round in 0..5 {
        db.execute(&format!("INSERT INTO t VALUES ({round}, 0)")).unwrap();
    }
    let seen: Vec<Result<u64, String>> =
        changes.map(|change| change.map(|change| change.epoch).map_err(|error| error.code().to_owned())).collect();
    assert_eq!(seen, [Ok(1), Ok(2), Ok(3), Err("DT4008".to_owned())]);
}

#[test]
fn errors_are_kept_beside_the_view_and_taken_back() {
    for workers in [1, 2, 4] {
        let db = tables(workers);
        db.execute("INSERT INTO t VALUES (1, 0), (2, 5)").unwrap();
        db.execute("CREATE MATERIALIZED VIEW q AS SELECT k, 10 / v AS r FROM t; CREATE MATERIALIZED VIEW qq AS SELECT r FROM q")
            .unwrap();
        assert_eq!(rows(&db, "SELECT * FROM q"), ["2|2"]);
        for view in ["q", "qq"] {
            assert_eq!(rows(&db, &format!("SHOW ERRORS FOR {view}")).len(), 1, "{view}");
        }
        db.execute("INSERT INTO t VALUES (3, 0)").unwrap();
        assert_eq!(db.errors("q").unwrap()[0].num_rows(), 2);
        db.execute("DELETE FROM t WHERE v = 0").unwrap();
        assert_eq!(db.errors("q").unwrap()[0].num_rows(), 0);
        assert_eq!(db.errors("qq").unwrap()[0].num_rows(), 0);
        assert_eq!(rows(&db, "SELECT * FROM qq"), ["2"]);
    }
}

#[test]
fn a_stream_is_seen_from_the_creation_of_the_view_on() {
    let db = database(2);
    db.execute("CREATE STREAM s (k BIGINT); INSERT INTO s VALUES (1)").unwrap();
    db.execute("CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM s; INSERT INTO s VALUES (2), (3)").unwrap();
    assert_eq!(rows(&db, "SELECT * FROM n"), ["2"]);
    assert_eq!(db.query("SELECT * FROM s").unwrap_err().code(), "DT4002");
}

#[test]
fn dropping_frees_and_names_can_be_used_again() {
    for workers in [1, 3] {
        let db = tables(workers);
        let insert = |from: i64| {
            let mut transaction = db.begin();
            transaction.insert("t", pairs(&(from..from + 20_000).map(|k| (k, k)).collect::<Vec<_>>())).unwrap();
            transaction.commit().unwrap();
        };
        insert(0);
        for _ in 0..3 {
            (0..3).for_each(|view| create(&db, view));
            insert(0);
            let changes = db.subscribe(&["joined"]).unwrap();
            let stats = db.stats().unwrap();
            assert!(
                stats
                    .relations
                    .iter()
                    .any(|relation| relation.name == "sums" && relation.operators.iter().any(|o| o.rows >= 20_000))
            );
            assert_eq!(db.execute("DROP MATERIALIZED VIEW sums").unwrap_err().code(), "DT1007");
            db.execute("DROP MATERIALIZED VIEW sums CASCADE; DROP MATERIALIZED VIEW joined").unwrap();
            assert_eq!(changes.last().unwrap().unwrap_err().code(), "DT4012");
            assert_eq!(db.stats().unwrap().relations.len(), 2);
            assert_eq!(db.query("SELECT * FROM top").unwrap_err().code(), "DT1002");
        }
        insert(0);
        create(&db, 0);
        assert_eq!(rows(&db, "SELECT count(*), sum(n) FROM sums"), ["20000|100000"]);
    }
}

#[test]
fn a_replaced_view_has_its_new_contents() {
    let db = tables(2);
    create(&db, 0);
    db.execute("INSERT INTO t VALUES (1, 1), (1, 2), (2, 7)").unwrap();
    db.execute("CREATE OR REPLACE MATERIALIZED VIEW sums AS SELECT max(v) AS most FROM t").unwrap();
    assert_eq!(rows(&db, "SELECT * FROM sums"), ["7"]);
    db.execute("DELETE FROM t WHERE v = 7").unwrap();
    assert_eq!(rows(&db, "SELECT * FROM sums"), ["2"]);
    // A refused definition changes nothing.
    assert!(db.execute("CREATE OR REPLACE MATERIALIZED VIEW sums AS SELECT nothing FROM t").is_err());
    assert_eq!(rows(&db, "SELECT * FROM sums"), ["2"]);
}

#[test]
fn definitions_come_amid_writers() {
    within(Duration::from_secs(120), || {
        let db = tables(2);
        std::thread::scope(|scope| {
            let writer = db.clone();
            scope.spawn(move || {
                for round in 0..300 {
                    let mut transaction = writer.begin();
                    transaction.insert("t", pairs(&[(round % 7, round)])).unwrap();
                    transaction.submit().unwrap();
                }
            });
            for _ in 0..10 {
                create(&db, 0);
                create(&db, 2);
                db.execute("DROP MATERIALIZED VIEW sums CASCADE").unwrap();
            }
        });
        create(&db, 0);
        db.execute("INSERT INTO t VALUES (0, 0)").unwrap();
        assert_eq!(rows(&db, "SELECT sum(n), sum(total) FROM sums"), ["301|44850"]);
    });
}

#[test]
fn reads_are_ordered_and_by_key() {
    let db = tables(1);
    db.execute("INSERT INTO u VALUES (3, 1), (1, 2), (2, NULL)").unwrap();
    assert_eq!(ordered_rows(&db, "SELECT k FROM u ORDER BY v DESC NULLS LAST"), ["1", "3", "2"]);
    assert_eq!(ordered_rows(&db, "SELECT v FROM u WHERE k = 1"), ["2"]);
    assert_eq!(ordered_rows(&db, "SELECT v FROM u WHERE k = 1 AND v > 2"), [""; 0]);
    assert_eq!(ordered_rows(&db, "SELECT k FROM u ORDER BY k LIMIT 1 OFFSET 1"), ["2"]);
    assert_eq!(ordered_rows(&db, "SELECT k FROM u UNION ALL SELECT k FROM u ORDER BY k"), ["1", "1", "2", "2", "3", "3"]);
}

#[test]
fn equal_views_of_a_stream_differ_by_what_they_have_seen() {
    for workers in [1, 3] {
        let db = database(workers);
        db.execute(
            "CREATE STREAM s (k BIGINT); CREATE MATERIALIZED VIEW a AS SELECT sum(k) AS n FROM s; INSERT INTO s VALUES (1)",
        )
        .unwrap();
        db.execute(
            "CREATE MATERIALIZED VIEW b AS SELECT sum(k) AS n FROM s; CREATE MATERIALIZED VIEW c AS SELECT sum(k) AS n FROM s",
        )
        .unwrap();
        db.execute("CREATE MATERIALIZED VIEW aa AS SELECT n FROM a; INSERT INTO s VALUES (10); DROP MATERIALIZED VIEW b; INSERT INTO s VALUES (100)").unwrap();
        let all = rows(&db, "SELECT a.n, aa.n, c.n FROM a CROSS JOIN aa CROSS JOIN c");
        assert_eq!(all, ["111|111|110"]);
    }
}
