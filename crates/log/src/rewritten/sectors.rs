//! How `pagewire-compacted` is laid out: sectors, each whole by itself, so that a line is added by writing one of them.
//!
//! ```text
//!   sector  | version i16 = 2 | lines i16 | its number u32 | of how many u32 | crc32c of the rest u32 | lines, then zeros |   512 bytes
//!   line    | base offset i64 | length u32 | the next one's base offset - base offset u32 |                                  16 bytes
//! ```
//!
//! Room is made when the file is written whole, so its length stays what each sector says it is: a file that was cut, and
//! one of whose sectors any is not as it was written, says nothing. A disk writes a sector or does not.
//!
//! Before version 2 the file was [one piece](crate::lines), written anew for each line.

use crate::lines::Line;

/// Bytes of a sector.
pub(super) const SECTOR: usize = 512;
const HEAD: usize = 16;
const LINE: usize = 16;
/// Lines of one.
pub(super) const LINES: usize = (SECTOR - HEAD) / LINE;
const VERSION: i16 = 2;
/// Its head ends in the checksum, which covers all the rest.
const CRC_AT: usize = 12;

/// How many of them so many lines take: one at least.
pub(super) fn needed(lines: usize) -> usize {
    lines.div_ceil(LINES).max(1)
}

/// A file of so many sectors, or of more if the lines take more, with these lines.
pub(super) fn encode(lines: &[Line<2>], sectors: usize) -> Vec<u8> {
    let of = sectors.max(needed(lines.len()));
    let pieces = lines.chunks(LINES).chain(std::iter::repeat(&[][..]));
    pieces.take(of).enumerate().flat_map(|(number, lines)| sector(number, of, lines)).collect()
}

/// The lines of a file; `None`: it says nothing.
pub(super) fn decode(bytes: &[u8]) -> Option<Vec<Line<2>>> {
    let (sectors, rest) = bytes.as_chunks::<SECTOR>();
    if sectors.is_empty() || !rest.is_empty() {
        return None;
    }
    let read = sectors.iter().enumerate().map(|(number, sector)| lines_of(sector, number, sectors.len()));
    Some(read.collect::<Option<Vec<_>>>()?.concat())
}

/// Whether a file is of this layout, be it damaged.
pub(super) fn is_of(bytes: &[u8]) -> bool {
    bytes.starts_with(&VERSION.to_be_bytes())
}

fn sector(number: usize, of: usize, lines: &[Line<2>]) -> [u8; SECTOR] {
    let mut sector = [0; SECTOR];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        if let Some(place) = sector.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        at += bytes.len();
    };
    put(&VERSION.to_be_bytes());
    put(&(lines.len() as i16).to_be_bytes());
    put(&(number as u32).to_be_bytes());
    put(&(of as u32).to_be_bytes());
    put(&[0; HEAD - CRC_AT]);
    for (base, [length, next]) in lines {
        put(&base.to_be_bytes());
        put(&length.to_be_bytes());
        put(&next.to_be_bytes());
    }
    let crc = sum(&sector);
    if let Some(place) = sector.get_mut(CRC_AT..HEAD) {
        place.copy_from_slice(&crc.to_be_bytes());
    }
    sector
}

/// Of a sector but for the checksum's own place.
fn sum(sector: &[u8; SECTOR]) -> u32 {
    let (head, rest) = sector.split_at(HEAD);
    let before = head.get(..CRC_AT).unwrap_or_default();
    crc32c::crc32c_append(crc32c::crc32c(before), rest)
}

fn lines_of(sector: &[u8; SECTOR], number: usize, of: usize) -> Option<Vec<Line<2>>> {
    let (head, lines) = sector.split_first_chunk::<HEAD>()?;
    let count = usize::try_from(i16::from_be_bytes(*head.get(2..4)?.first_chunk()?)).ok()?;
    let lines = lines.as_chunks::<LINE>().0.get(..count)?;
    let read: Vec<Line<2>> = lines.iter().filter_map(line).collect();
    // A line has no other spelling, so a sector that is as it was written is what would be written for its lines.
    (self::sector(number, of, &read) == *sector).then_some(read)
}

fn line(line: &[u8; LINE]) -> Option<Line<2>> {
    let (base, numbers) = line.split_first_chunk::<8>()?;
    let (length, next) = numbers.split_first_chunk::<4>()?;
    Some((i64::from_be_bytes(*base), [u32::from_be_bytes(*length), u32::from_be_bytes(*next.first_chunk()?)]))
}

