//! Spellings that sqlparser reads as something else, as those that it knows.
//!
//! `TABLE t` as a query becomes `SELECT * FROM t`: sqlparser takes what follows the name for a part of it. The operators `?`, `?|` and `?&` of JSON
//! are placeholders to it where they follow an operand. MATERIALIZED of a common table expression, which says how to compute and not what, is left out.
//! `JSON_OBJECT('k': v)` and `JSON_OBJECT(KEY 'k' VALUE v)` have commas between keys and values. Tokens keep their places in the text.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// What stands before a query.
const BEFORE: &[&str] = &["AS", "ALL", "DISTINCT", "UNION", "EXCEPT", "INTERSECT", "MINUS", "NAME"];
/// What follows one.
const AFTER: &[&str] = &["ORDER", "LIMIT", "OFFSET", "FETCH", "UNION", "EXCEPT", "INTERSECT", "MINUS", "EMIT"];

/// Functions whose arguments are keys and values.
const MAKE_OBJECTS: &[&str] = &["JSON_OBJECT", "JSON_OBJECTAGG"];

/// Respells a statement.
pub(super) fn normalise(mut tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let is_mark = |token: &Token| matches!(token, Token::Placeholder(mark) if mark == "?");
    let is_spelled =
        |index: usize| ["TABLE", "MATERIALIZED"].iter().chain(MAKE_OBJECTS).any(|word| is_word(&tokens, index, word));
    let has_word = (0..tokens.len()).any(is_spelled);
    if !has_word && !tokens.iter().any(|token| is_mark(&token.token)) {
        return tokens;
    }
    join_marks(&mut tokens);
    tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
    let mut index = 0;
    while index < tokens.len() {
        if is_word(&tokens, index, "TABLE") && is_query(&tokens, index) {
            let span = tokens[index].span;
            let with_span = |token| TokenWithSpan { token, span };
            let select = [word(Keyword::SELECT, "SELECT"), Token::Mul, word(Keyword::FROM, "FROM")];
            tokens.splice(index..=index, select.map(with_span));
            index += 2;
        } else if is_word(&tokens, index, "MATERIALIZED") && is_hint(&tokens, index) {
            let start = index - usize::from(is_word(&tokens, index - 1, "NOT"));
            tokens.drain(start..=index);
            continue;
        } else if MAKE_OBJECTS.iter().any(|word| is_word(&tokens, index, word)) {
            separate_pairs(&mut tokens, index + 1);
        }
        index += 1;
    }
    tokens
}

/// Whether the MATERIALIZED at `index` is that of a common table expression: `AS [NOT] MATERIALIZED (`.
fn is_hint(tokens: &[TokenWithSpan], index: usize) -> bool {
    let before = index.checked_sub(1).map(|before| before - usize::from(before > 0 && is_word(tokens, before, "NOT")));
    let opens = tokens.get(index + 1).is_some_and(|next| next.token == Token::LParen);
    opens && before.is_some_and(|before| is_word(tokens, before, "AS"))
}

/// Puts commas between the keys and values of the arguments that the parenthesis at `open` begins, and takes the words KEY away.
fn separate_pairs(tokens: &mut Vec<TokenWithSpan>, open: usize) {
    if tokens.get(open).map(|token| &token.token) != Some(&Token::LParen) {
        return;
    }
    // The key of the pair that is read: where it begins, and whether it has ended.
    let (mut start, mut has_key) = (open + 1, false);
    let (mut index, mut depth) = (open + 1, 0_usize);
    while let Some(token) = tokens.get(index).map(|token| &token.token) {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace if depth == 0 => return,
            Token::RParen | Token::RBracket | Token::RBrace => depth -= 1,
            Token::Comma if depth == 0 => (start, has_key) = (index + 1, false),
            _ if depth == 0 && !has_key && separates(tokens, start, index) => {
                let is_marked = is_word(tokens, index, "VALUE") && is_word(tokens, start, "KEY");
                tokens[index].token = Token::Comma;
                has_key = true;
                // A column may be called KEY: then an operator follows, or nothing.
                if is_marked && index > start + 1 && begins_operand(tokens, start + 1) {
                    tokens.remove(start);
                    index -= 1;
                }
            }
            _ => {}
        }
        index += 1;
    }
}

