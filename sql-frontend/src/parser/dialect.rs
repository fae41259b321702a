//! [`DelticDialect`]: sqlparser's generic dialect, with what it gets wrong for us mended.
//!
//! It says that it *is* the generic dialect ([`Dialect::dialect`]), so every place of sqlparser that asks for that one by type still
//! applies, and it forwards the capabilities below. Operators other than those of arithmetic and comparison bind as in PostgreSQL: `a || b + 1` is
//! `a || (b + 1)`, and `j -> 'a' = 'b'` compares; so do `#`, and `|/`, `||/`, `@` and `~` before their operand. `^` is the
//! power and binds tighter than products. Three hooks differ. `x IS NOT DISTINCT FROM y AND z` is parsed by sqlparser as
//! `x IS NOT DISTINCT FROM (y AND z)`; here the right side binds as tightly as that of any other `IS`. `BETWEEN SYMMETRIC`, which it does not know,
//! is either order of the bounds. And `FROM t EMIT ..` does not make `emit` an alias of `t`.

use std::any::TypeId;

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};
use sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::plan::{TABLE_ARGUMENT, call};

/// How tight `^` binds: tighter than products, less tight than a minus before its operand.
const POWER: u8 = 45;

/// The dialect of Deltic: PostgreSQL's rules where two readings are possible.
#[derive(Debug)]
pub(crate) struct DelticDialect;

macro_rules! forward {
    ($($name:ident),* $(,)?) => {
        $(fn $name(&self) -> bool { GenericDialect.$name() })*
    };
}

impl Dialect for DelticDialect {
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"' || ch == '`'
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch.is_ascii_digit() || ch == '_' || ch == '$'
    }

    // Clauses that we do not support are forwarded too: what is parsed can be refused by its name.
    forward!(
        supports_unicode_string_literal,
        supports_group_by_expr,
        supports_group_by_with_modifier,
        supports_left_associative_joins_without_parens,
        supports_match_recognize,
        supports_window_function_null_treatment_arg,
        supports_window_clause_named_window_reference,
        supports_select_wildcard_except,
        supports_select_wildcard_exclude,
        supports_select_wildcard_replace,
        supports_select_wildcard_ilike,
        supports_select_wildcard_rename,
        allow_extract_custom,
        allow_extract_single_quotes,
        supports_extract_comma_syntax,
        supports_parens_around_table_factor,
        supports_values_as_table_factor,
        supports_try_convert,
        supports_bitwise_shift_operators,
        supports_named_fn_args_with_assignment_operator,
        supports_struct_literal,
        support_map_literal_syntax,
        supports_nested_comments,
        supports_string_escape_constant,
        supports_array_typedef_with_brackets,
        supports_filter_during_aggregation,
        supports_data_type_signed_suffix,
        supports_interval_options,
        supports_limit_by,
        supports_limit_comma,
        supports_comma_separated_trim,
    );

    fn supports_table_versioning(&self) -> bool {
        true
    }

    fn supports_order_by_all(&self) -> bool {
        true
    }

    fn supports_in_empty_list(&self) -> bool {
        false
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            // Tighter than comparisons, less tight than sums.
            Precedence::PgOther => 25,
            other => GenericDialect.prec_value(other),
        }
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match parser.peek_token_ref().token {
            Token::StringConcat | Token::QuestionPipe | Token::Sharp => Some(Ok(self.prec_value(Precedence::PgOther))),
            Token::Caret => Some(Ok(POWER)),
            _ => None,
        }
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let other = self.prec_value(Precedence::PgOther);
        let operator = match parser.peek_token_ref().token {
            Token::PGSquareRoot => Some((UnaryOperator::PGSquareRoot, other)),
            Token::PGCubeRoot => Some((UnaryOperator::PGCubeRoot, other)),
            Token::AtSign => Some((UnaryOperator::PGAbs, other)),
            Token::Tilde => Some((UnaryOperator::BitwiseNot, other)),
            Token::Minus => Some((UnaryOperator::Minus, POWER)),
            _ => None,
        };
        if let Some((op, precedence)) = operator {
            parser.advance_token();
            let operand = parser.parse_subexpr(precedence);
            return Some(operand.map(|expr| Expr::UnaryOp { op, expr: Box::new(expr) }));
        }
        let is_table = matches!(&parser.peek_token_ref().token, Token::Word(word) if word.quote_style.is_none() && word.keyword == Keyword::TABLE);
        let is_input = matches!(&parser.peek_nth_token_ref(1).token, Token::Word(_) | Token::LParen);
        (is_table && is_input).then(|| table_argument(parser))
    }

    fn parse_infix(&self, parser: &mut Parser, expr: &Expr, _precedence: u8) -> Option<Result<Expr, ParserError>> {
        if let Some(negated) = follows_symmetric(parser) {
            return Some(between_symmetric(parser, expr, negated, self.prec_value(Precedence::Between)));
        }
        let operator = match parser.peek_token_ref().token {
            Token::Sharp => Some((BinaryOperator::PGBitwiseXor, self.prec_value(Precedence::PgOther))),
            Token::Caret => Some((BinaryOperator::PGExp, POWER)),
            _ => None,
        };
        if let Some((op, precedence)) = operator {
            parser.advance_token();
            let right = parser.parse_subexpr(precedence);
            let left = Box::new(expr.clone());
            return Some(right.map(|right| Expr::BinaryOp { left, op, right: Box::new(right) }));
        }
        let negated = if parser.parse_keywords(&[Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM]) {
            true
        } else if parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]) {
            false
        } else {
            return None;
        };
        let left = Box::new(expr.clone());
        let right = match parser.parse_subexpr(self.prec_value(Precedence::Is)) {
            Ok(right) => Box::new(right),
            Err(error) => return Some(Err(error)),
        };
        Some(Ok(if negated { Expr::IsNotDistinctFrom(left, right) } else { Expr::IsDistinctFrom(left, right) }))
    }

    fn is_select_item_alias(&self, explicit: bool, keyword: &Keyword, parser: &mut Parser) -> bool {
        explicit || (self.is_column_alias(keyword, parser) && !follows_emit(parser))
    }

    fn is_table_factor_alias(&self, explicit: bool, keyword: &Keyword, parser: &mut Parser) -> bool {
        explicit || (self.is_table_alias(keyword, parser) && !follows_emit(parser))
    }
}

