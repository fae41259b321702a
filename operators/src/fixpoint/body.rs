//! The body of a recursion as differential dataflow.
//!
//! Built from its ends: what a definition reads is built when it is asked for, once. Two things do not become operators of their own, because in
//! a loop each costs a turn of the scheduler in every iteration: a projection to plain columns above a join is made by the join, and one (or a filter `IS
//! NOT NULL`) below an index by what brings the rows to the index.

use std::collections::HashMap;

use arrow::datatypes::{Schema, SchemaRef};
use deltic_circuit::{JoinKey, JoinKind, Node, NodeId, Operator, Recursion, operator_label};
use deltic_zset::Result;
use differential_dataflow::operators::arrange::{Arranged, TraceAgent};
use differential_dataflow::trace::implementations::{KeyBuilder, KeySpine, ValBuilder, ValSpine};
use timely::dataflow::Scope;

use super::ErrorRow;
use super::border::Outside;
use super::evaluate::{Evaluation, Inside};
use super::format::{Format, Frame, Time, batch, rows_of};
use super::groups::Local;
use super::light::{Light, light};
use super::portable::Portable;
use super::size::Arrangements;
use super::weight::Weight;
use crate::dataflow::group_columns;

/// The rows of an index.
type Index<'scope, F> = Arranged<'scope, TraceAgent<ValSpine<<F as Format>::Key, <F as Format>::Rest, Time, Weight>>>;

/// A node with an index, and which of its columns take NULL for equal to NULL.
type Place = (usize, Vec<bool>);

/// An index, and how its rows are split.
type SplitIndex<'scope, F> = (Index<'scope, F>, <F as Format>::Split);

/// A body under construction.
pub(super) struct Body<'a, 'scope, F: Format> {
    scope: Scope<'scope, Time>,
    recursion: &'a Recursion,
    nullable: bool,
    inputs: Vec<Inside<'scope, F::Row>>,
    variables: Vec<Inside<'scope, F::Row>>,
    /// A record that is always there, of no columns, for aggregates without groups.
    presence: Inside<'scope, F::Row>,
    arrangements: Arrangements,
    /// How often each node is read.
    readers: Vec<usize>,
    rows: HashMap<usize, Inside<'scope, F::Row>>,
    indexes: HashMap<Place, SplitIndex<'scope, F>>,
    errors: Vec<Inside<'scope, ErrorRow>>,
    error_frame: Frame,
}

/// What is outside of the loop.
pub(super) struct Given<'outer, 'scope, F: Format> {
    pub(super) inputs: Vec<Outside<'outer, F::Row>>,
    pub(super) variables: Vec<Inside<'scope, F::Row>>,
    pub(super) presence: Outside<'outer, F::Row>,
    /// Where arrangements are listed.
    pub(super) arrangements: Arrangements,
}

impl<'a, 'scope, F: Format> Body<'a, 'scope, F> {
    pub(super) fn new(
        scope: Scope<'scope, Time>,
        recursion: &'a Recursion,
        nullable: bool,
        given: Given<'_, 'scope, F>,
    ) -> Result<Self> {
        let body = &recursion.body;
        let mut readers = vec![0; body.nodes.len()];
        body.nodes.iter().flat_map(|node| &node.inputs).for_each(|input| readers[input.0] += 1);
        recursion.variables.iter().for_each(|variable| readers[variable.definition.0] += 1);
        readers[body.output.0] += 1;
        Ok(Body {
            scope,
            recursion,
            nullable,
            inputs: given.inputs.into_iter().map(|rows| rows.enter(scope)).collect(),
            variables: given.variables,
            presence: given.presence.enter(scope),
            arrangements: given.arrangements,
            readers,
            rows: HashMap::new(),
            indexes: HashMap::new(),
            errors: Vec::new(),
            error_frame: Frame::try_new(deltic_circuit::error_schema(), true)?,
        })
    }

