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

use crate::disk::sync::{Honesty, Measured};
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
    cache: Cache,
    /// A drive is a hypervisor's.
    is_virtual: bool,
    /// How syncs behave; `None` where none could be measured.
    honesty: Option<Honesty>,
    /// acks=all waits for stable storage.
    stable: bool,
}

/// What the drives say of their caches. The least safe one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cache {
    /// One holds writes until it is flushed.
    Volatile,
    /// All have what they answered: the kernel sends no flush.
    Through,
    /// No drive is to be seen, or one does not say.
    Untold,
}

impl Cache {
    fn of(blocks: &[Block]) -> Self {
        let words = || blocks.iter().map(|block| block.write_cache.as_deref().filter(|_| block.is_drive()));
        if blocks.is_empty() || words().any(|word| !matches!(word, Some("write back" | "write through"))) {
            Self::Untold
        } else if words().any(|word| word == Some("write back")) {
            Self::Volatile
        } else {
            Self::Through
        }
    }
}

/// Goes by the syncs that the line fdatasync measured.
pub(crate) fn look(plan: &Plan, measured: &Measured) -> Vec<Finding> {
    let honesty = measured.get().copied();
    let facts = probe(&place::nearest(&plan.data_dir), honesty, plan.acks_all_is_stable);
    vec![none(), leader(facts), all(facts)]
}

fn probe(dir: &Path, honesty: Option<Honesty>, stable: bool) -> Facts {
    let mount = mount_of(dir).ok();
    let device = mount.as_ref().and_then(|mount| mount.device.as_deref());
    let blocks: Vec<Block> = device.map(blocks_under).unwrap_or_default();
    let has = |option| mount.as_ref().is_some_and(|mount| mount.has(option));
    Facts {
        kind: mount.as_ref().map_or(Kind::Unknown, |mount| kind_of(&mount.fs_type)),
        no_barrier: has("barrier=0") || has("nobarrier"),
        no_journal: mount.as_ref().and_then(file_system::journal) == Some(false),
        cache: Cache::of(&blocks),
        is_virtual: blocks.iter().any(|block| block.is_virtual),
        honesty,
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
    if facts.honesty == Some(Honesty::TooFast) {
        return (
            State::CouldBeBetter,
            "doubtful, for syncs are faster here than such a drive can write".to_owned(),
            "see the line fdatasync",
        );
    }
    match untold(facts) {
        Some((why, advice)) => (State::CouldBeBetter, format!("cannot be told: {why}"), advice),
        None => (State::Ok, survives(facts), ""),
    }
}

/// What is missing for a word about power cuts, and what to do about it.
fn untold(facts: Facts) -> Option<(&'static str, &'static str)> {
    if facts.kind == Kind::Unknown {
        return Some((
            "this kind of file system is not known here",
            "ext4 and xfs on a drive keep what they sync",
        ));
    }
    if facts.cache == Cache::Untold {
        return Some((
            "no drive that says anything of its write cache can be seen under this file system",
            "look on the host for the drive, and whether its write cache is flushed or protected",
        ));
    }
    facts.honesty.is_none().then_some(("no sync could be measured", "see the line fdatasync"))
}

fn survives(facts: Facts) -> String {
    let condition = match (facts.cache, facts.is_virtual) {
        (Cache::Through, true) => {
            "the hypervisor has a write on stable storage before it answers: it calls its drive's cache written through, \
             so the kernel sends it no flush, and nothing here can check that"
        }
        (Cache::Through, false) => {
            "the drive's cache is as safe as it says or as the kernel believes: it is sent no flush"
        }
        (Cache::Volatile | Cache::Untold, _) => {
            "the drive keeps its word on flush (its cache is volatile by its own word; whether a battery guards it cannot \
             be told)"
        }
    };
    let mut text = format!("survives, if {condition}");
    if facts.is_virtual && facts.cache == Cache::Volatile {
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
        cache: Cache::Volatile,
        is_virtual: false,
        honesty: Some(Honesty::Plausible),
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
            Facts { honesty: Some(Honesty::TooFast), ..DRIVE },
            Facts { kind: Kind::Remote, ..DRIVE },
            Facts { kind: Kind::Overlay, ..DRIVE },
        ] {
            assert_eq!(all(facts).state, State::CouldBeBetter, "{facts:?}");
        }
    }

    #[test]
    fn without_evidence_nothing_survives() {
        for facts in [
            Facts { kind: Kind::Unknown, ..DRIVE },
            Facts { cache: Cache::Untold, ..DRIVE },
            Facts { honesty: None, ..DRIVE },
        ] {
            let finding = all(facts);
            assert_eq!(finding.state, State::CouldBeBetter, "{finding:?}");
            assert!(finding.found.contains("power goes: cannot be told"), "{finding:?}");
            assert!(!finding.advice.is_empty(), "{finding:?}");
        }
    }

    #[test]
    fn a_drive_that_writes_through_is_said_to_get_no_flush() {
        let through = Facts { cache: Cache::Through, honesty: Some(Honesty::Untold), ..DRIVE };
        assert!(all(through).found.contains("sent no flush"));
        let guest = all(Facts { is_virtual: true, ..through });
        assert!(guest.found.contains("the kernel sends it no flush"), "{guest:?}");
        assert!(!guest.found.contains("hands the flush on"), "{guest:?}");
    }

    #[test]
    fn the_least_safe_cache_counts_and_only_a_drive_has_a_word() {
        let block = |name: &str, cache: Option<&str>| Block {
            name: name.to_owned(),
            model: None,
            is_virtual: false,
            rotates: false,
            write_cache: cache.map(str::to_owned),
            scheduler: None,
            sector_bytes: None,
            is_misaligned: false,
        };
        let (back, through) = (block("sda", Some("write back")), block("sdb", Some("write through")));
        assert_eq!(Cache::of(&[through.clone(), back.clone()]), Cache::Volatile);
        assert_eq!(Cache::of(std::slice::from_ref(&through)), Cache::Through);
        for other in [block("loop0", Some("write through")), block("sdc", None)] {
            assert_eq!(Cache::of(&[back.clone(), other]), Cache::Untold);
        }
        assert_eq!(Cache::of(&[]), Cache::Untold);
    }

    #[test]
    fn the_meaning_of_acks_all_that_is_configured_is_what_is_said() {
        let finding = all(Facts { stable: false, ..DRIVE });
        assert!(finding.state == State::CouldBeBetter && finding.found.contains("page cache"), "{finding:?}");
    }
}
