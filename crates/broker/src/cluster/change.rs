//! The one way to change something: alone, and to the end.
//!
//! A change goes through the store, the disk and the image. Its caller is a client that may hang up at any moment,
//! which drops whatever it waits for; a change that stopped half-way would leave a name that is taken and not there. So
//! each change has a task of its own, which waits for its turn and then runs to its end: whoever hangs up before the
//! turn came takes the change back, whoever hangs up after that loses the answer and nothing else.
//!
//! As the turn belongs to the task, at most one change has it, however many callers came and went; and as only
//! tasks wait for it, a caller that is not polled (its client does not read what was sent before) keeps nobody waiting.
//!
//! A disk may not answer, and nobody else is to wait for that. So a change [claims](Change::claim) the topics that it is
//! about and [leaves](Change::aside) the turn to others for as long as it works on a disk: meanwhile nothing of these
//! topics changes, and all else may.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use pagewire_wire::ErrorCode;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, OwnedMutexGuard, oneshot},
    time::{Duration, Instant, timeout_at},
};

use super::{Cluster, Refused, names};
use crate::{broker::Broker, config::BrokerConfig};

/// Who wants a topic that another change is about waits for so long.
const CLAIMED_WITHIN: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 5000 });

/// The right to change the cluster, until it is dropped. What is read through it does not change meanwhile.
pub(crate) struct Change {
    pub(super) broker: Arc<Broker>,
    /// `None` while it works on a disk.
    turn: Mutex<Option<OwnedMutexGuard<()>>>,
}

/// Topics that a change is about which may not have the turn at the moment.
#[derive(Default)]
pub(super) struct Claims {
    names: Mutex<HashSet<String>>,
    given_back: Notify,
}

/// They are that of nobody else until this is dropped.
pub(super) struct Claim {
    claims: Arc<Claims>,
    names: BTreeSet<String>,
}

impl Claims {
    /// All of them, or none if one is another's.
    fn try_claim(self: &Arc<Self>, names: &BTreeSet<String>) -> Option<Claim> {
        let mut claimed = self.names.lock();
        if names.iter().any(|name| claimed.contains(name)) {
            return None;
        }
        claimed.extend(names.iter().cloned());
        Some(Claim { claims: Arc::clone(self), names: names.clone() })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.names.lock().retain(|name| !self.names.contains(name));
        self.claims.given_back.notify_waiters();
    }
}

/// Makes a change in a task of its own, which runs to its end even if the caller is dropped. The node waits for it when
/// it stops.
pub(crate) async fn change<T, F>(
    broker: &Arc<Broker>,
    work: impl FnOnce(Change) -> F + Send + 'static,
) -> Result<T, Refused>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Refused>> + Send + 'static,
{
    let (_waiting, gave_up) = oneshot::channel::<()>();
    let changes = &broker.cluster().changes;
    let broker = Arc::clone(broker);
    let task = changes.spawn(async move {
        let cluster = broker.cluster();
        let turn = tokio::select! {
            biased;
            _ = gave_up => return Err(Refused::new(ErrorCode::RequestTimedOut, "nobody waits for this change")),
            turn = Arc::clone(&cluster.changing).lock_owned() => turn,
        };
        if cluster.changes.is_closed() {
            return Err(Refused::new(ErrorCode::RequestTimedOut, "the broker is stopping"));
        }
        work(Change { broker, turn: Mutex::new(Some(turn)) }).await
    });
    task.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a change of the cluster broke off");
        Err(Refused::new(ErrorCode::UnknownServerError, "the change broke off"))
    })
}

impl Change {
    pub(super) fn cluster(&self) -> &Cluster {
        self.broker.cluster()
    }

    /// The broker's settings, which nobody else changes now.
    pub(crate) fn config(&self) -> Arc<BrokerConfig> {
        self.broker.config()
    }

    /// Claims topics by their names, when no other change is about them any more, nor about any that they would collide
    /// with. What was read of them before may be old. An error: another one has waited for a disk for long.
    pub(super) async fn claim<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Result<Claim, Refused> {
        self.claim_until(&folded(names), Instant::now() + CLAIMED_WITHIN).await.ok_or_else(refuse_claimed)
    }

    /// The same, but of those that another one keeps for long only that they are told.
    pub(super) async fn claim_what_is_free<'n>(
        &self,
        names: impl IntoIterator<Item = &'n str>,
    ) -> (Vec<Claim>, BTreeSet<String>) {
        let mut names = folded(names);
        if let Some(all) = self.claim_until(&names, Instant::now() + CLAIMED_WITHIN).await {
            return (vec![all], BTreeSet::new());
        }
        let (claims, mut free) = (&self.cluster().claims, Vec::new());
        names.retain(|name| {
            let claim = claims.try_claim(&BTreeSet::from([name.clone()]));
            let is_kept = claim.is_none();
            free.extend(claim);
            is_kept
        });
        (free, names)
    }

    /// The same, however long it takes.
    pub(super) async fn claim_at_last(&self, name: &str) -> Claim {
        let names = folded([name]);
        loop {
            if let Some(claim) = self.claim_until(&names, Instant::now() + CLAIMED_WITHIN).await {
                return claim;
            }
        }
    }

    async fn claim_until(&self, names: &BTreeSet<String>, until: Instant) -> Option<Claim> {
        let claims = &self.cluster().claims;
        loop {
            let mut given_back = std::pin::pin!(claims.given_back.notified());
            // Listens first and looks then: one that is given back in between is heard of.
            given_back.as_mut().enable();
            if let Some(claim) = claims.try_claim(names) {
                return Some(claim);
            }
            self.aside(timeout_at(until, given_back)).await.ok()?;
        }
    }

    /// Leaves the turn to others until `work` is done, which may wait for a disk.
    pub(super) async fn aside<T>(&self, work: impl Future<Output = T>) -> T {
        drop(self.turn.lock().take());
        let done = work.await;
        let turn = Arc::clone(&self.cluster().changing).lock_owned().await;
        *self.turn.lock() = Some(turn);
        done
    }

    /// Lets the next change begin, for a task that has more to do.
    pub(crate) fn done(self) -> Arc<Broker> {
        self.broker
    }
}

/// Does what blocks, and must not be refused because the I/O pool is full. `None` if it panicked, which is said.
pub(super) async fn to_its_end<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.inspect_err(|error| tracing::error!(%error, "work of a change broke off")).ok()
}

fn folded<'n>(names: impl IntoIterator<Item = &'n str>) -> BTreeSet<String> {
    names.into_iter().map(names::folded).collect()
}

/// Another change has waited for a disk for long.
pub(super) fn refuse_claimed() -> Refused {
    let message = "another change of the topic waits for a disk that does not answer: try again later";
    Refused::new(ErrorCode::RequestTimedOut, message)
}

impl Cluster {
    /// Lets no further change begin and waits for the one under way.
    pub(crate) async fn finish_changes(&self) {
        self.changes.close();
        self.changes.wait().await;
    }
}
