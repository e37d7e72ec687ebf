//! Small files of `/proc` and `/sys`. Never more than [`MAX_BYTES`] of one: what is longer is cut.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The longest file that is read whole: a mount table of a machine with thousands of containers.
const MAX_BYTES: u64 = 4 << 20;
/// The longest file whose lines are counted: some hundred thousand maps of a process.
const LINES_BYTES_MAX: u64 = 64 << 20;

/// The text of a file, without the white space around it.
pub(crate) fn text(path: impl AsRef<Path>) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// How many lines a file has, in its first [`LINES_BYTES_MAX`].
pub(crate) fn lines(path: impl AsRef<Path>) -> io::Result<usize> {
    let mut reader = BufReader::new(File::open(path)?.take(LINES_BYTES_MAX));
    let mut lines = 0;
    while reader.skip_until(b'\n')? > 0 {
        lines += 1;
    }
    Ok(lines)
}

/// A file that holds one number.
pub(crate) fn number(path: impl AsRef<Path>) -> io::Result<u64> {
    let text = text(path)?;
    text.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("{text:?} is no number")))
}

/// A file that holds numbers, as many as there are.
pub(crate) fn numbers(path: impl AsRef<Path>) -> io::Result<Vec<u64>> {
    Ok(text(path)?.split_whitespace().filter_map(|word| word.parse().ok()).collect())
}

/// The value in brackets of `always [madvise] never`; the whole where nothing stands in brackets.
pub(crate) fn chosen(text: &str) -> &str {
    text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map_or(text, |(chosen, _)| chosen)
}

/// The value of `key` in lines such as `MemTotal:   24684092 kB`.
pub(crate) fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim)
}

/// A field of `/proc/meminfo`, in bytes.
pub(crate) fn kib_field(text: &str, key: &str) -> Option<u64> {
    let kib: u64 = field(text, key)?.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_proc_and_sys_are_read() {
        assert_eq!((chosen("always [madvise] never"), chosen("none")), ("madvise", "none"));
        let text = "MemTotal:       24684092 kB\nSeccomp:\t2\n";
        assert_eq!(kib_field(text, "MemTotal"), Some(24_684_092 * 1024));
        assert_eq!((field(text, "Seccomp"), field(text, "Sec")), (Some("2"), None));
    }

    #[test]
    fn lines_are_counted_without_being_kept() {
        let count = lines("/proc/self/maps").expect("counted");
        assert!(count > 1, "{count}");
        assert_eq!(lines("/proc/sys/vm/max_map_count").ok(), Some(1));
        assert!(lines("/nowhere").is_err());
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        assert!(number("/proc/self/status").is_err());
        assert!(number("/nowhere").is_err());
    }
}
