//! The price of an exact float sum, per addition and per read, beside the plain inexact one.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use deltic_zset::ExactSum;

const VALUES: usize = 10_000;

/// Values between 0 and 1 from a small generator, times a power of two.
fn values(spread: i32) -> Vec<f64> {
    let mut state = 42u64;
    (0..VALUES)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let exponent = if spread == 0 { 0 } else { (state as i32 >> 8) % spread };
            (state >> 11) as f64 / (1u64 << 53) as f64 * 2f64.powi(exponent)
        })
        .collect()
}

fn sums(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("exact_sum");
    group.throughput(Throughput::Elements(VALUES as u64));
    for (name, spread) in [("prices", 0), ("2^-100..2^100", 100), ("2^-900..2^900", 900)] {
        let values = values(spread);
        group.bench_function(format!("add/{name}"), |bencher| {
            bencher.iter(|| {
                let mut sum = ExactSum::new();
                for &value in black_box(&values) {
                    sum.add(value, 1);
                }
                sum
            });
        });
    }
    let values = values(0);
    group.bench_function("add/weighted", |bencher| {
        bencher.iter(|| {
            let mut sum = ExactSum::new();
            for (weight, &value) in black_box(&values).iter().enumerate() {
                sum.add(value, 500 - weight as i64);
            }
            sum
        });
    });
    group.bench_function("add/1024 groups", |bencher| {
        let mut sums = vec![ExactSum::new(); 1024];
        bencher.iter(|| {
            for (row, &value) in black_box(&values).iter().enumerate() {
                sums[(row * 421) % 1024].add(value, 1);
            }
        });
    });
    group.bench_function("plain f64", |bencher| bencher.iter(|| black_box(&values).iter().sum::<f64>()));
    group.throughput(Throughput::Elements(1));
    let mut sum = ExactSum::new();
    values.iter().for_each(|&value| sum.add(value, 1));
    group.bench_function("value", |bencher| bencher.iter(|| black_box(&sum).value()));
    group.bench_function("quotient", |bencher| bencher.iter(|| black_box(&sum).quotient(VALUES as i64)));
    group.finish();
}

criterion_group!(benches, sums);
criterion_main!(benches);
