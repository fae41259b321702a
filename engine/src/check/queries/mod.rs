//! The law on made-up queries: random schemas, random SQL, random histories.
//!
//! [`check_queries`] draws tables and queries over them, makes a materialized view of each, and a second one of an equivalent query ([`rewrite`]).
//! Both are checked as [`check`](super::check) checks the views of a file; and whenever neither has errors, they must have the same rows. What the planner
//! refuses as not supported is counted with its reason, never hidden. A failure is cut down, the query first, then its history.
//!
//! The idea of generating typed queries and comparing equivalent forms is SQLancer's.

mod draw;
mod rewrite;
mod shrink;
mod tree;

use std::collections::{BTreeMap, HashMap};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{BatchOracle, CheckFailure, CheckOptions, Setup, generate, run};
use crate::{Error, Result};
use draw::{Draw, Table};
use rewrite::Rewriting;
use tree::{Query, Type};

/// Queries that share tables, a history and a database.
const QUERIES_PER_HISTORY: usize = 8;

/// What was checked, and the first failure.
#[derive(Clone, Debug, Default)]
pub struct QueryReport {
    /// Queries that were drawn.
    pub drawn: u64,
    /// Queries that were kept as views, with a second form each.
    pub checked: u64,
    /// Of those, how many had a second form that was planned as well.
    pub equivalences: u64,
    /// Commits run.
    pub commits: u64,
    /// The seed of the run.
    pub seed: u64,
    /// Why queries were refused, and how many.
    pub refused: BTreeMap<String, u64>,
    /// What was used: in queries that were checked, and in queries that were refused.
    pub features: BTreeMap<&'static str, (u64, u64)>,
    /// The first view found wrong.
    pub failure: Option<CheckFailure>,
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
    /// How an equivalent is made of it.
    again: Option<Rewriting>,
}

/// Draws tables and `options.iterations` queries over them, and checks each as [`check`](super::check()) checks the views of a file, and against an
/// equivalent query. `progress` hears how many are done.
///
/// # Errors
/// If the engine refuses what it must not refuse: a commit, or a view that was planned. Internal errors of the planner, too.
pub fn check_queries(
    options: &CheckOptions,
    oracle: Option<&dyn BatchOracle>,
    progress: &mut dyn FnMut(u64),
) -> Result<QueryReport> {
    let mut report = QueryReport { seed: options.seed, ..QueryReport::default() };
    let mut batch_number = 0;
    while report.drawn < options.iterations {
        let mut rng = StdRng::seed_from_u64(options.seed.wrapping_add(batch_number));
        let batch = Batch::draw(&mut rng, options.iterations - report.drawn, &mut report)?;
        if !batch.cases.is_empty() {
            let setup = batch.setup()?;
            let history = generate::generate(&mut rng, &setup, options.max_workers);
            report.commits += history.steps.len() as u64;
            let outcome = run::run(&setup, &history, oracle);
            let outcome = outcome.map_err(|error| error.context(format!("batch {batch_number} of seed {}", options.seed)))?;
            if let Some(difference) = outcome {
                report.failure = Some(shrink::shrink(batch, &setup, history, difference, oracle, batch_number)?);
                return Ok(report);
            }
        }
        batch_number += 1;
        progress(report.drawn);
    }
    Ok(report)
}

impl Batch {
    /// Tables, and as many queries as there may be.
    fn draw(rng: &mut StdRng, most: u64, report: &mut QueryReport) -> Result<Batch> {
        let (ddl, tables) = draw_tables(rng);
        let mut batch = Batch { ddl, cases: Vec::new() };
        for index in 0..QUERIES_PER_HISTORY.min(usize::try_from(most).unwrap_or(QUERIES_PER_HISTORY)) {
            let mut draw = Draw::new(rng, &tables);
            let query = draw.any_query();
            let features = std::mem::take(&mut draw.features);
            report.drawn += 1;
            let refusal = batch.refusal(&[view(&format!("v{index}"), &query)])?;
            for feature in features {
                let counts = report.features.entry(feature).or_default();
                *(if refusal.is_none() { &mut counts.0 } else { &mut counts.1 }) += 1;
            }
            if let Some(reason) = refusal {
                *report.refused.entry(reason).or_default() += 1;
                continue;
            }
            report.checked += 1;
            let part = name(batch.cases.len(), "");
            let rewriting = Rewriting::random(rng);
            let again = view("again", &rewriting.apply(&query, &part));
            let refusal = batch.refusal(&[view(&part, &query), again])?;
            match &refusal {
                None => report.equivalences += 1,
                Some(reason) => *report.refused.entry(format!("{reason} ({})", rewriting.name())).or_default() += 1,
            }
            let again = refusal.is_none().then_some(rewriting);
            batch.cases.push(Case { query, again });
        }
        Ok(batch)
    }

    /// Why the planner does not take these views; `None` if it does. An internal error, or one of syntax, is one of this function.
    fn refusal(&self, views: &[String]) -> Result<Option<String>> {
        let sql = self.ddl.iter().chain(views).map(String::as_str).collect::<Vec<_>>().join(";\n");
        match Setup::from_sql(&sql) {
            Ok(_) => Ok(None),
            Err(error) if is_bug(&error) => Err(error.context(format!("the planner failed at\n{sql}"))),
            Err(error) => Ok(Some(reason(&error))),
        }
    }

    /// The file that creates all tables and views.
    fn setup(&self) -> Result<Setup> {
        let mut sql = self.ddl.join(";\n");
        for (index, case) in self.cases.iter().enumerate() {
            sql = format!("{sql};\n{}", view(&name(index, ""), &case.query));
            if let Some(again) = case.again {
                sql = format!("{sql};\n{}", view(&name(index, "_again"), &again.apply(&case.query, &name(index, ""))));
            }
        }
        let mut setup = Setup::from_sql(&sql)?;
        let places: HashMap<&str, usize> =
            setup.views.iter().enumerate().map(|(index, view)| (view.name.as_str(), index)).collect();
        let pairs = (0..self.cases.len())
            .filter_map(|index| Some((*places.get(name(index, "").as_str())?, *places.get(name(index, "_again").as_str())?)));
        setup.equal = pairs.collect();
        Ok(setup)
    }
}

fn name(index: usize, suffix: &str) -> String {
    format!("v{index}{suffix}")
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
