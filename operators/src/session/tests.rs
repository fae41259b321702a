//! The law against the interpreter: random histories with deletes, weights, NULLs, hot keys and gaps that often touch, with and without watermarks; and
//! the cases of the contract by name, as rows in and deltas out. What these tests cannot see: the cost, which the benches do.

#![allow(clippy::unwrap_used)]

mod examples;
mod laws;

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion_common::ScalarValue;
use deltic_circuit::aggregate::aggregate_type;
use deltic_circuit::{AggregateCall, AggregateFunction, Circuit, CircuitBuilder, EpochInfo, EventTime, Properties, TimeSource};
use deltic_zset::ZBatch;

use super::*;
use crate::testing::{Law, Row, schema};
use crate::{Output, StateSize, WindowMetrics};

/// The input: key, time, then arguments.
const TYPES: [DataType; 12] = [
    DataType::Int64,
    DataType::Int64,
    DataType::Int64,
    DataType::Float64,
    DataType::Utf8,
    DataType::Decimal128(38, 2),
    DataType::Boolean,
    DataType::Decimal128(10, 3),
    DataType::UInt64,
    DataType::Timestamp(TimeUnit::Microsecond, None),
    DataType::Interval(IntervalUnit::MonthDayNano),
    DataType::Float32,
];
const KEY: usize = 0;
const TIME: usize = 1;
const NUMBER: usize = 2;
const FILTER: usize = 6;

/// How far behind the watermark rows of the input are accepted, where it has one.
const LATENESS: i64 = 6;

/// A session operator of whatever shape.
struct Any(Box<dyn EpochOperator>);

impl EpochOperator for Any {
    fn push(&mut self, port: usize, batch: ZBatch) {
        self.0.push(port, batch);
    }

    fn observe(&mut self, info: &EpochInfo) {
        self.0.observe(info);
    }

    fn close(&mut self, epoch: u64) -> Output {
        self.0.close(epoch)
    }

    fn contents(&self) -> Option<ZBatch> {
        self.0.contents()
    }

    fn state_size(&self) -> StateSize {
        self.0.state_size()
    }

    fn metrics(&self) -> WindowMetrics {
        self.0.metrics()
    }
}

/// A session view.
#[derive(Clone, Debug)]
struct View {
    partition: Vec<usize>,
    gap: i64,
    most_sessions: Option<u64>,
    /// `None` shows the rows.
    calls: Option<Vec<AggregateCall>>,
    append_only: bool,
    has_watermark: bool,
}

impl View {
    fn of(calls: Option<Vec<AggregateCall>>) -> Self {
        View { partition: vec![KEY], gap: 5, most_sessions: None, calls, append_only: false, has_watermark: false }
    }

    fn circuit(&self) -> Circuit {
        let mut properties = Properties { append_only: self.append_only, ..Properties::default() };
        if self.has_watermark {
            properties.time_sources = vec![TimeSource { relation: "s0".into(), lateness: Some(LATENESS) }];
            properties.event_times = vec![EventTime { column: TIME, slack: 0 }];
        }
        let mut builder = CircuitBuilder::new();
        let source = builder.source("s0", schema(&TYPES), properties);
        let partition = self.partition.clone();
        let node = match &self.calls {
            None => builder.session_rows(source, partition, TIME, self.gap, self.most_sessions),
            Some(calls) => {
                let calls = calls.iter().enumerate().map(|(number, call)| (format!("a{number}"), call.clone())).collect();
                builder.session_aggregates(source, partition, TIME, self.gap, self.most_sessions, calls)
            }
        };
        let node = node.unwrap();
        builder.finish(node, None).unwrap()
    }

    fn law(&self) -> Law<Any> {
        let circuit = self.circuit();
        let operator = Any(session(&circuit, circuit.output).unwrap());
        Law::new(operator, circuit, true)
    }
}

fn call(function: AggregateFunction, argument: Option<usize>) -> AggregateCall {
    let arguments: Vec<DataType> = argument.into_iter().map(|column| TYPES[column].clone()).collect();
    let data_type = aggregate_type(&function, &arguments).unwrap();
    AggregateCall::new(function, argument, data_type)
}

/// Watermarks of an epoch.
fn at(watermark: i64) -> EpochInfo {
    EpochInfo { watermarks: [("s0".into(), watermark)].into(), ..EpochInfo::default() }
}

/// A row with this number in all numeric columns and as text.
fn row(key: Option<i64>, time: Option<i64>, number: Option<i64>, weight: i64) -> Row {
    let values = vec![
        ScalarValue::Int64(key),
        ScalarValue::Int64(time),
        ScalarValue::Int64(number),
        ScalarValue::Float64(number.map(|number| number as f64)),
        ScalarValue::Utf8(number.map(|number| format!("text {number}"))),
        ScalarValue::Decimal128(number.map(i128::from), 38, 2),
        ScalarValue::Boolean(number.map(|number| number > 0)),
        ScalarValue::Decimal128(number.map(i128::from), 10, 3),
        ScalarValue::UInt64(number.map(i64::unsigned_abs)),
        ScalarValue::TimestampMicrosecond(number, None),
        ScalarValue::IntervalMonthDayNano(None),
        ScalarValue::Float32(number.map(|number| number as f32)),
    ];
    (values, weight)
}
