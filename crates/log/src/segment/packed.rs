//! Two numbers in one atomic one, such as an offset and a position: no reader sees one of them without the other.

use std::sync::atomic::{AtomicU64, Ordering};

/// Two numbers packed into one atomic one: both stay below 2^32 by construction.
#[derive(Debug, Default)]
pub(crate) struct Packed(AtomicU64);

impl Packed {
    pub(crate) fn new(relative: u64, position: u64) -> Self {
        Self(AtomicU64::new(relative << 32 | position))
    }

    pub(crate) fn load(&self) -> (u64, u64) {
        let packed = self.0.load(Ordering::Acquire);
        (packed >> 32, packed & u64::from(u32::MAX))
    }

    pub(crate) fn store(&self, relative: u64, position: u64) {
        self.0.store(relative << 32 | position, Ordering::Release);
    }
}
