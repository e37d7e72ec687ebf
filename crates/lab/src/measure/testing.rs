//! A sample that nobody measured, for tests of what is made of samples.

use super::Sample;
use super::gauge::Usage;
use super::worker::protocol::{Load, Received, Sent};

/// One response of so many bytes, which cost nothing.
pub(crate) fn sample(bytes: u64) -> Sample {
    Sample {
        load: Load { bytes, header_bytes: 0, responses: 1 },
        sent: Sent {
            usage: Usage::default(),
            began_ns: 0,
            syscalls: None,
            calls: 0,
            busy_ns: None,
            took: Default::default(),
            by_way: bytes,
            refusal: None,
            allocated: None,
            cold_how: None,
            word: None,
        },
        received: Received { usage: Usage::default(), ended_ns: 0 },
    }
}
