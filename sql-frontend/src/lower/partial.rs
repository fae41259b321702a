//! Partial aggregates below joins: "eager aggregation" (Yan and Larson, "Eager Aggregation and Lazy Aggregation", VLDB 1995).
//!
//! In `SELECT d.x, sum(f.v) FROM f JOIN d ON f.k = d.k GROUP BY d.x` all rows of `f` with one key meet the same rows of `d`. So they are summed per key
//! before they are joined, and the sums are summed after. The join then keeps a row per key and not one per fact, and a change of `d` moves one row, whatever
//! the number of facts behind it.
//!
//! It is done where it pays without statistics, whatever the sizes turn out to be:
//! - The other side is unique by the key of the join. A change of a fact then takes back a partial row and puts another in its place, where it was one row: twice
//!   the rows on the way, never more; the changes that an epoch makes to one key are one. Beside m rows of the other side it would be m rows more.
//! - The facts are not known to be unique by the key: else there is nothing to sum.
//! - What is read of the facts above the join, beside the arguments of aggregates, are columns of the key: others would cut the sums into pieces, in the end into rows.
//! - An argument is another column than those of the key. If none is, the facts that are joined are nothing but their keys, and copies of a row are a weight already.
//! - Neither side has an event time: what is forgotten by a watermark is forgotten sooner as rows.
//!
//! No value changes, and nothing fails that did not fail before:
//! - Sums of integers below 2^63, and of decimals of up to 19 digits, are kept below the join as decimals of 38 digits. As many as fit a count (2^63) fit those. The
//!   last sum is narrowed to its type where it was narrowed before, so it overflows for the same groups. Larger decimals might overflow in a part of a group
//!   whose sum fits, and sums of floats would be rounded twice: they stay above. Only a count itself can be too large below, with 2^63 copies of one key.
//! - An average is the sum of the sums divided by that of the counts, rounded once.
//! - Arguments and filters that may fail stay above, because facts without a match would fail too. What is computed above the join and fails does so for the
//!   same keys, but once for each and not for each of its facts.
//!
//! It holds for outer joins as well. Rows of the preserved side match or do not by their key alone, so a partial row does what its facts would. On the other
//! side a row of NULLs stands for no facts: `count(*)` counts it as one, other aggregates leave it out if their argument is a column.

use std::collections::BTreeSet;
use std::ops::Range;

use arrow::datatypes::DataType;
use deltic_circuit::explain::PARTIAL;
use deltic_circuit::{AggregateCall, AggregateFunction, Expr, JoinKey, JoinKind, NodeId, Operator};

use super::aggregate::move_columns;
use super::piped::Piped;
use super::{Lower, Lowering};

/// An aggregation over rows that wait.
pub(super) struct Grouping<'a> {
    /// Names and values, over the node.
    pub(super) groups: &'a [(String, Expr)],
    /// With places among the arguments instead of columns.
    pub(super) calls: &'a [(String, AggregateCall)],
    /// Over the node.
    pub(super) arguments: &'a [Expr],
}

impl Lowering {
    /// The groups of `input`, if it is a join below which facts can be summed.
    pub(super) fn aggregated_below(&mut self, input: &Piped, grouping: &Grouping<'_>) -> Lower<Option<Piped>> {
        let sides = [self.facts(input, true), self.facts(input, false)];
        for facts in sides.into_iter().flatten() {
            if let Some(split) = facts.split(input, grouping)
                && facts.gains(&split)
            {
                return self.in_two_steps(input, &facts, grouping, split).map(Some);
            }
        }
        Ok(None)
    }

