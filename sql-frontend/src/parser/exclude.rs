//! EXCLUDE in the frame of a window, which sqlparser does not know.
//!
//! It is taken out of the tokens and noted in the name of the window that the definition copies: `(w ORDER BY a ROWS 1 PRECEDING EXCLUDE TIES)` is read as
//! `("w<mark>ties" ORDER BY a ROWS 1 PRECEDING)`. Where windows are spelled out, the name is taken apart again.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use crate::plan::EXCLUDE_MARK;

/// What follows EXCLUDE, and how it is noted.
const KINDS: [(&[&str], &str); 4] =
    [(&["CURRENT", "ROW"], "current row"), (&["GROUP"], "group"), (&["TIES"], "ties"), (&["NO", "OTHERS"], "")];

/// Notes the exclusions of a statement.
pub(super) fn normalise(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !(0..tokens.len()).any(|index| is_word(&tokens, index, "EXCLUDE")) {
        return tokens;
    }
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let mut start = 0;
    while let Some(found) = (start..tokens.len()).find(|&index| is_word(&tokens, index, "EXCLUDE")) {
        start = found + 1;
        let kind = KINDS.iter().find(|(words, _)| {
            let all = words.iter().enumerate().all(|(place, word)| is_word(&tokens, found + 1 + place, word));
            all && tokens.get(found + 1 + words.len()).is_some_and(|token| token.token == Token::RParen)
        });
        let (Some((words, kind)), Some(open)) = (kind, opening(&tokens, found)) else { continue };
        let has_frame = (open..found).any(|index| ["ROWS", "RANGE", "GROUPS"].iter().any(|unit| is_word(&tokens, index, unit)));
        if !has_frame {
            continue;
        }
        tokens.drain(found..=found + words.len());
        if !kind.is_empty() {
            note(&mut tokens, open + 1, kind);
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

/// The parenthesis that is open at a token.
fn opening(tokens: &[TokenWithSpan], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    for index in (0..at).rev() {
        match tokens[index].token {
            Token::RParen => depth += 1,
            Token::LParen if depth == 0 => return Some(index),
            Token::LParen => depth -= 1,
            _ => {}
        }
    }
    None
}

/// Marks the name at `place`, or puts one there.
fn note(tokens: &mut Vec<TokenWithSpan>, place: usize, kind: &str) {
    let begins = ["PARTITION", "ORDER", "ROWS", "RANGE", "GROUPS"].iter().any(|word| is_word(tokens, place, word));
    let name = match &tokens[place].token {
        Token::Word(word) if !begins && word.quote_style.is_some() => Some(word.value.clone()),
        Token::Word(word) if !begins => Some(word.value.to_lowercase()),
        _ => None,
    };
    let value = format!("{}{EXCLUDE_MARK}{kind}", name.as_deref().unwrap_or_default());
    let token = Token::Word(Word { value, quote_style: Some('"'), keyword: Keyword::NoKeyword });
    let marked = TokenWithSpan { token, span: tokens[place].span };
    if name.is_some() {
        tokens[place] = marked;
    } else {
        tokens.insert(place, marked);
    }
}
