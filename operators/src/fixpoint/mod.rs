//! Recursion: [`Operator::Fixpoint`](deltic_circuit::Operator::Fixpoint) as a loop of differential dataflow.
//!
//! Everything else in this crate goes by epochs, which are totally ordered. A recursion that has to take rows back cannot: a row that is deleted
//! may be what others were derived from, in some iteration, and they may have other derivations, in others. Differential dataflow
//! keeps for each row the epochs *and* iterations in which it changed; both together are only partially ordered, and what a change of the input means
//! for each iteration follows exactly, at the cost of what changes there (McSherry et al., *Differential dataflow*, CIDR 2013).
//!
//! The inputs enter as records ([`border`]), the nodes of the body become differential operators ([`body`]), and what they come to leaves as one
//! delta per epoch through an ordinary operator ([`outcome`]). The types of the records are chosen by the columns ([`format`]). Arrangements are
//! compacted by differential as epochs pass, so they hold what is there and not what has been.

mod body;
mod border;
mod evaluate;
mod format;
mod groups;
mod light;
mod outcome;
mod portable;
mod size;
#[cfg(test)]
mod tests;
mod weight;
mod words;

use arrow::datatypes::{Schema, SchemaRef};
use deltic_circuit::{JoinKey, JoinKind, Node, Operator, Recursion, error_schema};
use deltic_zset::{Result, RowLayout};
use differential_dataflow::operators::iterate::Variable;
use timely::dataflow::Scope;
use timely::order::Product;

use self::body::{Body, Given};
use self::border::{enter, leave, once, presence};
use self::format::{Format, Frame, Time};
use self::light::light;
use self::outcome::Outcome;
use self::portable::Portable;
use self::size::Arrangements;
use self::words::Words;
use crate::EpochOperator;
use crate::container::DeltaStream;
use crate::contract;
use crate::driver::Inlet;

/// An error row within a recursion.
type ErrorRow = <Portable as Format>::Row;

/// A loop, and the operator at its end.
pub(crate) struct Recurring<'scope> {
    /// What comes out of the loop, for the ports of the operator.
    pub(crate) inlets: Vec<Inlet<'scope>>,
    /// What makes one delta per epoch of it.
    pub(crate) operator: Box<dyn EpochOperator>,
}

/// Builds the recursion that `node` is, over `inputs`.
///
/// # Errors
/// If a column has a type that cannot be stored; a valid circuit has none.
pub(crate) fn recur<'scope>(
    scope: Scope<'scope, u64>,
    node: &Node,
    recursion: &Recursion,
    inputs: Vec<(DeltaStream<'scope>, SchemaRef)>,
    since: u64,
) -> Result<Recurring<'scope>> {
    let nullable = recursion.body.nodes.iter().any(|node| node.schema.fields().iter().any(|field| field.is_nullable()));
    let arrangements = Arrangements::default();
    let streams = match words(recursion, nullable)? {
        Some(0..=2) => iterate::<Words<2>>(scope, recursion, inputs, nullable, since, &arrangements),
        Some(3) => iterate::<Words<3>>(scope, recursion, inputs, nullable, since, &arrangements),
        Some(4..=5) => iterate::<Words<5>>(scope, recursion, inputs, nullable, since, &arrangements),
        _ => iterate::<Portable>(scope, recursion, inputs, nullable, since, &arrangements),
    };
    let error = recursion.limit.map(|_| recursion.limit_error());
    let outcome = Outcome::new(node.schema.clone(), error, scope.index() == 0, arrangements);
    let ports = vec![node.schema.clone(), error_schema(), Schema::empty().into()];
    Ok(Recurring {
        inlets: streams?.into_iter().map(|rows| Inlet { rows, exchange: None }).collect(),
        operator: contract::checked(Box::new(outcome), node, ports),
    })
}

/// The words of the longest row, if all rows are a fixed number of words and all joins are by one of them.
fn words(recursion: &Recursion, nullable: bool) -> Result<Option<usize>> {
    let mut most = 0;
    for (id, node) in recursion.body.nodes.iter().enumerate() {
        if let Operator::Join { keys, .. } = &node.operator
            && !by_one_word(recursion, keys, node)?
        {
            return Ok(None);
        }
        if is_within_join(recursion, id) {
            continue;
        }
        let layout = layout_of(&node.schema)?;
        if !layout.is_fixed() {
            return Ok(None);
        }
        most = most.max(layout.words() - 1);
    }
    Ok(Some(most + usize::from(nullable)))
}

