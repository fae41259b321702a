//! The TPC-H queries that need no subquery in an expression, as views over generated data (scale 0.01): loaded in random order and random commits,
//! 10 % of the rows deleted and inserted again, compared with DataFusion's batch engine at ten epochs and at the end.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use deltic::{Config, Database};
use deltic_tests::feed::{Feed, Table};
use deltic_tests::oracle;
use deltic_zset::ZBatch;
use deltic_zset::types::{canonical_type, canonicalize};
use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator, PartSuppGenerator, RegionGenerator,
    SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow, RegionArrow, SupplierArrow,
};

const SCALE: f64 = 0.01;
const QUERIES: [&str; 12] = ["q1", "q3", "q5", "q6", "q7", "q8", "q9", "q10", "q12", "q13", "q14", "q19"];

/// The batches of a generator as one table with canonical types.
fn table(name: &str, batches: impl Iterator<Item = RecordBatch>) -> Table {
    let batches: Vec<RecordBatch> = batches.collect();
    let rows = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    let columns: Vec<_> = rows.columns().iter().map(|column| canonicalize(column).unwrap()).collect();
    let fields: Vec<Field> = rows
        .schema()
        .fields()
        .iter()
        .map(|field| Field::new(field.name(), canonical_type(field.data_type()).unwrap(), true))
        .collect();
    Table { name: name.into(), rows: RecordBatch::try_new(Schema::new(fields).into(), columns).unwrap() }
}

fn tables() -> Vec<Table> {
    macro_rules! generate {
        ($name:literal, $arrow:ident, $generator:ident) => {
            table($name, $arrow::new($generator::new(SCALE, 1, 1)).map(Result::unwrap))
        };
    }
    vec![
        generate!("customer", CustomerArrow, CustomerGenerator),
        generate!("lineitem", LineItemArrow, LineItemGenerator),
        generate!("nation", NationArrow, NationGenerator),
        generate!("orders", OrderArrow, OrderGenerator),
        generate!("part", PartArrow, PartGenerator),
        generate!("partsupp", PartSuppArrow, PartSuppGenerator),
        generate!("region", RegionArrow, RegionGenerator),
        generate!("supplier", SupplierArrow, SupplierGenerator),
    ]
}

fn create(db: &Database, table: &Table) {
    let columns: Vec<String> =
        table.rows.schema().fields().iter().map(|field| format!("{} {}", field.name(), sql_type(field))).collect();
    db.execute(&format!("CREATE TABLE {} ({})", table.name, columns.join(", "))).unwrap();
}

fn sql_type(field: &Field) -> String {
    use arrow::datatypes::DataType;
    match field.data_type() {
        DataType::Int32 => "INT".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::Utf8 => "VARCHAR".into(),
        DataType::Date32 => "DATE".into(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision}, {scale})"),
        other => panic!("TPC-H has no {other}"),
    }
}

fn query(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tpch").join(format!("{name}.sql"))).unwrap()
}

fn compare(db: &Database, feed: &Feed, when: &str) {
    let contents = feed.contents().unwrap();
    for name in QUERIES {
        let wanted = oracle::query(&query(name), &contents).unwrap();
        let got: Vec<ZBatch> =
            db.query(&format!("SELECT * FROM {name}")).unwrap().iter().map(ZBatch::from_record_batch).collect();
        let schema = db.relation(name).unwrap().schema;
        let got = ZBatch::concat(&schema, &got).unwrap();
        if let Some(difference) = oracle::difference(&wanted, &got) {
            panic!("{name} {when}: {difference}");
        }
    }
}

#[test]
fn tpch_queries_equal_batch_under_random_loading_with_deletes() {
    let seed = rand::random();
    println!("seed {seed}");
    let tables = tables();
    let db = Database::open(Config::in_memory().workers(2).pin_workers(false)).unwrap();
    for table in &tables {
        create(&db, table);
    }
    for name in QUERIES {
        db.execute(&format!("CREATE MATERIALIZED VIEW {name} AS {}", query(name))).unwrap();
    }
    let mut feed = Feed::new(tables, 0.1, 60, seed);
    let stride = feed.len() / 11;
    let mut commits = 0;
    while feed.commit_next(&db).unwrap() {
        commits += 1;
        if commits % stride == 0 {
            compare(&db, &feed, &format!("after commit {commits} (seed {seed})"));
        }
    }
    compare(&db, &feed, &format!("at the end (seed {seed})"));
    for name in QUERIES {
        assert_eq!(db.errors(name).unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 0, "{name} has errors");
    }
}
