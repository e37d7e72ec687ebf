//! What one file holds for certain, what was done to it since, and what a power cut makes of the two.
//!
//! ```text
//!            sector   0     1     2     3
//!   synced           AAAA  AAAA  A                    length 9
//!   write                  BBBB  BBBB  B              length 13
//!   cut                    BB                         length 6
//!   write                  BBCC  CCCC                 length 12
//!   platter  (one)   AAAA  AAAA  CCCC                 sector 1 never arrived, 2 and the length did
//!            (other) AAAA  BBCC  A                    the length is the old one
//! ```
//!
//! A sector reaches the platter whole, as it was after any of the steps that changed it, or not at all; so does the
//! length, apart from all sectors. Where the length arrived and a sector did not, the file shows what was there before
//! (also from behind an earlier end), zeros, or what the blocks held for whoever owned them before: file systems
//! differ, a log must not.

use super::chance::Chance;

/// Bytes that a disk writes whole.
pub(super) const SECTOR: usize = 512;

/// How many of 256 steps reach the platter before the power goes. Drawn for each file, so that one may have everything
/// and another nothing.
const ARRIVALS: [u64; 6] = [0, 16, 128, 128, 240, 256];

/// One change of a file's bytes.
#[derive(Debug, Clone)]
enum Step {
    Write { offset: u64, bytes: Vec<u8> },
    Length(u64),
}

/// The bytes of one file as of its last sync, and the steps since then, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal {
    kept: Vec<u8>,
    steps: Vec<Step>,
}

impl Journal {
    /// A file of which all is on the platter.
    pub(super) fn synced_as(kept: Vec<u8>) -> Self {
        Self { kept, steps: Vec::new() }
    }

    pub(super) fn write(&mut self, offset: u64, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.steps.push(Step::Write { offset, bytes });
        }
    }

    pub(super) fn set_len(&mut self, len: u64) {
        self.steps.push(Step::Length(len));
    }

    pub(super) fn sync(&mut self) {
        for step in self.steps.drain(..) {
            apply(&mut self.kept, &step);
        }
    }

    /// What the file holds after the power went, if every sector fares as `chance` has it.
    pub(super) fn after_power_cut(&self, mut chance: Chance) -> Vec<u8> {
        let arrivals = ARRIVALS.get(chance.below(ARRIVALS.len() as u64) as usize).copied().unwrap_or(0);
        let junk = chance.hits(32);
        let mut seen = self.kept.clone();
        let mut platter = Platter::new(&self.kept);
        for step in &self.steps {
            for sector in apply(&mut seen, step) {
                if chance.hits(arrivals) {
                    platter.take(sector, &seen);
                }
            }
            if chance.hits(arrivals) {
                platter.len = seen.len();
            }
        }
        platter.read(junk.then_some(&mut chance))
    }

    /// What the file holds if nothing but its syncs reached the platter.
    pub(super) fn kept(&self) -> &[u8] {
        &self.kept
    }
}

/// Changes `bytes`; which sectors the step touched.
fn apply(bytes: &mut Vec<u8>, step: &Step) -> std::ops::Range<usize> {
    let (start, end) = match step {
        Step::Write { offset, bytes: new } => {
            let start = *offset as usize;
            let end = start + new.len();
            let before = bytes.len();
            bytes.resize(before.max(end), 0);
            if let Some(target) = bytes.get_mut(start..end) {
                target.copy_from_slice(new);
            }
            (start.min(before), end)
        }
        Step::Length(len) => {
            let (before, len) = (bytes.len(), *len as usize);
            bytes.resize(len, 0);
            (before.min(len), before.max(len))
        }
    };
    start / SECTOR..end.div_ceil(SECTOR)
}

/// The file on the disk: its blocks, some of which may lie behind its end.
struct Platter {
    blocks: Vec<u8>,
    /// Whether anything of this file was ever written to a sector.
    ours: Vec<bool>,
    len: usize,
}

impl Platter {
    fn new(kept: &[u8]) -> Self {
        let sectors = kept.len().div_ceil(SECTOR);
        let mut blocks = kept.to_vec();
        blocks.resize(sectors * SECTOR, 0);
        Self { blocks, ours: vec![true; sectors], len: kept.len() }
    }

