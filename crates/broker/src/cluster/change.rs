//! The one way to change something: alone, and to the end.
//!
//! A change goes through the store, the disk and the image. Its caller is a client that may hang up at any moment,
//! which drops whatever it waits for; a change that stopped half-way would leave a name that is taken and not there. So
//! each change has a task of its own, which waits for its turn and then runs to its end: whoever hangs up before the
//! turn came takes the change back, whoever hangs up after that loses the answer and nothing else.
//!
//! As the turn belongs to the task, at most one change is under way, however many callers came and went; and as only
//! tasks wait for it, a caller that is not polled (its client does not read what was sent before) keeps nobody waiting.

use std::sync::Arc;

use pagewire_wire::ErrorCode;
use tokio::sync::{OwnedMutexGuard, oneshot};

use super::{Cluster, Refused};
use crate::{broker::Broker, config::BrokerConfig};

/// The right to change the cluster, until it is dropped. What is read through it does not change meanwhile.
pub(crate) struct Change {
    pub(super) broker: Arc<Broker>,
    _turn: OwnedMutexGuard<()>,
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
        work(Change { broker, _turn: turn }).await
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

    /// Lets the next change begin, for a task that has more to do.
    pub(crate) fn done(self) -> Arc<Broker> {
        self.broker
    }
}

impl Cluster {
    /// Lets no further change begin and waits for the one under way.
    pub(crate) async fn finish_changes(&self) {
        self.changes.close();
        self.changes.wait().await;
    }
}
