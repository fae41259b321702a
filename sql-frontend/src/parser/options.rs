//! `(name = value, ..)`: the options of COPY and of CREATE TABLE.

use sqlparser::tokenizer::Token;

use super::{Parse, StatementParser};
use crate::SqlError;
use crate::error::Code;
use crate::statement::OptionClause;
use crate::suggest::did_you_mean;

impl StatementParser<'_> {
    /// Reads the list with its parentheses. The `=` may be left out, and so may a value.
    pub(super) fn options(&mut self) -> Parse<Vec<OptionClause>> {
        let mut options: Vec<OptionClause> = Vec::new();
        self.expect_symbol(&Token::LParen)?;
        loop {
            let position = self.here();
            let name = self.column()?.value;
            if options.iter().any(|option| option.name == name) {
                return Err(SqlError::new(Code::Option, position, format!("option {name} is given more than once")));
            }
            self.symbol(&Token::Eq);
            let value_position = self.here();
            let sign = if self.symbol(&Token::Minus) { "-" } else { "" };
            let value = match self.parser.peek_token().token {
                Token::Comma | Token::RParen if sign.is_empty() => None,
                Token::Number(text, _) => Some(format!("{sign}{text}")),
                Token::Word(word) if sign.is_empty() => Some(word.value),
                Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) if sign.is_empty() => Some(text),
                _ => return Err(self.expected(&format!("a value for {name}"))),
            };
            if value.is_some() {
                self.parser.advance_token();
            }
            options.push(OptionClause { name, position, value, value_position });
            if !self.symbol(&Token::Comma) {
                break;
            }
        }
        self.expect_symbol(&Token::RParen)?;
        Ok(options)
    }
}

/// An option that `what` does not have.
pub(super) fn unknown_option(option: &OptionClause, what: &str, known: &[&str]) -> SqlError {
    let error = SqlError::new(Code::Option, option.position, format!("unknown option {} of {what}", option.name));
    let hint = did_you_mean(&option.name, known.iter().copied());
    error.with_hint(hint.unwrap_or_else(|| format!("known are {}", known.join(", "))))
}
