//! How far damage reaches: from bytes that are not believed to the next batch that is.
//!
//! Where the next batch is, is said by, in this order:
//! 1. the checksum of the batch that is damaged: where the bytes up to there have it, its length alone is damaged, and whatever
//!    lies between is its records;
//! 2. its length, if the index says that a batch begins where it leads;
//! 3. its length, if the rest of its header agrees with the batch that it leads to, and that leads on;
//! 4. what else shows where the log's own goes on (`onward`), wherever its header is no help.

use std::io;
use std::ops::{Range, RangeInclusive};

use pagewire_disk::DiskFile;
use pagewire_record::BatchHeader;

use super::damage::Stretch;
use super::evidence::Evidence;
use super::onward::{Onward, fits};
use crate::files::{BATCH_LEN_MAX, BatchWalk, Step};

/// What is damaged from `from` on, where a batch of the first of `offsets` should begin, in a file that has `size` bytes and
/// no offsets but these. It ends before the next whole batch that is one of the log's own for all that is known, or with the
/// file.
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
    stretch_and_cost(file, from, size, offsets, evidence).map(|(stretch, _)| stretch)
}

/// The same, and how many bytes were read for it.
pub(crate) fn stretch_and_cost(
    file: &dyn DiskFile,
    from: u64,
    size: u64,
    offsets: Range<i64>,
    evidence: Evidence<'_>,
) -> io::Result<(Stretch, u64)> {
    let believed = offsets.start..=offsets.end.saturating_sub(1);
    let mut way = Way { walk: BatchWalk::new(file, from, size), believed, evidence };
    let stretch = way.stretch(from, size, offsets)?;
    Ok((stretch, way.walk.take_read()))
}

impl Way<'_> {
    fn stretch(&mut self, from: u64, size: u64, offsets: Range<i64>) -> io::Result<Stretch> {
        let Range { start: offset, end } = offsets;
        let (way, believed) = (self, offset..=end.saturating_sub(1));
        let (mut at, mut first) = (from, None::<BatchHeader>);
        let (to, header) = loop {
            let seen = way.look(at)?;
            let whole =
                seen.whole.filter(|header| believed.contains(&header.base_offset) && fits(header, end));
            match whole {
                Some(header) if at > from => break (at, header),
                whole => first = first.or(whole),
            }
            at = match way.behind(at, &seen)? {
                Next::Place(to) => to,
                Next::Batch(to, header) => break (to, header),
                Next::None => return Ok(Stretch::new(from..size, offset..end)),
            };
        };
        let adjoins = |first: &BatchHeader| from + first.size_in_bytes() == to;
        let followed = first.filter(|first| adjoins(first) && first.next_offset() == header.base_offset);
        let (to, next) = followed.map_or((to, header), |first| (from, first));
        Ok(Stretch::new(from..to, offset..next.base_offset))
    }
}

/// What comes behind a damaged batch.
enum Next {
    /// A place where a batch begins, or should.
    Place(u64),
    /// A whole one.
    Batch(u64, BatchHeader),
    /// Nothing that is known to be the log's own.
    None,
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

    /// What comes behind the batch at `at`, which begins there.
    fn behind(&mut self, at: u64, seen: &Seen) -> io::Result<Next> {
        let size = self.walk.end();
        let place = |to: u64| if to < size { Next::Place(to) } else { Next::None };
        if let (Some(to), Some(_)) = (seen.stated, seen.whole) {
            return Ok(place(to));
        }
        let Some(header) = self.walk.raw_header(at)? else { return Ok(Next::None) };
        let thorough = self.evidence.thorough;
        if thorough && let Some(to) = self.walk.end_by_checksum(at, &header, &self.later())? {
            return Ok(place(to));
        }
        if let Some(to) = seen.stated
            && (self.evidence.names(to) || thorough && self.follows(&header, to)?)
        {
            return Ok(place(to));
        }
        let onward = Onward { evidence: self.evidence, believed: self.later() };
        let found = onward.behind(&mut self.walk, at)?;
        Ok(found.map_or(Next::None, |(to, header)| Next::Batch(to, header)))
    }

