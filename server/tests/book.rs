//! Every SQL example of the book and the README runs, and prints what the page says.
//!
//! A ```` ```sql ```` block followed by a ```` ```text ```` block must print exactly that text; other `sql` blocks must run without error. The blocks of one
//! page run in one session, in order. Its clock is moved by hand, and starts with the year 2024.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

struct Page {
    sql: String,
    expected: String,
}

/// The `sql` blocks of a page, and the `text` blocks that directly follow one.
fn read_page(path: &Path) -> Page {
    let text = std::fs::read_to_string(path).unwrap();
    let mut page = Page { sql: String::new(), expected: String::new() };
    let mut block: Option<(String, String)> = None;
    let mut after_sql = false;
    for line in text.lines() {
        match (&mut block, line.strip_prefix("```")) {
            (None, Some(language)) => block = Some((language.to_string(), String::new())),
            (Some((language, content)), Some("")) => {
                match language.as_str() {
                    "sql" => page.sql.push_str(content),
                    "text" if after_sql => page.expected.push_str(content),
                    _ => {}
                }
                after_sql = language == "sql";
                block = None;
            }
            (Some((_, content)), _) => {
                content.push_str(line);
                content.push('\n');
            }
            (None, None) if !line.trim().is_empty() => after_sql = false,
            (None, None) => {}
        }
    }
    page
}

fn run(sql: &str) -> (bool, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_deltic"))
        .args(["run", "-", "--clock", "2024-01-01 00:00:00"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages: Vec<PathBuf> = std::fs::read_dir(root.join("docs/src")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

#[test]
fn examples_print_what_the_page_says() {
    let mut examples = 0;
    for path in pages() {
        let page = read_page(&path);
        if page.sql.is_empty() {
            continue;
        }
        examples += 1;
        let (success, printed, errors) = run(&page.sql);
        assert!(success, "{}: {errors}", path.display());
        if !page.expected.is_empty() {
            assert_eq!(printed, page.expected, "{}", path.display());
        }
    }
    assert!(examples >= 4, "only {examples} pages with examples");
}

#[test]
fn every_page_is_in_the_summary_and_every_entry_is_a_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src");
    let summary = std::fs::read_to_string(folder.join("SUMMARY.md")).unwrap();
    let entries: Vec<&str> = summary.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    for entry in &entries {
        assert!(folder.join(entry).is_file(), "SUMMARY.md names {entry}, which does not exist");
    }
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "SUMMARY.md" || entries.contains(&name.as_str()), "{name} is not in SUMMARY.md");
    }
}
