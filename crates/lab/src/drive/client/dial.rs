//! How connections are made, and the flag that ends them.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Connection, Error, Result};
use crate::measure::link::congestion::connect;

/// A connection attempt may take this long.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Asks everything that shares it to end soon. Clones are the same flag.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on, end.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether to end.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How connections are made.
#[derive(Debug, Clone)]
pub struct Dial {
    /// Congestion control of this side's sockets; `None` leaves the system's default.
    pub congestion_control: Option<String>,
    /// How long an answer is waited for.
    pub patience: Duration,
    /// Ends every wait.
    pub stop: Stop,
}

impl Default for Dial {
    fn default() -> Self {
        Self { congestion_control: None, patience: Duration::from_secs(30), stop: Stop::default() }
    }
}

impl Dial {
    /// The first address of `host` that takes a connection, which is closed again.
    pub fn resolve(&self, host: &str, port: u16) -> Result<SocketAddr> {
        let address =
            || if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut reason = "the name has no address".to_owned();
        let found = (host, port).to_socket_addrs();
        let found =
            found.map_err(|error| Error::NoBroker { address: address(), reason: error.to_string() })?;
        for candidate in found {
            match TcpStream::connect_timeout(&candidate, CONNECT_MAX) {
                Ok(_) => return Ok(candidate),
                Err(error) => reason = error.to_string(),
            }
        }
        Err(Error::NoBroker { address: address(), reason })
    }

    /// Connects and agrees on versions.
    pub fn open(&self, address: SocketAddr) -> Result<Connection> {
        let mut connection = self.open_unasked(address)?;
        connection.agree()?;
        Ok(connection)
    }

    /// Connects and asks nothing: the other side speaks what the caller knows it to speak.
    pub fn open_unasked(&self, address: SocketAddr) -> Result<Connection> {
        let refused = |error: std::io::Error| Error::NoBroker {
            address: address.to_string(),
            reason: error.to_string(),
        };
        let stream = connect(address, CONNECT_MAX, self.congestion_control.as_deref()).map_err(refused)?;
        Connection::new(stream, address, self)
    }

    /// The same, but deaf to the flag: for cleaning up after it was set.
    #[must_use]
    pub fn unstoppable(&self) -> Self {
        Self { stop: Stop::default(), ..self.clone() }
    }
}
