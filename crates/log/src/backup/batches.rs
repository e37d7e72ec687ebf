//! Checking the batches of a segment while its bytes go by, in pieces of any size.
//!
//! Pure: bytes come in, a verdict goes out at the end. Of a batch only its header is kept. Stretches that are known to be
//! damaged or lost are passed over; behind the first one that is not known nothing is looked at any more.

use std::collections::VecDeque;

use pagewire_record::header::CRC_START;
use pagewire_record::{BatchError, BatchHeader, HEADER_LEN, fits};

use super::Expected;
use crate::Stretch;

/// What is known of the batches so far.
#[derive(Debug)]
pub struct BatchCheck {
    /// Where the next batch begins.
    position: u64,
    /// The least offset it may have.
    next_offset: i64,
    /// First offset that no batch may reach.
    bound: i64,
    /// Offsets may be missing between batches, and before the bound.
    holes: bool,
    early_end: bool,
    header: [u8; HEADER_LEN],
    filled: usize,
    body: Option<Body>,
    /// What is known to be damaged and has not gone by yet.
    known: VecDeque<Stretch>,
    /// Bytes of such a stretch that are still to come.
    passing: u64,
    /// The first thing that was wrong.
    bad: Option<Bad>,
}

/// A batch whose records go by.
#[derive(Debug)]
struct Body {
    header: BatchHeader,
    left: u64,
    crc: u32,
}

/// Where and why bytes are no batches.
pub type Bad = (u64, String);

impl BatchCheck {
    /// Of a segment of which this much is known.
    pub fn new(expected: &Expected) -> Self {
        let Expected { base_offset, bound, holes, early_end, ref known } = *expected;
        Self {
            position: 0,
            next_offset: base_offset,
            bound,
            holes,
            early_end,
            header: [0; HEADER_LEN],
            filled: 0,
            body: None,
            known: known.iter().copied().collect(),
            passing: 0,
            bad: None,
        }
    }

    /// The next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.bad.is_none() {
            self.bad = self.judge(bytes).err();
        }
    }

    /// The offset after the last batch. An error if something was wrong, bytes end within a batch, or before the last one.
    pub fn end(&self) -> Result<i64, Bad> {
        match (&self.bad, &self.body, self.filled, self.passing) {
            (Some(bad), ..) => Err(bad.clone()),
            (None, None, 0, 0) if self.early_end || self.reaches_the_bound() => Ok(self.next_offset),
            (None, None, 0, 0) => Err(self.lacks(self.bound)),
            _ => Err(self.bad("the file ends within a batch".to_owned())),
        }
    }

    /// What is missing before the bound, if anything, is known to be.
    fn reaches_the_bound(&self) -> bool {
        let here = self.known.iter().filter(|known| known.begin() == self.position);
        here.fold(self.next_offset, |next, known| next.max(known.next_offset)) >= self.bound
    }

    fn lacks(&self, next: i64) -> Bad {
        self.bad(format!("the offsets {} to {} are missing", self.next_offset, next - 1))
    }

    fn judge(&mut self, mut bytes: &[u8]) -> Result<(), Bad> {
        while !bytes.is_empty() {
            self.pass_what_is_known();
            bytes = match &mut self.body {
                _ if self.passing > 0 => {
                    let (now, rest) = split(bytes, self.passing);
                    self.passing -= now.len() as u64;
                    rest
                }
                None => self.feed_header(bytes)?,
                Some(body) => {
                    let (now, rest) = split(bytes, body.left);
                    body.crc = crc32c::crc32c_append(body.crc, now);
                    body.left -= now.len() as u64;
                    rest
                }
            };
            self.end_batch()?;
        }
        Ok(())
    }

    /// Where a known stretch begins instead of a batch, goes on behind it.
    fn pass_what_is_known(&mut self) {
        let between = self.body.is_none() && self.filled == 0;
        while self.passing == 0
            && let Some(stretch) = self.known.pop_front_if(|next| between && next.begin() == self.position)
        {
            self.passing = stretch.bytes();
            self.position = stretch.end();
            self.next_offset = self.next_offset.max(stretch.next_offset);
        }
    }

    fn feed_header<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], Bad> {
        let (now, rest) = bytes.split_at(bytes.len().min(HEADER_LEN - self.filled));
        if let Some(place) = self.header.get_mut(self.filled..self.filled + now.len()) {
            place.copy_from_slice(now);
        }
        self.filled += now.len();
        if self.filled < HEADER_LEN {
            return Ok(rest);
        }
        let header = BatchHeader::parse(&self.header).map_err(|error| self.bad(error.to_string()))?;
        // That the file goes on to its end shows when it ends.
        fits(&header, u64::MAX, &(self.next_offset..self.bound)).map_err(|what| self.bad(what))?;
        if header.base_offset > self.next_offset && !self.holes {
            return Err(self.lacks(header.base_offset));
        }
        let crc = crc32c::crc32c(self.header.get(CRC_START..).unwrap_or_default());
        let left = header.size_in_bytes() - HEADER_LEN as u64;
        self.body = Some(Body { header, left, crc });
        Ok(rest)
    }

    /// Judges a batch that is whole.
    fn end_batch(&mut self) -> Result<(), Bad> {
        let Some(body) = self.body.take_if(|body| body.left == 0) else { return Ok(()) };
        if body.crc != body.header.crc {
            let error = BatchError::Checksum { stored: body.header.crc, computed: body.crc };
            return Err(self.bad(error.to_string()));
        }
        self.position += body.header.size_in_bytes();
        self.next_offset = body.header.next_offset();
        self.filled = 0;
        Ok(())
    }

    fn bad(&self, reason: String) -> Bad {
        (self.position, reason)
    }
}

