//! Patterns of LIKE and SIMILAR TO, as those that the operators take.

use arrow::array::ArrayRef;

use super::call::Call;
use super::parameters::Kind;
use super::{Definition, Group, returns};

/// The functions of this module.
pub(super) const DEFINITIONS: &[Definition] = &[
    Definition {
        name: "like_escape",
        aliases: &[],
        group: Group::Pattern,
        usage: "text LIKE pattern ESCAPE character",
        about: "A pattern of LIKE with `\\` in the place of another escape character.",
        parameters: &[Kind::Text, Kind::Text],
        required: 2,
        variadic: false,
        returns: returns::text,
        kernel: like_escape,
    },
    Definition {
        name: "similar_to_escape",
        aliases: &[],
        group: Group::Pattern,
        usage: "text SIMILAR TO pattern [ESCAPE character]",
        about: "A pattern of SIMILAR TO as a regular expression.",
        parameters: &[Kind::Text, Kind::Text],
        required: 1,
        variadic: false,
        returns: returns::text,
        kernel: similar_to_escape,
    },
];

/// The one character of an ESCAPE; `None` if it is empty, which turns escaping off.
fn escape_character(escape: &str) -> Result<Option<char>, String> {
    let mut characters = escape.chars();
    match (characters.next(), characters.next()) {
        (first, None) => Ok(first),
        _ => Err(format!("ESCAPE takes one character, not '{escape}'")),
    }
}

fn like_escape(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (patterns, escapes) = (call.text(0), call.text(1));
    call.write(|row, out| {
        let (Some(pattern), Some(escape)) = (patterns.get(row), escapes.get(row)) else { return Ok(false) };
        let escape = escape_character(escape)?;
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            if Some(character) == escape {
                let next = characters.next().ok_or("a pattern of LIKE must not end with its escape character")?;
                out.extend(['\\', next]);
            } else if character == '\\' {
                out.push_str("\\\\");
            } else {
                out.push(character);
            }
        }
        Ok(true)
    })
}

/// `%` and `_` are those of LIKE, `| * + ? { } ( ) [ ]` those of regular expressions, and the pattern must match all of the text.
fn similar_to_escape(call: &Call<'_>) -> Result<ArrayRef, String> {
    let (patterns, escapes) = (call.text(0), call.optional_text(1));
    call.write(|row, out| {
        let escape = escapes.map_or(Some("\\"), |escapes| escapes.get(row));
        let (Some(pattern), Some(escape)) = (patterns.get(row), escape) else { return Ok(false) };
        let escape = escape_character(escape)?;
        out.push_str("^(?s:");
        let (mut characters, mut in_class) = (pattern.chars(), false);
        while let Some(character) = characters.next() {
            match character {
                _ if Some(character) == escape => {
                    let next = characters.next().ok_or("a pattern of SIMILAR TO must not end with its escape character")?;
                    out.push_str(&::regex::escape(next.encode_utf8(&mut [0; 4])));
                }
                '[' | ']' => {
                    in_class = character == '[';
                    out.push(character);
                }
                other if in_class => out.push(other),
                '%' => out.push_str(".*"),
                '_' => out.push('.'),
                '.' | '^' | '$' | '\\' => out.extend(['\\', character]),
                other => out.push(other),
            }
        }
        out.push_str(")$");
        Ok(true)
    })
}
