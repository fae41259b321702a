//! The law on made-up queries: `deltic::check::check_queries`, with DataFusion as the second opinion.
//!
//! It finds what the views that somebody thought of do not: clauses that meet for the first time. It cannot find a clause that it does not draw; the
//! report lists those that it did.
#![allow(clippy::unwrap_used)]

use deltic::check::{CheckOptions, check_queries};
use deltic_tests::oracle::Oracle;

/// Queries of a run: few here, more through the environment (`DELTIC_CHECK_QUERIES=10000`, `DELTIC_CHECK_SEED=7`).
fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn random_queries_equal_batch_and_their_rewritten_forms() {
    let iterations = from_environment("DELTIC_CHECK_QUERIES").unwrap_or(200);
    let seed = from_environment("DELTIC_CHECK_SEED").unwrap_or_else(rand::random);
    let options = CheckOptions { iterations, seed, max_workers: 3 };
    println!("{iterations} queries, seed {seed}");
    let oracle = Oracle::default();
    let report = check_queries(&options, Some(&oracle), &mut |_| {}).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    for (feature, (checked, refused)) in &report.features {
        println!("{feature:>20}: in {checked} queries checked, {refused} refused");
    }
    for (reason, refused) in &report.refused {
        println!("{:>6} x {reason}, such as\n{}", refused.count, refused.example);
    }
    let functions: Vec<String> = report.functions.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!("{} functions: {}", functions.len(), functions.join(", "));
    println!("{report}");
    println!("DataFusion had {} opinions and abstained {} times", oracle.opinions(), oracle.abstentions());
    assert!(report.failure.is_none(), "seed {seed}: {}", report.failure.unwrap());
    assert!(report.checked > report.drawn / 5, "most queries were refused: this shows little");
}
