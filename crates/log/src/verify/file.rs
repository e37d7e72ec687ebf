//! A single file. One of a segment's stands for the whole segment: an index means nothing without its log.

use std::io;
use std::path::Path;

use pagewire_disk::checkpoint::{CLEAN_MARK_FILE, EPOCH_CHECKPOINT_FILE};

use super::finding::{Fate, Finding, Severity};
use super::job::{Job, Kept};
use super::log_dir;
use super::partition;
use super::producers::ProducersCheck;
use super::small_file_trouble;
use crate::files::{FileKind, is_text, read_text};

/// Checks the file at `path`, or says that nobody knows what it is.
pub(super) fn verify(job: &mut Job<'_>, path: &Path, live: bool) -> io::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let dir = super::parent(path);
    match FileKind::parse(name) {
        Some((FileKind::Snapshot, offset)) => {
            let mut kept = Kept::default();
            ProducersCheck::read(&**job.disk, dir, &[offset], live, &mut kept);
            kept.tell(job);
            Ok(())
        }
        Some((_, base)) => {
            let partition = dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let known = log_dir::known(job, super::parent(dir), partition, live);
            partition::verify_segment(job, dir, base, &known)
        }
        None => {
            if let Some(finding) = small(job, path, name) {
                job.found(finding);
            }
            Ok(())
        }
    }
}

/// Whether a file of this name can be checked by itself.
pub(super) fn is_known(name: &str) -> bool {
    FileKind::parse(name).is_some() || is_text(name)
}

/// What is wrong with a small text file, if anything is.
fn small(job: &Job<'_>, path: &Path, name: &str) -> Option<Finding> {
    let Some(outcome) = read_text(&**job.disk, path, name) else {
        let unknown = "no file of a log that is known here";
        return Some(Finding::new(Severity::Doubt, path, unknown, Fate::Stays));
    };
    let error = outcome.err()?;
    let fate = match name {
        EPOCH_CHECKPOINT_FILE => Fate::Rebuilt,
        CLEAN_MARK_FILE => Fate::Removed,
        _ => Fate::Renewed,
    };
    Some(Finding::new(Severity::Damage, path, small_file_trouble(&error), fate))
}
