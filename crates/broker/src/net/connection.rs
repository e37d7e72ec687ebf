//! The loop that owns one client's socket.
//!
//! ```text
//!   fill ── frames ──> dispatch ──> Now   ──> outgoing ──> zcopy::Transfer::send
//!                          └──────> Later ──> waiting (in request order) ──┘
//! ```
//!
//! Requests start in order and replies leave in order. A request that has to wait does not keep the next from
//! starting, up to `IN_FLIGHT_MAX` of them and `HELD_MAX_BYTES` of memory and `HELD_MAX_FILES` of files; after that the
//! socket is not read, and the client's own window stops it. While a reply is being sent nothing is read, but what was
//! started goes on: it may hold what others wait for. So a client that does not read its answers is not asked for more
//! work, costs what is queued for it, and is dropped when nothing moved for `connections.max.idle.ms`.
//!
//! A connection is idle while nothing is asked and nothing comes. It is not while it waits for memory to read into,
//! which is our fault, nor while a request of it waits: a fetch may ask for a longer wait than the idle limit, and ends
//! by its own deadline. Such a client has to be alive. One that closes is noticed even when its socket is not read;
//! what it had sent by then is still started, but nothing is waited for any longer. One that vanished is found by
//! TCP keepalive. Half a frame costs memory all that time, which is taken back (and the connection with it) when others
//! need it: see `pagewire_zcopy::Evicted`.

use std::{io, sync::Arc, time::Duration};

use pagewire_zcopy::{Evicted, FrameError, Receiver, SendPlan};
use tokio::{
    io::Interest,
    net::TcpStream,
    task::{consume_budget, unconstrained},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, trace, warn};

use super::{
    behind::Behind,
    peer::Peer,
    queue::{Answer, Queue},
    reply::{Close, Reply},
};
use crate::{
    broker::Broker,
    dispatch::dispatch,
    memory::{Account, Charge},
};

/// Requests of one connection that may be unanswered at a time. Java keeps 5 in flight; librdkafka any number.
const IN_FLIGHT_MAX: usize = 64;
/// Finished answers are sent together up to this size, so that a burst of small requests costs one system call.
const GATHER_MAX_BYTES: u64 = 64 * 1024;
/// A connection whose unfinished requests and unsent answers hold more memory than this has no further one started.
const HELD_MAX_BYTES: usize = 1 << 20;
/// Nor one whose unsent answers refer to more ranges of files.
const HELD_MAX_FILES: usize = 512;

struct Connection {
    broker: Arc<Broker>,
    peer: Arc<Peer>,
    account: Arc<Account>,
    stream: TcpStream,
    receiver: Receiver,
    queue: Queue,
    outgoing: SendPlan,
    behind: Behind,
    /// Of what is in `outgoing`.
    charges: Vec<Charge>,
    /// The client has closed. What it sent before is read to its end, but nothing is waited for.
    gone: bool,
    stop: CancellationToken,
    frame_max: usize,
    idle: Duration,
}

/// What the receiver may still hold when no more requests are started.
enum Left {
    Nothing,
    Frames,
}

/// Serves `stream` until it ends, misbehaves, idles out or the broker stops.
pub(super) async fn serve(broker: Arc<Broker>, stream: TcpStream, peer: Arc<Peer>, stop: CancellationToken) {
    let (config, account) = (broker.config(), broker.memory().account());
    let mut connection = Connection {
        receiver: Receiver::new(broker.buffers().clone()),
        queue: Queue::new(Arc::clone(&account)),
        account,
        outgoing: SendPlan::new(),
        behind: Behind::new(Arc::clone(&broker)),
        charges: Vec::new(),
        gone: false,
        stop,
        frame_max: config.socket_request_max_bytes,
        idle: config.connections_max_idle,
        broker,
        peer,
        stream,
    };
    trace!(remote = %connection.peer.remote, "connected");
    connection.broker.metrics().connection_opened();
    let stop = connection.stop.clone();
    let end = match connection.prepare() {
        Ok(()) => tokio::select! {
            biased;
            () = stop.cancelled() => stopping(),
            end = connection.run() => end,
        },
        Err(error) => Close::because(error),
    };
    connection.broker.metrics().connection_closed();
    debug!(remote = %connection.peer.remote, reason = %end, "connection closed");
}

impl Connection {
    fn prepare(&self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        let config = self.broker.config();
        let socket = socket2::SockRef::from(&self.stream);
        // As in Kafka, with the system's times: `net.ipv4.tcp_keepalive_time` and its neighbours.
        socket.set_keepalive(true)?;
        if let Some(bytes) = config.socket_send_buffer_bytes {
            socket.set_send_buffer_size(bytes)?;
        }
        if let Some(bytes) = config.socket_receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        Ok(())
    }

    async fn run(&mut self) -> Close {
        loop {
            let started = self.start_requests().await;
            // An answer made while the logs close may be wrong, and the client asks again elsewhere.
            if self.stop.is_cancelled() {
                return stopping();
            }
            // Also before the end: what was asked before the request that ends the connection is answered.
            if let Err(close) = self.send().await {
                return close;
            }
            let left = match started {
                Err(close) => return close,
                // What was not started yet has arrived already: the socket would not wake us for it.
                Ok(Left::Frames) if !self.is_full() => continue,
                Ok(left) => left,
            };
            if let Err(close) = self.wait(&left).await {
                let _ = self.send().await;
                return close;
            }
        }
    }

