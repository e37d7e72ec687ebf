//! Congestion control: one that paces by timers (BBR) costs the sender more on loopback than the bytes do.

use std::{fs, io};

use anyhow::{Context, Result};

use crate::measure::link::congestion::{DEFAULT, UNPACED, choose, paces};
use crate::measure::link::veth;

/// What the client's sockets should use where the system's default paces and this process may set another; `None`
/// leaves the default.
pub fn without_pacing() -> Option<String> {
    let (chosen, default) = choose().ok()?;
    (chosen != default).then_some(chosen)
}

/// Moves this process, and whatever it starts from now on, into a network of its own in which nobody is paced: brokers that do
/// not choose for themselves are measured as on systems whose default does not pace. Call it before any thread is started.
/// Does nothing where the default does not pace. Answers whether it moved.
///
/// # Errors
/// It needs root and the program `ip`. This process is then where it was, unless what follows the move fails.
pub fn into_network_without_pacing() -> Result<bool> {
    let (_, default) = choose()?;
    if !paces(&default) {
        return Ok(false);
    }
    veth::ip(&["-V"])?;
    veth::isolate()?;
    veth::ip(&["link", "set", "lo", "up"])?;
    set_default(|name| fs::write(DEFAULT, name)).context(DEFAULT)?;
    Ok(true)
}

/// Sets the best that may be one: of what a socket may have, a network other than the first takes only what everybody may set.
fn set_default(mut set: impl FnMut(&str) -> io::Result<()>) -> io::Result<()> {
    let mut last = io::Error::from(io::ErrorKind::Unsupported);
    for name in UNPACED {
        match set(name) {
            Ok(()) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The system's default, if it paces whoever does not choose for itself.
pub fn pacing() -> Option<String> {
    choose().ok().map(|(_, default)| default).filter(|default| paces(default))
}

/// What must be known about the brokers' sockets, which the drive cannot choose for.
pub(super) fn warning() -> Option<String> {
    pacing().map(|default| {
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
    fn a_default_that_may_not_be_set_is_passed_over() {
        let mut tried = Vec::new();
        let may = |name: &str| {
            tried.push(name.to_owned());
            if name == "reno" { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
        };
        set_default(may).unwrap();
        assert_eq!(tried, UNPACED);
        set_default(|_| Err(io::ErrorKind::PermissionDenied.into())).unwrap_err();
    }

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
