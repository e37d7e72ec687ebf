//! Congestion control: one that paces by timers (BBR) costs the sender more on loopback than the bytes do.

use std::fs;

use anyhow::{Context, Result};

use crate::measure::link::congestion::{DEFAULT, choose, paces};
use crate::measure::link::veth;

/// What the client's sockets should use where the system's default paces and this process may set another; `None`
/// leaves the default.
pub fn without_pacing() -> Option<String> {
    let (chosen, default) = choose().ok()?;
    (chosen != default).then_some(chosen)
}

/// Moves this process, and whatever it starts from now on, into a network of its own in which nobody is paced: brokers that do
/// not choose for themselves are measured as on systems whose default does not pace. Call it before any thread is started.
/// Does nothing where the default does not pace.
///
/// # Errors
/// It needs root and the program `ip`. This process is then where it was, unless what follows the move fails.
pub fn into_network_without_pacing() -> Result<()> {
    let (chosen, default) = choose()?;
    if !paces(&default) {
        return Ok(());
    }
    veth::ip(&["-V"])?;
    veth::isolate()?;
    veth::ip(&["link", "set", "lo", "up"])?;
    fs::write(DEFAULT, chosen).context(DEFAULT)
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
