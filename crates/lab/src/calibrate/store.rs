//! The file that thresholds are kept in: replaced whole, so that a broker that starts meanwhile reads the old one or the
//! new one.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use pagewire_zcopy::Thresholds;
use tempfile::NamedTempFile;

const HEADER: &str =
    "# pieces of at most so many bytes, and their route; written by `pagewire lab calibrate`\n";

/// Writes `thresholds` to `name` in `dir`, which is made if it is not there.
///
/// # Errors
/// What the file system says; the old file is untouched then.
pub fn store(dir: &Path, name: &str, thresholds: &Thresholds) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let mut file = NamedTempFile::new_in(dir)?;
    write!(file, "{HEADER}{thresholds}")?;
    file.as_file().sync_all()?;
    file.persist(dir.join(name)).map_err(|error| error.error)?;
    // The name is in the directory, and has to last as well.
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        for thresholds in [Thresholds::default(), Thresholds::copy_up_to(1)] {
            store(&data, "thresholds", &thresholds).unwrap();
            let text = std::fs::read_to_string(data.join("thresholds")).unwrap();
            assert_eq!(text.parse(), Ok(thresholds));
        }
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 1);
    }
}
