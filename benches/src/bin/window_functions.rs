//! Window functions under load: what a change costs by the length of its partition, beside computing the partition again.
//!
//! One operator on one thread over one partition, ordered by a number; each epoch deletes as many random rows as it inserts. Times are CPU time of the
//! thread, after as many changes as the partition has rows: rows that were loaded in order stand in full leaves, each of which splits once. Recomputing
//! sorts the rows, takes one pass over them and one over what was shown before, for what has changed: with types known at compile time, and nothing in a form
//! that another operator could read.

use std::error::Error;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use clap::{Parser, ValueEnum};
use deltic_benches::process::spent;
use deltic_circuit::frame::{Exclusion, Frame, FrameOffset, FrameUnits, WindowCall, WindowFunction};
use deltic_circuit::{AggregateCall, AggregateFunction, Built, CircuitBuilder, Moment, Node, NodeId, Properties, SortKey};
use deltic_operators::{EpochOperator, TopK, window_frame};
use deltic_zset::ZBatch;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the operators of window functions
#[derive(Parser, Debug)]
struct Args {
    /// Rows of the partition
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000, 1_000_000])]
    rows: Vec<usize>,
    /// Rows that come, and rows that go, in an epoch: half of its changes each
    #[arg(long, default_value_t = 50)]
    half: usize,
    /// Epochs that are measured
    #[arg(long, default_value_t = 200)]
    epochs: usize,
    /// What to measure [default: all]
    #[arg(long, value_delimiter = ',')]
    only: Vec<Subject>,
}

/// What is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// The first ten rows
    FirstRows,
    /// The rows of the first ten values
    FirstGroups,
    /// A sum over ten rows
    MovingSum,
    /// A maximum over ten rows
    MovingMax,
    /// A sum over 500 rows
    WideSum,
    /// A sum over values that are near
    RangeSum,
    /// The maximum of all rows so far
    RunningMax,
    /// A variance over 100 rows
    WideVariance,
    /// A median over 100 rows
    WideMedian,
    /// The row before
    Lag,
}

const SUBJECTS: [(Subject, &str); 10] = [
    (Subject::FirstRows, "row_number() <= 10"),
    (Subject::FirstGroups, "dense_rank() <= 10"),
    (Subject::MovingSum, "sum ROWS 9 PRECEDING"),
    (Subject::MovingMax, "max ROWS 9 PRECEDING"),
    (Subject::WideSum, "sum ROWS 499 PRECEDING"),
    (Subject::RangeSum, "sum RANGE 10 steps PRECEDING"),
    (Subject::RunningMax, "max of the rows so far"),
    (Subject::WideVariance, "var_pop ROWS 99 PRECEDING"),
    (Subject::WideMedian, "median ROWS 99 PRECEDING"),
    (Subject::Lag, "lag"),
];

/// A row: what is ordered by, and the argument.
type Row = (i64, i64);

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((u128::from(self.0 ^ (self.0 >> 29)) * limit as u128) >> 64) as usize
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    println!(
        "{:<30} {:>9} {:>12} {:>10} {:>8} {:>14} {:>8}",
        "function", "rows", "us/epoch", "ns/change", "out", "recompute us", "ratio"
    );
    let wanted = |subject: Subject| args.only.is_empty() || args.only.contains(&subject);
    for (subject, name) in SUBJECTS.into_iter().filter(|(subject, _)| wanted(*subject)) {
        for &rows in &args.rows {
            measure(subject, name, rows, &args)?;
        }
    }
    Ok(())
}

