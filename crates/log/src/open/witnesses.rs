//! How far a log had come, by all that lies beside its segments: asked where these are gone, or where its recovery point is lost, so
//! that nobody knows which bytes at its end were stable and which are what was being written. An offset that was given out is not
//! given out again. Not asked where the end of a file was torn past a recovery point: what no sync had reached may go, and a log
//! goes on where it ends.
//!
//! ```text
//!   recovery point       a checkpoint: surely, where its checksum is right; what no checkpoint names says nothing
//!   high watermark       the same
//!   snapshot             of the producers, with a checksum: it is written when the log has come to its offset
//!   leader epoch         began where the log ended: surely, where an orderly stop vouches for the file
//!   pagewire-compacted   where segments ended that compaction wrote, with checksums
//!   index                of a segment that is gone: as far as its entries can be true beside each other
//! ```
//!
//! What is sure counts, and so does what two say. What one says alone counts for what is not there any more, if so many offsets fit
//! into it: into bytes that are no batches 64 for each, into segments that are gone whatever there is. One digit gone bad moves the
//! end of no log that has its bytes. An offset too many is the smaller evil beside one that is given out twice.

use std::path::Path;

use pagewire_disk::{Disk, EpochCheckpoint};

use crate::epochs::{self, Epochs};
use crate::files::ProducerSnapshot;
use crate::home::Home;
use crate::open::good::most_behind;
use crate::open::orphans::Orphan;
use crate::rewritten::Rewritten;
use crate::segment::names;

/// A log does not go on so close to the last offset there is, whoever says so.
pub(crate) const OFFSET_MAX: i64 = i64::MAX - (1 << 32);

/// Bytes up to the end of a segment that are no batches, and the offset of the first record that should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ragged {
    pub(crate) offset: i64,
    pub(crate) bytes: u64,
}

/// Up to which offset somebody says that a log had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    upto: i64,
    /// It is what was written.
    sure: bool,
}

impl Word {
    /// `sure`: a checksum says that it is what was written.
    pub(crate) fn new(upto: i64, sure: bool) -> Self {
        Self { upto, sure }
    }
}

/// What is known before anybody looks into the partition's directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checkpointed {
    pub(crate) recovery_point: Option<Word>,
    pub(crate) high_watermark: Option<Word>,
    /// The sum of the leader epochs, where an orderly stop vouches for them.
    pub(crate) epochs: Option<u32>,
}

impl Checkpointed {
    /// Of the log at `home`; of a recovery point that nobody knows there is none.
    pub(crate) fn of(home: &Home, recovery_point: i64) -> Self {
        let point = Word::new(recovery_point, home.recovery_is_certain());
        Self {
            recovery_point: home.recovery_known().then_some(point),
            high_watermark: home.high_watermark().map(|upto| Word::new(upto, home.watermark_is_certain())),
            epochs: home.vouched.map(|vouched| vouched.epochs),
        }
    }
}

/// What is said of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard([Option<Word>; 6]);

impl Heard {
    /// Nobody said anything.
    pub(crate) const NOBODY: Self = Self([None; 6]);

    /// Whoever knows of the log in `dir`, in which these `snapshots` lie, oldest first, and perhaps indexes of segments that are
    /// gone. What cannot be read says nothing.
    pub(crate) fn of(
        (disk, dir): (&dyn Disk, &Path),
        said: Checkpointed,
        snapshots: &[i64],
        gone: &[Orphan],
    ) -> Self {
        let newest = snapshots.iter().rev().find(|offset| is_right(disk, dir, **offset));
        let compacted = Rewritten::read(disk, dir).ok().flatten().and_then(|said| said.reached());
        Self([
            said.recovery_point,
            said.high_watermark,
            newest.map(|upto| Word::new(*upto, true)),
            epoch(disk, dir, said.epochs),
            compacted.map(|upto| Word::new(upto, true)),
            gone.iter().map(|gone| Word::new(gone.upto, false)).max_by_key(|gone| gone.upto),
        ])
    }