/// Whether what is at `index` stands between the key that begins at `start` and its value: a colon, or VALUE, which may also be a column.
fn separates(tokens: &[TokenWithSpan], start: usize, index: usize) -> bool {
    let has_value = !matches!(tokens.get(index + 1).map(|next| &next.token), None | Some(Token::Comma | Token::RParen));
    // The first VALUE of `KEY value VALUE ..`.
    let is_column = start + 1 == index
        && is_word(tokens, start, "KEY")
        && is_word(tokens, index + 1, "VALUE")
        && begins_operand(tokens, index + 2);
    let is_separator = tokens[index].token == Token::Colon || is_word(tokens, index, "VALUE");
    index > start && is_separator && has_value && !is_column && follows_operand(&tokens[..index])
}

fn begins_operand(tokens: &[TokenWithSpan], index: usize) -> bool {
    let token = tokens.get(index).map(|token| &token.token);
    matches!(token, Some(Token::Word(_) | Token::SingleQuotedString(_) | Token::Number(..) | Token::LParen))
}

/// Makes one token of `?`, `?|` and `?&` that stand behind an operand.
fn join_marks(tokens: &mut Vec<TokenWithSpan>) {
    let mut index = 0;
    while index < tokens.len() {
        let is_mark = matches!(&tokens[index].token, Token::Placeholder(mark) if mark == "?");
        if is_mark && follows_operand(&tokens[..index]) {
            let (token, joined) = match tokens.get(index + 1).map(|next| &next.token) {
                Some(Token::Pipe) => (Token::QuestionPipe, true),
                Some(Token::Ampersand) => (Token::QuestionAnd, true),
                _ => (Token::Question, false),
            };
            tokens[index].token = token;
            if joined {
                tokens.remove(index + 1);
            }
        }
        index += 1;
    }
}

fn follows_operand(before: &[TokenWithSpan]) -> bool {
    let last = before.iter().rev().map(|token| &token.token).find(|token| !matches!(token, Token::Whitespace(_)));
    match last {
        Some(Token::Word(word)) => word.quote_style.is_some() || !OPENS.contains(&word.keyword),
        Some(Token::RParen | Token::RBracket | Token::SingleQuotedString(_) | Token::DollarQuotedString(_)) => true,
        _ => false,
    }
}

/// Words that an operand follows.
const OPENS: &[Keyword] = &[
    Keyword::SELECT,
    Keyword::WHERE,
    Keyword::AND,
    Keyword::OR,
    Keyword::NOT,
    Keyword::ON,
    Keyword::BY,
    Keyword::IN,
    Keyword::WHEN,
    Keyword::THEN,
    Keyword::ELSE,
    Keyword::CASE,
    Keyword::LIMIT,
    Keyword::OFFSET,
    Keyword::HAVING,
    Keyword::LIKE,
    Keyword::ILIKE,
    Keyword::BETWEEN,
    Keyword::DISTINCT,
    Keyword::RETURNING,
    Keyword::SET,
];

/// Whether the TABLE at `index` is a query: neither an object of DDL nor the input of a window, which other arguments follow.
fn is_query(tokens: &[TokenWithSpan], index: usize) -> bool {
    let follows = |words: &[&str]| index > 0 && words.iter().any(|word| is_word(tokens, index - 1, word));
    let opens = match index.checked_sub(1).map(|before| &tokens[before].token) {
        None => true,
        Some(Token::LParen | Token::SemiColon) => true,
        Some(_) => follows(BEFORE) || is_word(tokens, 0, "INSERT"),
    };
    let is_name = |index: usize| matches!(tokens.get(index).map(|token| &token.token), Some(Token::Word(_)));
    let ends = match tokens.get(index + 2).map(|token| &token.token) {
        None | Some(Token::EOF | Token::RParen | Token::SemiColon) => true,
        Some(_) => AFTER.iter().any(|word| is_word(tokens, index + 2, word)),
    };
    opens && is_name(index + 1) && ends
}

fn is_word(tokens: &[TokenWithSpan], index: usize, expected: &str) -> bool {
    match tokens.get(index).map(|token| &token.token) {
        Some(Token::Word(word)) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected),
        _ => false,
    }
}

fn word(keyword: Keyword, text: &str) -> Token {
    Token::Word(Word { value: text.to_owned(), quote_style: None, keyword })
}
