//! The paths that a check was given: those that it can be made of, and those that are nothing of a log's, which it says instead
//! of checking them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use pagewire_disk::Disk;
use pagewire_log::verify::is_of_a_log;
use pagewire_metadata::FILE_NAME;

use super::special::special;
use crate::Usage;
use crate::commands::failures::Failures;
use crate::output::complain;

/// What can be named.
const TAKEN: &str = "log check takes a log directory (it has meta.properties, or directories of partitions such as orders-0), the \
                     directory of one partition, or a file of either (.log, .index, .timeindex, .txnindex, .snapshot, \
                     meta.properties, partition.metadata or a checkpoint)";

/// See the module.
pub(super) struct Named {
    pub(super) paths: Vec<PathBuf>,
    /// Said once the others were checked.
    pub(super) strangers: Option<anyhow::Error>,
    /// What cannot be looked at.
    pub(super) failures: Failures,
}

impl Named {
    /// Tells them apart. An error if nothing is left to check.
    pub(super) fn of(disk: &dyn Disk, given: &[PathBuf]) -> anyhow::Result<Self> {
        let (mut paths, mut strangers, mut failures) = (Vec::new(), Vec::new(), Failures::of(given.len()));
        for path in given {
            match whole(path).and_then(|whole| Ok((stranger(disk, &whole)?, whole))) {
                Ok((None, whole)) => paths.push(whole),
                Ok((Some(what), _)) => strangers.push(format!("{} is {what}", path.display())),
                Err(error) => failures.note(cannot(path, error), ""),
            }
        }
        let strangers = (!strangers.is_empty()).then(|| format!("{}. {TAKEN}", strangers.join("; ")));
        // Somebody waits for the others meanwhile, or hears at the end of what cannot be looked at.
        if let Some(named) = strangers.as_ref().filter(|_| !paths.is_empty() || !failures.is_none()) {
            complain(format_args!("not checked: {named}"));
        }
        if paths.is_empty() {
            failures.end()?;
            return Err(Usage(strangers.unwrap_or_default()).into());
        }
        let strangers = strangers.map(|_| Usage("not all of it was checked".to_owned()).into());
        Ok(Self { paths, strangers, failures })
    }
}

/// Of a path that cannot be read.
pub(super) fn cannot(path: &Path, error: std::io::Error) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("{} cannot be checked", path.display()))
}

/// The path from the root on: what is above it is looked at as well, and what is said of it works from anywhere.
fn whole(path: &Path) -> std::io::Result<PathBuf> {
    if path.file_name().is_some() { std::path::absolute(path) } else { path.canonicalize() }
}

/// What it is, if nothing of a log's.
fn stranger(disk: &dyn Disk, path: &Path) -> std::io::Result<Option<&'static str>> {
    match special(path) {
        Ok(None) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some("not there")),
        what => return what,
    }
    if is_of_a_log(disk, path)? {
        return Ok(None);
    }
    Ok(Some(match disk.read_dir(path) {
        Ok(entries) if entries.iter().all(|entry| entry.name == LOST_AND_FOUND) => {
            "an empty directory (if a broker's logs should be there, its disk is most likely not mounted)"
        }
        Ok(_) => "a directory without anything of a log's",
        Err(_) if path.file_name().is_some_and(|name| name == FILE_NAME) => {
            "the metadata, which is checked with the directory it is in"
        }
        Err(_) => "no file of a log's that can be checked",
    }))
}

/// In the root of a file system without files.
const LOST_AND_FOUND: &str = "lost+found";
