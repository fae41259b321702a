//! Text to [`Statement`]s.
//!
//! The statement level is ours, written over the primitives of sqlparser; queries, expressions and types are sqlparser's. The tokens of
//! the whole script are read once, so every position is one of the script, and a statement is parsed from the tokens between two
//! semicolons. After parsing, long chains of AND and OR are made into balanced trees (see [`balance`]): all that walks an expression
//! recursively, here and in DataFusion, then needs a stack as deep as the logarithm of its length.

mod array_query;
mod as_of;
mod balance;
mod build;
mod copy;
mod create;
mod dialect;
mod exclude;
mod explain;
mod forms;
mod function;
mod grouping;
mod map_type;
mod modify;
mod options;
mod recursive;
mod rows;
mod spelled;
mod time;

pub(crate) use balance::balance;
pub(crate) use build::{bare_select, empty_select, table_factor};
pub(crate) use rows::UNNESTED;

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use crate::error::{Code, Position};
use crate::statement::{Name, Parsed, Query, Span, Statement};
use crate::suggest::did_you_mean;
use crate::{SqlError, stack};
use dialect::DelticDialect;

/// Parses a script: statements separated by semicolons.
///
/// # Errors
/// The first mistake, with its position in `sql`.
pub fn parse(sql: &str) -> Result<Vec<Parsed>, SqlError> {
    stack::deep(|| {
        let tokens = tokenize(sql)?;
        let lines = LineStarts::new(sql);
        let mut statements = Vec::new();
        for tokens in tokens.split(|token| token.token == Token::SemiColon) {
            let is_code = |token: &&TokenWithSpan| !matches!(token.token, Token::Whitespace(_) | Token::EOF);
            let Some(first) = tokens.iter().find(is_code) else { continue };
            let last = tokens.iter().rfind(is_code).unwrap_or(first);
            let (start, end) = (lines.offset(first.span.start), lines.offset(last.span.end));
            let position = Position::from(first.span.start);
            let text = &sql[start..end];
            let mut parser = StatementParser { parser: Parser::new(&DelticDialect).with_recursion_limit(MAX_DEPTH), text };
            let tokens = map_type::normalise(spelled::normalise(tokens.to_vec()));
            let tokens = grouping::normalise(as_of::normalise(tokens));
            let tokens = recursive::normalise(exclude::normalise(tokens))?;
            parser.parser = parser.parser.with_tokens_with_locations(tokens);
            let statement = parser.parse().map_err(|error| at_end_of(error, position, last))?;
            let span = Span { line: position.line, column: position.column, start, end };
            statements.push(Parsed { statement, span, sql: text.to_string() });
        }
        Ok(statements)
    })?
}

/// How deep expressions and subqueries may nest.
const MAX_DEPTH: usize = 128;

fn tokenize(sql: &str) -> Result<Vec<TokenWithSpan>, SqlError> {
    Tokenizer::new(&DelticDialect, sql)
        .tokenize_with_location()
        .map_err(|error| SqlError::new(Code::Syntax, error.location.into(), error.message))
}

/// An error at the end of the tokens has no position of its own: it gets that of the last token.
fn at_end_of(error: SqlError, start: Position, last: &TokenWithSpan) -> SqlError {
    if error.line > 0 {
        return error;
    }
    let end = if error.is(Code::Syntax) { Position::from(last.span.end) } else { start };
    SqlError { line: end.line, column: end.column, ..error }
}

impl From<Location> for Position {
    fn from(location: Location) -> Self {
        Position { line: location.line as usize, column: location.column as usize }
    }
}

/// Byte offsets of lines, to turn sqlparser's (line, column in characters) into byte offsets.
struct LineStarts<'a> {
    sql: &'a str,
    starts: Vec<usize>,
}

impl<'a> LineStarts<'a> {
    fn new(sql: &'a str) -> Self {
        let newlines = sql.match_indices('\n').map(|(index, _)| index + 1);
        LineStarts { sql, starts: std::iter::once(0).chain(newlines).collect() }
    }

    fn offset(&self, location: Location) -> usize {
        let line = (location.line as usize).saturating_sub(1);
        let Some(&start) = self.starts.get(line) else { return self.sql.len() };
        let column = (location.column as usize).saturating_sub(1);
        self.sql[start..].char_indices().nth(column).map_or(self.sql.len(), |(offset, _)| start + offset)
    }
}

/// Parses one statement.
struct StatementParser<'a> {
    parser: Parser<'a>,
    /// The text of the statement.
    text: &'a str,
}

type Parse<T> = Result<T, SqlError>;

/// The words that start a statement of ours.
const STATEMENTS: &[&str] = &[
    "CREATE",
    "DROP",
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "COPY",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SELECT",
    "WITH",
    "VALUES",
    "SUBSCRIBE",
    "EXPLAIN",
    "SHOW",
    "DESCRIBE",
    "ADVANCE",
];

