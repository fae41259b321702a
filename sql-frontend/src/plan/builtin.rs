//! What functions are built in, for documentation.

use datafusion_expr::Volatility;
use deltic_circuit::functions;

use super::functions::{FUNCTIONS, SYNONYMS};
use super::spelling;

/// The scalar functions that are built in beside those of [`deltic_circuit::functions`].
#[derive(Clone, Debug)]
pub struct BuiltinFunctions {
    /// Functions of DataFusion: the names of each, the first one its own.
    pub datafusion: Vec<Vec<String>>,
    /// Other names for functions: (name, function).
    pub synonyms: Vec<(&'static str, &'static str)>,
    /// Functions that are rewritten to other expressions.
    pub rewritten: Vec<&'static str>,
}

/// Functions of DataFusion that plans have, but SQL should not name: they are about Arrow's types, or about types that Deltic has not (unions), or take functions, or are not
/// what ours of the same name are (maps).
const INTERNAL: &[&str] = &[
    "array_any_match",
    "array_filter",
    "array_transform",
    "cast_to_type",
    "element_at",
    "get_field",
    "make_map",
    "named_struct",
    "try_cast_to_type",
    "version",
    "with_metadata",
];

/// The scalar functions that are built in.
pub fn builtin_functions() -> BuiltinFunctions {
    let own: Vec<&str> =
        functions::definitions().flat_map(|definition| definition.aliases.iter().copied().chain([definition.name])).collect();
    let mut datafusion: Vec<Vec<String>> = Vec::new();
    for name in FUNCTIONS.scalar_names() {
        let Some(function) = FUNCTIONS.scalar(name) else { continue };
        let internal = INTERNAL.contains(&name)
            || ["arrow_", "map", "union_", "_", "tumble", "hop", "session", "cumulate"]
                .iter()
                .any(|prefix| name.starts_with(prefix));
        let listed =
            own.contains(&name) || SYNONYMS.iter().any(|(synonym, _)| *synonym == name) || own.contains(&function.name());
        if internal || listed || function.signature().volatility != Volatility::Immutable || function.name().starts_with("map") {
            continue;
        }
        match datafusion.iter_mut().find(|names| names[0] == function.name()) {
            Some(names) if name != function.name() => names.push(name.to_string()),
            Some(_) => {}
            None => {
                let mut names = vec![function.name().to_string()];
                names.extend((name != function.name()).then(|| name.to_string()));
                datafusion.push(names);
            }
        }
    }
    datafusion.retain(|names| !INTERNAL.contains(&names[0].as_str()));
    datafusion.sort();
    BuiltinFunctions { datafusion, synonyms: SYNONYMS.to_vec(), rewritten: spelling::names().collect() }
}
