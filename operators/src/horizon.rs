//! [`Horizon`]: the event time before which an operator needs its state no more.

use deltic_circuit::{EpochInfo, Retention, TimeSource};

/// Follows the bound of [`Retention::While`] as epochs pass. It never goes back: a source that was idle may do so.
#[derive(Clone, Debug)]
pub struct Horizon {
    column: usize,
    slack: i64,
    sources: Vec<TimeSource>,
    least: Option<i64>,
}

impl Horizon {
    /// The horizon of an input; `None` if its state does not end.
    pub fn of(retention: &Retention) -> Option<Self> {
        match retention {
            Retention::While { column, slack, sources } => {
                Some(Horizon { column: *column, slack: *slack, sources: sources.clone(), least: None })
            }
            _ => None,
        }
    }

    /// The column of the input that decides.
    pub fn column(&self) -> usize {
        self.column
    }

    /// Takes the watermarks of an epoch. Says whether the horizon has moved.
    pub fn observe(&mut self, info: &EpochInfo) -> bool {
        let least = info.bound(&self.sources).map(|bound| bound.saturating_sub(self.slack));
        let moved = least > self.least;
        self.least = self.least.max(least);
        moved
    }

    /// State of event times before this one can go *after* the observed epoch is applied; `None` so far if there is none.
    pub fn least(&self) -> Option<i64> {
        self.least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_horizon_never_goes_back() {
        let source = TimeSource { relation: "s".into(), lateness: Some(5) };
        let retention = Retention::While { column: 1, slack: 10, sources: vec![source] };
        let mut horizon = Horizon::of(&retention).expect("it ends");
        let at = |watermark| EpochInfo { watermarks: [("s".into(), watermark)].into(), ..EpochInfo::default() };
        assert!(!horizon.observe(&EpochInfo::default()));
        assert_eq!(horizon.least(), None);
        assert!(horizon.observe(&at(100)));
        assert!(!horizon.observe(&at(90)));
        assert_eq!(horizon.least(), Some(85));
    }
}
