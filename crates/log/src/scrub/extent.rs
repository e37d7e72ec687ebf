//! How far damage reaches: from bytes that are not believed to the next batch that is.
//!
//! Where the next batch is, is said by, in this order:
//! 1. the length of the batch that is damaged, if it leads to one that follows and leads on itself;
//! 2. its checksum: where the bytes up to there have it, the length alone is damaged, and whatever lies between is its records;
//! 3. its length, wherever that leads;
//! 4. a search, byte by byte: of what it comes upon, what is one of the log's own batches (`evidence`).

use std::io;
use std::ops::{Range, RangeInclusive};

use pagewire_disk::DiskFile;
use pagewire_record::BatchHeader;

use super::damage::Stretch;
use super::evidence::{Evidence, fits};
use crate::files::{BatchWalk, Step};

/// What is damaged from `from` on, where a batch of the first of `offsets` should begin, in a file that has `size` bytes and
/// no offsets but these. It ends before the next whole batch, or with the file.
///
/// A whole batch that is followed by its successor is where it belongs, whatever is missing before it: then the records
/// before are missing.
pub(crate) fn stretch_at(
    file: &dyn DiskFile,
    from: u64,
    size: u64,
    offsets: Range<i64>,
    evidence: Evidence<'_>,
) -> io::Result<Stretch> {
    let Range { start: offset, end } = offsets;
    let believed = offset..=end.saturating_sub(1);
    let mut way = Way { walk: BatchWalk::new(file, from, size), believed: believed.clone(), evidence };
    let (mut next, mut first) = (Some(Place::Led(from)), None::<BatchHeader>);
    while let Some(place) = next {
        let at = place.position();
        let seen = way.look(at)?;
        if let Some(header) =
            seen.whole.filter(|header| believed.contains(&header.base_offset) && fits(header, end))
        {
            let foreign = match place {
                Place::Led(_) => None,
                Place::Found(_) => evidence.is_its_own(&mut way.walk, at, end)?.err(),
            };
            if at == from {
                first = Some(header);
            } else if let Some(behind) = foreign {
                next = way.search(behind)?;
                continue;
            } else {
                let followed = first.filter(|first| first.next_offset() == header.base_offset);
                let (to, next) = followed.map_or((at, header), |first| (from, first));
                return Ok(Stretch::new(from..to, offset..next.base_offset));
            }
        }
        next = match place {
            Place::Led(_) => way.behind(at, &seen)?,
            Place::Found(_) => way.search(at + 1)?,
        };
    }
    Ok(Stretch::new(from..size, offset..end))
}

/// A place where a batch may begin.
#[derive(Clone, Copy)]
enum Place {
    /// The batch before leads to it.
    Led(u64),
    /// A search came upon it.
    Found(u64),
}

impl Place {
    fn position(self) -> u64 {
        match self {
            Self::Led(at) | Self::Found(at) => at,
        }
    }
}

/// What lies at a place.
struct Seen {
    /// A batch with the checksum that it states.
    whole: Option<BatchHeader>,
    /// Where the next one begins, by the stated length.
    stated: Option<u64>,
}

/// From place to place.
struct Way<'f> {
    walk: BatchWalk<'f>,
    believed: RangeInclusive<i64>,
    evidence: Evidence<'f>,
}

