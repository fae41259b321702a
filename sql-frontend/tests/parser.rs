//! What is accepted, and where and how the rest is refused. Catches wrong positions, lost clauses and words that were taken for
//! something else; says nothing about meaning.

#![allow(clippy::unwrap_used, missing_docs)]

use deltic_sql::{
    CopyDirection, CopyFormat, CopySource, ExplainFormat, ExplainTarget, ExplainWhat, RelationKind, Show, Statement, parse,
};

fn one(sql: &str) -> Statement {
    let mut statements = parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!(statements.len(), 1, "{sql}");
    statements.remove(0).statement
}

/// Each script has one mistake, after the mark `^`.
fn refused(marked: &str, code: &str, part: &str) {
    let (before, after) = marked.split_once('^').unwrap();
    let sql = format!("{before}{after}");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    let error = parse(&sql).expect_err(&sql);
    let text = error.to_string();
    assert_eq!((error.code, error.line, error.column), (code, line, column), "{marked}: {text}");
    assert!(text.to_lowercase().contains(&part.to_lowercase()), "{marked}: {text}");
}

#[test]
fn statements_have_spans_of_the_script() {
    let script = "-- first\nSELECT 1;\n\n  INSERT INTO t VALUES ('ä;b') ; -- a semicolon in a string ends nothing\n;BEGIN";
    let statements = parse(script).unwrap();
    let texts: Vec<&str> = statements.iter().map(|parsed| parsed.sql.as_str()).collect();
    assert_eq!(texts, ["SELECT 1", "INSERT INTO t VALUES ('ä;b')", "BEGIN"]);
    let span = statements[1].span;
    assert_eq!((span.line, span.column), (4, 3));
    assert_eq!(&script[span.start..span.end], texts[1]);
    assert!(parse("  -- nothing\n").unwrap().is_empty());
}

#[test]
fn tables_and_streams() {
    let create = one(
        "CREATE TABLE IF NOT EXISTS \"Odd\" (Key BIGINT PRIMARY KEY, value VARCHAR(10) NOT NULL DEFAULT 'x' , b DOUBLE NULL)",
    );
    let Statement::CreateTable(table) = create else { panic!() };
    assert_eq!((table.name.value.as_str(), table.stream, table.if_not_exists), ("Odd", false, true));
    for sql in [
        "CREATE TABLE t (a INT, b INT, PRIMARY KEY (a, b))",
        "CREATE TABLE t (a INT, CONSTRAINT pk PRIMARY KEY (a))",
        "CREATE TABLE t (primary INT, unique INT, key INT, index INT, timestamp TIMESTAMP, date DATE)",
        "CREATE STREAM s (a INT, ts TIMESTAMP WITH TIME ZONE)",
    ] {
        assert!(matches!(one(sql), Statement::CreateTable(_)), "{sql}");
    }
}

#[test]
fn views_and_drops() {
    let Statement::CreateView(view) =
        one("CREATE OR REPLACE MATERIALIZED VIEW V (a, \"B\") AS WITH x AS (SELECT 1) SELECT * FROM x")
    else {
        panic!()
    };
    assert!(view.or_replace && view.materialized && !view.if_not_exists);
    let names: Vec<&str> = view.columns.iter().map(|name| name.value.as_str()).collect();
    assert_eq!((view.name.value.as_str(), names), ("v", vec!["a", "B"]));
    assert!(matches!(one("CREATE VIEW v AS VALUES (1)"), Statement::CreateView(view) if !view.materialized));
    assert!(
        matches!(one("CREATE MATERIALIZED VIEW IF NOT EXISTS v AS SELECT 1"), Statement::CreateView(view) if view.if_not_exists)
    );
    let Statement::Drop(drop) = one("DROP MATERIALIZED VIEW IF EXISTS a, b CASCADE") else { panic!() };
    assert_eq!((drop.kind, drop.if_exists, drop.cascade, drop.names.len()), (RelationKind::MaterializedView, true, true, 2));
}