    /// One side of the join that `input` is, if its rows can be summed.
    fn facts(&self, input: &Piped, is_left: bool) -> Option<Facts> {
        let join = self.builder.get(input.node);
        let Operator::Join { kind, keys, residual } = &join.operator else { return None };
        let sides: Vec<NodeId> = join.inputs.iter().map(|&index| self.builder.get(index).inputs[0]).collect();
        let [left, right] = sides[..] else { return None };
        let width = self.builder.schema(left).fields().len();
        let (node, other) = if is_left { (left, right) } else { (right, left) };
        let start = if is_left { 0 } else { width };
        let [own, others] = [is_left, !is_left].map(|left| {
            let columns = keys.iter().map(|key| if left { key.left } else { key.right });
            columns.collect::<BTreeSet<usize>>().into_iter().collect::<Vec<usize>>()
        });
        let is_timed = |node: NodeId| {
            let properties = self.builder.properties(node);
            !properties.time_sources.is_empty() || !properties.event_times.is_empty()
        };
        let pays = !self.is_unique(node, &own) && self.is_unique(other, &others) && !is_timed(node) && !is_timed(other);
        let is_padded = match kind {
            JoinKind::Inner => false,
            JoinKind::Left => !is_left,
            JoinKind::Right => is_left,
            JoinKind::Full | JoinKind::Semi | JoinKind::Anti => return None,
        };
        (pays && !keys.is_empty()).then(|| Facts {
            node,
            other,
            is_left,
            columns: start..start + self.builder.schema(node).fields().len(),
            keys: own,
            is_padded,
            join: (*kind, keys.clone(), residual.clone()),
        })
    }

    /// Whether no two rows of a node agree on these columns. A column that is another one as a wider integer is as good as that.
    fn is_unique(&self, node: NodeId, columns: &[usize]) -> bool {
        let widened = |column: usize| {
            let Operator::MapFilter { projections: Some(outputs), .. } = &self.builder.get(node).operator else { return None };
            let Expr::Cast { input, data_type, .. } = &outputs[column] else { return None };
            let is_wider = input.data_type().is_integer() && data_type.is_integer() && !outputs[column].can_fail();
            outputs.iter().position(|output| is_wider && output == input.as_ref())
        };
        let widened: Vec<usize> = columns.iter().filter_map(|&column| widened(column)).collect();
        let keys = &self.builder.properties(node).unique_keys;
        keys.iter().any(|key| key.iter().all(|column| columns.contains(column) || widened.contains(column)))
    }

    /// The groups of `input`, computed from those of the facts.
    fn in_two_steps(&mut self, input: &Piped, facts: &Facts, grouping: &Grouping<'_>, split: Split) -> Lower<Piped> {
        let parts = split.parts.len();
        let partial = self.partial(facts, split.parts)?;
        let other_width = self.builder.schema(facts.other).fields().len();
        let joined = Joined { facts, other_width, parts };
        let (kind, keys, residual) = &facts.join;
        let place = |column: usize| facts.keys.iter().position(|key| *key == column).unwrap_or_default();
        let key = |key: &JoinKey| match facts.is_left {
            true => JoinKey { left: place(key.left), ..*key },
            false => JoinKey { right: place(key.right), ..*key },
        };
        let keys = keys.iter().map(key).collect();
        let residual = residual.as_ref().map(|residual| joined.moved(residual));
        let (left, right) = if facts.is_left { (partial, facts.other) } else { (facts.other, partial) };
        let mut rows = self.built(|builder| builder.join(left, right, *kind, keys, residual))?;
        let node = rows.node;
        let predicates = input.predicates().iter().map(|predicate| joined.moved(predicate)).collect();
        self.add_node_predicates(&mut rows, predicates);
        let groups: Vec<(String, Expr)> =
            grouping.groups.iter().map(|(name, group)| (name.clone(), joined.moved(group))).collect();
        let mut exprs: Vec<Expr> = groups.iter().map(|(_, group)| group.clone()).collect();
        for argument in &split.arguments {
            let part = |part: usize| self.builder.column(node, joined.part(part));
            exprs.push(match argument {
                Argument::Kept(expr) => joined.moved(expr),
                Argument::Part(place) => part(*place),
                Argument::PartOrOne(place) => Expr::coalesce(vec![part(*place), Expr::literal(1i64)]),
            });
        }
        let width = groups.len();
        let (node, positions) = self.arguments(rows, groups, exprs)?;
        let calls = split.calls.into_iter().map(|(name, mut call)| {
            move_columns(&mut call, |place| positions[width + place]);
            (name, call)
        });
        let calls = calls.collect();
        let groups = self.built(|builder| builder.aggregate(node, positions[..width].to_vec(), calls))?;
        if !split.or_zero.contains(&true) {
            return Ok(groups);
        }
        let mut outputs = self.columns_of(groups.node);
        for ((_, output), _) in outputs[width..].iter_mut().zip(&split.or_zero).filter(|(_, or_zero)| **or_zero) {
            *output = Expr::coalesce(vec![output.clone(), Expr::literal(0i64)]);
        }
        Ok(Piped::columns(groups.node, outputs))
    }

