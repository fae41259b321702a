//! Windows of fixed size: which of them hold a time.

/// What is said of a row that has no window because a bound is out of the range of event times.
pub const OUT_OF_RANGE: &str = "the window of this time is out of range";

/// A kind of windows, all half-open, aligned to event time 0 (1970-01-01 UTC) plus an offset. Sizes are positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Window {
    /// One after the other.
    Tumble {
        /// Length.
        size: i64,
        /// Where one of them starts.
        offset: i64,
    },
    /// A new one every `slide`: they overlap if `slide < size`, and leave times out if `slide > size`.
    Hop {
        /// From start to start.
        slide: i64,
        /// Length.
        size: i64,
        /// Where one of them starts.
        offset: i64,
    },
    /// Tumbling windows of `size` that are there in parts as well: from the start to each multiple of `step`, which divides `size`.
    Cumulate {
        /// By how much each is longer than the one before.
        step: i64,
        /// Length of the longest.
        size: i64,
        /// Where one of them starts.
        offset: i64,
    },
}

/// Start and end of a window: `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowBounds {
    /// The first time in it.
    pub start: i64,
    /// The first time after it.
    pub end: i64,
}

impl Window {
    /// The length of the longest window.
    pub fn size(&self) -> i64 {
        match *self {
            Window::Tumble { size, .. } | Window::Hop { size, .. } | Window::Cumulate { size, .. } => size,
        }
    }

    /// How many windows hold one time, at most.
    pub fn most_windows(&self) -> usize {
        match *self {
            Window::Tumble { .. } => 1,
            Window::Hop { slide, size, .. } => usize::try_from((size - 1) / slide + 1).unwrap_or(usize::MAX),
            Window::Cumulate { step, size, .. } => usize::try_from(size / step).unwrap_or(usize::MAX),
        }
    }

    /// Calls `window` with every window that holds `time`, ascending by start, then end. `None`, and no call that counts, if a bound is out
    /// of the range of 64 bits.
    pub fn of(&self, time: i64, mut window: impl FnMut(WindowBounds)) -> Option<()> {
        match *self {
            Window::Tumble { size, offset } => {
                let start = floor(time, size, offset)?;
                window(WindowBounds { start, end: start.checked_add(size)? });
            }
            Window::Hop { slide, size, offset } => {
                let last = floor(time, slide, offset)?;
                let last_end = last.checked_add(size)?;
                let more = (last_end.saturating_sub(1).saturating_sub(time)).div_euclid(slide);
                for back in (0..=more.max(-1)).rev() {
                    let start = last.checked_sub(back.checked_mul(slide)?)?;
                    window(WindowBounds { start, end: start.checked_add(size)? });
                }
            }
            Window::Cumulate { step, size, offset } => {
                let start = floor(time, size, offset)?;
                let last = start.checked_add(size)?;
                let mut end = floor(time, step, start)?.checked_add(step)?;
                while end <= last {
                    window(WindowBounds { start, end });
                    let Some(next) = end.checked_add(step) else { break };
                    end = next;
                }
            }
        }
        Some(())
    }
}

/// The greatest `offset + k * step` that is not after `time`.
fn floor(time: i64, step: i64, offset: i64) -> Option<i64> {
    if let Some(distance) = time.checked_sub(offset) {
        return time.checked_sub(distance.rem_euclid(step));
    }
    let (time, step, offset) = (i128::from(time), i128::from(step), i128::from(offset));
    i64::try_from(time - (time - offset).rem_euclid(step)).ok()
}

#[cfg(test)]
mod tests {
    use super::Window;

    fn windows(window: Window, time: i64) -> Option<Vec<(i64, i64)>> {
        let mut found = Vec::new();
        window.of(time, |bounds| found.push((bounds.start, bounds.end)))?;
        Some(found)
    }

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let window = Window::Tumble { size: 10, offset: 0 };
        assert_eq!(windows(window, 9), Some(vec![(0, 10)]));
        assert_eq!(windows(window, 10), Some(vec![(10, 20)]));
        assert_eq!(windows(window, -1), Some(vec![(-10, 0)]));
        assert_eq!(windows(Window::Tumble { size: 10, offset: 3 }, 2), Some(vec![(-7, 3)]));
    }

    #[test]
    fn hops_overlap_or_leave_times_out() {
        let overlapping = Window::Hop { slide: 5, size: 12, offset: 0 };
        assert_eq!(windows(overlapping, 11), Some(vec![(0, 12), (5, 17), (10, 22)]));
        assert_eq!(windows(overlapping, 12), Some(vec![(5, 17), (10, 22)]));
        let sparse = Window::Hop { slide: 10, size: 4, offset: 0 };
        assert_eq!(windows(sparse, 3), Some(vec![(0, 4)]));
        assert_eq!(windows(sparse, 4), Some(vec![]));
        assert_eq!(overlapping.most_windows(), 3);
        assert_eq!(sparse.most_windows(), 1);
    }

    #[test]
    fn cumulating_windows_grow_by_steps() {
        let window = Window::Cumulate { step: 5, size: 15, offset: 0 };
        assert_eq!(windows(window, 0), Some(vec![(0, 5), (0, 10), (0, 15)]));
        assert_eq!(windows(window, 12), Some(vec![(0, 15)]));
        assert_eq!(windows(window, -1), Some(vec![(-15, 0)]));
    }

    #[test]
    fn every_window_is_found_by_trying_all() {
        for offset in [-7, 0, 4] {
            for time in -40..40 {
                let hop = Window::Hop { slide: 3, size: 8, offset };
                let expected: Vec<_> =
                    (-60..60).map(|k| offset + 3 * k).filter(|&s| s <= time && time < s + 8).map(|s| (s, s + 8)).collect();
                assert_eq!(windows(hop, time), Some(expected), "{hop:?} at {time}");
            }
        }
    }

    #[test]
    fn bounds_out_of_range_are_none() {
        assert_eq!(windows(Window::Tumble { size: 10, offset: 0 }, i64::MAX), None);
        assert_eq!(windows(Window::Tumble { size: 10, offset: 0 }, i64::MIN), None);
        assert_eq!(windows(Window::Hop { slide: 5, size: 10, offset: 0 }, i64::MAX), None);
    }
}
