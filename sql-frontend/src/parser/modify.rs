//! INSERT, UPDATE, DELETE, TRUNCATE.

use sqlparser::ast::{AssignmentTarget, Expr, ObjectNamePart};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::{Parse, StatementParser, column_name};
use crate::SqlError;
use crate::statement::{Assignment, Delete, Insert, Name, Statement, Update};

impl StatementParser<'_> {
    pub(super) fn insert(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        if self.next_is("OR") || self.next_is("OVERWRITE") {
            return Err(SqlError::unsupported(self.here(), "INSERT OR .. and INSERT OVERWRITE"));
        }
        self.expect_word("INTO")?;
        let table = self.name()?;
        let columns = self.optional_columns()?;
        let source = if self.words(&["DEFAULT", "VALUES"]) {
            None
        } else if self.at_query() {
            Some(self.query()?)
        } else {
            return Err(self.expected("VALUES or a query"));
        };
        self.refuse(&["ON", "RETURNING"], "of an INSERT")?;
        Ok(Statement::Insert(Insert { table, columns, source }))
    }

    pub(super) fn update(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        let table = self.name()?;
        let alias = self.alias("SET")?;
        self.expect_word("SET")?;
        let mut assignments = vec![self.assignment()?];
        while self.symbol(&Token::Comma) {
            assignments.push(self.assignment()?);
        }
        self.refuse(&["FROM"], "in an UPDATE")?;
        let filter = self.optional_where()?;
        self.refuse(&["RETURNING", "ORDER", "LIMIT"], "of an UPDATE")?;
        Ok(Statement::Update(Update { table, alias, assignments, filter }))
    }

    fn assignment(&mut self) -> Parse<Assignment> {
        let position = self.here();
        let target = self.sql(Parser::parse_assignment_target)?;
        let AssignmentTarget::ColumnName(name) = target else {
            return Err(SqlError::unsupported(position, "an assignment to several columns at once"));
        };
        let [ObjectNamePart::Identifier(ident)] = name.0.as_slice() else {
            return Err(SqlError::unsupported(position, format!("an assignment to {name}")).with_hint("name the column alone"));
        };
        let column = column_name(ident);
        self.expect_symbol(&Token::Eq)?;
        let value = if self.word("DEFAULT") { None } else { Some(self.expression()?) };
        Ok(Assignment { column, value })
    }

    pub(super) fn delete(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        self.expect_word("FROM")?;
        let table = self.name()?;
        let alias = self.alias("WHERE")?;
        self.refuse(&["USING"], "in a DELETE")?;
        let filter = self.optional_where()?;
        self.refuse(&["RETURNING", "ORDER", "LIMIT"], "of a DELETE")?;
        Ok(Statement::Delete(Delete { table, alias, filter }))
    }

    pub(super) fn truncate(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        self.word("TABLE");
        let table = self.name()?;
        Ok(Statement::Truncate { table })
    }

    /// `[AS] alias`, unless the clause that may follow the table is next.
    fn alias(&mut self, clause: &str) -> Parse<Option<Name>> {
        let explicit = self.word("AS");
        let stop = [clause, "USING", "RETURNING"].iter().any(|word| self.next_is(word));
        if explicit || (!stop && matches!(self.parser.peek_token_ref().token, Token::Word(_))) {
            return self.column().map(Some);
        }
        Ok(None)
    }

    fn optional_where(&mut self) -> Parse<Option<Expr>> {
        if self.word("WHERE") { self.expression().map(Some) } else { Ok(None) }
    }

    fn refuse(&self, clauses: &[&str], place: &str) -> Parse<()> {
        match clauses.iter().find(|clause| self.next_is(clause)) {
            Some(clause) => Err(SqlError::unsupported(self.here(), format!("{clause} {place}"))),
            None => Ok(()),
        }
    }
}
