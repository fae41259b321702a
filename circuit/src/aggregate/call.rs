//! [`AggregateCall`]: one aggregate of a group, and what follows from its function alone: the order it sees the rows in, which rows take part,
//! and what a changed row costs.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::AggregateUDF;

use crate::SortKey;

/// An aggregate function.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub enum AggregateFunction {
    /// Rows (no argument), or those in which no argument is NULL.
    Count,
    /// Exact; a sum that does not fit the output type is an error row of the group. NULL without non-NULL arguments.
    Sum,
    /// Exact sum divided by the count, rounded once. NULL without non-NULL arguments. Of two arguments, sums (not of floats) and the counts that belong to them,
    /// it is the average of what was summed and counted; the NULLs of each are left out.
    Avg,
    Min,
    Max,
    /// From exact sums of powers.
    Moment(Moment),
    BoolAnd,
    BoolOr,
    BitAnd,
    BitOr,
    BitXor,
    FirstValue,
    LastValue,
    /// Parameter: the position, from 1; from the end if it is negative.
    NthValue,
    /// The first argument of the row in which the second is least; a row in which that is NULL does not take part.
    ArgMin,
    /// The first argument of the row in which the second is greatest; a row in which that is NULL does not take part.
    ArgMax,
    /// The middle value, or the mean of the two in the middle.
    Median,
    /// Parameter: the fraction. Interpolates.
    PercentileCont,
    /// Parameter: the fraction. The first value at or behind that part of the rows.
    PercentileDisc,
    /// The value with the most copies; of several, the first in the order.
    Mode,
    /// Parameter: the separator.
    StringAgg,
    ArrayAgg,
    /// A JSON array, as text.
    JsonAgg,
    /// A JSON object of the pairs of arguments, as text; equal keys stay.
    JsonObjectAgg,
    /// A JSON object of the pairs of arguments, as text; of equal keys the last stays.
    JsonbObjectAgg,
    /// A map of the pairs of arguments; of equal keys the last stays.
    MapAgg,
    /// Any function of DataFusion, applied anew to the rows of a group that changed. The parameters follow the arguments.
    Other(Arc<AggregateUDF>),
}

/// An aggregate of one or two variables that is computed from the sums of their powers. Of two, the dependent one, y, is the first argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names are SQL's")]
pub enum Moment {
    VarPop,
    VarSamp,
    StddevPop,
    StddevSamp,
    CovarPop,
    CovarSamp,
    Corr,
    RegrAvgX,
    RegrAvgY,
    RegrIntercept,
    RegrR2,
    RegrSlope,
    RegrSxx,
    RegrSxy,
    RegrSyy,
}

impl Moment {
    /// The number of its arguments.
    pub fn arity(self) -> usize {
        match self {
            Moment::VarPop | Moment::VarSamp | Moment::StddevPop | Moment::StddevSamp => 1,
            _ => 2,
        }
    }
}

/// What one changed row costs, besides the emission of one result per changed group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// The same for groups of any size.
    Constant,
    /// The logarithm of the number of rows.
    Logarithmic,
    /// Once per epoch, as much as the changed group has rows.
    Group,
}

