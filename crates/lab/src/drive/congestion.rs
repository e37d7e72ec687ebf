//! Congestion control: one that paces by timers (BBR) costs the sender more on loopback than the bytes do.

use crate::measure::link::congestion::{choose, paces};

/// What the client's sockets should use where the system's default paces and this process may set another; `None`
/// leaves the default.
pub fn without_pacing() -> Option<String> {
    let (chosen, default) = choose().ok()?;
    (chosen != default).then_some(chosen)
}

/// What must be known about the brokers' sockets, which the drive cannot choose for.
pub(super) fn warning() -> Option<String> {
    let (_, default) = choose().ok()?;
    paces(&default).then(|| {
        format!(
            "this system's default congestion control is {default}, which paces by timers: a broker that does not \
             choose its own pays for that, most of all on loopback"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_is_chosen_can_be_set_and_does_not_pace() {
        let Some(name) = without_pacing() else {
            let default = choose().unwrap().1;
            eprintln!("{default} stays: it does not pace, or nothing else may be set");
            assert_eq!(choose().unwrap().0, default);
            return;
        };
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        socket2::SockRef::from(&socket).set_tcp_congestion(name.as_bytes()).unwrap();
        assert!(!paces(&name));
    }
}
