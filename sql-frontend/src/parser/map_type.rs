//! `MAP<K, V>`, as Flink and Spark write the type of a map, is `MAP(K, V)` to sqlparser, which reads one of the two spellings only.
//!
//! `map < a` may be a comparison: it is a type where a name of a type follows and nothing up to the closing `>` that cannot stand in a type.
//! Tokens keep their places in the text.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::plan::TYPE_NAMES;

/// Names of types with parts.
const NESTED: &[&str] = &["MAP", "ARRAY", "STRUCT"];

/// Respells the types of maps in a statement.
pub(super) fn normalise(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut index = 0;
    while index < tokens.len() {
        if is_word(&tokens[index].token, &["MAP"])
            && let Some((open, close)) = brackets(&mut tokens, index + 1)
        {
            tokens[open].token = Token::LParen;
            tokens[close].token = Token::RParen;
        }
        index += 1;
    }
    tokens
}

fn is_word(token: &Token, expected: &[&str]) -> bool {
    match token {
        Token::Word(word) => word.quote_style.is_none() && expected.iter().any(|name| word.value.eq_ignore_ascii_case(name)),
        _ => false,
    }
}

/// Where the brackets around the parts of the type are, if `from` is behind the name of a type. What closes two types at once becomes two tokens.
fn brackets(tokens: &mut Vec<TokenWithSpan>, from: usize) -> Option<(usize, usize)> {
    let solid = |tokens: &[TokenWithSpan], from: usize| {
        (from..tokens.len()).find(|&index| !matches!(tokens[index].token, Token::Whitespace(_)))
    };
    let open = solid(tokens, from).filter(|&index| tokens[index].token == Token::Lt)?;
    let first = &tokens[solid(tokens, open + 1)?].token;
    if !is_word(first, TYPE_NAMES) && !is_word(first, NESTED) {
        return None;
    }
    let (mut depth, mut has_values) = (1, false);
    let mut index = open + 1;
    while index < tokens.len() {
        match tokens[index].token {
            Token::Lt => depth += 1,
            Token::Gt if depth == 1 => return has_values.then_some((open, index)),
            Token::Gt => depth -= 1,
            Token::ShiftRight if depth > 1 => {
                let span = tokens[index].span;
                tokens.splice(index..=index, [Token::Gt, Token::Gt].map(|token| TokenWithSpan { token, span }));
                continue;
            }
            Token::Comma => has_values |= depth == 1,
            Token::Word(_) | Token::Whitespace(_) | Token::Number(..) => {}
            Token::LParen | Token::RParen | Token::LBracket | Token::RBracket => {}
            _ => return None,
        }
        index += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use sqlparser::dialect::GenericDialect;
    use sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn respelled(sql: &str) -> String {
        let tokens = Tokenizer::new(&GenericDialect, sql).tokenize_with_location().unwrap();
        normalise(tokens).iter().map(|token| token.token.to_string()).collect()
    }

    #[test]
    fn types_have_parentheses() {
        assert_eq!(respelled("c MAP<VARCHAR, BIGINT>"), "c MAP(VARCHAR, BIGINT)");
        assert_eq!(respelled("m::map <int, Map<date, decimal(8, 2)[]>>"), "m::map (int, Map(date, decimal(8, 2)[]))");
        assert_eq!(respelled("MAP<ARRAY<INT>, STRUCT<x ARRAY<INT>>>"), "MAP(ARRAY<INT>, STRUCT<x ARRAY<INT>>)");
    }

    #[test]
    fn comparisons_stay() {
        for sql in ["map < a, b > c", "map < date", "map < text AND x > 1", "\"map\"<int, int>", "MAP {'a': 1}", "map < int >> 2"]
        {
            assert_eq!(respelled(sql), sql);
        }
    }
}
