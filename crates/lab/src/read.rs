//! Small files of the kernel as text. They have no length that could be trusted, so what is read of them is bounded.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The first `bytes_max` bytes of a file: enough of a long one for whoever looks for what stands at its beginning. What
/// is no text becomes the sign that stands for it.
pub(crate) fn head(path: impl AsRef<Path>, bytes_max: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_is_asked_for_and_an_endless_file_has_an_end() {
        assert_eq!(head("/dev/zero", 7).unwrap().len(), 7);
        assert_eq!(head("/dev/null", 7).unwrap(), "");
        assert!(head("/nowhere/at/all", 7).is_err());
    }

    #[test]
    fn what_is_no_text_is_no_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"cpu\xff").unwrap();
        assert_eq!(head(file.path(), 100).unwrap(), "cpu\u{fffd}");
    }
}
