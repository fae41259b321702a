//! What a change of one big group costs, by aggregate and by the number of changes in an epoch.
//!
//! One operator on one thread, one group. Half of the changes are deletes of rows that are there, chosen at random, so the ends and the middle of
//! the group move all the time. The functions that read the whole group are measured on a small one, because that is what they are for.

use std::error::Error;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use clap::Parser;
use datafusion_common::ScalarValue;
use deltic_benches::process::spent;
use deltic_benches::sessions::Random;
use deltic_circuit::aggregate::aggregate_type;
use deltic_circuit::{AggregateCall, AggregateFunction, Circuit, CircuitBuilder, CircuitError, Moment, Properties};
use deltic_operators::{Aggregate, EpochOperator};
use deltic_zset::ZBatch;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Epochs that are measured together.
const BLOCK: usize = 64;

/// Measures aggregates of one big group
#[derive(Parser, Debug)]
struct Args {
    /// Rows of the group
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Rows of the group that is read as a whole
    #[arg(long, default_value_t = 1_000)]
    whole_rows: usize,
    /// Changes in an epoch
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100, 10_000])]
    epoch_rows: Vec<usize>,
    /// Changes measured
    #[arg(long, default_value_t = 200_000)]
    changes: usize,
    /// Only aggregates whose text begins so
    #[arg(long)]
    only: Option<String>,
}

/// A BIGINT, a DOUBLE and a text, all of one number.
fn schema() -> SchemaRef {
    let field = |name, data_type| Field::new(name, data_type, false);
    let fields = vec![field("v", DataType::Int64), field("d", DataType::Float64), field("s", DataType::Utf8)];
    Arc::new(Schema::new(fields))
}

fn batch(changes: &[(i64, i64)]) -> ZBatch {
    let values = || changes.iter().map(|(value, _)| *value);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(values().collect::<Int64Array>()),
        Arc::new(values().map(|value| value as f64 / 8.0).collect::<Float64Array>()),
        Arc::new(StringArray::from_iter_values(values().map(|value| value.to_string()))),
    ];
    let weights: Vec<i64> = changes.iter().map(|(_, weight)| *weight).collect();
    ZBatch::new(schema(), columns, Some(weights.into()), changes.len())
}

/// The calls, with the size of their group.
fn calls(args: &Args) -> Vec<(AggregateCall, usize)> {
    use AggregateFunction::{
        ArgMax, ArrayAgg, Avg, BitOr, Count, LastValue, Max, Median, Min, Mode, PercentileDisc, StringAgg, Sum,
    };
    let types: Vec<DataType> = schema().fields().iter().map(|field| field.data_type().clone()).collect();
    let call = |function: AggregateFunction, arguments: &[usize]| {
        let types: Vec<DataType> = arguments.iter().map(|&column| types[column].clone()).collect();
        let data_type = aggregate_type(&function, &types).unwrap_or(DataType::Int64);
        AggregateCall::new(function, arguments.to_vec(), data_type)
    };
    let with = |call: AggregateCall, parameter| AggregateCall { parameters: vec![parameter], ..call };
    let big = [
        call(Count, &[]),
        call(Sum, &[0]),
        call(Avg, &[1]),
        call(Min, &[0]),
        call(Max, &[0]),
        call(Max, &[2]),
        call(AggregateFunction::Moment(Moment::VarPop), &[1]),
        call(AggregateFunction::Moment(Moment::Corr), &[0, 1]),
        call(BitOr, &[0]),
        AggregateCall { distinct: true, ..call(Count, &[0, 2]) },
        call(Median, &[0]),
        call(Median, &[1]),
        with(call(PercentileDisc, &[2]), ScalarValue::Float64(Some(0.9))),
        call(Mode, &[0]),
        call(LastValue, &[2]),
        call(ArgMax, &[2, 1]),
    ];
    let whole = [call(ArrayAgg, &[0]), with(call(StringAgg, &[2]), ScalarValue::Utf8(Some(", ".to_owned())))];
    let big = big.into_iter().map(|call| (call, args.rows));
    big.chain(whole.into_iter().map(|call| (call, args.whole_rows))).collect()
}

fn circuit(call: &AggregateCall) -> Result<Circuit, CircuitError> {
    let mut builder = CircuitBuilder::new();
    let source = builder.source("t", schema(), Properties::default());
    let output = builder.aggregate(source, vec![], vec![("a".to_owned(), call.clone())])?;
    builder.finish(output, None)
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    println!("{:<34} {:>10} {:>12}  ns of CPU per change, half of them deletes", "aggregate", "rows", "bytes/row");
    println!("{:<34} {:>10} {:>12} {}", "", "", "", args.epoch_rows.iter().map(|rows| format!("{rows:>10}")).collect::<String>());
    let wanted =
        |call: &AggregateCall| args.only.as_ref().is_none_or(|only| deltic_circuit::aggregate_text(call).starts_with(only));
    for (call, rows) in calls(&args).into_iter().filter(|(call, _)| wanted(call)) {
        let circuit = circuit(&call)?;
        let input = &circuit.nodes[0];
        let mut operator = Aggregate::try_new(&[], std::slice::from_ref(&call), input, circuit.schema().clone(), true)?;
        let mut random = Random(7);
        let mut there: Vec<i64> = (0..rows).map(|_| random.below(2 * rows) as i64).collect();
        operator.push(0, batch(&there.iter().map(|&value| (value, 1)).collect::<Vec<_>>()));
        operator.close(0);
        let bytes = operator.state_size().bytes as f64 / rows as f64;
        let mut figures = String::new();
        for &epoch_rows in &args.epoch_rows {
            let changes = args.changes.min(20_000 * epoch_rows).max(epoch_rows);
            let (mut nanos, mut measured) = (0, 0);
            // A few epochs at a time, so that their rows come from the caches, as they do behind another operator.
            while measured < changes / epoch_rows {
                let mut epochs = Vec::with_capacity(BLOCK);
                while epochs.len() < BLOCK && measured < changes / epoch_rows {
                    let change = |index: usize| {
                        if index.is_multiple_of(2) {
                            let place = random.below(there.len());
                            (there.swap_remove(place), -1)
                        } else {
                            there.push(random.below(2 * rows) as i64);
                            (there[there.len() - 1], 1)
                        }
                    };
                    // Single changes take turns.
                    let first = if epoch_rows == 1 { measured } else { 0 };
                    epochs.push(batch(&(first..first + epoch_rows).map(change).collect::<Vec<_>>()));
                    measured += 1;
                }
                let spent = spent(|| {
                    for epoch in epochs {
                        operator.push(0, epoch);
                        operator.close(1);
                    }
                });
                nanos += spent.cpu.as_nanos();
            }
            figures += &format!("{:>10.0}", nanos as f64 / (measured * epoch_rows) as f64);
        }
        println!("{:<34} {rows:>10} {bytes:>12.1} {figures}", deltic_circuit::aggregate_text(&call));
    }
    Ok(())
}
