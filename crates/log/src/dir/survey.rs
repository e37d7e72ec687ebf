//! What a log directory holds, for whoever looks at it from outside: a broker may have it open meanwhile.
//!
//! Reads names and lengths only, takes no lock, opens no log, changes nothing. What comes or goes during the look may
//! be missed.

use std::io;
use std::path::Path;

use pagewire_disk::Disk;

use super::load::NOBODYS;
use super::names::DirName;

/// Partitions whose segments are measured; a directory with more is measured so far and says so.
pub const MEASURED_MAX: usize = 4096;

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Survey {
    /// Directories of partitions.
    pub partitions: usize,
    /// Of these, those whose segments were measured: all, up to [`MEASURED_MAX`].
    pub measured: usize,
    /// Segments of the measured partitions.
    pub segments: usize,
    /// Bytes of these segments.
    pub bytes: u64,
    /// Directories that wait for their unlink.
    pub doomed: usize,
    /// Unfinished copies, and data set aside because its name was taken.
    pub set_aside: usize,
    /// Directories that are nothing of a log's.
    pub unknown: usize,
}

/// Looks at the log directory `dir`.
///
/// # Errors
/// What reading the directory itself reports. A partition that goes away, or may not be read, counts as empty.
pub fn survey(disk: &dyn Disk, dir: &Path) -> io::Result<Survey> {
    let mut survey = Survey::default();
    for entry in disk.read_dir(dir)? {
        if !entry.is_dir || entry.name == NOBODYS {
            continue;
        }
        match DirName::parse(&entry.name) {
            DirName::Partition { .. } => {
                survey.partitions += 1;
                if survey.measured < MEASURED_MAX {
                    survey.measured += 1;
                    measure(disk, &dir.join(&entry.name), &mut survey);
                }
            }
            DirName::Delete => survey.doomed += 1,
            DirName::Future | DirName::Stray => survey.set_aside += 1,
            DirName::Other => survey.unknown += 1,
        }
    }
    Ok(survey)
}

fn measure(disk: &dyn Disk, partition: &Path, survey: &mut Survey) {
    for entry in disk.read_dir(partition).unwrap_or_default() {
        let path = partition.join(&entry.name);
        if entry.is_dir || path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let len = disk.file_len(&path);
        survey.segments += 1;
        survey.bytes = survey.bytes.saturating_add(len.unwrap_or(0));
    }
}
