//! [`cost`]: what a node costs, before it runs: the work for one changed row, and the bytes that it keeps.
//!
//! Work is in the sizes that decide it (rows of a group, matches, rows of a window), not in time: those grow with the data, and the book has measured
//! times for each operator. Bytes are estimated from the layouts of the state structures for the types at hand, not measured per operator; they do not count
//! text beyond what is stored in place.
//!
//! Both say what `deltic-operators` does. There is no arm for "any other operator": a new one must say what it costs.

use std::fmt::Write;

use arrow::datatypes::{DataType, Schema};
use deltic_zset::RowLayout;

use crate::frame::{WindowCall, WindowFunction};
use crate::{
    AggregateCall, Circuit, EmitPolicy, JoinKey, JoinKind, Node, NodeId, Operator, Recursion, SessionOutput, Ties, Window,
    aggregate, aggregate_text,
};

/// What a node costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The growth of the work per changed row: `O(1)`, `O(log n + m)`.
    pub growth: &'static str,
    /// The same in words, with what the letters mean.
    pub work: String,
    /// What it keeps, if anything.
    pub state: Vec<StateCost>,
}

/// Something that a node keeps many of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateCost {
    /// Bytes of each, about.
    pub bytes: usize,
    /// Values of each whose length is not known: text, lists, structs. What is not stored in place comes on top of `bytes`.
    pub texts: usize,
    /// Of what: `row`, `group`.
    pub per: String,
}

/// Slots and free space of a hash table, per row.
const TABLE_OVERHEAD: usize = 20;
/// Node and free space of an ordered index, per entry.
const INDEX_OVERHEAD: usize = 16;
/// Order word and directory of an arrangement, per row.
const ARRANGEMENT_OVERHEAD: usize = 9;
/// Words in front of a group's accumulators.
const GROUP_HEADER: usize = 3;
/// Words of a linear accumulator with its count.
const ACCUMULATOR: usize = 4;

/// A top-k over rows that are never retracted keeps the rows of its window as a list, unless that is longer: longer ones are better searched than walked.
pub const LONGEST_LIST: i64 = 64;

/// What the node `id` costs.
pub fn cost(circuit: &Circuit, id: NodeId) -> Cost {
    let node = circuit.node(id);
    let input = |port: usize| circuit.node(node.inputs[port]);
    match &node.operator {
        Operator::Source { .. } => stateless("handed on as it is; what a table holds is kept once, with the table"),
        Operator::Constant { .. } => Cost { growth: "none", work: "its rows never change".to_owned(), state: Vec::new() },
        Operator::MapFilter { predicates, projections } => {
            let expressions = predicates.len() + projections.as_ref().map_or(0, Vec::len);
            stateless(&format!("{} evaluated, a batch at a time", counted(expressions, "expression")))
        }
        Operator::Union => stateless("handed on, columns are not copied"),
        Operator::Negate => stateless("its weight is negated, columns are not copied"),
        Operator::Unnest { .. } => {
            Cost { growth: "O(m)", work: "once for each of the m elements of its longest list".to_owned(), state: Vec::new() }
        }
        Operator::Index { .. } => Cost {
            growth: "O(1)",
            work: "appended; merged into sorted runs later, in small steps".to_owned(),
            state: vec![columns_of(&node.schema, "row")],
        },
        Operator::Join { kind, keys, residual } => join(*kind, keys, residual.is_some(), [input(0), input(1)]),
        Operator::Distinct => table("one probe of its weight", &node.schema, 2, "different row"),
        Operator::SetOperation { .. } => {
            table("one probe of its weights in both inputs", &node.schema, 3, "different row of either input")
        }
        Operator::MaxOneRow { .. } => Cost {
            growth: "O(1)",
            work: "one probe of its group, which is shown while it has one row".to_owned(),
            state: vec![columns_of(&node.schema, "row")],
        },
        Operator::Aggregate { group, aggregates } => groups(group, aggregates, input(0)),
        Operator::TopK { partition, limit, offset, ties, .. } => {
            let end = limit.filter(|_| *ties == Ties::Cut).map(|limit| offset.saturating_add(limit));
            top_k(!partition.is_empty(), end, input(0))
        }
        Operator::WindowFrame { calls, .. } => window_frame(calls, input(0)),
        Operator::TimeWindow { window, .. } => time_window(*window),
        Operator::Session { output, .. } => session(output, node, input(0)),
        Operator::Emit { policy } => emit(*policy, &node.schema),
        Operator::TemporalFilter { .. } => {
            let mut cost =
                table("entered at its next instant, found by one probe", &input(0).schema, 4, "row that will still change");
            cost.work.push_str("; an epoch pays for the rows whose instant has come, not for those that wait");
            cost
        }
        Operator::IntervalJoin { keys, .. } => Cost {
            growth: "O(log n + m)",
            work: format!("one descent among the n rows of the other side, then its m matches{}", keys_note(keys)),
            state: vec![ordered(&input(0).schema, "left row"), ordered(&input(1).schema, "right row")],
        },
        Operator::TemporalLookup { .. } => temporal_lookup(input(0), input(1)),
        Operator::AsOfJoin { keys, .. } => Cost {
            growth: "O(log n + m)",
            work: format!(
                "a left row: one descent to its nearest right row; a right row: the m left rows between it and the next{}",
                keys_note(keys)
            ),
            state: vec![ordered(&input(0).schema, "left row"), ordered(&input(1).schema, "right row")],
        },
        Operator::Fixpoint { recursion } => fixpoint(recursion),
    }
}

