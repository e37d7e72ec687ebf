//! One segment: a single walk over its log, with its three indexes, the epochs and the producers beside it.
//!
//! Damage does not end the walk: it goes on where a start would. What an index says about a damaged stretch is not judged.

use std::cell::OnceCell;
use std::io;
use std::ops::Range;
use std::path::Path;

use pagewire_record::{BatchError, BatchHeader, fits};

use super::beside::FileId;
use super::epochs::EpochsCheck;
use super::finding::{Fate, Finding, Onward, Severity};
use super::holes::Holes;
use super::indexes::{End, Indexes, Paths};
use super::job::{Kept, VerifyOptions};
use super::place::{Files, Place};
use super::producers::ProducersCheck;
use super::records;
use crate::files::{BadBytes, BatchWalk, CHUNK, Step, WalkedBatch};
use crate::scan::window::Window;
use crate::scrub::{Evidence, Places, stretch_at};
use crate::segment::names;

/// A longer batch is not decompressed: a window holds it whole.
const DEEP_MAX: usize = 64 << 20;

/// What the walk saw of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) bytes: u64,
    pub(super) batches: u64,
    pub(super) records: u64,
    /// The offset of its first good batch, if it has one.
    pub(super) first_good: Option<i64>,
    /// The offset after its last batch; the base of an empty one.
    pub(super) next_offset: i64,
    /// Offsets that no batch has.
    pub(super) holes: Holes,
    /// Nothing is wrong below this position.
    pub(super) whole_to: u64,
    /// The file that was walked.
    pub(super) file: Option<FileId>,
    /// A batch that only compaction leaves.
    pub(super) compacted: bool,
    pub(super) damaged: bool,
}

/// The log-wide checks that walk along.
pub(super) struct Along<'a> {
    pub(super) epochs: &'a mut EpochsCheck,
    pub(super) producers: &'a mut ProducersCheck,
}

/// The walk over one segment.
pub(super) struct SegmentCheck<'c> {
    place: &'c Place<'c>,
    options: VerifyOptions<'c>,
    log_path: &'c Path,
    seen: Seen,
    /// Base offsets below are not believed.
    expected: i64,
    /// What lies before the next batch was damaged.
    skipping: bool,
    /// The first position at which something is wrong.
    wrong_at: u64,
    /// Where its index says that batches begin, once that is asked for.
    places: OnceCell<Places>,
    /// Damaged stretches so far.
    stretches: usize,
}

/// Reads the segment once. `read` is told how many bytes were done.
pub(super) fn verify(
    place: &Place<'_>,
    files: &Files,
    options: VerifyOptions<'_>,
    along: &mut Along<'_>,
    kept: &mut Kept,
    read: &mut dyn FnMut(u64),
) -> io::Result<Seen> {
    let log_path = place.path(names::LOG);
    let check = SegmentCheck {
        place,
        options,
        log_path: &log_path,
        seen: Seen { next_offset: place.base, ..Seen::default() },
        expected: place.base,
        skipping: false,
        wrong_at: u64::MAX,
        places: OnceCell::new(),
        stretches: 0,
    };
    check.run(files, along, kept, read)
}

