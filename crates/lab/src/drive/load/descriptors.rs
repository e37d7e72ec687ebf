//! Enough descriptors for many connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::drive::client::{Error, Result};

/// What the process needs besides.
const OTHERS: u64 = 64;

/// Raises the soft limit as far as needed, if the hard one allows.
pub(super) fn allow(connections: usize) -> Result<()> {
    let needed = connections as u64 + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(needed), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).map_err(|error| Error::Local {
        what: format!("{connections} connections need as many descriptors"),
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