#[test]
fn changes_and_transactions() {
    assert!(matches!(one("INSERT INTO t (a, b) SELECT 1, 2"), Statement::Insert(insert) if insert.columns.len() == 2));
    assert!(matches!(one("INSERT INTO t (SELECT 1)"), Statement::Insert(insert) if insert.columns.is_empty()));
    assert!(matches!(one("INSERT INTO t DEFAULT VALUES"), Statement::Insert(insert) if insert.source.is_none()));
    assert!(matches!(one("UPDATE t AS x SET a = x.a + 1, b = DEFAULT WHERE x.a > 1"), Statement::Update(_)));
    assert!(matches!(one("DELETE FROM t x WHERE x.a > 1"), Statement::Delete(_)));
    assert!(matches!(one("DELETE FROM t"), Statement::Delete(_)));
    assert!(matches!(one("TRUNCATE t"), Statement::Truncate { .. }));
    for (sql, debug) in [
        ("BEGIN TRANSACTION", "Begin"),
        ("START TRANSACTION", "Begin"),
        ("COMMIT WORK", "Commit"),
        ("END", "Commit"),
        ("ABORT", "Rollback"),
    ] {
        assert_eq!(format!("{:?}", one(sql)), debug);
    }
}

#[test]
fn copies() {
    let Statement::Copy(copy) = one("COPY t (a) FROM 'x/y.dat' (FORMAT csv, rows_per_commit 1000, header false, delimiter ';')")
    else {
        panic!()
    };
    assert_eq!((copy.direction, copy.format, copy.path.as_str()), (CopyDirection::From, CopyFormat::Csv, "x/y.dat"));
    assert_eq!((copy.rows_per_commit, copy.header, copy.delimiter), (Some(1000), false, b';'));
    let Statement::Copy(copy) = one("COPY (SELECT 1) TO 'x.parquet'") else { panic!() };
    assert!(matches!((copy.source, copy.format), (CopySource::Query(_), CopyFormat::Parquet)));
    assert!(matches!(one("COPY t TO 'x' WITH (FORMAT = 'arrow')"), Statement::Copy(copy) if copy.format == CopyFormat::Arrow));
}

#[test]
fn questions() {
    assert!(matches!(one("SUBSCRIBE TO a, b"), Statement::Subscribe { relations } if relations.len() == 2));
    assert!(matches!(one("SUBSCRIBE v"), Statement::Subscribe { relations } if relations[0].value == "v"));
    assert!(matches!(one("SHOW STATS FOR v"), Statement::Show(Show::Stats(Some(_)))));
    assert!(matches!(one("SHOW ERRORS FOR v"), Statement::Show(Show::Errors(_))));
    assert!(matches!(one("DESCRIBE v"), Statement::Describe { .. }));
    let Statement::Explain(explain) = one("EXPLAIN CIRCUIT (FORMAT mermaid) v") else { panic!() };
    assert!(matches!(
        (explain.what, explain.format, explain.target),
        (ExplainWhat::Circuit, ExplainFormat::Mermaid, ExplainTarget::View(_))
    ));
    assert!(matches!(one("EXPLAIN PLAN SELECT 1"), Statement::Explain(explain) if explain.what == ExplainWhat::Plan));
    assert!(
        matches!(one("EXPLAIN plan"), Statement::Explain(explain) if matches!(&explain.target, ExplainTarget::View(name) if name.value == "plan"))
    );
    assert!(
        matches!(one("EXPLAIN (FORMAT json) (SELECT 1)"), Statement::Explain(explain) if explain.format == ExplainFormat::Json)
    );
    assert!(matches!(one("(SELECT 1) UNION ALL (SELECT 2)"), Statement::Query(_)));
}