/// Rows are kept with an epoch, an iteration and a weight, by the joins that read them; what is derived also before and after it is made a set.
fn fixpoint(recursion: &Recursion) -> Cost {
    const TIME_AND_WEIGHT: usize = 3 * 8;
    let record = |schema: &Schema, times: usize, per: String| {
        let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        let words = RowLayout::try_new(&types).map_or(0, |layout| layout.words());
        StateCost { bytes: times * (words * 8 + TIME_AND_WEIGHT), texts: texts(types.iter()), per }
    };
    let inputs = recursion
        .body
        .nodes
        .iter()
        .filter(|node| matches!(&node.operator, Operator::Source { relation } if recursion.variable_of(relation).is_none()));
    let inputs = inputs.map(|node| record(&node.schema, 1, "row that is read".to_owned()));
    let derived = recursion.variables.iter().enumerate();
    let derived = derived.map(|(number, variable)| record(recursion.schema_of(number), 3, format!("row of {}", variable.name)));
    Cost {
        growth: "O(d)",
        work: "d changes that follow from it, in all the iterations that it touches".to_owned(),
        state: inputs.chain(derived).collect(),
    }
}

fn stateless(work: &str) -> Cost {
    Cost { growth: "O(1)", work: work.to_owned(), state: Vec::new() }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn keys_note(keys: &[JoinKey]) -> &'static str {
    if keys.is_empty() { " (no key: all rows are one group)" } else { " of its key" }
}

/// One probe of a hash table by the whole row, with some words of payload.
fn table(work: &str, schema: &Schema, payload: usize, per: &str) -> Cost {
    let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
    Cost { growth: "O(1)", work: work.to_owned(), state: vec![table_row(&types, payload, per)] }
}

fn table_row(types: &[DataType], payload: usize, per: &str) -> StateCost {
    // Every type of a valid circuit has a layout.
    let words = RowLayout::try_new(types).map_or(0, |layout| layout.words());
    StateCost { bytes: (words + payload) * 8 + TABLE_OVERHEAD, texts: texts(types.iter()), per: per.to_owned() }
}

fn texts<'a>(types: impl Iterator<Item = &'a DataType>) -> usize {
    types.filter(|data_type| data_type.primitive_width().is_none() && **data_type != DataType::Boolean).count()
}

/// A row in an arrangement: columns, in the width of their types.
fn columns_of(schema: &Schema, per: &str) -> StateCost {
    let types = schema.fields().iter().map(|field| field.data_type());
    // An offset of four bytes leads to what has no width of its own.
    let width = |data_type: &DataType| match data_type {
        DataType::Boolean => 1,
        _ => data_type.primitive_width().unwrap_or(4),
    };
    let bytes = types.clone().map(width).sum::<usize>() + ARRANGEMENT_OVERHEAD;
    StateCost { bytes, texts: texts(types), per: per.to_owned() }
}

/// A row in an ordered index, as words.
fn ordered(schema: &Schema, per: &str) -> StateCost {
    let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
    let row = table_row(&types, 1, per);
    StateCost { bytes: row.bytes - TABLE_OVERHEAD + INDEX_OVERHEAD, ..row }
}

