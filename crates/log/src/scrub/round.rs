//! The rounds: so many bytes of the log whose turn it is.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::checkpoint::Verified;
use super::pass::SegmentPass;
use super::queue::{self, Candidate};
use crate::dir::LogDir;
use crate::log::Log;
use crate::segment::Segment;

/// All logs are looked through no more often than this.
const LOOK_EVERY_MS: i64 = 10_000;
/// What was verified is written down no more often than this.
const WRITE_EVERY_MS: i64 = 60_000;

/// How much, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubLimits {
    /// A log is verified again after this.
    pub interval_ms: i64,
    /// Bytes of this round; a batch is not left half verified.
    pub bytes: u64,
}

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// Bytes of log that were read.
    pub bytes: u64,
    /// Stretches of damaged bytes that were found.
    pub damaged: u64,
    /// Nothing more is due at present.
    pub idle: bool,
}

/// What all rounds of a directory did since it was first opened by this process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScrubCounts {
    /// Bytes of log that were read.
    pub bytes: u64,
    /// Batches in them.
    pub batches: u64,
    /// Logs that were verified to their last closed segment.
    pub logs: u64,
    /// Stretches of damaged bytes that were found, each as often as it was.
    pub damaged: u64,
    /// Segments that could not be read.
    pub unreadable: u64,
}

impl ScrubCounts {
    fn add(&mut self, other: Self) {
        let Self { bytes, batches, logs, damaged, unreadable } = other;
        self.bytes += bytes;
        self.batches += batches;
        self.logs += logs;
        self.damaged += damaged;
        self.unreadable += unreadable;
    }
}

/// Where the scrub of a directory stands.
#[derive(Debug, Default)]
pub(crate) struct Scrubbing {
    verified: Option<Verified>,
    due: Vec<Candidate>,
    looked_ms: Option<i64>,
    now: Option<Turn>,
    /// A log that was begun, and goes on when no other is suspect.
    put_off: Option<Turn>,
    wrote_ms: i64,
    unwritten: bool,
    pub(crate) counts: ScrubCounts,
}

impl Scrubbing {
    /// Whether all of a log is being verified.
    fn is_begun(&self, one: &Candidate) -> bool {
        self.now.as_ref().is_some_and(|turn| turn.is_all_of(one)) || self.is_put_off(one)
    }

    fn is_put_off(&self, one: &Candidate) -> bool {
        self.put_off.as_ref().is_some_and(|turn| turn.is_all_of(one))
    }
}

/// The log whose turn it is.
#[derive(Debug)]
struct Turn {
    of: Candidate,
    began_ms: i64,
    /// Segments below were done.
    from: i64,
    pass: Option<SegmentPass>,
    /// The active segment of this base offset could not be read. It has its turn once it is closed, or with the next look.
    unreadable: Option<i64>,
    /// Only segments are looked at in which a read came to bytes that are no batch.
    suspects_only: bool,
    /// All of it could be read, and no damage was found.
    sound: bool,
}

impl Turn {
    fn is_all_of(&self, one: &Candidate) -> bool {
        !self.suspects_only && (&self.of.topic, self.of.partition) == (&one.topic, one.partition)
    }
}

impl LogDir {
    /// One round of the scrub. Never more than one at a time; what would wait for another does nothing.
    pub fn scrub(&self, limits: ScrubLimits, now_ms: i64) -> Scrubbed {
        let Some(mut state) = self.scrubbing.try_lock() else { return Scrubbed::default() };
        if self.is_given_up() {
            return Scrubbed { idle: true, ..Scrubbed::default() };
        }
        let mut done = Scrubbed::default();
        while done.bytes < limits.bytes {
            let Some(mut turn) = self.turn(&mut state, limits, now_ms) else {
                done.idle = true;
                break;
            };
            let left = limits.bytes - done.bytes;
            let finished = self.advance(&mut turn, left, &mut done, &mut state.counts);
            if !finished {
                state.now = Some(turn);
                continue;
            }
            state.unwritten = true;
            let Scrubbing { verified: Some(verified), counts, .. } = &mut *state else { continue };
            let Candidate { topic, partition, .. } = &turn.of;
            if turn.suspects_only {
                verified.doubt(topic, *partition, turn.sound);
            } else {
                counts.logs += 1;
                verified.set(topic, *partition, turn.began_ms, turn.sound);
            }
        }
        self.write_verified(&mut state, now_ms, WRITE_EVERY_MS);
        done
    }

