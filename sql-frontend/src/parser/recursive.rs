//! `WITH MUTUALLY RECURSIVE [(RECURSION LIMIT n)]`, and the limit after `WITH RECURSIVE`: sqlparser knows neither.
//!
//! Both become `WITH RECURSIVE` with a first common table expression that nobody can name, whose query is the limit. Tokens keep their places in the text.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use crate::SqlError;
use crate::error::{Code, Position};
use crate::plan::{MUTUALLY_RECURSIVE, WITH_LIMIT};

/// Rewrites the recursive WITH clauses of a statement.
///
/// # Errors
/// If what is in the parentheses is no limit.
pub(super) fn normalise(mut tokens: Vec<TokenWithSpan>) -> Result<Vec<TokenWithSpan>, SqlError> {
    if !(0..tokens.len()).any(|index| is_word(&tokens, index, "RECURSIVE")) {
        return Ok(tokens);
    }
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let mut start = 0;
    while let Some(found) = (start..tokens.len()).find(|&index| is_word(&tokens, index, "RECURSIVE")) {
        start = found + 1;
        let mutually = found >= 2 && is_word(&tokens, found - 1, "MUTUALLY") && is_word(&tokens, found - 2, "WITH");
        if !mutually && (found == 0 || !is_word(&tokens, found - 1, "WITH")) {
            continue;
        }
        let limit = limit(&tokens, start)?;
        if limit.is_some() {
            tokens.drain(start..start + LIMIT_TOKENS + usize::from(is_word(&tokens, start + 1, "ERROR")) * 2);
        }
        if !mutually && limit.is_none() {
            continue;
        }
        let name = if mutually { MUTUALLY_RECURSIVE } else { WITH_LIMIT };
        let span = tokens[found].span;
        let marker = marker(name, limit).into_iter().map(|token| TokenWithSpan { token, span });
        tokens.splice(start..start, marker);
        if mutually {
            tokens.remove(found - 1);
        }
    }
    Ok(tokens)
}

/// `(RECURSION LIMIT n)`
const LIMIT_TOKENS: usize = 5;

/// The limit in parentheses at `index`, if there is one.
fn limit(tokens: &[TokenWithSpan], index: usize) -> Result<Option<String>, SqlError> {
    let Some(Token::LParen) = tokens.get(index).map(|token| &token.token) else { return Ok(None) };
    let error = |at: usize, code, message: &str| {
        let place = tokens.get(at).or(tokens.last()).map_or_else(Position::default, |token| token.span.start.into());
        Err(SqlError::new(code, place, message).with_hint("WITH MUTUALLY RECURSIVE (RECURSION LIMIT 100) ..".to_owned()))
    };
    if is_word(tokens, index + 1, "RETURN") {
        return error(index + 1, Code::Unsupported, "RETURN AT RECURSION LIMIT is not supported");
    }
    let at = index + 1 + 2 * usize::from(is_word(tokens, index + 1, "ERROR") && is_word(tokens, index + 2, "AT"));
    let words = is_word(tokens, at, "RECURSION") && is_word(tokens, at + 1, "LIMIT");
    match tokens.get(at + 2).map(|token| &token.token) {
        Some(Token::Number(number, _)) if words => match number.parse::<u64>() {
            Ok(1..) if matches!(tokens.get(at + 3).map(|token| &token.token), Some(Token::RParen)) => Ok(Some(number.clone())),
            _ => error(at + 2, Code::Query, "the limit of a recursion is a positive number of iterations"),
        },
        _ => error(index, Code::Syntax, "expected RECURSION LIMIT and a number"),
    }
}

/// `"name" AS (SELECT limit),`
fn marker(name: &str, limit: Option<String>) -> Vec<Token> {
    let word = |value: &str, quote_style, keyword| Token::Word(Word { value: value.to_owned(), quote_style, keyword });
    let limit = limit.map_or_else(|| word("NULL", None, Keyword::NULL), |limit| Token::Number(limit, false));
    vec![
        word(name, Some('"'), Keyword::NoKeyword),
        word("AS", None, Keyword::AS),
        Token::LParen,
        word("SELECT", None, Keyword::SELECT),
        limit,
        Token::RParen,
        Token::Comma,
    ]
}

fn is_word(tokens: &[TokenWithSpan], index: usize, expected: &str) -> bool {
    match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected),
        _ => false,
    }
}
