//! [`Shelves`]: what a view, or an error relation, holds, for the [keeper](crate::keeper).
//!
//! Nobody looks a row up while it is kept, so no index is kept either. Rows lie on shelves by the hash of their key, some thousand on each, so that adding up the
//! weights of a shelf happens in the cache. A delta is first only put aside, as it came. When enough is aside, its rows are dealt out to the shelves in one
//! pass, and lie there beside the consolidated rows; the shelves are tidied in turns, each once per as many new rows as there are
//! rows in all. So a changed row costs a few copies, no more in a big view than in a small one, and entries are on average one and a half of the rows.
//! (Merging sorted runs, as [`deltic_zset::Arrangement`] does for those who probe it all the time, costs two to three times as much.)
//!
//! A view that never lost a row needs none of it: its deltas stay aside until the first deletion, or until somebody looks for a key.
//!
//! Snapshots share everything: they are lists of batches. A lookup goes through the hashes of one shelf.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::SchemaRef;
use deltic_zset::{ZBatch, hash};

use crate::error::Result;

/// Rows aside before they are dealt out: at least and, as long as there are few shelves, at most.
const ASIDE_ROWS: (usize, usize) = (1 << 13, 1 << 16);
/// Rows dealt out at a time for each shelf, at least: fewer are not worth a batch.
const ROWS_PER_SHELF: usize = 64;
/// A shelf with more rows becomes two.
const SHELF_ROWS: usize = 1 << 12;
/// So many batches of one size class in a row become one batch, below the class of batches that stay as they are (16^class rows and more).
const COALESCE: usize = 16;
const BIG_CLASS: u32 = 3;

/// The rows of a view with their weights.
#[derive(Debug)]
pub(crate) struct Shelves {
    shape: Arc<Shape>,
    /// Deltas that are not on shelves yet, oldest first.
    aside: VecDeque<ZBatch>,
    aside_rows: usize,
    /// Rows that may be dealt out before more come.
    fuel: usize,
    /// Whether rows go to the shelves at all.
    dealing: bool,
    shelves: Arc<Vec<Arc<Shelf>>>,
    /// The shelf of each hash prefix of `prefix_bits` bits.
    directory: Vec<u32>,
    prefix_bits: u32,
    /// The shelf that is tidied next.
    next: usize,
    /// Rows on shelves that are tidy.
    tidy_rows: usize,
}

#[derive(Debug)]
struct Shape {
    schema: SchemaRef,
    /// The columns that rows are looked up by.
    key: Vec<usize>,
    rest: Vec<usize>,
    /// Somebody looked for a key while rows were aside.
    lookups: AtomicBool,
}

/// Rows whose hashes have one prefix.
#[derive(Clone, Debug)]
struct Shelf {
    /// The prefix and its length in bits.
    prefix: u64,
    bits: u32,
    /// Each row once.
    tidy: Sorted,
    /// What came since.
    new: Vec<Sorted>,
}

/// Rows with their words (see [`Shape::words`]).
#[derive(Clone, Debug)]
struct Sorted {
    rows: ZBatch,
    words: Vec<u64>,
}

impl Shape {
    /// A word per row: the hash of the key above the hash of the row. So the rows of a key share their prefix, and all others hardly collide.
    fn words(&self, rows: &ZBatch) -> Vec<u64> {
        let columns = |which: &[usize]| which.iter().map(|&column| rows.column(column).clone()).collect::<Vec<_>>();
        let (mut words, mut rest) = (Vec::new(), Vec::new());
        hash::hash_columns(&columns(&self.key), rows.len(), &mut words);
        if !self.rest.is_empty() {
            hash::hash_columns(&columns(&self.rest), rows.len(), &mut rest);
            words.iter_mut().zip(rest).for_each(|(word, rest)| *word ^= rest & 0xffff_ffff);
        }
        words
    }
}

impl Sorted {
    fn empty(schema: &SchemaRef) -> Self {
        Sorted { rows: ZBatch::empty(schema.clone()), words: Vec::new() }
    }

