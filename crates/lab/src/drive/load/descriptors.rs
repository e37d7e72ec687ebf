//! Enough descriptors for many connections.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::drive::client::{Error, Result};

/// What the process needs besides.
const OTHERS: u64 = 64;
/// Where each open descriptor is an entry (proc_pid_fd(5)).
const OPEN: &str = "/proc/self/fd";

/// Raises the limit as far as so many connections more need it: the soft one, and the hard one for who may (root).
pub(super) fn allow(connections: usize) -> Result<()> {
    let open = fs::read_dir(OPEN).map_or(0, Iterator::count);
    let needed = open.saturating_add(connections) as u64 + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let maximum = limit.maximum.map(|maximum| maximum.max(needed));
    let raised = Rlimit { current: Some(needed), maximum };
    setrlimit(Resource::Nofile, raised).map_err(|error| Error::Local {
        what: format!("{connections} connections more than {open} open files need {needed} descriptors"),
        advice: format!("{error}: raise `ulimit -n`, or use fewer --busy and --idle connections"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_cannot_be_raised_is_told_with_what_to_do() {
        assert!(allow(1).is_ok());
        if getrlimit(Resource::Nofile).maximum.is_some() {
            let error = allow(usize::MAX / 4).unwrap_err().to_string();
            assert!(error.contains("ulimit -n"), "{error}");
        }
    }
}
