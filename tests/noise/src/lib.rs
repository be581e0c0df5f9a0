//! What fuzz targets share: numbers that look random and are the same each time, and how long and from which seed
//! to look (`FUZZ_ROUNDS=200000 FUZZ_SEED=7 cargo test …`). Corpora keep seeds, so the generator must not change.

/// Marsaglia's xorshift (2003), 64 bits of state.
pub struct Random(u64);

impl Random {
    /// Any seed; 0, from which nothing would come, counts as 1, and so does each even seed as the odd one after it.
    #[must_use]
    pub const fn new(seed: u64) -> Random {
        Random(seed | 1)
    }

    /// The next number; each of 64 bits but 0 comes.
    pub fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `most`; 0 if there is none.
    pub fn below(&mut self, most: usize) -> usize {
        (self.word() % most.max(1) as u64) as usize
    }

    /// One of these.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// How many rounds a target looks, as `FUZZ_ROUNDS` says.
#[must_use]
pub fn rounds(otherwise: u64) -> u64 {
    setting("FUZZ_ROUNDS", otherwise)
}

/// The generator as `FUZZ_SEED` says.
#[must_use]
pub fn seeded(otherwise: u64) -> Random {
    Random::new(setting("FUZZ_SEED", otherwise))
}

fn setting(name: &str, otherwise: u64) -> u64 {
    let set = std::env::var(name).ok().and_then(|text| text.parse().ok());
    set.unwrap_or(otherwise)
}