impl Way<'_> {
    fn look(&mut self, at: u64) -> io::Result<Seen> {
        self.walk.resume_at(at);
        Ok(match self.walk.step()? {
            Some(Step::Batch(batch)) => {
                Seen { whole: batch.is_whole().then_some(batch.header), stated: Some(batch.end()) }
            }
            Some(Step::Bad(bad)) => Seen { whole: None, stated: bad.next },
            None => Seen { whole: None, stated: None },
        })
    }

    /// The place behind the batch at `at`, which a batch before led to, so that one begins there; none behind the last.
    fn behind(&mut self, at: u64, seen: &Seen) -> io::Result<Option<Place>> {
        let size = self.walk.end();
        let led = |to: u64| (to < size).then_some(Place::Led(to));
        if let (Some(to), Some(_)) = (seen.stated, seen.whole) {
            return if to == size || self.begins(to, &self.believed.clone())? {
                Ok(led(to))
            } else {
                self.search(at + 1)
            };
        }
        let Some(header) = self.walk.raw_header(at)? else { return Ok(None) };
        if let Some(to) = seen.stated
            && self.follows(&header, to)?
        {
            return Ok(led(to));
        }
        if self.evidence.thorough
            && let Some(to) = self.walk.end_by_checksum(at, &header, &self.later())?
        {
            return Ok(led(to));
        }
        match seen.stated {
            Some(to) if to == size || self.begins(to, &self.believed.clone())? => Ok(led(to)),
            _ => self.search(at + 1),
        }
    }

    /// Whether the batch at `to`, or the end, is what comes behind one with this header.
    fn follows(&mut self, header: &BatchHeader, to: u64) -> io::Result<bool> {
        let end = self.believed.end().saturating_add(1);
        let next = header.base_offset.saturating_add(i64::from(header.last_offset_delta)).saturating_add(1);
        if !self.believed.contains(&header.base_offset) || header.last_offset_delta < 0 || next > end {
            return Ok(false);
        }
        let follows = self.begins(to, &(next..=*self.believed.end()))?;
        Ok(follows && self.evidence.leads_on(&mut self.walk, to, end, false)?.is_ok())
    }

    fn begins(&mut self, at: u64, offsets: &RangeInclusive<i64>) -> io::Result<bool> {
        Ok(self.walk.header_at(at, offsets)?.is_some())
    }

    /// The next whole batch at or behind `from`. What is damaged before it has an offset at least.
    fn search(&mut self, from: u64) -> io::Result<Option<Place>> {
        let later = self.later();
        Ok(self.walk.find_batch(from, &later)?.map(Place::Found))
    }

    fn later(&self) -> RangeInclusive<i64> {
        self.believed.start().saturating_add(1)..=*self.believed.end()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use pagewire_disk::{Disk, MemoryDisk, OpenMode};
    use pagewire_record::{BatchBuilder, Codec};

    use super::super::evidence::Anchor;
    use super::*;

    /// A batch of a record for each value.
    fn batch(base_offset: i64, values: &[&[u8]]) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Codec::None).base_offset(base_offset);
        for value in values {
            builder.append(5, None, Some(value), &[]).expect("a record");
        }
        builder.build().expect("a batch").to_vec()
    }

    /// A log whose batch of offsets 10 to 12 has whole batches in its records; after it come 13, 14 and 15.
    struct Trap {
        bytes: Vec<u8>,
        /// Where that batch ends.
        end: u64,
    }

    impl Trap {
        fn new() -> Self {
            let inner =
                [batch(11, &[b"x"]), batch(12, &[b"y", b"z"]), batch(13, &[b"w"]), batch(14, &[b"v"])];
            let pair = [&inner[0][..], &inner[1]].concat();
            let outer = batch(10, &[&inner.concat(), &[7; 3000], &pair]);
            let behind = [batch(13, &[&[1; 50]]), batch(14, &[&[2; 50]]), batch(15, &[&[3; 50]])];
            Self { end: outer.len() as u64, bytes: [outer, behind.concat()].concat() }
        }

        fn file(&self) -> Arc<dyn DiskFile> {
            let file = MemoryDisk::new().open(Path::new("f"), OpenMode::Create).expect("a file");
            file.write_at(0, &self.bytes).expect("written");
            file
        }

        fn stretch(&self, anchors: Option<&dyn Fn(u64) -> Option<Anchor>>) -> Stretch {
            let evidence = Evidence::of(anchors, 0);
            stretch_at(&*self.file(), 0, self.bytes.len() as u64, 10..16, evidence).expect("read")
        }

        /// What is damaged is that batch, and nothing else.
        fn whole(&self) -> Stretch {
            Stretch::new(0..self.end, 10..13)
        }
    }

    #[test]
    fn no_bit_of_a_header_lets_batches_out_of_its_records() {
        for bit in 8 * 8..21 * 8 {
            let mut trap = Trap::new();
            trap.bytes[bit / 8] ^= 1 << (bit % 8);
            if (12 * 8..16 * 8).contains(&bit) {
                continue; // The leader epoch, which nothing covers: the batch is believed as it is.
            }
            assert_eq!(trap.stretch(None), trap.whole(), "bit {bit}");
            assert_eq!(
                trap.stretch(Some(&|_| None)),
                trap.whole(),
                "bit {bit}, with an index that says nothing"
            );
        }
    }

    #[test]
    fn without_a_header_only_what_leads_to_the_logs_end_or_to_an_entry_of_its_index_is_believed() {
        for garbage in [0, 0xaa] {
            let mut trap = Trap::new();
            trap.bytes[..61].fill(garbage);
            assert_eq!(trap.stretch(Some(&|_| None)), trap.whole());
            // More damage before the end: the index knows a batch between the two.
            let last = trap.bytes.len() - 20;
            trap.bytes[last] ^= 1;
            trap.bytes.extend(batch(15, &[b"one more"]));
            let end = trap.end;
            assert_eq!(trap.stretch(Some(&|_| Some((end, 13)))), trap.whole());
        }
    }

    #[test]
    fn a_batch_in_a_record_does_not_lead_on_because_the_index_lies() {
        let mut trap = Trap::new();
        trap.bytes[..61].fill(9);
        for lie in [(70, 11), (trap.end + 1, 13), (trap.end, 12)] {
            assert_eq!(trap.stretch(Some(&|_| Some(lie))), trap.whole(), "{lie:?}");
        }
    }

    #[test]
    fn a_length_that_is_damaged_is_found_by_the_checksum_where_more_damage_follows() {
        let mut trap = Trap::new();
        trap.bytes[10] ^= 4;
        trap.bytes.iter_mut().rev().take(5).for_each(|byte| *byte ^= 0xff);
        assert_eq!(trap.stretch(None), trap.whole());
    }

    #[test]
    fn the_last_batch_of_a_log_lets_nothing_out_either() {
        for bit in 8 * 8..12 * 8 {
            let mut trap = Trap::new();
            trap.bytes.truncate(trap.end as usize);
            trap.bytes[bit / 8] ^= 1 << (bit % 8);
            let evidence = Evidence::of(Some(&|_| None), 0);
            let found = stretch_at(&*trap.file(), 0, trap.end, 10..13, evidence).expect("read");
            assert_eq!(found, trap.whole(), "bit {bit}");
        }
    }
}
