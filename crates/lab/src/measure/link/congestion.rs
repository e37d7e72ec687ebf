//! The congestion control of the measured sockets. One that paces (BBR) programs a timer for every few packets, which
//! costs more than copying does and hits the fastest way hardest; so where that is the default, another is chosen.

use std::net::TcpListener;

use anyhow::{Context, bail};
use rustix::io::Errno;
use rustix::net::sockopt::set_tcp_congestion;

use crate::read;

const DEFAULT: &str = "/proc/sys/net/ipv4/tcp_congestion_control";
/// No name is longer (`TCP_CA_NAME_MAX` is 16).
const NAME_BYTES: u64 = 64;
/// Those that do not pace, best first.
const UNPACED: [&str; 2] = ["cubic", "reno"];

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
    fn one_that_this_process_may_not_set_is_passed_over() {
        let may =
            |allowed: &'static str| move |name: &str| if name == allowed { Ok(()) } else { Err(Errno::PERM) };
        assert_eq!(settable(may("cubic")).unwrap(), Some("cubic"));
        assert_eq!(settable(may("reno")).unwrap(), Some("reno"));
        assert_eq!(settable(may("none of them")).unwrap(), None);
        assert!(settable(|_| Err(Errno::BADF)).is_err());
    }
}
