//! Dirty pages: how much may wait to be written before the kernel stops those who write.
//!
//! The kernel begins to write at the background threshold, and holds every writer at the other. The ratios are of the
//! memory that is available, so on a large machine they are gigabytes: a sync, or a writer that is held, then waits for
//! as long as the disk takes for them. The broker starts the writing of its own segments early; this is about the rest
//! of what is written here.

use std::io;
use std::time::Duration;

use crate::finding::Finding;
use crate::{Plan, read, words};

/// More may wait before the kernel begins: a second or two of an ordinary disk.
const BACKGROUND_MAX: u64 = 1 << 30;
/// A disk to reckon with, MB a second: the real one is measured by nobody here.
const DISK_MB_PER_SECOND: u64 = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Threshold {
    /// Hundredths of what is available; counts where `bytes` is 0.
    ratio: u64,
    bytes: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    background: Threshold,
    held: Threshold,
    /// Bytes of memory that is available.
    available: u64,
}

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    vec![probe().map_or_else(|error| Finding::unseen("dirty pages", &error), |facts| judge(&facts))]
}

fn probe() -> io::Result<Facts> {
    let threshold = |name: &str| -> io::Result<Threshold> {
        let ratio = read::number(format!("/proc/sys/vm/{name}_ratio"))?;
        Ok(Threshold { ratio, bytes: read::number(format!("/proc/sys/vm/{name}_bytes"))? })
    };
    let text = read::text("/proc/meminfo")?;
    let available = read::kib_field(&text, "MemAvailable").ok_or(io::ErrorKind::InvalidData)?;
    Ok(Facts { background: threshold("dirty_background")?, held: threshold("dirty")?, available })
}

impl Threshold {
    fn in_bytes(self, available: u64) -> u64 {
        if self.bytes > 0 { self.bytes } else { available / 100 * self.ratio }
    }

    fn said(self) -> String {
        if self.bytes > 0 { "set in bytes".to_owned() } else { format!("{} %", self.ratio) }
    }
}

fn judge(facts: &Facts) -> Finding {
    let (background, held) =
        (facts.background.in_bytes(facts.available), facts.held.in_bytes(facts.available));
    let found = format!(
        "the kernel begins to write at {} ({}) and holds writers at {} ({})",
        words::bytes(background),
        facts.background.said(),
        words::bytes(held),
        facts.held.said(),
    );
    if background <= BACKGROUND_MAX {
        return Finding::ok("dirty pages", found);
    }
    let advice = format!(
        "so much written by others here can hold up the broker's writes and syncs, for {} at an assumed \
         {DISK_MB_PER_SECOND} MB/s: sysctl -w vm.dirty_background_bytes=268435456 vm.dirty_bytes=1073741824",
        words::time(Duration::from_millis(held / (DISK_MB_PER_SECOND * 1000)))
    );
    Finding::better("dirty pages", found, advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn ratios_of_much_memory_could_be_better_and_bytes_win_over_them() {
        let ratios = Facts {
            background: Threshold { ratio: 10, bytes: 0 },
            held: Threshold { ratio: 20, bytes: 0 },
            available: 20_000_000_000,
        };
        let finding = judge(&ratios);
        assert_eq!(finding.state, State::CouldBeBetter);
        assert!(finding.advice.contains("8.0 s at an assumed 500 MB/s"), "{finding:?}");
        assert!(!finding.found.contains("MB/s"), "nobody found that: {finding:?}");
        let bytes = Threshold { ratio: 0, bytes: 256 << 20 };
        assert_eq!(judge(&Facts { background: bytes, held: bytes, ..ratios }).state, State::Ok);
        assert_eq!(judge(&Facts { available: 1 << 30, ..ratios }).state, State::Ok);
    }
}