    /// Those of the rows `kept`, with their weights (`None`: all one), whose word is wanted.
    fn pick(&self, kept: &[u32], weights: Option<&[i64]>, wanted: impl Fn(u64) -> bool) -> Result<Self> {
        let word = |row: u32| self.words[row as usize];
        let picked: Vec<u32> = kept.iter().copied().filter(|&row| wanted(word(row))).collect();
        let words = picked.iter().map(|&row| word(row)).collect();
        let weights: Option<Vec<i64>> = weights
            .filter(|weights| weights.iter().any(|&weight| weight != 1))
            .map(|weights| kept.iter().zip(weights).filter(|(row, _)| wanted(word(**row))).map(|(_, &weight)| weight).collect());
        let rows = self.rows.take(&UInt32Array::from(picked))?;
        Ok(Sorted { rows: rows.with_weights(weights.map(Into::into)), words })
    }

    fn memory_bytes(&self) -> usize {
        // New rows share buffers with those of the other shelves, so what counts is their part.
        let columns = self.rows.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default());
        columns.sum::<usize>() + self.rows.weights().map_or(0, |weights| 8 * weights.len()) + 8 * self.words.len()
    }
}

impl Shelves {
    /// No rows; later looked up by the columns `key`.
    pub(crate) fn new(schema: SchemaRef, key: Vec<usize>) -> Self {
        let rest = (0..schema.fields().len()).filter(|column| !key.contains(column)).collect();
        let first = Shelf { prefix: 0, bits: 0, tidy: Sorted::empty(&schema), new: Vec::new() };
        Shelves {
            shape: Arc::new(Shape { schema, key, rest, lookups: AtomicBool::new(false) }),
            aside: VecDeque::new(),
            aside_rows: 0,
            fuel: 0,
            dealing: false,
            shelves: Arc::new(vec![Arc::new(first)]),
            directory: vec![0],
            prefix_bits: 0,
            next: 0,
            tidy_rows: 0,
        }
    }

    /// Adds a delta, and does the work that is due with it: in the long run twice as much as what comes.
    ///
    /// # Errors
    /// If the sum of the weights of a row leaves its range.
    pub(crate) fn push(&mut self, delta: ZBatch) -> Result<()> {
        if delta.is_empty() {
            return Ok(());
        }
        self.dealing |= delta.weights().is_some_and(|weights| weights.iter().any(|&weight| weight < 0));
        self.fuel += 2 * delta.len();
        self.aside_rows += delta.len();
        self.aside.push_back(delta);
        while self.coalesce()? {}
        while self.fuel >= self.due_rows() && self.tidy_some()? {}
        Ok(())
    }

    /// Deals out some of what is aside, if there is enough. Whether it did.
    ///
    /// # Errors
    /// As [`Shelves::push`].
    pub(crate) fn tidy_some(&mut self) -> Result<bool> {
        self.dealing |= self.shape.lookups.load(Ordering::Relaxed);
        let rows = self.due_rows();
        if !self.dealing || self.aside_rows < rows {
            self.fuel = self.fuel.min(2 * rows);
            return Ok(false);
        }
        self.fuel = self.fuel.saturating_sub(rows);
        let shelves = self.shelves.len();
        self.deal(rows)?;
        // Each shelf has its turn once per as many new rows as there are rows.
        let turns = (shelves * rows).div_ceil(self.tidy_rows.max(1)).min(shelves);
        for _ in 0..turns {
            self.tidy_next()?;
        }
        Ok(true)
    }

    /// The rows that are dealt out at a time.
    fn due_rows(&self) -> usize {
        (self.tidy_rows / 4).clamp(ASIDE_ROWS.0, ASIDE_ROWS.1).max(ROWS_PER_SHELF * self.shelves.len())
    }

    /// Makes the last batches one if enough of them are as small as the last or smaller.
    fn coalesce(&mut self) -> Result<bool> {
        let Some(class) = self.aside.back().map(size_class).filter(|&class| class < BIG_CLASS) else { return Ok(false) };
        let small = self.aside.iter().rev().take_while(|batch| size_class(batch) <= class).count();
        if small < COALESCE {
            return Ok(false);
        }
        let parts: Vec<ZBatch> = self.aside.range(self.aside.len() - small..).cloned().collect();
        // A string column past 2 GiB refuses: then they stay as they are.
        let Ok(whole) = ZBatch::concat(&self.shape.schema, &parts) else { return Ok(false) };
        // Rows that come and go within a few epochs, as those of an aggregate with few groups, end here.
        let whole = if whole.weights().is_some() { whole.consolidate()? } else { whole };
        self.aside.truncate(self.aside.len() - small);
        self.aside_rows -= parts.iter().map(ZBatch::len).sum::<usize>();
        self.aside_rows += whole.len();
        if !whole.is_empty() {
            self.aside.push_back(whole);
        }
        Ok(!self.aside.is_empty())
    }

