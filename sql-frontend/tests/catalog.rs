//! Relations and what depends on them. Catches dependencies that are missed or kept too long; the contents of plans are tested elsewhere.

#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{apply, catalog, catalog_of};
use deltic_sql::{Catalog, Created, RelationKind, SqlError};

fn error(catalog: &mut Catalog, script: &str) -> SqlError {
    match apply(catalog, script) {
        Err(error) => error,
        Ok(_) => panic!("{script} was accepted"),
    }
}

#[test]
fn a_table_has_types_keys_defaults_and_lengths() {
    let catalog = catalog_of(
        "CREATE TABLE T (Key BIGINT, \"Value\" VARCHAR(3) DEFAULT 'ab', x DECIMAL(10, 2) DEFAULT 1 NOT NULL, f FLOAT, r REAL,
         ts TIMESTAMP, tz TIMESTAMPTZ, t TIME, i INTERVAL, b BYTEA, l INT[], PRIMARY KEY (x, key))",
    );
    let relation = catalog.relation("t").unwrap();
    let columns: Vec<String> = relation
        .schema
        .fields()
        .iter()
        .map(|f| format!("{} {}{}", f.name(), f.data_type(), if f.is_nullable() { "" } else { " not null" }))
        .collect();
    assert_eq!(
        columns,
        [
            "key Int64 not null",
            "Value Utf8",
            "x Decimal128(10, 2) not null",
            "f Float64",
            "r Float32",
            "ts Timestamp(µs)",
            "tz Timestamp(µs, \"UTC\")",
            "t Time64(µs)",
            "i Interval(MonthDayNano)",
            "b Binary",
            "l List(Int32)"
        ]
    );
    assert_eq!(relation.primary_key, Some(vec![2, 0]));
    assert_eq!(relation.max_lengths[1], Some(3));
    assert_eq!(relation.defaults[1].as_ref().unwrap().to_string(), "'ab'");
    assert_eq!(relation.defaults[2].as_ref().unwrap().data_type().to_string(), "Decimal128(10, 2)");
    assert!(relation.defaults[0].is_none());
}

#[test]
fn what_a_table_cannot_have_is_refused() {
    let mut catalog = catalog();
    for (sql, code, part) in [
        ("CREATE TABLE t (a INT)", "DT1006", "exists"),
        ("CREATE TABLE x (a INT, PRIMARY KEY (b))", "DT1003", "unknown column b"),
        ("CREATE TABLE x (a INT DEFAULT 'x')", "DT1014", "default"),
        ("CREATE TABLE x (a INT DEFAULT b)", "DT1003", "b"),
        ("CREATE TABLE x (a TIMESTAMP DEFAULT now())", "DT1011", "now"),
        ("CREATE TABLE x (a TIMESTAMP(3))", "DT1010", "TIMESTAMP(3)"),
        ("CREATE TABLE x (a DECIMAL(60, 2))", "DT1010", "60"),
        ("CREATE TABLE x (a XML)", "DT1010", "XML"),
    ] {
        let error = error(&mut catalog, sql);
        assert_eq!(error.code, code, "{sql}: {error}");
        assert!(error.to_string().contains(part), "{sql}: {error}");
    }
    assert!(matches!(apply(&mut catalog, "CREATE TABLE IF NOT EXISTS t (a INT)").unwrap()[..], [Created::Exists(_)]));
}

