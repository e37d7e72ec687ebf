//! The one place where the broker asks what time it is. Everything below is told.

use std::{
    sync::OnceLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

/// Milliseconds since the Unix epoch; 0 for a clock set before it. For what is kept and told; it may be set at any
/// time.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

/// Milliseconds since this was first asked. For deadlines: never jumps, whatever the clock is set to.
pub(crate) fn steady_ms() -> i64 {
    static START: OnceLock<Instant> = OnceLock::new();
    i64::try_from(START.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(i64::MAX)
}
