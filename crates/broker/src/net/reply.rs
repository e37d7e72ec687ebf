//! What a request leads to: an answer now, an answer later, none, or the end of the connection.

use std::{fmt, future::Future, pin::Pin};

use pagewire_zcopy::SendPlan;

/// Why a connection ends from our side. It is logged, never sent: the protocol has no words for it.
#[derive(Debug)]
pub(crate) struct Close(pub(crate) String);

impl Close {
    pub(crate) fn because(reason: impl fmt::Display) -> Self {
        Self(reason.to_string())
    }
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The end of one request. `None`: nothing is sent (Produce with acks=0).
pub(crate) type Outcome = Result<Option<SendPlan>, Close>;

/// What a handler hands back to its connection.
#[expect(
    clippy::large_enum_variant,
    reason = "made once and moved twice: a box would be an allocation for each answer"
)]
pub(crate) enum Reply {
    /// Finished on the spot.
    Now(Outcome),
    /// Waits for something (stable storage, data, a rebalance); leaves in request order when it is done.
    Later(Pin<Box<dyn Future<Output = Outcome> + Send>>),
}
