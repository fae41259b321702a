//! The book's page of functions has a list that is made from the table of functions: it can be neither incomplete nor stale.
//!
//! `DELTIC_UPDATE_DOCS=1 cargo test --workspace --test functions_page` writes the list anew.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::path::Path;

use deltic_circuit::functions::{Definition, Group, definitions};
use deltic_sql::builtin_functions;

const BEGIN: &str = "<!-- made from the table of functions: see sql-frontend/tests/functions_page.rs -->";

fn section(group: Group) -> &'static str {
    match group {
        Group::Time => "Dates and times",
        Group::Text => "Text and bytes",
        Group::Pattern => "Patterns",
        Group::Number => "Numbers",
        Group::Array => "Arrays",
        Group::Map => "Maps",
        Group::Json => "JSON",
        Group::Other => "Any values",
    }
}

fn line(definition: &Definition) -> String {
    // A bar would end the cell of the table.
    let cell = |text: &str| text.replace('|', "\\|");
    let aliases = match definition.aliases {
        [] => String::new(),
        aliases => format!(" Also `{}`.", aliases.join("`, `")),
    };
    format!("| `{}` | {}{aliases} |\n", cell(definition.usage), cell(definition.about))
}

fn list() -> String {
    let mut all: Vec<&Definition> = definitions().collect();
    all.sort_by_key(|definition| (definition.group, definition.name));
    let mut out = String::new();
    for group in [Group::Time, Group::Text, Group::Pattern, Group::Number, Group::Array, Group::Map, Group::Json, Group::Other] {
        writeln!(out, "## {}\n\n| call | yields |\n|---|---|", section(group)).unwrap();
        all.iter().filter(|definition| definition.group == group).for_each(|definition| out.push_str(&line(definition)));
        out.push('\n');
    }
    let builtin = builtin_functions();
    let fields: Vec<String> = builtin.rewritten.iter().map(|name| format!("`{name}`")).collect();
    writeln!(out, "## Other spellings\n\nRewritten to expressions: {}.\n", fields.join(", ")).unwrap();
    let synonyms: Vec<String> = builtin.synonyms.iter().map(|(name, function)| format!("`{name}` is `{function}`")).collect();
    writeln!(out, "Other names: {}.\n", synonyms.join(", ")).unwrap();
    let names = builtin.datafusion.iter().map(|names| match names.as_slice() {
        [only] => format!("`{only}`"),
        [name, others @ ..] => format!("`{name}` (`{}`)", others.join("`, `")),
        [] => String::new(),
    });
    let names: Vec<String> = names.collect();
    writeln!(out, "## Functions of DataFusion\n\nThese are called as they are: {}.", names.join(", ")).unwrap();
    out
}

#[test]
fn the_page_lists_every_function() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/functions.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, after) = page.split_once(BEGIN).expect("the page has the mark where the list begins");
    let wanted = format!("\n\n{}", list());
    if std::env::var_os("DELTIC_UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{wanted}")).unwrap();
    } else {
        assert_eq!(after, wanted, "the list is stale: run this test with DELTIC_UPDATE_DOCS=1");
    }
}

#[test]
fn names_are_there_once() {
    let mut names: Vec<&str> =
        definitions().flat_map(|definition| definition.aliases.iter().copied().chain([definition.name])).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "a name is in the table twice");
}
