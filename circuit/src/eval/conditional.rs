//! `CASE` and `COALESCE`: a branch is evaluated for the rows that reach it, and only its errors are theirs.

use arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use arrow::compute;
use arrow::datatypes::DataType;

use super::cast;
use super::value::{Evaluation, Frame, Value};
use crate::{Expr, RowErrors};

/// `CASE WHEN .. THEN .. ELSE .. END`.
pub(super) fn case(branches: &[(Expr, Expr)], otherwise: Option<&Expr>, data_type: &DataType, frame: &Frame<'_>) -> Evaluation {
    let mut picks = Picks::new(data_type, frame.rows);
    let mut open: Vec<u32> = (0..frame.rows as u32).collect();
    for (condition, result) in branches {
        if open.is_empty() {
            break;
        }
        let Evaluation { value, errors } = evaluate_on(condition, &open, frame);
        let values = value.into_array(open.len());
        let Some(booleans) = values.as_boolean_opt() else {
            return super::unsupported("CASE WHEN", &[&Value::Array(values)], frame.rows);
        };
        let (mut chosen, mut rest) = (Vec::new(), Vec::new());
        for (position, &row) in open.iter().enumerate() {
            if booleans.is_valid(position) && booleans.value(position) {
                chosen.push(row);
            } else if errors.get(position).is_none() {
                rest.push(row);
            }
        }
        picks.fail(errors.renumber(&open));
        picks.pick_from(result, &chosen, frame);
        open = rest;
    }
    if let Some(otherwise) = otherwise {
        picks.pick_from(otherwise, &open, frame);
    }
    picks.finish()
}

/// `COALESCE(arguments)`.
pub(super) fn coalesce(arguments: &[Expr], data_type: &DataType, frame: &Frame<'_>) -> Evaluation {
    let mut picks = Picks::new(data_type, frame.rows);
    let mut open: Vec<u32> = (0..frame.rows as u32).collect();
    for argument in arguments {
        if open.is_empty() {
            break;
        }
        let evaluation = evaluate_on(argument, &open, frame);
        let is_open = |position: usize| {
            evaluation.value.inner().is_null(evaluation.value.position(position)) && evaluation.errors.get(position).is_none()
        };
        let rest = open.iter().enumerate().filter(|(position, _)| is_open(*position)).map(|(_, &row)| row).collect();
        picks.pick(evaluation, &open);
        open = rest;
    }
    picks.finish()
}

fn evaluate_on(expr: &Expr, rows: &[u32], frame: &Frame<'_>) -> Evaluation {
    if rows.len() == frame.rows { super::evaluate(expr, frame) } else { frame.evaluate_on(expr, rows) }
}

/// A result put together from pieces: which place of which part each row takes its value from.
struct Picks<'a> {
    data_type: &'a DataType,
    parts: Vec<ArrayRef>,
    /// Part and place; part 0 is one NULL.
    places: Vec<(usize, usize)>,
    errors: RowErrors,
}

impl<'a> Picks<'a> {
    fn new(data_type: &'a DataType, rows: usize) -> Self {
        Picks { data_type, parts: Vec::new(), places: vec![(0, 0); rows], errors: RowErrors::none() }
    }

    /// The `rows` have the values of `expr`. A column is taken from where it is.
    fn pick_from(&mut self, expr: &Expr, rows: &[u32], frame: &Frame<'_>) {
        match expr {
            Expr::Column { index, .. } if frame.columns[*index].data_type() == self.data_type => {
                let part = self.parts.len() + 1;
                rows.iter().for_each(|&row| self.places[row as usize] = (part, row as usize));
                self.parts.push(frame.columns[*index].clone());
            }
            _ => self.pick(evaluate_on(expr, rows, frame), rows),
        }
    }

    /// The `rows` have the values (and errors) of `evaluation`, in its order.
    fn pick(&mut self, evaluation: Evaluation, rows: &[u32]) {
        if rows.is_empty() {
            return;
        }
        let Evaluation { value, errors } = evaluation;
        // Branches agree in type, but for NULL literals and other spellings of the type.
        let (value, errors) = if value.inner().data_type() == self.data_type {
            (value, errors)
        } else {
            let cast = cast::cast(&value, self.data_type, false, rows.len());
            let mut all = errors;
            all.merge(cast.errors);
            (cast.value, all)
        };
        let part = self.parts.len() + 1;
        for (position, &row) in rows.iter().enumerate() {
            self.places[row as usize] = (part, value.position(position));
        }
        self.parts.push(value.inner().clone());
        self.errors.merge(errors.renumber(rows));
    }

    fn fail(&mut self, errors: RowErrors) {
        self.errors.merge(errors);
    }

    fn finish(self) -> Evaluation {
        let null = new_null_array(self.data_type, 1);
        let mut arrays: Vec<&dyn Array> = vec![null.as_ref()];
        arrays.extend(self.parts.iter().map(AsRef::as_ref));
        let values = compute::interleave(&arrays, &self.places);
        let values = values.unwrap_or_else(|_| new_null_array(self.data_type, self.places.len()));
        Evaluation { value: Value::Array(values), errors: self.errors }
    }
}