/// Statements that other databases have.
const FOREIGN_STATEMENTS: &[&str] = &[
    "ALTER",
    "ANALYZE",
    "ATTACH",
    "CALL",
    "CLOSE",
    "COMMENT",
    "DEALLOCATE",
    "DECLARE",
    "DETACH",
    "EXECUTE",
    "FETCH",
    "FLUSH",
    "GRANT",
    "KILL",
    "LISTEN",
    "LOAD",
    "LOCK",
    "MERGE",
    "NOTIFY",
    "OPTIMIZE",
    "PRAGMA",
    "PREPARE",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "RENAME",
    "REPLACE",
    "RESET",
    "REVOKE",
    "SAVEPOINT",
    "SET",
    "UNLISTEN",
    "USE",
    "VACUUM",
];

impl<'a> StatementParser<'a> {
    fn parse(&mut self) -> Parse<Statement> {
        let statement = self.statement()?;
        if self.next_is("EMIT") {
            let message = "EMIT belongs after the query of CREATE MATERIALIZED VIEW: it says when the rows of a view show";
            return Err(SqlError::new(Code::Unsupported, self.here(), message));
        }
        match &self.parser.peek_token_ref().token {
            Token::EOF => Ok(statement),
            token => Err(SqlError::new(Code::Syntax, self.here(), format!("the statement should end before {token}"))),
        }
    }

    fn statement(&mut self) -> Parse<Statement> {
        let position = self.here();
        if matches!(self.parser.peek_token_ref().token, Token::LParen) {
            return self.query().map(Statement::Query);
        }
        let Some(word) = self.peek_word() else {
            let found = self.parser.peek_token();
            return Err(SqlError::new(Code::Syntax, position, format!("a statement cannot start with {found}")));
        };
        match word.to_ascii_uppercase().as_str() {
            "SELECT" | "WITH" | "VALUES" => self.query().map(Statement::Query),
            "CREATE" => self.create(),
            "DROP" => self.drop(),
            "INSERT" => self.insert(),
            "UPDATE" => self.update(),
            "DELETE" => self.delete(),
            "TRUNCATE" => self.truncate(),
            "COPY" => self.copy(),
            "SUBSCRIBE" => self.subscribe(),
            "EXPLAIN" => self.explain(),
            "SHOW" => self.show(),
            "DESCRIBE" | "DESC" => self.describe(),
            "ADVANCE" => self.advance(),
            "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" => self.transaction(),
            foreign if FOREIGN_STATEMENTS.contains(&foreign) => Err(SqlError::unsupported(position, foreign)),
            _ => Err(self.unknown_word(position, "statement", &word, STATEMENTS)),
        }
    }

    /// `BEGIN`, `COMMIT`, `ROLLBACK` and their PostgreSQL spellings.
    fn transaction(&mut self) -> Parse<Statement> {
        let statement = if self.word("START") {
            self.expect_word("TRANSACTION")?;
            return Ok(Statement::Begin);
        } else if self.word("BEGIN") {
            Statement::Begin
        } else if self.word("COMMIT") || self.word("END") {
            Statement::Commit
        } else {
            self.parser.next_token();
            Statement::Rollback
        };
        if !self.word("TRANSACTION") {
            self.word("WORK");
        }
        Ok(statement)
    }

    /// A query; the position is that of its first token.
    fn query(&mut self) -> Parse<Query> {
        let position = self.here();
        let mut ast = self.sql(Parser::parse_query)?;
        balance(&mut *ast, position)?;
        forms::rewrite(&mut *ast);
        Ok(Query { ast, position })
    }

    /// Whether a query starts here.
    fn at_query(&self) -> bool {
        let mut index = 0;
        while self.parser.peek_nth_token_ref(index).token == Token::LParen {
            index += 1;
        }
        match &self.parser.peek_nth_token_ref(index).token {
            Token::Word(word) => matches!(word.keyword, Keyword::SELECT | Keyword::WITH | Keyword::VALUES),
            _ => false,
        }
    }

    fn expression(&mut self) -> Parse<sqlparser::ast::Expr> {
        let position = self.here();
        let mut expression = self.sql(Parser::parse_expr)?;
        balance(&mut expression, position)?;
        forms::rewrite(&mut expression);
        Ok(expression)
    }

    /// Runs a primitive of sqlparser.
    fn sql<T>(&mut self, parse: impl FnOnce(&mut Parser<'a>) -> Result<T, ParserError>) -> Parse<T> {
        parse(&mut self.parser).map_err(syntax_error)
    }

    // Words and positions. Words that sqlparser has no keyword for (STREAM, SUBSCRIBE ..) and those it has are treated alike.

    /// Where the next token is; (0, 0) at the end.
    fn here(&self) -> Position {
        self.parser.peek_token_ref().span.start.into()
    }

    fn peek_word(&self) -> Option<String> {
        match &self.parser.peek_token_ref().token {
            Token::Word(word) if word.quote_style.is_none() => Some(word.value.clone()),
            _ => None,
        }
    }

    fn next_is(&self, word: &str) -> bool {
        self.peek_word().is_some_and(|next| next.eq_ignore_ascii_case(word))
    }

    fn nth_is(&self, n: usize, expected: &str) -> bool {
        match &self.parser.peek_nth_token_ref(n).token {
            Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected),
            _ => false,
        }
    }

