//! Small files that say a few numbers of each of some segments.
//!
//! ```text
//!   | version i16 | crc32c of what follows u32 | count i32 | count x { base offset i64 | N numbers u32 } |     version: N - 1
//! ```
//!
//! What the numbers are is their owners' business (`txn_witness`, `rewritten`). A file that is damaged says nothing.

use std::io::{self, ErrorKind};
use std::path::Path;

use pagewire_disk::{Disk, OpenMode, read_small, write_atomically};

const HEAD_LEN: usize = 10;
/// Of more segments than a log can have in practice.
const FILE_MAX: u64 = 64 << 20;

/// A segment's base offset, and the numbers.
pub(crate) type Line<const N: usize> = (i64, [u32; N]);

const fn line_len(numbers: usize) -> usize {
    8 + 4 * numbers
}

fn version(numbers: usize) -> [u8; 2] {
    (numbers as i16 - 1).to_be_bytes()
}

/// Reads a file; `None` without one. `InvalidData`: it says nothing.
pub(crate) fn read<const N: usize>(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<Line<N>>>> {
    read_with(disk, path, decode)
}

/// The same of a file that is laid out otherwise.
pub(crate) fn read_with<const N: usize>(
    disk: &dyn Disk,
    path: &Path,
    decode: impl Fn(&[u8]) -> Option<Vec<Line<N>>>,
) -> io::Result<Option<Vec<Line<N>>>> {
    let useless = || io::Error::new(ErrorKind::InvalidData, "it says nothing");
    match read_small(disk, path, FILE_MAX) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => Err(useless()),
        read => read?.map(|bytes| decode(&bytes).ok_or_else(useless)).transpose(),
    }
}

/// Writes a file, durably; none if there is nothing to say.
pub(crate) fn write<const N: usize>(disk: &dyn Disk, path: &Path, lines: &[Line<N>]) -> io::Result<()> {
    if !lines.is_empty() {
        return write_atomically(disk, path, &encode(lines));
    }
    remove(disk, path)
}

/// Leaves a file that says nothing, durably but for its name: whoever reads it looks for himself.
pub(crate) fn leave_blank(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let file = disk.open(path, OpenMode::Create)?;
    file.set_len(0)?;
    file.sync_data()
}

/// Nothing is to be said any more, for good.
pub(crate) fn remove(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| disk.sync_dir(path.parent().unwrap_or(Path::new(".")))),
    }
}

/// A file's bytes.
pub(crate) fn encode<const N: usize>(lines: &[Line<N>]) -> Vec<u8> {
    let mut body = (lines.len() as u32).to_be_bytes().to_vec();
    for (base, numbers) in lines {
        body.extend_from_slice(&base.to_be_bytes());
        body.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    }
    let mut bytes = version(N).to_vec();
    bytes.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// What a file of these bytes says; `None`: nothing.
pub(crate) fn decode<const N: usize>(bytes: &[u8]) -> Option<Vec<Line<N>>> {
    let (head, lines) = bytes.split_first_chunk::<HEAD_LEN>()?;
    let (stated, rest) = head.split_first_chunk::<2>()?;
    let (crc, count) = rest.split_first_chunk::<4>()?;
    let sum = crc32c::crc32c_append(crc32c::crc32c(count), lines);
    let lines = lines.chunks_exact(line_len(N));
    let is_whole = *stated == version(N)
        && *crc == sum.to_be_bytes()
        && *count == (lines.len() as u32).to_be_bytes()
        && lines.remainder().is_empty();
    let line = |line: &[u8]| {
        let (base, rest) = line.split_first_chunk::<8>()?;
        let mut numbers = [0; N];
        for (number, bytes) in numbers.iter_mut().zip(rest.as_chunks::<4>().0) {
            *number = u32::from_be_bytes(*bytes);
        }
        Some((i64::from_be_bytes(*base), numbers))
    };
    is_whole.then(|| lines.map(line).collect::<Option<Vec<_>>>())?
}

#[cfg(test)]
mod tests {
    use pagewire_disk::MemoryDisk;

    use super::*;

    const LINES: [Line<2>; 3] = [(0, [7, 1]), (400, [9, 2]), (400, [0, u32::MAX])];

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let bytes = encode(&LINES);
        assert_eq!(decode(&bytes), Some(LINES.to_vec()));
        assert_eq!(decode::<2>(&[]), None);
        assert_eq!(decode::<1>(&bytes), None, "of another kind");
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert_eq!(decode::<2>(&flipped), None, "byte {at}");
            assert_eq!(decode::<2>(&bytes[..at]), None, "cut at {at}");
        }
        assert_eq!(decode::<2>(&[&bytes[..], &[0; line_len(2)]].concat()), None, "grown");
    }

    #[test]
    fn nothing_to_say_is_no_file_and_a_damaged_one_is_no_disk_trouble() {
        let (disk, path) = (MemoryDisk::new(), Path::new("/d/file"));
        disk.create_dir_all(Path::new("/d")).expect("a directory");
        assert_eq!(read::<2>(&disk, path).expect("none"), None);
        write(&disk, path, &LINES).expect("written");
        assert_eq!(read(&disk, path).expect("one"), Some(LINES.to_vec()));
        disk.open(path, OpenMode::ReadWrite).expect("there").set_len(12).expect("cut");
        assert_eq!(read::<2>(&disk, path).expect_err("damaged").kind(), ErrorKind::InvalidData);
        for _ in 0..2 {
            write::<2>(&disk, path, &[]).expect("removed");
            assert!(!disk.exists(path).expect("seen"));
        }
    }
}
