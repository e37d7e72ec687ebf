//! What this program writes down of a log beside Kafka's files (`lines`), number by number.

use std::io;
use std::path::Path;

use pagewire_disk::Disk;

use crate::lines::{self, Line};
use crate::rewritten::{self, Rewritten};
use crate::txns::{undecided, witness};

/// A line of such a file: what it is of, and its numbers by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// A segment's base offset, or the first offset of what is undecided.
    pub offset: i64,
    /// The numbers, as they lie in the file.
    pub numbers: Vec<(&'static str, u32)>,
}

/// Reads the file at `path`, which its name says the kind of; `None` if it is none of these. `InvalidData`: it says nothing.
///
/// # Errors
/// What reading it says.
pub fn read_noted(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<Noted>>> {
    let dir = path.parent().unwrap_or(Path::new("."));
    match path.file_name().and_then(|name| name.to_str()) {
        Some(witness::FILE) => named(lines::read(disk, path)?, ["sum"]),
        Some(undecided::FILE) => named(lines::read(disk, path)?, ["transactions", "offsets", "settled"]),
        Some(rewritten::FILE) => {
            named(Rewritten::read(disk, dir)?.map(Rewritten::into_lines), ["length", "next"])
        }
        _ => Ok(None),
    }
}

/// Whether a file of this name is one of these.
pub fn is_noted(name: &str) -> bool {
    matches!(name, witness::FILE | undecided::FILE | rewritten::FILE)
}

fn named<const N: usize>(
    read: Option<Vec<Line<N>>>,
    names: [&'static str; N],
) -> io::Result<Option<Vec<Noted>>> {
    let lines = read.ok_or(io::ErrorKind::NotFound)?;
    let noted =
        |(offset, numbers): Line<N>| Noted { offset, numbers: names.into_iter().zip(numbers).collect() };
    Ok(Some(lines.into_iter().map(noted).collect()))
}

#[cfg(test)]
mod tests {
    use pagewire_disk::MemoryDisk;

    use super::*;

    #[test]
    fn numbers_are_read_by_the_names_of_their_file_and_damage_is_none_of_them() {
        let (disk, dir) = (MemoryDisk::new(), Path::new("/t-0"));
        disk.create_dir_all(dir).expect("made");
        let path = |name| dir.join(name);
        lines::write(&disk, &path(undecided::FILE), &[(7, [2, 30, 1])]).expect("written");
        let noted = read_noted(&disk, &path(undecided::FILE)).expect("read").expect("one of them");
        assert_eq!(
            noted,
            [Noted { offset: 7, numbers: vec![("transactions", 2), ("offsets", 30), ("settled", 1)] }]
        );
        lines::write(&disk, &path(rewritten::FILE), &[(0, [900, 40])]).expect("written");
        let noted = read_noted(&disk, &path(rewritten::FILE)).expect("read").expect("one of them");
        assert_eq!(noted, [Noted { offset: 0, numbers: vec![("length", 900), ("next", 40)] }]);
        lines::leave_blank(&disk, &path(witness::FILE)).expect("written");
        let blank = read_noted(&disk, &path(witness::FILE)).expect_err("blank");
        assert_eq!(blank.kind(), io::ErrorKind::InvalidData);
        assert_eq!(read_noted(&disk, &path("other")).expect("passed over"), None);
    }
}