/// No more than so many of the bytes, and the others.
fn split(bytes: &[u8], wanted: u64) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.len().min(usize::try_from(wanted).unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use pagewire_record::{BatchBuilder, Codec};

    use super::*;

    /// Batches of two records each, from offset 10 on.
    fn batches(count: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        for at in 0..count {
            let mut builder = BatchBuilder::new(Codec::None);
            for value in [&b"one"[..], b"two"] {
                builder.append(1000, None, Some(value), &[]).expect("appended");
            }
            let mut batch = builder.build().expect("built").to_vec();
            batch[..8].copy_from_slice(&(10 + 2 * at).to_be_bytes());
            bytes.extend_from_slice(&batch);
        }
        bytes
    }

    fn checked(bytes: &[u8], piece: usize, bound: i64) -> Result<i64, Bad> {
        checked_knowing(&[], bytes, piece, bound)
    }

    fn checked_knowing(known: &[Stretch], bytes: &[u8], piece: usize, bound: i64) -> Result<i64, Bad> {
        checked_for(&Expected::new(10, bound).knowing(known.iter().copied()), bytes, piece)
    }

    fn checked_for(expected: &Expected, bytes: &[u8], piece: usize) -> Result<i64, Bad> {
        let mut check = BatchCheck::new(expected);
        bytes.chunks(piece).for_each(|piece| check.feed(piece));
        check.end()
    }

    #[test]
    fn good_batches_pass_in_pieces_of_any_size() {
        let bytes = batches(3);
        for piece in [1, 7, 61, 62, bytes.len()] {
            assert_eq!(checked(&bytes, piece, 16), Ok(16), "{piece}");
        }
        assert_eq!(checked(&[], 1, 10), Ok(10));
    }

    #[test]
    fn every_flipped_bit_that_a_crc_covers_and_every_cut_is_noticed() {
        let bytes = batches(2);
        let one = bytes.len() / 2;
        for at in (0..bytes.len()).filter(|at| at % one >= 16) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert!(checked(&flipped, 100, 14).is_err(), "byte {at}");
        }
        for cut in (1..bytes.len()).filter(|cut| *cut != one) {
            assert!(checked(&bytes[..cut], 100, 14).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn offsets_rise_and_stay_below_the_bound() {
        let bytes = batches(2);
        assert!(checked(&bytes, 100, 13).is_err());
        let (one, two) = bytes.split_at(bytes.len() / 2);
        let swapped = [two, one].concat();
        let (position, _) = checked(&swapped, 100, 14).expect_err("the second goes back");
        assert_eq!(position, two.len() as u64);
    }

    #[test]
    fn where_nothing_may_be_missing_holes_and_early_ends_are_losses_unless_they_are_known() {
        let all = batches(3);
        let one = all.len() / 3;
        let holed = [&all[..one], &all[2 * one..]].concat();
        let lost = |position: u64, offset: i64| Stretch::new(position..position, offset..offset + 2);
        let cases: [(&[u8], Stretch); 3] = [
            (&holed, lost(one as u64, 12)),
            (&all[one..], lost(0, 10)),
            (&all[..2 * one], lost(2 * one as u64, 14)),
        ];
        for (bytes, lost) in cases {
            for piece in [1, 61, bytes.len()] {
                let may = Expected::new(10, 16);
                assert!(checked_for(&may, bytes, piece).is_ok());
                let none = Expected { holes: false, early_end: false, ..may };
                let (position, what) = checked_for(&none, bytes, piece).expect_err("a loss");
                assert!(position == lost.begin() && what.contains("are missing"), "{position}: {what}");
                assert!(checked_for(&none.knowing([lost]), bytes, piece).is_ok());
            }
        }
        let whole = Expected { holes: false, early_end: false, ..Expected::new(10, 16) };
        assert_eq!(checked_for(&whole, &all, 61), Ok(16));
    }

    #[test]
    fn known_damage_is_passed_over_and_other_damage_is_not() {
        let mut bytes = batches(5);
        let one = bytes.len() as u64 / 5;
        bytes[usize::try_from(one).expect("small") + 30] ^= 1;
        let known = Stretch::new(one..2 * one, 12..14);
        for piece in [1, 61, 100, bytes.len()] {
            assert_eq!(checked_knowing(&[known], &bytes, piece, 20), Ok(20), "{piece}");
        }
        assert_eq!(checked(&bytes, 61, 20).map_err(|(position, _)| position), Err(one));
        let elsewhere = Stretch::new(one + 1..2 * one, 12..14);
        assert!(checked_knowing(&[elsewhere], &bytes, 61, 20).is_err(), "no batch is due where it begins");
        let mut more = bytes.clone();
        more[usize::try_from(3 * one).expect("small") + 30] ^= 1;
        let found = checked_knowing(&[known], &more, 61, 20);
        assert_eq!(found.map_err(|(position, _)| position), Err(3 * one));
        let all = Stretch::new(0..5 * one, 10..20);
        assert_eq!(checked_knowing(&[all], &more, 61, 20), Ok(20));
        assert!(checked_knowing(&[all], &more[1..], 61, 20).is_err(), "it is cut");
    }
}
