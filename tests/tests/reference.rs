//! The reference of supported SQL: each feature of `reference/features.txt` runs, as a statement and as a materialized view, and the page of the book is
//! made of the same file.
//!
//! `DELTIC_UPDATE_REFERENCE=1 cargo test -p deltic-tests --test reference` writes the page anew.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::{Path, PathBuf};

use deltic::{Config, Database, Outcome};
use deltic_tests::slt;

const HEADER: &str = "\
# Reference

<!-- Made from tests/reference/features.txt by tests/tests/reference.rs: change that file. -->

One example for each feature, with its result: the same file that makes this page is run as a test, each query as a statement and as a materialized view. Rows
are separated by `;`. What is refused says so. Examples read these tables:
";

/// What an example should do.
enum Expected {
    Rows(Vec<String>),
    Refused(String),
}

struct Feature {
    section: String,
    name: String,
    sql: String,
    expected: Expected,
}

/// The statements that make the tables, and the features.
fn parse(text: &str) -> (String, Vec<Feature>) {
    let (mut setup, mut features) = (String::new(), Vec::new());
    let (mut section, mut name, mut sql) = (String::new(), String::new(), String::new());
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
        let expected = if let Some(rows) = line.strip_prefix("= ") {
            Expected::Rows(rows.split(" | ").map(String::from).collect())
        } else if let Some(message) = line.strip_prefix("! ") {
            Expected::Refused(message.into())
        } else {
            if let Some(title) = line.strip_prefix("== ") {
                section = title.into();
            } else if let Some(statement) = line.strip_prefix("  ") {
                let block = if name == "setup" { &mut setup } else { &mut sql };
                let _ = writeln!(block, "{statement}");
            } else {
                name = line.into();
            }
            continue;
        };
        let sql = std::mem::take(&mut sql);
        assert!(!sql.is_empty(), "{name} has no example");
        features.push(Feature { section: section.clone(), name: name.clone(), sql: sql.trim_end().into(), expected });
    }
    (setup, features)
}

fn rows(db: &Database, sql: &str) -> Result<Vec<String>, deltic::Error> {
    match db.execute(sql)?.into_iter().next() {
        Some(Outcome::Rows(rows)) => Ok(slt::text(&rows)?.into_iter().map(|row| row.join(", ")).collect()),
        _ => Ok(Vec::new()),
    }
}

/// What is wrong with a feature, as a statement or as a view.
fn check(db: &Database, feature: &Feature) -> Result<(), String> {
    let Feature { sql, expected, .. } = feature;
    let wanted = match (rows(db, sql), expected) {
        (Ok(got), Expected::Rows(wanted)) if &got == wanted => wanted,
        (Ok(got), Expected::Rows(_)) => return Err(format!("gives {got:?}")),
        (Ok(got), Expected::Refused(_)) => return Err(format!("is not refused and gives {got:?}")),
        (Err(error), Expected::Refused(message)) if error.to_string().contains(message.as_str()) => return Ok(()),
        (Err(error), _) => return Err(error.to_string()),
    };
    let as_view = || {
        db.execute(&format!("CREATE MATERIALIZED VIEW example AS {sql}"))?;
        let got = rows(db, "SELECT * FROM example")?;
        db.execute("DROP MATERIALIZED VIEW example")?;
        Ok::<_, deltic::Error>(got)
    };
    let (mut got, mut wanted) = (as_view().map_err(|error| format!("as a view: {error}"))?, wanted.clone());
    got.sort_unstable();
    wanted.sort_unstable();
    if got == wanted { Ok(()) } else { Err(format!("as a view: gives {got:?}")) }
}

/// Text in a cell of a table, as code.
fn code(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    format!("`{line}`")
}

fn page(setup: &str, features: &[Feature]) -> String {
    let mut page = format!("{HEADER}\n```sql\n{setup}```\n");
    let mut section = "";
    for feature in features {
        if feature.section != section {
            section = &feature.section;
            let _ = write!(page, "\n## {section}\n\n| | example | result |\n|---|---|---|\n");
        }
        let result = match &feature.expected {
            Expected::Rows(rows) => code(&rows.join("; ")),
            Expected::Refused(_) => "refused".to_owned(),
        };
        let _ = writeln!(page, "| {} | {} | {result} |", feature.name, code(&feature.sql));
    }
    page
}

#[test]
fn the_reference_holds() {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).into();
    let (setup, features) = parse(&std::fs::read_to_string(root.join("reference/features.txt")).unwrap());
    let db = Database::open(Config::in_memory().workers(1).pin_workers(false)).unwrap();
    db.execute(&setup).unwrap();
    let failures: Vec<String> = features
        .iter()
        .filter_map(|feature| Some(format!("{}: {}: {}", feature.name, feature.sql, check(&db, feature).err()?)))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let path = root.join("../docs/src/reference.md");
    let wanted = page(&setup, &features);
    if std::env::var_os("DELTIC_UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "docs/src/reference.md is stale: run this test with DELTIC_UPDATE_REFERENCE=1");
}