    /// Up to where offsets were given out, if these bytes at the end of the log are none of its batches.
    pub(crate) fn given_out(&self, ragged: Option<Ragged>) -> i64 {
        self.counting(ragged.map_or(0, |Ragged { offset, bytes }| most_behind(offset, bytes)))
    }

    /// The same of a log whose segments are gone.
    pub(crate) fn given_out_of_gone(&self) -> i64 {
        self.counting(OFFSET_MAX)
    }

    /// `fit`: what was lost may have come so far.
    fn counting(&self, fit: i64) -> i64 {
        let counts = |word: &&Word| {
            word.sure || word.upto <= fit || self.words().filter(|other| other.upto >= word.upto).count() > 1
        };
        self.words().filter(counts).map(|word| word.upto).max().unwrap_or(0)
    }

    fn words(&self) -> impl Iterator<Item = &Word> {
        self.0.iter().flatten().filter(|word| word.upto <= OFFSET_MAX)
    }
}

/// Whether the snapshot of this offset is whole, and of no record behind it.
fn is_right(disk: &dyn Disk, dir: &Path, offset: i64) -> bool {
    let read = ProducerSnapshot::read(disk, &names::path(dir, offset, names::SNAPSHOT));
    read.is_ok_and(|snapshot| {
        snapshot.is_some_and(|snapshot| snapshot.producers.iter().all(|one| one.last_offset < offset))
    })
}

/// Where the newest leader epoch began.
fn epoch(disk: &dyn Disk, dir: &Path, vouched: Option<u32>) -> Option<Word> {
    let read = EpochCheckpoint::read(disk, &dir.join(epochs::FILE));
    let epochs = Epochs::new(read.ok().flatten()?.entries);
    let upto = epochs.entries().last()?.start_offset;
    Some(Word::new(upto, vouched == Some(epochs.sum())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(said: [Option<(i64, bool)>; 3]) -> Heard {
        let mut heard = Heard::NOBODY;
        for (word, said) in heard.0.iter_mut().zip(said) {
            *word = said.map(|(upto, sure)| Word::new(upto, sure));
        }
        heard
    }

    #[test]
    fn what_is_sure_counts_and_so_does_what_two_say() {
        assert_eq!(Heard::NOBODY.given_out(None), 0);
        assert_eq!(heard([Some((20, true)), Some((7, true)), None]).given_out(None), 20);
        assert_eq!(heard([Some((20, false)), None, Some((12, false))]).given_out(None), 12);
        assert_eq!(heard([Some((12, false)), None, Some((12, false))]).given_out(None), 12);
        assert_eq!(heard([Some((20, false)), Some((30, true)), None]).given_out(None), 30);
    }

    #[test]
    fn what_one_says_alone_moves_no_end_but_that_of_bytes_in_which_so_many_offsets_fit() {
        let alone = heard([Some((1 << 40, false)), None, None]);
        assert_eq!((alone.given_out(None), heard([Some((20, false)), None, None]).given_out(None)), (0, 0));
        let ragged = Some(Ragged { offset: 3, bytes: 100 });
        assert_eq!(alone.given_out(ragged), 0);
        assert_eq!(heard([Some((20, false)), None, None]).given_out(ragged), 20);
    }

    #[test]
    fn of_segments_that_are_gone_the_highest_counts_whoever_says_it() {
        assert_eq!(Heard::NOBODY.given_out_of_gone(), 0);
        assert_eq!(heard([Some((1 << 40, false)), Some((7, true)), None]).given_out_of_gone(), 1 << 40);
    }

    /// Neither what is sure, nor what two say, nor of segments that are gone.
    #[test]
    fn a_number_near_the_last_offset_there_is_moves_no_end() {
        for near in [OFFSET_MAX + 1, i64::MAX - 1, i64::MAX] {
            for said in [[Some((near, true)), None, None], [Some((near, false)), Some((near, false)), None]] {
                let [first, second, _] = said;
                let beside = heard([first, second, Some((9, true))]);
                let ragged = Some(Ragged { offset: near - 1, bytes: 100 });
                assert_eq!((beside.given_out(None), beside.given_out(ragged)), (9, 9));
                assert_eq!((beside.given_out_of_gone(), heard(said).given_out_of_gone()), (9, 0));
            }
        }
    }
}
