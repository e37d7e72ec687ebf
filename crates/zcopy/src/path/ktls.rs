//! Route `ktls`: `sendfile(2)` to a socket that the kernel encrypts. The page cache's pages go to the kernel's TLS by
//! reference, which writes the ciphertext to pages of its own, or leaves it to the card.
//!
//! <https://docs.kernel.org/networking/tls.html>
//!
//! What kind of socket it is was asked once for the plan. The set-up (handshake, `TCP_ULP`, `TLS_TX`) is the program's;
//! to a socket without it a plan goes another way, and the next socket may have it. Corks, short counts and ends of
//! files are as in `sendfile`; TLS makes records of at most 16 KiB of what it gets.

use super::{Bench, Known, Outcome, sendfile};
use crate::route::SocketKind;
use crate::stats::Sent;
use crate::{FileRange, Route, SendError, SendPlan};

/// Sends `range`, which stands at the plan's cursor, or says that it is cold.
pub(crate) fn send(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    range: &FileRange,
    known: &mut Known,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    if plan.socket() != SocketKind::KernelTls {
        return Ok(bench.without(Route::Ktls, plan));
    }
    sendfile::send_as(Route::Ktls, bench, plan, range, known, sent)
}