    /// The partial results of the facts, by their key.
    fn partial(&mut self, facts: &Facts, parts: Vec<Part>) -> Lower<NodeId> {
        let columns = self.columns_of(facts.node);
        let groups: Vec<(String, Expr)> = facts.keys.iter().map(|&key| columns[key].clone()).collect();
        let width = groups.len();
        let mut exprs: Vec<Expr> = groups.iter().map(|(_, key)| key.clone()).collect();
        let mut calls = Vec::with_capacity(parts.len());
        for (number, part) in parts.into_iter().enumerate() {
            let mut push = |expr: Expr| {
                exprs.push(expr.remap(&|column| column - facts.columns.start));
                exprs.len() - 1
            };
            let name = format!("{PARTIAL}{}_{number}", part.function.name());
            let arguments: Vec<usize> = part.arguments.into_iter().map(&mut push).collect();
            let filter = part.filter.map(push);
            calls.push((name, AggregateCall { filter, ..AggregateCall::new(part.function, arguments, part.data_type) }));
        }
        let (node, positions) = self.arguments(Piped::node(facts.node), groups, exprs)?;
        calls.iter_mut().for_each(|(_, call)| move_columns(call, |place| positions[place]));
        let partial = self.built(|builder| builder.aggregate(node, positions[..width].to_vec(), calls))?;
        Ok(partial.node)
    }
}

/// The side of a join of which the rows are to be summed.
struct Facts {
    node: NodeId,
    other: NodeId,
    is_left: bool,
    /// Where its columns are among those of the join.
    columns: Range<usize>,
    /// The columns that it is joined by, each once.
    keys: Vec<usize>,
    /// Whether a row of NULLs stands for it where it has no match.
    is_padded: bool,
    join: (JoinKind, Vec<JoinKey>, Option<Expr>),
}

/// The rows of the join over partial results: those are the keys of the facts and the parts.
struct Joined<'a> {
    facts: &'a Facts,
    other_width: usize,
    parts: usize,
}

impl Joined<'_> {
    /// `expr`, over the rows of the join as it was.
    fn moved(&self, expr: &Expr) -> Expr {
        let Facts { columns, keys, .. } = self.facts;
        let (own, other) = self.starts();
        let other_start = if self.facts.is_left { columns.end } else { 0 };
        expr.remap(&|column| match columns.contains(&column) {
            true => own + keys.iter().position(|key| columns.start + key == column).unwrap_or_default(),
            false => other + column - other_start,
        })
    }

    /// The column of a part.
    fn part(&self, part: usize) -> usize {
        self.starts().0 + self.facts.keys.len() + part
    }

    /// The first columns of the partial results and of the other side.
    fn starts(&self) -> (usize, usize) {
        if self.facts.is_left { (0, self.facts.keys.len() + self.parts) } else { (self.other_width, 0) }
    }
}

/// A result per key. Its expressions are over the rows of the join as it was.
#[derive(PartialEq)]
struct Part {
    function: AggregateFunction,
    arguments: Vec<Expr>,
    filter: Option<Expr>,
    data_type: DataType,
}

/// What a call above the join reads.
enum Argument {
    /// Something over the rows of the join as it was.
    Kept(Expr),
    /// A partial result.
    Part(usize),
    /// A number of rows, where a row of NULLs is one.
    PartOrOne(usize),
}

/// An aggregation in two steps.
#[derive(Default)]
struct Split {
    parts: Vec<Part>,
    arguments: Vec<Argument>,
    /// With places among the arguments.
    calls: Vec<(String, AggregateCall)>,
    /// The calls of which NULL is 0.
    or_zero: Vec<bool>,
}

