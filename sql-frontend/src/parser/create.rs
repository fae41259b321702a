//! CREATE and DROP.
//!
//! Columns are read by a loop of ours: sqlparser's takes a column named `key` for the constraint `KEY (..)`.

use sqlparser::ast::{ColumnOption, DataType, TableConstraint};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::options::unknown_option;
use super::{Parse, StatementParser, column_name};
use crate::error::{Code, Position};
use crate::statement::{ColumnDefinition, CreateTable, CreateView, Drop, Name, Statement};
use crate::{RelationKind, SqlError};

/// The options of a table or stream.
const OPTIONS: &[&str] = &["allowed_lateness", "late_policy", "max_future_skew", "idle_timeout", "on_overflow"];

impl StatementParser<'_> {
    pub(super) fn create(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        let replace_position = self.here();
        let or_replace = self.words(&["OR", "REPLACE"]);
        let position = self.here();
        if self.words(&["MATERIALIZED", "VIEW"]) {
            return self.create_view(true, or_replace);
        }
        if self.word("VIEW") {
            return self.create_view(false, or_replace);
        }
        if self.word("FUNCTION") {
            return self.create_function(or_replace);
        }
        let stream = self.next_is("STREAM");
        if stream || self.next_is("TABLE") {
            self.parser.advance_token();
            if or_replace {
                return Err(SqlError::unsupported(replace_position, "OR REPLACE of a table or stream"));
            }
            return self.create_table(stream);
        }
        let mut known = vec!["TABLE", "STREAM", "VIEW", "MATERIALIZED VIEW", "FUNCTION"];
        if self.word("MATERIALIZED") {
            known = vec!["VIEW"];
        }
        match self.peek_word() {
            Some(word) => match word.to_ascii_uppercase().as_str() {
                foreign @ ("INDEX" | "SCHEMA" | "DATABASE" | "TYPE" | "SEQUENCE" | "TRIGGER" | "SOURCE" | "SINK" | "ROLE"
                | "USER" | "EXTERNAL" | "TEMPORARY" | "TEMP" | "UNIQUE" | "EXTENSION" | "DOMAIN" | "POLICY"
                | "SECRET") => Err(SqlError::unsupported(position, format!("CREATE {foreign}"))),
                _ => Err(self.unknown_word(self.here(), "object to create:", &word, &known)),
            },
            None => Err(self.expected(&known.join(", "))),
        }
    }

    fn create_view(&mut self, materialized: bool, or_replace: bool) -> Parse<Statement> {
        let if_not_exists = self.if_not_exists();
        let name = self.name()?;
        let columns = self.optional_columns()?;
        if self.next_is("WITH") && self.parser.peek_nth_token_ref(1).token == Token::LParen {
            return Err(SqlError::unsupported(self.here(), "WITH (..) options of a view"));
        }
        self.expect_word("AS")?;
        if !self.at_query() {
            return Err(self.expected("a query (SELECT, WITH or VALUES)"));
        }
        let query = self.query()?;
        if self.next_is("WITH") {
            return Err(SqlError::unsupported(self.here(), "WITH after the query of a view"));
        }
        let emit = self.emit()?;
        let sql = self.text.to_string();
        Ok(Statement::CreateView(CreateView { name, materialized, or_replace, if_not_exists, columns, query, emit, sql }))
    }

    fn create_table(&mut self, stream: bool) -> Parse<Statement> {
        let if_not_exists = self.if_not_exists();
        let name = self.name()?;
        let sql = self.text.to_string();
        let (columns, options) = (Vec::new(), Vec::new());
        let mut table = CreateTable { name, stream, if_not_exists, columns, primary_key: None, watermark: None, options, sql };
        if self.next_is("AS") {
            return Err(SqlError::unsupported(self.here(), "CREATE TABLE .. AS"));
        }
        self.expect_symbol(&Token::LParen)?;
        loop {
            self.table_element(&mut table)?;
            if !self.symbol(&Token::Comma) {
                break;
            }
        }
        self.expect_symbol(&Token::RParen)?;
        if self.next_is("WITH") && self.parser.peek_nth_token_ref(1).token == Token::LParen {
            self.parser.advance_token();
            table.options = self.options()?;
            if let Some(option) = table.options.iter().find(|option| !OPTIONS.contains(&option.name.as_str())) {
                return Err(unknown_option(option, if stream { "a stream" } else { "a table" }, OPTIONS));
            }
        }
        if let Some(word) = self.peek_word() {
            return Err(SqlError::unsupported(self.here(), format!("{} after the columns", word.to_uppercase())));
        }
        Ok(Statement::CreateTable(table))
    }

    fn table_element(&mut self, table: &mut CreateTable) -> Parse<()> {
        let position = self.here();
        if self.next_is("WATERMARK") && self.nth_is(1, "FOR") {
            let watermark = self.watermark()?;
            if table.watermark.replace(watermark).is_some() {
                return Err(SqlError::new(Code::Constraint, position, "a source has one watermark"));
            }
            return Ok(());
        }
        if self.starts_constraint() {
            return match self.sql(Parser::parse_optional_table_constraint)? {
                Some(TableConstraint::PrimaryKey(key)) => {
                    let columns = key.columns.iter().map(|column| match &column.column.expr {
                        sqlparser::ast::Expr::Identifier(ident) => Ok(column_name(ident)),
                        other => Err(SqlError::new(Code::Constraint, position, format!("{other} is not a column"))),
                    });
                    let columns = columns.collect::<Result<_, _>>()?;
                    set_primary_key(table, columns, position)
                }
                Some(constraint) => Err(SqlError::unsupported(position, format!("the constraint {constraint}"))),
                None => Err(self.expected("a column or a constraint")),
            };
        }
        let column = self.column_definition(table)?;
        if table.columns.iter().any(|other| other.name.value == column.name.value) {
            let message = format!("column {} is there more than once", column.name.value);
            return Err(SqlError::new(Code::DuplicateColumn, column.name.position, message));
        }
        table.columns.push(column);
        Ok(())
    }

    /// Whether a table constraint is next. A word such as `primary` may also be a column's name: then a type follows.
    fn starts_constraint(&self) -> bool {
        let parenthesis = |n: usize| self.parser.peek_nth_token_ref(n).token == Token::LParen;
        (self.next_is("PRIMARY") && self.nth_is(1, "KEY"))
            || (self.next_is("FOREIGN") && self.nth_is(1, "KEY"))
            || ((self.next_is("UNIQUE") || self.next_is("CHECK")) && parenthesis(1))
            || (self.next_is("CONSTRAINT") && ["PRIMARY", "UNIQUE", "CHECK", "FOREIGN"].iter().any(|word| self.nth_is(2, word)))
    }

    fn column_definition(&mut self, table: &mut CreateTable) -> Parse<ColumnDefinition> {
        let name = self.column()?;
        let type_position = self.here();
        if matches!(self.parser.peek_token_ref().token, Token::Comma | Token::RParen | Token::EOF) {
            return Err(self.expected(&format!("the type of column {}", name.value)));
        }
        let data_type = self.sql(Parser::parse_data_type)?;
        if let DataType::Custom(name, _) = &data_type {
            let error = SqlError::new(Code::Type, type_position, format!("unknown type {name}"));
            return Err(match crate::suggest::did_you_mean(&name.to_string(), crate::plan::TYPE_NAMES.iter().copied()) {
                Some(hint) => error.with_hint(hint),
                None => error,
            });
        }
        let mut column = ColumnDefinition { name, data_type, type_position, not_null: false, default: None };
        loop {
            let position = self.here();
            match self.sql(Parser::parse_optional_column_option)? {
                None => return Ok(column),
                Some(ColumnOption::Null) => {}
                Some(ColumnOption::NotNull) => column.not_null = true,
                Some(ColumnOption::Default(mut value)) => {
                    super::balance(&mut value, position)?;
                    column.default = Some(value);
                }
                Some(ColumnOption::PrimaryKey(_)) => set_primary_key(table, vec![column.name.clone()], position)?,
                Some(other) => return Err(SqlError::unsupported(position, format!("the column option {other}"))),
            }
        }
    }

    pub(super) fn drop(&mut self) -> Parse<Statement> {
        self.parser.advance_token();
        let position = self.here();
        if self.word("FUNCTION") {
            return self.drop_function();
        }
        let kind = if self.word("TABLE") {
            RelationKind::Table
        } else if self.word("STREAM") {
            RelationKind::Stream
        } else if self.word("VIEW") {
            RelationKind::View
        } else if self.words(&["MATERIALIZED", "VIEW"]) {
            RelationKind::MaterializedView
        } else {
            let known = ["TABLE", "STREAM", "VIEW", "MATERIALIZED VIEW", "FUNCTION"];
            return Err(match self.peek_word() {
                Some(word) => self.unknown_word(position, "object to drop:", &word, &known),
                None => self.expected(&known.join(", ")),
            });
        };
        let if_exists = self.words(&["IF", "EXISTS"]);
        let names = self.names()?;
        let cascade = self.word("CASCADE");
        if !cascade {
            self.word("RESTRICT");
        }
        Ok(Statement::Drop(Drop { kind, if_exists, names, cascade }))
    }
}

fn set_primary_key(table: &mut CreateTable, columns: Vec<Name>, position: Position) -> Parse<()> {
    if table.stream {
        let message = "a stream has no primary key: it does not keep rows that an insert could replace";
        return Err(SqlError::new(Code::Constraint, position, message).with_hint("use CREATE TABLE"));
    }
    if table.primary_key.is_some() {
        return Err(SqlError::new(Code::Constraint, position, "a table has one primary key")
            .with_hint("PRIMARY KEY (a, b) has several columns"));
    }
    table.primary_key = Some(columns);
    Ok(())
}