/// The functions that have one spelling each.
const NAMES: &[(AggregateFunction, &str)] = {
    use self::Moment::*;
    use AggregateFunction::*;
    &[
        (Count, "count"),
        (Sum, "sum"),
        (Avg, "avg"),
        (Min, "min"),
        (Max, "max"),
        (Moment(VarPop), "var_pop"),
        (Moment(VarSamp), "var_samp"),
        (Moment(StddevPop), "stddev_pop"),
        (Moment(StddevSamp), "stddev_samp"),
        (Moment(CovarPop), "covar_pop"),
        (Moment(CovarSamp), "covar_samp"),
        (Moment(Corr), "corr"),
        (Moment(RegrAvgX), "regr_avgx"),
        (Moment(RegrAvgY), "regr_avgy"),
        (Moment(RegrIntercept), "regr_intercept"),
        (Moment(RegrR2), "regr_r2"),
        (Moment(RegrSlope), "regr_slope"),
        (Moment(RegrSxx), "regr_sxx"),
        (Moment(RegrSxy), "regr_sxy"),
        (Moment(RegrSyy), "regr_syy"),
        (BoolAnd, "bool_and"),
        (BoolOr, "bool_or"),
        (BitAnd, "bit_and"),
        (BitOr, "bit_or"),
        (BitXor, "bit_xor"),
        (FirstValue, "first_value"),
        (LastValue, "last_value"),
        (NthValue, "nth_value"),
        (ArgMin, "arg_min"),
        (ArgMax, "arg_max"),
        (Median, "median"),
        (PercentileCont, "percentile_cont"),
        (PercentileDisc, "percentile_disc"),
        (Mode, "mode"),
        (StringAgg, "string_agg"),
        (ArrayAgg, "array_agg"),
        (JsonAgg, "json_agg"),
        (JsonObjectAgg, "json_object_agg"),
        (JsonbObjectAgg, "jsonb_object_agg"),
        (MapAgg, "map_agg"),
    ]
};

impl AggregateFunction {
    /// Its name in SQL.
    pub fn name(&self) -> &str {
        match self {
            AggregateFunction::Other(function) => function.name(),
            known => NAMES.iter().find(|(function, _)| function == known).map_or("", |(_, name)| name),
        }
    }

    /// The function of this name that is no [`AggregateFunction::Other`].
    pub fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(function, _)| function.clone())
    }

    /// Whether the result may depend on the order of the rows, or be a value among others in an order.
    pub fn is_ordered(&self) -> bool {
        use AggregateFunction::{ArgMax, ArgMin, FirstValue, LastValue, Median, Mode, NthValue, PercentileCont, PercentileDisc};
        matches!(self, FirstValue | LastValue | NthValue | ArgMin | ArgMax | Median | PercentileCont | PercentileDisc | Mode)
            || self.reads_group()
    }

    /// Whether the result is made of all rows of the group.
    pub fn reads_group(&self) -> bool {
        use AggregateFunction::{ArrayAgg, JsonAgg, JsonObjectAgg, JsonbObjectAgg, MapAgg, Other, StringAgg};
        matches!(self, StringAgg | ArrayAgg | JsonAgg | JsonObjectAgg | JsonbObjectAgg | MapAgg | Other(_))
    }
}

/// One aggregate of an [`Operator::Aggregate`](crate::Operator::Aggregate).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AggregateCall {
    /// The function.
    pub function: AggregateFunction,
    /// Columns of the input; none for `count(*)`.
    pub arguments: Vec<usize>,
    /// Constant arguments, as the function says.
    pub parameters: Vec<ScalarValue>,
    /// The order in which the function sees the rows. Ties are broken by the arguments, ascending, NULLs last: so it is a function of the
    /// multiset of rows.
    pub order: Vec<SortKey>,
    /// Whether equal arguments count once.
    pub distinct: bool,
    /// Whether rows with a NULL in the first argument do not take part, where they would.
    pub ignore_nulls: bool,
    /// A boolean column of the input: rows where it is not true do not take part.
    pub filter: Option<usize>,
    /// Type of the result.
    pub data_type: DataType,
}

impl AggregateCall {
    /// A call without DISTINCT, FILTER and ORDER BY.
    pub fn new(function: AggregateFunction, arguments: impl IntoIterator<Item = usize>, data_type: DataType) -> Self {
        AggregateCall {
            function,
            arguments: arguments.into_iter().collect(),
            parameters: Vec::new(),
            order: Vec::new(),
            distinct: false,
            ignore_nulls: false,
            filter: None,
            data_type,
        }
    }

    /// The first argument.
    pub fn argument(&self) -> Option<usize> {
        self.arguments.first().copied()
    }

