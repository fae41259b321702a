//! The law on made-up queries: random schemas, random SQL, random histories.
//!
//! [`check_queries`] draws tables and queries over them, makes a materialized view of each, and two more of equivalent queries ([`rewrite`]).
//! All are checked as [`check`](super::check) checks the views of a file; and whenever they have no errors, they must have the same rows. What the planner
//! refuses as not supported is counted with its reason, never hidden. A failure is cut down, the query first, then its history.
//!
//! The idea of generating typed queries and comparing equivalent forms is SQLancer's.

mod draw;
mod rewrite;
mod shrink;
mod tree;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::generate::{self, Length};
use super::history::History;
use super::run;
use super::setup::Draft;
use super::{BatchOracle, CheckFailure, CheckOptions, Setup};
use crate::{Error, Result};
use draw::{Draw, Table};
use rewrite::Rewriting;
use tree::{Query, Type};

/// Queries that share tables, a history and a database.
const QUERIES_PER_HISTORY: usize = 8;

/// Enough for rows to come, change and go.
const LENGTH: Length = Length { commits: 6, changes: &[20, 30, 50, 80] };

/// What was checked, and the first failure.
#[derive(Clone, Debug, Default)]
pub struct QueryReport {
    /// Queries that were drawn.
    pub drawn: u64,
    /// Queries that were kept as views, with two more forms each.
    pub checked: u64,
    /// Their other forms that were planned as well.
    pub equivalences: u64,
    /// Commits run; the queries of a batch share them.
    pub commits: u64,
    /// Rows inserted and deleted in those.
    pub changes: u64,
    /// Rows deleted in those.
    pub deletions: u64,
    /// Commits after which a query was compared, over all queries: not those before its view was created.
    pub commits_seen: u64,
    /// The seed of the run.
    pub seed: u64,
    /// Why queries were refused, how many, and one of them.
    pub refused: BTreeMap<String, Refused>,
    /// What was used: in queries that were checked, and in queries that were refused.
    pub features: BTreeMap<&'static str, (u64, u64)>,
    /// The scalar functions in queries that were checked.
    pub functions: BTreeMap<&'static str, u64>,
    /// The first view found wrong.
    pub failure: Option<CheckFailure>,
}

/// Queries that were refused for one reason.
#[derive(Clone, Debug, Default)]
pub struct Refused {
    /// How many.
    pub count: u64,
    /// The shortest of them, behind its tables.
    pub example: String,
}

/// Tables and the queries over them that could be planned.
struct Batch {
    ddl: Vec<String>,
    cases: Vec<Case>,
}

/// A query under check.
#[derive(Clone)]
struct Case {
    query: Query,
    /// How equivalents are made of it.
    again: Vec<Rewriting>,
}

/// Draws tables and `options.iterations` queries over them, and checks each as [`check`](super::check()) checks the views of a file, and against two
/// equivalent queries. `progress` hears how many are done.
///
/// # Errors
/// If the planner fails where it may only refuse.
pub fn check_queries(
    options: &CheckOptions,
    oracle: Option<&dyn BatchOracle>,
    progress: &mut dyn FnMut(u64),
) -> Result<QueryReport> {
    let mut report = QueryReport { seed: options.seed, ..QueryReport::default() };
    let mut batch_number = 0;
    while report.drawn < options.iterations {
        let mut rng = StdRng::seed_from_u64(options.seed.wrapping_add(batch_number));
        let (batch, setup) = Batch::draw(&mut rng, options.iterations - report.drawn, &mut report)?;
        if !batch.cases.is_empty() {
            let history = generate::generate(&mut rng, &setup, options.max_workers, LENGTH);
            report.count(&setup, &history);
            if let Some(difference) = run::outcome(&setup, &history, oracle) {
                report.failure = Some(shrink::shrink(batch, &setup, history, difference, oracle, batch_number)?);
                return Ok(report);
            }
        }
        batch_number += 1;
        progress(report.drawn);
    }
    Ok(report)
}

impl fmt::Display for QueryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueryReport { drawn, checked, equivalences, commits, changes, deletions, commits_seen, seed, .. } = self;
        let each = *commits_seen as f64 / (*checked).max(1) as f64;
        write!(
            f,
            "{drawn} queries drawn; {checked} right at every epoch, and equal to {equivalences} other forms: {commits} commits of "
        )?;
        write!(f, "{changes} changes, {deletions} of them deletions; a query saw {each:.1} commits; seed {seed}")
    }
}

impl QueryReport {
    fn count(&mut self, setup: &Setup, history: &History) {
        let changes = || history.steps.iter().flat_map(|step| &step.changes);
        self.commits += history.steps.len() as u64;
        self.changes += changes().count() as u64;
        self.deletions += changes().filter(|change| !change.insert).count() as u64;
        let views = setup.views.iter().zip(&history.created_before);
        let queries = views.filter(|(view, _)| !view.name.contains('_'));
        self.commits_seen += queries.map(|(_, created)| (history.steps.len() - created) as u64).sum::<u64>();
    }

    fn refuse(&mut self, reason: String, example: String) {
        let refused = self.refused.entry(reason).or_default();
        refused.count += 1;
        if refused.example.is_empty() || example.len() < refused.example.len() {
            refused.example = example;
        }
    }

    fn used(&mut self, features: BTreeSet<&'static str>, is_checked: bool) {
        for feature in features {
            let counts = self.features.entry(feature).or_default();
            *(if is_checked { &mut counts.0 } else { &mut counts.1 }) += 1;
        }
    }
}

