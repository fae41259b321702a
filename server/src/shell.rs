//! `deltic shell`: statements from a prompt.

use std::borrow::Cow;
use std::path::PathBuf;
use std::process::ExitCode;

use deltic::{Config, Database};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Editor, Helper, Hinter};

use crate::clock::ClockArgs;
use crate::format::{Format, Printer};
use crate::run::{Stop, execute, report_error};

/// Arguments of `deltic shell`.
#[derive(clap::Args, Debug)]
pub(crate) struct ShellArgs {
    /// Worker threads
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,
    /// How results are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    clock: ClockArgs,
}

const HELP: &str = "\
Statements end with a semicolon and may take several lines. TAB completes.
  \\d          list tables, streams and views
  \\d NAME     describe one
  \\timing     switch the timing of statements on or off
  \\q          quit (or Ctrl-D)
SUBSCRIBE v prints the changes of v that later statements make.";

/// Words that TAB completes, beside the names in the catalog.
const KEYWORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "JOIN",
    "LEFT JOIN",
    "RIGHT JOIN",
    "FULL JOIN",
    "CROSS JOIN",
    "UNION ALL",
    "DISTINCT",
    "INSERT INTO",
    "VALUES",
    "UPDATE",
    "DELETE FROM",
    "TRUNCATE",
    "CREATE TABLE",
    "CREATE STREAM",
    "CREATE VIEW",
    "CREATE MATERIALIZED VIEW",
    "CREATE OR REPLACE MATERIALIZED VIEW",
    "DROP TABLE",
    "DROP STREAM",
    "DROP VIEW",
    "DROP MATERIALIZED VIEW",
    "IF EXISTS",
    "CASCADE",
    "PRIMARY KEY",
    "NOT NULL",
    "DEFAULT",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "COPY",
    "EXPLAIN",
    "SHOW TABLES",
    "SHOW STREAMS",
    "SHOW VIEWS",
    "SHOW STATS",
    "SHOW ERRORS FOR",
    "DESCRIBE",
    "SUBSCRIBE",
    "ADVANCE WATERMARK",
    "ADVANCE CLOCK",
    "WATERMARK FOR",
    "WITH",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST",
    "BETWEEN",
    "IS NOT DISTINCT FROM",
    "FILTER",
    "INTERVAL",
    "row_number() OVER",
];

pub(crate) fn shell(args: &ShellArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let db = Database::open(Config::in_memory().workers(usize::from(args.workers)).clock(args.clock.clock()))?;
    let mut session = db.session();
    let mut printer = Printer::confirming(args.format);
    let mut timing = false;
    let mut editor: Editor<Prompt, DefaultHistory> = Editor::new()?;
    editor.set_helper(Some(Prompt { db: db.clone() }));
    let history = history_file();
    if let Some(path) = &history {
        // There is none the first time.
        let _ = editor.load_history(path);
    }
    println!("Deltic {}: SQL views kept exactly fresh. \\? for help, \\q to quit.", env!("CARGO_PKG_VERSION"));
    loop {
        let prompt = if session.in_transaction() { "deltic*> " } else { "deltic> " };
        let line = match editor.readline(prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        };
        let text = line.trim();
        if text.is_empty() {
            continue;
        }
        // A full disk must not end the session.
        let _ = editor.add_history_entry(text);
        let sql = match text.trim_end_matches(';').trim() {
            "\\q" | "quit" | "exit" => break,
            "\\?" | "help" => {
                println!("{HELP}");
                continue;
            }
            "\\timing" => {
                timing = !timing;
                println!("timing is {}", if timing { "on" } else { "off" });
                continue;
            }
            "\\d" => "SHOW TABLES; SHOW STREAMS; SHOW VIEWS".to_string(),
            command => match command.strip_prefix("\\d ") {
                Some(name) => format!("DESCRIBE {}", name.trim()),
                None if command.starts_with('\\') => {
                    eprintln!("no command {command}; \\? lists them");
                    continue;
                }
                None => text.to_string(),
            },
        };
        match execute(&mut session, &sql, &mut printer, timing, &mut std::io::stdout()) {
            Ok(()) => {}
            Err(Stop::Statement(error)) => report_error("<shell>", &error),
            Err(Stop::Output(error)) => return Err(error),
        }
    }
    if let Some(path) = &history {
        if let Some(folder) = path.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        if let Err(error) = editor.save_history(path) {
            eprintln!("the history was not saved to {}: {error}", path.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the history is kept: the XDG state folder.
fn history_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/state")))?;
    Some(state.join("deltic").join("history"))
}

/// Completion and the decision whether a statement is complete.
#[derive(Helper, Hinter)]
struct Prompt {
    db: Database,
}

impl Completer for Prompt {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(complete(&line[..position], &self.names()))
    }
}

impl Prompt {
    /// Relations and their columns.
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for relation in self.db.relations() {
            names.extend(relation.schema.fields().iter().map(|field| field.name().clone()));
            names.push(relation.name);
        }
        names.sort();
        names.dedup();
        names
    }
}

/// The start of the word under the cursor and what it could become: keywords as typed in case, names as they are.
fn complete(before: &str, names: &[String]) -> (usize, Vec<String>) {
    let start = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
    let start = (start..=before.len()).find(|&at| before.is_char_boundary(at)).unwrap_or(before.len());
    let word = &before[start..];
    if word.is_empty() {
        return (start, Vec::new());
    }
    let lower = word.chars().all(|c| !c.is_uppercase());
    let keywords = KEYWORDS.iter().filter(|keyword| starts_with_ignoring_case(keyword, word));
    let mut found: Vec<String> =
        keywords.map(|keyword| if lower { keyword.to_lowercase() } else { (*keyword).to_string() }).collect();
    found.extend(names.iter().filter(|name| starts_with_ignoring_case(name, word)).cloned());
    (start, found)
}

fn starts_with_ignoring_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

impl Validator for Prompt {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(if is_complete(context.input()) { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Highlighter for Prompt {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Borrowed(hint)
    }
}

/// Whether the input is a command, empty, or ends with a semicolon outside of quotes and comments.
fn is_complete(input: &str) -> bool {
    let text = input.trim();
    if text.is_empty() || text.starts_with('\\') || ["quit", "exit", "help"].contains(&text) {
        return true;
    }
    let mut quote = None;
    let mut last = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == '-' && rest.peek() == Some(&'-') => {
                for skipped in rest.by_ref() {
                    if skipped == '\n' {
                        break;
                    }
                }
                continue;
            }
            None => {}
        }
        if !c.is_whitespace() {
            last = c;
        }
    }
    quote.is_none() && last == ';'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_with_a_semicolon_outside_of_quotes_and_comments() {
        for complete in ["SELECT 1;", "  ", "\\d", "SELECT ';' ; ", "SELECT 1; -- done", "quit"] {
            assert!(is_complete(complete), "{complete}");
        }
        for incomplete in ["SELECT 1", "SELECT ';", "SELECT 1 -- ;", "SELECT \"a;"] {
            assert!(!is_complete(incomplete), "{incomplete}");
        }
    }

    #[test]
    fn completion_follows_the_case_of_what_was_typed() {
        let names = ["orders".to_string(), "Order".to_string()];
        assert_eq!(complete("sel", &names), (0, vec!["select".to_string()]));
        assert_eq!(complete("SELECT * FROM ord", &names), (14, vec!["order by".into(), "orders".into(), "Order".into()]));
        assert_eq!(complete("é", &[]), (0, vec![]));
    }
}
