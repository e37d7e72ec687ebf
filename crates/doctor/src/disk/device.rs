//! The drives under the data directory: cache, scheduler, blocks and how what lies on them is aligned.

use super::{Block, blocks_under, mount_of};
use crate::finding::Finding;
use crate::{Plan, place};

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    let mount = match mount_of(&place::nearest(&plan.data_dir)) {
        Ok(mount) => mount,
        Err(error) => return vec![Finding::unseen("device", &error)],
    };
    let blocks = mount.device.as_deref().map(blocks_under).unwrap_or_default();
    if blocks.is_empty() {
        let found = format!("{} has no drive that can be seen from here", mount.fs_type);
        return vec![Finding::ok("device", found)];
    }
    blocks.iter().map(judge).collect()
}

fn judge(block: &Block) -> Finding {
    let check = format!("device {}", block.name);
    let found = describe(block);
    if block.scheduler.as_deref() == Some("bfq") && !block.rotates {
        let advice = format!(
            "bfq costs CPU per request, which fast drives do not pay back: echo mq-deadline > \
             /sys/block/{}/queue/scheduler",
            block.name
        );
        return Finding::better(check, found, advice);
    }
    if block.is_misaligned {
        let advice = "what lies on it begins in the middle of a physical block, so a write may touch two, and the drive \
                      reads before it writes: make the partition anew, at a multiple of 1 MiB";
        return Finding::better(check, found, advice);
    }
    Finding::ok(check, found)
}

fn describe(block: &Block) -> String {
    let kind = match (block.is_virtual, block.rotates) {
        (true, _) => "a hypervisor's drive (what is behind it cannot be seen)",
        (false, true) => "a drive that turns",
        (false, false) => "a drive without moving parts",
    };
    let mut parts =
        vec![block.model.as_ref().map_or_else(|| kind.to_owned(), |model| format!("{model}, {kind}"))];
    parts.push(match block.write_cache.as_deref() {
        Some("write back") => "write cache: write back, flushed by each sync".to_owned(),
        Some("write through") => "write cache: none, or safe by its own word (write through)".to_owned(),
        Some(other) => format!("write cache: {other}"),
        None => "write cache not told".to_owned(),
    });
    parts.extend(block.scheduler.as_ref().map(|scheduler| format!("scheduler {scheduler}")));
    parts.extend(block.sector_bytes.map(|(addressed, written)| {
        let physical = if addressed == written { String::new() } else { format!(", {written} physically") };
        format!("blocks of {addressed} bytes{physical}")
    }));
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn nvme() -> Block {
        Block {
            name: "nvme0n1".to_owned(),
            model: Some("a model".to_owned()),
            is_virtual: false,
            rotates: false,
            write_cache: Some("write back".to_owned()),
            scheduler: Some("none".to_owned()),
            sector_bytes: Some((512, 4096)),
            is_misaligned: false,
        }
    }

    #[test]
    fn a_scheduler_for_drives_that_turn_could_be_better_on_one_that_does_not() {
        assert_eq!(judge(&nvme()).state, State::Ok);
        let bfq = Block { scheduler: Some("bfq".to_owned()), ..nvme() };
        assert_eq!(judge(&bfq).state, State::CouldBeBetter);
        assert_eq!(judge(&Block { rotates: true, ..bfq }).state, State::Ok);
    }

    #[test]
    fn a_partition_across_the_drives_blocks_could_be_better() {
        assert!(judge(&nvme()).found.ends_with("blocks of 512 bytes, 4096 physically"));
        let whole = judge(&Block { sector_bytes: Some((4096, 4096)), ..nvme() });
        assert!(whole.found.ends_with("; blocks of 4096 bytes"), "{whole:?}");
        let across = judge(&Block { is_misaligned: true, ..nvme() });
        assert!(across.state == State::CouldBeBetter && across.advice.contains("1 MiB"), "{across:?}");
    }

    #[test]
    fn both_kinds_of_write_cache_are_put_into_words() {
        assert!(describe(&nvme()).contains("flushed by each sync"));
        let through = Block { write_cache: Some("write through".to_owned()), ..nvme() };
        assert!(describe(&through).contains("by its own word"));
    }
}