/// Whether no two rows of the node agree on these columns.
fn is_unique(node: &Node, columns: &[usize]) -> bool {
    node.properties.unique_keys.iter().any(|key| key.iter().all(|column| columns.contains(column)))
}

fn join(kind: JoinKind, keys: &[JoinKey], has_residual: bool, [left, right]: [&Node; 2]) -> Cost {
    let left_unique = is_unique(left, &keys.iter().map(|key| key.left).collect::<Vec<_>>());
    let right_unique = is_unique(right, &keys.iter().map(|key| key.right).collect::<Vec<_>>());
    let (growth, mut work) = match (keys.is_empty(), left_unique, right_unique) {
        (true, ..) => ("O(m)", "beside all m rows of the other side".to_owned()),
        (false, true, true) => ("O(1)", "at most one match on either side, which is unique by its key".to_owned()),
        (false, false, true) => ("O(m)", "a left row: at most one match; a right row: the m left rows of its key".to_owned()),
        (false, true, false) => ("O(m)", "a left row: the m right rows of its key; a right row: at most one match".to_owned()),
        (false, false, false) => ("O(m)", "its m matches, the rows of the other side with its key".to_owned()),
    };
    let mut state = Vec::new();
    let counted_sides = match kind {
        JoinKind::Inner => Vec::new(),
        JoinKind::Left | JoinKind::Semi | JoinKind::Anti => vec![(left, right, "left")],
        JoinKind::Right => vec![(right, left, "right")],
        JoinKind::Full => vec![(left, right, "left"), (right, left, "right")],
    };
    if !counted_sides.is_empty() {
        work.push_str("; rows that get their first match or lose their last are looked up by key");
    }
    for (side, other, name) in counted_sides {
        if has_residual {
            let types: Vec<DataType> = side.schema.fields().iter().map(|field| field.data_type().clone()).collect();
            state.push(table_row(&types, 2, &format!("different {name} row, for its matches")));
        } else {
            let column = |key: &JoinKey| if name == "left" { key.right } else { key.left };
            let types: Vec<DataType> = keys.iter().map(|key| other.schema.field(column(key)).data_type().clone()).collect();
            let other_name = if name == "left" { "right" } else { "left" };
            state.push(table_row(&types, 2, &format!("key of the {other_name} side, for its rows")));
        }
    }
    Cost { growth, work, state }
}

/// A row of the left side is remembered with what it was shown beside, in case it goes; each right row once.
fn temporal_lookup(left: &Node, right: &Node) -> Cost {
    let work = "a left row: one probe of the index; a right row: nothing beyond its index, what was shown stays".to_owned();
    if left.properties.append_only {
        return Cost { growth: "O(1)", work, state: Vec::new() };
    }
    let of = |node: &Node, per: &str| table(&work, &node.schema, 2, per).state;
    let state = [of(left, "different left row"), of(right, "different right row that was shown")].concat();
    Cost { growth: "O(1)", work, state }
}

fn groups(group: &[usize], aggregates: &[AggregateCall], input: &Node) -> Cost {
    let types = |columns: &[usize]| -> Vec<DataType> {
        columns.iter().map(|&column| input.schema.field(column).data_type().clone()).collect()
    };
    let mut state = vec![table_row(&types(group), GROUP_HEADER + ACCUMULATOR * aggregates.len(), "group")];
    let mut growth = "O(1)";
    let mut work = "one probe of its group".to_owned();
    for call in aggregates {
        let Some(first) = call.argument() else { continue };
        let per = match call.arguments.as_slice() {
            [_] => format!("different value of #{first} in a group"),
            _ => "different list of arguments in a group".to_owned(),
        };
        let mut read = call.arguments.clone();
        read.extend(call.order.iter().map(|key| key.column));
        let kept = match call.cost(input.properties.append_only) {
            // The group's number is part of the key.
            aggregate::Cost::Constant if call.distinct => table_row(&types(&read), 2, &per),
            aggregate::Cost::Constant => continue,
            cost => {
                growth = match cost {
                    aggregate::Cost::Group => "O(group)",
                    _ if growth == "O(group)" => growth,
                    _ => "O(log n)",
                };
                let row = table_row(&types(&read), 0, &per);
                StateCost { bytes: row.bytes - TABLE_OVERHEAD + INDEX_OVERHEAD, ..row }
            }
        };
        push_new(&mut state, kept);
    }
    if state.iter().any(|each| each.per.starts_with("different")) {
        work.push_str(" and of its values that are kept one by one");
    }
    match growth {
        "O(log n)" => work.push_str(", in their order among the n of all groups"),
        "O(group)" => work.push_str("; once per epoch, all rows of the group are read again"),
        _ => {}
    }
    Cost { growth, work, state }
}

