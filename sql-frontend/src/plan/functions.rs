//! The functions that SQL can name: scalar functions of our own and DataFusion's, and the aggregates and the window function that Deltic maintains.
//! Where both have a name, it is ours.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use datafusion_expr::planner::ExprPlanner;
use datafusion_expr::{AggregateUDF, ScalarUDF, WindowUDF};

use super::aggregates::{AGGREGATE_SYNONYMS, declared};
use super::clock::{CLOCK_FUNCTIONS, NOW};
use super::grouping::GROUPING;
use super::list_rows::UNNEST;
use super::window::{MARKERS, WindowKind};
use super::{naming, spelling};
use crate::catalog::Catalog;

/// The functions that need OVER.
pub(crate) const WINDOW_FUNCTIONS: &[&str] = &[
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
];

/// All functions, by name and alias.
pub(crate) static FUNCTIONS: LazyLock<Functions> = LazyLock::new(Functions::new);

/// Names of PostgreSQL, Flink, Calcite and others for functions that there are. What DataFusion has under the name gives way: its `array_remove` and `array_replace` are
/// about the first element that is equal, those of all the others about every one.
pub(crate) const SYNONYMS: &[(&str, &str)] = &[
    ("array_cardinality", "cardinality"),
    ("array_contains", "array_has"),
    ("array_remove", "array_remove_all"),
    ("array_replace", "array_replace_all"),
    ("ceiling", "ceil"),
    ("lcase", "lower"),
    ("len", "character_length"),
    ("list_remove", "array_remove_all"),
    ("list_replace", "array_replace_all"),
    ("row_to_json", "to_jsonb"),
    ("sign", "signum"),
    ("substring_index", "substr_index"),
    ("truncate", "trunc"),
    ("ucase", "upper"),
];

/// A table of functions.
pub(crate) struct Functions {
    scalar: BTreeMap<String, Arc<ScalarUDF>>,
    aggregate: BTreeMap<String, Arc<AggregateUDF>>,
    window: BTreeMap<String, Arc<WindowUDF>>,
    pub(crate) planners: Vec<Arc<dyn ExprPlanner>>,
}

impl Functions {
    fn new() -> Self {
        let scalars = datafusion_functions::all_default_functions().into_iter();
        let scalars = scalars.chain(datafusion_functions_nested::all_default_nested_functions());
        let scalars = scalars.chain(MARKERS.iter().cloned()).chain([NOW.clone()]);
        let mut scalar = by_name(scalars, |function| (function.name().to_string(), function.aliases().to_vec()));
        for function in deltic_circuit::functions::all() {
            for name in std::iter::once(function.name()).chain(function.aliases().iter().map(String::as_str)) {
                scalar.insert(name.to_string(), function.clone());
            }
        }
        for (synonym, name) in SYNONYMS {
            if let Some(function) = scalar.get(*name).cloned() {
                scalar.insert(synonym.to_string(), function);
            }
        }
        let aggregates = datafusion_functions_aggregate::all_default_aggregate_functions().into_iter();
        let aggregates = aggregates.chain(declared());
        let mut aggregate = by_name(aggregates, |function| (function.name().to_string(), function.aliases().to_vec()));
        for (synonym, name) in AGGREGATE_SYNONYMS {
            if let Some(function) = aggregate.get(*name).cloned() {
                aggregate.insert(synonym.to_string(), function);
            }
        }
        Functions {
            scalar,
            aggregate,
            window: by_name(datafusion_functions_window::all_default_window_functions(), |function| {
                (function.name().to_string(), function.aliases().to_vec())
            }),
            planners: vec![
                Arc::new(super::operators::DelticOperators),
                Arc::new(datafusion_functions_nested::planner::NestedFunctionPlanner),
                Arc::new(datafusion_functions_nested::planner::FieldAccessPlanner),
                Arc::new(datafusion_functions::core::planner::CoreFunctionPlanner::default()),
                Arc::new(datafusion_functions::datetime::planner::DatetimeFunctionPlanner),
                Arc::new(datafusion_functions::unicode::planner::UnicodeFunctionPlanner),
                Arc::new(datafusion_functions_aggregate::planner::AggregateFunctionPlanner),
                Arc::new(datafusion_functions_window::planner::WindowFunctionPlanner),
            ],
        }
    }

    pub(crate) fn scalar(&self, name: &str) -> Option<&Arc<ScalarUDF>> {
        self.scalar.get(name)
    }

    pub(crate) fn aggregate(&self, name: &str) -> Option<&Arc<AggregateUDF>> {
        self.aggregate.get(name)
    }

    /// All names of aggregates.
    pub(crate) fn aggregate_names(&self) -> impl Iterator<Item = &str> {
        self.aggregate.keys().map(String::as_str)
    }

    pub(crate) fn window(&self, name: &str) -> Option<&Arc<WindowUDF>> {
        self.window.get(name)
    }

    pub(crate) fn scalar_names(&self) -> impl Iterator<Item = &str> {
        self.scalar.keys().map(String::as_str)
    }

    /// The names that calls may have, for suggestions: those of our own marks begin with two underscores.
    pub(crate) fn names<'a>(&'a self) -> impl Iterator<Item = &'a str> {
        let others = spelling::names().map(|name| -> &'a str { name });
        let all = self.scalar_names().chain(self.aggregate_names()).chain(WINDOW_FUNCTIONS.iter().copied()).chain(others);
        all.filter(|name| !name.starts_with("__"))
    }
}

/// Whether a function of this name is built in.
pub(crate) fn is_known(name: &str) -> bool {
    let listed =
        matches!(name, naming::MOD | GROUPING | UNNEST) || CLOCK_FUNCTIONS.contains(&name) || spelling::is_rewritten(name);
    listed
        || WindowKind::of(name).is_some()
        || FUNCTIONS.scalar(name).is_some()
        || FUNCTIONS.aggregate(name).is_some()
        || FUNCTIONS.window(name).is_some()
}

/// Whether there is an aggregate of this name.
pub(crate) fn is_aggregate(catalog: &Catalog, name: &str) -> bool {
    FUNCTIONS.aggregate(name).is_some() || catalog.aggregate_function(name).is_some()
}

/// Whether a window function of this name is built in.
pub(crate) fn is_window_function(name: &str) -> bool {
    FUNCTIONS.window(name).is_some() || WindowKind::of(name).is_some()
}

fn by_name<F>(
    functions: impl IntoIterator<Item = Arc<F>>,
    names: impl Fn(&F) -> (String, Vec<String>),
) -> BTreeMap<String, Arc<F>> {
    let mut table = BTreeMap::new();
    for function in functions {
        let (name, aliases) = names(&function);
        for alias in aliases {
            table.entry(alias).or_insert_with(|| function.clone());
        }
        table.insert(name, function);
    }
    table
}
