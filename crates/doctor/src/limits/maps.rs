//! Memory maps: large buffers and thread stacks are maps of their own. Segments and indexes are not mapped.

use std::path::Path;

use super::whose;
use crate::finding::Finding;
use crate::{Plan, read};

/// The kernel's default is 65530; a broker uses some hundreds.
const MAPS_MIN: u64 = 8_192;

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    vec![match read::number("/proc/sys/vm/max_map_count") {
        Ok(max) => judge(max, used(&plan.data_dir).as_deref()),
        Err(error) => Finding::unseen("memory maps", &error),
    }]
}

/// What the broker uses, in words: only a broker that runs can be asked, by whoever may look into its process.
fn used(data_dir: &Path) -> Option<String> {
    let holder = whose::holder(data_dir)?;
    let maps = read::lines(format!("/proc/{}/maps", holder.pid)).ok()?;
    Some(format!("{maps} in use by {}", holder.name))
}

fn judge(max: u64, used: Option<&str>) -> Finding {
    let mut found = format!("vm.max_map_count {max}");
    if let Some(used) = used {
        found = format!("{found}, {used}");
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
        assert_eq!(judge(65_530, Some("40 in use by process 7")).state, State::Ok);
        assert_eq!(judge(1_024, None).state, State::CouldBeBetter);
    }

    #[test]
    fn without_a_broker_nobodys_maps_are_counted() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(used(dir.path()), None);
    }
}
