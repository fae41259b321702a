//! Grouping sets: one aggregation per set, over one shared input, each padded with NULLs for the keys that it does not have.
//!
//! Sets may be equal, and their groups are different groups all the same: the column `__grouping_id`, which DataFusion's analyzer makes GROUPING()
//! of, says by its low bits which keys are missing, and counts equal sets above.

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use datafusion_expr::{Aggregate, Expr as PlanExpr, GroupingSet};
use deltic_circuit::{AggregateCall, AggregateFunction, Expr, NodeId};

use super::aggregate::Calls;
use super::expr::{column_type, internal, typed_null};
use super::piped::{Piped, inner_name};
use super::{Lower, Lowering, circuit_error};
use crate::SqlError;
use crate::error::Code;

/// One set.
pub(crate) struct Set {
    /// The places of its keys among all keys.
    pub(crate) keys: Vec<usize>,
    /// Its value in the column `__grouping_id`.
    pub(crate) id: u64,
}

impl Lowering {
    pub(super) fn grouping_sets(&mut self, aggregate: &Aggregate, sets: &GroupingSet) -> Lower<Piped> {
        let GroupingSet::GroupingSets(lists) = sets else {
            return Err(SqlError::nowhere(Code::Internal, "grouping sets that are not spelled out"));
        };
        let keys = sets.distinct_expr();
        let sets = numbered(lists, &keys);
        let calls = Calls::of(aggregate)?;
        let exprs: Vec<&PlanExpr> = keys.iter().copied().chain(calls.arguments.iter().copied()).collect();
        let input = self.piped(&aggregate.input)?;
        let (input, mut lowered) = self.lower_over(input, &exprs, aggregate.input.schema())?;
        calls.strip_casts(&mut lowered[keys.len()..]);
        let names: Vec<String> = aggregate.schema.fields().iter().map(|field| inner_name(field.name())).collect();
        let groups = names.iter().cloned().zip(lowered.iter().take(keys.len()).cloned()).collect();
        let (input, positions) = self.arguments(input, groups, lowered)?;
        let made = calls.made(&positions[keys.len()..])?;
        let types = aggregate.schema.fields().iter().map(|field| column_type(field.data_type()));
        let types = types.collect::<Lower<Vec<DataType>>>()?;
        let mut parts = Vec::with_capacity(sets.len());
        for set in &sets {
            let group = set.keys.iter().map(|&key| positions[key]).collect();
            let grouped = self.set_of_groups(input, group, made.clone())?;
            parts.push(self.padded(grouped, set, keys.len(), &names, &types)?);
        }
        self.built(|builder| builder.union(parts))
    }

    /// The aggregation of one set.
    fn set_of_groups(&mut self, input: NodeId, group: Vec<usize>, calls: Vec<(String, AggregateCall)>) -> Lower<NodeId> {
        let grouped = if !calls.is_empty() {
            self.builder.aggregate(input, group, calls)
        } else if group.is_empty() {
            // The one group of all rows, which is there without any.
            let call = AggregateCall::new(AggregateFunction::Count, None, DataType::Int64);
            self.builder.aggregate(input, group, vec![("__rows".to_string(), call)])
        } else {
            let columns = self.columns_of(input);
            let keys = group.into_iter().map(|column| columns[column].clone()).collect();
            let keys = self.materialise(Piped::columns(input, keys))?;
            self.builder.distinct(keys)
        };
        grouped.map_err(|error| circuit_error(&error))
    }

    /// The groups of one set under the columns of all: `keys` of them, the id, the aggregates.
    fn padded(&mut self, grouped: NodeId, set: &Set, keys: usize, names: &[String], types: &[DataType]) -> Lower<NodeId> {
        let columns = self.columns_of(grouped);
        let value = |place: usize| {
            if place < keys {
                return match set.keys.iter().position(|&key| key == place) {
                    Some(column) => Ok(columns[column].1.clone()),
                    None => typed_null(&types[place]),
                };
            }
            match place - keys {
                0 => {
                    let id = ScalarValue::UInt64(Some(set.id)).cast_to(&types[place]).map_err(|error| internal(&error))?;
                    Ok(Expr::Literal(id))
                }
                call => Ok(columns[set.keys.len() + call - 1].1.clone()),
            }
        };
        let outputs = names.iter().enumerate().map(|(place, name)| Ok((name.clone(), value(place)?)));
        let outputs = outputs.collect::<Lower<Vec<_>>>()?;
        self.materialise(Piped::columns(grouped, outputs))
    }
}

/// The sets with their ids: a bit for each key that is missing, that of the last key lowest, and how many equal sets come before.
pub(crate) fn numbered(lists: &[Vec<PlanExpr>], keys: &[&PlanExpr]) -> Vec<Set> {
    let mut masks: Vec<u64> = Vec::with_capacity(lists.len());
    let mut sets = Vec::with_capacity(lists.len());
    for list in lists {
        let present: Vec<usize> = (0..keys.len()).filter(|&key| list.contains(keys[key])).collect();
        let missing = (0..keys.len()).filter(|key| !present.contains(key));
        let mask = missing.fold(0u64, |mask, key| mask | 1 << (keys.len() - 1 - key));
        let equal = masks.iter().filter(|known| **known == mask).count() as u64;
        masks.push(mask);
        sets.push(Set { keys: present, id: mask | equal << keys.len() });
    }
    sets
}