    /// Whether the batch at `to` is what comes behind one with this header.
    fn follows(&mut self, header: &BatchHeader, to: u64) -> io::Result<bool> {
        let end = self.believed.end().saturating_add(1);
        let next = header.base_offset.saturating_add(i64::from(header.last_offset_delta)).saturating_add(1);
        let records = 0..=i64::from(header.last_offset_delta).saturating_add(1);
        if !self.believed.contains(&header.base_offset)
            || header.last_offset_delta < 0
            || !records.contains(&i64::from(header.records_count))
            || next > end
        {
            return Ok(false);
        }
        let follows = self.walk.header_at(to, &(next..=*self.believed.end()))?.is_some();
        Ok(follows && self.leads_on(to, end)?)
    }

    /// Whether one header leads to another from `position` to the log's end, to a place that the index names, or further
    /// than a batch is long. Where they break off nothing more may be whole: it may be the log's last but one, with a
    /// damaged one behind.
    fn leads_on(&mut self, position: u64, end: i64) -> io::Result<bool> {
        let entry = self.evidence.entry_from(position);
        let (mut at, mut expected) = (position, 0);
        while at < self.walk.end() && at - position < BATCH_LEN_MAX {
            let header = self.walk.header_at(at, &(0..=i64::MAX - 1))?;
            let Some(header) = header.filter(|header| header.base_offset >= expected && fits(header, end))
            else {
                return Ok(self.walk.find_batch(at, &(0..=i64::MAX - 1))?.is_none());
            };
            if entry == Some((at, header.last_offset())) {
                break;
            }
            (at, expected) = (at + header.size_in_bytes(), header.next_offset());
        }
        Ok(true)
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
    use pagewire_record::{BatchBuilder, Codec, HEADER_LEN};

    use super::super::evidence::{Anchor, Anchors};
    use super::*;

    /// An index that has no entry behind the damage.
    const NO_INDEX: Anchors<'static> = &|_| None;

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
            Self::of(batch(10, &[&inner.concat(), &[7; 3000], &pair]))
        }

        /// The last bytes of the batch are a batch that leads to the next one: a header of its last record has them.
        fn joined() -> Self {
            let inner = [batch(11, &[b"x"]), batch(12, &[b"y"])].concat();
            let mut builder = BatchBuilder::new(Codec::None).base_offset(10);
            for headers in [&[][..], &[], &[(&b"h"[..], Some(&inner[..]))]] {
                builder.append(5, None, Some(&[7; 300]), headers).expect("a record");
            }
            Self::of(builder.build().expect("a batch").to_vec())
        }

        fn of(outer: Vec<u8>) -> Self {
            let behind = [batch(13, &[&[1; 50]]), batch(14, &[&[2; 50]]), batch(15, &[&[3; 50]])];
            Self { end: outer.len() as u64, bytes: [outer, behind.concat()].concat() }
        }

        fn file(&self) -> Arc<dyn DiskFile> {
            let file = MemoryDisk::new().open(Path::new("f"), OpenMode::Create).expect("a file");
            file.write_at(0, &self.bytes).expect("written");
            file
        }

        fn stretch(&self, anchors: Anchors<'_>) -> Stretch {
            let evidence = Evidence::of(anchors, 0);
            stretch_at(&*self.file(), 0, self.bytes.len() as u64, 10..16, evidence).expect("read")
        }

        /// Its header is gone, and the beginning of its records.
        fn without_records(mut self) -> Self {
            self.bytes[..HEADER_LEN + 40].fill(0);
            self
        }

        /// What is damaged is that batch, and nothing else.
        fn whole(&self) -> Stretch {
            Stretch::new(0..self.end, 10..13)
        }

