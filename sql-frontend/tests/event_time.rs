//! Event time in the catalog: what WATERMARK and its options mean, and what they cannot mean. The engine's tests say what rows become of it.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{apply, catalog_of, plan};
use deltic_sql::{
    Catalog, ClockStep, EventTimeDefinition, LatePolicy, OverflowPolicy, RelationKind, SqlError, Statement, WatermarkStrategy,
    parse, plan_advance_clock, plan_advance_watermark, plan_delete, plan_insert, plan_update,
};

fn event_time(create: &str) -> EventTimeDefinition {
    catalog_of(create).relation("s").unwrap().event_time.clone().unwrap()
}

#[test]
fn strategies() {
    const SECOND: i64 = 1_000_000;
    for (column, clause, strategy) in [
        ("TIMESTAMP", "AS ts", WatermarkStrategy::Bounded { delay: 0 }),
        ("TIMESTAMP", "AS ts - INTERVAL '5' SECOND", WatermarkStrategy::Bounded { delay: 5 * SECOND }),
        ("TIMESTAMPTZ", "AS (TS - (INTERVAL '1' MINUTE))", WatermarkStrategy::Bounded { delay: 60 * SECOND }),
        ("DATE", "AS ts - INTERVAL '1 day'", WatermarkStrategy::Bounded { delay: 86_400 * SECOND }),
        ("BIGINT", "AS ts - 5", WatermarkStrategy::Bounded { delay: 5 }),
        ("SMALLINT", "AS ts - 2 * 3", WatermarkStrategy::Bounded { delay: 6 }),
        ("TIMESTAMP", "", WatermarkStrategy::Punctuated),
        ("INT", "", WatermarkStrategy::Punctuated),
        ("TIMESTAMP", "AS PROCTIME()", WatermarkStrategy::ProcessingTime { delay: 0 }),
        ("TIMESTAMP", "AS proctime() - INTERVAL '100 milliseconds'", WatermarkStrategy::ProcessingTime { delay: 100_000 }),
    ] {
        let definition = event_time(&format!("CREATE STREAM s (k INT, ts {column}, WATERMARK FOR ts {clause})"));
        assert_eq!((definition.column, definition.strategy, definition.partition), (1, strategy, None), "{column} {clause}");
    }
    let definition = event_time(
        "CREATE TABLE s (k INT, j TEXT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '90' SECOND PER PARTITION (j, k))",
    );
    assert_eq!(definition.partition, Some(vec![1, 0]));
    let catalog =
        catalog_of("CREATE TABLE s (k INT, ts TIMESTAMP, WATERMARK FOR ts AS ts - INTERVAL '90' SECOND PER PARTITION (k))");
    let relation = catalog.relation("s").unwrap();
    let clause = relation.event_time.as_ref().unwrap().clause(&relation.schema).to_string();
    assert_eq!(clause, "WATERMARK FOR ts AS ts - INTERVAL '90 seconds' PER PARTITION (k)");
}

#[test]
fn options() {
    let definition = event_time(
        "CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS ts)
         WITH (allowed_lateness = '2 minutes', late_policy = 'WARN', max_future_skew = '1 hour', idle_timeout = '30s')",
    );
    assert_eq!((definition.allowed_lateness, definition.late_policy), (120_000_000, LatePolicy::Warn));
    assert_eq!((definition.max_future_skew, definition.idle_timeout), (Some(3_600_000_000), Some(30_000_000)));
    let definition =
        event_time("CREATE STREAM s (n BIGINT, WATERMARK FOR n) WITH (allowed_lateness = 7, idle_timeout = '1 day')");
    assert_eq!((definition.allowed_lateness, definition.late_policy), (7, LatePolicy::DeadLetter));
    assert_eq!((definition.max_future_skew, definition.idle_timeout), (None, Some(86_400_000_000)));
    let catalog = catalog_of("CREATE TABLE s (a INT) WITH (on_overflow = 'drop'); CREATE TABLE t (a INT)");
    assert_eq!(catalog.relation("s").unwrap().overflow, Some(OverflowPolicy::Drop));
    assert_eq!(catalog.relation("t").unwrap().overflow, None);
}