    /// What the rounds did so far.
    pub fn scrub_counts(&self) -> ScrubCounts {
        self.scrubbing.lock().counts
    }

    /// Counts on from where the scrub of the same directory stood before it was opened anew.
    pub(crate) fn count_on_from(&self, before: ScrubCounts) {
        self.scrubbing.lock().counts.add(before);
    }

    /// Some of the logs that were just opened are known to be damaged. It is written down before it can be forgotten:
    /// not everything shows that told it once.
    pub(crate) fn note_damage(&self) {
        let _state = self.scrubbing.lock();
        if self.offline().is_none()
            && let Err(error) = self.write_notes()
        {
            tracing::warn!(dir = %self.path().display(), %error, "it is not written down yet what is damaged");
        }
    }

    /// Writes down what was verified, at the orderly stop.
    pub(crate) fn end_scrub(&self, now_ms: i64) {
        let mut state = self.scrubbing.lock();
        self.write_verified(&mut state, now_ms, 0);
        if self.offline().is_none()
            && let Err(error) = self.write_notes()
        {
            tracing::warn!(%error, "it is not written down what is damaged");
        }
    }

    /// The log whose turn it is; `None` if nothing is due.
    fn turn(&self, state: &mut Scrubbing, limits: ScrubLimits, now_ms: i64) -> Option<Turn> {
        self.look_what_is_due(state, limits, now_ms);
        let begun = state.now.take();
        if state.due.last().is_some_and(|next| next.suspect)
            && !begun.as_ref().is_some_and(|turn| turn.suspects_only)
        {
            state.put_off = begun.or(state.put_off.take());
        } else if let Some(turn) = begun.or_else(|| state.put_off.take()) {
            return Some(turn);
        }
        let of = state.due.pop()?;
        let suspects_only = of.suspect;
        if suspects_only && of.is_due(limits.interval_ms, now_ms) && !state.is_put_off(&of) {
            // All of it has its turn besides.
            queue::insert(&mut state.due, Candidate { suspect: false, ..of.clone() });
        }
        Some(Turn {
            of,
            began_ms: now_ms,
            from: i64::MIN,
            pass: None,
            unreadable: None,
            suspects_only,
            sound: true,
        })
    }

    /// Looks through all logs once in a while, also while there is work: what became suspect meanwhile does not wait
    /// for the rest.
    fn look_what_is_due(&self, state: &mut Scrubbing, limits: ScrubLimits, now_ms: i64) {
        // A clock that was set back does not put it off for long.
        let looked = state.looked_ms.map(|at| now_ms.saturating_sub(at));
        if looked.is_some_and(|ago| (0..LOOK_EVERY_MS).contains(&ago)) {
            return;
        }
        state.looked_ms = Some(now_ms);
        let verified = state.verified.get_or_insert_with(|| Verified::read(self.disk.as_ref(), self.path()));
        verified.keep(|topic, partition| self.get(topic, partition).is_some());
        let logs = self.logs();
        for log in &logs {
            // All that is in it was checked when it came, and not long ago.
            state.unwritten |=
                verified.note_made(log.topic(), log.partition(), log.made_ms.load(Ordering::Relaxed));
        }
        let candidates = logs.iter().filter_map(|log| candidate(log, verified)).collect();
        let mut due = queue::due(candidates, limits.interval_ms, now_ms);
        due.retain(|one| one.suspect || !state.is_begun(one));
        state.due = due;
    }

