//! `produce-sustained`: a round so long that the kernel writes back in it what was written.
//!
//! ```text
//!   dirty pages   0 .......... background .......... foreground          a round writes four times the background
//!                 the others: nothing is written | the kernel writes | whoever writes waits
//! ```

use std::path::Path;
use std::time::Duration;

use pagewire_lab::drive::Plan;
use pagewire_lab::machine;
use pagewire_lab::size;
use rustix::fs::statvfs;

use crate::place;

/// So many times what the kernel begins to write back at. With less than twice that, most of a round would be none of it.
const TIMES: u64 = 4;
const TIMES_MIN: u64 = 2;
/// And no more, however much memory there is.
const ROUND_MAX: u64 = 12 << 30;
/// The brokers together take no more of what is free on the disk: one part of so many.
const SHARE: u64 = 3;
/// A round takes as long as it takes, but not for ever.
const LENGTH: Duration = Duration::from_mins(5);

/// A round's bytes on this machine, or why there is no such round here.
pub(super) fn fit(plan: &mut Plan) -> Result<(), String> {
    if let Some(why) = place::in_memory(&tempfile::env::temp_dir()) {
        return Err(why);
    }
    let limits =
        machine::dirty().ok_or("from when on the kernel writes back cannot be read in /proc/vmstat")?;
    let free = free_bytes(&tempfile::env::temp_dir())?;
    plan.round_bytes = bytes(limits.background_mib << 20, free, plan.targets.len() as u64, plan.round_bytes)?;
    (plan.length, plan.warm_up) = (LENGTH, plan.warm_up.min(1));
    // One is as long as all of another load's.
    plan.warm_up_more.clear();
    Ok(())
}

fn free_bytes(dir: &Path) -> Result<u64, String> {
    let told = statvfs(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    Ok(told.f_bavail.saturating_mul(told.f_frsize))
}

/// In whole MiB; `least` is what any round writes.
fn bytes(background: u64, free: u64, brokers: u64, least: u64) -> Result<u64, String> {
    let may = ROUND_MAX.min(free / SHARE / brokers.max(1));
    let bytes = background.saturating_mul(TIMES).max(least).min(may) >> 20 << 20;
    if bytes < background.saturating_mul(TIMES_MIN) {
        let [may, background] = [may, background].map(|bytes| size::text(bytes >> 20 << 20));
        return Err(format!(
            "a round may write {may} here, with {} free on the disk, and the kernel writes back from {background} dirty on",
            size::text(free >> 20 << 20)
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_round_is_four_times_what_the_kernel_begins_at_within_the_disk() {
        for (background, free, brokers, least, expected) in [
            (2 * GIB, 100 * GIB, 3, GIB, 8 * GIB),
            (2 * GIB, 60 * GIB, 3, GIB, (60 * GIB / 9) >> 20 << 20),
            (2 * GIB, 100 * GIB, 1, 10 * GIB, 10 * GIB),
            (5 * GIB, 1000 * GIB, 3, GIB, 12 * GIB),
            (GIB / 4 + 3, 100 * GIB, 3, GIB / 4, GIB),
        ] {
            assert_eq!(
                bytes(background, free, brokers, least),
                Ok(expected),
                "{background} {free} {brokers}"
            );
        }
    }

    #[test]
    fn a_round_that_is_hardly_written_back_is_none() {
        let why = bytes(2 * GIB, 27 * GIB, 3, GIB).unwrap_err();
        assert!(
            why.contains("3 GiB here") && why.contains("27 GiB free") && why.contains("2 GiB dirty"),
            "{why}"
        );
        assert!(bytes(7 * GIB, 1000 * GIB, 3, GIB).is_err(), "no more than 12 GiB");
    }
}
