//! Runs every file below `slt/` through the library, each on a database of its own, with 1 and with 3 workers. The clock starts in 1970 and is moved
//! by `ADVANCE CLOCK` only.
//!
//! `DELTIC_SLT=joins cargo test --test slt` runs only the files whose path has this in it.
//!
//! The expected results are written by hand from the contract; never update them from what the engine printed without reading
//! the contract first.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use deltic::{Config, Database, ManualClock};
use deltic_tests::slt::Connection;

#[test]
fn sql_logic_files() {
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("slt"), &mut files);
    files.sort();
    if let Ok(part) = std::env::var("DELTIC_SLT") {
        files.retain(|file| file.display().to_string().contains(&part));
    }
    assert!(!files.is_empty(), "no .slt files found");
    let mut failures = Vec::new();
    for workers in [1, 3] {
        for file in &files {
            let mut runner = sqllogictest::Runner::new(|| async {
                let config = Config::in_memory().workers(workers).pin_workers(false);
                let db = Database::open(config.clock(ManualClock::default()))?;
                Ok::<_, deltic::Error>(Connection::new(&db))
            });
            if let Err(error) = runner.run_file(file) {
                failures.push(format!("{} with {workers} workers:\n{}", file.display(), error.display(false)));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n\n{}", failures.len(), failures.join("\n\n"));
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "slt") {
            files.push(path);
        }
    }
}

/// Error codes that no statement of one session can lead to; tests of the crates that raise them have them.
const NOT_BY_SQL: &[&str] = &[
    "DT1017", // takes a megabyte of parentheses
    "DT1099", "DT2006", "DT2007", "DT3001", "DT3002", "DT3003", "DT4001", "DT4003", "DT4005", "DT4007", "DT4008", "DT4012",
    "DT4013", "DT4014", "DT4900", "DT4999",
];

#[test]
fn every_documented_error_code_is_met() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/errors.md");
    let documented = codes(&std::fs::read_to_string(book).unwrap());
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("slt"), &mut files);
    let met: Vec<String> = files.iter().flat_map(|file| codes(&std::fs::read_to_string(file).unwrap())).collect();
    for code in &documented {
        let expected = !NOT_BY_SQL.contains(&code.as_str());
        assert_eq!(met.contains(code), expected, "{code}: met by a file below slt/, or listed as out of the reach of SQL");
    }
    assert!(met.iter().all(|code| documented.contains(code)), "an slt file expects a code that the book does not explain");
}

/// The `DTnnnn` of a text.
fn codes(text: &str) -> Vec<String> {
    let code = |(at, _): (usize, &str)| text.get(at..at + 6).filter(|code| code[2..].bytes().all(|digit| digit.is_ascii_digit()));
    text.match_indices("DT").filter_map(code).map(str::to_owned).collect()
}