/// The error of `marked`, whose place is checked.
fn refused(catalog: &mut Catalog, marked: &str) -> SqlError {
    let (before, after) = marked.split_once('^').unwrap();
    let error = match apply(catalog, &format!("{before}{after}")) {
        Err(error) => error,
        Ok(_) => panic!("{marked} was accepted"),
    };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    assert_eq!((error.line, error.column), (line, column), "{marked}: {error}");
    error
}

#[test]
fn what_cannot_be_is_refused() {
    for (columns, code, part) in [
        ("ts TIMESTAMP, WATERMARK FOR ^tss", "DT1003", "did you mean ts?"),
        ("ts TEXT, WATERMARK FOR ^ts", "DT1010", "cannot be an event time"),
        ("ts TIMESTAMP, WATERMARK FOR ts AS ^ts + INTERVAL '5' SECOND", "DT1009", "not a way"),
        ("ts TIMESTAMP, t2 TIMESTAMP, WATERMARK FOR ts AS ^t2", "DT1009", "not a way"),
        ("ts TIMESTAMP, WATERMARK FOR ts AS ^ts - INTERVAL '1' MONTH", "DT1010", "months"),
        ("ts TIMESTAMP, WATERMARK FOR ts AS ^ts - 5", "DT1010", "INTERVAL '5' SECOND"),
        ("ts BIGINT, WATERMARK FOR ts AS ^ts - INTERVAL '5' SECOND", "DT1010", "whole number"),
        ("ts BIGINT, WATERMARK FOR ts AS ^ts - 1.5", "DT1010", "whole number"),
        ("ts TIMESTAMP, WATERMARK FOR ts AS ^ts - INTERVAL '-5 seconds'", "DT1014", "negative"),
        ("ts BIGINT, WATERMARK FOR ts AS ^PROCTIME()", "DT1010", "number"),
        ("ts TIMESTAMP, WATERMARK FOR ts ^PER PARTITION (ts)", "DT1014", "follows the rows"),
        ("ts TIMESTAMP, WATERMARK FOR ts AS ts PER PARTITION (^k)", "DT1003", "unknown column k"),
        ("ts TIMESTAMP, k INT, WATERMARK FOR ts AS ts PER PARTITION (k, ^k)", "DT1008", "more than once"),
        ("ts TIMESTAMP, ^late_epoch INT, WATERMARK FOR ts AS ts", "DT1008", "late_policy"),
    ] {
        let error = refused(&mut Catalog::new(), &format!("CREATE STREAM s ({columns})"));
        assert_eq!(error.code, code, "{columns}: {error}");
        assert!(error.to_string().contains(part), "{columns}: {error}");
    }
    for (time, options, part) in [
        ("TIMESTAMP", "allowed_lateness = ^5", "a duration such as '2 minutes', not '5'"),
        ("TIMESTAMP", "allowed_lateness = ^-5", "a duration"),
        ("TIMESTAMP", "allowed_lateness = ^'1 month'", "a duration"),
        ("TIMESTAMP", "allowed_lateness = ^'soon'", "a duration"),
        ("BIGINT", "allowed_lateness = ^'5 minutes'", "a whole number"),
        ("BIGINT", "^max_future_skew = '1 hour'", "is a number"),
        ("TIMESTAMP", "late_policy = ^'acept'", "did you mean accept?"),
        ("TIMESTAMP", "late_policy = ^late_policy", "one of dead_letter, drop, warn, accept"),
        ("TIMESTAMP", "idle_timeout = ^'0 seconds'", "positive"),
        ("TIMESTAMP", "on_overflow = ^'wait'", "one of block, drop, error"),
        ("TIMESTAMP", "late_policy = 'accept', ^allowed_lateness = '1 hour'", "means nothing"),
    ] {
        let sql = format!("CREATE STREAM s (ts {time}, WATERMARK FOR ts AS ts) WITH ({options})");
        let error = refused(&mut Catalog::new(), &sql);
        assert_eq!(error.code, "DT1015", "{sql}: {error}");
        assert!(error.to_string().contains(part), "{sql}: {error}");
    }
    let mut catalog = Catalog::new();
    refused(&mut catalog, "CREATE STREAM s (ts TIMESTAMP) WITH (^allowed_lateness = '1 hour')");
    refused(&mut catalog, "CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS PROCTIME()) WITH (^idle_timeout = '1 hour')");
    refused(&mut catalog, "CREATE VIEW v AS SELECT 1 AS a ^EMIT CHANGES");
    refused(&mut catalog, "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a ^EMIT EVERY INTERVAL '1' MONTH");
    refused(&mut catalog, "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a ^EMIT EVERY INTERVAL '0' SECOND");
    apply(&mut catalog, "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a EMIT CHANGES").unwrap();
}

