//! How long a measurement has to be: as many responses as take a certain time of the sender's CPU, found by a short one
//! of the same kind. What ends a measurement by bytes gives the cheap ways a few milliseconds, in which a clock's tick
//! or one interrupt is a large part. Pure.

use std::time::Duration;

use super::Sample;
use super::worker::protocol::Load;

/// So many responses are enough, however small: a second or so of the dearest way.
pub(crate) const RESPONSES_MAX: u64 = 1 << 16;
/// So many bytes are enough, however cheap.
const BYTES_MAX: u64 = 2 << 30;
/// The short one, in bytes and in responses.
const PROBE_BYTES: u64 = 8 << 20;
const PROBE_RESPONSES_MAX: u64 = 1024;

/// The load of the short measurement. `once`: what the file has, where no byte may be read twice.
pub(crate) fn probe(bytes: u64, header_bytes: u64, once: Option<u64>) -> Load {
    let responses = (PROBE_BYTES / bytes.max(1)).clamp(1, PROBE_RESPONSES_MAX);
    Load { bytes, header_bytes, responses: responses.min(most(bytes, once)) }
}

/// The load that takes `cpu` of the sender, as far as it is bounded neither in bytes nor in responses, nor by what the
/// file has where no byte may be read twice.
pub(crate) fn sized(probed: &Sample, cpu: Duration, once: Option<u64>) -> Load {
    let each_ns = probed.sent.usage.cpu_ns.max(1) / probed.load.responses.max(1);
    let wanted = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX).div_ceil(each_ns.max(1));
    Load { responses: wanted.clamp(1, most(probed.load.bytes, once)), ..probed.load }
}

/// Responses at most, and at least one.
fn most(bytes: u64, once: Option<u64>) -> u64 {
    let of = |all: u64| all / bytes.max(1);
    RESPONSES_MAX.min(of(BYTES_MAX)).min(once.map_or(u64::MAX, of)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::testing::sample;

    const CPU: Duration = Duration::from_millis(60);

    /// Responses of so many bytes, of which one took so many nanoseconds.
    fn sized_by(bytes: u64, each_ns: u64, once: Option<u64>) -> u64 {
        let mut probed = sample(bytes);
        probed.load = probe(bytes, 60, once);
        probed.sent.usage.cpu_ns = each_ns * probed.load.responses;
        let load = sized(&probed, CPU, once);
        assert_eq!((load.bytes, load.header_bytes), (bytes, 60));
        load.responses
    }

    #[test]
    fn a_measurement_takes_as_long_whatever_a_response_costs() {
        assert_eq!(sized_by(1 << 20, 100_000, None), 600);
        assert_eq!(sized_by(1 << 20, 400_000, None), 150);
        assert_eq!(sized_by(1 << 10, 3_000, None), 20_000);
    }

    #[test]
    fn it_is_at_least_one_response_and_not_endless() {
        assert_eq!(sized_by(64 << 20, 1_000_000_000, None), 1);
        assert_eq!(sized_by(100, 1, None), RESPONSES_MAX);
        assert_eq!(sized_by(64 << 20, 0, None), 32, "2 GiB");
        assert_eq!(sized_by(4 << 30, 1, None), 1, "one is more than that");
    }

    #[test]
    fn a_cold_file_is_read_once_at_most() {
        let file = 256 << 20;
        assert_eq!(sized_by(64 << 20, 1, Some(file)), 4);
        assert_eq!(sized_by(1 << 20, 400_000, Some(file)), 150);
        assert_eq!(probe(1 << 20, 60, Some(4 << 20)).responses, 4);
    }
}