    /// The columns that must not be NULL for a row to take part.
    pub fn required(&self) -> &[usize] {
        use AggregateFunction::{
            ArgMax, ArgMin, ArrayAgg, FirstValue, JsonAgg, JsonObjectAgg, JsonbObjectAgg, LastValue, MapAgg, NthValue, Other,
            StringAgg,
        };
        match self.function {
            ArgMin | ArgMax => self.arguments.get(1..).unwrap_or_default(),
            StringAgg => self.arguments.get(..1).unwrap_or_default(),
            FirstValue | LastValue | NthValue | ArrayAgg | JsonAgg if self.ignore_nulls => {
                self.arguments.get(..1).unwrap_or_default()
            }
            FirstValue | LastValue | NthValue | ArrayAgg | JsonAgg | JsonObjectAgg | JsonbObjectAgg | MapAgg | Other(_) => &[],
            _ => &self.arguments,
        }
    }

    /// The whole order in which the rows are seen: that of the call, then the arguments that are not in it.
    pub fn sort_keys(&self) -> Vec<SortKey> {
        let ascending = |column| SortKey { column, descending: false, nulls_first: false };
        let mut keys = match (&self.function, self.arguments.as_slice()) {
            (AggregateFunction::ArgMin, &[_, by]) => vec![ascending(by)],
            (AggregateFunction::ArgMax, &[_, by]) => vec![SortKey { column: by, descending: true, nulls_first: true }],
            _ => self.order.clone(),
        };
        for &argument in &self.arguments {
            if keys.iter().all(|key| key.column != argument) {
                keys.push(ascending(argument));
            }
        }
        keys
    }

    /// All columns that it reads.
    pub fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        let order = self.order.iter().map(|key| key.column);
        self.arguments.iter().copied().chain(order).chain(self.filter)
    }

    /// The sum of the first argument and that of the second, of an average of sums and counts.
    pub fn sums_of_average(&self) -> Option<[AggregateCall; 2]> {
        let (AggregateFunction::Avg, &[sum, count]) = (&self.function, self.arguments.as_slice()) else { return None };
        let summed = |argument| AggregateCall { function: AggregateFunction::Sum, arguments: vec![argument], ..self.clone() };
        Some([summed(sum), summed(count)])
    }

    /// Whether the result follows from the count, the sum and the extremes of one argument: what sessions keep, and ranges of rows.
    pub fn is_mergeable(&self) -> bool {
        use AggregateFunction::{Avg, BoolAnd, BoolOr, Count, Max, Min, Sum};
        matches!(self.function, Count | Sum | Avg | Min | Max | BoolAnd | BoolOr) && self.arguments.len() <= 1 && !self.distinct
    }

    /// Whether rows can be taken off the result one by one, as they were added, so that a frame that moves costs the rows that enter and leave it.
    pub fn is_reversible(&self) -> bool {
        use AggregateFunction::{
            ArgMax, ArgMin, Avg, Count, FirstValue, LastValue, Median, Moment, NthValue, PercentileCont, PercentileDisc, Sum,
        };
        match self.function {
            Avg => self.arguments.len() == 1,
            Count | Sum | Moment(_) => true,
            // Of equal arguments it must not matter which one counts.
            FirstValue | LastValue | NthValue | ArgMin | ArgMax | Median | PercentileCont | PercentileDisc => {
                !self.distinct || self.order.iter().all(|key| self.arguments.contains(&key.column))
            }
            _ => false,
        }
    }

    /// Whether over a frame the function sees the rows in the order of the window, and not in one of its own.
    pub fn follows_window(&self) -> bool {
        self.function.reads_group() && self.order.is_empty()
    }

    /// What a changed row costs; `append_only` if none is ever deleted.
    pub fn cost(&self, append_only: bool) -> Cost {
        match &self.function {
            function if function.reads_group() => Cost::Group,
            function if function.is_ordered() => Cost::Logarithmic,
            AggregateFunction::Min | AggregateFunction::Max if !append_only => Cost::Logarithmic,
            _ => Cost::Constant,
        }
    }
}
