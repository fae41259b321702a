//! The command as a user meets it: exit codes, positions of errors, formats.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn deltic(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_deltic"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The command may end before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const SETUP: &str = "CREATE TABLE t (k BIGINT, v DOUBLE);\nINSERT INTO t VALUES (1, 0.5), (2, NULL);\n";

#[test]
fn results_as_csv_and_json_are_nothing_but_results() {
    let query = format!("{SETUP}SELECT k, v FROM t ORDER BY k;");
    let csv = deltic(&["run", "-", "--format", "csv"], &query);
    assert_eq!((csv.status.code(), stdout(&csv).as_str()), (Some(0), "k,v\n1,0.5\n2,\n"));
    let nested = "SELECT ARRAY['a', 'b c', NULL] AS l, MAP {'k': 1} AS m, NULL::INT[] AS n;";
    let csv = deltic(&["run", "-", "--format", "csv"], nested);
    assert_eq!(stdout(&csv), "l,m,n\n\"{a,\"\"b c\"\",NULL}\",\"{\"\"k\"\":1}\",\n");
    let json = deltic(&["run", "-", "--format", "json", "--workers", "2"], &query);
    assert_eq!(stdout(&json), "{\"k\":1,\"v\":0.5}\n{\"k\":2,\"v\":null}\n");
}

#[test]
fn an_error_stops_the_file_with_its_position_and_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.sql");
    std::fs::write(&file, format!("{SETUP}SELECT k,\n  nothing FROM t;\nSELECT 42;")).unwrap();
    let output = deltic(&["run", file.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with(&format!("{}:4:3: error DT1", file.display())), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn what_was_done_before_an_error_is_printed() {
    let output = deltic(&["run", "-", "--format", "csv"], "SELECT 1 AS one; SELECT 1 / 0;");
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), "one\n1\n"));
    assert!(stderr(&output).contains("division by zero"), "{}", stderr(&output));
}

#[test]
fn a_missing_file_is_named() {
    let output = deltic(&["run", "no-such-file.sql"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no-such-file.sql"), "{}", stderr(&output));
}

#[test]
fn an_open_transaction_at_the_end_is_an_error() {
    let output = deltic(&["run", "-"], &format!("{SETUP}BEGIN; INSERT INTO t VALUES (3, 1);"));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("rolled back"), "{}", stderr(&output));
}

#[test]
fn subscribe_prints_the_changes_of_later_statements() {
    let sql = "CREATE TABLE t (k BIGINT); CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM t;\n\
               SUBSCRIBE n; INSERT INTO t VALUES (1), (2);";
    let output = deltic(&["run", "-", "--format", "json"], sql);
    let mut lines: Vec<String> = stdout(&output).lines().map(ToString::to_string).collect();
    lines.sort();
    assert_eq!(lines.len(), 2, "{}", stdout(&output));
    assert!(lines[0].contains("\"weight\":-1,\"n\":0"), "{lines:?}");
    assert!(lines[1].contains("\"weight\":1,\"n\":2"), "{lines:?}");
}

#[test]
fn check_finds_nothing_wrong_with_right_views_and_says_what_it_did() {
    let sql = "CREATE TABLE t (k BIGINT, v BIGINT); CREATE MATERIALIZED VIEW s AS SELECT k, sum(v) AS s FROM t GROUP BY k;";
    let output = deltic(&["check", "-", "--iterations", "5", "--seed", "1"], sql);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).starts_with("1 views right at every epoch: 5 histories"), "{}", stdout(&output));
}

#[test]
fn check_refuses_a_file_without_views() {
    let output = deltic(&["check", "-"], "CREATE TABLE t (k BIGINT);");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no materialized view"), "{}", stderr(&output));
}

#[test]
fn the_shell_runs_statements_from_a_pipe() {
    let output = deltic(&["shell"], "CREATE TABLE t (k BIGINT);\nINSERT INTO t\nVALUES (7);\nSELECT k FROM t;\n\\q\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("| 7 |"), "{}", stdout(&output));
}

#[test]
fn the_demo_runs_to_its_end() {
    let output = deltic(&["demo", "--events", "20000", "--workers", "2"], "");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("20000 events"), "{}", stdout(&output));
    assert!(stdout(&output).contains("average_price"), "{}", stdout(&output));
}

#[test]
fn scripts_move_a_manual_clock() {
    let sql = "CREATE STREAM s (ts TIMESTAMP, WATERMARK FOR ts AS PROCTIME()) WITH (late_policy = 'warn');\n\
               ADVANCE CLOCK BY INTERVAL '1' HOUR;\nINSERT INTO s VALUES ('2024-01-01 00:59:59');";
    let output = deltic(&["run", "-", "--clock", "2024-01-01 00:00:00"], sql);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), ""));
    assert_eq!(stderr(&output), "warning: 1 row for 's' was not accepted and was dropped: 1 late\n");
    let refused = deltic(&["run", "-"], sql);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("<stdin>:2:1: error DT4015") && stderr(&refused).contains("--clock"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn check_makes_up_queries() {
    let output = deltic(&["check", "--queries", "20", "--seed", "1"], "");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("20 queries drawn"));
    assert!(!deltic(&["check", "-", "--queries", "20"], "").status.success(), "a file and queries");
}
