//! Whose limits they are. A limit belongs to a process, which has it from its unit, container or session: two shells of
//! one user may differ. So a broker that runs is asked for its own; else those of whoever asks stand in, and it is
//! said.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pagewire_disk::{LockLook, look_at_lock};
use rustix::process::{Resource, getrlimit};

use crate::data::lock::command;
use crate::{bounded, read};

/// Longest wait for the data directory, whose disk may not answer.
const LIMIT: Duration = Duration::from_millis(500);

/// A soft and a hard limit; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) soft: Option<u64>,
    pub(super) hard: Option<u64>,
}

/// What a limit is called: by the system call, and in `/proc/PID/limits`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    pub(super) resource: Resource,
    pub(super) line: &'static str,
}

/// The broker that has a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    /// Who it is: `process 42 (pagewire), which holds the lock`.
    pub(crate) name: String,
}

/// The process that holds the lock of `data_dir`, if one does and it can be seen from here.
pub(crate) fn holder(data_dir: &Path) -> Option<Holder> {
    let dir = PathBuf::from(data_dir);
    let LockLook::Held { pid: Some(pid) } = bounded::within(LIMIT, move || look_at_lock(&dir))?.ok()? else {
        return None;
    };
    let command = command(pid).map(|name| format!(" ({name})")).unwrap_or_default();
    Some(Holder { pid, name: format!("process {pid}{command}, which holds the lock") })
}

/// The limit that a broker on `data_dir` has, and whose it is, in words.
pub(super) fn limit(name: Name, data_dir: &Path) -> (Limit, String) {
    holder(data_dir).and_then(|holder| of(&holder, name)).unwrap_or_else(|| {
        let own = getrlimit(name.resource);
        let whose = "of this shell; the unit, container or session that starts the broker may set others";
        (Limit { soft: own.current, hard: own.maximum }, whose.to_owned())
    })
}

fn of(holder: &Holder, name: Name) -> Option<(Limit, String)> {
    let limit = parse(&read::text(format!("/proc/{}/limits", holder.pid)).ok()?, name.line)?;
    Some((limit, format!("of {}", holder.name)))
}

/// `Max open files            1024                 524288               files     `
fn parse(text: &str, line: &str) -> Option<Limit> {
    let mut words = text.lines().find_map(|text| text.strip_prefix(line))?.split_whitespace();
    let mut next = || match words.next()? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    };
    Some(Limit { soft: next()?, hard: next()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: Name = Name { resource: Resource::Nofile, line: "Max open files" };

    #[test]
    fn limits_of_another_process_are_read_as_the_kernel_writes_them() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max open files            1024                 524288               files     \n\
                    Max locked memory         unlimited            unlimited            bytes     \n";
        assert_eq!(parse(text, "Max open files"), Some(Limit { soft: Some(1024), hard: Some(524_288) }));
        assert_eq!(parse(text, "Max locked memory"), Some(Limit { soft: None, hard: None }));
        assert_eq!(parse(text, "Max processes"), None);
        assert_eq!(parse("Max open files  many", "Max open files"), None);
        // And as this one writes them.
        let own = getrlimit(Resource::Nofile);
        let text = read::text("/proc/self/limits").expect("limits");
        assert_eq!(parse(&text, FILES.line), Some(Limit { soft: own.current, hard: own.maximum }));
    }

    #[test]
    fn without_a_broker_they_are_said_to_be_of_this_shell() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(limit(FILES, dir.path()).1.starts_with("of this shell"));
    }
}
