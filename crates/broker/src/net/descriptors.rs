//! How many files and sockets the process may have open (`RLIMIT_NOFILE`), and what of it connections may take.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::BrokerConfig;

/// What neither segment files nor clients take: the metadata, checkpoints and indexes that are open for a moment, the
/// runtime's own, and the three that every process has.
const RESERVE: usize = 128;
/// Segment files kept open where nothing is configured: at least, and at most (each costs the kernel about a KiB).
const OPEN_FILES_MIN: usize = 256;
const OPEN_FILES_MAX: usize = 65_536;

/// Raises what the process may have open to what it is allowed to raise it to, and answers how many that are; `None`
/// is no limit. Many systems start a process with 1,024.
pub fn raise_descriptor_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    // What cannot be raised stays as it is: the connections are counted by what there is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current
}

/// Connections that the broker takes at most with so many descriptors, beside segment files (`open_files`, or as many
/// as it chooses where that is 0) and what unsent answers refer to. `max.connections` may allow fewer.
pub fn connections_with(descriptors: usize, open_files: usize) -> usize {
    let files = segment_files(descriptors, open_files).saturating_add(answer_files(descriptors));
    left_of(descriptors, files)
}

/// Ranges of files that unsent answers may refer to, in all: each may be the only one that still holds its file open.
pub(crate) fn answer_files_max() -> usize {
    answer_files(descriptors())
}

/// Segment files that are kept open, as far as they are configured, else a quarter of what there is.
pub(crate) fn open_files_max(config: &BrokerConfig) -> usize {
    segment_files(descriptors(), config.open_files_max)
}

/// Connections that leave enough for everything else. The limit is read anew: an administrator may change it.
pub(super) fn connections_max(config: &BrokerConfig) -> usize {
    connections_with(descriptors(), config.open_files_max)
}

fn descriptors() -> usize {
    getrlimit(Resource::Nofile).current.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

fn answer_files(descriptors: usize) -> usize {
    descriptors / 4
}

fn segment_files(descriptors: usize, configured: usize) -> usize {
    match configured {
        0 => (descriptors / 4).clamp(OPEN_FILES_MIN, OPEN_FILES_MAX),
        configured => configured,
    }
}

/// A quarter at least, for those who have few: segment files are seldom all open.
fn left_of(descriptors: usize, files: usize) -> usize {
    descriptors.saturating_sub(files.saturating_add(RESERVE)).max(descriptors / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_files() {
        assert_eq!(left_of(1024, 512), 1024 - 512 - RESERVE);
        assert_eq!(left_of(256, 512), 64);
        assert!(left_of(usize::MAX, 512) > i32::MAX as usize);
    }

    #[test]
    fn connections_get_what_segments_and_answers_leave_and_a_quarter_at_least() {
        assert_eq!(connections_with(20_000, 0), 20_000 - 5_000 - 5_000 - RESERVE);
        assert_eq!(connections_with(20_000, 1_000), 20_000 - 1_000 - 5_000 - RESERVE);
        assert_eq!(connections_with(256, 0), 64);
    }

    #[test]
    fn what_is_kept_open_follows_the_limit_unless_it_is_configured() {
        let mut config = BrokerConfig::defaults();
        assert!((OPEN_FILES_MIN..=OPEN_FILES_MAX).contains(&open_files_max(&config)));
        config.open_files_max = 77;
        assert_eq!(open_files_max(&config), 77);
    }

    #[test]
    fn raising_takes_all_that_is_allowed() {
        let raised = raise_descriptor_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!((raised, limit.current), (limit.maximum, limit.maximum));
    }
}
