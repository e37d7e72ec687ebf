//! The control socket: what an operator on this machine asks of a running broker that no Kafka client could.
//!
//! ```text
//!   <data dir>/control.sock, mode 0600      one request a connection
//!
//!   client ── {"verb":"backup","to":"/backups/monday"}\n ──▶
//!          ◀─ {"progress":{...}}\n  any number of them ──
//!          ◀─ {"result":{...}}\n  or  {"error":"why"}\n ── closed
//! ```
//!
//! Who may connect is who may write the file: the broker's user and root. The directory is locked, so a socket that
//! lies there at the start was left behind and is replaced. A file system without sockets has none; that is said, and
//! the broker serves all the same.
//!
//! Invariants
//! - A request is one line of at most [`LINE_MAX`] bytes that came within [`READ_WITHIN`]; so is each line of the
//!   answer.
//! - At most [`CONNECTIONS_MAX`] at a time; the next one is told so and closed.
//! - A client that closes its end, or does not read, ends what it asked for.
//!
//! One file a verb in `verbs/`, one table of them. Documented for people in `docs/control.md`; why it is no API of the
//! protocol's: `docs/decisions/0018-control-socket.md`.

mod connection;
mod line;
mod name;
mod socket;
mod verbs;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

pub use name::SocketName;

use crate::broker::Broker;

/// The socket's name in the first data directory.
pub const SOCKET_FILE: &str = "control.sock";
/// Bytes of a line, its end included.
pub const LINE_MAX: usize = 64 << 10;
/// A request is there within this, or the connection is closed.
const READ_WITHIN: Duration = Duration::from_secs(5);
/// A line of an answer is taken within this, or the client counts as gone.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// Connections at a time.
const CONNECTIONS_MAX: usize = 8;

/// A line of an answer. The last one is a result or an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// How far it is.
    Progress(Value),
    /// It is done; what came of it.
    Result(Value),
    /// It could not be done, in words.
    Error(String),
}

/// What all connections share.
pub(crate) struct Control {
    broker: Arc<Broker>,
    places: Arc<Semaphore>,
    verbs: verbs::Shared,
    stop: CancellationToken,
}

/// Serves the socket in `dir`, which this process has locked, until `stop`.
pub(crate) fn start(broker: &Arc<Broker>, dir: &Path, tasks: &TaskTracker, stop: &CancellationToken) {
    let socket = match socket::bind(dir) {
        Ok(socket) => socket,
        Err(error) => {
            let path = dir.join(SOCKET_FILE);
            warn!(path = %path.display(), %error, "no control socket: `pagewire backup` works with a stopped broker only");
            return;
        }
    };
    let control = Arc::new(Control {
        broker: Arc::clone(broker),
        places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        verbs: verbs::Shared::default(),
        stop: stop.clone(),
    });
    tasks.spawn(connection::accept(socket, control, tasks.clone()));
}

/// The line that answers a request, of which nothing is done.
#[cfg(feature = "fuzzing")]
pub(crate) async fn understood(from: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> Option<Vec<u8>> {
    let answer = match line::read(from).await {
        Err(line::NoLine::Gone) => return None,
        Err(line::NoLine::Refused(why)) => Answer::Error(why.to_owned()),
        Ok(line) => verbs::understood(&line).map_or_else(Answer::Error, |verb| Answer::Result(verb.into())),
    };
    let mut written = Vec::new();
    line::write(&mut written, &answer).await.ok()?;
    Some(written)
}
