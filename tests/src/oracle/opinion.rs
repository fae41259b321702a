//! [`Oracle`]: DataFusion as a second opinion, where it has a valid one.
//!
//! A difference counts only if DataFusion is right by Deltic's rules. It abstains from
//! - queries it refuses or fails at: one bad row fails a whole batch query, while a view goes on without the row;
//! - queries whose result depends on the order of ties (`LIMIT`, `row_number` ..): Deltic breaks ties by the rest of the
//!   row, DataFusion by arrival; a query that breaks its ties itself is to be compared with [`query`] and [`difference`];
//! - constructs that DataFusion 55 gets wrong: `EXCEPT ALL`, `INTERSECT ALL`, `IN (SELECT ..)` as a value of two truth values, the merged columns of
//!   `USING` and `NATURAL` in outer joins;
//! - CASE over a join that pads with NULLs: `t RIGHT JOIN u ON .. WHERE CASE WHEN u.s IN (u.s, u.s) THEN t.x = u.x ELSE NULL END` keeps
//!   rows for which that is NULL (found by the query generator);
//! - grouping sets in subqueries: `LATERAL (SELECT count(*) .. GROUP BY ROLLUP (a))` has no row there where no row of the input belongs to the outer one;
//! - orders and comparisons of lists and maps: a NULL in one is less than any other element there, and greater here;
//! - results with intervals: they are equal by their fields there, by their duration here;
//! - inputs with extreme numbers: its sums round after each row and wrap, ours are exact.
//!
//! An oracle that always abstains would look like one that always agrees, so it counts both.

use std::cell::Cell;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute;
use arrow::datatypes::{DataType, Float64Type};
use deltic::check::{BatchOracle, OracleInput};
use deltic_zset::ZBatch;

use super::{difference, query_in_order};

/// Words that make a result depend on how ties are broken, or whose meaning differs; in lower case.
const NO_OPINION: &[&str] = &[
    " limit ",
    " offset ",
    " fetch ",
    "row_number",
    "ntile",
    "lag(",
    "lead(",
    " rows ",
    // The mark of EXCLUDE, which it does not see.
    "\u{1}",
    "first_value",
    "last_value",
    "nth_value",
    "any_value",
    "approx_",
    // What cancels to zero in exact sums leaves a rest in rounded ones.
    "covar_",
    "corr(",
    "regr_",
    // It forgets the DISTINCT.
    "bit_xor(distinct",
    "array_agg",
    "string_agg",
    "distinct on",
    "except all",
    "intersect all",
    " in (select",
    " any (select",
    " all (select",
    "tablesample",
    " using",
    " natural ",
    // Functions that mean something else there: other patterns, no fractions of seconds, other types.
    "to_char(",
    "date_format(",
    // Casts that round, and texts of times: the query generator writes those so that are not the same there.
    ")::int",
    ")::varchar",
    "to_timestamp(",
    "to_date(",
    "extract(",
    "encode(",
    "decode(",
    " at time zone ",
    "similar to",
    "floor(",
    // Two-valued there where an element is NULL.
    " any(",
    " all(",
    // Row values are structs there, which compare NULLs as values.
    "(a, b)",
    "(t.a, t.b)",
];

/// Sums of numbers up to this size are exact enough in a naive sum, and do not wrap.
const MILD: f64 = 1e12;

/// DataFusion as a second opinion on what a query means. Counts how often it had one.
#[derive(Debug, Default)]
pub struct Oracle {
    opinions: Cell<u64>,
    abstentions: Cell<u64>,
}

impl Oracle {
    /// Compares `rows` with DataFusion's result of `sql` over `tables`. `None` if they agree, or if it has no valid opinion.
    pub fn opinion(&self, sql: &str, tables: &[(String, ZBatch)], rows: &ZBatch) -> Option<String> {
        // On some correlated subqueries DataFusion panics.
        let answer =
            || std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| query_in_order(sql, tables).ok())).ok().flatten();
        let wanted = if is_comparable(sql, tables, rows) { answer() } else { None };
        let counter = if wanted.is_some() { &self.opinions } else { &self.abstentions };
        counter.set(counter.get() + 1);
        difference(&wanted?, rows)
    }

    /// How often it had an opinion.
    pub fn opinions(&self) -> u64 {
        self.opinions.get()
    }

    /// How often it had none.
    pub fn abstentions(&self) -> u64 {
        self.abstentions.get()
    }
}

/// The second opinion of `deltic check`.
impl BatchOracle for Oracle {
    fn compare(&self, query: &str, inputs: &[OracleInput], rows: &ZBatch) -> Option<String> {
        let tables: Vec<_> = inputs.iter().map(|input| (input.name.clone(), input.rows.clone())).collect();
        self.opinion(query, &tables, rows)
    }
}

fn is_comparable(sql: &str, tables: &[(String, ZBatch)], rows: &ZBatch) -> bool {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let text = format!(" {} ", words.join(" ").to_lowercase());
    let has_interval = rows.columns().iter().any(|column| matches!(column.data_type(), DataType::Interval(_)));
    let mild = tables.iter().all(|(_, rows)| rows.columns().iter().all(is_mild));
    let pads = [" left join ", " right join ", " full join "].iter().any(|join| text.contains(join));
    let cases_over_padding = pads && text.contains("case when");
    let has_sets = [" rollup", " cube", " grouping sets"].iter().any(|sets| text.contains(sets));
    let nested_sets = has_sets && text.contains("(select");
    let makes_lists = ["array[", "map {", "map(", "map_"].iter().any(|word| text.contains(word))
        || tables.iter().any(|(_, rows)| rows.columns().iter().any(is_list));
    let orders_lists = makes_lists
        && ["<", ">", "min(", "max(", "order by", "between", "least(", "greatest("].iter().any(|word| text.contains(word));
    let wrong = has_interval || cases_over_padding || nested_sets || orders_lists;
    mild && !wrong && !NO_OPINION.iter().any(|word| text.contains(word))
}

fn is_list(column: &ArrayRef) -> bool {
    matches!(column.data_type(), DataType::List(_) | DataType::Map(..))
}

/// Whether no number in the column is extreme. What is not a number is mild.
fn is_mild(column: &ArrayRef) -> bool {
    if !column.data_type().is_numeric() {
        return true;
    }
    let Ok(floats) = compute::cast(column, &DataType::Float64) else { return false };
    let floats = floats.as_primitive::<Float64Type>();
    floats.iter().flatten().all(|value| value == 0.0 || (1.0 / MILD..=MILD).contains(&value.abs()))
}
