//! COPY, in PostgreSQL's spelling (`(FORMAT csv, ..)`) and with `WITH (..)`.

use sqlparser::tokenizer::Token;

use super::options::unknown_option;
use super::{Parse, StatementParser};
use crate::SqlError;
use crate::error::Code;
use crate::statement::{Copy, CopyDirection, CopyFormat, CopySource, OptionClause, Statement};

const OPTIONS: &[&str] = &["format", "rows_per_commit", "header", "delimiter"];
const FORMATS: &[(&str, CopyFormat)] =
    &[("csv", CopyFormat::Csv), ("json", CopyFormat::Json), ("parquet", CopyFormat::Parquet), ("arrow", CopyFormat::Arrow)];

impl StatementParser<'_> {
    pub(super) fn copy(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        let (source, columns) = if self.at_query() {
            self.expect_symbol(&Token::LParen)?;
            let query = self.query()?;
            self.expect_symbol(&Token::RParen)?;
            (CopySource::Query(query), Vec::new())
        } else {
            (CopySource::Relation(self.name()?), self.optional_columns()?)
        };
        let direction_position = self.here();
        let direction = if self.word("FROM") {
            CopyDirection::From
        } else if self.word("TO") {
            CopyDirection::To
        } else {
            return Err(self.expected("FROM or TO"));
        };
        if direction == CopyDirection::From && matches!(source, CopySource::Query(_)) {
            return Err(SqlError::new(Code::Syntax, direction_position, "a query can be copied TO a file only"));
        }
        let position = self.here();
        if self.next_is("STDIN") || self.next_is("STDOUT") || self.next_is("PROGRAM") {
            return Err(SqlError::unsupported(position, format!("COPY with {}", self.peek_word().unwrap_or_default())));
        }
        let Token::SingleQuotedString(path) = self.parser.peek_token().token else {
            return Err(self.expected("the name of a file in single quotes"));
        };
        self.parser.advance_token();
        let format = format_of_file(&path);
        let mut copy = Copy {
            source,
            columns,
            direction,
            path,
            position,
            format: format.unwrap_or(CopyFormat::Csv),
            rows_per_commit: None,
            header: true,
            delimiter: b',',
        };
        let options = self.copy_options()?;
        if format.is_none() && !options.iter().any(|option| option.name == "format") {
            let error =
                SqlError::new(Code::Option, position, "the format of the file is not given and its name does not tell it");
            return Err(error.with_hint("add (FORMAT csv | json | parquet | arrow)"));
        }
        for option in &options {
            apply(&mut copy, option)?;
        }
        for option in &options {
            check(&copy, option)?;
        }
        Ok(Statement::Copy(copy))
    }

    fn copy_options(&mut self) -> Parse<Vec<OptionClause>> {
        let with = self.word("WITH");
        if !with && self.parser.peek_token_ref().token != Token::LParen {
            return Ok(Vec::new());
        }
        self.options()
    }
}

fn format_of_file(path: &str) -> Option<CopyFormat> {
    let extension = path.rsplit_once('.')?.1.to_lowercase();
    match extension.as_str() {
        "csv" => Some(CopyFormat::Csv),
        "json" | "jsonl" | "ndjson" => Some(CopyFormat::Json),
        "parquet" => Some(CopyFormat::Parquet),
        "arrow" | "ipc" => Some(CopyFormat::Arrow),
        _ => None,
    }
}

fn apply(copy: &mut Copy, option: &OptionClause) -> Parse<()> {
    let value = option.value.as_deref();
    let bad = |expected: &str| {
        let given = value.map_or("nothing".to_string(), |value| format!("'{value}'"));
        Err(SqlError::new(Code::Option, option.value_position, format!("{} must be {expected}, not {given}", option.name)))
    };
    match option.name.as_str() {
        "format" => match FORMATS.iter().find(|(name, _)| value.is_some_and(|value| value.eq_ignore_ascii_case(name))) {
            Some((_, format)) => copy.format = *format,
            None => return bad("csv, json, parquet or arrow"),
        },
        "rows_per_commit" => match value.and_then(|value| value.parse().ok()) {
            Some(rows) if rows > 0 => copy.rows_per_commit = Some(rows),
            _ => return bad("a positive number"),
        },
        "header" => match value.map(str::to_lowercase).as_deref() {
            None | Some("true" | "on" | "1") => copy.header = true,
            Some("false" | "off" | "0") => copy.header = false,
            _ => return bad("true or false"),
        },
        "delimiter" => match value.map(str::as_bytes) {
            Some([byte]) if byte.is_ascii() => copy.delimiter = *byte,
            Some(br"\t") => copy.delimiter = b'\t',
            _ => return bad("one ASCII character"),
        },
        _ => return Err(unknown_option(option, "COPY", OPTIONS)),
    }
    Ok(())
}

/// An option that means nothing for this COPY is an error, not ignored.
fn check(copy: &Copy, option: &OptionClause) -> Parse<()> {
    let problem = match option.name.as_str() {
        "rows_per_commit" if copy.direction == CopyDirection::To => "is for COPY FROM only",
        "header" | "delimiter" if copy.format != CopyFormat::Csv => "is for CSV files only",
        _ => return Ok(()),
    };
    Err(SqlError::new(Code::Option, option.position, format!("option {} {problem}", option.name)))
}
