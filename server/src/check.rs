//! `deltic check`: the law, tried on the user's own views.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use deltic::check::CheckOptions;

use crate::run::{read_source, report_error};

/// Arguments of `deltic check`.
#[derive(clap::Args, Debug)]
pub(crate) struct CheckArgs {
    /// A file with CREATE statements, or - for standard input
    file: PathBuf,
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
    let (name, sql) = read_source(&args.file)?;
    let defaults = CheckOptions::default();
    let options = CheckOptions {
        iterations: args.iterations,
        seed: args.seed.unwrap_or(defaults.seed),
        max_workers: usize::from(args.workers),
    };
    eprintln!("checking {name}: {} iterations, seed {}", options.iterations, options.seed);
    let terminal = std::io::stderr().is_terminal();
    let mut shown = Instant::now();
    let mut progress = |done: u64| {
        if terminal && shown.elapsed() > Duration::from_millis(200) {
            shown = Instant::now();
            eprint!("\r{done} of {}", options.iterations);
            // Only decoration.
            let _ = std::io::stderr().flush();
        }
    };
    let report = match deltic::check::check(&sql, &options, None, &mut progress) {
        Ok(report) => report,
        Err(error) => {
            report_error(&name, &error);
            return Ok(ExitCode::FAILURE);
        }
    };
    if terminal {
        eprint!("\r");
    }
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
