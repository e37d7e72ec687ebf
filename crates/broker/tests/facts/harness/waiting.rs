//! Waiting for what others are about to bring about.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// Ends a test that would wait for ever.
const NEVER: Duration = Duration::from_mins(1);

/// Looks again until it is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < NEVER, "never: {what}");
        sleep(Duration::from_millis(5));
    }
}
