//! EMIT: where it means something, and which rows a view then shows at a watermark.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;
#[path = "common/meaning.rs"]
mod meaning;

use common::{apply, catalog_of};
use deltic_circuit::{EmitPolicy, EpochInfo, Operator, Ticks, explain};
use deltic_sql::{Catalog, SqlError};

const SOURCES: &str = "
    CREATE STREAM bid (auction BIGINT, bidder BIGINT, price BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) WITH (allowed_lateness = '1 minute');
    CREATE STREAM ask (auction BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts);
    CREATE STREAM sloppy (k BIGINT, ts TIMESTAMP, WATERMARK FOR ts AS ts) WITH (late_policy = 'accept');
    CREATE STREAM n (k BIGINT, t INT, WATERMARK FOR t AS t - 2);
    CREATE TABLE plain (id BIGINT PRIMARY KEY, name TEXT, ts TIMESTAMP);
";

const MINUTES: &str = "SELECT window_start, window_end, count(*) AS n FROM bid GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)";
const SESSIONS: &str = "SELECT bidder, SESSION_START(ts, INTERVAL '10' SECOND) AS s, count(*) AS n FROM bid GROUP BY bidder, SESSION(ts, INTERVAL '10' SECOND)";

fn with_view(query: &str) -> Catalog {
    let mut catalog = catalog_of(SOURCES);
    apply(&mut catalog, &format!("CREATE MATERIALIZED VIEW v AS {query}")).unwrap_or_else(|error| panic!("{query}: {error}"));
    catalog
}

fn refused(query: &str) -> SqlError {
    let sql = format!("CREATE MATERIALIZED VIEW v AS {}", query.replace('^', ""));
    let error = apply(&mut catalog_of(SOURCES), &sql).map(|_| panic!("{sql} was accepted")).unwrap_err();
    let (before, _) = query.split_once('^').unwrap();
    assert_eq!((error.line, error.column), (1, 31 + before.chars().count()), "{query}: {error}");
    error
}

fn shown(query: &str, tables: &[(&str, &str)], watermark_seconds: i64) -> Vec<String> {
    let catalog = with_view(query);
    let view = catalog.relation("v").unwrap();
    let watermark = watermark_seconds * 1_000_000;
    let watermarks = ["bid", "ask", "sloppy"].map(|name| (name.into(), watermark));
    let info = EpochInfo { watermarks: watermarks.into(), ..EpochInfo::default() };
    meaning::rows_at(&catalog, view.circuit.as_ref().unwrap(), tables, &info)
}

const BIDS: &[(&str, &str)] = &[(
    "bid",
    "(1, 7, 10, '1970-01-01 00:00:05'), (2, 7, 20, '1970-01-01 00:00:15'), (1, 7, 30, '1970-01-01 00:00:58'), (1, 8, 50, '1970-01-01 00:01:06')",
)];

#[test]
fn rows_show_when_their_window_closes() {
    let on_close = format!("{MINUTES} EMIT ON WINDOW CLOSE");
    assert_eq!(shown(&on_close, BIDS, 59), Vec::<String>::new());
    assert_eq!(shown(&on_close, BIDS, 60), ["00:00:00, 00:01:00, 3"]);
    assert_eq!(shown(&format!("{MINUTES} EMIT AFTER WATERMARK"), BIDS, 120).len(), 2);
    // Final is a minute later, as rows are accepted for so long.
    let last = format!("{MINUTES} EMIT FINAL");
    assert_eq!(shown(&last, BIDS, 119), Vec::<String>::new());
    assert_eq!(shown(&last, BIDS, 120), ["00:00:00, 00:01:00, 3"]);
    assert_eq!(shown(&format!("{MINUTES} EMIT CHANGES"), BIDS, 0).len(), 2);
    // A session closes when the watermark is past its end, at which a row would still belong to it. The end need not be selected.
    let sessions = format!("{SESSIONS} EMIT ON WINDOW CLOSE");
    assert_eq!(shown(&sessions, BIDS, 25), Vec::<String>::new());
    assert_eq!(shown(&sessions, BIDS, 26), ["7, 00:00:05, 2"]);
    assert_eq!(shown(&format!("{SESSIONS} EMIT FINAL"), BIDS, 86), ["7, 00:00:05, 2"]);
}

