//! EXPLAIN, SHOW, DESCRIBE, SUBSCRIBE.

use sqlparser::tokenizer::Token;

use super::{Parse, StatementParser};
use crate::SqlError;
use crate::error::Code;
use crate::statement::{Explain, ExplainFormat, ExplainTarget, ExplainWhat, Show, Statement};

impl StatementParser<'_> {
    pub(super) fn explain(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        let mut what = ExplainWhat::Circuit;
        // A view may be called `plan`: the word is ours only if something follows it.
        let more = !matches!(self.parser.peek_nth_token_ref(1).token, Token::EOF);
        if more && self.word("PLAN") {
            what = ExplainWhat::Plan;
        } else if more {
            self.word("CIRCUIT");
        }
        for foreign in ["ANALYZE", "VERBOSE", "STATE"] {
            if self.next_is(foreign) && !matches!(self.parser.peek_nth_token_ref(1).token, Token::EOF) {
                return Err(SqlError::unsupported(self.here(), format!("EXPLAIN {foreign}")));
            }
        }
        let format = self.explain_format()?;
        let target = if self.at_query() { ExplainTarget::Query(self.query()?) } else { ExplainTarget::View(self.name()?) };
        if what == ExplainWhat::Plan && !matches!(format, None | Some(ExplainFormat::Text)) {
            return Err(SqlError::unsupported(self.here(), "EXPLAIN PLAN in another format than text"));
        }
        Ok(Statement::Explain(Explain { what, format: format.unwrap_or(ExplainFormat::Text), target }))
    }

    fn explain_format(&mut self) -> Parse<Option<ExplainFormat>> {
        if self.at_query() || !self.symbol(&Token::LParen) {
            return Ok(None);
        }
        if !self.word("FORMAT") {
            let word = self.peek_word().unwrap_or_default().to_uppercase();
            return Err(SqlError::unsupported(self.here(), format!("EXPLAIN ({word})")).with_hint("known is FORMAT"));
        }
        let position = self.here();
        let word = self.peek_word().unwrap_or_default();
        let format = match word.to_lowercase().as_str() {
            "text" => ExplainFormat::Text,
            "json" => ExplainFormat::Json,
            "mermaid" => ExplainFormat::Mermaid,
            _ => {
                return Err(SqlError::new(Code::Option, position, format!("unknown format '{word}'"))
                    .with_hint("known are text, json, mermaid"));
            }
        };
        self.parser.advance_token();
        self.expect_symbol(&Token::RParen)?;
        Ok(Some(format))
    }

    pub(super) fn show(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        let position = self.here();
        let known = ["TABLES", "STREAMS", "VIEWS", "MATERIALIZED VIEWS", "STATS", "ERRORS FOR"];
        let Some(word) = self.peek_word() else { return Err(self.expected(&known.join(", "))) };
        self.parser.advance_token();
        let show = match word.to_uppercase().as_str() {
            "TABLES" => Show::Tables,
            "STREAMS" => Show::Streams,
            "VIEWS" => Show::Views,
            "MATERIALIZED" => {
                self.expect_word("VIEWS")?;
                Show::Views
            }
            "STATS" if self.word("FOR") => Show::Stats(Some(self.name()?)),
            "STATS" => Show::Stats(None),
            "ERRORS" => {
                self.expect_word("FOR")?;
                Show::Errors(self.name()?)
            }
            _ => return Err(self.unknown_word(position, "object to show:", &word, &known)),
        };
        Ok(Statement::Show(show))
    }

    pub(super) fn describe(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        Ok(Statement::Describe { relation: self.name()? })
    }

    pub(super) fn subscribe(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        if self.next_is("TO") && !matches!(self.parser.peek_nth_token_ref(1).token, Token::EOF | Token::Comma) {
            self.parser.advance_token();
        }
        if self.at_query() {
            let hint = "create a materialized view and subscribe to it";
            return Err(SqlError::unsupported(self.here(), "SUBSCRIBE to a query").with_hint(hint));
        }
        let relations = self.names()?;
        if let Some(word) = self.peek_word() {
            return Err(SqlError::unsupported(self.here(), format!("{} in SUBSCRIBE", word.to_uppercase())));
        }
        Ok(Statement::Subscribe { relations })
    }
}
