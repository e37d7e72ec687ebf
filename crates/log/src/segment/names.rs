//! The names of the files in a partition's directory, as Kafka writes them: twenty digits of base offset and a suffix.

use std::path::{Path, PathBuf};

/// Suffix of a segment's records.
pub(crate) const LOG: &str = ".log";
/// Suffix of the offset index.
pub(crate) const INDEX: &str = ".index";
/// Suffix of the time index.
pub(crate) const TIME_INDEX: &str = ".timeindex";
/// Suffix of the index of aborted transactions.
pub(crate) const TXN_INDEX: &str = ".txnindex";
/// Suffix of producer state.
pub(crate) const SNAPSHOT: &str = ".snapshot";
/// Added to a file that waits for its unlink.
pub(crate) const DELETED: &str = ".deleted";
/// Added by compaction to a file that is not finished.
pub(crate) const CLEANED: &str = ".cleaned";
/// Added by compaction to a finished file that shall take its place.
pub(crate) const SWAP: &str = ".swap";
/// What a start cut off and set aside.
pub(crate) const CUT: &str = ".cut";
/// What the small-file writer leaves behind when it is interrupted.
pub(crate) const TEMPORARY: &str = ".tmp";

/// All files that go with a segment's base offset.
pub(crate) const OF_A_SEGMENT: [&str; 5] = [LOG, INDEX, TIME_INDEX, TXN_INDEX, SNAPSHOT];

/// `<20 digits><suffix>`.
pub(crate) fn file(offset: i64, suffix: &str) -> String {
    format!("{offset:020}{suffix}")
}

/// `<dir>/<20 digits><suffix>`.
pub(crate) fn path(dir: &Path, offset: i64, suffix: &str) -> PathBuf {
    dir.join(file(offset, suffix))
}

/// The offset in a name with this suffix; `None` for any other name.
pub(crate) fn offset(name: &str, suffix: &str) -> Option<i64> {
    let digits = name.strip_suffix(suffix)?;
    (digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_twenty_digits_and_a_suffix() {
        assert_eq!(path(Path::new("t-0"), 42, LOG), Path::new("t-0/00000000000000000042.log"));
        assert_eq!(offset("00000000000000000042.timeindex", TIME_INDEX), Some(42));
    }

    #[test]
    fn other_names_have_no_offset() {
        for name in
            ["42.log", "00000000000000000042.index", "+0000000000000000042.log", "99999999999999999999.log"]
        {
            assert_eq!(offset(name, LOG), None, "{name}");
        }
    }
}