#[test]
fn the_window_may_be_gone_from_the_select_list() {
    for (query, at_60) in [
        ("SELECT count(*) AS n FROM bid GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)", vec!["3"]),
        (
            "SELECT bidder, n * 2 AS m FROM (SELECT bidder, count(*) AS n FROM bid GROUP BY bidder, TUMBLE(ts, INTERVAL '1' MINUTE)) AS x WHERE n > 1",
            vec!["7, 6"],
        ),
        ("SELECT price FROM TUMBLE(bid, ts, INTERVAL '1' MINUTE)", vec!["10", "20", "30"]),
        (
            "SELECT window_start + INTERVAL '1' HOUR AS later, count(*) AS n FROM bid GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)",
            vec!["01:00:00, 3"],
        ),
        (
            "SELECT window_end, max(p) AS p FROM (SELECT window_end, bidder, max(price) AS p FROM bid GROUP BY bidder, TUMBLE(ts, INTERVAL '1' MINUTE)) AS x GROUP BY window_end",
            vec!["00:01:00, 30"],
        ),
    ] {
        assert_eq!(shown(&format!("{query} EMIT ON WINDOW CLOSE"), BIDS, 60), at_60, "{query}");
        assert_eq!(shown(&format!("{query} EMIT FINAL"), BIDS, 120), at_60, "{query}");
    }
}

#[test]
fn first_rows_and_joins_within_a_window() {
    let ranked = "SELECT window_end, price FROM (SELECT window_end, price, row_number() OVER (PARTITION BY window_start, window_end ORDER BY price DESC) AS place
                  FROM TUMBLE(bid, ts, INTERVAL '1' MINUTE)) AS x WHERE place <= 1";
    assert_eq!(shown(&format!("{ranked} EMIT FINAL"), BIDS, 120), ["00:01:00, 30"]);
    let joined = "SELECT b.window_end, b.n, a.m FROM
        (SELECT window_start, window_end, count(*) AS n FROM bid GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)) AS b
        JOIN (SELECT window_start, window_end, count(*) AS m FROM ask GROUP BY TUMBLE(ts, INTERVAL '1' MINUTE)) AS a
        ON b.window_start = a.window_start AND b.window_end = a.window_end";
    let tables = &[BIDS[0], ("ask", "(1, '1970-01-01 00:00:30'), (1, '1970-01-01 00:01:30')")];
    assert_eq!(shown(&format!("{joined} EMIT ON WINDOW CLOSE"), tables, 60), ["00:01:00, 3, 1"]);
    assert_eq!(shown(&format!("{joined} EMIT FINAL"), tables, 119), Vec::<String>::new());
    assert_eq!(shown(&format!("{joined} EMIT FINAL"), tables, 120), ["00:01:00, 3, 1"]);
}

#[test]
fn views_over_views_know_their_windows() {
    let mut catalog = with_view(MINUTES);
    apply(&mut catalog, "CREATE MATERIALIZED VIEW w AS SELECT window_end, n FROM v WHERE n > 1 EMIT ON WINDOW CLOSE").unwrap();
    apply(&mut catalog, "CREATE MATERIALIZED VIEW x AS SELECT window_end, n FROM w EMIT FINAL").unwrap();
    let properties = &catalog.relation("x").unwrap().properties;
    assert!(properties.append_only, "what is final is not taken back");
    // The start of a window lies behind the watermark when the window closes: windows over it are final when they close if they consist of whole windows
    // of the view; those over its last instant always are.
    let outer = |window: &str| {
        format!("CREATE OR REPLACE MATERIALIZED VIEW y AS SELECT window_start AS hour, sum(n) AS n FROM v GROUP BY {window} EMIT")
    };
    let hours = |time: &str| outer(&format!("TUMBLE({time}, INTERVAL '1' HOUR)"));
    apply(&mut catalog, &format!("{} ON WINDOW CLOSE", hours("v.window_start"))).unwrap();
    for window in [
        "TUMBLE(v.window_start, INTERVAL '1' HOUR)",
        "TUMBLE(v.window_start, INTERVAL '1' HOUR, INTERVAL '5' MINUTE)",
        "HOP(v.window_start, INTERVAL '2' MINUTE, INTERVAL '5' MINUTE)",
        "CUMULATE(v.window_start, INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)",
    ] {
        apply(&mut catalog, &format!("{} FINAL", outer(window))).unwrap_or_else(|error| panic!("{window}: {error}"));
    }
    for window in [
        "TUMBLE(v.window_start, INTERVAL '90' SECOND)",
        "TUMBLE(v.window_start, INTERVAL '1' HOUR, INTERVAL '5' SECOND)",
        "TUMBLE(v.window_start + INTERVAL '1' SECOND, INTERVAL '1' HOUR)",
        "HOP(v.window_start, INTERVAL '1' MINUTE, INTERVAL '90' SECOND)",
        "CUMULATE(v.window_start, INTERVAL '30' SECOND, INTERVAL '5' MINUTE)",
        "SESSION(v.window_start, INTERVAL '1' HOUR)",
    ] {
        assert!(apply(&mut catalog, &format!("{} FINAL", outer(window))).is_err(), "{window}");
    }
    apply(&mut catalog, &format!("{} FINAL", hours("window_end - INTERVAL '1 microsecond'"))).unwrap();
    // A plain view is part of the query.
    apply(
        &mut catalog,
        &format!("CREATE VIEW p AS {MINUTES}; CREATE MATERIALIZED VIEW q AS SELECT n FROM p EMIT ON WINDOW CLOSE"),
    )
    .unwrap();
}