#[test]
fn event_time() {
    for sql in [
        "CREATE STREAM s (ts TIMESTAMP, k INT, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND PER PARTITION (k))",
        "CREATE TABLE s (ts TIMESTAMP, WATERMARK FOR ts) WITH (late_policy = 'drop', allowed_lateness = '2 minutes')",
        // A column may be called like the clause.
        "CREATE TABLE s (watermark BIGINT, emit INT, WATERMARK FOR watermark AS watermark - 5)",
    ] {
        assert!(matches!(one(sql), Statement::CreateTable(_)), "{sql}");
    }
    for emit in [
        "EMIT CHANGES",
        "EMIT ON UPDATE",
        "EMIT ON WINDOW CLOSE",
        "EMIT AFTER WATERMARK",
        "EMIT FINAL",
        "EMIT EVERY INTERVAL '10' SECOND",
        "EMIT EVERY INTERVAL '10' SECOND ON CLOCK",
        "emit every interval '10 seconds' on watermark",
    ] {
        for query in ["SELECT a FROM t", "SELECT 1 AS a", "SELECT a FROM t AS x WHERE a > 1", "SELECT count(*) FROM t GROUP BY a"]
        {
            let Statement::CreateView(view) = one(&format!("CREATE MATERIALIZED VIEW v AS {query} {emit}")) else { panic!() };
            assert_eq!(view.query.to_string(), query, "{emit}");
            assert_eq!(view.emit.unwrap().position.column, query.len() + 32, "{emit}");
        }
    }
    assert!(matches!(one("SELECT emit FROM emit"), Statement::Query(_)));
    assert!(
        matches!(one("ADVANCE WATERMARK s TO TIMESTAMP '2024-01-01 00:00:00'"), Statement::AdvanceWatermark(advance) if advance.source.value == "s")
    );
    assert!(matches!(one("ADVANCE CLOCK BY INTERVAL '5' SECOND"), Statement::AdvanceClock(_)));
    assert!(matches!(one("ADVANCE CLOCK TO '2024-01-01'"), Statement::AdvanceClock(_)));
    for sql in [
        "EXPLAIN STATE v",
        "EXPLAIN (STATE) v",
        "EXPLAIN (STATE, FORMAT text) v",
        "EXPLAIN STATE SELECT 1",
        "EXPLAIN (STATE) SELECT 1",
    ] {
        assert!(matches!(one(sql), Statement::Explain(explain) if explain.what == ExplainWhat::State), "{sql}");
    }
    assert!(matches!(one("EXPLAIN state"), Statement::Explain(explain) if explain.what == ExplainWhat::Circuit));
    assert!(matches!(one("SUBSCRIBE s$late"), Statement::Subscribe { relations } if relations[0].value == "s$late"));
}