    /// Whether nothing more is started until an answer has left. Without any to wait for, one request always is.
    fn is_full(&self) -> bool {
        let in_flight = self.queue.len();
        let held = self.account.held();
        let much = held.bytes > HELD_MAX_BYTES || held.files > HELD_MAX_FILES;
        in_flight >= IN_FLIGHT_MAX || (in_flight > 0 && much)
    }

    /// Starts every request that has fully arrived, within the limits.
    async fn start_requests(&mut self) -> Result<Left, Close> {
        while !self.queue.ends() {
            // One step may take long (a slow disk), longer than a stop waits: nothing is started after it.
            if self.stop.is_cancelled() {
                return Err(stopping());
            }
            if self.is_full() || self.outgoing.total() >= GATHER_MAX_BYTES {
                return Ok(Left::Frames);
            }
            let reply = match self.receiver.frame(self.frame_max) {
                Ok(Some(frame)) => dispatch(&self.broker, &self.peer, &self.account, frame),
                Ok(None) => break,
                Err(error) => Reply::Now(Err(refused_frame(&error))),
            };
            if let Some(answer) = self.queue.start(reply).await {
                self.gather(answer)?;
            }
            // However many have arrived together, the other connections of this thread get their turn.
            consume_budget().await;
        }
        Ok(Left::Nothing)
    }

    fn gather(&mut self, answer: Answer) -> Result<(), Close> {
        if let Some(mut plan) = answer.outcome? {
            self.charges.extend(answer.charge);
            self.outgoing.append(&mut plan);
        }
        Ok(())
    }

    /// Sends what is gathered. Progress within the idle limit is required, completion is not. The requests that wait go
    /// on meanwhile.
    async fn send(&mut self) -> Result<(), Close> {
        while self.outgoing.total() > 0 {
            let before = self.outgoing.remaining();
            let sending = self.broker.transfer().send(&self.stream, &mut self.outgoing);
            let sent = tokio::select! {
                biased;
                sent = timeout(self.idle, sending) => sent,
                never = self.queue.go_on() => match never {},
            };
            match sent {
                Ok(Ok(_)) => {
                    self.behind.sent(&self.outgoing);
                    self.outgoing = self.outgoing.next_to_same_socket();
                    self.charges.clear();
                }
                Ok(Err(error)) => return Err(Close::because(error)),
                Err(_) if self.outgoing.remaining() < before => {}
                Err(_) => return Err(Close::because("the client stopped reading its answers")),
            }
        }
        Ok(())
    }

    /// Waits for more bytes, for the oldest unanswered request, for the client's end, or for the idle limit.
    async fn wait(&mut self, left: &Left) -> Result<(), Close> {
        if self.gone && self.is_full() {
            self.queue.give_up();
        }
        if self.queue.is_empty() {
            // Also where the answer before took all of the task's budget: there is nothing to do but to wait, and a turn for others
            // before that wakes another thread for each answer.
            let filled = unconstrained(timeout(self.idle, self.receiver.fill(&self.stream))).await;
            // Whoever did wait has all of it again; a long frame that comes faster than it is read pays for each part.
            consume_budget().await;
            return match filled {
                Ok(filled) => self.arrived(filled),
                Err(_) if self.receiver.waits_for_memory() => Ok(()),
                Err(_) => Err(Close::because("idle for connections.max.idle.ms")),
            };
        }
        let may_read = matches!(left, Left::Nothing) && !self.is_full() && !self.queue.ends();
        tokio::select! {
            biased;
            answer = self.queue.next() => {
                self.gather(answer)?;
                self.gather_finished().await
            }
            filled = self.receiver.fill(&self.stream), if may_read => self.arrived(filled),
            () = closed(&self.stream), if !may_read => {
                self.gone = true;
                if self.queue.ends() { Err(by_the_client()) } else { Ok(()) }
            }
        }
    }

    fn arrived(&self, filled: io::Result<usize>) -> Result<(), Close> {
        match filled {
            Ok(0) => Err(by_the_client()),
            Ok(_) => Ok(()),
            Err(error) => {
                if let Some(evicted) = error.get_ref().and_then(|error| error.downcast_ref::<Evicted>()) {
                    warn!(remote = %self.peer.remote, "connection closed for want of memory: {evicted}");
                }
                Err(Close::because(error))
            }
        }
    }

    /// Takes along the answers behind the first that are finished too.
    async fn gather_finished(&mut self) -> Result<(), Close> {
        while self.outgoing.total() < GATHER_MAX_BYTES
            && let Some(answer) = self.queue.next_ready().await
        {
            self.gather(answer)?;
        }
        Ok(())
    }
}

/// Returns when the other end will send nothing more, read or not. Tokio reports that with any interest in what is
/// to be read, so one in urgent data, which nobody sends, is woken by nothing else.
async fn closed(stream: &TcpStream) {
    let _ = stream.ready(Interest::PRIORITY).await;
}

fn by_the_client() -> Close {
    Close::because("closed by the client")
}

fn stopping() -> Close {
    Close::because("the broker is stopping")
}

fn refused_frame(error: &FrameError) -> Close {
    Close::because(format_args!("bad frame: {error}"))
}
