//! The law on our own views: `deltic::check` with DataFusion as the second opinion, and the fixed regressions.
//!
//! It finds whatever makes a view differ from the naive evaluation of its circuit, or from DataFusion's batch engine where that is right. It cannot
//! find a cost that is too high, nor a bug that needs more than a hundred rows.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use deltic::check::{CheckOptions, CheckReport, check};
use deltic_tests::oracle::Oracle;

fn run(file: &str, options: &CheckOptions) -> CheckReport {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("law").join(file);
    let sql = std::fs::read_to_string(path).unwrap();
    println!("checking {file}: {} iterations, seed {}", options.iterations, options.seed);
    let oracle = Oracle::default();
    let report = check(&sql, options, Some(&oracle), &mut |_| {}).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert!(report.failure.is_none(), "{file}, seed {}: {}", report.seed, report.failure.unwrap());
    println!("DataFusion had {} opinions and abstained {} times", oracle.opinions(), oracle.abstentions());
    assert!(oracle.opinions() > 0, "an oracle that always abstains shows nothing");
    report
}

/// Iterations of the random runs: few here, more through the environment (`DELTIC_CHECK_ITERATIONS=1000`).
fn iterations() -> u64 {
    std::env::var("DELTIC_CHECK_ITERATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(15)
}

#[test]
fn every_clause_and_aggregate_under_random_histories() {
    let options = CheckOptions { iterations: iterations(), ..Default::default() };
    let report = run("views.sql", &options);
    assert!(report.views.len() >= 40, "the file has {} views", report.views.len());
}

#[test]
fn event_time_under_random_histories() {
    run("time.sql", &CheckOptions { iterations: 2 * iterations(), ..Default::default() });
}

#[test]
fn windows_under_random_histories() {
    run("windows.sql", &CheckOptions { iterations: 2 * iterations(), ..Default::default() });
}

#[test]
fn every_window_and_emit_under_random_histories() {
    let report = run("time_views.sql", &CheckOptions { iterations: iterations(), ..Default::default() });
    assert!(report.views.len() >= 40, "the file has {} views", report.views.len());
}

#[test]
fn aggregates_under_random_histories() {
    let report = run("aggregates.sql", &CheckOptions { iterations: iterations(), ..Default::default() });
    assert!(report.views.len() >= 30, "the file has {} views", report.views.len());
}

#[test]
fn window_functions_under_random_histories() {
    let report = run("window_functions.sql", &CheckOptions { iterations: iterations(), ..Default::default() });
    assert!(report.views.len() >= 30, "the file has {} views", report.views.len());
}

#[test]
fn combined_relations_under_random_histories() {
    run("relations.sql", &CheckOptions { iterations: iterations(), ..Default::default() });
}

#[test]
fn partial_aggregates_under_random_histories() {
    let report = run("partial_aggregates.sql", &CheckOptions { iterations: iterations(), ..Default::default() });
    assert!(report.views.len() >= 30, "the file has {} views", report.views.len());
}

#[test]
fn functions_under_random_histories() {
    let report = run("functions.sql", &CheckOptions { iterations: iterations(), ..Default::default() });
    assert!(report.views.len() >= 25, "the file has {} views", report.views.len());
}

#[test]
fn maps_under_random_histories() {
    let report = run("maps.sql", &CheckOptions { iterations: iterations(), ..Default::default() });
    assert!(report.views.len() >= 30, "the file has {} views", report.views.len());
}

#[test]
fn subqueries_under_random_histories() {
    let report = run("subqueries.sql", &CheckOptions { iterations: iterations(), ..Default::default() });
    assert!(report.views.len() >= 60, "the file has {} views", report.views.len());
}

#[test]
fn recursion_under_random_histories() {
    let report = run("recursion.sql", &CheckOptions { iterations: iterations(), ..Default::default() });
    assert!(report.views.len() >= 15, "the file has {} views", report.views.len());
}

/// Fixed histories, the same in every run, so that a failure here is a change of the code and not of the draw. A seed that finds a bug is added.
#[test]
fn fixed_seeds() {
    for seed in [1, 2, 3] {
        run("views.sql", &CheckOptions { iterations: 1, seed, max_workers: 4 });
    }
}
