//! What is read ahead of a consumer that catches up. The kernel asks the device that is mounted (a logical volume, a
//! RAID, an encrypted one), never the drives under it.

use super::{Kind, Mount, kind_of, mount_of, read_ahead_of};
use crate::finding::Finding;
use crate::{Plan, place, words};

const CHECK: &str = "read-ahead";
/// Less read ahead makes consumers that catch up wait for the drive at every turn.
const BYTES_MIN: u64 = 128 << 10;

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    match mount_of(&place::nearest(&plan.data_dir)) {
        Ok(mount) => of(&mount).into_iter().collect(),
        Err(error) => vec![Finding::unseen(CHECK, &error)],
    }
}

fn of(mount: &Mount) -> Option<Finding> {
    if kind_of(&mount.fs_type) == Kind::CopyOnWrite {
        // It spans devices and asks none of them.
        let found = format!("{} reads ahead by a figure of its own, which is not looked at", mount.fs_type);
        return Some(Finding::ok(CHECK, found));
    }
    let (name, bytes) = read_ahead_of(mount.device.as_deref()?)?;
    Some(judge(&name, bytes))
}

fn judge(name: &str, bytes: u64) -> Finding {
    let found = format!("{} ahead on {name}, the device that is mounted", words::bytes(bytes));
    if bytes < BYTES_MIN {
        let advice =
            format!("consumers that catch up wait at every turn: blockdev --setra 2048 /dev/{name} (1 MiB)");
        return Finding::better(CHECK, found, advice);
    }
    Finding::ok(CHECK, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn little_read_ahead_could_be_better_on_the_device_that_is_mounted() {
        assert_eq!(judge("dm-0", 128 << 10).state, State::Ok);
        let finding = judge("dm-0", 16 << 10);
        assert!(finding.state == State::CouldBeBetter && finding.advice.contains("/dev/dm-0"), "{finding:?}");
    }
}
