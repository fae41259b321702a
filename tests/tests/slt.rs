//! Runs every file below `slt/` through the library, each on a database of its own, with 1 and with 3 workers.
//!
//! The expected results are written by hand from the contract; never update them from what the engine printed without reading
//! the contract first.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use deltic::{Config, Database};
use deltic_tests::slt::Connection;

#[test]
fn sql_logic_files() {
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("slt"), &mut files);
    files.sort();
    assert!(!files.is_empty(), "no .slt files found");
    let mut failures = Vec::new();
    for workers in [1, 3] {
        for file in &files {
            let mut runner = sqllogictest::Runner::new(|| async {
                let db = Database::open(Config::in_memory().workers(workers).pin_workers(false))?;
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
