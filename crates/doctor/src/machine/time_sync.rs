//! Whether something keeps the clock right. Times of records, retention by age and lookups by time go by it.
//!
//! The kernel tells only privileged callers and `adjtimex`; what anybody can see is who runs.

use std::fs;
use std::io;

use crate::finding::Finding;
use crate::{Plan, read};

/// Programs that set the clock, as `/proc/<pid>/comm` cuts their names (15 bytes).
const KEEPERS: &[&str] =
    &["chronyd", "systemd-timesyn", "ntpd", "openntpd", "ntp-daemon", "phc2sys", "timemaster", "VBoxService"];
/// Processes that are looked at.
const PROCESSES_MAX: usize = 65_536;
/// Written by systemd-timesyncd once the clock was set.
const SYNCHRONIZED: &str = "/run/systemd/timesync/synchronized";

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    vec![match keepers() {
        Ok(keepers) => judge(&keepers, fs::exists(SYNCHRONIZED).unwrap_or(false)),
        Err(error) => Finding::unseen("time", &error),
    }]
}

fn keepers() -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.take(PROCESSES_MAX).flatten() {
        if !entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        // A process may have ended meanwhile.
        let Ok(name) = read::text(entry.path().join("comm")) else { continue };
        if KEEPERS.contains(&name.as_str()) && !found.contains(&name) {
            found.push(name);
        }
    }
    Ok(found)
}

fn judge(keepers: &[String], synchronized: bool) -> Finding {
    match (keepers, synchronized) {
        ([], true) => Finding::ok("time", "was set by systemd-timesyncd"),
        ([], false) => Finding::better(
            "time",
            "no sign of anything that keeps the clock right; a container or a guest may get its time from the host",
            "make sure that the host's clock is kept (timedatectl; chronyc tracking): a clock that jumps makes \
             retention by age and lookups by time wrong",
        ),
        (keepers, _) => Finding::ok("time", format!("kept by {}", keepers.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn a_clock_that_nobody_keeps_could_be_better() {
        assert_eq!(judge(&[], false).state, State::CouldBeBetter);
        assert_eq!(judge(&[], true).state, State::Ok);
        assert!(judge(&["chronyd".to_owned()], false).found.contains("chronyd"));
    }
}
