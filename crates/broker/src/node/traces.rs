//! Whether a directory without metadata was served before. A new cluster is made in a new directory only: beside the
//! logs of another one it would look as if nothing had ever been written.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use pagewire_log::DirName;

/// Whose directory it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Served {
    ByUs,
    ByKafka,
}

/// What only Kafka keeps.
const KAFKAS: &str = "__cluster_metadata-0";
/// What every directory has that was served.
const IDENTITY: &str = "meta.properties";
/// How the names of files begin that only we keep.
const OURS: [&str; 3] = ["pagewire-", "metadata.redb", "control.sock"];
/// How the names of all segments end.
const LOG: &str = ".log";

/// Of a directory that may not be there. One that cannot be looked into may have been served: that is an error, not a
/// new one.
pub(super) fn of(dir: &Path) -> io::Result<Option<Served>> {
    let names: Vec<_> = listed(dir)?;
    let names: Vec<&str> = names.iter().filter_map(|name| name.to_str()).collect();
    let mut was_served = names.contains(&IDENTITY) || names.contains(&KAFKAS);
    for name in &names {
        was_served = was_served || has_a_log(dir, name)?;
    }
    let is_ours = |name: &&str| OURS.iter().any(|ours| name.starts_with(ours));
    Ok(match (was_served, !names.contains(&KAFKAS) && names.iter().any(is_ours)) {
        (false, _) => None,
        (true, true) => Some(Served::ByUs),
        (true, false) => Some(Served::ByKafka),
    })
}

/// Whether there is a partition's directory of this name with a segment in it.
fn has_a_log(dir: &Path, name: &str) -> io::Result<bool> {
    if !matches!(DirName::parse(name), DirName::Partition { .. }) {
        return Ok(false);
    }
    match listed(&dir.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(false),
        files => Ok(files?.iter().any(|file| file.to_string_lossy().ends_with(LOG))),
    }
}

/// The names in a directory; none in one that is not there.
fn listed(dir: &Path) -> io::Result<Vec<OsString>> {
    match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        entries => entries?.map(|entry| entry.map(|entry| entry.file_name())).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn with(files: &[&str]) -> Option<Served> {
        let dir = tempfile::tempdir().expect("a directory");
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, "").expect("written");
        }
        of(dir.path()).expect("looked into")
    }

    #[test]
    fn a_new_directory_has_no_traces_and_one_with_records_always_has() {
        let segment = "orders-0/00000000000000000000.log";
        for (files, served) in [
            (&[][..], None),
            (&["lost+found/x", "notes-1/readme.txt"], None),
            (&["meta.properties"], Some(Served::ByKafka)),
            (&[segment], Some(Served::ByKafka)),
            (&["meta.properties", "pagewire-checkpoint-sums"], Some(Served::ByUs)),
            (&[segment, "metadata.redb.old"], Some(Served::ByUs)),
            (&["__cluster_metadata-0/00000000000000000000.log", segment], Some(Served::ByKafka)),
        ] {
            assert_eq!(with(files), served, "{files:?}");
        }
        assert_eq!(of(Path::new("/nowhere/at/all")).expect("not there"), None);
    }

    #[test]
    fn what_cannot_be_looked_into_is_not_new() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        fs::write(&file, "").expect("written");
        of(&file).expect_err("no directory");
        of(&file.join("below")).expect_err("nor one below");
    }
}