        /// What is damaged is all there is.
        fn all(&self) -> Stretch {
            Stretch::new(0..self.bytes.len() as u64, 10..16)
        }
    }

    #[test]
    fn no_bit_of_a_header_lets_batches_out_of_its_records() {
        for bit in 8 * 8..21 * 8 {
            for mut trap in [Trap::new(), Trap::joined()] {
                trap.bytes[bit / 8] ^= 1 << (bit % 8);
                if (12 * 8..16 * 8).contains(&bit) {
                    continue; // The leader epoch, which nothing covers: the batch is believed as it is.
                }
                assert_eq!(trap.stretch(NO_INDEX), trap.whole(), "bit {bit}");
            }
        }
    }

    #[test]
    fn without_a_header_the_records_lead_to_where_the_log_goes_on() {
        for garbage in [0, 0xaa] {
            for mut trap in [Trap::new(), Trap::joined()] {
                trap.bytes[..HEADER_LEN].fill(garbage);
                assert_eq!(trap.stretch(NO_INDEX), trap.whole());
                // More damage before the end of the log.
                let last = trap.bytes.len() - 20;
                trap.bytes[last] ^= 1;
                assert_eq!(trap.stretch(NO_INDEX), trap.whole());
            }
        }
    }

    #[test]
    fn without_header_and_records_the_log_goes_on_where_its_index_says_so_and_nowhere_else() {
        for trap in [Trap::new().without_records(), Trap::joined().without_records()] {
            let end = trap.end;
            assert_eq!(trap.stretch(NO_INDEX), trap.all(), "as far as anybody can tell, all are its records");
            assert_eq!(trap.stretch(&|_| Some((end, 13))), trap.whole());
            let second = end + batch(13, &[&[1; 50]]).len() as u64;
            let behind = Stretch::new(0..second, 10..14);
            let entry = |from| (from <= second).then_some((second, 14));
            assert_eq!(trap.stretch(&entry), behind, "the one before may be a record's");
        }
    }

    #[test]
    fn an_index_that_lies_is_not_believed() {
        let trap = Trap::joined().without_records();
        let inner = trap.end - batch(12, &[b"y"]).len() as u64;
        for lie in [(70, 11), (inner, 13), (inner + 1, 12), (trap.end + 1, 13), (trap.end, 12), (1 << 40, 13)]
        {
            let entries = |from: u64| -> Option<Anchor> { (from <= lie.0).then_some(lie) };
            assert_eq!(trap.stretch(&entries), trap.all(), "{lie:?}");
        }
    }

    #[test]
    fn a_length_that_is_damaged_is_found_by_the_checksum_where_more_damage_follows() {
        let mut trap = Trap::new();
        trap.bytes[10] ^= 4;
        trap.bytes.iter_mut().rev().take(5).for_each(|byte| *byte ^= 0xff);
        assert_eq!(trap.stretch(NO_INDEX), trap.whole());
    }

    #[test]
    fn the_last_batch_of_a_log_lets_nothing_out_either() {
        for (mut trap, bytes) in
            [(Trap::new(), 0), (Trap::new(), HEADER_LEN), (Trap::joined(), HEADER_LEN + 40)]
        {
            trap.bytes.truncate(trap.end as usize);
            trap.bytes[..bytes].fill(0);
            for bit in 8 * 8..12 * 8 {
                trap.bytes[bit / 8] ^= 1 << (bit % 8);
                let evidence = Evidence::of(NO_INDEX, 0);
                let found = stretch_at(&*trap.file(), 0, trap.end, 10..13, evidence).expect("read");
                assert_eq!(found, trap.whole(), "bit {bit}, {bytes} zeros");
                // Nothing says where the log ends.
                let found = stretch_at(&*trap.file(), 0, trap.end, 10..i64::MAX, evidence).expect("read");
                assert_eq!(found.end(), trap.end, "bit {bit}, {bytes} zeros");
                trap.bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn further_on_than_a_batch_is_long_the_log_goes_on_without_an_index() {
        let mut trap = Trap::joined().without_records();
        let (mut ends, big) = (Vec::new(), vec![9; 6 << 20]);
        for offset in 16..20 {
            trap.bytes.extend(batch(offset, &[&big]));
            ends.push(trap.bytes.len() as u64);
        }
        let evidence = Evidence::of(NO_INDEX, 0);
        let found = stretch_at(&*trap.file(), 0, trap.bytes.len() as u64, 10..20, evidence).expect("read");
        let far = ends.iter().position(|end| *end >= BATCH_LEN_MAX).expect("an end");
        assert_eq!((found.end(), found.next_offset), (ends[far], 17 + far as i64));
    }

    #[test]
    fn a_whole_batch_between_damage_is_not_taken_for_one_whose_records_are_missing_before_it() {
        let mut trap = Trap::new();
        let (first, second) = (trap.end as usize, batch(13, &[&[1; 50]]).len());
        trap.bytes[first + second..first + second + HEADER_LEN + 9].fill(0);
        let (from, size) = (trap.end, trap.bytes.len() as u64);
        let entry = |at: u64| -> Option<Anchor> {
            (at <= size - second as u64).then_some((size - second as u64, 15))
        };
        let found = stretch_at(&*trap.file(), from, size, 12..16, Evidence::of(&entry, 0)).expect("read");
        assert_eq!(found, Stretch::new(from..size - second as u64, 12..15));
    }
}
