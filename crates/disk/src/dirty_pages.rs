//! How near the machine is to the amount of dirty pages at which the kernel begins to write by itself.

use std::fs;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The counters of the kernel's virtual memory, of which three are wanted.
/// <https://www.kernel.org/doc/html/latest/admin-guide/sysctl/vm.html> tells what the thresholds are made of.
const COUNTERS: &str = "/proc/vmstat";
/// How long an answer holds: at a GiB a second 20 MiB are written meanwhile.
const HOLDS: Duration = Duration::from_millis(20);

static LAST: Mutex<Option<Answer>> = Mutex::new(None);

#[derive(Debug, Clone, Copy)]
struct Answer {
    at: Instant,
    many: bool,
}

/// Whether half as much is dirty, or on its way to a device, as would make the kernel begin to write (`dirty_background_ratio`,
/// `dirty_background_bytes`). Where that is not to be learned: yes.
pub(crate) fn are_many() -> bool {
    let mut last = LAST.lock();
    if let Some(answer) = *last
        && answer.at.elapsed() < HOLDS
    {
        return answer.many;
    }
    let many = fs::read_to_string(COUNTERS).ok().as_deref().and_then(many_of).unwrap_or(true);
    *last = Some(Answer { at: Instant::now(), many });
    many
}

fn many_of(counters: &str) -> Option<bool> {
    let dirty = counter(counters, "nr_dirty")?.saturating_add(counter(counters, "nr_writeback")?);
    Some(dirty >= counter(counters, "nr_dirty_background_threshold")? / 2)
}

fn counter(counters: &str, name: &str) -> Option<u64> {
    let value = counters.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(dirty: u64, writeback: u64) -> String {
        format!(
            "nr_dirty {dirty}\nnr_writeback {writeback}\nnr_dirtied 9\nnr_dirty_threshold 400\n\
             nr_dirty_background_threshold 200\npgpgin 1\n"
        )
    }

    #[test]
    fn many_is_half_of_what_the_kernel_begins_at() {
        assert_eq!(many_of(&counters(60, 39)), Some(false));
        assert_eq!(many_of(&counters(60, 40)), Some(true));
        assert_eq!(many_of(&counters(0, 100)), Some(true));
        assert_eq!(many_of(&counters(u64::MAX, 100)), Some(true));
    }

    #[test]
    fn what_is_missing_or_no_number_is_not_known() {
        assert_eq!(many_of("nr_dirty 5\nnr_writeback 5\n"), None);
        assert_eq!(many_of("nr_dirty 5\nnr_writeback 5\nnr_dirty_background_threshold many\n"), None);
        assert_eq!(many_of(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_tells() {
        let counters = fs::read_to_string(COUNTERS).expect("counters");
        assert!(many_of(&counters).is_some(), "{counters}");
    }
}