#[test]
fn a_source_has_a_relation_of_its_late_rows() {
    let mut catalog = catalog_of(
        "CREATE STREAM s (k INT NOT NULL, ts DATE, WATERMARK FOR ts AS ts);
         CREATE TABLE quiet (ts TIMESTAMP PRIMARY KEY, WATERMARK FOR ts AS ts) WITH (late_policy = 'drop');
         CREATE MATERIALIZED VIEW late_reasons AS SELECT late_reason, count(*) AS n FROM s$late GROUP BY late_reason",
    );
    let late = catalog.relation("s$late").unwrap();
    assert_eq!((late.kind, &late.depends_on[..]), (RelationKind::LateRows, &["s".to_string()][..]));
    let columns: Vec<String> = late
        .schema
        .fields()
        .iter()
        .map(|f| format!("{} {}{}", f.name(), f.data_type(), if f.is_nullable() { "" } else { " not null" }))
        .collect();
    assert_eq!(
        columns,
        [
            "k Int32",
            "ts Date32",
            "late_reason Utf8 not null",
            "late_operation Utf8 not null",
            "late_watermark Date32",
            "late_epoch Int64 not null"
        ]
    );
    assert_eq!(catalog.relation("s").unwrap().late_rows().as_deref(), Some("s$late"));
    assert_eq!(catalog.relation("quiet").unwrap().late_rows(), None);
    assert!(catalog.relation("quiet$late").is_none());
    plan(&catalog, "SELECT * FROM s$late AS l WHERE l.late_epoch > 3");
    // It is changed by its source only, and goes with it.
    for sql in ["INSERT INTO s$late VALUES (1)", "UPDATE s$late SET k = 1", "DELETE FROM s$late"] {
        let error = match parse(sql).unwrap().remove(0).statement {
            Statement::Insert(insert) => plan_insert(&catalog, &insert, &|| 0).unwrap_err(),
            Statement::Update(update) => plan_update(&catalog, &update, &|| 0).unwrap_err(),
            Statement::Delete(delete) => plan_delete(&catalog, &delete, &|| 0).unwrap_err(),
            _ => panic!(),
        };
        assert_eq!(error.code, "DT1013", "{error}");
        assert!(error.to_string().contains("TRUNCATE"), "{error}");
    }
    assert!(refused(&mut catalog, "DROP TABLE ^s$late").to_string().contains("dropped with its source"));
    assert!(refused(&mut catalog, "CREATE TABLE ^s$late (a INT)").to_string().contains("exists"));
    assert_eq!(refused(&mut catalog, "DROP STREAM ^s").code, "DT1007");
    apply(&mut catalog, "DROP MATERIALIZED VIEW late_reasons; DROP STREAM s; DROP TABLE quiet").unwrap();
    assert_eq!(catalog.relations().count(), 0);
    // A relation that has the name already is in the way.
    apply(&mut catalog, "CREATE TABLE s$late (a INT)").unwrap();
    assert_eq!(refused(&mut catalog, "CREATE STREAM ^s (ts DATE, WATERMARK FOR ts)").code, "DT1006");
    assert_eq!(catalog.relations().count(), 1);
}