fn measure(subject: Subject, name: &str, rows: usize, args: &Args) -> Result<(), Box<dyn Error>> {
    let schema: SchemaRef =
        Arc::new(Schema::new(vec![Field::new("at", DataType::Int64, false), Field::new("v", DataType::Int64, false)]));
    let nodes = circuit(subject, &schema)?;
    let mut operator: Box<dyn EpochOperator> = match subject {
        Subject::FirstRows | Subject::FirstGroups => Box::new(TopK::try_new(&nodes[1], &schema)?),
        _ => window_frame(&nodes[1], &schema, None)?,
    };
    let mut random = Random(7);
    // On average ten steps apart, whatever the length of the partition.
    let row = |random: &mut Random| (random.below(10 * rows) as i64, random.below(1_000) as i64);
    let mut live: Vec<Row> = (0..rows).map(|_| row(&mut random)).collect();
    operator.push(0, batch(&schema, &live, None));
    operator.close(0);
    let mut changed = |half: usize| {
        let mut changes: Vec<Row> = (0..half).map(|_| live.swap_remove(random.below(live.len()))).collect();
        let fresh: Vec<Row> = (0..half).map(|_| row(&mut random)).collect();
        live.extend(&fresh);
        changes.extend(fresh);
        let weights = (0..2 * half).map(|change| if change < half { -1 } else { 1 }).collect();
        batch(&schema, &changes, Some(weights))
    };
    const WARM: usize = 500;
    for epoch in 0..rows.div_ceil(2 * WARM) {
        operator.push(0, changed(WARM.min(rows / 2)));
        operator.close(epoch as u64 + 1);
    }
    let epochs: Vec<ZBatch> = (0..args.epochs).map(|_| changed(args.half)).collect();
    let mut out = 0;
    let cost = spent(|| {
        for (epoch, batch) in epochs.into_iter().enumerate() {
            operator.push(0, batch);
            let output = operator.close((rows + epoch) as u64);
            out += output.rows.iter().map(ZBatch::len).sum::<usize>();
        }
    });
    let epoch_us = cost.cpu.as_secs_f64() * 1e6 / args.epochs as f64;
    let runs = (1_000_000 / rows).clamp(3, 100);
    let mut shown = recompute(subject, &live);
    let again = spent(|| {
        for run in 0..runs {
            let rows = live.len();
            live[run % rows].0 += 1;
            let now = recompute(subject, &live);
            std::hint::black_box(difference(&shown, &now));
            shown = now;
        }
    });
    let again_us = again.cpu.as_secs_f64() * 1e6 / runs as f64;
    println!(
        "{name:<30} {rows:>9} {epoch_us:>12.1} {:>10.0} {:>8.1} {again_us:>14.1} {:>8.1}",
        epoch_us * 1e3 / (2 * args.half) as f64,
        out as f64 / args.epochs as f64,
        again_us / epoch_us
    );
    Ok(())
}

/// The source and the operator.
fn circuit(subject: Subject, schema: &SchemaRef) -> Built<Vec<Node>> {
    let mut builder = CircuitBuilder::new();
    let source = builder.source("t", schema.clone(), Properties::default());
    let order = vec![SortKey { column: 0, descending: false, nulls_first: false }];
    let output: NodeId = match subject {
        Subject::FirstRows => builder.top_k(source, vec![], order, 0, Some(10), Some("n".to_owned()))?,
        Subject::FirstGroups => builder.top_groups(source, vec![], order, 10)?,
        _ => builder.window_frame(source, vec![], order, vec![("w".to_owned(), call(subject))])?,
    };
    Ok(builder.finish(output, None)?.nodes)
}

fn call(subject: Subject) -> WindowCall {
    let lag = WindowFunction::Lag { argument: 1, offset: 1, default: Option::<i64>::None.into(), ignore_nulls: false };
    let function = match frame(subject) {
        None => lag,
        Some(frame) => {
            let (function, data_type) = match subject {
                Subject::MovingMax | Subject::RunningMax => (AggregateFunction::Max, DataType::Int64),
                Subject::WideVariance => (AggregateFunction::Moment(Moment::VarPop), DataType::Float64),
                Subject::WideMedian => (AggregateFunction::Median, DataType::Float64),
                _ => (AggregateFunction::Sum, DataType::Int64),
            };
            let call = AggregateCall::new(function, [1], data_type.clone());
            return WindowCall { function: WindowFunction::Aggregate { call, frame }, data_type };
        }
    };
    WindowCall { function, data_type: DataType::Int64 }
}