fn layout_of(schema: &Schema) -> Result<RowLayout> {
    RowLayout::try_new(&schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>())
}

/// Whether a join is by one word that is not NULL. Outer joins go by groups, whose keys are rows.
fn by_one_word(recursion: &Recursion, keys: &[JoinKey], join: &Node) -> Result<bool> {
    let Operator::Join { kind: JoinKind::Inner, .. } = &join.operator else { return Ok(true) };
    let [JoinKey { left, right, null_safe }] = keys else { return Ok(false) };
    let [left, right] =
        [(0, *left), (1, *right)].map(|(port, column)| recursion.body.node(join.inputs[port]).schema.field(column).clone());
    let matches_null = *null_safe && (left.is_nullable() || right.is_nullable());
    Ok(!matches_null && layout_of(&Schema::new(vec![left]))?.words() == 2)
}

/// Whether the rows of a node are never made, because its only reader is a projection that the join makes itself.
fn is_within_join(recursion: &Recursion, id: usize) -> bool {
    let body = &recursion.body;
    let mut readers = body.nodes.iter().filter(|node| node.inputs.iter().any(|input| input.0 == id));
    let is_shown = body.output.0 == id || recursion.variables.iter().any(|variable| variable.definition.0 == id);
    let is_join = matches!(&body.nodes[id].operator, Operator::Join { kind: JoinKind::Inner, residual: None, .. });
    let reader = readers.next();
    is_join && !is_shown && readers.next().is_none() && reader.and_then(light).is_some_and(|light| light.not_null.is_empty())
}

/// The loop, with rows of format `F`. Returns rows, errors, and if there is a limit, whether it was reached.
fn iterate<'scope, F: Format>(
    scope: Scope<'scope, u64>,
    recursion: &Recursion,
    inputs: Vec<(DeltaStream<'scope>, SchemaRef)>,
    nullable: bool,
    since: u64,
    arrangements: &Arrangements,
) -> Result<Vec<DeltaStream<'scope>>> {
    let entered = inputs.into_iter().map(|(rows, schema)| Ok(enter::<F>(rows, Frame::try_new(schema, nullable)?)));
    let inputs = entered.collect::<Result<Vec<_>>>()?;
    let nothing = Frame::try_new(Schema::empty().into(), nullable)?;
    let no_columns = F::pick(&F::picks(&[], &[], &nothing), &[]);
    let always = once(scope, since, no_columns);
    let shown = Frame::try_new(recursion.body.schema().clone(), nullable)?;
    let (rows, errors, over) = scope.scoped::<Time, _, _>("recursion", |inner| {
        let variables = recursion.variables.iter().map(|_| Variable::new(inner, Product::new(0, 1)));
        let (feedback, variables): (Vec<_>, Vec<_>) = variables.unzip();
        let mut body = Body::<F>::new(
            inner,
            recursion,
            nullable,
            Given { inputs, variables, presence: always, arrangements: arrangements.clone() },
        )?;
        let mut over = Vec::new();
        for (number, (variable, feedback)) in recursion.variables.iter().zip(feedback).enumerate() {
            let definition = body.definition(variable.definition)?;
            match recursion.limit {
                None => feedback.set(definition),
                Some(limit) => {
                    feedback.set(within(definition.clone(), move |iteration| iteration < limit));
                    let rest = within(definition, move |iteration| iteration >= limit);
                    over.push(rest.map(move |row| (number, row)));
                }
            }
        }
        let rows = body.rows(recursion.body.output)?.leave(scope);
        let errors = body.into_errors().leave(scope);
        let over = recursion.limit.map(|_| differential_dataflow::collection::concatenate(inner, over).leave(scope));
        Ok::<_, deltic_zset::Error>((rows, errors, over))
    })?;
    let mut streams = vec![leave::<F>(rows, shown), leave::<Portable>(errors, Frame::try_new(error_schema(), true)?)];
    streams.extend(over.map(presence));
    Ok(streams)
}

/// The changes of some iterations.
fn within<'scope, D: differential_dataflow::Data>(
    rows: evaluate::Inside<'scope, D>,
    wanted: impl Fn(u64) -> bool + 'static,
) -> evaluate::Inside<'scope, D> {
    use differential_dataflow::AsCollection;
    use timely::dataflow::operators::vec::Filter;
    rows.inner.filter(move |(_, time, _)| wanted(time.inner)).as_collection()
}