    /// Reads `word` if it is next.
    fn word(&mut self, word: &str) -> bool {
        let found = self.next_is(word);
        if found {
            self.parser.advance_token();
        }
        found
    }

    /// Reads `words` if they are next, all of them.
    fn words(&mut self, words: &[&str]) -> bool {
        let found = words.iter().enumerate().all(|(index, word)| self.nth_is(index, word));
        if found {
            words.iter().for_each(|_| self.parser.advance_token());
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> Parse<()> {
        if self.word(word) { Ok(()) } else { Err(self.expected(word)) }
    }

    fn symbol(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    fn expect_symbol(&mut self, token: &Token) -> Parse<()> {
        if self.symbol(token) { Ok(()) } else { Err(self.expected(&token.to_string())) }
    }

    fn expected(&self, what: &str) -> SqlError {
        let found = self.parser.peek_token();
        SqlError::new(Code::Syntax, found.span.start.into(), format!("expected {what}, found {}", describe(&found.token)))
    }

    fn unknown_word(&self, position: Position, what: &str, word: &str, known: &[&str]) -> SqlError {
        let error = SqlError::new(Code::UnknownStatement, position, format!("unknown {what} {word}"));
        match did_you_mean(word, known.iter().copied()) {
            Some(hint) => error.with_hint(hint),
            None => error.with_hint(format!("known are {}", known.join(", "))),
        }
    }

    /// A relation's name.
    fn name(&mut self) -> Parse<Name> {
        let position = self.here();
        let name = self.sql(|parser| parser.parse_object_name(true))?;
        relation_name(&name).map_err(|error| SqlError { line: position.line, column: position.column, ..error })
    }

    fn column(&mut self) -> Parse<Name> {
        Ok(column_name(&self.sql(Parser::parse_identifier)?))
    }

    /// `name, name ..`.
    fn names(&mut self) -> Parse<Vec<Name>> {
        let mut names = vec![self.name()?];
        while self.symbol(&Token::Comma) {
            names.push(self.name()?);
        }
        Ok(names)
    }

    /// `(column, ..)`, if it is there and not a query in parentheses.
    fn optional_columns(&mut self) -> Parse<Vec<Name>> {
        if self.parser.peek_token_ref().token != Token::LParen || self.at_query() {
            return Ok(Vec::new());
        }
        self.columns_in_parentheses()
    }

    fn columns_in_parentheses(&mut self) -> Parse<Vec<Name>> {
        self.expect_symbol(&Token::LParen)?;
        let mut columns = vec![self.column()?];
        while self.symbol(&Token::Comma) {
            columns.push(self.column()?);
        }
        self.expect_symbol(&Token::RParen)?;
        Ok(columns)
    }

    fn if_not_exists(&mut self) -> bool {
        self.words(&["IF", "NOT", "EXISTS"])
    }
}

fn describe(token: &Token) -> String {
    match token {
        Token::EOF => "the end of the statement".to_string(),
        token => token.to_string(),
    }
}

/// The name of a relation. Schemas do not exist.
pub(crate) fn relation_name(name: &ObjectName) -> Parse<Name> {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => Ok(column_name(ident)),
        [ObjectNamePart::Identifier(first), ..] => {
            let position = first.span.start.into();
            Err(SqlError::unsupported(position, format!("a name with a schema ({name})")))
        }
        _ => Err(SqlError::unsupported(Position::default(), format!("the name {name}"))),
    }
}

/// The folded name of an identifier.
pub(crate) fn column_name(ident: &Ident) -> Name {
    Name { value: fold(ident), position: ident.span.start.into() }
}

/// Lower case unless quoted, as in PostgreSQL.
pub(crate) fn fold(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// sqlparser writes the position at the end of the message.
fn syntax_error(error: ParserError) -> SqlError {
    let text = match error {
        ParserError::TokenizerError(text) | ParserError::ParserError(text) => text,
        ParserError::RecursionLimitExceeded => {
            let message = format!("the statement nests deeper than {MAX_DEPTH} levels");
            return SqlError::new(Code::TooComplex, Position { line: 0, column: 0 }, message);
        }
    };
    let located = text.rsplit_once(" at Line: ").and_then(|(message, place)| {
        let (line, column) = place.split_once(", Column: ")?;
        Some((message.to_string(), Position { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? }))
    });
    let (message, position) = located.unwrap_or((text, Position { line: 0, column: 0 }));
    let message = message.replacen("Expected: ", "expected ", 1).replacen(", found: EOF", ", found: the end of the statement", 1);
    SqlError::new(Code::Syntax, position, message.replacen(", found: ", ", found ", 1))
}
