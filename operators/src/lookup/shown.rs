//! [`Shown`]: which right row each left row was shown beside.
//!
//! Copies of one left row that came in different epochs may stand beside different right rows: they are a stack, of which the top lies with the
//! row and the rest, which is rare, apart. Right rows are stored once, however many left rows were shown beside them.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, SchemaRef};
use deltic_circuit::EpochInfo;
use deltic_zset::hash::hash_columns;
use deltic_zset::{EncodedRows, GroupTable, Result, RowLayout, ZBatch};

use crate::expiring::Expiring;
use crate::{Horizon, StateSize};

/// Words of an entry: the number of the right row plus one (0 is none), how many copies were shown beside it, and the place of the entry below it plus one
/// (0 is none).
const BESIDE: usize = 0;
const COPIES: usize = 1;
const BELOW: usize = 2;
const WORDS: usize = 3;

type Entry = [u64; WORDS];

/// Copies of a left row that go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// The row of the batch.
    pub(super) row: u32,
    /// The number of the right row that they were shown beside.
    pub(super) right: Option<u32>,
    pub(super) copies: i64,
}

/// What was shown of the left rows that are there.
pub(super) struct Shown {
    /// Payload: the top entry.
    left: GroupTable,
    /// Payload: how many entries name the row.
    right: GroupTable,
    below: Vec<Entry>,
    /// Places of `below` that are not in use.
    free: Vec<u64>,
    /// Right rows that may have no entry any more, and left rows without copies.
    loose: Vec<u32>,
    gone: Vec<u32>,
    /// The left rows by their time, if they end.
    expiring: Option<Expiring>,
    encoded: EncodedRows,
    hashes: Vec<u64>,
    groups: Vec<u32>,
}

fn table(schema: &SchemaRef, words: usize) -> Result<GroupTable> {
    let types: Vec<DataType> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
    Ok(GroupTable::new(RowLayout::try_new(&types)?, words))
}

impl Shown {
    /// Nothing, of left and right rows with these columns. Left rows that `horizon` has passed are forgotten.
    ///
    /// # Errors
    /// If a column has a type that cannot be stored.
    pub(super) fn try_new(schemas: &[SchemaRef; 2], horizon: Option<Horizon>) -> Result<Self> {
        let expiring = horizon.map(|horizon| {
            let column = horizon.column();
            Expiring::new(horizon, column, schemas[0].field(column).data_type())
        });
        Ok(Shown {
            left: table(&schemas[0], WORDS)?,
            right: table(&schemas[1], 1)?,
            below: Vec::new(),
            free: Vec::new(),
            loose: Vec::new(),
            gone: Vec::new(),
            expiring,
            encoded: EncodedRows::new(),
            hashes: Vec::new(),
            groups: Vec::new(),
        })
    }

    pub(super) fn observe(&mut self, info: &EpochInfo) {
        if let Some(expiring) = &mut self.expiring {
            expiring.observe(info);
        }
    }

    /// The numbers of right rows. They hold until the next sweep, and as long as an entry names them.
    pub(super) fn number(&mut self, columns: &[ArrayRef], rows: usize) -> Vec<u32> {
        hash_columns(columns, rows, &mut self.hashes);
        self.right.layout().encode(columns, rows, &mut self.encoded);
        let mut numbers = Vec::new();
        self.right.upsert(&self.encoded, &self.hashes, &mut numbers);
        self.loose.extend(numbers.iter().filter(|&&number| self.right.payload(number)[0] == 0));
        numbers
    }

    /// The columns of right rows.
    pub(super) fn right_columns(&self, numbers: &[u32]) -> Vec<ArrayRef> {
        self.right.keys(numbers)
    }

