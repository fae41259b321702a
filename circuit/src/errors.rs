//! Errors as values: what a row that cannot be evaluated turns into.
//!
//! A failing row goes to the *error relation* of the view, a Z-set like any other, and must leave it when the row is deleted.
//! The deletion evaluates the row again, maybe in another batch, on another worker, years later, and has to produce the very same
//! error row with the opposite weight. So code, message and row text are pure functions of the row and of the operator: no row
//! numbers, no batch sizes, no addresses.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltic_zset::ZBatch;

use crate::eval::text;
use crate::explain::sort_text;
use crate::frame::{Exclusion, Frame, FrameOffset, FramePlace, FrameUnits, WindowCall, WindowFunction};
use crate::{AggregateCall, Expr, Operator};

/// Why an expression has no value on some row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EvalError {
    /// The stable code, `DT2xxx`; see [`code`].
    pub code: &'static str,
    /// What happened, with the offending values.
    pub message: String,
}

/// The stable codes of row errors.
pub mod code {
    /// An integer, decimal, date or interval result does not fit its type.
    pub const OVERFLOW: &str = "DT2001";
    /// Division by zero, or remainder of one.
    pub const DIVISION_BY_ZERO: &str = "DT2002";
    /// A value has no counterpart in the target type of a cast.
    pub const CAST: &str = "DT2003";
    /// A regular expression cannot be compiled.
    pub const REGEX: &str = "DT2004";
    /// A scalar function refused its arguments.
    pub const FUNCTION: &str = "DT2005";
    /// An operator has no meaning for its operands (a circuit that [`crate::validate`] accepts has none of these).
    pub const UNSUPPORTED: &str = "DT2006";
    /// The weight of a row left the range of a 64-bit integer.
    pub const WEIGHT: &str = "DT2007";
    /// A key has more sessions than `max_sessions_per_key` allows.
    pub const SESSIONS: &str = "DT2008";
    /// A subquery that is used as a value has more than one row.
    pub const SUBQUERY: &str = "DT2009";
    /// A recursion has not come to an end within its limit of iterations.
    pub const RECURSION: &str = "DT2010";
}

impl EvalError {
    /// An error with one of the codes of [`code`].
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        EvalError { code, message: message.into() }
    }
}

/// The failing rows of one evaluation. Empty, and then free, in the common case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowErrors {
    rows: BTreeMap<usize, EvalError>,
}

impl RowErrors {
    /// No errors.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether every row evaluated.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The number of failing rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The error of `row`.
    pub fn get(&self, row: usize) -> Option<&EvalError> {
        self.rows.get(&row)
    }

    /// The failing rows with their errors, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &EvalError)> {
        self.rows.iter().map(|(&row, error)| (row, error))
    }

    /// Records that `row` fails. A row keeps its first error.
    pub fn insert(&mut self, row: usize, error: EvalError) {
        self.rows.entry(row).or_insert(error);
    }

    /// Adds the errors of `other`; a row that fails in both keeps that of `self`.
    pub fn merge(&mut self, other: RowErrors) {
        if self.is_empty() {
            *self = other;
        } else {
            for (row, error) in other.rows {
                self.insert(row, error);
            }
        }
    }

    /// Forgets the rows for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        self.rows.retain(|&row, _| keep(row));
    }

    /// The same errors with `rows[i]` in the place of row `i`.
    pub(crate) fn renumber(self, rows: &[u32]) -> RowErrors {
        RowErrors { rows: self.rows.into_iter().map(|(row, error)| (rows[row] as usize, error)).collect() }
    }
}

impl IntoIterator for RowErrors {
    type Item = (usize, EvalError);
    type IntoIter = std::collections::btree_map::IntoIter<usize, EvalError>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

static ERROR_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let field = |name: &str| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![field("code"), field("message"), field("operator"), field("row")]))
});

/// The columns of every error relation: `code`, `message`, `operator` and `row`, all text and not null.
pub fn error_schema() -> SchemaRef {
    ERROR_SCHEMA.clone()
}

/// What most epochs have.
static NO_ERRORS: LazyLock<ZBatch> = LazyLock::new(|| ZBatch::empty(error_schema()));

