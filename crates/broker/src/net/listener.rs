//! Binding, listening and accepting. One listener owns one address; every accepted socket becomes one task.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use rustix::io::Errno;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{debug, warn};

use super::{congestion::Congestion, connection, limits::ConnectionLimits, peer::Peer};
use crate::{broker::Broker, config::Endpoint};

/// How long accepting rests when the process has no descriptor left for another socket.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// An address that is taken, and on which nobody listens: whoever calls it is refused.
pub(crate) struct Bound {
    name: Arc<str>,
    socket: Socket,
    congestion: Congestion,
    address: SocketAddr,
    backlog: i32,
}

/// An address that takes connections into its queue, from which nobody fetches them yet.
pub(crate) struct Listener {
    name: Arc<str>,
    socket: TcpListener,
    congestion: Congestion,
    address: SocketAddr,
}

/// Binds an endpoint.
pub(crate) fn bind(endpoint: &Endpoint, backlog: i32, congestion_control: &str) -> io::Result<Bound> {
    let address = endpoint.address;
    let (socket, congestion) = match bound(address, congestion_control) {
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && is_without_ipv6(&error) => {
            bound((Ipv4Addr::UNSPECIFIED, address.port()).into(), congestion_control)
        }
        bound => bound,
    }?;
    let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
    Ok(Bound { name: Arc::clone(&endpoint.name), socket, congestion, address, backlog })
}

impl Bound {
    /// The real address, with the port the system chose if 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections are taken from now on. Must run inside the runtime. An error where somebody else bound the address at the same
    /// time and was faster.
    pub(crate) fn listen(self) -> io::Result<Listener> {
        let Self { name, socket, congestion, address, backlog } = self;
        socket.listen(backlog.max(1))?;
        Ok(Listener { name, socket: TcpListener::from_std(socket.into())?, congestion, address })
    }
}

fn bound(address: SocketAddr, congestion_control: &str) -> io::Result<(Socket, Congestion)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == IpAddr::from(Ipv6Addr::UNSPECIFIED) {
        // As Java does, whatever `net.ipv6.bindv6only` says.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    let congestion = Congestion::prepare(&SockRef::from(&socket), congestion_control)?;
    socket.bind(&address.into())?;
    Ok((socket, congestion))
}

/// The system was built or started without IPv6.
fn is_without_ipv6(error: &io::Error) -> bool {
    [Errno::AFNOSUPPORT, Errno::ADDRNOTAVAIL].iter().any(|no| error.raw_os_error() == Some(no.raw_os_error()))
}

impl Listener {
    /// The real address, with the port the system chose if 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until `stop`; connections live on in `tasks` and end by the same token. `limits` are those of the node,
    /// shared by its listeners.
    pub(crate) async fn run(
        self,
        broker: Arc<Broker>,
        limits: ConnectionLimits,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) {
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                accepted = accept(&self.socket, &limits, &broker) => accepted,
            };
            let Some((stream, remote, admission)) = accepted else { continue };
            let peer = match Peer::of(&stream, remote, Arc::clone(&self.name)) {
                Ok(peer) => Arc::new(peer),
                Err(error) => {
                    debug!(%remote, %error, "connection was gone before it was served");
                    continue;
                }
            };
            self.congestion.complete(&SockRef::from(&stream), &peer);
            let (broker, stop) = (Arc::clone(&broker), stop.clone());
            tasks.spawn(async move {
                connection::serve(broker, stream, peer, stop).await;
                drop(admission);
            });
        }
    }
}

/// The next connection that is allowed. At the total, the one accepted last waits here and all others in the accept
/// queue: a listener that nobody calls must not hold a place that another one could use.
async fn accept(
    socket: &TcpListener,
    limits: &ConnectionLimits,
    broker: &Broker,
) -> Option<(TcpStream, SocketAddr, super::limits::Admission)> {
    match socket.accept().await {
        Ok((stream, remote)) => {
            let slot = limits.slot(broker).await;
            let admission = ConnectionLimits::admit(slot, remote.ip(), &broker.config());
            if admission.is_none() {
                warn!(%remote, "connection refused: max.connections.per.ip is reached for this address");
            }
            admission.map(|admission| (stream, remote, admission))
        }
        Err(error) => {
            // ECONNABORTED passes by itself; EMFILE and ENFILE need others to close first.
            warn!(%error, "accepting a connection failed");
            tokio::time::sleep(ACCEPT_RETRY).await;
            None
        }
    }
}
