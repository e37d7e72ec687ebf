//! The file with topics, ids and settings: whether it is there, is what it should be, and can be read to its end.
//!
//! It may be a running broker's, so nothing is opened as a database here: what is inside it the broker's start finds
//! out.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use pagewire_disk::checkpoint::META_PROPERTIES_FILE;

use crate::finding::Finding;
use crate::{Plan, words};

/// The file's name.
const FILE: &str = "metadata.redb";
/// What it begins with.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";
/// More of it, in bytes, is not read: a broker of a hundred thousand topics has less.
const READ_MAX: u64 = 256 << 20;

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    let served = plan.data_dir.join(META_PROPERTIES_FILE).exists();
    match read(&plan.data_dir.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !served => Vec::new(),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            vec![Finding::unseen("metadata", &error)]
        }
        // The line about the directory says so.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Vec::new(),
        read => vec![judge(&read)],
    }
}

/// How long the file is, and whether it begins as it should.
fn read(path: &Path) -> io::Result<(u64, bool)> {
    let mut file = File::open(path)?;
    let mut magic = [0; MAGIC.len()];
    let begins = match file.read_exact(&mut magic) {
        Ok(()) => magic == MAGIC,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(error),
    };
    let rest = io::copy(&mut file.take(READ_MAX), &mut io::sink())?;
    Ok((rest + magic.len() as u64, begins))
}

fn judge(read: &io::Result<(u64, bool)>) -> Finding {
    match read {
        Ok((bytes, true)) => Finding::ok("metadata", format!("{FILE} can be read, {}", words::bytes(*bytes))),
        Ok((_, false)) => Finding::broken(
            "metadata",
            format!("{FILE} is damaged: it does not begin as it should"),
            "serve does not start with it: restore the directory from a backup (pagewire restore); the logs beside it are \
             not touched",
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::broken(
            "metadata",
            format!("there is data, but no {FILE}"),
            "serve does not start there: if it is Kafka's directory, see pagewire import; if it is one of several log.dirs, \
             the first of them has the file",
        ),
        Err(error) => {
            Finding::broken("metadata", format!("{FILE}: {error}"), "the drive does not read it: dmesg")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn a_file_that_no_start_could_open_is_broken() {
        let dir = tempfile::tempdir().expect("a directory");
        let plan = Plan { data_dir: dir.path().to_path_buf(), ..Plan::default() };
        assert!(look(&plan).is_empty(), "a new directory");
        std::fs::write(dir.path().join(META_PROPERTIES_FILE), "version=1").expect("written");
        assert_eq!(look(&plan)[0].state, State::Broken, "data without it");
        let file = dir.path().join(FILE);
        for dead in [&b""[..], b"redb", &[0; 4096]] {
            std::fs::write(&file, dead).expect("written");
            assert_eq!(look(&plan)[0].state, State::Broken, "{dead:?}");
        }
        std::fs::write(&file, [&MAGIC[..], &[0; 4096]].concat()).expect("written");
        assert_eq!(look(&plan)[0].state, State::Ok);
    }
}
