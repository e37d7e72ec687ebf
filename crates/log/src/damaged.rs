//! Damage as it is told: a line for each stretch, as long as those of a file are few.
//!
//! A disk that rots may leave thousands in one file. Whoever reads of that needs to know how far it goes, and that
//! once.

use std::fmt;
use std::path::{Path, PathBuf};

/// Stretches of one file that are told one by one.
pub(crate) const TOLD_MAX: usize = 8;

/// Records that were stable once and are not what was written, or are not there. Reads of them are refused, the log is
/// served around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The segment file.
    pub file: PathBuf,
    /// Position of the first bad byte.
    pub position: u64,
    /// Bad bytes; none where records are missing between good ones.
    pub bytes: u64,
    /// The first of their offsets.
    pub from: i64,
    /// The offset after the last.
    pub upto: i64,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, position, bytes, from, upto } = self;
        let (file, last) = (file.display(), upto - 1);
        if *bytes == 0 {
            return write!(f, "{file}: the offsets {from} to {last} are missing at position {position}");
        }
        write!(f, "{file}: {bytes} bytes are damaged at position {position}, the offsets {from} to {last}")
    }
}

/// What there is of it in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DamagedFile<'d> {
    file: &'d Path,
    stretches: usize,
    bytes: u64,
    from: i64,
    upto: i64,
}

impl fmt::Display for DamagedFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, stretches, bytes, from, upto } = self;
        let (file, last) = (file.display(), upto - 1);
        write!(
            f,
            "{file}: {bytes} bytes are damaged in {stretches} places, among the offsets {from} to {last}"
        )
    }
}

impl Damaged {
    /// In words, what is damaged in each file of `damage`, where those of one file follow one another: each stretch, or
    /// all of the file in one line.
    pub fn told(damage: &[Self]) -> impl Iterator<Item = String> {
        damage.chunk_by(|one, next| one.file == next.file).flat_map(|of_file| {
            match DamagedFile::of(of_file) {
                Some(file) if file.stretches > TOLD_MAX => vec![file.to_string()],
                _ => of_file.iter().map(ToString::to_string).collect(),
            }
        })
    }
}

impl Damaged {
    /// The same of files with many stretches alone: few of a file were told one by one where they were found.
    pub fn summed(damage: &[Self]) -> impl Iterator<Item = String> {
        let files = damage.chunk_by(|one, next| one.file == next.file).filter_map(DamagedFile::of);
        files.filter(|file| file.stretches > TOLD_MAX).map(|file| file.to_string())
    }
}

impl<'d> DamagedFile<'d> {
    fn of(damage: &'d [Damaged]) -> Option<Self> {
        Some(Self {
            file: &damage.first()?.file,
            stretches: damage.len(),
            bytes: damage.iter().map(|damaged| damaged.bytes).sum(),
            from: damage.iter().map(|damaged| damaged.from).min()?,
            upto: damage.iter().map(|damaged| damaged.upto).max()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(file: &str, count: usize) -> Vec<Damaged> {
        let at = |n: usize| Damaged {
            file: PathBuf::from(file),
            position: 100 * n as u64,
            bytes: 10,
            from: 5 * n as i64,
            upto: 5 * n as i64 + 1,
        };
        (0..count).map(at).collect()
    }

    #[test]
    fn few_places_are_told_one_by_one_and_many_of_a_file_in_one_line() {
        let damage: Vec<Damaged> = [of("a.log", 2), of("b.log", TOLD_MAX + 1)].concat();
        let told: Vec<String> = Damaged::told(&damage).collect();
        assert_eq!(Damaged::summed(&damage).collect::<Vec<_>>(), told[2..]);
        assert_eq!(
            told,
            [
                "a.log: 10 bytes are damaged at position 0, the offsets 0 to 0",
                "a.log: 10 bytes are damaged at position 100, the offsets 5 to 5",
                "b.log: 90 bytes are damaged in 9 places, among the offsets 0 to 40",
            ]
        );
    }
}
