//! What failed and is tried again, but not at once: a walk over a whole segment at each lookup would be worse than what it mends.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// Seconds between two attempts. Tests do not wait.
const PAUSE: u32 = if cfg!(test) { 0 } else { 60 };

/// When the next attempt is due, if one is. Four bytes, as there is one for each segment.
#[derive(Debug, Default)]
pub(crate) struct Later(AtomicU32);

impl Later {
    /// It failed, and is due again after a while.
    pub(crate) fn again(&self) {
        self.0.store(now().saturating_add(PAUSE), Ordering::Release);
    }

    /// Nothing is due any more.
    pub(crate) fn no_more(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// Whether it is time.
    pub(crate) fn is_due(&self) -> bool {
        let due = self.0.load(Ordering::Acquire);
        due != 0 && due <= now()
    }
}

/// Seconds since a moment before the first call, and one: zero says that nothing is due.
fn now() -> u32 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u32::try_from(BEGAN.elapsed().as_secs()).unwrap_or(u32::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_failed_is_due() {
        let later = Later::default();
        assert!(!later.is_due());
        later.again();
        assert!(later.is_due(), "tests do not wait");
        later.no_more();
        assert!(!later.is_due());
    }
}
