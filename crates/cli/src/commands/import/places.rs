//! The directories that a Kafka's server.properties names.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// No file of settings is longer.
const FILE_MAX_BYTES: u64 = 1 << 20;

/// All directories: those given, and those of every file.
pub(super) fn all(given: &[PathBuf], files: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = given.to_vec();
    // One directory may be named in several ways: as one of log.dirs, and for the metadata.
    let mut known: BTreeSet<PathBuf> = given.iter().filter_map(|dir| dir.canonicalize().ok()).collect();
    for file in files {
        let read = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
        for dir in of(read.take(FILE_MAX_BYTES), file)? {
            let real =
                dir.canonicalize().with_context(|| format!("{}: {}", file.display(), dir.display()))?;
            if known.insert(real) {
                all.push(dir);
            }
        }
    }
    Ok(all)
}

/// What one file names: log.dirs, or log.dir where that is not set; and metadata.log.dir.
fn of(text: impl Read, path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let settings = java_properties::read(BufReader::new(text))
        .with_context(|| format!("{} is no properties file", path.display()))?;
    let list = |name: &str| -> Vec<PathBuf> {
        let value = settings.get(name).map_or("", String::as_str);
        value.split(',').map(str::trim).filter(|dir| !dir.is_empty()).map(PathBuf::from).collect()
    };
    let mut dirs = list("log.dirs");
    if dirs.is_empty() {
        dirs = list("log.dir");
    }
    dirs.extend(list("metadata.log.dir"));
    if dirs.is_empty() {
        bail!("{} names no log.dirs: name Kafka's directories with --from", path.display());
    }
    Ok(dirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(text: &str) -> anyhow::Result<Vec<PathBuf>> {
        of(text.as_bytes(), Path::new("server.properties"))
    }

    #[test]
    fn log_dirs_come_before_log_dir_and_the_metadata_besides() {
        let dirs = named("log.dir=/c\nlog.dirs=/a, /b\nmetadata.log.dir = /m\n").expect("named");
        assert_eq!(dirs, ["/a", "/b", "/m"].map(PathBuf::from));
        assert_eq!(named("log.dir=/c").expect("named"), [PathBuf::from("/c")]);
        assert!(named("node.id=1").expect_err("none").to_string().contains("--from"));
    }
}
