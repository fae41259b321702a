//! [`Following`]: an aggregate that follows a frame from row to row.
//!
//! What leaves the frame is taken off, and what enters is added. Sums are exact, so they are what they would be from scratch; a value that counts once is
//! there as long as one of its copies is; and what is chosen by its place in an order is found in a binary indexed tree over the places of all rows that are at hand
//! (P. Fenwick, A new data structure for cumulative frequency tables, 1994).

use arrow::datatypes::{Schema, i256};
use datafusion_common::ScalarValue;
use deltic_circuit::aggregate::{
    AggregateValue, Chosen, addend, aggregate_column, average_result, choose, count_result, interpolate, moment_result,
    representatives, sort_rows, sum_result, unit,
};
use deltic_circuit::{AggregateCall, AggregateFunction, EvalError, Moment};
use deltic_zset::{Addend, ExactMoments, ExactSum, Unit};

use super::reading::Read;

/// A [reversible](AggregateCall::is_reversible) call over some of the rows that are at hand.
pub(super) struct Following<'r> {
    call: &'r AggregateCall,
    rows: &'r [Vec<ScalarValue>],
    /// The row that stands for each; `None` if it does not take part.
    representatives: Vec<Option<usize>>,
    /// For each that stands for others the copies that are in the frame.
    copies: Vec<i64>,
    count: i64,
    sums: Sums,
}

/// What is summed up.
enum Sums {
    /// The count says all.
    Nothing,
    /// Of integers, decimals or durations.
    Exact(i256),
    Floats(ExactSum),
    Moments(Moment, ExactMoments),
    Order(Order),
}

impl<'r> Following<'r> {
    /// `call` over none of `rows` so far, which have the columns `input`.
    pub(super) fn new(call: &'r AggregateCall, input: &Schema, rows: &'r [Vec<ScalarValue>]) -> Self {
        let slices: Vec<&[ScalarValue]> = rows.iter().map(Vec::as_slice).collect();
        let floats = call.argument().is_some_and(|column| input.field(column).data_type().is_floating());
        let sums = match &call.function {
            AggregateFunction::Count => Sums::Nothing,
            AggregateFunction::Sum | AggregateFunction::Avg if floats => Sums::Floats(ExactSum::new()),
            AggregateFunction::Sum | AggregateFunction::Avg => Sums::Exact(i256::ZERO),
            AggregateFunction::Moment(moment) => Sums::Moments(*moment, ExactMoments::default()),
            _ => Sums::Order(Order::new(call, rows)),
        };
        let representatives = representatives(call, &slices);
        Following { call, rows, representatives, copies: vec![0; rows.len()], count: 0, sums }
    }

    /// Copies of a row enter the frame, or leave it if there are less than none.
    pub(super) fn add(&mut self, row: usize, copies: i64) {
        let Some(row) = self.representatives[row] else { return };
        let mut change = copies;
        if self.call.distinct {
            let before = self.copies[row];
            self.copies[row] += copies;
            change = i64::from(before + copies > 0) - i64::from(before > 0);
        }
        if change == 0 {
            return;
        }
        self.count += change;
        let argument = |place: usize| self.call.arguments.get(place).and_then(|&column| addend(&self.rows[row][column]));
        match (&mut self.sums, self.call.arguments.as_slice()) {
            (Sums::Nothing, _) => {}
            (Sums::Exact(sum), &[column]) => {
                let term = i256::from_i128(digits(&self.rows[row][column]));
                *sum = sum.wrapping_add(term.wrapping_mul(i256::from_i128(i128::from(change))));
            }
            (Sums::Floats(sum), _) => {
                if let Some(Addend::Float(value)) = argument(0) {
                    sum.add(value, change);
                }
            }
            (Sums::Moments(_, sums), [_]) => argument(0).into_iter().for_each(|x| sums.add(x, change)),
            (Sums::Moments(_, sums), _) => {
                argument(0).zip(argument(1)).into_iter().for_each(|(y, x)| sums.add_pair(x, y, change));
            }
            (Sums::Order(order), _) => order.add(row, change),
            (Sums::Exact(_), _) => {}
        }
    }