    /// Deals the oldest `rows` rows that are aside out to the shelves.
    fn deal(&mut self, rows: usize) -> Result<()> {
        let mut oldest = Vec::new();
        let mut left = rows;
        while left > 0
            && let Some(delta) = self.aside.pop_front()
        {
            if delta.len() > left {
                self.aside.push_front(delta.slice(left, delta.len() - left));
            }
            let taken = delta.len().min(left);
            oldest.push(if taken < delta.len() { delta.slice(0, taken) } else { delta });
            left -= taken;
        }
        self.aside_rows -= rows - left;
        match ZBatch::concat(&self.shape.schema, &oldest) {
            Ok(whole) => self.deal_batch(&whole)?,
            // A string column past 2 GiB.
            Err(_) => oldest.iter().try_for_each(|batch| self.deal_batch(batch))?,
        }
        Ok(())
    }

    fn deal_batch(&mut self, rows: &ZBatch) -> Result<()> {
        let words = self.shape.words(rows);
        let shelf_of = |word: u64| self.directory[prefix(word, self.prefix_bits) as usize] as usize;
        let mut ends = vec![0usize; self.shelves.len() + 1];
        words.iter().for_each(|&word| ends[shelf_of(word) + 1] += 1);
        for shelf in 1..ends.len() {
            ends[shelf] += ends[shelf - 1];
        }
        let (mut order, mut dealt) = (vec![0u32; words.len()], vec![0u64; words.len()]);
        let mut places = ends.clone();
        for (row, &word) in words.iter().enumerate() {
            let place = &mut places[shelf_of(word)];
            order[*place] = row as u32;
            dealt[*place] = word;
            *place += 1;
        }
        let rows = rows.take(&UInt32Array::from(order))?;
        let shelves = Arc::make_mut(&mut self.shelves);
        for (shelf, range) in shelves.iter_mut().zip(ends.windows(2)).filter(|(_, range)| range[0] < range[1]) {
            let (from, count) = (range[0], range[1] - range[0]);
            Arc::make_mut(shelf).new.push(Sorted { rows: rows.slice(from, count), words: dealt[from..from + count].to_vec() });
        }
        Ok(())
    }

    /// Adds up the weights of the next shelf; cuts it in two if there is too much on it.
    fn tidy_next(&mut self) -> Result<()> {
        self.next = if self.next < self.shelves.len() { self.next } else { 0 };
        let place = self.next;
        self.next += 1;
        let Shelf { prefix: own_prefix, bits: own_bits, tidy, new } = &*self.shelves[place];
        if new.is_empty() {
            return Ok(());
        }
        let parts: Vec<ZBatch> = std::iter::once(tidy).chain(new).map(|sorted| sorted.rows.clone()).collect();
        // A string column past 2 GiB: then the shelf stays untidy, which a Z-set may be.
        let Ok(rows) = ZBatch::concat(&self.shape.schema, &parts) else { return Ok(()) };
        let words: Vec<u64> = std::iter::once(tidy).chain(new).flat_map(|sorted| sorted.words.iter().copied()).collect();
        let (kept, weights) = match rows.survivors(&words)? {
            Some((kept, weights)) => (kept, Some(weights)),
            None => ((0..rows.len() as u32).collect(), rows.weights().map(|weights| weights.to_vec())),
        };
        let (own_prefix, own_bits) = (*own_prefix, *own_bits);
        self.tidy_rows = self.tidy_rows - tidy.words.len() + kept.len();
        // Hashes are uniform; rows made to collide may not make the directory big.
        let too_full = kept.len() > SHELF_ROWS && own_bits < self.shelves.len().ilog2() + 4;
        let all = Sorted { rows: rows.with_weights(None), words };
        let shelf = |prefix, bits, tidy| Arc::new(Shelf { prefix, bits, tidy, new: Vec::new() });
        if !too_full {
            let tidy = all.pick(&kept, weights.as_deref(), |_| true)?;
            Arc::make_mut(&mut self.shelves)[place] = shelf(own_prefix, own_bits, tidy);
            return Ok(());
        }
        let bits = own_bits + 1;
        let half = |side: u64| -> Result<_> {
            let tidy = all.pick(&kept, weights.as_deref(), |word| prefix(word, bits) & 1 == side)?;
            Ok(shelf(own_prefix << 1 | side, bits, tidy))
        };
        let (left, right) = (half(0)?, half(1)?);
        let shelves = Arc::make_mut(&mut self.shelves);
        shelves[place] = left;
        shelves.push(right);
        if bits > self.prefix_bits {
            self.index();
        } else {
            self.enter(self.shelves.len() - 1);
        }
        Ok(())
    }

