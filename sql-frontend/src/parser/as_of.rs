//! ASOF JOIN: two spellings that sqlparser does not know, as the one that it does.
//!
//! It reads `ASOF JOIN b MATCH_CONDITION (..) ON ..`. Here `ASOF LEFT JOIN` becomes that, with the condition marked, and a MATCH_CONDITION
//! that stands behind ON or USING is moved before it. Tokens keep their places in the text.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use crate::plan::LEFT_AS_OF;

/// Rewrites the as-of joins of a statement.
pub(super) fn normalise(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !(0..tokens.len()).any(|index| is_word(&tokens, index, "ASOF")) {
        return tokens;
    }
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let mut start = 0;
    while let Some(found) = (start..tokens.len()).find(|&index| is_word(&tokens, index, "ASOF")) {
        start = found + 1;
        let is_left = is_word(&tokens, start, "LEFT");
        let outer = usize::from(is_left && is_word(&tokens, start + 1, "OUTER"));
        let join = start + usize::from(is_left) + outer;
        if !is_word(&tokens, join, "JOIN") {
            continue;
        }
        tokens.drain(start..join);
        let Some(condition) = move_condition(&mut tokens, start + 1) else { continue };
        if is_left {
            mark(&mut tokens, condition);
        }
    }
    tokens
}

fn is_word(tokens: &[TokenWithSpan], index: usize, expected: &str) -> bool {
    match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected),
        _ => false,
    }
}

/// Moves the MATCH_CONDITION of the join whose right side begins at `from` before its ON or USING. Returns where it is then.
fn move_condition(tokens: &mut [TokenWithSpan], from: usize) -> Option<usize> {
    let first = outside(tokens, from, &["MATCH_CONDITION", "ON", "USING"])?;
    if is_word(tokens, first, "MATCH_CONDITION") {
        return Some(first);
    }
    let condition = outside(tokens, first + 1, &["MATCH_CONDITION", "JOIN", "WHERE", "GROUP", "ORDER", "UNION"])?;
    if !is_word(tokens, condition, "MATCH_CONDITION") {
        return None;
    }
    let end = closing(tokens, condition + 1)?;
    tokens[first..=end].rotate_left(condition - first);
    Some(first)
}

/// The first of `words` outside of parentheses, from `from` to the end of those that are open there.
fn outside(tokens: &[TokenWithSpan], from: usize, words: &[&str]) -> Option<usize> {
    let mut depth = 0usize;
    for index in from..tokens.len() {
        match tokens[index].token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.checked_sub(1)?,
            _ if depth == 0 && words.iter().any(|word| is_word(tokens, index, word)) => return Some(index),
            _ => {}
        }
    }
    None
}

/// The parenthesis that closes the one at `open`.
fn closing(tokens: &[TokenWithSpan], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 1 => return Some(index),
            Token::RParen => depth = depth.checked_sub(1)?,
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Makes the condition at `condition` a call that says that the join is a left one.
fn mark(tokens: &mut Vec<TokenWithSpan>, condition: usize) {
    let Some(end) = closing(tokens, condition + 1) else { return };
    let span = tokens[condition].span;
    let at = |token: Token| TokenWithSpan { token, span };
    tokens.insert(end, at(Token::RParen));
    let name = Word { value: LEFT_AS_OF.to_string(), quote_style: None, keyword: Keyword::NoKeyword };
    tokens.insert(condition + 2, at(Token::LParen));
    tokens.insert(condition + 2, at(Token::Word(name)));
}