impl Split {
    /// The place of an argument that is a new or a known part.
    fn part(&mut self, part: Part) -> usize {
        let known = self.parts.iter().position(|known| *known == part);
        let place = known.unwrap_or(self.parts.len());
        if known.is_none() {
            self.parts.push(part);
        }
        self.argument(Argument::Part(place))
    }

    fn argument(&mut self, argument: Argument) -> usize {
        self.arguments.push(argument);
        self.arguments.len() - 1
    }

    fn call(&mut self, name: &str, call: AggregateCall, or_zero: bool) {
        self.calls.push((name.to_owned(), call));
        self.or_zero.push(or_zero);
    }
}

/// A call, what it is computed from, and whether its group is there without rows.
struct Call<'a> {
    name: &'a str,
    call: &'a AggregateCall,
    arguments: Vec<&'a Expr>,
    filter: Option<&'a Expr>,
    is_total: bool,
}

impl Facts {
    /// The aggregation in two steps, if it can be done so.
    fn split(&self, input: &Piped, grouping: &Grouping<'_>) -> Option<Split> {
        let groups = grouping.groups.iter().map(|(_, group)| group);
        if !groups.chain(input.predicates()).chain(&self.join.2).all(|expr| self.is_above(expr)) {
            return None;
        }
        let mut split = Split::default();
        for (name, call) in grouping.calls {
            let arguments = call.arguments.iter().map(|&place| &grouping.arguments[place]).collect();
            let filter = call.filter.map(|place| &grouping.arguments[place]);
            let call = Call { name, call, arguments, filter, is_total: grouping.groups.is_empty() };
            self.keep(&mut split, &call)
                .or_else(|| self.count_above(&mut split, &call))
                .or_else(|| self.sum_up(&mut split, &call))?;
        }
        Some(split)
    }

    /// Leaves a call above for which it does not matter how many equal rows there are.
    fn keep(&self, split: &mut Split, Call { name, call, arguments, filter, .. }: &Call<'_>) -> Option<()> {
        let is_of_values = chooses(&call.function) || (call.distinct && is_linear(&call.function));
        let is_above = arguments.iter().chain(filter).all(|expr| self.is_above(expr));
        if !(is_of_values && is_above && call.order.is_empty()) {
            return None;
        }
        let kept = arguments.iter().map(|expr| split.argument(Argument::Kept((*expr).clone()))).collect();
        let filter = filter.map(|filter| split.argument(Argument::Kept(filter.clone())));
        split.call(name, AggregateCall { arguments: kept, filter, ..(*call).clone() }, false);
        Some(())
    }

    /// Counts values that are the same for all facts of a key: where they are not NULL, the facts.
    fn count_above(&self, split: &mut Split, Call { name, call, arguments, filter, .. }: &Call<'_>) -> Option<()> {
        let is_count = call.function == AggregateFunction::Count && !call.distinct && !arguments.is_empty();
        if !is_count || !arguments.iter().chain(filter).all(|expr| self.is_above(expr)) {
            return None;
        }
        let counted = arguments.iter().map(|expr| (*expr).clone().is_not_null()).chain(filter.cloned());
        let counted = Expr::conjunction(counted)?;
        let rows = Part { function: AggregateFunction::Count, arguments: vec![], filter: None, data_type: DataType::Int64 };
        let (place, filter) = (self.rows(split, rows), Some(split.argument(Argument::Kept(counted))));
        let sum = AggregateCall::new(AggregateFunction::Sum, [place], call.data_type.clone());
        split.call(name, AggregateCall { filter, ..sum }, true);
        Some(())
    }