impl Batch {
    /// Tables, and as many queries as there may be.
    fn draw(rng: &mut StdRng, most: u64, report: &mut QueryReport) -> Result<(Batch, Setup)> {
        let (ddl, tables) = draw_tables(rng);
        let mut draft = Draft::new();
        draft.read(&ddl.join(";\n"))?;
        let mut batch = Batch { ddl, cases: Vec::new() };
        for _ in 0..QUERIES_PER_HISTORY.min(usize::try_from(most).unwrap_or(QUERIES_PER_HISTORY)) {
            let mut draw = Draw::new(rng, &tables);
            let query = draw.any_query();
            let (features, functions) = (std::mem::take(&mut draw.features), std::mem::take(&mut draw.functions));
            report.drawn += 1;
            let part = name(batch.cases.len(), None);
            let definition = view(&part, &query);
            let refusal = batch.refusal(&mut draft, &definition)?;
            report.used(features, refusal.is_none());
            if let Some(reason) = refusal {
                report.refuse(reason, batch.script(&definition));
                continue;
            }
            report.checked += 1;
            functions.into_iter().for_each(|function| *report.functions.entry(function).or_default() += 1);
            let mut case = Case { query, again: Vec::new() };
            for rewriting in Rewriting::two(rng, &case.query) {
                let Some(again) = rewriting.apply(&case.query, &part) else { continue };
                let definition = view(&name(batch.cases.len(), Some(case.again.len())), &again);
                let refusal = batch.refusal(&mut draft, &definition)?;
                report.used(BTreeSet::from([rewriting.name()]), refusal.is_none());
                match refusal {
                    None => {
                        report.equivalences += 1;
                        case.again.push(rewriting);
                    }
                    Some(reason) => report.refuse(format!("{reason} ({})", rewriting.name()), batch.script(&definition)),
                }
            }
            batch.cases.push(case);
        }
        let setup = batch.with_equals(draft.finish());
        Ok((batch, setup))
    }

    /// Adds a view. Why the planner does not take it; `None` if it does. An internal error, or one of syntax, is one of this function.
    fn refusal(&self, draft: &mut Draft, view: &str) -> Result<Option<String>> {
        match draft.read(view) {
            Ok(()) => Ok(None),
            Err(error) if is_bug(&error) => Err(error.context(format!("the planner failed at\n{}", self.script(view)))),
            Err(error) => Ok(Some(reason(&error))),
        }
    }

    /// The tables and one view, as SQL.
    fn script(&self, view: &str) -> String {
        format!("{};\n{view};", self.ddl.join(";\n"))
    }

    /// What creates all tables and views.
    fn setup(&self) -> Result<Setup> {
        let mut sql = self.ddl.join(";\n");
        for (index, case) in self.cases.iter().enumerate() {
            let part = name(index, None);
            sql = format!("{sql};\n{}", view(&part, &case.query));
            for (form, again) in case.again.iter().enumerate() {
                if let Some(query) = again.apply(&case.query, &part) {
                    sql = format!("{sql};\n{}", view(&name(index, Some(form)), &query));
                }
            }
        }
        Ok(self.with_equals(Setup::from_sql(&sql)?))
    }

    /// `setup` with the pairs of views that must be equal.
    fn with_equals(&self, mut setup: Setup) -> Setup {
        let places: HashMap<&str, usize> =
            setup.views.iter().enumerate().map(|(index, view)| (view.name.as_str(), index)).collect();
        let place = |index, form| places.get(name(index, form).as_str()).copied();
        let pairs = self.cases.iter().enumerate().flat_map(|(index, case)| {
            (0..case.again.len()).filter_map(move |form| Some((place(index, None)?, place(index, Some(form))?)))
        });
        setup.equal = pairs.collect();
        setup
    }
}

/// The name of the view of a query, or of one of its other forms.
fn name(index: usize, form: Option<usize>) -> String {
    form.map_or_else(|| format!("v{index}"), |form| format!("v{index}_{form}"))
}

fn view(name: &str, query: &Query) -> String {
    format!("CREATE MATERIALIZED VIEW {name} AS {query}")
}

/// Whether the planner failed, or the generator: what it draws must at least parse.
fn is_bug(error: &Error) -> bool {
    matches!(error.code(), "DT1001" | "DT1099" | crate::error::code::INTERNAL)
}

/// The message without what is particular to one query.
fn reason(error: &Error) -> String {
    let words: Vec<&str> = error.message().split_whitespace().take(9).collect();
    format!("{} {}", error.code(), words.join(" "))
}

/// One to three tables, mostly without a key.
fn draw_tables(rng: &mut StdRng) -> (Vec<String>, Vec<Table>) {
    let mut ddl = Vec::new();
    let mut tables = Vec::new();
    for index in 0..rng.random_range(1..=3) {
        let mut columns = vec![Type::Int, Type::Big];
        // What windows in time are over.
        if rng.random_range(0..3) == 0 {
            columns.push(Type::Timestamp);
        }
        for _ in 0..rng.random_range(0..4) {
            columns.push(Type::ALL[rng.random_range(0..Type::ALL.len())]);
        }
        let name = format!("t{index}");
        let keyed = rng.random_range(0..5) == 0;
        let kind = if !keyed && rng.random_range(0..6) == 0 { "STREAM" } else { "TABLE" };
        let declared = columns.iter().enumerate().map(|(column, ty)| {
            let constraint = match column {
                0 if keyed => " PRIMARY KEY",
                1 if rng.random_range(0..4) == 0 => " NOT NULL",
                _ => "",
            };
            format!("c{column} {}{constraint}", ty.sql())
        });
        ddl.push(format!("CREATE {kind} {name} ({})", declared.collect::<Vec<_>>().join(", ")));
        tables.push(Table { name, columns });
    }
    (ddl, tables)
}
