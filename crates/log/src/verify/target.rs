//! What a path is, as far as a check goes, and whether it has anything of a log's at all.

use std::io;
use std::path::Path;

use pagewire_disk::checkpoint::{EPOCH_CHECKPOINT_FILE, PARTITION_METADATA_FILE};
use pagewire_disk::{DirEntry, Disk, OpenMode};

use super::{file, log_dir, parent};
use crate::dir::DirName;
use crate::files::{FileKind, is_noted};

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// A log directory, with partitions in it.
    LogDir,
    /// One partition's directory.
    Partition,
    /// A file of either.
    File,
}

/// What `path` is: a partition's directory if its name or a segment in it says so.
pub(super) fn target_of(disk: &dyn Disk, path: &Path) -> io::Result<Target> {
    match disk.open(path, OpenMode::Read) {
        Ok(_) => return Ok(Target::File),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => {}
        Err(error) => return Err(error),
    }
    let is_log = |entry: &DirEntry| matches!(FileKind::parse(&entry.name), Some((FileKind::Log, _)));
    let found = disk.read_dir(path)?.iter().any(is_log) || is_named_as_partition(path);
    Ok(if found { Target::Partition } else { Target::LogDir })
}

/// Whether `path`, a file or a directory, has anything that a check knows: whatever is said of another is not true.
///
/// # Errors
/// What reading the directory says.
pub fn is_of_a_log(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    match disk.read_dir(path) {
        // A partition that has lost all its files is one where it is known to be.
        Ok(entries) => Ok(is_log_dir(disk, path, &entries)
            || entries.iter().any(is_of_a_partition)
            || is_named_as_partition(path) && disk.read_dir(parent(path))?.iter().any(is_of_a_log_dir)),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(file::is_known(name_of(path))),
        Err(error) => Err(error),
    }
}

fn is_log_dir(disk: &dyn Disk, dir: &Path, entries: &[DirEntry]) -> bool {
    let has_files =
        |name: &str| disk.read_dir(&dir.join(name)).is_ok_and(|of| of.iter().any(is_of_a_partition));
    let is_partition = |entry: &DirEntry| match DirName::parse(&entry.name) {
        DirName::Partition { .. } => has_files(&entry.name),
        DirName::Delete | DirName::Future | DirName::Stray => true,
        DirName::Other => false,
    };
    entries.iter().any(|entry| is_of_a_log_dir(entry) || entry.is_dir && is_partition(entry))
}

/// Of what only log directories have.
fn is_of_a_log_dir(entry: &DirEntry) -> bool {
    !entry.is_dir && log_dir::is_its_file(&entry.name)
}

/// Of what only partitions have.
fn is_of_a_partition(entry: &DirEntry) -> bool {
    let is_small =
        |name: &str| matches!(name, EPOCH_CHECKPOINT_FILE | PARTITION_METADATA_FILE) || is_noted(name);
    !entry.is_dir && (FileKind::parse(&entry.name).is_some() || is_small(&entry.name))
}

fn is_named_as_partition(path: &Path) -> bool {
    matches!(DirName::parse(name_of(path)), DirName::Partition { .. })
}

pub(super) fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use pagewire_disk::MemoryDisk;

    use super::*;

    /// Whether a check takes the directory `/d`, or what is in it at `path`, of these files.
    fn takes(path: &str, files: &[&str]) -> bool {
        let disk = MemoryDisk::new();
        disk.create_dir_all(Path::new("/d")).expect("made");
        for file in files {
            let file = Path::new("/d").join(file);
            disk.create_dir_all(parent(&file)).expect("made");
            disk.open(&file, OpenMode::Create).expect("made");
        }
        is_of_a_log(&disk, &Path::new("/d").join(path)).expect("read")
    }

    const LOG: &str = "00000000000000000000.log";

    #[test]
    fn a_log_directory_has_files_of_its_own_or_a_partition_that_has_some() {
        for file in ["meta.properties", "metadata.redb", ".lock", "orders-0/partition.metadata"] {
            assert!(takes("", &[file]), "{file}");
        }
        for files in [&[][..], &["passwd", "ImageMagick-6/policy.xml"], &["data/meta.properties"]] {
            assert!(!takes("", files), "{files:?}");
        }
    }

    #[test]
    fn a_partition_has_files_of_a_log_or_lies_in_a_log_directory() {
        let log = format!("orders-0/{LOG}");
        assert!(takes("orders-0", &[&log]) && takes(&log, &[&log]));
        assert!(takes("orders-0", &["meta.properties", "orders-0/x"]), "all of it is lost");
        assert!(!takes("orders-0", &["orders-0/x"]) && !takes("other", &["meta.properties", "other/x"]));
    }

    #[test]
    fn a_file_is_known_by_its_name() {
        for file in ["00000000000000000007.snapshot", "leader-epoch-checkpoint", "meta.properties"] {
            assert!(takes(file, &[file]), "{file}");
        }
        for file in ["passwd", "syslog.log", "metadata.redb"] {
            assert!(!takes(file, &[file]), "{file}");
        }
    }
}