    /// The result over the rows that are in the frame. `input` is as in [`Following::new`].
    pub(super) fn result(&self, input: &Schema) -> Read {
        let (call, count) = (self.call, i128::from(self.count));
        let data_type = |place: usize| call.arguments.get(place).map(|&column| input.field(column).data_type());
        let unit = |place: usize| data_type(place).map_or(Unit::Float, unit);
        let value = match &self.sums {
            Sums::Order(order) => return self.chosen(order),
            Sums::Nothing => count_result(count, call)?,
            _ if count == 0 => AggregateValue::Null,
            Sums::Exact(sum) if call.function == AggregateFunction::Sum => sum_result(*sum, count, call)?,
            Sums::Exact(sum) => match data_type(0) {
                Some(argument) => average_result(*sum, count, argument, call)?,
                None => AggregateValue::Null,
            },
            Sums::Floats(sum) if call.function == AggregateFunction::Sum => AggregateValue::Float(sum.value()),
            Sums::Floats(sum) => AggregateValue::Float(sum.quotient(self.count)),
            Sums::Moments(moment, sums) => {
                moment_result(*moment, sums, count, unit(call.arguments.len().saturating_sub(1)), unit(0))
            }
        };
        Ok(scalar(&value, call))
    }

    fn chosen(&self, order: &Order) -> Result<ScalarValue, EvalError> {
        let value = |place: i64| self.call.argument().map(|column| &self.rows[order.at(place)][column]);
        let chosen = match choose(self.call, self.count) {
            Chosen::One(place) => value(place).map(|value| interpolate(self.call, value, None, 0.0)),
            Chosen::Between(place, part) => {
                let pair = value(place).zip(value(place + 1));
                pair.map(|(low, high)| interpolate(self.call, low, Some(high), part))
            }
            Chosen::None | Chosen::MostFrequent => None,
        };
        Ok(chosen.unwrap_or_else(|| scalar(&AggregateValue::Null, self.call)))
    }
}

fn scalar(value: &AggregateValue, call: &AggregateCall) -> ScalarValue {
    match value {
        AggregateValue::Null => ScalarValue::try_new_null(&call.data_type).expect("each type has a NULL"),
        value => {
            let column = aggregate_column(std::slice::from_ref(value), &call.data_type);
            ScalarValue::try_from_array(&column, 0).expect("a number is a scalar value")
        }
    }
}

/// The number that a value is stored as.
fn digits(value: &ScalarValue) -> i128 {
    match (value, addend(value)) {
        (ScalarValue::DurationMicrosecond(Some(micros)), _) => i128::from(*micros),
        (_, Some(Addend::Integer(digits))) => digits,
        _ => 0,
    }
}

/// The rows that are in the frame, by their places in the order in which the call sees all that are at hand.
struct Order {
    /// The place of each row, and the row at each place.
    places: Vec<usize>,
    rows: Vec<usize>,
    /// The tree: number `i`, from 1, has the copies at the places behind `i - (i & -i)` up to `i`.
    tree: Vec<i64>,
}

impl Order {
    fn new(call: &AggregateCall, rows: &[Vec<ScalarValue>]) -> Self {
        let mut sorted: Vec<(&[ScalarValue], i64)> =
            rows.iter().enumerate().map(|(row, values)| (values.as_slice(), row as i64)).collect();
        sort_rows(call, &mut sorted);
        let rows: Vec<usize> = sorted.into_iter().map(|(_, row)| row as usize).collect();
        let mut places = vec![0; rows.len()];
        rows.iter().enumerate().for_each(|(place, &row)| places[row] = place);
        Order { places, tree: vec![0; rows.len() + 1], rows }
    }

    fn add(&mut self, row: usize, copies: i64) {
        let mut number = self.places[row] + 1;
        while let Some(sum) = self.tree.get_mut(number) {
            *sum += copies;
            number += number & number.wrapping_neg();
        }
    }

    /// The row with so many copies before it.
    fn at(&self, mut before: i64) -> usize {
        let mut number = 0;
        let mut step = self.tree.len().next_power_of_two();
        while step > 0 {
            if let Some(&sum) = self.tree.get(number + step).filter(|&&sum| sum <= before) {
                before -= sum;
                number += step;
            }
            step /= 2;
        }
        self.rows[number]
    }
}
