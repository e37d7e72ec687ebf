//! Whether the files of a log hold together: every byte is read, none is changed, no lock is taken.
//!
//! ```text
//!   log_dir ── partition ── segment: one walk over the batches ──┬── records    (when asked to look deep)
//!     │            │                                             ├── offsets  times  aborts   its indexes
//!     │            ├── small files, leftovers                    └── epochs  producers         the log's
//!     │            └── beginning, holes: segments that are gone
//!     └── meta.properties, checkpoints, what is no log's; gone: partitions without a directory
//! ```
//!
//! Every file is read at most once, in windows (and headers of what the next start reads once more, for the forecast). Findings
//! are told as they come; of one file only so many. Memory does not grow with the length of a log (but with the batches that
//! producer snapshots name, bounded, and with the indexes that recovery would rebuild).
//!
//! A broker may be serving the directory: what it is writing in this moment (the active segment's tail, an index ahead of
//! what was read, files that compaction or retention replace) is not taken for damage, and what seems to be lost is looked at again
//! before it is said (`beside`).
//!
//! Leaves to others: putting anything right. The next start does (`open`, `recovery`), and each finding says what it will do:
//! of a directory that no broker serves because recovery is rehearsed (`forecast`), on a disk on which changes are only played.

mod aborts;
mod beginning;
mod beside;
mod checkpoints;
mod contents;
mod epochs;
mod file;
mod finding;
mod forecast;
mod gone;
mod held;
mod holes;
mod indexes;
mod job;
mod log_dir;
mod missed;
mod offsets;
mod partition;
mod pending;
mod place;
mod producers;
mod records;
mod rehearsal;
mod segment;
mod target;
mod times;

use std::io;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{CheckpointError, Disk, LockLook, look_at_lock};

pub use finding::{Fate, Finding, Onward, Severity};
pub use job::{Again, Event, KnownTopic, Tally, Topics, VerifyOptions};
pub use target::is_of_a_log;

use job::Job;
use target::{Target, target_of};

/// Checks a log directory, a partition's directory or a file of either, and tells what it finds.
///
/// # Errors
/// What reading the directory itself says. Everything else is a finding.
pub fn verify(
    disk: &Arc<dyn Disk>,
    path: &Path,
    options: VerifyOptions<'_>,
    tell: &mut dyn FnMut(Event<'_>),
) -> io::Result<Tally> {
    verify_as(disk, path, &is_served, options, tell)
}

/// The same of a log directory that a broker in this process serves, whose lock is not seen.
#[cfg(test)]
pub(crate) fn verify_beside(
    disk: &Arc<dyn Disk>,
    path: &Path,
    options: VerifyOptions<'_>,
    tell: &mut dyn FnMut(Event<'_>),
) -> io::Result<Tally> {
    verify_as(disk, path, &|_| true, options, tell)
}

fn verify_as(
    disk: &Arc<dyn Disk>,
    path: &Path,
    is_served: &dyn Fn(&Path) -> bool,
    options: VerifyOptions<'_>,
    tell: &mut dyn FnMut(Event<'_>),
) -> io::Result<Tally> {
    let mut job = Job::new(disk, options, tell);
    let target = target_of(&**disk, path)?;
    job.is_kafkas = match target {
        Target::LogDir => log_dir::is_kafkas(&**disk, path),
        Target::Partition => log_dir::is_kafkas(&**disk, parent(path)),
        Target::File => {
            [parent(path), parent(parent(path))].iter().any(|dir| log_dir::is_kafkas(&**disk, dir))
        }
    };
    match target {
        Target::LogDir => {
            log_dir::verify(&mut job, path, is_served(path))?;
        }
        Target::Partition => {
            let (dir, name) = (parent(path), path.file_name().and_then(|name| name.to_str()));
            let live = is_served(dir);
            log_dir::identity_alone(&mut job, path, name.unwrap_or_default(), live);
            let known = log_dir::known(&job, dir, name.unwrap_or_default(), live);
            partition::verify(&mut job, path, &known)?;
        }
        Target::File => {
            let dir = parent(path);
            file::verify(&mut job, path, is_served(dir) || is_served(parent(dir)))?;
        }
    }
    Ok(job.tally)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether a broker has the log directory open.
fn is_served(dir: &Path) -> bool {
    matches!(look_at_lock(dir), Ok(LockLook::Held { .. }))
}

/// What is wrong with a small file, without its path.
fn small_file_trouble(error: &CheckpointError) -> String {
    match error {
        CheckpointError::Damaged { damage, .. } => damage.to_string(),
        CheckpointError::Io { error, .. } => format!("it cannot be read: {error}"),
    }
}
