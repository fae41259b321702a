//! The guard: a key with more sessions than allowed has none, and an error row.
//!
//! It looks at the whole relation, so sessions that ended long ago count: with a guard nothing leaves the state as watermarks pass.

use std::ops::Range;

use deltic_circuit::errors::code;
use deltic_circuit::{ErrorRows, EvalError, render_values};

use super::clusters::{Cluster, Epoch};
use super::state::State;
use crate::tally::Tally;

impl<T: Tally> State<T> {
    /// Adds the errors of the keys that got, or no longer have, too many sessions.
    pub(super) fn report_crowded(&self, epoch: &Epoch<T>, errors: &mut ErrorRows) {
        let most = self.most_sessions.unwrap_or_default();
        for &(key, weight) in &epoch.crowded {
            let error = EvalError::new(code::SESSIONS, format!("more than {most} sessions of one key"));
            errors.push(&error, "session", render_values(&self.keys.keys(&[key]), 0), weight);
        }
    }

    /// Decides whether the sessions of a key are shown before and after the epoch, given their numbers. Where that changes, all of them
    /// change: those in no cluster get one each.
    pub(super) fn guard(&mut self, epoch: &mut Epoch<T>, clusters: Range<usize>, before: usize, after: usize) {
        let Some(most) = self.most_sessions else { return };
        let shown = [before as u64 <= most, after as u64 <= most];
        let changed = &mut epoch.clusters[clusters.clone()];
        changed.iter_mut().for_each(|cluster| cluster.shown = shown);
        if shown[0] == shown[1] {
            return;
        }
        let key = changed[0].key;
        epoch.crowded.push((key, if shown[1] { -1 } else { 1 }));
        if changed[0].is_whole {
            return;
        }
        let news: Vec<i64> =
            changed.iter().flat_map(|cluster| &epoch.news[cluster.news.clone()]).map(|session| session.place.time()).collect();
        for session in self.sessions.of_key(key).filter(|session| news.binary_search(&session.place.time()).is_err()) {
            let (old, new, delta) = (epoch.olds.len(), epoch.news.len(), epoch.deltas.len());
            epoch.olds.push(session.clone());
            epoch.news.push(session);
            epoch.clusters.push(Cluster {
                key,
                deltas: delta..delta,
                olds: old..old + 1,
                news: new..new + 1,
                is_whole: false,
                shown,
            });
        }
    }
}
