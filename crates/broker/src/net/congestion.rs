//! Which TCP congestion control the broker's connections use (`pagewire.socket.congestion.control`).
//!
//! BBR paces: it sends by timers, thousands of them for what `sendfile` queues in one call, and each costs about as
//! much CPU as 64 KiB of sending. Over a network that may be worth its price, which is for the machine's owner to say.
//! To a client on the same machine there is no queue to keep short, so `auto` takes another one there.

use std::{io, sync::atomic::AtomicBool, sync::atomic::Ordering::Relaxed};

use socket2::SockRef;
use tracing::warn;

use super::peer::Peer;

/// The machine's own for all.
const SYSTEM: &str = "system";
/// The machine's own, except where it paces without need.
const AUTO: &str = "auto";
/// What paces, by the start of its name.
const PACING: &[u8] = b"bbr";
/// What `auto` takes instead: the first that the system has and allows.
const WITHOUT_PACING: [&[u8]; 2] = [b"cubic", b"reno"];

/// Puts a setting that names an algorithm in force for a listening socket, whose connections inherit it.
pub(super) fn prepare_listener(socket: &SockRef<'_>, setting: &str) -> io::Result<()> {
    if matches!(setting, SYSTEM | AUTO | "") {
        return Ok(());
    }
    socket.set_tcp_congestion(setting.as_bytes()).map_err(|error| {
        let why = format!("TCP congestion control `{setting}` cannot be used: {error}; see net.ipv4.tcp_allowed_congestion_control");
        io::Error::new(error.kind(), why)
    })
}

/// Puts `auto` in force for an accepted socket. Never an error: the system's own always works.
pub(super) fn prepare_connection(socket: &SockRef<'_>, peer: &Peer, setting: &str) {
    static REFUSED: AtomicBool = AtomicBool::new(false);
    if setting != AUTO || REFUSED.load(Relaxed) {
        return;
    }
    let Ok(current) = socket.tcp_congestion() else { return };
    if !paces_in_vain(&current, peer) {
        return;
    }
    if !WITHOUT_PACING.iter().any(|name| socket.set_tcp_congestion(name).is_ok())
        && !REFUSED.swap(true, Relaxed)
    {
        let current = String::from_utf8_lossy(&current);
        warn!(
            "TCP congestion control stays {} for clients on this machine: neither cubic nor reno is allowed",
            current.trim_end_matches('\0')
        );
    }
}

/// Whether `algorithm` paces, to a client on this machine.
fn paces_in_vain(algorithm: &[u8], peer: &Peer) -> bool {
    let local = peer.remote.ip().is_loopback() || peer.remote.ip() == peer.local.ip();
    local && algorithm.starts_with(PACING)
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        sync::Arc,
    };

    use super::*;

    fn pair() -> (TcpListener, TcpStream, Peer) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let _client = TcpStream::connect(address).expect("connecting");
        let (stream, remote) = listener.accept().expect("accepting");
        (listener, stream, Peer { remote, listener: "PLAINTEXT".into(), local: address })
    }

    fn name(socket: &SockRef<'_>) -> String {
        let name = socket.tcp_congestion().expect("a name");
        String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned()
    }

    /// Also on a machine that has nothing that paces.
    #[test]
    fn pacing_is_in_vain_on_this_machine_only() {
        let peer = |remote: [u8; 4], local: [u8; 4]| Peer {
            remote: (remote, 1).into(),
            listener: "PLAINTEXT".into(),
            local: (local, 9092).into(),
        };
        let (loopback, ours, theirs) = ([127, 0, 0, 1], [192, 0, 2, 1], [192, 0, 2, 2]);
        let cases = [
            (&b"bbr\0"[..], peer(loopback, loopback), true),
            (b"bbr3", peer(ours, ours), true),
            (b"bbr", peer(theirs, ours), false),
            (b"cubic", peer(loopback, loopback), false),
        ];
        for (algorithm, peer, expected) in cases {
            assert_eq!(paces_in_vain(algorithm, &peer), expected, "{algorithm:?} {peer:?}");
        }
    }

    #[test]
    fn a_client_on_this_machine_is_not_paced() {
        let (_listener, stream, peer) = pair();
        let socket = SockRef::from(&stream);
        // A machine that has none that paces has nothing to replace.
        let paced = socket.set_tcp_congestion(PACING).is_ok();
        prepare_connection(&socket, &peer, AUTO);
        assert!(!name(&socket).starts_with("bbr"), "paced: {paced}");
    }

    #[test]
    fn a_client_elsewhere_keeps_what_the_system_has() {
        let (_listener, stream, peer) = pair();
        let elsewhere = Peer {
            remote: ([192, 0, 2, 1], 1).into(),
            listener: Arc::clone(&peer.listener),
            local: peer.local,
        };
        let socket = SockRef::from(&stream);
        let _ = socket.set_tcp_congestion(PACING);
        let before = name(&socket);
        prepare_connection(&socket, &elsewhere, AUTO);
        prepare_connection(&socket, &peer, SYSTEM);
        assert_eq!(name(&socket), before);
    }

    #[test]
    fn an_algorithm_that_is_not_to_be_had_is_an_error_in_words() {
        let (listener, ..) = pair();
        let error = prepare_listener(&SockRef::from(&listener), "nosuch").expect_err("no such algorithm");
        assert!(error.to_string().contains("`nosuch`"), "{error}");
        prepare_listener(&SockRef::from(&listener), "reno").expect("every Linux has reno");
        assert_eq!(name(&SockRef::from(&listener)), "reno");
    }
}
