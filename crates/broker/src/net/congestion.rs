//! Which TCP congestion control the broker's connections use (`pagewire.socket.congestion.control`).
//!
//! BBR paces: it sends by timers, thousands of them for what `sendfile` queues in one call, and each costs about as
//! much CPU as 64 KiB of sending. Over a network that may be worth its price, which is for the machine's owner to say.
//! To a client on the same machine there is no queue to keep short, so `auto` takes another one there.
//!
//! A connection that was BBR's for a moment is paced for as long as it lives, whatever it is given afterwards: the kernel
//! never takes the timers back. So the listening socket has the other one, which its connections are born with, and those
//! to other machines are given the system's before anything is sent.

use std::io;

use socket2::SockRef;
use tracing::{debug, warn};

use super::peer::Peer;

/// The machine's own for all.
const SYSTEM: &str = "system";
/// The machine's own, except where it paces without need.
const AUTO: &str = "auto";
/// What paces, by the start of its name.
const PACING: &[u8] = b"bbr";
/// What `auto` takes instead: the first that the system has and allows.
const WITHOUT_PACING: [&[u8]; 2] = [b"cubic", b"reno"];

/// What the connections of a listening socket have.
#[derive(Debug)]
pub(super) struct Congestion {
    /// What those from other machines get instead of what they inherit.
    elsewhere: Option<Vec<u8>>,
}

impl Congestion {
    /// Puts `setting` in force for a socket that is to listen.
    pub(super) fn prepare(socket: &SockRef<'_>, setting: &str) -> io::Result<Self> {
        match setting {
            SYSTEM | "" => Ok(Self { elsewhere: None }),
            AUTO => Ok(Self { elsewhere: replace_pacing(socket) }),
            name => set(socket, name).map(|()| Self { elsewhere: None }),
        }
    }

    /// Completes it for an accepted connection, over which nothing went yet.
    pub(super) fn complete(&self, socket: &SockRef<'_>, peer: &Peer) {
        let Some(system) = &self.elsewhere else { return };
        if is_local(peer) {
            return;
        }
        // The system's own is allowed to everybody.
        if let Err(error) = socket.set_tcp_congestion(system) {
            debug!(remote = %peer.remote, %error, "the connection keeps its listener's congestion control");
        }
    }
}

fn set(socket: &SockRef<'_>, name: &str) -> io::Result<()> {
    socket.set_tcp_congestion(name.as_bytes()).map_err(|error| {
        let why = format!("TCP congestion control `{name}` cannot be used: {error}; see net.ipv4.tcp_allowed_congestion_control");
        io::Error::new(error.kind(), why)
    })
}

/// Takes another one if the system's paces: the name of that. Never an error, as the system's own always works.
fn replace_pacing(socket: &SockRef<'_>) -> Option<Vec<u8>> {
    let mut system = socket.tcp_congestion().ok()?;
    system.truncate(system.iter().position(|byte| *byte == 0).unwrap_or(system.len()));
    if !system.starts_with(PACING) {
        return None;
    }
    if WITHOUT_PACING.iter().any(|name| socket.set_tcp_congestion(name).is_ok()) {
        return Some(system);
    }
    let name = String::from_utf8_lossy(&system);
    warn!(
        "TCP congestion control stays {name} for clients on this machine: neither cubic nor reno is allowed"
    );
    None
}

/// Whether a client is on this machine.
fn is_local(peer: &Peer) -> bool {
    peer.remote.ip().is_loopback() || peer.remote.ip() == peer.local.ip()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn listener() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").expect("a free port")
    }

    fn accepted(listener: &TcpListener) -> (TcpStream, Peer) {
        let local = listener.local_addr().expect("its address");
        let _client = TcpStream::connect(local).expect("connecting");
        let (stream, remote) = listener.accept().expect("accepting");
        (stream, Peer { remote, listener: "PLAINTEXT".into(), local })
    }

    fn name(socket: &SockRef<'_>) -> String {
        let name = socket.tcp_congestion().expect("a name");
        String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned()
    }

    #[test]
    fn a_client_at_the_loopback_or_at_our_own_address_is_on_this_machine() {
        let peer = |remote: [u8; 4], local: [u8; 4]| Peer {
            remote: (remote, 1).into(),
            listener: "PLAINTEXT".into(),
            local: (local, 9092).into(),
        };
        let (loopback, ours, theirs) = ([127, 0, 0, 1], [192, 0, 2, 1], [192, 0, 2, 2]);
        for (peer, expected) in
            [(peer(loopback, loopback), true), (peer(ours, ours), true), (peer(theirs, ours), false)]
        {
            assert_eq!(is_local(&peer), expected, "{peer:?}");
        }
    }

    /// A machine that has none that paces has nothing to replace.
    fn pacing_listener() -> Option<TcpListener> {
        let listener = listener();
        SockRef::from(&listener).set_tcp_congestion(PACING).ok()?;
        Some(listener)
    }

    #[test]
    fn a_connection_is_born_without_pacing_and_one_from_elsewhere_is_given_it() {
        let Some(listener) = pacing_listener() else { return };
        let congestion = Congestion::prepare(&SockRef::from(&listener), AUTO).expect("never refused");
        let (stream, mut peer) = accepted(&listener);
        let socket = SockRef::from(&stream);
        let born = name(&socket);
        assert!(["cubic", "reno"].contains(&born.as_str()), "{born}");
        congestion.complete(&socket, &peer);
        assert_eq!(name(&socket), born);
        peer.remote = ([192, 0, 2, 1], 1).into();
        congestion.complete(&socket, &peer);
        assert_eq!(name(&socket), "bbr");
    }

    #[test]
    fn what_does_not_pace_and_what_is_the_systems_stays() {
        let listener = listener();
        let socket = SockRef::from(&listener);
        let system = name(&socket);
        Congestion::prepare(&socket, SYSTEM).expect("nothing to refuse");
        assert_eq!(name(&socket), system);
        socket.set_tcp_congestion(b"reno").expect("every Linux has reno");
        let congestion = Congestion::prepare(&socket, AUTO).expect("never refused");
        assert_eq!((name(&socket).as_str(), congestion.elsewhere), ("reno", None));
    }

    #[test]
    fn an_algorithm_that_is_not_to_be_had_is_an_error_in_words() {
        let listener = listener();
        let error = Congestion::prepare(&SockRef::from(&listener), "nosuch").expect_err("no such algorithm");
        assert!(error.to_string().contains("`nosuch`"), "{error}");
        Congestion::prepare(&SockRef::from(&listener), "reno").expect("every Linux has reno");
        assert_eq!(name(&SockRef::from(&listener)), "reno");
    }
}