fn frame(subject: Subject) -> Option<Frame> {
    let (units, distance) = match subject {
        Subject::MovingSum | Subject::MovingMax => (FrameUnits::Rows, 9),
        Subject::WideSum => (FrameUnits::Rows, 499),
        Subject::RangeSum => (FrameUnits::Range, 100),
        Subject::WideVariance | Subject::WideMedian => (FrameUnits::Rows, 99),
        Subject::RunningMax => return Some(Frame { end: Some(FrameOffset::CURRENT), ..Frame::PARTITION }),
        Subject::FirstRows | Subject::FirstGroups | Subject::Lag => return None,
    };
    let start = Some(FrameOffset::Exact(-distance));
    Some(Frame { units, start, end: Some(FrameOffset::CURRENT), exclude: Exclusion::NoOthers })
}

fn batch(schema: &SchemaRef, rows: &[Row], weights: Option<Vec<i64>>) -> ZBatch {
    let (at, v): (Vec<i64>, Vec<i64>) = rows.iter().copied().unzip();
    let columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(at)), Arc::new(Int64Array::from(v))];
    ZBatch::new(schema.clone(), columns, weights.map(Into::into), rows.len())
}

/// What is in one of two ordered lists and not in the other.
fn difference(before: &[(Row, i64)], now: &[(Row, i64)]) -> Vec<((Row, i64), i64)> {
    let (mut changes, mut gone, mut come) = (Vec::new(), before.iter().peekable(), now.iter().peekable());
    loop {
        match (gone.peek(), come.peek()) {
            (Some(old), Some(new)) if old == new => _ = (gone.next(), come.next()),
            (Some(old), new) if new.is_none_or(|new| *old < new) => changes.extend(gone.next().map(|&old| (old, -1))),
            (_, Some(_)) => changes.extend(come.next().map(|&new| (new, 1))),
            _ => return changes,
        }
    }
}

/// All rows in order with their results, from nothing.
fn recompute(subject: Subject, rows: &[Row]) -> Vec<(Row, i64)> {
    let mut sorted = rows.to_vec();
    sorted.sort_unstable();
    let results = results(subject, &sorted);
    sorted.into_iter().zip(results).collect()
}

fn results(subject: Subject, sorted: &[Row]) -> Vec<i64> {
    let width = |width: usize| {
        let mut sum = 0;
        let sums = sorted.iter().enumerate().map(|(place, row)| {
            sum += row.1;
            sum -= if place >= width { sorted[place - width].1 } else { 0 };
            sum
        });
        sums.collect()
    };
    match subject {
        Subject::FirstRows | Subject::FirstGroups => sorted.iter().take(10).map(|row| row.1).collect(),
        Subject::MovingSum => width(10),
        Subject::WideSum => width(500),
        Subject::RunningMax => {
            let best = sorted.iter().scan(i64::MIN, |best, row| {
                *best = row.1.max(*best);
                Some(*best)
            });
            best.collect()
        }
        // Integers, that only the passes over the rows are compared.
        Subject::WideVariance => {
            let (mut sum, mut squares) = (0, 0);
            let sums = sorted.iter().enumerate().map(|(place, row)| {
                let gone = if place >= 100 { sorted[place - 100].1 } else { 0 };
                sum += row.1 - gone;
                squares += row.1 * row.1 - gone * gone;
                squares - sum * sum / 100
            });
            sums.collect()
        }
        Subject::WideMedian => {
            let median = |place: usize| {
                let mut values: Vec<i64> = sorted[place.saturating_sub(99)..=place].iter().map(|row| row.1).collect();
                let middle = values.len() / 2;
                *values.select_nth_unstable(middle).1
            };
            (0..sorted.len()).map(median).collect()
        }
        Subject::MovingMax => {
            let nine = |place: usize| &sorted[place.saturating_sub(9)..=place];
            (0..sorted.len()).map(|place| nine(place).iter().map(|row| row.1).max().unwrap_or_default()).collect()
        }
        Subject::RangeSum => {
            let (mut first, mut behind, mut sum) = (0, 0, 0);
            let sums = sorted.iter().map(|row| {
                while behind < sorted.len() && sorted[behind].0 <= row.0 {
                    sum += sorted[behind].1;
                    behind += 1;
                }
                while sorted[first].0 < row.0 - 100 {
                    sum -= sorted[first].1;
                    first += 1;
                }
                sum
            });
            sums.collect()
        }
        Subject::Lag => [0].into_iter().chain(sorted.iter().map(|row| row.1)).take(sorted.len()).collect(),
    }
}
