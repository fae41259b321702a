//! The first half of the demo: sessions that merge, split and close, one change at a time, each with the exact delta that it made.

use std::io::IsTerminal;
use std::time::Duration;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use deltic::{Change, Config, Database, Subscription};

/// A step between two rows that still links them; one character of the picture is one unit of time.
const GAP: i64 = 10;
const WIDTH: usize = 56;

const VIEWS: &str = "
CREATE TABLE visit (page INT, at BIGINT, WATERMARK FOR at) WITH (allowed_lateness = 100);
CREATE MATERIALIZED VIEW session AS
  SELECT window_start, window_end, count(*) AS pages FROM visit GROUP BY SESSION(at, 10);
CREATE MATERIALIZED VIEW closed AS
  SELECT window_start, window_end, count(*) AS pages FROM visit GROUP BY SESSION(at, 10) EMIT ON WINDOW CLOSE;
";

/// What happens, and what to see in it.
const SCRIPT: &[(&str, &str)] = &[
    ("INSERT INTO visit VALUES (1, 0)", "a visitor looks at a page"),
    ("INSERT INTO visit VALUES (2, 6)", "and at another: the session grows"),
    ("INSERT INTO visit VALUES (3, 24)", "a while later: a second session"),
    ("INSERT INTO visit VALUES (4, 40)", "and a third"),
    ("INSERT INTO visit VALUES (5, 15)", "a row comes late, between two: they are one"),
    ("INSERT INTO visit VALUES (6, 33)", "another bridge"),
    ("DELETE FROM visit WHERE page = 5", "its row is deleted: the session splits"),
    ("UPDATE visit SET at = 16 WHERE page = 6", "a row moves: a split and a merge at once"),
    ("ADVANCE WATERMARK visit TO 45", "the watermark passes the first end: it closes"),
    ("ADVANCE WATERMARK visit TO 60", "and the second"),
    ("INSERT INTO visit VALUES (7, 3)", "late, within the lateness: a correction"),
];

/// Plays the script.
pub(super) fn sessions() -> Result<(), Box<dyn std::error::Error>> {
    let db = Database::open(Config::in_memory().workers(1))?;
    db.execute(VIEWS)?;
    let mut open = db.subscribe(&["session"])?;
    let mut closed = db.subscribe(&["closed"])?;
    let pause = if std::io::stdout().is_terminal() { Duration::from_millis(350) } else { Duration::ZERO };
    println!(
        "Sessions, gap {GAP}: a row merges them, a deletion splits them again. Each line shows the sessions, then the exact delta.\n"
    );
    for (statement, meaning) in SCRIPT {
        db.execute(statement)?;
        let picture = picture(&db)?;
        println!("{meaning:<46} |{picture}|");
        for (kind, subscription) in [("", &mut open), ("closed ", &mut closed)] {
            for line in deltas(subscription)? {
                println!("{:<47} {kind}{line}", "");
            }
        }
        std::thread::sleep(pause);
    }
    println!();
    Ok(())
}

/// The sessions on a line.
fn picture(db: &Database) -> Result<String, deltic::Error> {
    let mut line = [' '; WIDTH];
    for batch in db.query("SELECT window_start, window_end FROM session")? {
        let bounds = [0, 1].map(|column| batch.column(column).as_primitive::<Int64Type>().clone());
        for row in 0..batch.num_rows() {
            let [start, end] = [0, 1].map(|side: usize| usize::try_from(bounds[side].value(row)).unwrap_or(0).min(WIDTH));
            line[start..end].fill('=');
            if let Some(first) = line.get_mut(start) {
                *first = '[';
            }
            if let Some(last) = end.checked_sub(1).and_then(|last| line.get_mut(last)) {
                *last = ')';
            }
        }
    }
    Ok(line.iter().collect())
}

/// What left the view since the last call, one row each, retractions first.
fn deltas(subscription: &mut Subscription) -> Result<Vec<String>, deltic::Error> {
    let mut lines = Vec::new();
    while let Some(change) = subscription.try_next() {
        let Change { deltas, .. } = change?;
        for delta in &deltas {
            let column = |index: usize| delta.rows.column(index).as_primitive::<Int64Type>();
            for row in 0..delta.rows.num_rows() {
                let [start, end, pages] = [0, 1, 2].map(|index| column(index).value(row));
                lines.push(format!("{:+} session [{start}, {end}) of {pages}", delta.weights.value(row)));
            }
        }
    }
    lines.sort_by_key(|line| line.starts_with('+'));
    Ok(lines)
}
