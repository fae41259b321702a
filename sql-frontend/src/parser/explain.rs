//! EXPLAIN, SHOW, DESCRIBE, SUBSCRIBE.

use sqlparser::tokenizer::Token;

use super::{Parse, StatementParser};
use crate::SqlError;
use crate::error::Code;
use crate::statement::{Explain, ExplainFormat, ExplainTarget, ExplainWhat, Show, Statement};

impl StatementParser<'_> {
    pub(super) fn explain(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        let mut what = None;
        // A view may be called `plan`: the word is ours only if something follows it.
        if !matches!(self.parser.peek_nth_token_ref(1).token, Token::EOF) {
            what = self.explain_what();
            for foreign in ["ANALYZE", "VERBOSE"] {
                if self.next_is(foreign) && !matches!(self.parser.peek_nth_token_ref(1).token, Token::EOF) {
                    return Err(SqlError::unsupported(self.here(), format!("EXPLAIN {foreign}")));
                }
            }
        }
        let options_position = self.here();
        let format = self.explain_options(&mut what)?;
        let target = if self.at_query() { ExplainTarget::Query(self.query()?) } else { ExplainTarget::View(self.name()?) };
        let what = what.unwrap_or(ExplainWhat::Circuit);
        if what != ExplainWhat::Circuit && !matches!(format, None | Some(ExplainFormat::Text)) {
            let word = match what {
                ExplainWhat::Plan => "PLAN",
                ExplainWhat::State => "STATE",
                ExplainWhat::Cost => "COST",
                ExplainWhat::Circuit => "CIRCUIT",
            };
            return Err(SqlError::unsupported(options_position, format!("EXPLAIN {word} in another format than text")));
        }
        Ok(Statement::Explain(Explain { what, format: format.unwrap_or(ExplainFormat::Text), target }))
    }

    fn explain_what(&mut self) -> Option<ExplainWhat> {
        let known = [
            ("CIRCUIT", ExplainWhat::Circuit),
            ("PLAN", ExplainWhat::Plan),
            ("STATE", ExplainWhat::State),
            ("COST", ExplainWhat::Cost),
        ];
        known.into_iter().find(|(word, _)| self.word(word)).map(|(_, what)| what)
    }

    /// `(STATE, FORMAT text)`: one word for what is shown, and the format.
    fn explain_options(&mut self, what: &mut Option<ExplainWhat>) -> Parse<Option<ExplainFormat>> {
        let mut format = None;
        if self.at_query() || !self.symbol(&Token::LParen) {
            return Ok(format);
        }
        loop {
            let position = self.here();
            if self.word("FORMAT") {
                format = Some(self.explain_format()?);
            } else if let Some(found) = self.explain_what() {
                if what.replace(found).is_some_and(|before| before != found) {
                    return Err(SqlError::new(Code::Option, position, "EXPLAIN shows one thing at a time"));
                }
            } else {
                let word = self.peek_word().unwrap_or_default().to_uppercase();
                let error = SqlError::unsupported(position, format!("EXPLAIN ({word})"));
                return Err(error.with_hint("known are CIRCUIT, PLAN, STATE, COST and FORMAT"));
            }
            if !self.symbol(&Token::Comma) {
                break;
            }
        }
        self.expect_symbol(&Token::RParen)?;
        Ok(format)
    }

    fn explain_format(&mut self) -> Parse<ExplainFormat> {
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
        Ok(format)
    }

    pub(super) fn show(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        let position = self.here();
        let known = ["TABLES", "STREAMS", "VIEWS", "MATERIALIZED VIEWS", "FUNCTIONS", "STATS", "ERRORS FOR"];
        let Some(word) = self.peek_word() else { return Err(self.expected(&known.join(", "))) };
        self.parser.advance_token();
        let show = match word.to_uppercase().as_str() {
            "TABLES" => Show::Tables,
            "STREAMS" => Show::Streams,
            "VIEWS" => Show::Views,
            "FUNCTIONS" => Show::Functions,
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
        if self.next_is("EMIT") {
            let message = "EMIT in SUBSCRIBE is not supported: a view has one EMIT, and all its subscribers see the same changes";
            let hint = "write it after the query of CREATE MATERIALIZED VIEW";
            return Err(SqlError::new(Code::Unsupported, self.here(), message).with_hint(hint));
        }
        if let Some(word) = self.peek_word() {
            return Err(SqlError::unsupported(self.here(), format!("{} in SUBSCRIBE", word.to_uppercase())));
        }
        Ok(Statement::Subscribe { relations })
    }
}
