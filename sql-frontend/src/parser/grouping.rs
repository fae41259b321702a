//! Elements of ROLLUP, CUBE and GROUPING SETS that begin with a parenthesis and go on behind it.
//!
//! sqlparser takes the parenthesis of `ROLLUP ((a)::INT, (b + c) * 2)` for that of a set `(a, b)` and stops at what follows. In another pair of
//! parentheses such an element is a set of one expression, which means the same. Tokens keep their places in the text.

use sqlparser::tokenizer::{Token, TokenWithSpan};

/// Puts the elements that need it into parentheses.
pub(super) fn normalise(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !(0..tokens.len()).any(|index| is_grouping(&tokens, index)) {
        return tokens;
    }
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let mut index = 0;
    while index < tokens.len() {
        if is_grouping(&tokens, index) && is(&tokens, index + 1, &Token::LParen) {
            enclose_elements(&mut tokens, index + 2);
        }
        index += 1;
    }
    tokens
}

/// Whether the token ends the name of a form of grouping.
fn is_grouping(tokens: &[TokenWithSpan], index: usize) -> bool {
    let is_word = |expected: &str| match &tokens[index].token {
        Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected),
        _ => false,
    };
    is_word("ROLLUP") || is_word("CUBE") || is_word("SETS")
}

/// Walks the elements from `start` to the parenthesis that closes their list.
fn enclose_elements(tokens: &mut Vec<TokenWithSpan>, start: usize) {
    let mut first = start;
    while let Some((mut end, goes_on)) = element(tokens, first) {
        if goes_on {
            let at = |token, place: usize| TokenWithSpan { token, span: tokens[place].span };
            let (open, close) = (at(Token::LParen, first), at(Token::RParen, end - 1));
            tokens.insert(end, close);
            tokens.insert(first, open);
            end += 2;
        }
        if !is(tokens, end, &Token::Comma) {
            return;
        }
        first = end + 1;
    }
}

/// Where the comma or the parenthesis behind an element is, and whether the element goes on behind a parenthesis that it begins with.
fn element(tokens: &[TokenWithSpan], first: usize) -> Option<(usize, bool)> {
    let mut depth = 0usize;
    let mut is_more = false;
    for (index, TokenWithSpan { token, .. }) in tokens.iter().enumerate().skip(first) {
        if depth == 0 && matches!(token, Token::RParen | Token::Comma) {
            return Some((index, is_more && is(tokens, first, &Token::LParen)));
        }
        is_more |= depth == 0 && index > first;
        match token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn is(tokens: &[TokenWithSpan], index: usize, expected: &Token) -> bool {
    tokens.get(index).is_some_and(|token| token.token == *expected)
}
