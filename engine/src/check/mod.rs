//! The law as a product: is each view of a file what its query says, at every epoch?
//!
//! [`check`] takes the `CREATE` statements of a SQL file and, iteration after iteration, makes up tables and a history for them: inserts,
//! deletions, updates, duplicates, NULLs, the ends of the types' ranges, hot keys, noise that cancels. It cuts the history into
//! random commits, runs it with a random number of workers, creates the views before, amid and after the data, and
//! compares at every epoch the contents, the error relation and the summed changelog of each view with the naive reference
//! interpreter of `deltic-circuit` over the same rows, and (where one is given) with an outside batch engine. A failure is cut down to
//! a few rows and printed as SQL.
//!
//! Of sources with event time, the times lie around the watermark, so that some rows are late and others just not; watermarks and the clock are moved in between.
//! Which rows are accepted is decided by a model of a few plain lines beside the engine; `EMIT EVERY` is compared with what there was at the last tick.
//!
//! What it can find: whatever makes an incremental operator, the driver, hydration or the commit path differ from the
//! meaning of the circuit. What it cannot: a query that the frontend translated to the wrong circuit, and a
//! wrong scalar function; both sides would agree. That is what the [`BatchOracle`] is for.

mod generate;
mod history;
mod model;
mod queries;
mod run;
mod sample;
mod setup;
mod shrink;
mod times;
mod values;

use std::fmt;

use deltic_circuit::{CircuitRef, TimeSource};
use deltic_zset::ZBatch;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::Result;
use history::InputRelation;
pub use queries::{QueryReport, Refused, check_queries};

/// How much to check.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// Histories to try.
    pub iterations: u64,
    /// Where the random histories start; the same seed gives the same histories.
    pub seed: u64,
    /// Each history runs with 1 to this many workers.
    pub max_workers: usize,
}

impl Default for CheckOptions {
    fn default() -> Self {
        CheckOptions { iterations: 100, seed: rand::random(), max_workers: 4 }
    }
}

/// What was checked, and the first failure.
#[derive(Clone, Debug)]
pub struct CheckReport {
    /// Names of the views, in file order.
    pub views: Vec<String>,
    /// Statements of the file that define nothing (INSERT, SELECT ..): they were left out, because the data is made up.
    pub skipped_statements: usize,
    /// Histories run.
    pub iterations: u64,
    /// Commits run, over all histories.
    pub commits: u64,
    /// The seed of the run.
    pub seed: u64,
    /// The first view found wrong.
    pub failure: Option<CheckFailure>,
}

/// A view that was not what its query says, with the smallest history found that shows it.
#[derive(Clone, Debug)]
pub struct CheckFailure {
    /// Name of the view.
    pub view: String,
    /// The iteration that found it.
    pub iteration: u64,
    /// Workers that it ran with.
    pub workers: usize,
    /// What differed, after which commit.
    pub difference: String,
    /// Statements that reproduce it.
    pub sql: String,
}

impl fmt::Display for CheckFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "view {} is wrong (iteration {}, {} workers)", self.view, self.iteration, self.workers)?;
        writeln!(f, "{}", self.difference)?;
        write!(f, "\n{}", self.sql)
    }
}

/// Contents of one source of a query, for a [`BatchOracle`].
#[derive(Clone, Debug)]
pub struct OracleInput {
    /// Name of the relation.
    pub name: String,
    /// Its rows.
    pub rows: ZBatch,
}

/// An outside batch engine: a second opinion on what a query means.
pub trait BatchOracle {
    /// Runs `query` over `inputs` and compares with `rows`. `None` if they agree, or if the oracle has no valid opinion on this query; else the difference as text.
    fn compare(&self, query: &str, inputs: &[OracleInput], rows: &ZBatch) -> Option<String>;
}

/// A materialized view of the file under check.
#[derive(Clone, Debug)]
struct ViewUnderCheck {
    name: String,
    /// Its CREATE statement.
    sql: String,
    /// Its query.
    query: String,
    circuit: CircuitRef,
    /// The plain views that it is made of, in file order.
    plain: Vec<usize>,
    /// The sets of sources whose watermarks its operators go by.
    groups: Vec<Vec<TimeSource>>,
}

/// A plain view of the file under check.
#[derive(Clone, Debug)]
struct PlainView {
    name: String,
    /// Its CREATE statement.
    sql: String,
    /// The plain views that it is made of.
    needs: Vec<usize>,
}

/// The file under check.
#[derive(Clone, Debug)]
struct Setup {
    relations: Vec<InputRelation>,
    /// Statements that create the relations.
    ddl: Vec<String>,
    plain: Vec<PlainView>,
    views: Vec<ViewUnderCheck>,
    /// The views to create, while a failure is cut down.
    selected: Vec<bool>,
    /// Views that must have the same rows whenever neither has errors, by their indexes; both are created at the same time.
    equal: Vec<(usize, usize)>,
    skipped_statements: usize,
}

/// Checks every materialized view that `sql` defines; see the [module](self). `progress` hears of each finished iteration.
///
/// # Errors
/// If the file does not parse or one of its statements is refused, or if the engine refuses a valid commit.
///
/// ```
/// let sql = "CREATE TABLE t (k BIGINT, v BIGINT);
///            CREATE MATERIALIZED VIEW s AS SELECT k, count(*) AS n FROM t GROUP BY k";
/// let options = deltic::check::CheckOptions { iterations: 3, seed: 1, max_workers: 2 };
/// let report = deltic::check::check(sql, &options, None, &mut |_| {})?;
/// assert!(report.failure.is_none());
/// # Ok::<(), deltic::Error>(())
/// ```
pub fn check(
    sql: &str,
    options: &CheckOptions,
    oracle: Option<&dyn BatchOracle>,
    progress: &mut dyn FnMut(u64),
) -> Result<CheckReport> {
    let setup = Setup::from_sql(sql)?;
    let mut report = CheckReport {
        views: setup.views.iter().map(|view| view.name.clone()).collect(),
        skipped_statements: setup.skipped_statements,
        iterations: 0,
        commits: 0,
        seed: options.seed,
        failure: None,
    };
    for iteration in 0..options.iterations {
        let mut rng = StdRng::seed_from_u64(options.seed.wrapping_add(iteration));
        let history = generate::generate(&mut rng, &setup, options.max_workers, generate::Length::ANY);
        report.iterations += 1;
        report.commits += history.steps.len() as u64;
        if let Some(difference) = run::run(&setup, &history, oracle)? {
            report.failure = Some(shrink::shrink(&setup, history, difference, oracle, iteration)?);
            break;
        }
        progress(iteration + 1);
    }
    Ok(report)
}