    fn take(&mut self, sector: usize, seen: &[u8]) {
        let (start, end) = (sector * SECTOR, (sector + 1) * SECTOR);
        if self.blocks.len() < end {
            self.blocks.resize(end, 0);
            self.ours.resize(sector + 1, false);
        }
        if let (Some(block), Some(ours)) = (self.blocks.get_mut(start..end), self.ours.get_mut(sector)) {
            block.fill(0);
            let new = seen.get(start.min(seen.len())..end.min(seen.len())).unwrap_or_default();
            block.iter_mut().zip(new).for_each(|(old, new)| *old = *new);
            *ours = true;
        }
    }

    /// The bytes up to the length; sectors nobody wrote are zeros, or junk.
    fn read(mut self, mut junk: Option<&mut Chance>) -> Vec<u8> {
        self.blocks.resize(self.len.next_multiple_of(SECTOR), 0);
        self.ours.resize(self.blocks.len() / SECTOR, false);
        for (block, ours) in self.blocks.chunks_mut(SECTOR).zip(&self.ours) {
            if let (false, Some(junk)) = (ours, &mut junk) {
                junk.junk(block);
            }
        }
        self.blocks.truncate(self.len);
        self.blocks
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SEEDS: u64 = 2000;

    fn outcomes(journal: &Journal) -> BTreeSet<Vec<u8>> {
        (1..SEEDS).map(|seed| journal.after_power_cut(Chance::new(seed))).collect()
    }

    fn sectors(bytes: &[u8]) -> Vec<u8> {
        bytes.chunks(SECTOR).map(|sector| sector[0]).collect()
    }

    #[test]
    fn every_sector_is_kept_or_lost_on_its_own() {
        let mut journal = Journal::synced_as(vec![1; 3 * SECTOR]);
        journal.write(0, vec![2; 3 * SECTOR]);
        let found: BTreeSet<_> = outcomes(&journal).iter().map(|bytes| sectors(bytes)).collect();
        assert_eq!(found.len(), 8, "all mixtures: {found:?}");
    }

    #[test]
    fn a_sector_may_be_as_it_was_between_two_writes() {
        let mut journal = Journal::synced_as(vec![1; SECTOR]);
        journal.write(0, vec![2; SECTOR]);
        journal.write(0, vec![3; SECTOR]);
        let found: BTreeSet<_> = outcomes(&journal).iter().map(|bytes| bytes[0]).collect();
        assert_eq!(found, BTreeSet::from([1, 2, 3]));
    }

    #[test]
    fn a_file_may_be_longer_than_what_arrived_of_it_and_shorter() {
        let mut journal = Journal::synced_as(vec![1; 100]);
        journal.write(100, vec![2; 2 * SECTOR]);
        let found = outcomes(&journal);
        assert!(found.iter().any(|bytes| bytes.len() == 100), "the length did not arrive");
        let long: BTreeSet<_> = found.iter().filter(|bytes| bytes.len() > 100).map(|b| b[600]).collect();
        assert!(long.contains(&0) && long.contains(&2), "zeros or data: {long:?}");
        assert!(long.len() > 2, "or what the blocks held before: {long:?}");
        assert!(found.iter().all(|bytes| bytes[..100] == [1; 100]), "what was synced stays");
    }

    #[test]
    fn what_lay_behind_a_cut_may_show_again() {
        let mut journal = Journal::synced_as(vec![1; 3 * SECTOR]);
        journal.set_len(SECTOR as u64);
        journal.write(SECTOR as u64, vec![2; 2 * SECTOR]);
        let found: BTreeSet<_> = outcomes(&journal).iter().map(|bytes| sectors(bytes)).collect();
        assert!(found.contains(&vec![1, 2, 1]), "the cut and half of the write: {found:?}");
        assert!(found.contains(&vec![1, 0, 0]), "the cut, then zeros: {found:?}");
        assert!(found.contains(&vec![1]), "the cut alone: {found:?}");
    }

    #[test]
    fn after_a_sync_there_is_one_outcome() {
        let mut journal = Journal::default();
        journal.write(700, vec![2; 300]);
        journal.set_len(900);
        journal.sync();
        let expected = [vec![0; 700], vec![2; 200]].concat();
        assert_eq!(outcomes(&journal), BTreeSet::from([expected]));
    }
}
