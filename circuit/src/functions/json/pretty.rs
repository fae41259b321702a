//! JSON for people: a member or element a line, four blanks for each level, as PostgreSQL's `jsonb_pretty`.

use super::super::parameters::Kind;
use super::super::{Definition, Group, returns};
use super::definition;
use super::value::{Json, parse, write_string};

pub(super) const PRETTY: Definition = definition!(
    "jsonb_pretty",
    &[],
    "jsonb_pretty(json)",
    "The value as text with a member or element a line, indented by four blanks a level.",
    &[Kind::Text],
    1,
    false,
    returns::text,
    |call| {
        let values = call.text(0);
        call.write(|row, out| match values.get(row) {
            Some(value) => parse(value).map(|value| write(&value, 0, out)).map(|()| true),
            None => Ok(false),
        })
    }
);

fn write(value: &Json, level: usize, out: &mut String) {
    match value {
        Json::Array(elements) => {
            out.push('[');
            for (position, element) in elements.iter().enumerate() {
                next_line(position, level + 1, out);
                write(element, level + 1, out);
            }
            end_line(level, out);
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (position, (key, member)) in members.iter().enumerate() {
                next_line(position, level + 1, out);
                write_string(key, out);
                out.push_str(": ");
                write(member, level + 1, out);
            }
            end_line(level, out);
            out.push('}');
        }
        scalar => scalar.write(out),
    }
}

fn next_line(position: usize, level: usize, out: &mut String) {
    out.push_str(if position > 0 { "," } else { "" });
    end_line(level, out);
}

fn end_line(level: usize, out: &mut String) {
    out.push('\n');
    (0..level).for_each(|_| out.push_str("    "));
}
