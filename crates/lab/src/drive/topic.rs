//! The drive's topic on one broker: gone when it is dropped, whatever happened.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::broker::Broker;
use super::client::{Result, topic};
use super::plan::{Case, Plan};
use super::process::is_local;

/// How names of the drive's topics begin.
const PREFIX: &str = "pagewire-drive";

/// What drives that were killed have left on this broker, and how to remove it; `None` if that is nothing.
pub(super) fn leftovers(broker: &Broker) -> Option<String> {
    // A broker that does not list its topics is no reason not to load it.
    let names = topic::names(&broker.dial, broker.address).ok()?;
    let left = names.iter().filter(|name| name.starts_with(PREFIX)).count();
    let (address, name) = (broker.address, &broker.name);
    (left > 0).then(|| {
        format!(
            "{name}: {left} topics named {PREFIX}-... are left of drives that were killed; unless one still runs, remove \
             them: pagewire topic list -b {address} | awk '/^{PREFIX}-/ {{print $1}}' | xargs pagewire topic delete -b \
             {address}"
        )
    })
}

/// A topic of this run.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: String,
    leaders: Vec<SocketAddr>,
    broker: Broker,
    /// Nothing is left to be removed.
    removed: bool,
}

impl Topic {
    /// Makes one with a name that nobody else has.
    pub(super) fn make(broker: &Broker, plan: &Plan, case: Case) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let name = format!("{PREFIX}-{}-{:x}-{:x}", case.name(), std::process::id(), now.as_nanos());
        // Made before it is asked for: an answer that never comes may hide a topic that does.
        let mut made = Self { name, leaders: Vec::new(), broker: broker.clone(), removed: false };
        made.leaders = topic::create(
            &broker.dial,
            broker.address,
            &made.name,
            plan.partitions,
            plan.replication_factor,
        )?;
        Ok(made)
    }

    /// One that is there, of as many partitions. Whoever made it removes it.
    pub(super) fn lent(broker: &Broker, plan: &Plan, name: &str) -> Result<Self> {
        let leaders = topic::leaders(&broker.dial, broker.address, name, plan.partitions)?;
        Ok(Self { name: name.to_owned(), leaders, broker: broker.clone(), removed: true })
    }

    /// The partition of a lane, and the address of its leader.
    pub(super) fn partition(&self, lane: usize) -> (i32, SocketAddr) {
        let at = lane % self.leaders.len().max(1);
        (at as i32, self.leaders.get(at).copied().unwrap_or(self.broker.address))
    }

    /// Whether other brokers of the cluster lead some of it, whose CPU is not seen.
    pub(super) fn is_spread(&self) -> bool {
        let own = self.broker.address;
        // One broker may say another of its machine's addresses than the one it was reached at.
        let is_own = |leader: &SocketAddr| {
            *leader == own || leader.port() == own.port() && [*leader, own].iter().all(|at| is_local(at.ip()))
        };
        !self.leaders.iter().all(is_own)
    }

    /// Removes it, also after the run was told to stop.
    pub(super) fn remove(&mut self) -> Result<()> {
        if self.removed {
            return Ok(());
        }
        self.removed = true;
        topic::delete(&self.broker.dial.unstoppable(), self.broker.address, &self.name)
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // Only where something failed before; that is what gets told.
        let _ = self.remove();
    }
}
