//! Rows for the operator benchmarks: two 8-byte columns, keys uniform over a fixed number of them.

/// A small, fast generator (SplitMix64, Steele et al. 2014), so that making rows costs little beside using them.
#[derive(Clone, Debug)]
pub struct Rows {
    state: u64,
    keys: u64,
}

impl Rows {
    /// Rows with keys below `keys`, from a seed.
    pub fn new(keys: u64, seed: u64) -> Self {
        Rows { state: seed, keys }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `count` rows: random keys, small values.
    pub fn epoch(&mut self, count: usize) -> (Vec<i64>, Vec<i64>) {
        (0..count)
            .map(|_| {
                let bits = self.next();
                ((bits % self.keys) as i64, (bits >> 48) as i64)
            })
            .unzip()
    }

    /// `count` rows that are a function of their key, so that only `keys` different ones exist.
    pub fn epoch_of_pairs(&mut self, count: usize) -> (Vec<i64>, Vec<i64>) {
        (0..count)
            .map(|_| {
                let key = (self.next() % self.keys) as i64;
                (key, key.wrapping_mul(7))
            })
            .unzip()
    }
}

/// Every key once, with itself as the value: what the tables are preloaded with.
pub fn every_key(keys: u64) -> (Vec<i64>, Vec<i64>) {
    (0..keys as i64).map(|key| (key, key.wrapping_mul(7))).unzip()
}
