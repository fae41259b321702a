//! Columns whose times lie on a grid, such as the start of a tumbling window.
//!
//! A start may be almost a window's length before the row that it is of, so as an event time it promises little: an outer window of the start would seem
//! to change after it has closed. But where all bounds of the outer windows lie on the same grid, the row and its start are in the same ones, and what is
//! promised of the row is promised of these windows.

use super::times::slack;
use crate::{Node, Operator, Properties, TimeGrid, Window};

/// The grids of the output, by column.
pub(super) fn grids(operator: &Operator, inputs: &[&Node], width: usize) -> Vec<TimeGrid> {
    let own = || inputs.first().map(|node| node.properties.grids.clone()).unwrap_or_default();
    let moved = |place: &dyn Fn(usize) -> Option<usize>| -> Vec<TimeGrid> {
        own().into_iter().filter_map(|grid| Some(TimeGrid { column: place(grid.column)?, ..grid })).collect()
    };
    match operator {
        Operator::MapFilter { projections: None, .. } | Operator::Negate | Operator::Index { .. } | Operator::Distinct => own(),
        Operator::MapFilter { projections: Some(projections), .. } => {
            moved(&|column| projections.iter().position(|expr| expr.as_column() == Some(column)))
        }
        Operator::Union | Operator::SetOperation { .. } => own().into_iter().filter_map(|grid| common(grid, inputs)).collect(),
        Operator::Aggregate { group, .. } => moved(&|column| group.iter().position(|&key| key == column)),
        Operator::Unnest { keep, .. } => moved(&|column| keep.iter().position(|&kept| kept == column)),
        Operator::TopK { partition: group, .. }
        | Operator::WindowFrame { partition: group, .. }
        | Operator::MaxOneRow { group } => moved(&|column| group.contains(&column).then_some(column)),
        Operator::TemporalLookup { .. } => own(),
        Operator::TimeWindow { time, window } => {
            let mut grids = own();
            grids.extend(of_start(*window, *time, &inputs[0].properties, width - 2));
            grids
        }
        Operator::Session { .. }
        | Operator::Source { .. }
        | Operator::Constant { .. }
        | Operator::Join { .. }
        | Operator::Emit { .. }
        | Operator::TemporalFilter { .. }
        | Operator::IntervalJoin { .. }
        | Operator::AsOfJoin { .. }
        | Operator::Fixpoint { .. } => Vec::new(),
    }
}

/// The grid of the starts of `window`, which are not after the time that they are of.
fn of_start(window: Window, time: usize, input: &Properties, column: usize) -> Option<TimeGrid> {
    let (step, offset) = match window {
        Window::Tumble { size, offset } | Window::Cumulate { size, offset, .. } => (size, offset),
        // A start of a hopping window says little of the row.
        Window::Hop { .. } => return None,
    };
    Some(TimeGrid { column, step, offset, slack: window_slack(window, time, input)? })
}

/// The same grid in all inputs, with the greatest slack.
fn common(grid: TimeGrid, inputs: &[&Node]) -> Option<TimeGrid> {
    let same = |node: &&Node| {
        let alike = |other: &&TimeGrid| (other.column, other.step, other.offset) == (grid.column, grid.step, grid.offset);
        node.properties.grids.iter().find(alike).map(|grid| grid.slack)
    };
    let slacks = inputs.iter().map(same).collect::<Option<Vec<i64>>>()?;
    Some(TimeGrid { slack: slacks.into_iter().max()?, ..grid })
}

/// The slack that windows of column `time` can count on: that of the column or, if their bounds lie on its grid, that of the times before they
/// were moved to it.
pub(super) fn window_slack(window: Window, time: usize, input: &Properties) -> Option<i64> {
    let plain = slack(input, time)?;
    let holds = |grid: &&TimeGrid| {
        let (distance, offset) = match window {
            Window::Tumble { size, offset } => (vec![size], offset),
            Window::Hop { slide, size, offset } => (vec![slide, size], offset),
            Window::Cumulate { step, offset, .. } => (vec![step], offset),
        };
        let on_grid = |length: i64| length % grid.step == 0;
        grid.column == time && distance.into_iter().all(on_grid) && offset.checked_sub(grid.offset).is_some_and(on_grid)
    };
    Some(input.grids.iter().find(holds).map_or(plain, |grid| grid.slack.min(plain)))
}
