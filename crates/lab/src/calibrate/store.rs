//! The file that thresholds are kept in: replaced whole, so that a broker that starts meanwhile reads the old one or
//! the new one. It belongs to whoever the directory belongs to, and anybody may read it: a broker that runs as another
//! user than who calibrates reads it too.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::Path;

use pagewire_zcopy::{MeasuredOn, Thresholds};
use rustix::process::geteuid;
use tempfile::NamedTempFile;

use crate::record::Machine;

const MODE: u32 = 0o644;

/// Writes `thresholds` to `name` in `dir`, with a note where and when they were measured. The directory is made if it
/// is not there; but not by root, who would own what a broker of another user cannot write to.
///
/// # Errors
/// What the file system says; a file that could not be read back. The old file is untouched then.
pub fn store(dir: &Path, name: &str, thresholds: &Thresholds, machine: &Machine) -> io::Result<()> {
    let text = text(thresholds, machine);
    // What reads the file has a limit to its length.
    if text.parse() != Ok(*thresholds) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "what would be written cannot be read back"));
    }
    if !geteuid().is_root() {
        std::fs::create_dir_all(dir)?;
    }
    let owner = std::fs::metadata(dir)?;
    let mut file = NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(Permissions::from_mode(MODE))?;
    if geteuid().is_root() {
        fchown(file.as_file(), Some(owner.uid()), Some(owner.gid()))?;
    }
    file.as_file().sync_all()?;
    file.persist(dir.join(name)).map_err(|error| error.error)?;
    // The name is in the directory, and has to last as well.
    File::open(dir)?.sync_all()
}

/// The file's text. Names that a machine gives itself stay within their line.
fn text(thresholds: &Thresholds, machine: &Machine) -> String {
    let Machine { kernel, cpu, began, .. } = machine;
    let [kernel, cpu, date] = [kernel, cpu, began].map(|said| Some(said.clone()));
    let measured_on = MeasuredOn { kernel, cpu, date };
    format!(
        "# pieces of at most so many bytes, and their route; written by `pagewire lab calibrate`\n{measured_on}{thresholds}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        crate::machine::here(Path::new("."))
    }

    #[test]
    fn what_is_stored_is_read_again_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        for thresholds in [Thresholds::default(), Thresholds::copy_up_to(1)] {
            store(dir.path(), "thresholds", &thresholds, &machine()).unwrap();
            let text = std::fs::read_to_string(dir.path().join("thresholds")).unwrap();
            assert_eq!(text.parse(), Ok(thresholds));
            assert!(text.contains(&format!("# kernel: {}\n", machine().kernel)), "{text}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn anybody_may_read_it_and_it_belongs_to_the_directorys_owner() {
        let dir = tempfile::tempdir().unwrap();
        if geteuid().is_root() {
            std::os::unix::fs::chown(dir.path(), Some(4321), Some(1234)).unwrap();
        }
        store(dir.path(), "thresholds", &Thresholds::default(), &machine()).unwrap();
        let (file, dir) = (dir.path().join("thresholds").metadata().unwrap(), dir.path().metadata().unwrap());
        assert_eq!(file.mode() & 0o7777, MODE);
        assert_eq!((file.uid(), file.gid()), (dir.uid(), dir.gid()));
    }

    #[test]
    fn a_missing_directory_is_made_but_not_by_root() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let stored = store(&data, "thresholds", &Thresholds::default(), &machine());
        if geteuid().is_root() {
            assert_eq!(stored.unwrap_err().kind(), io::ErrorKind::NotFound);
        } else {
            stored.unwrap();
        }
        assert_eq!(data.exists(), !geteuid().is_root());
    }

    #[test]
    fn what_is_too_long_to_be_read_is_not_written_and_a_name_is_no_line() {
        let dir = tempfile::tempdir().unwrap();
        let long = Machine { cpu: "x".repeat(1 << 20), ..machine() };
        let stored = store(dir.path(), "thresholds", &Thresholds::default(), &long);
        assert_eq!(stored.unwrap_err().kind(), io::ErrorKind::InvalidData);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let odd = Machine { cpu: "a\n8192 pigeon\n".to_owned(), ..machine() };
        assert_eq!(text(&Thresholds::default(), &odd).parse(), Ok(Thresholds::default()));
    }
}