#[test]
fn mistakes_have_a_place_a_code_and_a_hint() {
    for (marked, code, part) in [
        ("^SELEC 1", "DT1005", "did you mean SELECT?"),
        ("SELECT 1;\n  CREATE MATERIALIZED ^VEIW v AS SELECT 1", "DT1005", "did you mean VIEW?"),
        ("^ALTER TABLE t ADD COLUMN a INT", "DT1009", "ALTER is not supported"),
        ("CREATE ^INDEX i ON t (a)", "DT1009", "CREATE INDEX"),
        ("SELECT a FROM t\nWHERE a = ^)", "DT1001", "expected"),
        ("SELECT 1 ^2", "DT1001", "2"),
        ("SELECT a FROM t ^EMIT ON WINDOW CLOSE", "DT1009", "CREATE MATERIALIZED VIEW"),
        ("INSERT INTO t SELECT a FROM u ^EMIT FINAL", "DT1009", "CREATE MATERIALIZED VIEW"),
        ("SUBSCRIBE v ^EMIT CHANGES", "DT1009", "EMIT in SUBSCRIBE"),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1 FROM t EMIT ^SOMETIMES", "DT1001", ""),
        ("CREATE MATERIALIZED VIEW v AS SELECT 1 AS a EMIT ON ^WINDOW", "DT1001", ""),
        ("CREATE TABLE t (ts TIMESTAMP, WATERMARK FOR ts AS ts, ^WATERMARK FOR ts)", "DT1014", "one watermark"),
        ("CREATE TABLE t (ts TIMESTAMP, WATERMARK FOR ts PER PARTITION ^k)", "DT1001", "expected ("),
        ("ADVANCE ^WATERMRAK s TO 3", "DT1005", "did you mean WATERMARK?"),
        ("ADVANCE CLOCK ^3", "DT1001", "TO or BY"),
        ("EXPLAIN STATE (^FORMAT json) v", "DT1009", ""),
        ("EXPLAIN (STATE, ^PLAN) v", "DT1015", "one thing"),
        ("EXPLAIN (^STAT) v", "DT1009", "known are CIRCUIT, PLAN, STATE"),
        ("CREATE TABLE t (a ^INTT)", "DT1010", "did you mean INT?"),
        ("CREATE TABLE t (a INT, ^A TEXT)", "DT1008", "more than once"),
        ("CREATE STREAM t (a INT ^PRIMARY KEY)", "DT1014", "CREATE TABLE"),
        ("CREATE TABLE t (a INT ^UNIQUE)", "DT1009", "UNIQUE"),
        ("CREATE TABLE t (a INT, ^CHECK (a > 0))", "DT1009", "CHECK"),
        ("CREATE TABLE t (a INT) WITH (^x = 1)", "DT1015", "known are allowed_lateness"),
        ("CREATE STREAM t (a INT) WITH (^late_polcy = 'drop')", "DT1015", "did you mean late_policy?"),
        ("CREATE TABLE t (a INT) ^APPEND ONLY", "DT1009", "APPEND"),
        ("CREATE VIEW v AS SELECT 1 ^WITH NO DATA", "DT1009", "WITH"),
        ("COPY t FROM 'x.csv' (^rows_per_comit 3)", "DT1015", "did you mean rows_per_commit?"),
        ("COPY t FROM 'x.json' (^header true)", "DT1015", "CSV"),
        ("COPY t FROM ^'x'", "DT1015", "format"),
        ("COPY t FROM 'x' (FORMAT ^xml)", "DT1015", "csv, json, parquet or arrow"),
        ("INSERT INTO t VALUES (1) ^ON CONFLICT DO NOTHING", "DT1009", "ON of an INSERT"),
        ("INSERT INTO t VALUES (1) ^RETURNING a", "DT1009", "RETURNING"),
        ("UPDATE t SET a = 1 ^FROM u", "DT1009", "FROM in an UPDATE"),
        ("SHOW ^TABELS", "DT1005", "did you mean TABLES?"),
        ("SELECT * FROM ^public.t; SELECT 1 1", "DT1001", ""),
        ("SUBSCRIBE ^SELECT 1", "DT1009", "SUBSCRIBE to a query"),
        ("EXPLAIN ^ANALYZE SELECT 1", "DT1009", "EXPLAIN ANALYZE"),
        ("DROP TABLE ^a.b", "DT1009", "schema"),
        ("SELECT ^'abc", "DT1001", "string"),
    ]
    .into_iter()
    .filter(|(_, _, part)| !part.is_empty())
    {
        refused(marked, code, part);
    }
}

#[test]
fn an_error_at_the_end_is_placed_at_the_end() {
    let error = parse("SELECT a FROM").unwrap_err();
    assert_eq!((error.code, error.line, error.column), ("DT1001", 1, 14), "{error}");
    let error = parse("CREATE TABLE t (a INT").unwrap_err();
    assert_eq!((error.code, error.line), ("DT1001", 1), "{error}");
}

#[test]
fn long_chains_and_deep_nesting_do_not_overflow_the_stack() {
    let terms: Vec<String> = (0..20_000).map(|value| format!("a = {value}")).collect();
    assert!(matches!(one(&format!("SELECT a FROM t WHERE {}", terms.join(" OR "))), Statement::Query(_)));
    let sum = vec!["1"; 10_000].join(" + ");
    assert_eq!(parse(&format!("SELECT {sum}")).unwrap_err().code, "DT1017");
    let nested = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert_eq!(parse(&nested).unwrap_err().code, "DT1017");
}