#[test]
fn views_depend_on_what_they_name() {
    let mut catalog = catalog();
    apply(
        &mut catalog,
        "CREATE VIEW plain AS SELECT a, b FROM t;
         CREATE MATERIALIZED VIEW first AS SELECT plain.a, c FROM plain JOIN u ON plain.a = u.a;
         CREATE MATERIALIZED VIEW second AS SELECT count(*) AS n FROM first",
    )
    .unwrap();
    assert_eq!(catalog.relation("first").unwrap().depends_on, ["plain", "u"]);
    assert_eq!(catalog.relation("first").unwrap().circuit.as_ref().unwrap().sources(), ["t", "u"]);
    assert_eq!(catalog.dependents("t"), ["second", "first", "plain"]);
    let refused = error(&mut catalog, "DROP TABLE t");
    assert_eq!(refused.code, "DT1007");
    assert!(refused.to_string().contains("CASCADE"), "{refused}");
    assert_eq!(error(&mut catalog, "DROP TABLE first").code, "DT1013");
    assert_eq!(error(&mut catalog, "DROP TABLE nothing").code, "DT1002");
    apply(&mut catalog, "DROP TABLE IF EXISTS nothing").unwrap();
    assert_eq!(error(&mut catalog, "CREATE OR REPLACE VIEW plain AS SELECT a FROM u").code, "DT1007");
    apply(&mut catalog, "DROP TABLE u, t CASCADE").unwrap();
    let left: Vec<&str> = catalog.relations().map(|relation| relation.name.as_str()).collect();
    assert_eq!(left, ["e"]);
}

#[test]
fn a_view_can_be_replaced_and_cannot_read_itself() {
    let mut catalog = catalog();
    apply(&mut catalog, "CREATE MATERIALIZED VIEW v AS SELECT a FROM t").unwrap();
    let created = apply(&mut catalog, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT b FROM t").unwrap();
    let [Created::Replaced { old, new }] = &created[..] else { panic!() };
    assert_eq!((old.schema.field(0).name().as_str(), new.schema.field(0).name().as_str()), ("a", "b"));
    assert_eq!(error(&mut catalog, "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT b FROM v").code, "DT1002");
    assert_eq!(error(&mut catalog, "CREATE OR REPLACE VIEW t AS SELECT 1").code, "DT1013");
    assert_eq!(catalog.relation("v").unwrap().kind, RelationKind::MaterializedView);
}

#[test]
fn columns_of_views_have_names_and_each_its_own() {
    let mut catalog = catalog();
    let names = |catalog: &Catalog, name: &str| -> Vec<String> {
        catalog.relation(name).unwrap().schema.fields().iter().map(|field| field.name().clone()).collect()
    };
    apply(
        &mut catalog,
        "CREATE MATERIALIZED VIEW v AS SELECT count(*), sum(b), a + 1, CAST(b AS INT), upper(s) FROM t GROUP BY a, b, s;
         CREATE MATERIALIZED VIEW w (x, y) AS SELECT a, b, s FROM t;
         CREATE VIEW p (x, y) AS SELECT a, a FROM t;
         CREATE MATERIALIZED VIEW q AS SELECT y, x + 1 FROM p",
    )
    .unwrap();
    assert_eq!(names(&catalog, "v"), ["count", "sum", "column3", "b", "upper"]);
    assert_eq!(names(&catalog, "w"), ["x", "y", "s"]);
    assert_eq!(names(&catalog, "q"), ["y", "column2"]);
    for sql in [
        "CREATE VIEW x AS SELECT a, a FROM t",
        "CREATE VIEW x AS SELECT t.a, u.a FROM t JOIN u ON t.a = u.a",
        "CREATE VIEW x AS SELECT sum(a), sum(b) FROM t",
    ] {
        let error = error(&mut catalog, sql);
        assert_eq!(error.code, "DT1008", "{sql}: {error}");
        assert!(error.hint.as_ref().unwrap().contains("alias"), "{sql}: {error}");
    }
    // What only the order reads is no column.
    apply(
        &mut catalog,
        "CREATE VIEW x AS SELECT a FROM t ORDER BY b; CREATE MATERIALIZED VIEW y AS SELECT a FROM t ORDER BY b LIMIT 1",
    )
    .unwrap();
    assert_eq!((names(&catalog, "x"), names(&catalog, "y")), (vec!["a".to_owned()], vec!["a".to_owned()]));
}
