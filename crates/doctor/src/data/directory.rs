//! Whether the data directory is there, and whether whoever asks may write it.

use std::io;
use std::path::{Path, PathBuf};

use crate::finding::Finding;
use crate::{Plan, place};

const CHECK: &str = "data directory";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Facts {
    /// It is there; whether a file can be made in it.
    There(Result<(), io::ErrorKind>),
    /// It is not; whether it could be made in what is there above it.
    Missing { above: PathBuf, writable: Result<(), io::ErrorKind> },
    /// Its name is taken by something else.
    NoDirectory,
    /// It cannot be looked at.
    Closed(io::ErrorKind),
}

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    vec![judge(&plan.data_dir, &probe(&plan.data_dir))]
}

fn probe(dir: &Path) -> Facts {
    match dir.metadata() {
        Ok(metadata) if metadata.is_dir() => Facts::There(writable(dir)),
        Ok(_) => Facts::NoDirectory,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let above = place::nearest(dir);
            Facts::Missing { writable: writable(&above), above }
        }
        Err(error) => Facts::Closed(error.kind()),
    }
}

/// Makes a file that has no name, or loses it at once.
fn writable(dir: &Path) -> Result<(), io::ErrorKind> {
    tempfile::tempfile_in(dir).map(drop).map_err(|error| error.kind())
}

fn judge(dir: &Path, facts: &Facts) -> Finding {
    let dir = dir.display();
    match facts {
        Facts::There(Ok(())) => Finding::ok(CHECK, format!("{dir} is there and can be written")),
        Facts::There(Err(kind)) => {
            Finding::broken(CHECK, format!("{dir} is there and cannot be written: {kind}"), advice(*kind))
        }
        Facts::Missing { above, writable: Ok(()) } => Finding::ok(
            CHECK,
            format!("{dir} is not there; serve makes it, and {} can be written", above.display()),
        ),
        Facts::Missing { above, writable: Err(kind) } => Finding::broken(
            CHECK,
            format!("{dir} is not there and cannot be made: {} cannot be written: {kind}", above.display()),
            advice(*kind),
        ),
        Facts::NoDirectory => Finding::broken(
            CHECK,
            format!("{dir} is no directory"),
            "choose another name with --data-dir, or move away what has this one",
        ),
        Facts::Closed(kind) => {
            Finding::broken(CHECK, format!("{dir} cannot be looked at: {kind}"), advice(*kind))
        }
    }
}

fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => {
            "run this as the broker's user, or give the directory to it: chown -R USER DIR; chmod u+rwx DIR"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "mount the file system for writing, or choose another directory with --data-dir"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room (see the lines space and inodes), or choose another directory with --data-dir"
        }
        _ => "choose a directory that can be written with --data-dir",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn a_directory_that_is_missing_is_ok_where_it_can_be_made() {
        let dir = tempfile::tempdir().expect("a directory");
        let missing = dir.path().join("a/b");
        let finding = judge(&missing, &probe(&missing));
        assert!(finding.state == State::Ok && finding.found.contains("serve makes it"), "{finding:?}");
        assert!(!missing.exists());
        let writable = Err(io::ErrorKind::PermissionDenied);
        let facts = Facts::Missing { above: "/".into(), writable };
        assert_eq!(judge(&missing, &facts).state, State::Broken);
    }

    #[test]
    fn what_cannot_be_written_is_broken_and_says_what_helps() {
        for (kind, helps) in [
            (io::ErrorKind::PermissionDenied, "chown"),
            (io::ErrorKind::ReadOnlyFilesystem, "mount"),
            (io::ErrorKind::StorageFull, "make room"),
            (io::ErrorKind::Other, "--data-dir"),
        ] {
            let finding = judge(Path::new("/x"), &Facts::There(Err(kind)));
            assert!(finding.state == State::Broken && finding.advice.contains(helps), "{finding:?}");
        }
    }

    #[test]
    fn a_file_in_its_place_is_broken() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        assert_eq!(probe(file.path()), Facts::NoDirectory);
        assert!(matches!(probe(&file.path().join("below")), Facts::Closed(_)));
    }
}
