//! The congestion control of the measured sockets. One that paces (BBR) programs a timer for every few packets, which
//! costs more than copying does and hits the fastest way hardest; so where that is the default, another is chosen. It has to
//! be there before the connection is: one that BBR had for a moment keeps its timers, whatever it is given later.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::io::Errno;
use rustix::net::sockopt::set_tcp_congestion;
use socket2::{Domain, Protocol, Socket, Type};

use crate::read;

/// Of the network that the reader is in.
pub(crate) const DEFAULT: &str = "/proc/sys/net/ipv4/tcp_congestion_control";
/// No name is longer (`TCP_CA_NAME_MAX` is 16).
const NAME_BYTES: u64 = 64;
/// Those that do not pace, best first.
pub(crate) const UNPACED: [&str; 2] = ["cubic", "reno"];

/// The one to use, and the system's default.
pub(crate) fn choose() -> anyhow::Result<(String, String)> {
    let default = read::head(DEFAULT, NAME_BYTES).context("the default congestion control")?;
    let default = default.trim().to_owned();
    if !paces(&default) {
        return Ok((default.clone(), default));
    }
    let socket = TcpListener::bind("127.0.0.1:0").or_else(|_| TcpListener::bind("0.0.0.0:0"))?;
    let unpaced = settable(|name| set_tcp_congestion(&socket, name))?;
    // What is there is better than nothing, and is recorded.
    Ok((unpaced.map_or_else(|| default.clone(), str::to_owned), default))
}

/// The best of those that do not pace that this process may set: what is available may be reserved to root.
fn settable(set: impl Fn(&str) -> Result<(), Errno>) -> anyhow::Result<Option<&'static str>> {
    for name in UNPACED {
        match set(name) {
            Ok(()) => return Ok(Some(name)),
            Err(Errno::NOENT | Errno::PERM) => {}
            Err(errno) => bail!("congestion control {name}: {errno}"),
        }
    }
    Ok(None)
}

/// Connects with a congestion control, or with the system's.
pub(crate) fn connect(
    to: SocketAddr,
    within: Duration,
    congestion_control: Option<&str>,
) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(name) = congestion_control {
        set_tcp_congestion(&socket, name)?;
    }
    socket.connect_timeout(&to.into(), within)?;
    Ok(socket.into())
}

/// Whether it sends by a timer.
pub(crate) fn paces(name: &str) -> bool {
    name.starts_with("bbr")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_can_be_set_and_does_not_pace_if_anything_else_is_there() {
        let (chosen, default) = choose().unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        set_tcp_congestion(&socket, &chosen).unwrap();
        assert!(!paces(&chosen) || chosen == default);
    }

    #[test]
    fn a_connection_has_it_from_the_first() {
        let (listener, within) = (TcpListener::bind("127.0.0.1:0").unwrap(), Duration::from_secs(10));
        let to = listener.local_addr().unwrap();
        let name = |socket: &TcpStream| rustix::net::sockopt::tcp_congestion(socket).unwrap();
        assert_eq!(name(&connect(to, within, Some("reno")).unwrap()), "reno");
        connect(to, within, Some("nosuch")).unwrap_err();
        let system = name(&TcpStream::connect(to).unwrap());
        assert_eq!(name(&connect(to, within, None).unwrap()), system);
    }

    #[test]
    fn one_that_this_process_may_not_set_is_passed_over() {
        let may =
            |allowed: &'static str| move |name: &str| if name == allowed { Ok(()) } else { Err(Errno::PERM) };
        assert_eq!(settable(may("cubic")).unwrap(), Some("cubic"));
        assert_eq!(settable(may("reno")).unwrap(), Some("reno"));
        assert_eq!(settable(may("none of them")).unwrap(), None);
        assert!(settable(|_| Err(Errno::BADF)).is_err());
    }
}
