//! `deltic run`: statements from a file, one after the other, to the first error.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use deltic::{Config, Database, Outcome, Session};

use crate::clock::ClockArgs;
use crate::format::{Format, Printer};

/// Arguments of `deltic run`.
#[derive(clap::Args, Debug)]
pub(crate) struct RunArgs {
    /// A file of SQL statements, or - for standard input
    file: PathBuf,
    /// Worker threads
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,
    /// How results are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Print how long each statement took, to standard error
    #[arg(long)]
    timing: bool,
    #[command(flatten)]
    clock: ClockArgs,
}

pub(crate) fn run(args: &RunArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let (name, sql) = read_source(&args.file)?;
    let db = Database::open(Config::in_memory().workers(usize::from(args.workers)).clock(args.clock.clock()))?;
    let mut session = db.session();
    let mut printer = Printer::new(args.format);
    let mut out = std::io::stdout().lock();
    match execute(&mut session, &sql, &mut printer, args.timing, &mut out) {
        Ok(()) => {
            out.flush()?;
            if session.in_transaction() {
                eprintln!("{name}: the transaction that BEGIN opened was not committed, so it was rolled back");
                return Ok(ExitCode::FAILURE);
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(Stop::Statement(error)) => {
            out.flush()?;
            report_error(&name, &error);
            Ok(ExitCode::FAILURE)
        }
        Err(Stop::Output(error)) => Err(error),
    }
}

/// Why a sequence of statements stopped.
pub(crate) enum Stop {
    /// A statement was refused.
    Statement(deltic::Error),
    /// The output cannot be written.
    Output(Box<dyn std::error::Error>),
}

/// Executes `sql` and prints each outcome, and what the subscriptions made before have seen of it.
pub(crate) fn execute(
    session: &mut Session,
    sql: &str,
    printer: &mut Printer,
    timing: bool,
    out: &mut dyn Write,
) -> Result<(), Stop> {
    let mut failed = None;
    let mut started = Instant::now();
    let result = session.execute_each(sql, |outcome| {
        let elapsed = started.elapsed();
        let text = timing.then(|| outcome.to_string());
        for notice in outcome.notices() {
            eprintln!("warning: {notice}");
        }
        if let Err(error) = print_outcome(outcome, printer, out) {
            failed = Some(error);
            // Any error stops the session; this one is not shown.
            return Err(arrow::error::ArrowError::ComputeError("output".into()).into());
        }
        if let Some(text) = text {
            eprintln!("{text}: {:.3} ms", elapsed.as_secs_f64() * 1e3);
        }
        started = Instant::now();
        Ok(())
    });
    match (failed, result) {
        (Some(error), _) => Err(Stop::Output(error)),
        (None, result) => result.map_err(Stop::Statement),
    }
}

fn print_outcome(outcome: Outcome, printer: &mut Printer, out: &mut dyn Write) -> Result<(), Box<dyn std::error::Error>> {
    match outcome {
        Outcome::Rows(rows) => printer.rows(&rows, out)?,
        Outcome::Subscription(subscription) => printer.follow(subscription),
        other => printer.done(&other.to_string(), out)?,
    }
    printer.changes(out)
}

/// The text of a file, or of standard input for `-`, with the name that errors call it by.
pub(crate) fn read_source(path: &Path) -> Result<(String, String), Box<dyn std::error::Error>> {
    if path == Path::new("-") {
        let mut sql = String::new();
        std::io::stdin().read_to_string(&mut sql).map_err(|error| format!("standard input: {error}"))?;
        return Ok(("<stdin>".into(), sql));
    }
    let sql = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((path.display().to_string(), sql))
}

/// `file:line:col: error DT1003: message`, with the hint below.
pub(crate) fn report_error(name: &str, error: &deltic::Error) {
    let position = match (error.line(), error.column()) {
        (Some(line), Some(column)) => format!(":{line}:{column}"),
        _ => String::new(),
    };
    eprintln!("{name}{position}: error {}: {}", error.code(), error.message());
    if let Some(hint) = error.hint() {
        eprintln!("hint: {hint}");
    }
}