/// Collects error rows.
#[derive(Default)]
pub struct ErrorRows {
    columns: [Vec<String>; 4],
    weights: Vec<i64>,
}

impl ErrorRows {
    /// No rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether no row was pushed.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// Adds a row: what happened, where (see [`operator_label`]), on which row (see [`render_row`]), with the weight of that row.
    pub fn push(&mut self, error: &EvalError, operator: &str, row: String, weight: i64) {
        let [codes, messages, operators, rows] = &mut self.columns;
        codes.push(error.code.to_owned());
        messages.push(error.message.clone());
        operators.push(operator.to_owned());
        rows.push(row);
        self.weights.push(weight);
    }

    /// The rows under [`error_schema`], not consolidated.
    pub fn finish(self) -> ZBatch {
        let rows = self.weights.len();
        if rows == 0 {
            return NO_ERRORS.clone();
        }
        let columns = self.columns.into_iter().map(|column| Arc::new(StringArray::from(column)) as ArrayRef).collect();
        let weights = if self.weights.iter().all(|&weight| weight == 1) { None } else { Some(self.weights.into()) };
        ZBatch::new(error_schema(), columns, weights, rows)
    }
}

/// Row `row` of `batch` as text: `(1, 'text', NULL)`. Names no columns, so it does not depend on aliases.
pub fn render_row(batch: &ZBatch, row: usize) -> String {
    render_values(batch.columns(), row)
}

/// Row `row` of `columns` as text, as [`render_row`].
pub fn render_values(columns: &[ArrayRef], row: usize) -> String {
    let mut out = String::from("(");
    for (position, column) in columns.iter().enumerate() {
        let separator = if position > 0 { ", " } else { "" };
        if column.is_null(row) {
            let _ = write!(out, "{separator}NULL");
        } else if column.data_type() == &DataType::Utf8 {
            let _ = write!(out, "{separator}'{}'", text::render(column, row).replace('\'', "''"));
        } else {
            let _ = write!(out, "{separator}{}", text::render(column, row));
        }
    }
    out.push(')');
    out
}

/// The `operator` text of errors raised by `operator`. An aggregate's errors name the call instead: [`aggregate_label`].
pub fn operator_label(operator: &Operator) -> &'static str {
    match operator {
        Operator::Source { .. } => "source",
        Operator::Constant { .. } => "constant",
        Operator::MapFilter { .. } => "filter/projection",
        Operator::Union => "union",
        Operator::Negate => "negate",
        Operator::Index { .. } => "index",
        Operator::Join { .. } => "join condition",
        Operator::Unnest { .. } => "unnest",
        Operator::Distinct => "distinct",
        Operator::SetOperation { .. } => "set operation",
        Operator::MaxOneRow { .. } => "subquery",
        Operator::Aggregate { .. } => "aggregate",
        Operator::TopK { .. } => "top-k",
        Operator::WindowFrame { .. } => "window function",
        Operator::TimeWindow { .. } => "time window",
        Operator::Session { .. } => "session",
        Operator::Emit { .. } => "emit",
        Operator::TemporalFilter { .. } => "temporal filter",
        Operator::IntervalJoin { .. } | Operator::TemporalLookup { .. } => "join condition",
        Operator::AsOfJoin { .. } => "as-of join",
        Operator::Fixpoint { .. } => "recursion",
    }
}

/// The `operator` text of errors raised by one aggregate: `aggregate sum(#2)`.
pub fn aggregate_label(call: &AggregateCall) -> String {
    format!("aggregate {}", aggregate_text(call))
}

/// The `operator` text of errors raised by one window function: `window function sum(#2)`.
pub fn window_label(call: &WindowCall) -> String {
    format!("window function {}", window_text(call))
}

