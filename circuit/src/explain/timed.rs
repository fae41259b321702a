//! The operators of time, as text.

use std::fmt::Write;

use super::{joined, key_text, kind_text, positions};
use crate::{
    AsOfComparison, Closing, EmitPolicy, IntervalJoinKind, JoinKey, Operator, SessionOutput, TemporalOutput, Ticks, Window,
    aggregate_text,
};

/// The operator with its parameters; sizes in units of event time (microseconds for timestamps).
pub(super) fn operator_text(operator: &Operator) -> String {
    match operator {
        Operator::TimeWindow { time, window } => format!("TimeWindow of #{time} {}", window_text(*window)),
        Operator::Session { partition, time, gap, max_sessions, output } => {
            let mut text = format!("Session of #{time} gap {gap}");
            if !partition.is_empty() {
                let _ = write!(text, " per ({})", positions(partition));
            }
            if let Some(most) = max_sessions {
                let _ = write!(text, " at most {most} per key");
            }
            if let SessionOutput::Aggregates(calls) = output {
                let _ = write!(text, " {}", calls.iter().map(aggregate_text).collect::<Vec<_>>().join(", "));
            }
            text.trim_end().to_owned()
        }
        Operator::Emit { policy } => format!("Emit {}", policy_text(*policy)),
        Operator::TemporalFilter { from, until, output } => {
            let from = from.map(|column| format!("#{column} <= now()"));
            let until = until.map(|column| format!("now() < #{column}"));
            let condition = from.into_iter().chain(until).collect::<Vec<_>>().join(" AND ");
            match output {
                TemporalOutput::Keep => format!("TemporalFilter where {condition}"),
                TemporalOutput::Flag => format!("TemporalFilter flags {condition}"),
            }
        }
        Operator::IntervalJoin { kind, keys, left_time, right_time, lower, upper, residual } => {
            let kind = match kind {
                IntervalJoinKind::Inner => "inner",
                IntervalJoinKind::Left => "left",
                IntervalJoinKind::Right => "right",
                IntervalJoinKind::Full => "full",
                IntervalJoinKind::Semi => "semi",
                IntervalJoinKind::Anti => "anti",
            };
            let residual = residual
                .as_ref()
                .map_or_else(String::new, |residual| format!(" where {}", joined(std::slice::from_ref(residual), "")));
            let times = format!("right #{right_time} - left #{left_time} in {lower}..={upper}");
            format!("IntervalJoin {kind} on {}{times}{residual}", keys_text(keys))
        }
        Operator::AsOfJoin { kind, keys, left_time, right_time, comparison } => {
            let comparison = match comparison {
                AsOfComparison::GreaterOrEqual => ">=",
                AsOfComparison::Greater => ">",
                AsOfComparison::LessOrEqual => "<=",
                AsOfComparison::Less => "<",
            };
            let times = format!("nearest left #{left_time} {comparison} right #{right_time}");
            format!("AsOfJoin {} on {}{times}", kind_text(*kind), keys_text(keys))
        }
        Operator::TemporalLookup { kind, keys, residual } => {
            let keys = keys.iter().map(key_text).collect::<Vec<_>>().join(" AND ");
            let on = if keys.is_empty() { String::new() } else { format!(" on {keys}") };
            let residual = residual.as_ref().map_or_else(String::new, |residual| format!(" where {residual}"));
            format!("TemporalLookup {}{on}{residual}", kind_text(*kind))
        }
        other => format!("{other:?}"),
    }
}

fn keys_text(keys: &[JoinKey]) -> String {
    keys.iter().map(|key| key_text(key) + " AND ").collect()
}

fn window_text(window: Window) -> String {
    let at = |offset: i64| if offset == 0 { String::new() } else { format!(" offset {offset}") };
    match window {
        Window::Tumble { size, offset } => format!("tumble {size}{}", at(offset)),
        Window::Hop { slide, size, offset } => format!("hop {slide} size {size}{}", at(offset)),
        Window::Cumulate { step, size, offset } => format!("cumulate {step} size {size}{}", at(offset)),
    }
}

fn policy_text(policy: EmitPolicy) -> String {
    let closing = |closing: Closing| {
        let comparison = if closing.strict { ">" } else { ">=" };
        let offset = if closing.offset == 0 { String::new() } else { format!(" + {}", closing.offset) };
        format!("{comparison} #{}{offset}", closing.column)
    };
    match policy {
        EmitPolicy::OnWindowClose(at) => format!("on window close: watermark {}", closing(at)),
        EmitPolicy::Final(at) => format!("final: watermark - allowed lateness {}", closing(at)),
        EmitPolicy::Every { interval, ticks: Ticks::Clock } => format!("every {interval} of the clock"),
        EmitPolicy::Every { interval, ticks: Ticks::Watermark } => format!("every {interval} of the watermark"),
    }
}
