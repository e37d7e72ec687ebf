//! One partition: its batches, and between which offsets its ends may lie after a crash.
//!
//! ```text
//!   start_promised <= start <= start_seen            stable <= floor <= end <= end + doubtful
//! ```
//!
//! `floor` is what must be there at the next look: everything that was answered, or after a power cut what was synced.
//! `doubtful` was on its way when the process died: nobody heard of it, so it may be there or not, from its end backwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use pagewire_log::Marks;
use uuid::Uuid;

use super::{Fate, Harm, Known, Sent, fates, replay};

/// No log ends so far behind what was written, whatever becomes of its batches and of the indexes beside them: an entry can say
/// no more, and of what a power cut makes of one nobody can tell that it is a lie.
const REACH: i64 = i32::MAX as i64;

#[derive(Debug, Clone)]
pub(crate) struct Partition {
    pub(crate) topic: &'static str,
    pub(crate) number: i32,
    /// Which log directory it is in.
    pub(crate) place: usize,
    /// As the metadata has it; `None`: there is no such topic.
    pub(crate) id: Option<Uuid>,
    /// Making it was answered.
    pub(crate) made: bool,
    /// Everything ever appended and not lost, the oldest also when it is deleted.
    pub(crate) batches: Vec<Sent>,
    pub(crate) doubtful: Vec<Sent>,
    pub(crate) start: i64,
    pub(crate) start_promised: i64,
    pub(crate) start_seen: i64,
    pub(crate) end: i64,
    pub(crate) floor: i64,
    pub(crate) stable: i64,
    /// Above this nothing was removed by compaction.
    pub(crate) clean_to: i64,
    /// What happened to its files behind its back.
    pub(crate) harm: Harm,
    /// Segments that another program wrote to.
    pub(crate) others: BTreeSet<i64>,
    /// Its directory was taken away, to this place.
    pub(crate) aside: Option<PathBuf>,
    /// It was put back, and no process has closed it in order since.
    pub(crate) was_aside: bool,
    /// When it was taken away, a checkpoint said that it had records.
    pub(crate) is_known_to_be_aside: bool,
    /// A segment of somebody else's was put among its own, and no start has looked at it since.
    pub(crate) has_stray: bool,
    /// Files that keep what starts cut from it, and what is in them.
    pub(crate) set_aside: BTreeMap<PathBuf, Vec<u8>>,
}

impl Partition {
    pub(crate) fn new(topic: &'static str, number: i32, place: usize) -> Self {
        Self {
            topic,
            number,
            place,
            id: None,
            made: false,
            batches: Vec::new(),
            doubtful: Vec::new(),
            start: 0,
            start_promised: 0,
            start_seen: 0,
            end: 0,
            floor: 0,
            stable: 0,
            clean_to: 0,
            harm: Harm::default(),
            others: BTreeSet::new(),
            aside: None,
            was_aside: false,
            is_known_to_be_aside: false,
            has_stray: false,
            set_aside: BTreeMap::new(),
        }
    }

    /// These are on their way: one append.
    pub(crate) fn sends(&mut self, sent: Vec<Sent>, leader_epoch: i32) {
        let mut base = self.end;
        for one in sent {
            let one = one.placed(base, leader_epoch);
            base = one.end();
            self.doubtful.push(one);
        }
    }

    /// The append was answered.
    pub(crate) fn sent(&mut self) {
        self.batches.append(&mut self.doubtful);
        self.end = self.batches.last().map_or(self.end, Sent::end);
        self.floor = self.end;
    }

    /// The append was refused.
    pub(crate) fn refused(&mut self) {
        self.doubtful.clear();
    }

    /// What the process says before it goes; what it says is stable was promised to somebody.
    pub(crate) fn note(&mut self, marks: Marks) {
        self.stable = self.stable.max(marks.recovery_point);
        self.start_seen = self.start_seen.max(marks.log_start);
        // A clean may have come to its end without anybody hearing of it, though never above what is stable.
        self.clean_to = self.clean_to.max(self.stable);
    }

    pub(crate) fn lose_power(&mut self) {
        self.floor = self.stable;
    }

