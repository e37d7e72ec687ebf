//! Whether something keeps the clock right. Times of records, retention by age and lookups by time go by it.
//!
//! Whether the clock is in step, and how far off it may be, the kernel answers to `adjtimex` alone; no file of `/proc`
//! or `/sys` has it. So a name of a program that keeps clocks is a hint and is told as one: it may run without a
//! source.

use std::fs;
use std::io;

use crate::finding::Finding;
use crate::{Plan, read};

/// Programs that set the clock, as `/proc/<pid>/comm` cuts their names (15 bytes).
const KEEPERS: &[&str] =
    &["chronyd", "systemd-timesyn", "ntpd", "openntpd", "ntp-daemon", "phc2sys", "timemaster", "VBoxService"];
/// Processes that are looked at.
const PROCESSES_MAX: usize = 65_536;
/// What asks the kernel, or the keeper; each needs no privilege.
const IN_STEP: &str = "whether it is in step cannot be told without adjtimex: ask timedatectl, chronyc tracking, or \
                       adjtimex --print";
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
        ([], true) => {
            Finding::ok("time", "was set by systemd-timesyncd once since the start").advise(IN_STEP)
        }
        ([], false) => Finding::better(
            "time",
            "no sign of anything that keeps the clock right; a container or a guest may get its time from the host",
            "make sure that the host's clock is kept (timedatectl; chronyc tracking): a clock that jumps makes \
             retention by age and lookups by time wrong",
        ),
        (keepers, _) => {
            Finding::ok("time", format!("{} runs, which keeps clocks", keepers.join(", "))).advise(IN_STEP)
        }
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
    }

    #[test]
    fn a_keeper_that_runs_is_a_hint_and_no_proof_that_the_clock_is_in_step() {
        let named = judge(&["chronyd".to_owned()], false);
        assert!(named.state == State::Ok && named.found.contains("chronyd runs"), "{named:?}");
        for finding in [named, judge(&[], true)] {
            assert!(finding.advice.contains("cannot be told without adjtimex"), "{finding:?}");
        }
    }
}
