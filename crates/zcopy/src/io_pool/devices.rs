//! Threads for each device: one that does not answer holds its own, and nobody else's.

use parking_lot::RwLock;

use super::IoPool;

/// Files of more devices than that share the first one's threads.
const DEVICES_MAX: usize = 64;

/// The pool that was given for the first device of which something is cold, others like it for the next ones.
#[derive(Debug, Default)]
pub(crate) struct DevicePools {
    pools: RwLock<Vec<(u64, IoPool)>>,
}

impl DevicePools {
    /// The pool for what waits for `device`; `first` where nobody knows which that is.
    pub(crate) fn of(&self, device: Option<u64>, first: &IoPool) -> IoPool {
        let Some(device) = device else { return first.clone() };
        if let Some(known) = of(&self.pools.read(), device) {
            return known;
        }
        let mut pools = self.pools.write();
        if let Some(known) = of(&pools, device) {
            return known;
        }
        if pools.len() == DEVICES_MAX {
            return first.clone();
        }
        let pool = if pools.is_empty() { first.clone() } else { first.another() };
        pools.push((device, pool.clone()));
        pool
    }
}

fn of(pools: &[(u64, IoPool)], device: u64) -> Option<IoPool> {
    pools.iter().find(|(known, _)| *known == device).map(|(_, pool)| pool.clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn is_same(one: &IoPool, other: &IoPool) -> bool {
        Arc::ptr_eq(&one.handle, &other.handle)
    }

    #[test]
    fn each_device_has_its_own_and_those_beyond_the_bound_share_the_first_ones() {
        let (pools, first) = (DevicePools::default(), IoPool::new(1, 1));
        assert!(is_same(&pools.of(None, &first), &first) && is_same(&pools.of(Some(7), &first), &first));
        let second = pools.of(Some(8), &first);
        assert!(!is_same(&second, &first) && is_same(&pools.of(Some(8), &first), &second));
        for device in 100..100 + 2 * DEVICES_MAX as u64 {
            pools.of(Some(device), &first);
        }
        assert_eq!(pools.pools.read().len(), DEVICES_MAX);
        assert!(is_same(&pools.of(Some(u64::MAX), &first), &first));
    }
}
