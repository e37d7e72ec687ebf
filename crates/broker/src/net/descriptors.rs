//! How many files and sockets the process may have open (`RLIMIT_NOFILE`), and what of it connections may take.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::BrokerConfig;

/// What neither segment files nor clients take: the metadata, checkpoints and indexes that are open for a moment, the
/// runtime's own, the three that every process has, and ranges of records on their way to a client.
const RESERVE: usize = 128;

/// Raises what the process may have open to what it is allowed to raise it to, and answers how many that are; `None`
/// is no limit. Many systems start a process with 1,024.
pub fn raise_descriptor_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    // What cannot be raised stays as it is: the connections are counted by what there is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    getrlimit(Resource::Nofile).current
}

/// Connections that leave enough for everything else. The limit is read anew: an administrator may change it.
pub(super) fn connections_max(config: &BrokerConfig) -> usize {
    let descriptors =
        getrlimit(Resource::Nofile).current.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    left_of(descriptors, config.open_files_max)
}

/// A quarter at least, for those who have few: segment files are seldom all open.
fn left_of(descriptors: usize, open_files_max: usize) -> usize {
    descriptors.saturating_sub(open_files_max.saturating_add(RESERVE)).max(descriptors / 4)
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
    fn raising_takes_all_that_is_allowed() {
        let raised = raise_descriptor_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!((raised, limit.current), (limit.maximum, limit.maximum));
    }
}
