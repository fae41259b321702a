//! The clauses and statements of event time: WATERMARK FOR, EMIT, ADVANCE.

use super::{Parse, StatementParser};
use crate::error::Code;
use crate::statement::{AdvanceClock, AdvanceWatermark, Emit, EmitClause, Statement, WatermarkClause};
use crate::{Position, SqlError};

impl StatementParser<'_> {
    /// `WATERMARK FOR column [AS strategy] [PER PARTITION (columns)]`.
    pub(super) fn watermark(&mut self) -> Parse<WatermarkClause> {
        self.expect_word("WATERMARK")?;
        self.expect_word("FOR")?;
        let column = self.column()?;
        let has_strategy = self.word("AS");
        let strategy_position = self.here();
        let strategy = if has_strategy { Some(self.expression()?) } else { None };
        let partition_position = self.here();
        let partition = if self.words(&["PER", "PARTITION"]) { Some(self.columns_in_parentheses()?) } else { None };
        Ok(WatermarkClause { column, strategy, strategy_position, partition, partition_position })
    }

    /// `EMIT ..`, if it is there.
    pub(super) fn emit(&mut self) -> Parse<Option<EmitClause>> {
        let position = self.here();
        if !self.word("EMIT") {
            return Ok(None);
        }
        let emit = if self.word("CHANGES") || self.words(&["ON", "UPDATE"]) {
            Emit::Changes
        } else if self.words(&["ON", "WINDOW", "CLOSE"]) || self.words(&["AFTER", "WATERMARK"]) {
            Emit::OnWindowClose
        } else if self.word("FINAL") {
            Emit::Final
        } else if self.word("EVERY") {
            let interval = Box::new(self.expression()?);
            let on_watermark = self.words(&["ON", "WATERMARK"]);
            if !on_watermark && self.word("ON") {
                self.expect_word("CLOCK")?;
            }
            Emit::Every { interval, on_watermark }
        } else {
            let known = "CHANGES, ON WINDOW CLOSE, FINAL or EVERY interval";
            return Err(self.expected(known));
        };
        Ok(Some(EmitClause { emit, position }))
    }

    /// `ADVANCE WATERMARK source TO time`, `ADVANCE CLOCK TO time`, `ADVANCE CLOCK BY interval`.
    pub(super) fn advance(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        let position = self.here();
        if self.word("WATERMARK") {
            let source = self.name()?;
            self.expect_word("TO")?;
            let (to, position) = self.expression_with_position()?;
            return Ok(Statement::AdvanceWatermark(AdvanceWatermark { source, to, position }));
        }
        if self.word("CLOCK") {
            let by = self.word("BY");
            if !by && !self.word("TO") {
                return Err(self.expected("TO or BY"));
            }
            let (value, position) = self.expression_with_position()?;
            return Ok(Statement::AdvanceClock(AdvanceClock { by, value, position }));
        }
        match self.peek_word() {
            Some(word) => Err(self.unknown_word(position, "thing to advance:", &word, &["WATERMARK", "CLOCK"])),
            None => Err(SqlError::new(Code::Syntax, position, "expected WATERMARK or CLOCK after ADVANCE")),
        }
    }

    fn expression_with_position(&mut self) -> Parse<(sqlparser::ast::Expr, Position)> {
        let position = self.here();
        Ok((self.expression()?, position))
    }
}
