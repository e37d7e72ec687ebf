//! How near the machine is to the amount of dirty pages at which the kernel begins to write by itself.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The counters of the kernel's virtual memory, of which four are wanted.
/// <https://www.kernel.org/doc/html/latest/admin-guide/sysctl/vm.html> tells what the thresholds are made of.
const COUNTERS: &str = "/proc/vmstat";
/// More than the file ever had.
const COUNTERS_MAX: usize = 16 << 10;
/// How long an answer holds: at a GiB a second 20 MiB are written meanwhile.
const HOLDS: Duration = Duration::from_millis(20);

static LAST: LazyLock<Mutex<Option<Answer>>> = LazyLock::new(Mutex::default);

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
    let many = read().as_deref().and_then(many_of).unwrap_or(true);
    *last = Some(Answer { at: Instant::now(), many });
    many
}

fn read() -> Option<String> {
    let mut counters = vec![0; COUNTERS_MAX];
    let len = File::open(COUNTERS).ok()?.read_at(&mut counters, 0).ok()?;
    counters.truncate(len);
    String::from_utf8(counters).ok()
}

fn many_of(counters: &str) -> Option<bool> {
    let dirty = counter(counters, "nr_dirty")?.saturating_add(counter(counters, "nr_writeback")?);
    Some(dirty >= counter(counters, "nr_dirty_background_threshold")? / 2)
}

/// Of one whose line was cut off nothing is known.
fn counter(counters: &str, name: &str) -> Option<u64> {
    let (lines, _) = counters.rsplit_once('\n')?;
    let value = lines.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
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
    fn what_is_missing_or_cut_off_is_not_known() {
        assert_eq!(many_of("nr_dirty 5\nnr_writeback 5\n"), None);
        assert_eq!(many_of("nr_dirty 5\nnr_writeback 5\nnr_dirty_background_threshold 200"), None);
        assert_eq!(many_of(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_tells() {
        let counters = read().expect("counters");
        assert!(counters.len() < COUNTERS_MAX, "they have outgrown their room");
        assert!(many_of(&counters).is_some(), "{counters}");
    }
}