    /// Makes the directory anew.
    fn index(&mut self) {
        self.prefix_bits = self.shelves.iter().map(|shelf| shelf.bits).max().unwrap_or(0);
        self.directory.clear();
        self.directory.resize(1 << self.prefix_bits, 0);
        (0..self.shelves.len()).for_each(|place| self.enter(place));
    }

    /// Writes a shelf into the directory.
    fn enter(&mut self, place: usize) {
        let shelf = &self.shelves[place];
        let spread = self.prefix_bits - shelf.bits;
        let first = (shelf.prefix << spread) as usize;
        self.directory[first..first + (1 << spread)].fill(place as u32);
    }

    /// The contents now, for any thread.
    pub(crate) fn snapshot(&self) -> ShelvesSnapshot {
        ShelvesSnapshot { shape: self.shape.clone(), shelves: self.shelves.clone(), aside: self.aside.iter().cloned().collect() }
    }

    /// Stored entries: at least as many as there are different rows.
    pub(crate) fn entries(&self) -> usize {
        self.aside_rows
            + self.shelves.iter().map(|shelf| shelf.parts().map(|part| part.words.len()).sum::<usize>()).sum::<usize>()
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let shelves = self.shelves.iter().flat_map(|shelf| shelf.parts()).map(Sorted::memory_bytes);
        shelves.sum::<usize>() + self.aside.iter().map(ZBatch::memory_bytes).sum::<usize>()
    }
}

impl Shelf {
    fn parts(&self) -> impl Iterator<Item = &Sorted> {
        std::iter::once(&self.tidy).chain(&self.new)
    }
}

/// The first `bits` bits of a word.
fn prefix(word: u64, bits: u32) -> u64 {
    // A shift by 64, for no bits at all, would overflow: two shifts.
    (word >> 1) >> (63 - bits)
}

fn size_class(batch: &ZBatch) -> u32 {
    (batch.len().max(1).ilog2() / 4).min(BIG_CLASS)
}

/// The contents of [`Shelves`] at one moment.
#[derive(Clone, Debug)]
pub(crate) struct ShelvesSnapshot {
    shape: Arc<Shape>,
    shelves: Arc<Vec<Arc<Shelf>>>,
    aside: Vec<ZBatch>,
}

impl ShelvesSnapshot {
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.shape.schema
    }

    pub(crate) fn key(&self) -> &[usize] {
        &self.shape.key
    }

    /// All entries in parts. A row may occur more than once, also with weights that cancel.
    pub(crate) fn batches(&self) -> impl Iterator<Item = ZBatch> + '_ {
        let shelves = self.shelves.iter().flat_map(|shelf| shelf.parts()).map(|part| part.rows.clone());
        shelves.filter(|rows| !rows.is_empty()).chain(self.aside.iter().cloned())
    }

    /// Entries among which are all those whose key is that of a row of `keys`. For few keys.
    ///
    /// # Errors
    /// Arrow's.
    pub(crate) fn candidates(&self, keys: &[ArrayRef]) -> Result<Vec<ZBatch>> {
        const KEY: u64 = 0xffff_ffff << 32;
        let mut hashes = Vec::new();
        hash::hash_columns(keys, keys.first().map_or(1, |column| column.len()), &mut hashes);
        let mut found = Vec::new();
        for shelf in self.shelves.iter() {
            let here: Vec<u64> =
                hashes.iter().map(|hash| hash & KEY).filter(|&hash| prefix(hash, shelf.bits) == shelf.prefix).collect();
            if here.is_empty() {
                continue;
            }
            for part in shelf.parts() {
                let rows: Vec<u32> =
                    (0u32..).zip(&part.words).filter(|(_, word)| here.contains(&(*word & KEY))).map(|(row, _)| row).collect();
                if !rows.is_empty() {
                    found.push(part.rows.take(&UInt32Array::from(rows))?);
                }
            }
        }
        if !self.aside.is_empty() {
            self.shape.lookups.store(true, Ordering::Relaxed);
            found.extend(self.aside.iter().cloned());
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