fn push_new(state: &mut Vec<StateCost>, new: StateCost) {
    if !state.contains(&new) {
        state.push(new);
    }
}

/// Most functions are looked up in the sums over ranges of rows; the others read the rows of frames.
fn window_frame(calls: &[WindowCall], input: &Node) -> Cost {
    let aggregates = calls.iter().filter_map(|call| match &call.function {
        WindowFunction::Aggregate { call, .. } if !call.is_mergeable() => Some(call),
        _ => None,
    });
    let (following, reading): (Vec<&AggregateCall>, Vec<&AggregateCall>) = aggregates.partition(|call| call.is_reversible());
    let mut growth = "O(log n + m)";
    let mut work = "one descent among the n rows of its partition, then the m rows whose results it can alter".to_owned();
    let texts = |calls: &[&AggregateCall]| calls.iter().map(|call| aggregate_text(call)).collect::<Vec<_>>().join(", ");
    if !following.is_empty() {
        growth = "O((m + f) log n)";
        let _ = write!(work, "; {}: and the f rows of the first of their frames", texts(&following));
    }
    if !reading.is_empty() {
        growth = "O(log n + m f)";
        let _ = write!(work, "; {}: the f rows of the frame of each of them", texts(&reading));
    }
    Cost { growth, work, state: vec![ordered(&input.schema, "row")] }
}

/// `end` is the number of rows before the end of the window, if it has one that does not depend on the rows.
fn top_k(is_partitioned: bool, end: Option<u64>, input: &Node) -> Cost {
    let of = if is_partitioned { " of its partition" } else { "" };
    if let (true, Some(end)) = (input.properties.append_only, end.filter(|&end| end <= LONGEST_LIST as u64)) {
        let per = format!("row that can be shown, at most {end}{}", if is_partitioned { " per partition" } else { "" });
        return Cost {
            growth: "O(k)",
            work: format!(
                "compared with the last of the k = {end} rows{of} that are kept, and with the others only if it comes before that one"
            ),
            state: vec![ordered(&input.schema, &per)],
        };
    }
    Cost {
        growth: "O(log n)",
        work: format!("placed among the n rows{of}; one more descent for each row that it pushes into view or out of it"),
        state: vec![ordered(&input.schema, "row")],
    }
}

fn time_window(window: Window) -> Cost {
    let windows = match window {
        Window::Tumble { .. } => 1,
        Window::Hop { slide, size, .. } => size / slide.max(1) + i64::from(size % slide.max(1) != 0),
        Window::Cumulate { step, size, .. } => size / step.max(1),
    };
    match windows {
        1 => stateless("its window is computed"),
        windows => {
            Cost { growth: "O(w)", work: format!("once for each of the w = {windows} windows that hold it"), state: Vec::new() }
        }
    }
}

fn session(output: &SessionOutput, node: &Node, input: &Node) -> Cost {
    let (shown, kept) = match output {
        SessionOutput::Rows => ("and for every row of a session whose bounds change", ordered(&input.schema, "row")),
        SessionOutput::Aggregates(_) => {
            ("whatever the length of its session", StateCost { bytes: 48, texts: 0, per: "row".to_owned() })
        }
    };
    let state = if input.properties.append_only {
        vec![ordered(&node.schema, "session")]
    } else {
        vec![kept, ordered(&node.schema, "session")]
    };
    Cost { growth: "O(log n)", work: format!("one descent among the n rows and sessions of its key, {shown}"), state }
}

fn emit(policy: EmitPolicy, schema: &Schema) -> Cost {
    match policy {
        EmitPolicy::OnWindowClose(_) | EmitPolicy::Final(_) => {
            let mut cost = table("entered at the close of its window, found by one probe", schema, 4, "row of an open window");
            cost.work.push_str("; an epoch pays for the windows that close, not for those that are open");
            cost
        }
        EmitPolicy::Every { .. } => {
            table("summed with the other changes of the same row", schema, 2, "row that changed since the last tick")
        }
    }
}