    /// Makes a call of partial results.
    fn sum_up(&self, split: &mut Split, Call { name, call, arguments, filter, is_total }: &Call<'_>) -> Option<()> {
        use AggregateFunction::{Avg, Count, Sum};
        let is_summable = |expr: &&Expr| self.is_below(expr) && !(self.is_padded && expr.as_column().is_none());
        let is_mergeable = chooses(&call.function) || is_linear(&call.function);
        if !is_mergeable || call.distinct || !call.order.is_empty() || !arguments.iter().all(is_summable) {
            return None;
        }
        // Where no facts are, a filter on them would see a row of NULLs.
        let (below, above) = filter.iter().copied().partition::<Vec<&Expr>, _>(|filter| self.is_below(filter) && !self.is_padded);
        if !above.iter().all(|filter| self.is_above(filter)) {
            return None;
        }
        let part = |function: &AggregateFunction, data_type: DataType| Part {
            function: function.clone(),
            arguments: arguments.iter().map(|expr| (*expr).clone()).collect(),
            filter: below.first().map(|filter| (*filter).clone()),
            data_type,
        };
        let (function, places, or_zero) = match call.function {
            Count => {
                let count = part(&Count, DataType::Int64);
                let place = if arguments.is_empty() { self.rows(split, count) } else { split.part(count) };
                (Sum, vec![place], *is_total || !above.is_empty() || self.is_padded)
            }
            Sum => (Sum, vec![split.part(part(&Sum, sum_type(arguments)?))], false),
            Avg => {
                let sum = split.part(part(&Sum, sum_type(arguments)?));
                (Avg, vec![sum, split.part(part(&Count, DataType::Int64))], false)
            }
            _ => (call.function.clone(), vec![split.part(part(&call.function, call.data_type.clone()))], false),
        };
        let filter = above.first().map(|filter| split.argument(Argument::Kept((*filter).clone())));
        split.call(name, AggregateCall { filter, ..AggregateCall::new(function, places, call.data_type.clone()) }, or_zero);
        Some(())
    }

    /// The place of an argument that is a number of rows.
    fn rows(&self, split: &mut Split, count: Part) -> usize {
        let place = split.part(count);
        if let (true, Argument::Part(count)) = (self.is_padded, &split.arguments[place]) {
            split.arguments[place] = Argument::PartOrOne(*count);
        }
        place
    }

    /// Whether an expression over the rows of the join can be computed of the facts, of those too that have no match.
    fn is_below(&self, expr: &Expr) -> bool {
        columns(expr).iter().all(|column| self.columns.contains(column)) && !expr.can_fail()
    }

    /// Whether it can be computed of partial results: all facts of a key have the same value.
    fn is_above(&self, expr: &Expr) -> bool {
        columns(expr).iter().all(|column| !self.columns.contains(column) || self.is_key(*column))
    }

    /// Whether a column of the join is one that the facts are joined by.
    fn is_key(&self, column: usize) -> bool {
        self.keys.iter().any(|key| self.columns.start + key == column)
    }

    /// Whether the facts of a key differ in what is read of them.
    fn gains(&self, split: &Split) -> bool {
        let mut read = split.parts.iter().flat_map(|part| part.arguments.iter().chain(&part.filter));
        read.any(|expr| columns(expr).into_iter().any(|column| !self.is_key(column)))
    }
}

fn columns(expr: &Expr) -> BTreeSet<usize> {
    let mut columns = BTreeSet::new();
    expr.columns(&mut columns);
    columns
}

/// Whether the result is one of the values, or true or false as they are.
fn chooses(function: &AggregateFunction) -> bool {
    use AggregateFunction::{BoolAnd, BoolOr, Max, Min};
    matches!(function, Min | Max | BoolAnd | BoolOr)
}

fn is_linear(function: &AggregateFunction) -> bool {
    use AggregateFunction::{Avg, Count, Sum};
    matches!(function, Count | Sum | Avg)
}

/// The type in which sums are kept of as many values as can be counted; `None` if there is no such type.
fn sum_type(arguments: &[&Expr]) -> Option<DataType> {
    const MOST_DIGITS: u8 = 38;
    // 10^19 times 2^63 is less than 10^38.
    const SUMMABLE_DIGITS: u8 = 19;
    match arguments.first()?.data_type() {
        DataType::UInt64 => None,
        data_type if data_type.is_integer() => Some(DataType::Decimal128(MOST_DIGITS, 0)),
        DataType::Decimal128(digits, scale) if digits <= SUMMABLE_DIGITS => Some(DataType::Decimal128(MOST_DIGITS, scale)),
        _ => None,
    }
}