#[test]
fn watermarks_and_clocks_advance_to_constants() {
    let catalog = catalog_of(
        "CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts); CREATE STREAM d (ts DATE, WATERMARK FOR ts AS ts);
         CREATE STREAM n (ts INT, WATERMARK FOR ts); CREATE STREAM z (ts TIMESTAMPTZ, WATERMARK FOR ts); CREATE TABLE t (a INT)",
    );
    let advance = |sql: &str| match parse(sql).unwrap().remove(0).statement {
        Statement::AdvanceWatermark(advance) => plan_advance_watermark(&catalog, &advance).map(|(_, time)| time),
        _ => panic!("{sql}"),
    };
    assert_eq!(advance("ADVANCE WATERMARK s TO TIMESTAMP '1970-01-01 00:00:01'").unwrap(), 1_000_000);
    assert_eq!(advance("ADVANCE WATERMARK s TO '1970-01-01 00:00:01'").unwrap(), 1_000_000);
    assert_eq!(advance("ADVANCE WATERMARK s TO TIMESTAMP '1970-01-01' + INTERVAL '1' SECOND").unwrap(), 1_000_000);
    assert_eq!(advance("ADVANCE WATERMARK s TO DATE '1969-12-31'").unwrap(), -86_400_000_000);
    assert_eq!(advance("ADVANCE WATERMARK d TO DATE '1970-01-02'").unwrap(), 86_400_000_000);
    assert_eq!(advance("ADVANCE WATERMARK z TO TIMESTAMPTZ '1970-01-01 00:00:01Z'").unwrap(), 1_000_000);
    assert_eq!(advance("ADVANCE WATERMARK n TO -5 + 12").unwrap(), 7);
    for (sql, code) in [
        ("ADVANCE WATERMARK t TO 5", "DT1013"),
        ("ADVANCE WATERMARK x TO 5", "DT1002"),
        ("ADVANCE WATERMARK s TO 5", "DT1010"),
        ("ADVANCE WATERMARK s TO 'soon'", "DT1010"),
        ("ADVANCE WATERMARK n TO 1.5", "DT1010"),
        ("ADVANCE WATERMARK n TO DATE '1970-01-02'", "DT1010"),
        ("ADVANCE WATERMARK n TO NULL", "DT1010"),
        ("ADVANCE WATERMARK n TO 3000000000", "DT1010"),
        ("ADVANCE WATERMARK n TO ts", "DT1003"),
        ("ADVANCE WATERMARK n TO 1 / 0", "DT1014"),
    ] {
        assert_eq!(advance(sql).unwrap_err().code, code, "{sql}");
    }
    let clock = |sql: &str| match parse(sql).unwrap().remove(0).statement {
        Statement::AdvanceClock(advance) => plan_advance_clock(&advance),
        _ => panic!("{sql}"),
    };
    assert_eq!(clock("ADVANCE CLOCK TO '1970-01-01 00:00:01'").unwrap(), ClockStep::To(1_000_000));
    assert_eq!(clock("ADVANCE CLOCK BY INTERVAL '1 minute'").unwrap(), ClockStep::By(60_000_000));
    for sql in
        ["ADVANCE CLOCK BY INTERVAL '-1 minute'", "ADVANCE CLOCK BY 5", "ADVANCE CLOCK TO 5", "ADVANCE CLOCK TO INTERVAL '1' DAY"]
    {
        assert_eq!(clock(sql).unwrap_err().code, "DT1010", "{sql}");
    }
}
