//! How far a log had come whose recovery point is lost. Nobody knows which bytes at its end were stable and which are what was being
//! written, so whoever else knows that an offset was given out is heard.
//!
//! ```text
//!   high watermark    a checkpoint: surely, where its checksum is right
//!   snapshot          of the producers, with a checksum: it is written when the log has come to its offset
//!   leader epoch      began where the log ended: surely, where an orderly stop vouches for the file
//!                     what is sure counts, and so does what two say;
//!                     what one says alone counts for bytes that are no batches, if so many offsets fit into them
//! ```
//!
//! One digit gone bad moves no log's end. An offset too many is the smaller evil beside one that is given out twice.

use pagewire_disk::EpochCheckpoint;

use crate::epochs::{self, Epochs};
use crate::files::ProducerSnapshot;
use crate::home::Home;
use crate::open::good::most_behind;
use crate::open::witnesses::OFFSET_MAX;
use crate::segment::names;

/// Bytes up to the end of a segment that are no batches, and the offset of the first record that should be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ragged {
    pub(crate) offset: i64,
    pub(crate) bytes: u64,
}

/// Up to which offset somebody says that a log had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    upto: i64,
    /// It is what was written.
    sure: bool,
}

/// What is said of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard([Option<Word>; 3]);

impl Heard {
    /// Nobody said anything.
    pub(crate) const NOBODY: Self = Self([None; 3]);

    /// Whoever knows of the log at `home`, in which these snapshots lie, oldest first. What cannot be read says nothing.
    pub(crate) fn of(home: &Home, snapshots: &[i64]) -> Self {
        let watermark = home.high_watermark().map(|upto| Word { upto, sure: home.watermark_is_certain() });
        let newest = snapshots.iter().rev().find(|offset| is_right(home, **offset));
        let snapshot = newest.map(|upto| Word { upto: *upto, sure: true });
        let heard = [watermark, snapshot, epoch(home)];
        Self(heard.map(|word| word.filter(|word| word.upto <= OFFSET_MAX)))
    }

    /// Up to where offsets were given out, if these bytes at the end of the log are none of its batches.
    pub(crate) fn given_out(&self, ragged: Option<Ragged>) -> i64 {
        let fit = ragged.map_or(0, |Ragged { offset, bytes }| most_behind(offset, bytes));
        let upto = |word: &Word| word.upto;
        let counts = |word: &&Word| {
            word.sure || word.upto <= fit || self.words().filter(|other| other.upto >= word.upto).count() > 1
        };
        self.words().filter(counts).map(upto).max().unwrap_or(0)
    }

    fn words(&self) -> impl Iterator<Item = &Word> {
        self.0.iter().flatten()
    }
}

/// Whether the snapshot of this offset is whole, and of no record behind it.
fn is_right(home: &Home, offset: i64) -> bool {
    let read = ProducerSnapshot::read(&*home.disk, &home.path(offset, names::SNAPSHOT));
    read.is_ok_and(|snapshot| {
        snapshot.is_some_and(|snapshot| snapshot.producers.iter().all(|one| one.last_offset < offset))
    })
}

/// Where the newest leader epoch began.
fn epoch(home: &Home) -> Option<Word> {
    let read = EpochCheckpoint::read(&*home.disk, &home.dir.join(epochs::FILE));
    let epochs = Epochs::new(read.ok().flatten()?.entries);
    let upto = epochs.entries().last()?.start_offset;
    Some(Word { upto, sure: home.vouched.is_some_and(|vouched| vouched.epochs == epochs.sum()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(said: [Option<(i64, bool)>; 3]) -> Heard {
        Heard(said.map(|word| word.map(|(upto, sure)| Word { upto, sure })))
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
}
