//! Who is connected to whom.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::net::TcpStream;

/// The two ends of a connection, as the handlers may want to know them.
#[derive(Debug)]
pub(crate) struct Peer {
    /// Where the client sits.
    pub(crate) remote: SocketAddr,
    /// The name of the listener it came by.
    pub(crate) listener: Arc<str>,
    /// The address the client dialled: what it is told to come back to, unless `advertised.listeners` says otherwise.
    pub(crate) local: SocketAddr,
}

impl Peer {
    pub(super) fn of(stream: &TcpStream, remote: SocketAddr, listener: Arc<str>) -> io::Result<Self> {
        let canonical = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
        Ok(Self { remote: canonical(remote), listener, local: canonical(stream.local_addr()?) })
    }
}