impl SegmentCheck<'_> {
    fn run(
        mut self,
        files: &Files,
        along: &mut Along<'_>,
        kept: &mut Kept,
        read: &mut dyn FnMut(u64),
    ) -> io::Result<Seen> {
        let paths = Paths::of(self.place);
        let mut indexes = Indexes::new(self.place, files, &paths, kept)?;
        let mut walk = BatchWalk::new(files.log(), 0, files.size());
        if self.options.deep {
            walk = walk.keeping(DEEP_MAX);
        }
        while let Some(step) = walk.step()? {
            let batch = match step {
                Step::Batch(batch) => batch,
                Step::Bad(bad) => {
                    let resume = self.behind_damage(bad.position, files)?;
                    let zeros = resume.is_none() && only_zeros(files, bad.position)?;
                    self.bad_bytes(&bad, resume, zeros, kept);
                    read(resume.unwrap_or(files.size()) - bad.position);
                    match resume {
                        Some(position) => walk.resume_at(position),
                        None => break,
                    }
                    continue;
                }
            };
            let (position, end) = (batch.position, batch.end());
            if !self.take(&batch, kept) {
                // Of a whole one that does not belong here that may be where it begins.
                let resume = self.behind_damage(position, files)?;
                let resume = resume.map(|resume| if resume == position { end } else { resume });
                read(resume.unwrap_or(files.size()) - position);
                walk.resume_at(resume.unwrap_or(files.size()));
                continue;
            }
            read(batch.header.size_in_bytes());
            let skipped = std::mem::take(&mut self.skipping);
            indexes.meet(&batch, skipped, kept)?;
            along.epochs.meet(&batch.header);
            along.producers.meet(&batch.header, kept);
        }
        let active = self.place.next_base.is_none();
        let end = End {
            size: files.size(),
            batches: self.seen.batches,
            next_offset: self.seen.next_offset,
            growing: active || self.skipping,
            lenient: active && self.place.live || self.skipping,
        };
        indexes.end(&end, kept);
        self.seen.bytes = files.size();
        self.seen.file = FileId::of(files.log());
        self.seen.whole_to = self.wrong_at.min(files.size());
        Ok(self.seen)
    }

    /// Judges a batch; `false` if nothing that it says can be believed.
    fn take(&mut self, batch: &WalkedBatch<'_>, kept: &mut Kept) -> bool {
        let header = &batch.header;
        if !batch.is_whole() {
            let error = BatchError::Checksum { stored: header.crc, computed: batch.crc };
            self.damage(batch.position, error.to_string(), kept);
            return false;
        }
        if let Some(what) = self.misplaced(header) {
            self.damage(batch.position, what, kept);
            return false;
        }
        if header.base_offset > self.expected && !self.skipping {
            self.seen.holes.note(self.expected, header.base_offset - 1);
        }
        if self.skipping {
            kept.go_on(Onward::At(header.base_offset));
        }
        self.seen.first_good.get_or_insert(header.base_offset);
        self.expected = header.next_offset();
        self.seen.next_offset = self.expected;
        self.seen.batches += 1;
        self.seen.records += u64::try_from(header.records_count).unwrap_or(0);
        self.seen.compacted |= i64::from(header.records_count) <= i64::from(header.last_offset_delta)
            || header.delete_horizon_ms().is_some();
        if self.options.deep {
            self.deep(batch, kept);
        }
        true
    }

    /// Where the log goes on behind a batch at `position` that is damaged, as a start and the scrub find out; `None` if it is not
    /// known to.
    fn behind_damage(&mut self, position: u64, files: &Files) -> io::Result<Option<u64>> {
        let places = self.places.get_or_init(|| files.places(self.place.base));
        let anchors = |at| places.from(at);
        let evidence = Evidence::of(&anchors, self.stretches);
        let stretch = stretch_at(files.log(), position, files.size(), self.offsets(), evidence)?;
        self.stretches += 1;
        Ok(Some(stretch.end()).filter(|to| *to < files.size()))
    }

    /// Offsets that may follow what was read: below the next segment, and in reach of this one's base.
    fn offsets(&self) -> Range<i64> {
        let reach = self.place.base.saturating_add(i64::from(i32::MAX) + 1);
        self.expected..self.place.next_base.map_or(reach, |next| next.min(reach))
    }

    /// Why a batch whose bytes are right cannot be here.
    fn misplaced(&self, header: &BatchHeader) -> Option<String> {
        let (last, count) = (i64::from(header.last_offset_delta), i64::from(header.records_count));
        if last < 0 || count < 0 || count > last + 1 {
            return Some(format!("a batch of {count} records over {} offsets", last + 1));
        }
        // The walk has seen that it is all there.
        fits(header, u64::MAX, &self.offsets()).err()
    }

    fn deep(&mut self, batch: &WalkedBatch<'_>, kept: &mut Kept) {
        let finding = match batch.bytes {
            None => {
                let what = format!(
                    "a batch of {} bytes is too long to be opened here",
                    batch.header.size_in_bytes()
                );
                Some(Finding::new(Severity::Note, self.log_path, what, Fate::Stays))
            }
            Some(bytes) => records::check(&batch.header, bytes, self.options.limits).err().map(|what| {
                let damage = Finding::new(Severity::Damage, self.log_path, what, Fate::Stays);
                damage.onward(Onward::At(batch.header.next_offset()))
            }),
        };
        if let Some(finding) = finding {
            kept.push(finding.at(batch.position).offset(batch.header.base_offset));
        }
    }

    /// Bytes that begin no batch; `zeros`: nor is any behind them another than zero.
    fn bad_bytes(&mut self, bad: &BadBytes, resume: Option<u64>, zeros: bool, kept: &mut Kept) {
        let active = self.place.next_base.is_none();
        if active && self.place.live && matches!(bad.error, BatchError::Truncated { .. }) {
            // The broker is in the middle of writing it.
            return;
        }
        if active && zeros {
            let what = format!("{} bytes of zeros at the end, reserved or never written", bad.left);
            let severity = if self.place.live { Severity::Note } else { Severity::Doubt };
            self.wrong_at(bad.position);
            let finding = Finding::new(severity, self.log_path, what, Fate::Refused);
            kept.push(finding.at(bad.position).offset(self.expected));
            return;
        }
        let unread = resume.map_or(bad.left, |resume| resume - bad.position);
        self.damage(bad.position, format!("{unread} bytes that begin no batch: {}", bad.error), kept);
    }

    fn damage(&mut self, position: u64, what: String, kept: &mut Kept) {
        self.skipping = true;
        self.seen.damaged = true;
        self.wrong_at(position);
        // Or cut, as the forecast will say.
        let finding = Finding::new(Severity::Damage, self.log_path, what, Fate::Refused);
        kept.push(finding.at(position).offset(self.expected));
    }

    fn wrong_at(&mut self, position: u64) {
        self.wrong_at = self.wrong_at.min(position);
    }
}

/// Whether the log has nothing but zeros from there on: reserved or lost, not overwritten.
fn only_zeros(files: &Files, from: u64) -> io::Result<bool> {
    Window::new(files.log(), files.size(), CHUNK).only_zeros_from(from)
}
