//! Makes a broker's log cold: takes its pages out of the page cache.
//!
//! A process may ask for that on files it can open itself (`posix_fadvise(2)`, POSIX_FADV_DONTNEED; clean pages only,
//! so they are written first). The broker's descriptors in `/proc/PID/fd` name its files and open them, for its own
//! user and for root. Pages that a process has mapped stay.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, Advice, access, fadvise, fdatasync};

/// Where the kernel takes the order to drop its page cache (proc_sys_vm(5)).
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";
/// How the files of a log are called, by every broker there is.
const LOG: &str = "log";

/// What was asked of the kernel: files, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// How many files.
    pub files: usize,
    /// Their lengths together.
    pub bytes: u64,
}

/// Whether the process's files can be seen; `Err` says why not.
pub fn sees_files(pid: u32) -> Result<(), String> {
    fs::read_dir(format!("/proc/{pid}/fd")).map(|_| ()).map_err(|error| {
        format!("the broker's files cannot be seen ({error}): run as its user or as root, or use --drop-caches as root")
    })
}

/// Where a log file lies that the process holds open.
pub fn log_folder(pid: u32) -> Option<PathBuf> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let mut files = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    files.find(|file| is_log(file))?.parent().map(Path::to_owned)
}

fn is_log(file: &Path) -> bool {
    file.is_absolute() && file.extension().is_some_and(|extension| extension == LOG)
}

/// Drops the pages of every log file that the process holds open. `Err` says why that cannot be done.
pub fn drop_files(pid: u32) -> Result<Dropped, String> {
    drop_those(pid, is_log)
}

/// The same of those of one partition, by the name of its folder; others stay as they are.
pub fn drop_partition(pid: u32, folder: &str) -> Result<Dropped, String> {
    drop_those(pid, |file| is_log(file) && file.parent().is_some_and(|parent| parent.ends_with(folder)))
}

fn drop_those(pid: u32, wanted: impl Fn(&Path) -> bool) -> Result<Dropped, String> {
    sees_files(pid)?;
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
    let mut dropped = Dropped::default();
    for descriptor in entries.flatten().map(|entry| entry.path()) {
        if let Some(bytes) = drop_one(&descriptor, &wanted) {
            dropped.files += 1;
            dropped.bytes += bytes;
        }
    }
    if dropped.bytes == 0 {
        return Err(
            "the broker holds no log file open that could be dropped; use --drop-caches as root".to_owned()
        );
    }
    Ok(dropped)
}

/// The length of the file behind a descriptor, if it is wanted and was dropped.
fn drop_one(descriptor: &Path, wanted: impl Fn(&Path) -> bool) -> Option<u64> {
    let target: PathBuf = fs::read_link(descriptor).ok()?;
    // Pipes and devices are left alone: opening one may wait, or do something.
    if !wanted(&target) || !fs::metadata(descriptor).ok()?.is_file() {
        return None;
    }
    let file = File::open(descriptor).ok()?;
    let bytes = file.metadata().ok()?.len();
    fdatasync(&file).ok()?;
    fadvise(&file, 0, None, Advice::DontNeed).ok()?;
    Some(bytes)
}

/// Drops the whole machine's page cache; needs root. What is clean goes, so everything is written first.
pub fn drop_everything() -> Result<(), String> {
    rustix::fs::sync();
    fs::write(DROP_CACHES, "1").map_err(|error| refused(&error))
}

/// Whether [`drop_everything`] may be called; `Err` says why not. Drops nothing.
pub fn may_drop_everything() -> Result<(), String> {
    access(DROP_CACHES, Access::WRITE_OK).map_err(|error| refused(&error.into()))
}

/// Has everything written that was left to be, and as much of the page cache let go as this process may, before the process is
/// to write: the pages that it gets are then those that were just in use.
///
/// The host of a virtual machine takes back what was free in it for a while, and gives it again page by page at the first touch.
/// That costs several times what a broker does with a page, and would be charged to whoever happens to get it.
pub fn settle(pid: u32) {
    if drop_everything().is_err() {
        // As far as it may: this is for the figures' sake alone.
        let _ = drop_files(pid);
    }
}

fn refused(error: &io::Error) -> String {
    format!("--drop-caches needs root ({error} at {DROP_CACHES})")
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use pagewire_zcopy::cached_pages;

    use super::*;

    /// Whether what is in the page cache stays there when it is asked about.
    fn stays() -> bool {
        const BYTES: usize = 8 << 10;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; BYTES]).unwrap();
        file.sync_all().unwrap();
        if let Err(why) = may_drop_everything() {
            assert!(why.contains("needs root"), "{why}");
            return true;
        }
        let unseen = |error| {
            eprintln!("whether pages were dropped cannot be seen: {error}");
            true
        };
        cached_pages(&file, 0, BYTES as u64).map_or_else(unseen, |pages| pages > 0)
    }

    #[test]
    fn whether_everything_may_be_dropped_is_found_out_without_dropping_it() {
        // Something else may drop it, but not at just this moment time and again.
        assert!((0..5).any(|_| stays()), "asking has dropped the page cache");
    }

    #[test]
    fn the_log_files_a_process_holds_are_dropped_and_nothing_else() {
        let file = |suffix| tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
        let (mut log, mut other) = (file(".log"), file(".index"));
        log.write_all(&[1; 8192]).unwrap();
        other.write_all(&[1; 4096]).unwrap();
        let descriptor = |file: &File| PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
        assert_eq!(drop_one(&descriptor(log.as_file()), is_log), Some(8192));
        assert_eq!(drop_one(&descriptor(other.as_file()), is_log), None);
        // What this program says may itself go to a file named so.
        let dropped = drop_files(std::process::id()).unwrap();
        assert!(dropped.files >= 1 && dropped.bytes >= 8192, "{dropped:?}");
        assert!(drop_files(0).unwrap_err().contains("as root"));
    }

    #[test]
    fn of_one_partition_the_others_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let held: Vec<File> = ["cold-0", "cold-01", "another-0"]
            .map(|folder| {
                std::fs::create_dir(dir.path().join(folder)).unwrap();
                let mut file = File::create(dir.path().join(folder).join("0.log")).unwrap();
                file.write_all(&[1; 4096]).unwrap();
                file
            })
            .into();
        assert_eq!(drop_partition(std::process::id(), "cold-0"), Ok(Dropped { files: 1, bytes: 4096 }));
        assert!(drop_partition(std::process::id(), "cold").is_err());
        drop(held);
    }
}
