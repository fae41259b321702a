//! Joins by nested loops.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion_common::ScalarValue;
use deltic_zset::Error;

use super::relation::{Relation, Row, identity};
use super::timed::event_time;
use super::top_k::compare_rows;
use crate::{AsOfComparison, CircuitError, Expr, IntervalJoinKind, JoinKey, JoinKind, Operator, map_filter};

/// The pairs that match, and for outer joins the rows without a match beside NULLs.
pub(super) fn join(
    kind: JoinKind,
    keys: &[JoinKey],
    residual: Option<&Expr>,
    left: &Relation,
    right: &Relation,
    schema: SchemaRef,
    errors: &mut Relation,
) -> Result<Relation, CircuitError> {
    let pairs = pairs(left, right, |left, right| Ok(keys.iter().all(|key| agree(key, left, right))))?;
    matches(pairs, kind.into(), residual, left, right, schema, errors)
}

impl From<JoinKind> for IntervalJoinKind {
    fn from(kind: JoinKind) -> Self {
        match kind {
            JoinKind::Inner => IntervalJoinKind::Inner,
            JoinKind::Left => IntervalJoinKind::Left,
            JoinKind::Right => IntervalJoinKind::Right,
            JoinKind::Full => IntervalJoinKind::Full,
            JoinKind::Semi => IntervalJoinKind::Semi,
            JoinKind::Anti => IntervalJoinKind::Anti,
        }
    }
}

/// [`Operator::IntervalJoin`].
pub(super) fn interval_join(
    operator: &Operator,
    left: &Relation,
    right: &Relation,
    schema: SchemaRef,
    errors: &mut Relation,
) -> Result<Relation, CircuitError> {
    let Operator::IntervalJoin { kind, keys, left_time, right_time, lower, upper, residual } = operator else {
        return Ok(Relation::new(schema));
    };
    let pairs = pairs(left, right, |left, right| {
        let times = event_time(&left[*left_time])?.zip(event_time(&right[*right_time])?);
        let within = times.is_some_and(|(left, right)| {
            let distance = i128::from(right) - i128::from(left);
            i128::from(*lower) <= distance && distance <= i128::from(*upper)
        });
        Ok(within && keys.iter().all(|key| agree(key, left, right)))
    })?;
    matches(pairs, *kind, residual.as_ref(), left, right, schema, errors)
}

/// [`Operator::AsOfJoin`].
pub(super) fn as_of_join(
    operator: &Operator,
    left: &Relation,
    right: &Relation,
    schema: SchemaRef,
) -> Result<Relation, CircuitError> {
    let mut result = Relation::new(schema);
    let Operator::AsOfJoin { kind, keys, left_time, right_time, comparison } = operator else { return Ok(result) };
    for (row, weight) in left.iter() {
        let mut best: Option<(i64, &Row)> = None;
        for (candidate, _) in right.iter().filter(|(candidate, _)| keys.iter().all(|key| agree(key, row, candidate))) {
            let Some((at, time)) = event_time(&row[*left_time])?.zip(event_time(&candidate[*right_time])?) else { continue };
            let (fits, latest) = match comparison {
                AsOfComparison::GreaterOrEqual => (at >= time, true),
                AsOfComparison::Greater => (at > time, true),
                AsOfComparison::LessOrEqual => (at <= time, false),
                AsOfComparison::Less => (at < time, false),
            };
            let better = best.is_none_or(|(so_far, known)| {
                let nearer = if latest { time > so_far } else { time < so_far };
                nearer || (time == so_far && compare_rows(candidate, known).is_lt())
            });
            if fits && better {
                best = Some((time, candidate));
            }
        }
        let matched = match best {
            Some((_, matched)) => matched.clone(),
            None if *kind == JoinKind::Left => nulls(right)?,
            None => continue,
        };
        result.add(row.iter().cloned().chain(matched).collect(), weight)?;
    }
    Ok(result)
}

/// Of candidate pairs, those on which the residual is true, and what else the kind of join shows.
pub(super) fn matches(
    pairs: Relation,
    kind: IntervalJoinKind,
    residual: Option<&Expr>,
    left: &Relation,
    right: &Relation,
    schema: SchemaRef,
    errors: &mut Relation,
) -> Result<Relation, CircuitError> {
    use IntervalJoinKind::{Anti, Full, Left, Right, Semi};
    let mut result = Relation::new(schema);
    let (mut left_matched, mut right_matched) = (HashSet::new(), HashSet::new());
    // The pairs are distinct rows: consolidating them loses nothing.
    let residual: Vec<Expr> = residual.cloned().into_iter().collect();
    let (matches, failed) = map_filter(&pairs.to_batch()?, &residual, None, &pairs.schema, "join condition");
    errors.add_all(&Relation::from_batch(&failed)?)?;
    let width = left.schema.fields().len();
    for (pair, weight) in Relation::from_batch(&matches)?.iter() {
        left_matched.insert(identity(&pair[..width]));
        right_matched.insert(identity(&pair[width..]));
        if !matches!(kind, Semi | Anti) {
            result.add(pair.clone(), weight)?;
        }
    }
    if matches!(kind, Semi | Anti) {
        let wanted = |row: &Row| left_matched.contains(&identity(row)) == (kind == Semi);
        left.iter().filter(|(row, _)| wanted(row)).try_for_each(|(row, weight)| result.add(row.clone(), weight))?;
    }
    if matches!(kind, Left | Full) {
        for (row, weight) in left.iter().filter(|(row, _)| !left_matched.contains(&identity(row))) {
            result.add(row.iter().cloned().chain(nulls(right)?).collect(), weight)?;
        }
    }
    if matches!(kind, Right | Full) {
        for (row, weight) in right.iter().filter(|(row, _)| !right_matched.contains(&identity(row))) {
            result.add(nulls(left)?.into_iter().chain(row.iter().cloned()).collect(), weight)?;
        }
    }
    Ok(result)
}

/// All pairs of which `candidate` is true, with the products of their weights.
fn pairs(
    left: &Relation,
    right: &Relation,
    candidate: impl Fn(&Row, &Row) -> Result<bool, CircuitError>,
) -> Result<Relation, CircuitError> {
    let fields = left.schema.fields().iter().chain(right.schema.fields());
    let fields: Vec<Field> = fields.map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let mut pairs = Relation::new(Arc::new(Schema::new(fields)));
    for (left_row, left_weight) in left.iter() {
        for (right_row, right_weight) in right.iter() {
            if candidate(left_row, right_row)? {
                let weight = left_weight.checked_mul(right_weight).ok_or(Error::WeightOverflow)?;
                pairs.add(left_row.iter().chain(right_row).cloned().collect(), weight)?;
            }
        }
    }
    Ok(pairs)
}

pub(super) fn agree(key: &JoinKey, left: &Row, right: &Row) -> bool {
    let (left, right) = (&left[key.left], &right[key.right]);
    if left.is_null() || right.is_null() {
        return key.null_safe && left.is_null() && right.is_null();
    }
    identity(std::slice::from_ref(left)) == identity(std::slice::from_ref(right))
}

fn nulls(side: &Relation) -> Result<Row, CircuitError> {
    let null = |data_type: &DataType| ScalarValue::try_new_null(data_type);
    let row = side.schema.fields().iter().map(|field| null(field.data_type())).collect::<Result<Row, _>>();
    row.map_err(|error| CircuitError::Arrow(arrow::error::ArrowError::ComputeError(error.to_string())))
}
