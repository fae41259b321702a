//! Variances, covariances, correlations and regressions from exact sums.
//!
//! As in PostgreSQL: a sample of one has no variance, and what would divide by a deviation of zero is NULL. A variance, a covariance, a sum of squares
//! and a mean are the exact value rounded once; a standard deviation is the root of the rounded variance; slope, intercept, correlation
//! and r2 are computed from two or three numbers that are rounded once each. An infinity or a NaN among the arguments makes the result NaN.

use arrow::datatypes::DataType;
use datafusion_common::ScalarValue;
use deltic_zset::{Addend, ExactMoments, Quotient, Sums, Unit};

use super::{AggregateValue, Moment};

/// The unit of the values of an argument of this type.
pub fn unit(data_type: &DataType) -> Unit {
    match data_type {
        DataType::Decimal128(_, scale) => Unit::Decimal(*scale),
        DataType::Float32 | DataType::Float64 => Unit::Float,
        _ => Unit::Decimal(0),
    }
}

/// A number in its [`unit()`]; `None` if it is none.
pub fn addend(value: &ScalarValue) -> Option<Addend> {
    Some(match value {
        ScalarValue::Float64(value) => Addend::Float((*value)?),
        ScalarValue::Float32(value) => Addend::Float(f64::from((*value)?)),
        ScalarValue::Decimal128(digits, ..) => Addend::Integer((*digits)?),
        ScalarValue::UInt64(value) => Addend::Integer(i128::from((*value)?)),
        other => match other.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(Some(value))) => Addend::Integer(i128::from(value)),
            _ => return None,
        },
    })
}

/// The result of `moment` on the sums of `count` rows, whose variables are in these units. `count` is not negative.
pub fn moment_result(moment: Moment, sums: &ExactMoments, count: i128, x: Unit, y: Unit) -> AggregateValue {
    use Moment::*;
    let Ok(count) = u64::try_from(count) else { return AggregateValue::Float(f64::NAN) };
    let sample = matches!(moment, VarSamp | StddevSamp | CovarSamp);
    if count == 0 || sample && count == 1 {
        return AggregateValue::Null;
    }
    if !sums.is_finite() {
        return AggregateValue::Float(f64::NAN);
    }
    let deviation = |which| sums.deviation(which, count, x, y);
    // The mean of the products of the deviations, and for a sample the unbiased one.
    let mean = |which| deviation(which).divided_by_both([count, if sample { count - 1 } else { count }]).value();
    let total = |which| deviation(which).divided_by(count).value();
    let is_zero = |which| deviation(which).is_zero();
    let quotient = |which| -> Quotient { deviation(which).divided_by(count) };
    let value = match moment {
        VarPop | VarSamp => mean(Sums::XX),
        StddevPop | StddevSamp => mean(Sums::XX).sqrt(),
        CovarPop | CovarSamp => mean(Sums::XY),
        RegrAvgX => sums.sum_x(x).divided_by(count).value(),
        RegrAvgY => sums.sum_y(y).divided_by(count).value(),
        RegrSxx => total(Sums::XX),
        RegrSxy => total(Sums::XY),
        RegrSyy => total(Sums::YY),
        RegrSlope | RegrIntercept | RegrR2 | Corr if is_zero(Sums::XX) => return AggregateValue::Null,
        Corr if is_zero(Sums::YY) => return AggregateValue::Null,
        RegrR2 if is_zero(Sums::YY) => 1.0,
        RegrSlope => quotient(Sums::XY).over(quotient(Sums::XX)),
        RegrIntercept => {
            // (sum(y) * Sxx - sum(x) * Sxy) / (n * Sxx), where nothing is rounded before the division.
            let dividend = sums.sum_y(y).times(&deviation(Sums::XX)).minus(&sums.sum_x(x).times(&deviation(Sums::XY)));
            dividend.divided_by(count).over(deviation(Sums::XX).divided_by(1))
        }
        // Rounding must not carry a perfect correlation beyond 1.
        Corr => quotient(Sums::XY).over_root(quotient(Sums::XX), quotient(Sums::YY)).clamp(-1.0, 1.0),
        RegrR2 => quotient(Sums::XY).square_over(quotient(Sums::XX), quotient(Sums::YY)).clamp(0.0, 1.0),
    };
    AggregateValue::Float(value)
}
