//! Scalar functions of our own: those that DataFusion lacks, and those where it is slow or differs from PostgreSQL.
//!
//! A function is a [`Definition`]: names, parameters, the type of its result, and a kernel over columns. [`all`] wraps each into a `ScalarUDF`, so the
//! planner treats them as it does DataFusion's, and [`crate::Expr::Function`] calls both alike. Two rules hold for kernels:
//!
//! - a kernel that cannot compute some row refuses the batch with a message that names what is wrong *with that row*: the caller bisects until
//!   the row stands alone, so the message is the row's;
//! - what costs time to compile (patterns of dates, regular expressions, paths) is kept per thread by its text, because a batch may have one row.

mod array;
mod call;
mod encoding;
mod json;
pub(crate) mod kept;
mod like;
pub mod map;
mod math;
mod number_pattern;
mod parameters;
mod regex;
mod round;
mod text;
mod time;

use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion_common::{Result, exec_err, plan_err};
use datafusion_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use call::{Bind, Call};
use parameters::Kind;

/// What a function is for: the sections of its documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the sections")]
pub enum Group {
    Time,
    Text,
    Pattern,
    Number,
    Array,
    Map,
    Json,
    Other,
}

/// A function of our own.
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    /// What it is for.
    pub group: Group,
    /// How it is called, such as `split_index(text, delimiter, index)`.
    pub usage: &'static str,
    /// What it yields, in one sentence.
    pub about: &'static str,
    /// The kinds of its parameters; the last one repeats if `variadic`.
    parameters: &'static [Kind],
    /// How many of the parameters must be given.
    required: usize,
    variadic: bool,
    /// The type of the result.
    returns: fn(&Bind<'_>) -> Result<DataType, String>,
    kernel: fn(&Call<'_>) -> Result<ArrayRef, String>,
}

/// The definitions, by group.
pub fn definitions() -> impl Iterator<Item = &'static Definition> {
    let texts = [time::DEFINITIONS, text::DEFINITIONS, regex::DEFINITIONS, like::DEFINITIONS];
    let numbers = [math::DEFINITIONS, round::DEFINITIONS];
    texts.into_iter().chain(numbers).chain([array::DEFINITIONS, map::DEFINITIONS, json::DEFINITIONS]).flatten()
}

/// All functions of our own.
pub fn all() -> &'static [Arc<ScalarUDF>] {
    static ALL: LazyLock<Vec<Arc<ScalarUDF>>> = LazyLock::new(|| definitions().map(Function::udf).collect());
    &ALL
}

/// The function of this name.
pub fn named(name: &str) -> Option<Arc<ScalarUDF>> {
    all().iter().find(|function| function.name() == name || function.aliases().iter().any(|alias| alias == name)).cloned()
}

pub use json::json_column;

/// A field with this key in its metadata holds JSON.
pub const JSON_MARK: &str = "deltic.json";

/// The metadata of a field that holds JSON.
pub fn json_mark() -> HashMap<String, String> {
    HashMap::from([(JSON_MARK.to_owned(), String::new())])
}

/// Whether a struct of these fields is a JSON value that functions and aggregates that make JSON put in as it is.
pub(crate) fn is_embedded(fields: &Fields) -> bool {
    matches!(fields.iter().as_slice(), [field] if field.name() == JSON_MARK)
}

/// A definition as DataFusion calls it.
struct Function {
    definition: &'static Definition,
    aliases: Vec<String>,
    signature: Signature,
}

impl Function {
    fn udf(definition: &'static Definition) -> Arc<ScalarUDF> {
        let aliases = definition.aliases.iter().map(|alias| (*alias).to_owned()).collect();
        let signature = match definition.parameters {
            [] => Signature::nullary(Volatility::Immutable),
            _ => Signature::user_defined(Volatility::Immutable),
        };
        Arc::new(ScalarUDF::from(Function { definition, aliases, signature }))
    }
}

impl Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.definition.name)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        self.definition.name == other.definition.name
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.name.hash(state);
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.definition.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match parameters::coerce(self.definition, types) {
            Ok(types) => Ok(types),
            Err(message) => plan_err!("{message}"),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let constants = vec![None; types.len()];
        match (self.definition.returns)(&Bind { types, constants: &constants }) {
            Ok(data_type) => Ok(data_type),
            Err(message) => plan_err!("{}: {message}", self.definition.name),
        }
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        match (self.definition.returns)(&Bind { types: &types, constants: arguments.scalar_arguments }) {
            Ok(data_type) => {
                let field = Field::new(self.definition.name, data_type, true);
                let is_json = json::YIELD_JSON.contains(&self.definition.name);
                Ok(Arc::new(if is_json { field.with_metadata(json_mark()) } else { field }))
            }
            Err(message) => plan_err!("{}: {message}", self.definition.name),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let call = Call::new(&arguments)?;
        match (self.definition.kernel)(&call) {
            Ok(array) => Ok(ColumnarValue::Array(array)),
            Err(message) => exec_err!("{message}"),
        }
    }
}

/// The types of results that do not depend on the arguments.
mod returns {
    use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};

    use super::Bind;

    type Returned = Result<DataType, String>;

    macro_rules! fixed {
        ($($name:ident => $type:expr),* $(,)?) => {
            $(#[allow(clippy::unnecessary_wraps, reason = "other functions refuse arguments here")]
            pub(super) fn $name(_: &Bind<'_>) -> Returned { Ok($type) })*
        };
    }

    fixed! {
        text => DataType::Utf8,
        boolean => DataType::Boolean,
        integer => DataType::Int32,
        bigint => DataType::Int64,
        date => DataType::Date32,
        timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        timestamp_utc => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        interval => DataType::Interval(IntervalUnit::MonthDayNano),
        texts => DataType::new_list(DataType::Utf8, true),
    }
}
