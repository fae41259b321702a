//! Where a running extreme ceases to change.
//!
//! A frame that begins with the partition holds every row before the current one. Take a value that an epoch brings or takes away: once a frame
//! holds a row that stays and is as good, that value is of no matter to its extreme, before the epoch and after it. The first such row is found by one
//! descent, and one more for each row on the way that goes. So a new row early in a partition alters the rows up to the next one that is as good, and none
//! behind. The same holds from the end of the partition, for frames that end with it.

use std::ops::Bound;

use super::distance::Side;
use super::state::{Change, Entry, View};
use crate::tally::{End, Results};

/// From where on frames do not feel a change.
pub(super) enum Settled<'a, E> {
    /// From the start: it brings or takes away no value.
    Always,
    /// Once they hold this row.
    With(&'a Entry<E>),
    /// Nowhere.
    Never,
}

/// Where frames that begin with the partition (`Side::Start`), or end with it, hold what makes up for one of the `changes`, in an extreme of the values of a
/// stream.
pub(super) fn settled<'a, T: Results>(
    view: &View<'a, T>,
    changes: &[Change<T>],
    change: usize,
    stream: usize,
    end: End,
    side: Side,
) -> Settled<'a, T::Event> {
    let mut value = T::default();
    value.add(&changes[change].entry.event, 1);
    if stays(&changes[change]) || value.count(stream) == 0 {
        return Settled::Always;
    }
    let (rows, start) = (view.rows, Entry::place(view.start.clone()));
    let behind = view.start.partition_end().map(Entry::place);
    let mut passed: Option<&Entry<T::Event>> = None;
    loop {
        let found = match side {
            Side::Start => {
                let from = passed.map_or(Bound::Included(&start), Bound::Excluded);
                let worse = rows.last_while(from, |sum| !sum.0.reaches(&value, stream, end));
                rows.first_from(worse.map_or(from, |(row, _)| Bound::Excluded(row)))
            }
            Side::End => {
                let last = behind.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
                let to = passed.map_or(last, Bound::Excluded);
                let worse = rows.first_while(to, |sum| !sum.0.reaches(&value, stream, end));
                rows.last_to(worse.map_or(to, |(row, _)| Bound::Excluded(row)))
            }
        };
        let Some((row, _)) = found.filter(|(row, _)| view.start.same_partition(&row.key)) else { return Settled::Never };
        match changes.binary_search_by(|change| change.entry.key.cmp(&row.key)) {
            Ok(place) if !stays(&changes[place]) => passed = Some(row),
            _ => return Settled::With(row),
        }
    }
}

/// Whether copies of the row are there before and after.
fn stays<T: Results>(change: &Change<T>) -> bool {
    change.copies > 0 && change.copies + change.delta > 0
}
