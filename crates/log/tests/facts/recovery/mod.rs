//! What is left after a crash, and what opening says about it.

mod beside;
mod names;
mod seeds;
mod stable;
mod tail;

use pagewire_log::{LogConfig, OpenOptions};

use crate::support::*;

fn with_recovery_point(recovery_point: i64, clean: bool) -> OpenOptions {
    OpenOptions { recovery_point, clean, ..options() }
}

/// A single file of 128 batches of 3 records, in each of the two ways a log is left behind.
fn stable_log(clean: bool) -> (Bench, OpenOptions) {
    let bench = Bench::with(LogConfig { segment_bytes: 1 << 20, ..config() });
    bench.fill(128);
    if clean {
        bench.log.close(0).expect("close");
    } else {
        bench.log.sync().expect("sync");
    }
    let options = OpenOptions { config: (*bench.log.config()).clone(), ..with_recovery_point(384, clean) };
    (bench, options)
}