/// A file that lines are added to: what its last sector with lines holds, and how many follow.
#[derive(Debug)]
pub(super) struct Filling {
    of: usize,
    number: usize,
    lines: Vec<Line<2>>,
}

/// Bytes for a place in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Patch {
    pub(super) position: u64,
    pub(super) bytes: Vec<u8>,
}

impl Filling {
    /// A file as [`encode`] makes it of these.
    pub(super) fn of(lines: &[Line<2>], sectors: usize) -> Self {
        let number = needed(lines.len()) - 1;
        let last = lines.get(number * LINES..).unwrap_or_default();
        Self { of: sectors.max(number + 1), number, lines: last.to_vec() }
    }

    /// What is to be written for a few lines more; `None`: there is no room for them.
    pub(super) fn add(&mut self, lines: &[Line<2>]) -> Option<Patch> {
        let all = [&self.lines[..], lines].concat();
        let (first, last) = (self.number, self.number + needed(all.len()) - 1);
        if last >= self.of {
            return None;
        }
        let pieces = all.chunks(LINES).enumerate();
        let bytes = pieces.flat_map(|(n, lines)| sector(first + n, self.of, lines)).collect();
        self.number = last;
        self.lines = all.get((last - first) * LINES..).unwrap_or_default().to_vec();
        Some(Patch { position: (first * SECTOR) as u64, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(range: std::ops::Range<i64>) -> Vec<Line<2>> {
        range.map(|n| (n, [n as u32 * 3, u32::MAX - n as u32])).collect()
    }

    #[test]
    fn what_was_written_is_read_with_room_or_without() {
        for count in [0, 1, LINES as i64, LINES as i64 + 1, 1000] {
            for sectors in [0, 1, 2, 50] {
                let bytes = encode(&lines(0..count), sectors);
                assert_eq!(bytes.len(), SECTOR * sectors.max(needed(count as usize)));
                assert_eq!(decode(&bytes), Some(lines(0..count)));
            }
        }
    }

    #[test]
    fn a_file_with_any_bit_changed_or_cut_anywhere_says_nothing() {
        let bytes = encode(&lines(0..40), 3);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&flipped), None, "bit {bit}");
        }
        for at in 0..bytes.len() {
            assert_eq!(decode(&bytes[..at]), None, "cut at {at}");
        }
        for sector in 0..3 {
            let mut zeroed = bytes.clone();
            zeroed[sector * SECTOR..][..SECTOR].fill(0);
            assert_eq!(decode(&zeroed), None, "sector {sector} reads as zeros");
        }
        assert_eq!(decode(&[&bytes[..], &bytes[..SECTOR]].concat()), None, "grown");
    }

    #[test]
    fn lines_that_are_added_are_read_as_if_all_had_been_written_at_once() {
        for first in [0, 1, LINES as i64 - 1, LINES as i64, 70] {
            let (mut bytes, mut filling) = (encode(&lines(0..first), 8), Filling::of(&lines(0..first), 8));
            let (mut there, mut step) = (first, 1);
            while let Some(Patch { position, bytes: patch }) = filling.add(&lines(there..there + step)) {
                assert!(patch.len() <= SECTOR * (2 + step as usize / LINES), "{there} and {step}");
                bytes[position as usize..][..patch.len()].copy_from_slice(&patch);
                there += step;
                assert_eq!(decode(&bytes), Some(lines(0..there)));
                step = step % 64 + 3;
            }
            assert!(there + step > 8 * LINES as i64 && there > 100, "full at {there}");
            assert_eq!(decode(&bytes), Some(lines(0..there)), "what does not fit changes nothing");
        }
    }

    /// A power cut in the middle of adding: each sector is there or is not.
    #[test]
    fn whichever_of_the_sectors_of_an_addition_arrive_what_was_there_before_is_read() {
        let before = encode(&lines(0..20), 5);
        let mut filling = Filling::of(&lines(0..20), 5);
        let Patch { position, bytes: patch } = filling.add(&lines(20..120)).expect("room");
        let sectors = patch.len() / SECTOR;
        assert_eq!((position, sectors), (0, 4));
        for arrived in 0..1 << sectors {
            let mut bytes = before.clone();
            for n in (0..sectors).filter(|n| arrived & 1 << n != 0) {
                bytes[n * SECTOR..][..SECTOR].copy_from_slice(&patch[n * SECTOR..][..SECTOR]);
            }
            let read = decode(&bytes).expect("whole");
            assert!(lines(0..20).iter().all(|line| read.contains(line)), "{arrived:b}");
        }
    }
}
