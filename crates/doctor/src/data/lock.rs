//! Who has the data directory. The lock is asked about and never taken.

use std::io;
use std::path::Path;

use pagewire_disk::{LockLook, look_at_lock};

use crate::finding::Finding;
use crate::{Plan, read};

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    match look_at_lock(&plan.data_dir) {
        Ok(lock) => {
            let pid = match lock {
                LockLook::Held { pid } => pid,
                LockLook::Free { .. } | LockLook::NoFile => None,
            };
            vec![judge(lock, pid.and_then(command))]
        }
        // The line about the directory says so.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Vec::new(),
        Err(error) => vec![Finding::unseen("lock", &error)],
    }
}

/// What a process was started as.
pub(crate) fn command(pid: u32) -> Option<String> {
    let line = read::text(format!("/proc/{pid}/cmdline")).ok()?;
    let name = Path::new(line.split('\0').next()?).file_name()?.to_str()?;
    Some(name.to_owned())
}

fn judge(lock: LockLook, command: Option<String>) -> Finding {
    match lock {
        LockLook::NoFile => Finding::ok("lock", "no broker has used this directory yet"),
        LockLook::Free { left_by: None } => Finding::ok("lock", "free; the last broker gave it back"),
        LockLook::Free { left_by: Some(pid) } => Finding::ok(
            "lock",
            format!(
                "free; process {pid} had it and ended without giving it back (killed, or the machine stopped): the next \
                 start takes it"
            ),
        ),
        LockLook::Held { pid } => {
            let process = pid.map_or_else(
                || "a process that cannot be seen from here".to_owned(),
                |pid| format!("process {pid}"),
            );
            let command = command.map(|name| format!(" ({name})")).unwrap_or_default();
            Finding::ok("lock", format!("held by {process}{command}: a broker is running on this directory"))
                .advise("a second broker is refused here; stop that one first, or choose another --data-dir")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_named_and_a_lock_left_behind_is_no_obstacle() {
        let held = judge(LockLook::Held { pid: Some(42) }, Some("pagewire".to_owned()));
        assert!(held.found.contains("process 42 (pagewire)"), "{held:?}");
        let left = judge(LockLook::Free { left_by: Some(7) }, None);
        assert!(
            left.found.contains("process 7") && left.found.contains("the next start takes it"),
            "{left:?}"
        );
        assert!(judge(LockLook::Held { pid: None }, None).found.contains("cannot be seen"));
    }
}