    /// Notes left rows that come, with the right row of each.
    pub(super) fn push(&mut self, rows: &ZBatch, beside: &[Option<u32>]) {
        hash_columns(rows.columns(), rows.len(), &mut self.hashes);
        self.left.layout().encode(rows.columns(), rows.len(), &mut self.encoded);
        let mut groups = std::mem::take(&mut self.groups);
        self.left.upsert(&self.encoded, &self.hashes, &mut groups);
        let mut begun = Vec::new();
        for (row, (&group, right)) in groups.iter().zip(beside).enumerate() {
            let entry: &mut [u64] = self.left.payload_mut(group);
            let name = right.map_or(0, |right| u64::from(right) + 1);
            let copies = rows.weight(row) as u64;
            if entry[COPIES] != 0 && entry[BESIDE] == name {
                entry[COPIES] = entry[COPIES].wrapping_add(copies);
                continue;
            }
            let mut next = 0;
            if entry[COPIES] == 0 {
                begun.push(group);
            } else {
                let top = [entry[BESIDE], entry[COPIES], entry[BELOW]];
                next = match self.free.pop() {
                    Some(place) => {
                        self.below[place as usize] = top;
                        place
                    }
                    None => {
                        self.below.push(top);
                        self.below.len() as u64 - 1
                    }
                } + 1;
            }
            entry.copy_from_slice(&[name, copies, next]);
            if let Some(right) = right {
                self.right.payload_mut(*right)[0] += 1;
            }
        }
        if let Some(expiring) = &mut self.expiring {
            expiring.note_groups(&self.left, &begun);
        }
        self.groups = groups;
    }

    /// Takes as many copies of left rows away as their negative weights say, those that came last first.
    pub(super) fn pop(&mut self, rows: &ZBatch) -> Vec<Taken> {
        hash_columns(rows.columns(), rows.len(), &mut self.hashes);
        self.left.layout().encode(rows.columns(), rows.len(), &mut self.encoded);
        let mut groups = std::mem::take(&mut self.groups);
        self.left.find(&self.encoded, &self.hashes, &mut groups);
        let mut taken = Vec::with_capacity(rows.len());
        for (row, &group) in groups.iter().enumerate().filter(|(_, group)| **group != GroupTable::NONE) {
            let mut surplus = rows.weight(row).unsigned_abs();
            while surplus > 0 {
                let entry = self.left.payload_mut(group);
                let copies = surplus.min(entry[COPIES]);
                if copies == 0 {
                    break;
                }
                surplus -= copies;
                entry[COPIES] -= copies;
                let right = entry[BESIDE].checked_sub(1).map(|right| right as u32);
                taken.push(Taken { row: row as u32, right, copies: copies as i64 });
                if entry[COPIES] == 0 {
                    self.drop_top(group);
                }
            }
            if self.left.payload(group)[COPIES] == 0 {
                self.gone.push(group);
            }
        }
        self.groups = groups;
        taken
    }

    /// Replaces the top entry of a left row by the one below.
    fn drop_top(&mut self, group: u32) {
        let entry = self.left.payload_mut(group);
        let (beside, next) = (entry[BESIDE], entry[BELOW]);
        let under = next.checked_sub(1).map_or([0; WORDS], |place| self.below[place as usize]);
        entry.copy_from_slice(&under);
        self.free.extend(next.checked_sub(1));
        if let Some(right) = beside.checked_sub(1) {
            let named = self.right.payload_mut(right as u32);
            named[0] -= 1;
            self.loose.extend((named[0] == 0).then_some(right as u32));
        }
    }

    /// Forgets left rows without copies or that no change can reach any more, and right rows that nothing names.
    pub(super) fn sweep(&mut self) {
        for group in std::mem::take(&mut self.gone) {
            if self.left.contains(group) && self.left.payload(group)[COPIES] == 0 {
                self.left.remove(group);
            }
        }
        if let Some((_, groups)) = self.expiring.as_mut().and_then(|expiring| expiring.due(&self.left)) {
            for group in groups {
                while self.left.payload(group)[COPIES] != 0 {
                    self.drop_top(group);
                }
                self.left.remove(group);
            }
        }
        self.loose.sort_unstable();
        self.loose.dedup();
        for right in self.loose.drain(..) {
            if self.right.contains(right) && self.right.payload(right)[0] == 0 {
                self.right.remove(right);
            }
        }
    }

    pub(super) fn state_size(&self) -> StateSize {
        let expiring = self.expiring.as_ref().map_or(0, Expiring::memory_bytes);
        let below = self.below.capacity() * size_of::<Entry>() + self.free.capacity() * size_of::<u64>();
        StateSize { rows: self.left.len(), bytes: self.left.memory_bytes() + self.right.memory_bytes() + below + expiring }
    }
}
