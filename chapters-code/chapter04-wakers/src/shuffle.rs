//! Chance that repeats itself: a small generator of pseudo-random numbers (SplitMix64, by Steele, Lea and Flood, 2014).

/// A sequence of numbers that looks random and depends on nothing but the seed.
#[derive(Debug)]
pub struct Shuffle {
    state: u64,
}

impl Shuffle {
    /// The sequence that belongs to this seed.
    pub fn new(seed: u64) -> Shuffle {
        Shuffle { state: seed }
    }

    /// The next number, at least 0 and below `end`.
    ///
    /// # Panics
    /// If `end` is 0: there is no such number.
    pub fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z % end as u64) as usize
    }
}