/// One window function as text: `lag(#2, 1)`, `sum(#2) ROWS BETWEEN 2 PRECEDING AND CURRENT ROW`.
pub fn window_text(call: &WindowCall) -> String {
    let nulls = |ignore: bool| if ignore { " IGNORE NULLS" } else { "" };
    match &call.function {
        WindowFunction::RowNumber => "row_number()".to_owned(),
        WindowFunction::Rank => "rank()".to_owned(),
        WindowFunction::DenseRank => "dense_rank()".to_owned(),
        WindowFunction::PercentRank => "percent_rank()".to_owned(),
        WindowFunction::CumeDist => "cume_dist()".to_owned(),
        WindowFunction::Ntile { buckets } => format!("ntile({buckets})"),
        WindowFunction::Lag { argument, offset, default, ignore_nulls } => {
            let default = if default.is_null() { String::new() } else { format!(", {default}") };
            format!("lag(#{argument}, {offset}{default}){}", nulls(*ignore_nulls))
        }
        WindowFunction::Value { argument, place, frame, ignore_nulls } => {
            let value = match place {
                FramePlace::First => format!("first_value(#{argument})"),
                FramePlace::Last => format!("last_value(#{argument})"),
                FramePlace::Nth(number) => format!("nth_value(#{argument}, {number})"),
            };
            format!("{value}{} {}", nulls(*ignore_nulls), frame_text(frame))
        }
        WindowFunction::Aggregate { call, frame } => format!("{} {}", aggregate_text(call), frame_text(frame)),
    }
}

fn frame_text(frame: &Frame) -> String {
    let units = match frame.units {
        FrameUnits::Rows => "ROWS",
        FrameUnits::Groups => "GROUPS",
        FrameUnits::Range => "RANGE",
    };
    let bound = |bound: Option<FrameOffset>, unbounded: &str| match bound {
        None => format!("UNBOUNDED {unbounded}"),
        Some(offset) if offset.is_current() => "CURRENT ROW".to_owned(),
        Some(FrameOffset::Exact(offset)) if offset < 0 => format!("{} PRECEDING", offset.unsigned_abs()),
        Some(FrameOffset::Exact(offset)) => format!("{offset} FOLLOWING"),
        Some(FrameOffset::Float(bits)) if f64::from_bits(bits) < 0.0 => format!("{} PRECEDING", -f64::from_bits(bits)),
        Some(FrameOffset::Float(bits)) => format!("{} FOLLOWING", f64::from_bits(bits)),
        Some(FrameOffset::Calendar { months, micros }) => {
            let direction = if months < 0 { "PRECEDING" } else { "FOLLOWING" };
            let micros = if months < 0 { micros.saturating_neg() } else { micros };
            let rest = if micros == 0 { String::new() } else { format!(" and {micros}") };
            format!("{} months{rest} {direction}", months.unsigned_abs())
        }
    };
    let exclude = match frame.exclude {
        Exclusion::NoOthers => "",
        Exclusion::CurrentRow => " EXCLUDE CURRENT ROW",
        Exclusion::Group => " EXCLUDE GROUP",
        Exclusion::Ties => " EXCLUDE TIES",
    };
    format!("{units} BETWEEN {} AND {}{exclude}", bound(frame.start, "PRECEDING"), bound(frame.end, "FOLLOWING"))
}

/// One aggregate as text: `count(*)`, `sum(DISTINCT #2) FILTER (WHERE #3)`, `string_agg(#1, ', ' ORDER BY #2 DESC)`.
pub fn aggregate_text(call: &AggregateCall) -> String {
    let columns = call.arguments.iter().map(|column| format!("#{column}"));
    let parameters = call.parameters.iter().map(|value| Expr::Literal(value.clone()).to_string());
    let mut arguments = columns.chain(parameters).collect::<Vec<_>>().join(", ");
    if arguments.is_empty() {
        arguments.push('*');
    }
    let order = call.order.iter().map(sort_text).collect::<Vec<_>>().join(", ");
    let order = if order.is_empty() { order } else { format!(" ORDER BY {order}") };
    let distinct = if call.distinct { "DISTINCT " } else { "" };
    let nulls = if call.ignore_nulls { " IGNORE NULLS" } else { "" };
    let filter = call.filter.map_or_else(String::new, |column| format!(" FILTER (WHERE #{column})"));
    format!("{}({distinct}{arguments}{order}){nulls}{filter}", call.function.name())
}
