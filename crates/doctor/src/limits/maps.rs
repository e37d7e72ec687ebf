//! Memory maps: large buffers and thread stacks are maps of their own. Segments and indexes are not mapped.

use crate::finding::Finding;
use crate::{Plan, read};

/// The kernel's default is 65530; a broker uses some hundreds.
const MAPS_MIN: u64 = 8_192;

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    let used = read::text("/proc/self/maps").map(|maps| maps.lines().count()).ok();
    vec![match read::number("/proc/sys/vm/max_map_count") {
        Ok(max) => judge(max, used),
        Err(error) => Finding::unseen("memory maps", &error),
    }]
}

fn judge(max: u64, used: Option<usize>) -> Finding {
    let mut found = format!("vm.max_map_count {max}");
    if let Some(used) = used {
        found = format!("{found}, {used} in use by this process");
    }
    if max < MAPS_MIN {
        return Finding::better(
            "memory maps",
            found,
            "sysctl -w vm.max_map_count=65530, the kernel's default",
        );
    }
    Finding::ok("memory maps", found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn the_default_of_the_kernel_is_enough() {
        assert_eq!(judge(65_530, Some(40)).state, State::Ok);
        assert_eq!(judge(1_024, None).state, State::CouldBeBetter);
    }
}