    /// The errors that have come up so far.
    pub(super) fn into_errors(self) -> Inside<'scope, ErrorRow> {
        differential_dataflow::collection::concatenate(self.scope, self.errors)
    }

    fn node(&self, id: NodeId) -> &'a Node {
        self.recursion.body.node(id)
    }

    fn frame(&self, schema: &SchemaRef) -> Result<Frame> {
        Frame::try_new(schema.clone(), self.nullable)
    }

    fn frame_of(&self, id: NodeId) -> Result<Frame> {
        self.frame(&self.node(id).schema)
    }

    /// The records of a definition, in which what cancels has cancelled: else it would go round for ever.
    pub(super) fn definition(&mut self, id: NodeId) -> Result<Inside<'scope, F::Row>> {
        let rows = self.rows(id)?;
        let passes = matches!(
            &self.node(id).operator,
            Operator::Source { .. }
                | Operator::MapFilter { .. }
                | Operator::Union
                | Operator::Negate
                | Operator::Index { .. }
                | Operator::Join { .. }
        );
        // The others say what changes of a group at a time, once.
        Ok(if passes { rows.consolidate() } else { rows })
    }

    /// The records of a node.
    pub(super) fn rows(&mut self, id: NodeId) -> Result<Inside<'scope, F::Row>> {
        if let Some(rows) = self.rows.get(&id.0) {
            return Ok(rows.clone());
        }
        let rows = self.build(id)?;
        self.rows.insert(id.0, rows.clone());
        Ok(rows)
    }

    fn build(&mut self, id: NodeId) -> Result<Inside<'scope, F::Row>> {
        let node = self.node(id);
        Ok(match &node.operator {
            Operator::Source { relation } => self.source(relation),
            Operator::MapFilter { predicates, projections } => match light(node) {
                Some(light) => self.projected(node.inputs[0], &light, &node.schema)?,
                None => {
                    let rows = self.rows(node.inputs[0])?;
                    let evaluation = Evaluation {
                        predicates: predicates.clone(),
                        projections: projections.clone(),
                        label: operator_label(&node.operator),
                        from: self.frame_of(node.inputs[0])?,
                        to: self.frame(&node.schema)?,
                        errors: self.error_frame.clone(),
                    };
                    self.evaluated(evaluation, rows)
                }
            },
            Operator::Union => {
                let inputs = node.inputs.iter().map(|&input| self.rows(input)).collect::<Result<Vec<_>>>()?;
                differential_dataflow::collection::concatenate(self.scope, inputs)
            }
            Operator::Negate => self.rows(node.inputs[0])?.negate(),
            Operator::Index { .. } => self.rows(node.inputs[0])?,
            Operator::Distinct => self.distinct(node.inputs[0])?,
            Operator::Join { kind: JoinKind::Inner, residual, .. } => {
                let all: Vec<usize> = (0..node.schema.fields().len()).collect();
                let pairs = self.joined(id, &Light { not_null: Vec::new(), columns: all }, &node.schema)?;
                match residual {
                    None => pairs,
                    Some(residual) => {
                        let frame = self.frame(&node.schema)?;
                        let evaluation = Evaluation {
                            predicates: vec![residual.clone()],
                            projections: None,
                            label: operator_label(&node.operator),
                            from: frame.clone(),
                            to: frame,
                            errors: self.error_frame.clone(),
                        };
                        self.evaluated(evaluation, pairs)
                    }
                }
            }
            Operator::Join { keys, .. } => {
                let side = |port: usize| keys.iter().map(|key| if port == 0 { key.left } else { key.right }).collect();
                self.grouped(id, &[side(0), side(1)])?
            }
            _ => {
                let ports = 0..node.inputs.len();
                let columns: Vec<_> = ports.map(|port| group_columns(&self.recursion.body, node, port)).collect();
                self.grouped(id, &columns)?
            }
        })
    }

    fn source(&self, relation: &str) -> Inside<'scope, F::Row> {
        match self.recursion.variable_of(relation) {
            Some(variable) => self.variables[variable].clone(),
            None => {
                let input = (0..self.inputs.len()).find(|&input| deltic_circuit::recursion::input_name(input) == relation);
                self.inputs[input.expect("a source of a valid body is an input or a variable")].clone()
            }
        }
    }

    fn evaluated(&mut self, evaluation: Evaluation, rows: Inside<'scope, F::Row>) -> Inside<'scope, F::Row> {
        let can_fail = evaluation.predicates.iter().chain(evaluation.projections.iter().flatten()).any(|expr| expr.can_fail());
        let (rows, errors) = evaluation.apply::<F>(rows);
        self.errors.extend(can_fail.then_some(errors));
        rows
    }

    /// Whether a node is a join whose pairs only its one reader sees.
    fn is_made_by_reader(&self, id: NodeId) -> bool {
        self.readers[id.0] == 1 && matches!(&self.node(id).operator, Operator::Join { kind: JoinKind::Inner, residual: None, .. })
    }

    /// Columns of the rows of `input`.
    fn projected(&mut self, input: NodeId, light: &Light, schema: &SchemaRef) -> Result<Inside<'scope, F::Row>> {
        if self.is_made_by_reader(input) {
            return self.joined(input, light, schema);
        }
        let (from, to) = (self.frame_of(input)?, self.frame(schema)?);
        let rows = self.rows(input)?;
        let (picks, not_null) = (F::picks(&[&from], &light.picks(0), &to), light.not_null.clone());
        let keeps = move |row: &F::Row| not_null.iter().all(|&column| !F::is_null(&from, row, column));
        Ok(rows.flat_map(move |row| keeps(&row).then(|| F::pick(&picks, &[&row]))))
    }

    /// An inner join, projected.
    fn joined(&mut self, id: NodeId, light: &Light, schema: &SchemaRef) -> Result<Inside<'scope, F::Row>> {
        let node = self.node(id);
        let Operator::Join { keys, .. } = &node.operator else { unreachable!("it is a join") };
        let sides = [self.frame_of(node.inputs[0])?, self.frame_of(node.inputs[1])?];
        let whole = self.frame(&node.schema)?;
        let to = self.frame(schema)?;
        let width = sides[0].width();
        let place = |column: usize| if column < width { (0, column) } else { (1, column - width) };
        let columns: Vec<_> = light.columns.iter().map(|&column| place(column)).collect();
        let picks = F::picks(&[&sides[0], &sides[1]], &columns, &to);
        let (left, left_split) = self.index(node.inputs[0], keys)?;
        let (right, right_split) = self.index(node.inputs[1], keys)?;
        if light.not_null.is_empty() {
            return Ok(left.join_core(right, move |key, left, right| {
                Some(F::joined(&picks, [&left_split, &right_split], key, [left, right]))
            }));
        }
        // Rare: the filter needs columns that are not in the result.
        let all: Vec<_> = (0..whole.width()).map(place).collect();
        let (all, not_null) = (F::picks(&[&sides[0], &sides[1]], &all, &whole), light.not_null.clone());
        let narrow = F::picks(&[&whole], &light.picks(0), &to);
        Ok(left.join_core(right, move |key, left, right| {
            let pair = F::joined(&all, [&left_split, &right_split], key, [left, right]);
            let keeps = not_null.iter().all(|&column| !F::is_null(&whole, &pair, column));
            keeps.then(|| F::pick(&narrow, &[&pair]))
        }))
    }

    /// The rows of an index node for a join with these keys, without those whose key matches nothing.
    fn index(&mut self, id: NodeId, keys: &[JoinKey]) -> Result<SplitIndex<'scope, F>> {
        let place = (id.0, keys.iter().map(|key| key.null_safe).collect());
        if let Some((index, split)) = self.indexes.get(&place) {
            return Ok((index.clone(), split.clone()));
        }
        let node = self.node(id);
        let Operator::Index { key } = &node.operator else { unreachable!("the inputs of a join are indexed") };
        let frame = self.frame(&node.schema)?;
        let of_key = key.iter().map(|&column| node.schema.fields()[column].clone()).collect::<Vec<_>>();
        let split = F::splits(&frame, key, &self.frame(&Schema::new(of_key).into())?);
        let input = node.inputs[0];
        // A projection that a join makes is not made again.
        let is_own = self.readers[input.0] == 1 && !self.node(input).inputs.iter().any(|&below| self.is_made_by_reader(below));
        let below = light(self.node(input)).filter(|_| is_own);
        let (source, below) = match below {
            Some(below) => (self.node(input).inputs[0], below),
            None => (input, Light { not_null: Vec::new(), columns: (0..frame.width()).collect() }),
        };
        let from = self.frame_of(source)?;
        let picks = (!below.is_identity(from.width())).then(|| F::picks(&[&from], &below.picks(0), &frame));
        let strict = key.iter().zip(keys).filter(|(_, key)| !key.null_safe).map(|(&column, _)| below.columns[column]);
        let mut not_null: Vec<usize> = strict.chain(below.not_null.iter().copied()).collect();
        not_null.retain(|&column| self.nullable && from.schema.field(column).is_nullable());
        let splits = split.clone();
        let rows = self.rows(source)?.flat_map(move |row| {
            let keeps = not_null.iter().all(|&column| !F::is_null(&from, &row, column));
            keeps.then(|| {
                let row = match &picks {
                    None => row,
                    Some(picks) => F::pick(picks, &[&row]),
                };
                F::split(&splits, row)
            })
        });
        let index = rows.arrange_by_key_named("index");
        self.arrangements.add(&index.trace, size_of::<((F::Key, F::Rest), Time, Weight)>());
        self.indexes.insert(place, (index.clone(), split.clone()));
        Ok((index, split))
    }

    /// Each row of `input` once.
    fn distinct(&mut self, input: NodeId) -> Result<Inside<'scope, F::Row>> {
        let rows = self.rows(input)?.arrange_by_self_named("copies");
        let set = rows.clone().reduce_abelian::<_, KeyBuilder<_, _, _>, KeySpine<F::Row, Time, Weight>, _, _>(
            "distinct",
            |_, copies, result| result.push(((), copies[0].1.present())),
            fill,
        );
        for trace in [&rows.trace, &set.trace] {
            self.arrangements.add(trace, size_of::<(F::Row, Time, Weight)>());
        }
        Ok(set.as_collection(|row, ()| row.clone()))
    }

    /// The node's operator applied to each group of rows that agree on `columns` of each input.
    fn grouped(&mut self, id: NodeId, columns: &[Vec<usize>]) -> Result<Inside<'scope, F::Row>> {
        let node = self.node(id);
        let fields: Vec<_> = columns[0].iter().map(|&column| self.node(node.inputs[0]).schema.fields()[column].clone()).collect();
        let of_key = self.frame(&Schema::new(fields).into())?;
        let frames = node.inputs.iter().map(|&input| self.frame_of(input)).collect::<Result<Vec<_>>>()?;
        let mut tagged = Vec::with_capacity(columns.len() + 1);
        for (port, columns) in columns.iter().enumerate() {
            let from: Vec<_> = columns.iter().map(|&column| (0, column)).collect();
            let key = F::picks(&[&frames[port]], &from, &of_key);
            tagged.push(self.rows(node.inputs[port])?.map(move |row| (F::pick(&key, &[&row]), (port, row))));
        }
        if matches!(&node.operator, Operator::Aggregate { group, .. } if group.is_empty()) {
            tagged.push(self.presence.clone().map(|row| (row.clone(), (ALWAYS, row))));
        }
        let local = Local::new(node, &frames.iter().map(|frame| frame.schema.clone()).collect::<Vec<_>>());
        let (to, errors) = (self.frame(&node.schema)?, self.error_frame.clone());
        let rows = differential_dataflow::collection::concatenate(self.scope, tagged);
        let rows = rows.arrange_by_key_named("groups");
        self.arrangements.add(&rows.trace, size_of::<((F::Row, (usize, F::Row)), Time, Weight)>());
        let compute = move |_: &F::Row, group: &[(&(usize, F::Row), Weight)], results: &mut Vec<(RowOrError<F>, Weight)>| {
            let input = |(port, frame): (usize, &Frame)| {
                let rows = || group.iter().filter(move |((of, _), _)| *of == port);
                let weights = rows().map(|(_, weight)| weight.get()).collect();
                batch::<F>(frame, &mut rows().map(|((_, row), _)| row), weights)
            };
            // An operator that was built for one group is built for all.
            let Ok(output) = local.evaluate(frames.iter().enumerate().map(input).collect()) else { return };
            for batch in &output.rows {
                rows_of::<F>(&to, batch, |row, weight| results.push((Ok(row), weight)));
            }
            for batch in &output.errors {
                rows_of::<Portable>(&errors, batch, |row, weight| results.push((Err(row), weight)));
            }
        };
        let label = operator_label(&node.operator);
        let results = rows.reduce_abelian::<_, ValBuilder<_, _, _, _>, ValSpine<F::Row, RowOrError<F>, Time, Weight>, _, _>(
            label, compute, fill,
        );
        self.arrangements.add(&results.trace, size_of::<((F::Row, RowOrError<F>), Time, Weight)>());
        let results = results.as_collection(|_, result| result.clone());
        self.errors.push(results.clone().flat_map(std::result::Result::err));
        Ok(results.flat_map(std::result::Result::ok))
    }
}

/// The changes of a key as records.
fn fill<K: Clone, V>(records: &mut Vec<((K, V), Time, Weight)>, key: &K, changes: &mut Vec<(V, Time, Weight)>) {
    records.clear();
    records.extend(changes.drain(..).map(|(value, time, weight)| ((key.clone(), value), time, weight)));
}

/// What a group comes to.
type RowOrError<F> = std::result::Result<<F as Format>::Row, ErrorRow>;

/// The port of what is always there.
const ALWAYS: usize = usize::MAX;