    /// Takes what a start found for the truth, if it may be.
    ///
    /// A log of which less is left than was deleted is begun again at its start, wherever in a batch that is.
    pub(crate) fn settle(&mut self, marks: Marks) {
        let Marks { log_start, log_end, .. } = marks;
        let written = self.doubtful.last().map_or(self.end, Sent::end);
        // Where a header was destroyed a record's batch may be taken for the log's own, or a base offset that lies: better than
        // offsets given out twice.
        let reach = if self.harm.is_none() { written } else { written + REACH };
        assert!(
            (self.floor..=reach).contains(&log_end),
            "{}: ends at {log_end}, which is not in {}..={reach}, of which {written} were written: {marks:?}",
            self.topic,
            self.floor,
        );
        assert!(
            (self.start_promised..=self.start_seen).contains(&log_start),
            "{}: starts at {log_start}, which is not in {}..={}: {marks:?}",
            self.topic,
            self.start_promised,
            self.start_seen,
        );
        self.batches.append(&mut self.doubtful);
        let whole = self.batches.partition_point(|sent| sent.end() <= log_end);
        let cut_inside = self.batches.get(whole).is_some_and(|sent| sent.base < log_end);
        // Of a segment that is gone, what else names an offset says where the log goes on.
        let may = log_start == log_end || self.harm.hits(log_end) || self.harm.hits(log_end - 1);
        // The offset of a batch in a record may be what is left of one that was never stable.
        let by_a_record = cut_inside && !may && !self.harm.is_none();
        assert!(!cut_inside || may || by_a_record, "{}: ends at {log_end}, inside of a batch", self.topic);
        self.batches.truncate(whole);
        self.harm.end_at(log_end);
        if by_a_record {
            self.harm.lose(self.batches.last().map_or(log_start, Sent::end)..log_end);
        }
        if written < log_end {
            self.harm.lose(written..log_end);
        }
        (self.start, self.start_seen) = (log_start, log_start);
        (self.end, self.floor) = (log_end, log_end);
    }

    /// Another program has cut what was torn behind this offset.
    pub(crate) fn is_cut_at(&mut self, end: i64) {
        self.batches.append(&mut self.doubtful);
        self.batches.retain(|sent| sent.end() <= end);
        self.end = self.batches.last().map_or(end, Sent::end).max(self.start);
        assert_eq!(self.end, end, "{}: the file ends elsewhere", self.topic);
        self.is_all_there();
    }

    /// Another program has written this, for good.
    pub(crate) fn is_written(&mut self, sent: Sent) {
        self.end = sent.end();
        self.batches.push(sent);
        self.is_all_there();
    }

    fn is_all_there(&mut self) {
        (self.floor, self.stable) = (self.end, self.end);
    }

    /// What it was when it began and ended there.
    pub(crate) fn as_of(&self, start: i64, end: i64) -> Self {
        let batches = self.batches.iter().take_while(|sent| sent.end() <= end).cloned().collect();
        Self { batches, doubtful: Vec::new(), start, end, ..self.clone() }
    }

    /// Batches that can be read.
    pub(crate) fn readable(&self) -> &[Sent] {
        let first = self.batches.partition_point(|sent| sent.end() <= self.start);
        &self.batches[first..]
    }

    /// The batches of a producer that are known if they come again: its last ones, newest first.
    ///
    /// Of a compacted log the last one; what was removed is not found again after a restart. After a restart nothing is
    /// looked for behind a sequence of 0 either, which may be the 2^31st as well as the first.
    pub(crate) fn known_again(&self, id: i64, compacted: bool) -> Vec<&Sent> {
        let own = self
            .readable()
            .iter()
            .rev()
            .filter(|sent| sent.header.producer_id == id && sent.marker.is_none());
        let epoch = self.producers().get(&id).map(|known| known.epoch);
        let mut known = Vec::new();
        for sent in own.take(if compacted { 1 } else { 5 }) {
            if Some(sent.header.producer_epoch) != epoch {
                break;
            }
            known.push(sent);
            if sent.header.base_sequence == 0 {
                break;
            }
        }
        known
    }

    /// How the transaction of each batch ended.
    pub(crate) fn fates(&self) -> BTreeMap<i64, Fate> {
        fates(&self.batches)
    }

    /// What a producer that asks is told: the replay of all batches.
    pub(crate) fn producers(&self) -> BTreeMap<i64, Known> {
        replay(&self.batches)
    }
}
