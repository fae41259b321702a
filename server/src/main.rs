//! The `deltic` command: run SQL files, type SQL, check views, see a demo.

mod check;
mod clock;
mod demo;
mod format;
mod run;
mod shell;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// SQL views kept exactly fresh
#[derive(Parser, Debug)]
#[command(name = "deltic", version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the statements of a file, or of standard input
    Run(run::RunArgs),
    /// Type statements: history, completion, several lines up to a semicolon
    Shell(shell::ShellArgs),
    /// Check the views of a file with random histories against a naive evaluation
    Check(check::CheckArgs),
    /// A live auction site: views over generated events, their changes, throughput and latency
    Demo(demo::DemoArgs),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Shell(args) => shell::shell(&args),
        Command::Check(args) => check::check(&args),
        Command::Demo(args) => demo::demo(&args).map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        // A reader that went away (`| head`) is no failure worth a word.
        if !is_broken_pipe(error.as_ref()) {
            eprintln!("error: {error}");
        }
        ExitCode::FAILURE
    })
}

fn is_broken_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}
