//! Aggregates that DataFusion does not have, or gives another type: they are declared for its binder, and only there. What they compute is the business
//! of the circuit.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion_common::{DataFusionError, Result, plan_datafusion_err};
use datafusion_expr::function::AccumulatorArgs;
use datafusion_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use deltic_circuit::AggregateFunction;
use deltic_circuit::aggregate::aggregate_type;
use deltic_zset::types::canonical_type;

use super::json;
use super::types::JsonKind;

/// Names of PostgreSQL and others for functions of DataFusion.
pub(super) const AGGREGATE_SYNONYMS: &[(&str, &str)] = &[
    ("every", "bool_and"),
    ("variance", "var"),
    ("approx_median", "median"),
    ("arbitrary", "any_value"),
    ("approx_count_distinct", "approx_distinct"),
    ("listagg", "string_agg"),
];

/// A function by its name.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Declared {
    name: &'static str,
    aliases: Vec<String>,
    signature: Signature,
    /// What it is in a circuit.
    function: AggregateFunction,
    /// The arguments that are rows' values; the others are constants.
    values: usize,
    /// Whether `WITHIN GROUP` says what its first argument is.
    within_group: bool,
}

/// The functions to be declared.
pub(super) fn declared() -> Vec<Arc<AggregateUDF>> {
    use AggregateFunction::{ArgMax, ArgMin, Count, JsonAgg, JsonObjectAgg, JsonbObjectAgg, MapAgg, Mode, PercentileDisc};
    let declare = |name, aliases: &[&str], function, arguments, values, within_group| {
        let aliases = aliases.iter().map(ToString::to_string).collect();
        let signature = Signature::any(arguments, Volatility::Immutable);
        Arc::new(AggregateUDF::from(Declared { name, aliases, signature, function, values, within_group }))
    };
    vec![
        declare("arg_min", &["min_by"], ArgMin, 2, 2, false),
        declare("arg_max", &["max_by"], ArgMax, 2, 2, false),
        declare("percentile_disc", &["quantile_disc"], PercentileDisc, 2, 1, true),
        declare("mode", &[], Mode, 1, 1, true),
        declare("json_agg", &["jsonb_agg", "json_arrayagg"], JsonAgg, 1, 1, false),
        declare("json_object_agg", &["json_objectagg"], JsonObjectAgg, 2, 2, false),
        declare("jsonb_object_agg", &[], JsonbObjectAgg, 2, 2, false),
        declare("map_agg", &[], MapAgg, 2, 2, false),
        declare("regr_count", &[], Count, 2, 2, false),
        declare("approx_distinct", &[], Count, 1, 1, false),
    ]
}

impl AggregateUDFImpl for Declared {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let refused = || plan_datafusion_err!("{} is not defined for {arguments:?}", self.name);
        // A NULL without a type is kept as a text.
        let canonical = |data_type: &DataType| if data_type.is_null() { Some(DataType::Utf8) } else { canonical_type(data_type) };
        let values = arguments.iter().take(self.values).map(canonical).collect::<Option<Vec<_>>>().ok_or_else(refused)?;
        aggregate_type(&self.function, &values).ok_or_else(refused)
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        let types: Vec<DataType> = arguments.iter().map(|field| field.data_type().clone()).collect();
        let field = Field::new(self.name, self.return_type(&types)?, self.is_nullable());
        Ok(Arc::new(match self.function {
            AggregateFunction::JsonAgg | AggregateFunction::JsonObjectAgg => field.with_metadata(json::mark_of(JsonKind::Json)),
            AggregateFunction::JsonbObjectAgg => field.with_metadata(json::mark_of(JsonKind::Jsonb)),
            _ => field,
        }))
    }

    fn is_nullable(&self) -> bool {
        self.function != AggregateFunction::Count
    }

    fn supports_within_group_clause(&self) -> bool {
        self.within_group
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.function == AggregateFunction::JsonAgg
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Err(DataFusionError::Internal(format!("{} is only declared", self.name)))
    }
}