/// `TABLE t [PARTITION BY k, ..]`, the input of a window, as a call with the relation (a name or a query) and the columns.
fn table_argument(parser: &mut Parser) -> Result<Expr, ParserError> {
    parser.advance_token();
    let relation = if parser.peek_token_ref().token == Token::LParen {
        parser.parse_expr()?
    } else {
        Expr::Identifier(parser.parse_identifier()?)
    };
    let mut arguments = vec![relation];
    if parser.parse_keywords(&[Keyword::PARTITION, Keyword::BY]) {
        let parenthesis = parser.consume_token(&Token::LParen);
        arguments.push(parser.parse_expr()?);
        // Without parentheses, what follows a comma is a key if it is a name that no call and no named argument starts with.
        while (parenthesis || names_a_column(parser)) && parser.consume_token(&Token::Comma) {
            arguments.push(parser.parse_expr()?);
        }
        if parenthesis {
            parser.expect_token(&Token::RParen)?;
        }
    }
    Ok(call(TABLE_ARGUMENT, arguments))
}

/// Whether `BETWEEN SYMMETRIC` is next, and with NOT before it.
fn follows_symmetric(parser: &Parser) -> Option<bool> {
    let is = |index: usize, expected: &str| match &parser.peek_nth_token_ref(index).token {
        Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected),
        _ => false,
    };
    let negated = is(0, "NOT");
    let first = usize::from(negated);
    (is(first, "BETWEEN") && is(first + 1, "SYMMETRIC")).then_some(negated)
}

/// `[NOT] BETWEEN SYMMETRIC low AND high`: between the bounds in the one order or in the other.
fn between_symmetric(parser: &mut Parser, expr: &Expr, negated: bool, precedence: u8) -> Result<Expr, ParserError> {
    (0..2 + usize::from(negated)).for_each(|_| parser.advance_token());
    let low = parser.parse_subexpr(precedence)?;
    parser.expect_keyword_is(Keyword::AND)?;
    let high = parser.parse_subexpr(precedence)?;
    let between = |low: &Expr, high: &Expr| {
        let (expr, low, high) = (Box::new(expr.clone()), Box::new(low.clone()), Box::new(high.clone()));
        Box::new(Expr::Between { expr, negated: false, low, high })
    };
    let either = Expr::BinaryOp { left: between(&low, &high), op: BinaryOperator::Or, right: between(&high, &low) };
    let either = Box::new(Expr::Nested(Box::new(either)));
    Ok(if negated { Expr::UnaryOp { op: UnaryOperator::Not, expr: either } } else { *either })
}

/// Whether a comma is next, and then a plain name with another comma behind it.
fn names_a_column(parser: &Parser) -> bool {
    let is_word = matches!(&parser.peek_nth_token_ref(1).token, Token::Word(word) if word.keyword != Keyword::INTERVAL);
    parser.peek_token_ref().token == Token::Comma && is_word && parser.peek_nth_token_ref(2).token == Token::Comma
}

/// Whether the word just read is `EMIT` and starts an EMIT clause.
fn follows_emit(parser: &Parser) -> bool {
    let is = |token: &Token, words: &[&str]| match token {
        Token::Word(word) => word.quote_style.is_none() && words.iter().any(|w| word.value.eq_ignore_ascii_case(w)),
        _ => false,
    };
    let next = parser.peek_token_ref();
    is(&parser.get_current_token().token, &["EMIT"]) && is(&next.token, &["CHANGES", "ON", "FINAL", "EVERY", "AFTER"])
}
