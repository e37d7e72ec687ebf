//! Small files that say one number of each of some segments.
//!
//! ```text
//!   | version i16 = 0 | crc32c of what follows u32 | count i32 | count x { base offset i64 | number u32 } |
//! ```
//!
//! What the numbers are is their owners' business (`txn_witness`, `rewritten`). A file that is damaged says nothing.

use std::io::{self, ErrorKind};
use std::path::Path;

use pagewire_disk::{Disk, read_small, write_atomically};

const VERSION: i16 = 0;
const HEAD_LEN: usize = 10;
const LINE_LEN: usize = 12;
/// Of more segments than a log can have in practice.
const FILE_MAX: u64 = 64 << 20;

/// A segment's base offset, and the number.
pub(crate) type Line = (i64, u32);

/// Reads a file; `None` without one. `InvalidData`: it says nothing.
pub(crate) fn read(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<Line>>> {
    let useless = || io::Error::new(ErrorKind::InvalidData, "it says nothing");
    match read_small(disk, path, FILE_MAX) {
        Err(error) if error.kind() == ErrorKind::FileTooLarge => Err(useless()),
        read => read?.map(|bytes| decode(&bytes).ok_or_else(useless)).transpose(),
    }
}

/// Writes a file, durably; none if there is nothing to say.
pub(crate) fn write(disk: &dyn Disk, path: &Path, lines: &[Line]) -> io::Result<()> {
    if !lines.is_empty() {
        return write_atomically(disk, path, &encode(lines));
    }
    match disk.remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| disk.sync_dir(path.parent().unwrap_or(Path::new(".")))),
    }
}

/// A file's bytes.
pub(crate) fn encode(lines: &[Line]) -> Vec<u8> {
    let mut body = (lines.len() as u32).to_be_bytes().to_vec();
    for (base, number) in lines {
        body.extend_from_slice(&base.to_be_bytes());
        body.extend_from_slice(&number.to_be_bytes());
    }
    let mut bytes = VERSION.to_be_bytes().to_vec();
    bytes.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

fn decode(bytes: &[u8]) -> Option<Vec<Line>> {
    let (head, lines) = bytes.split_first_chunk::<HEAD_LEN>()?;
    let (version, rest) = head.split_first_chunk::<2>()?;
    let (crc, count) = rest.split_first_chunk::<4>()?;
    let sum = crc32c::crc32c_append(crc32c::crc32c(count), lines);
    let (lines, rest) = lines.as_chunks::<LINE_LEN>();
    let is_whole = *version == VERSION.to_be_bytes()
        && *crc == sum.to_be_bytes()
        && *count == (lines.len() as u32).to_be_bytes()
        && rest.is_empty();
    let line = |line: &[u8; LINE_LEN]| {
        let (base, number) = line.split_first_chunk::<8>()?;
        Some((i64::from_be_bytes(*base), u32::from_be_bytes(*number.first_chunk::<4>()?)))
    };
    is_whole.then(|| lines.iter().map(line).collect::<Option<Vec<_>>>())?
}

#[cfg(test)]
mod tests {
    use pagewire_disk::{MemoryDisk, OpenMode};

    use super::*;

    const LINES: [Line; 3] = [(0, 7), (400, 9), (400, 0)];

    #[test]
    fn what_was_written_is_read_and_nothing_else() {
        let bytes = encode(&LINES);
        assert_eq!(decode(&bytes), Some(LINES.to_vec()));
        assert_eq!(decode(&[]), None);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert_eq!(decode(&flipped), None, "byte {at}");
            assert_eq!(decode(&bytes[..at]), None, "cut at {at}");
        }
        assert_eq!(decode(&[&bytes[..], &[0; LINE_LEN]].concat()), None, "grown");
    }

    #[test]
    fn nothing_to_say_is_no_file_and_a_damaged_one_is_no_disk_trouble() {
        let (disk, path) = (MemoryDisk::new(), Path::new("/d/file"));
        disk.create_dir_all(Path::new("/d")).expect("a directory");
        assert_eq!(read(&disk, path).expect("none"), None);
        write(&disk, path, &LINES).expect("written");
        assert_eq!(read(&disk, path).expect("one"), Some(LINES.to_vec()));
        disk.open(path, OpenMode::ReadWrite).expect("there").set_len(12).expect("cut");
        assert_eq!(read(&disk, path).expect_err("damaged").kind(), ErrorKind::InvalidData);
        for _ in 0..2 {
            write(&disk, path, &[]).expect("removed");
            assert!(!disk.exists(path).expect("seen"));
        }
    }
}
