//! Paths of SQL/JSON: `$.a.b[0]`, `$."a b"`, `$.a[*]`, `$.*`, `$[last]`. Lax, as is the standard's default: a member of an array is that of its elements,
//! and element 0 of what is no array is itself; `strict` before the path turns both off. Filters and methods are refused.

use super::value::{element, elements, kind, member, members};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    EachMember,
    Element(i64),
    EachElement,
}

/// A compiled path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    steps: Vec<Step>,
    strict: bool,
}

/// Compiles `text`.
///
/// # Errors
/// If it is not a path, or one with a filter or method.
pub(super) fn compile(text: &str) -> Result<Path, String> {
    let wrong = |what: &str| format!("'{text}' is not a JSON path: {what}");
    let trimmed = text.trim();
    let (strict, rest) = match (trimmed.strip_prefix("strict "), trimmed.strip_prefix("lax ")) {
        (Some(rest), _) => (true, rest.trim_start()),
        (None, Some(rest)) => (false, rest.trim_start()),
        (None, None) => (false, trimmed),
    };
    let mut rest = rest.strip_prefix('$').ok_or_else(|| wrong("it must begin with $"))?;
    let mut steps = Vec::new();
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        rest = match first {
            '.' if after.starts_with('*') => {
                steps.push(Step::EachMember);
                &after[1..]
            }
            '.' if after.starts_with('"') => {
                let end = closing_quote(&after[1..]).ok_or_else(|| wrong("a quote does not end"))?;
                let key = super::value::unescaped(&after[1..=end]).ok_or_else(|| wrong("a key has a wrong escape"))?;
                steps.push(Step::Member(key.into_owned()));
                &after[end + 2..]
            }
            '.' => {
                let end = after.find(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '$');
                let (key, after) = after.split_at(end.unwrap_or(after.len()));
                if key.is_empty() || after.starts_with('(') {
                    return Err(wrong("a key is missing, or a method, which is not supported"));
                }
                steps.push(Step::Member(key.to_owned()));
                after
            }
            '[' => {
                let (index, after) = after.split_once(']').ok_or_else(|| wrong("a bracket does not end"))?;
                steps.push(subscript(index.trim()).ok_or_else(|| wrong("only [number], [last] and [*] are supported"))?);
                after
            }
            '?' => return Err(wrong("filters are not supported")),
            _ => return Err(wrong("a point or a bracket is missing")),
        };
    }
    Ok(Path { steps, strict })
}

/// Where the quote is that ends the string at the start of `text`.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(offset, character)| {
        let found = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        found.then_some(offset)
    })
}

fn subscript(text: &str) -> Option<Step> {
    match text {
        "*" => Some(Step::EachElement),
        "last" => Some(Step::Element(-1)),
        text => match text.strip_prefix("last") {
            Some(rest) => rest.trim().strip_prefix('-')?.trim().parse().ok().map(|back: i64| Step::Element(-1 - back)),
            // Quotes are how other systems write keys that are no names.
            None => match text.strip_prefix(['\'', '"']).and_then(|key| key.strip_suffix(['\'', '"'])) {
                Some(key) => Some(Step::Member(key.to_owned())),
                None => text.parse().ok().filter(|index| *index >= 0).map(Step::Element),
            },
        },
    }
}

impl Path {
    /// All values at the path in `text`, as they are written there.
    ///
    /// # Errors
    /// If the text is not JSON, or a strict path does not fit it.
    pub(super) fn find<'t>(&self, text: &'t str) -> Result<Vec<&'t str>, String> {
        super::value::check(text)?;
        let mut found = vec![text.trim()];
        for step in &self.steps {
            let mut next = Vec::with_capacity(found.len());
            for value in found {
                self.step(step, value, &mut next)?;
            }
            found = next;
        }
        Ok(found)
    }

    fn step<'t>(&self, step: &Step, value: &'t str, next: &mut Vec<&'t str>) -> Result<(), String> {
        let is_array = kind(value) == "array";
        match step {
            Step::Member(_) | Step::EachMember if is_array && !self.strict => elements(value)?
                .into_iter()
                .filter(|value| kind(value) != "array")
                .try_for_each(|value| self.step(step, value, next)),
            Step::Element(0 | -1) | Step::EachElement if !is_array && !self.strict => {
                next.push(value);
                Ok(())
            }
            Step::Member(key) => {
                let found = member(value, key)?;
                self.check(found.is_some())?;
                next.extend(found);
                Ok(())
            }
            Step::Element(index) => {
                let found = element(value, *index)?;
                self.check(found.is_some())?;
                next.extend(found);
                Ok(())
            }
            Step::EachMember => {
                self.check(kind(value) == "object")?;
                next.extend(members(value)?);
                Ok(())
            }
            Step::EachElement => {
                self.check(is_array)?;
                next.extend(elements(value)?);
                Ok(())
            }
        }
    }

    fn check(&self, found: bool) -> Result<(), String> {
        if found || !self.strict { Ok(()) } else { Err("the strict path does not fit".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn paths_find_values() {
        let text = r#"{"a": {"b": [1, 2, 3]}, "c d": [{"x": 1}, {"x": 2}], "e": 5}"#;
        for (path, wanted) in [
            ("$", vec![text]),
            ("$.a.b[0]", vec!["1"]),
            ("$.a.b[last]", vec!["3"]),
            ("$.a.b[last - 1]", vec!["2"]),
            ("$.a.b[*]", vec!["1", "2", "3"]),
            ("$.\"c d\".x", vec!["1", "2"]),
            ("$['c d'][1].x", vec!["2"]),
            ("lax $.e[0]", vec!["5"]),
            ("$.a.*", vec!["[1, 2, 3]"]),
            ("$.nothing", vec![]),
            ("$.a.b[7]", vec![]),
        ] {
            assert_eq!(compile(path).unwrap().find(text).unwrap(), wanted, "{path}");
        }
        assert!(compile("strict $.nothing").unwrap().find(text).is_err());
        for path in ["", "a", "$.", "$[", "$[a]", "$.a ? (@ > 1)", "$.a.size()", "$.\"a"] {
            assert!(compile(path).is_err(), "{path}");
        }
    }
}
