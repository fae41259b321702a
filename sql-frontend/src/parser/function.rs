//! CREATE FUNCTION and DROP FUNCTION.
//!
//! The body is an expression: behind RETURN, or in a string (as it is, or as `SELECT expression`). The tokens of a string get the positions that they
//! have in the statement, so that errors point into it.

use sqlparser::ast::{DataType, Expr, SelectItem, SetExpr};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::dialect::DelticDialect;
use super::{MAX_DEPTH, Parse, StatementParser, balance, tokenize};
use crate::SqlError;
use crate::error::{Code, Position};
use crate::statement::{CreateFunction, DropFunction, FunctionName, Parameter, Statement};

/// What stands between the result type and the body.
#[derive(Default)]
struct Clauses {
    strict: bool,
    body: Option<(Expr, Position)>,
}

impl StatementParser<'_> {
    pub(super) fn create_function(&mut self, or_replace: bool) -> Parse<Statement> {
        if self.next_is("IF") && self.nth_is(1, "NOT") {
            return Err(SqlError::unsupported(self.here(), "IF NOT EXISTS of a function").with_hint("use OR REPLACE"));
        }
        let name = self.name()?;
        let parameters = self.parameters()?;
        self.expect_word("RETURNS")?;
        if self.next_is("TABLE") || self.next_is("SETOF") {
            return Err(SqlError::unsupported(self.here(), "a function that returns rows"));
        }
        let returns = self.sql(Parser::parse_data_type)?;
        let Clauses { strict, body } = self.function_clauses()?;
        let Some((body, body_position)) = body else { return Err(self.expected("AS '..' or RETURN")) };
        let sql = self.text.to_string();
        Ok(Statement::CreateFunction(CreateFunction { name, or_replace, parameters, returns, strict, body, body_position, sql }))
    }

    /// `(a BIGINT, b VARCHAR DEFAULT 'x')`.
    fn parameters(&mut self) -> Parse<Vec<Parameter>> {
        self.expect_symbol(&Token::LParen)?;
        let mut parameters: Vec<Parameter> = Vec::new();
        if self.symbol(&Token::RParen) {
            return Ok(parameters);
        }
        loop {
            for mode in ["OUT", "INOUT", "VARIADIC"] {
                if self.next_is(mode) {
                    return Err(SqlError::unsupported(self.here(), format!("a parameter that is {mode}")));
                }
            }
            if self.next_is("IN") {
                self.parser.advance_token();
            }
            let name = self.column()?;
            if matches!(self.parser.peek_token_ref().token, Token::Comma | Token::RParen) {
                return Err(self.expected(&format!("the type of the parameter {}", name.value)));
            }
            let data_type = self.sql(Parser::parse_data_type)?;
            let default = if self.word("DEFAULT") || self.symbol(&Token::Eq) { Some(self.expression()?) } else { None };
            if parameters.iter().any(|other| other.name.value == name.value) {
                let message = format!("the parameter {} is there more than once", name.value);
                return Err(SqlError::new(Code::DuplicateColumn, name.position, message));
            }
            if default.is_none() && parameters.last().is_some_and(|before| before.default.is_some()) {
                let message = format!("the parameter {} needs a default, as one before it has one", name.value);
                return Err(SqlError::new(Code::Constraint, name.position, message));
            }
            parameters.push(Parameter { name, data_type, default });
            if !self.symbol(&Token::Comma) {
                self.expect_symbol(&Token::RParen)?;
                return Ok(parameters);
            }
        }
    }

    fn function_clauses(&mut self) -> Parse<Clauses> {
        let mut clauses = Clauses::default();
        loop {
            let position = self.here();
            if self.word("LANGUAGE") {
                let language = self.here();
                if !self.word("SQL") {
                    let hint = "functions in Rust are registered on the Database";
                    return Err(SqlError::unsupported(language, "a language other than SQL").with_hint(hint));
                }
            } else if self.word("STRICT") || self.words(&["RETURNS", "NULL", "ON", "NULL", "INPUT"]) {
                clauses.strict = true;
            } else if self.words(&["CALLED", "ON", "NULL", "INPUT"]) {
                clauses.strict = false;
            } else if self.word("VOLATILE") || self.word("STABLE") {
                let message =
                    "a function that is not IMMUTABLE is not a function of its arguments, so its rows could not be retracted";
                return Err(SqlError::new(Code::Volatile, position, message));
            } else if self.word("RETURN") {
                self.set_body(&mut clauses, position, |parser| Ok((parser.expression()?, position)))?;
            } else if self.word("AS") {
                self.set_body(&mut clauses, position, Self::body_in_string)?;
            } else if !self.word("IMMUTABLE") {
                return Ok(clauses);
            }
        }
    }

    fn set_body(
        &mut self,
        clauses: &mut Clauses,
        position: Position,
        parse: impl FnOnce(&mut Self) -> Parse<(Expr, Position)>,
    ) -> Parse<()> {
        if clauses.body.is_some() {
            return Err(SqlError::new(Code::Syntax, position, "a function has one body"));
        }
        clauses.body = Some(parse(self)?);
        Ok(())
    }

    fn body_in_string(&mut self) -> Parse<(Expr, Position)> {
        let token = self.parser.next_token();
        let start = token.span.start;
        let (text, quote) = match &token.token {
            Token::SingleQuotedString(text) => (text, 1),
            Token::DollarQuotedString(text) => (&text.value, 2 + text.tag.as_ref().map_or(0, |tag| tag.chars().count() as u64)),
            _ => return Err(SqlError::new(Code::Syntax, start.into(), "expected the body of the function in a string")),
        };
        let begin = Location { line: start.line, column: start.column + quote };
        let moved = |location: Location| Location {
            line: begin.line + location.line.saturating_sub(1),
            column: if location.line <= 1 { begin.column + location.column.saturating_sub(1) } else { location.column },
        };
        let relocated = |error: SqlError| {
            let place = moved(Location { line: error.line as u64, column: error.column as u64 });
            SqlError { line: place.line as usize, column: place.column as usize, ..error }
        };
        let mut tokens = tokenize(text).map_err(relocated)?;
        for TokenWithSpan { span, .. } in &mut tokens {
            (span.start, span.end) = (moved(span.start), moved(span.end));
        }
        let position = Position::from(begin);
        let parser = Parser::new(&DelticDialect).with_recursion_limit(MAX_DEPTH).with_tokens_with_locations(tokens);
        let mut inner = StatementParser { parser, text };
        let body = inner.body().map_err(|error| error.or_at(position))?;
        inner.symbol(&Token::SemiColon);
        match &inner.parser.peek_token_ref().token {
            Token::EOF => Ok((body, position)),
            token => {
                Err(SqlError::new(Code::Syntax, inner.here(), format!("the body should end before {token}")).or_at(position))
            }
        }
    }

    /// An expression, or `SELECT expression`.
    fn body(&mut self) -> Parse<Expr> {
        let position = self.here();
        if !self.next_is("SELECT") {
            return self.expression();
        }
        let query = self.sql(Parser::parse_query)?;
        let refused = || SqlError::unsupported(position, "a function whose body is more than SELECT and one expression");
        let whole = query.to_string();
        let SetExpr::Select(select) = *query.body else { return Err(refused()) };
        let [SelectItem::UnnamedExpr(body) | SelectItem::ExprWithAlias { expr: body, .. }] = select.projection.as_slice() else {
            return Err(refused());
        };
        // Nothing else was written if the expression is all that is left.
        let alone = [format!("SELECT {body}"), format!("SELECT {}", select.projection[0])];
        if !alone.contains(&whole) {
            return Err(refused());
        }
        let mut body = body.clone();
        balance(&mut body, position)?;
        Ok(body)
    }

    pub(super) fn drop_function(&mut self) -> Parse<Statement> {
        let if_exists = self.words(&["IF", "EXISTS"]);
        let mut functions = Vec::new();
        loop {
            let name = self.name()?;
            let has_types = self.parser.peek_token_ref().token == Token::LParen;
            functions.push(FunctionName { name, types: has_types.then(|| self.types()).transpose()? });
            if !self.symbol(&Token::Comma) {
                break;
            }
        }
        let cascade = self.word("CASCADE");
        if !cascade {
            self.word("RESTRICT");
        }
        Ok(Statement::DropFunction(DropFunction { if_exists, functions, cascade }))
    }

    /// `(BIGINT, name VARCHAR)`: the types of parameters.
    fn types(&mut self) -> Parse<Vec<DataType>> {
        self.expect_symbol(&Token::LParen)?;
        let mut types = Vec::new();
        if self.symbol(&Token::RParen) {
            return Ok(types);
        }
        loop {
            self.word("IN");
            let mut data_type = self.sql(Parser::parse_data_type)?;
            if !matches!(self.parser.peek_token_ref().token, Token::Comma | Token::RParen) {
                // That was the name of the parameter.
                data_type = self.sql(Parser::parse_data_type)?;
            }
            types.push(data_type);
            if !self.symbol(&Token::Comma) {
                self.expect_symbol(&Token::RParen)?;
                return Ok(types);
            }
        }
    }
}
