//! Whether a directory without metadata was served before. A new cluster is made in a new directory only: beside the logs of
//! another one it would look as if nothing had ever been written.

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

/// Of a directory that may not be there.
pub(super) fn of(dir: &Path) -> Option<Served> {
    let names: Vec<_> =
        std::fs::read_dir(dir).ok()?.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    let names: Vec<&str> = names.iter().filter_map(|name| name.to_str()).collect();
    let was_served =
        names.contains(&IDENTITY) || names.contains(&KAFKAS) || names.iter().any(|name| has_a_log(dir, name));
    let is_ours = |name: &&str| OURS.iter().any(|ours| name.starts_with(ours));
    match (was_served, !names.contains(&KAFKAS) && names.iter().any(is_ours)) {
        (false, _) => None,
        (true, true) => Some(Served::ByUs),
        (true, false) => Some(Served::ByKafka),
    }
}

/// Whether there is a partition's directory of this name with a segment in it.
fn has_a_log(dir: &Path, name: &str) -> bool {
    if !matches!(DirName::parse(name), DirName::Partition { .. }) {
        return false;
    }
    let files = std::fs::read_dir(dir.join(name)).into_iter().flatten();
    files.filter_map(Result::ok).any(|file| file.file_name().to_string_lossy().ends_with(LOG))
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
        of(dir.path())
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
        assert_eq!(of(Path::new("/nowhere/at/all")), None);
    }
}
