//! What an acknowledged record survives on this machine, in words, for each setting of acks.
//!
//! ```text
//!                    the broker is killed   the kernel stops        the power goes
//!   acks=0           not promised           not promised            not promised
//!   acks=1           yes (page cache)       what was written out    what was written out
//!   acks=all         yes                    yes, synced             yes, if the drive keeps what it said it has
//! ```
//!
//! A single broker: nothing here speaks of the loss of the drive itself.

use std::path::Path;

use crate::disk::sync::{Honesty, honesty_of};
use crate::disk::{Block, Kind, blocks_under, file_system, kind_of, mount_of};
use crate::finding::{Finding, State};
use crate::{Plan, place};

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    kind: Kind,
    /// The file system sends no flushes (`barrier=0`).
    no_barrier: bool,
    /// An ext4 without a journal.
    no_journal: bool,
    /// A drive holds writes in a volatile cache.
    volatile_cache: bool,
    /// A drive is a hypervisor's.
    is_virtual: bool,
    honesty: Honesty,
    /// acks=all waits for stable storage.
    stable: bool,
}

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    let facts = probe(&place::nearest(&plan.data_dir), plan.acks_all_is_stable);
    vec![none(), leader(facts), all(facts)]
}

fn probe(dir: &Path, stable: bool) -> Facts {
    let mount = mount_of(dir).ok();
    let device = mount.as_ref().and_then(|mount| mount.device.as_deref());
    let blocks: Vec<Block> = device.map(blocks_under).unwrap_or_default();
    let has = |option| mount.as_ref().is_some_and(|mount| mount.has(option));
    Facts {
        kind: mount.as_ref().map_or(Kind::Unknown, |mount| kind_of(&mount.fs_type)),
        no_barrier: has("barrier=0") || has("nobarrier"),
        no_journal: mount.as_ref().and_then(file_system::journal) == Some(false),
        volatile_cache: blocks.iter().any(|block| block.write_cache.as_deref() == Some("write back")),
        is_virtual: blocks.iter().any(|block| block.is_virtual),
        honesty: honesty_of(dir).unwrap_or(Honesty::Untold),
        stable,
    }
}

fn none() -> Finding {
    Finding::ok(
        "acks=0",
        "promises nothing: the client does not wait, so a record may be lost on the way, in the socket, or refused \
         unseen; what did arrive stands as with acks=1",
    )
}

fn leader(facts: Facts) -> Finding {
    let found = if facts.kind == Kind::Memory {
        "the broker killed: survives; the kernel stops, the power goes: lost, for this file system is memory"
            .to_owned()
    } else {
        "the broker killed: survives, it is in the page cache; the kernel stops, the power goes: what was not yet \
         written out is lost (some seconds' worth; flush.ms and flush.messages bound it)"
            .to_owned()
    };
    Finding::ok("acks=1", found)
}

fn all(facts: Facts) -> Finding {
    const CHECK: &str = "acks=all";
    if !facts.stable {
        return Finding::better(
            CHECK,
            "means the page cache here (pagewire.acks.all.meaning=page-cache): survives what acks=1 survives, no more",
            "pagewire.acks.all.meaning=stable waits for one sync shared by all who wait",
        );
    }
    let (state, power, advice) = power_cut(facts);
    let kernel = if facts.kind == Kind::Memory { "lost" } else { "survives, it was synced" };
    let found = format!("the broker killed: survives; the kernel stops: {kernel}; the power goes: {power}");
    Finding::new(CHECK, state, found, advice)
}

/// What a power cut does to a synced record.
fn power_cut(facts: Facts) -> (State, String, &'static str) {
    let lost = |why: &str, advice| (State::Broken, format!("lost, {why}"), advice);
    match facts.kind {
        Kind::Memory => return lost("for this file system is memory", "keep data on a drive (--data-dir)"),
        _ if facts.no_barrier => {
            return lost(
                "unless the drive's cache has a battery, for the file system is mounted without barriers",
                "mount it with barriers",
            );
        }
        Kind::Remote => {
            let power = "what the machine behind this file system makes of a sync".to_owned();
            return (
                State::CouldBeBetter,
                power,
                "make sure that it exports with sync, and that its drives keep it",
            );
        }
        Kind::Overlay => {
            let power =
                "as the drive under the container's layer keeps it, and gone with the container".to_owned();
            return (State::CouldBeBetter, power, "mount a volume for the data directory");
        }
        Kind::Ordinary | Kind::CopyOnWrite | Kind::Unknown => {}
    }
    if facts.honesty == Honesty::TooFast {
        return (
            State::CouldBeBetter,
            "doubtful, for syncs are faster here than such a drive can write".to_owned(),
            "see the line fdatasync",
        );
    }
    (State::Ok, survives(facts), "")
}

fn survives(facts: Facts) -> String {
    let mut text = "survives".to_owned();
    text += if facts.volatile_cache {
        ", if the drive keeps its word on flush (its cache is volatile by its own word; whether a battery guards it \
         cannot be told)"
    } else {
        ", if the drive's cache is as safe as it says or as the kernel believes"
    };
    if facts.is_virtual {
        text += ", and the hypervisor hands the flush on";
    }
    if facts.no_journal {
        text += "; the file system has no journal and must be checked (e2fsck) before it is mounted again";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRIVE: Facts = Facts {
        kind: Kind::Ordinary,
        no_barrier: false,
        no_journal: false,
        volatile_cache: true,
        is_virtual: false,
        honesty: Honesty::Plausible,
        stable: true,
    };

    #[test]
    fn a_synced_record_on_a_drive_survives_a_power_cut_on_a_condition_that_is_said() {
        let finding = all(DRIVE);
        assert_eq!(finding.state, State::Ok);
        assert!(finding.found.contains("power goes: survives, if the drive keeps its word"), "{finding:?}");
        let guest = all(Facts { is_virtual: true, no_journal: true, ..DRIVE });
        assert!(guest.found.contains("hypervisor") && guest.found.contains("e2fsck"), "{guest:?}");
    }

    #[test]
    fn what_a_power_cut_takes_is_broken() {
        for facts in [Facts { kind: Kind::Memory, ..DRIVE }, Facts { no_barrier: true, ..DRIVE }] {
            let finding = all(facts);
            assert!(
                finding.state == State::Broken && finding.found.contains("power goes: lost"),
                "{finding:?}"
            );
        }
        assert!(leader(Facts { kind: Kind::Memory, ..DRIVE }).found.contains("memory"));
    }

    #[test]
    fn what_cannot_be_promised_could_be_better() {
        for facts in [
            Facts { honesty: Honesty::TooFast, ..DRIVE },
            Facts { kind: Kind::Remote, ..DRIVE },
            Facts { kind: Kind::Overlay, ..DRIVE },
        ] {
            assert_eq!(all(facts).state, State::CouldBeBetter, "{facts:?}");
        }
    }

    #[test]
    fn the_meaning_of_acks_all_that_is_configured_is_what_is_said() {
        let finding = all(Facts { stable: false, ..DRIVE });
        assert!(finding.state == State::CouldBeBetter && finding.found.contains("page cache"), "{finding:?}");
    }
}
