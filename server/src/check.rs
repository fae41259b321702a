//! `deltic check`: the law, tried on the user's own views.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use deltic::check::CheckOptions;

use crate::run::{read_source, report_error};

/// Arguments of `deltic check`.
#[derive(clap::Args, Debug)]
pub(crate) struct CheckArgs {
    /// A file with CREATE statements, or - for standard input
    #[arg(required_unless_present = "queries", conflicts_with = "queries")]
    file: Option<PathBuf>,
    /// Check this many random queries over random tables instead of a file
    #[arg(long, conflicts_with = "iterations")]
    queries: Option<u64>,
    /// Random histories to try
    #[arg(long, default_value_t = 100)]
    iterations: u64,
    /// Where the random histories start [default: random]
    #[arg(long)]
    seed: Option<u64>,
    /// Each history runs with 1 to this many workers
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    workers: u16,
}

pub(crate) fn check(args: &CheckArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let defaults = CheckOptions::default();
    let options = CheckOptions {
        iterations: args.queries.unwrap_or(args.iterations),
        seed: args.seed.unwrap_or(defaults.seed),
        max_workers: usize::from(args.workers),
    };
    match &args.file {
        Some(file) => check_file(file, &options),
        None => check_random_queries(&options),
    }
}

/// Shows now and then, on a terminal, how many of `total` are done.
fn progress(total: u64) -> impl FnMut(u64) {
    let terminal = std::io::stderr().is_terminal();
    let mut shown = Instant::now();
    move |done| {
        if terminal && shown.elapsed() > Duration::from_millis(200) {
            shown = Instant::now();
            eprint!("\r{done} of {total}\r");
            // Only decoration.
            let _ = std::io::stderr().flush();
        }
    }
}

fn check_random_queries(options: &CheckOptions) -> Result<ExitCode, Box<dyn std::error::Error>> {
    eprintln!("checking {} random queries, seed {}", options.iterations, options.seed);
    let report = match deltic::check::check_queries(options, None, &mut progress(options.iterations)) {
        Ok(report) => report,
        Err(error) => {
            report_error("a random query", &error);
            return Ok(ExitCode::FAILURE);
        }
    };
    for (feature, (checked, refused)) in &report.features {
        println!("{feature:>20}: in {checked} queries checked, {refused} refused");
    }
    let functions: Vec<String> = report.functions.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!("{} functions: {}", functions.len(), functions.join(", "));
    for (reason, refused) in &report.refused {
        println!("{:>8} x refused: {reason}, such as\n{}", refused.count, refused.example);
    }
    match &report.failure {
        None => {
            println!("{report}");
            Ok(ExitCode::SUCCESS)
        }
        Some(failure) => {
            println!("{failure}");
            eprintln!("seed {} finds it again", report.seed);
            Ok(ExitCode::FAILURE)
        }
    }
}

fn check_file(file: &Path, options: &CheckOptions) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let (name, sql) = read_source(file)?;
    eprintln!("checking {name}: {} iterations, seed {}", options.iterations, options.seed);
    let report = match deltic::check::check(&sql, options, None, &mut progress(options.iterations)) {
        Ok(report) => report,
        Err(error) => {
            report_error(&name, &error);
            return Ok(ExitCode::FAILURE);
        }
    };
    if report.skipped_statements > 0 {
        eprintln!("note: {} statements that define nothing were left out; the data is made up", report.skipped_statements);
    }
    match &report.failure {
        None => {
            println!(
                "{} views right at every epoch: {} histories, {} commits, seed {}",
                report.views.len(),
                report.iterations,
                report.commits,
                report.seed
            );
            Ok(ExitCode::SUCCESS)
        }
        Some(failure) => {
            println!("{failure}");
            eprintln!("seed {} finds it again", report.seed);
            Ok(ExitCode::FAILURE)
        }
    }
}