#[test]
fn ticks() {
    let policy = |query: &str| {
        let catalog = with_view(query);
        let circuit = catalog.relation("v").unwrap().circuit.clone().unwrap();
        assert!(circuit.is_timed());
        match &circuit.node(circuit.output).operator {
            Operator::Emit { policy } => *policy,
            _ => panic!("{}", explain::text(&circuit)),
        }
    };
    let every = |interval, ticks| EmitPolicy::Every { interval, ticks };
    assert_eq!(policy("SELECT id FROM plain EMIT EVERY INTERVAL '10' SECOND"), every(10_000_000, Ticks::Clock));
    assert_eq!(policy("SELECT id FROM plain EMIT EVERY INTERVAL '1' MINUTE ON CLOCK"), every(60_000_000, Ticks::Clock));
    assert_eq!(
        policy("SELECT auction FROM ask EMIT EVERY INTERVAL '10' SECOND ON WATERMARK"),
        every(10_000_000, Ticks::Watermark)
    );
    assert_eq!(policy("SELECT k FROM n EMIT EVERY 10 ON WATERMARK"), every(10, Ticks::Watermark));
}

#[test]
fn what_means_nothing_is_refused() {
    for (query, part) in [
        ("SELECT auction FROM bid ^EMIT ON WINDOW CLOSE", "use TUMBLE"),
        ("SELECT auction FROM bid ^EMIT FINAL", "no window"),
        ("SELECT id, window_end FROM TUMBLE(plain, ts, INTERVAL '1' MINUTE) ^EMIT ON WINDOW CLOSE", "declare WATERMARK FOR"),
        (
            "SELECT bidder, max(n) AS n FROM (SELECT bidder, window_end, count(*) AS n FROM bid GROUP BY bidder, TUMBLE(ts, INTERVAL '1' MINUTE)) AS x GROUP BY bidder ^EMIT FINAL",
            "keep window_end",
        ),
        ("SELECT count(*) AS n FROM TUMBLE(bid, ts, INTERVAL '1' MINUTE) ^EMIT ON WINDOW CLOSE", "keep window_end"),
        (
            "SELECT k, window_end, count(*) AS n FROM sloppy GROUP BY k, TUMBLE(ts, INTERVAL '1' MINUTE) ^EMIT FINAL",
            "sloppy accepts rows however late",
        ),
        // A person may change after the window has closed.
        (
            "SELECT x.window_end, p.name, x.n FROM (SELECT window_end, bidder, count(*) AS n FROM bid GROUP BY bidder, TUMBLE(ts, INTERVAL '1' MINUTE)) AS x JOIN plain AS p ON x.bidder = p.id ^EMIT FINAL",
            "a row can change after its window has closed",
        ),
        (
            "SELECT window_end, price FROM (SELECT window_end, price, row_number() OVER (PARTITION BY bidder ORDER BY price) AS place FROM TUMBLE(bid, ts, INTERVAL '1' MINUTE)) AS x WHERE place = 1 ^EMIT FINAL",
            "a row can change",
        ),
        ("SELECT id FROM plain ^EMIT EVERY INTERVAL '1' MINUTE ON WATERMARK", "use ON CLOCK"),
        ("SELECT k FROM n ^EMIT EVERY INTERVAL '1' MINUTE ON WATERMARK", "whole number"),
        ("SELECT k FROM n UNION ALL SELECT auction FROM ask ^EMIT EVERY 10 ON WATERMARK", "in numbers"),
        ("SELECT k FROM n ^EMIT EVERY 10", "must be an interval"),
    ] {
        let error = refused(query);
        assert!(error.to_string().contains(part), "{query}: {error}");
    }
    // Accepted however late, a row of a closed window is corrected.
    with_view("SELECT k, window_end, count(*) AS n FROM sloppy GROUP BY k, TUMBLE(ts, INTERVAL '1' MINUTE) EMIT ON WINDOW CLOSE");
}