    /// Goes on with a log for so many bytes; whether that was all of it.
    fn advance(&self, turn: &mut Turn, bytes: u64, done: &mut Scrubbed, counts: &mut ScrubCounts) -> bool {
        let Some(log) = self.get(&turn.of.topic, turn.of.partition) else { return true };
        // One that was begun is not suspect any more, and is gone on with.
        let begun = turn.pass.as_ref().map(|pass| pass.segment.base_offset);
        let unreadable = turn.unreadable;
        let wanted = |segment: &Segment| {
            if !segment.is_closed() && unreadable == Some(segment.base_offset) {
                return false;
            }
            let suspect = segment.suspect.load(Ordering::Relaxed) || begun == Some(segment.base_offset);
            suspect || !turn.suspects_only
        };
        let Some(segment) = next_due(&log, turn.from, wanted) else { return true };
        let mut pass = match turn.pass.take() {
            // Compaction may have put another in its place, retention may have taken it away.
            Some(pass) if Arc::ptr_eq(&pass.segment, &segment) => pass,
            _ => SegmentPass::new(Arc::clone(&segment)),
        };
        match pass.advance(bytes) {
            Ok(slice) => {
                done.bytes += slice.bytes + slice.sought;
                done.damaged += slice.damaged;
                counts.bytes += slice.bytes;
                counts.batches += slice.batches;
                counts.damaged += slice.damaged;
                turn.sound &= slice.damaged == 0;
                if !slice.done {
                    turn.pass = Some(pass);
                } else if segment.is_closed() {
                    turn.from = segment.base_offset + 1;
                }
            }
            Err(error) => {
                // Retention may have removed it a moment ago.
                if error.kind() != io::ErrorKind::NotFound {
                    let file = segment.path();
                    tracing::error!(file = %file.display(), %error, "a segment cannot be verified");
                    counts.unreadable += 1;
                    turn.sound = false;
                }
                if segment.is_closed() {
                    turn.from = segment.base_offset + 1;
                } else {
                    // What was not read is no better known than before: readers go on to verify it.
                    turn.unreadable = Some(segment.base_offset);
                }
            }
        }
        false
    }

    fn write_verified(&self, state: &mut Scrubbing, now_ms: i64, every_ms: i64) {
        let due = state.unwritten && now_ms.saturating_sub(state.wrote_ms) >= every_ms;
        if !due || self.offline().is_some() {
            return;
        }
        if let Some(verified) = &state.verified {
            state.wrote_ms = now_ms;
            let written = verified.write(self.disk.as_ref(), self.path());
            match written.and_then(|()| self.write_notes()) {
                Ok(()) => state.unwritten = false,
                // The next start verifies once more what it might have left out.
                Err(error) => tracing::warn!(%error, "it is not written down what was verified"),
            }
        }
    }
}

fn candidate(log: &Log, verified: &Verified) -> Option<Candidate> {
    let segments = log.segments.load();
    let mut due = segments.iter().filter(|segment| is_due(segment)).peekable();
    due.peek()?;
    let suspect = due.any(|segment| segment.suspect.load(Ordering::Relaxed));
    let (topic, partition) = (log.topic().to_string(), log.partition());
    let verified_ms = verified.at(&topic, partition);
    Some(Candidate { topic, partition, verified_ms, suspect })
}

/// Closed ones, and of the active one what this process did not write.
fn is_due(segment: &Segment) -> bool {
    segment.is_closed() || segment.due_below() > 0
}

/// The active segment first: it is what readers ask for most.
fn next_due(log: &Log, from: i64, wanted: impl Fn(&Segment) -> bool) -> Option<Arc<Segment>> {
    let segments = log.segments.load();
    let active = segments.last().filter(|last| !last.is_closed() && is_due(last) && wanted(last));
    let next =
        |segment: &&Arc<Segment>| segment.base_offset >= from && segment.is_closed() && wanted(segment);
    active.or_else(|| segments.iter().find(next)).map(Arc::clone)
}

impl Log {
    /// Stretches of bytes that are known to be damaged, and are refused to readers.
    pub fn known_damage(&self) -> usize {
        self.segments.load().iter().map(|segment| segment.damage.len()).sum()
    }
}
