//! How many connections there may be, in all and from one address (`max.connections`, `max.connections.per.ip`).
//!
//! There are never more than the descriptors of the process allow beside its files, whatever the settings say.
//!
//! As in Kafka, reaching the total makes new clients wait in the accept queue, while an address over its own limit is
//! closed at once. All listeners share one count. The limits are read anew for every connection: they change while the
//! broker runs.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};

use super::descriptors;
use crate::{broker::Broker, config::BrokerConfig};

/// A full broker looks this often whether the limit was raised.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Open {
    total: usize,
    by_ip: HashMap<IpAddr, usize>,
}

#[derive(Default)]
struct Shared {
    open: Mutex<Open>,
    closed: Notify,
}

/// The connections that are open, on whatever listener. Clones share the count.
#[derive(Clone, Default)]
pub(crate) struct ConnectionLimits(Arc<Shared>);

/// The right to one connection; given back on drop.
pub(super) struct Slot(Arc<Shared>);

/// The right to one connection from one address; given back on drop.
pub(super) struct Admission {
    slot: Slot,
    ip: IpAddr,
}

impl ConnectionLimits {
    /// Waits until one more connection is allowed at all.
    pub(super) async fn slot(&self, broker: &Broker) -> Slot {
        loop {
            let closed = self.0.closed.notified();
            if let Some(slot) = self.take(allowed(&broker.config())) {
                return slot;
            }
            // Whether it was woken or not, it looks again.
            let _ = timeout(LOOK_AGAIN, closed).await;
        }
    }

    fn take(&self, max: usize) -> Option<Slot> {
        let mut open = self.0.open.lock();
        if open.total >= max {
            return None;
        }
        open.total += 1;
        Some(Slot(Arc::clone(&self.0)))
    }

    /// Counts a connection from `ip`, or refuses it when the address has its share.
    pub(super) fn admit(slot: Slot, ip: IpAddr, config: &BrokerConfig) -> Option<Admission> {
        let ip = ip.to_canonical();
        let max = config
            .max_connections_per_ip_overrides
            .get(&ip)
            .copied()
            .unwrap_or(config.max_connections_per_ip);
        let mut open = slot.0.open.lock();
        if open.by_ip.get(&ip).copied().unwrap_or(0) >= max {
            return None;
        }
        *open.by_ip.entry(ip).or_default() += 1;
        drop(open);
        Some(Admission { slot, ip })
    }
}

fn allowed(config: &BrokerConfig) -> usize {
    config.max_connections.min(descriptors::connections_max(config))
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.0.open.lock();
        open.total = open.total.saturating_sub(1);
        drop(open);
        self.0.closed.notify_one();
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut open = self.slot.0.open.lock();
        if let Some(count) = open.by_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                open.by_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let mut config = BrokerConfig::defaults();
        config.max_connections_per_ip = 1;
        let (limits, ip) = (ConnectionLimits::default(), IpAddr::from([127, 0, 0, 1]));
        let admit = |config: &BrokerConfig| {
            ConnectionLimits::admit(limits.take(2).expect("fewer than the total are open"), ip, config)
        };
        let first = admit(&config);
        assert!(first.is_some());
        assert!(admit(&config).is_none());
        config.max_connections_per_ip_overrides.insert(ip, 2);
        let second = admit(&config);
        assert!(second.is_some());
        assert!(limits.take(2).is_none(), "two are open");
        drop((first, second));
        assert!(limits.take(2).is_some());
        assert!(limits.0.open.lock().by_ip.is_empty(), "nothing is remembered of who left");
    }

    #[test]
    fn ipv4_in_ipv6_clothes_is_the_same_address() {
        let mut config = BrokerConfig::defaults();
        config.max_connections_per_ip = 1;
        let limits = ConnectionLimits::default();
        let admit = |ip: &str| {
            let ip = ip.parse().expect("an address");
            ConnectionLimits::admit(limits.take(9).expect("room"), ip, &config)
        };
        let _first = admit("127.0.0.1");
        assert!(admit("::ffff:127.0.0.1").is_none());
    }
}
