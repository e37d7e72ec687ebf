//! Kernel TLS: the kernel encrypts, so that `sendfile` works on a TLS connection too.
//!
//! Attaching the protocol to a socket makes the kernel load a missing module if a privileged process asks. A check
//! changes nothing, so where the module is not loaded it is only looked for on the disk.

use std::io;

use nix::sys::socket::{setsockopt, sockopt::TcpUlp};
use rustix::system::uname;

use super::bench;
use crate::finding::Finding;
use crate::{Plan, read};

const CHECK: &str = "kernel TLS";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Facts {
    /// Loaded, and attached to a socket.
    Attached,
    /// Loaded, and refused for a socket.
    Refused(String),
    /// Not loaded, but there to be.
    OnDisk,
    /// Neither loaded nor to be found.
    Absent,
}

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    vec![judge(&probe())]
}

fn probe() -> Facts {
    let loaded = read::text("/proc/sys/net/ipv4/tcp_available_ulp").unwrap_or_default();
    if loaded.split_whitespace().any(|name| name == "tls") {
        return attach().map_or_else(|error| Facts::Refused(error.to_string()), |()| Facts::Attached);
    }
    let release = uname().release().to_string_lossy().into_owned();
    let lists = ["modules.dep", "modules.builtin"].map(|list| format!("/lib/modules/{release}/{list}"));
    let is_there =
        lists.iter().any(|list| read::text(list).is_ok_and(|text| text.contains("/net/tls/tls.ko")));
    if is_there { Facts::OnDisk } else { Facts::Absent }
}

fn attach() -> io::Result<()> {
    let (socket, _peer) = bench::sockets()?;
    Ok(setsockopt(&socket, TcpUlp::default(), b"tls")?)
}

/// Whatever is found is ok, as long as nobody here misses it.
fn judge(facts: &Facts) -> Finding {
    const UNUSED: &str = "nothing here uses it yet, for serve has no TLS listeners";
    let found = |what: &str| format!("{what}; {UNUSED}");
    match facts {
        Facts::Attached => Finding::ok(CHECK, found("loaded; a socket took it")),
        Facts::Refused(error) => {
            Finding::ok(CHECK, found(&format!("loaded, but refused for a socket: {error}")))
                .advise("to have it: allow setsockopt(TCP_ULP) in the sandbox's filter")
        }
        Facts::OnDisk => Finding::ok(CHECK, found("the module is there and not loaded"))
            .advise("to have it: modprobe tls, and tls in /etc/modules-load.d to keep it"),
        Facts::Absent => Finding::ok(CHECK, found("no such module, or none that this process can see"))
            .advise("to have it: a kernel with CONFIG_TLS"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn what_nothing_uses_is_missed_by_nobody_and_it_is_said_how_to_have_it() {
        for facts in [Facts::Attached, Facts::Refused("EPERM".to_owned()), Facts::OnDisk, Facts::Absent] {
            let finding = judge(&facts);
            assert!(finding.state == State::Ok && finding.found.contains("no TLS listeners"), "{finding:?}");
            assert_eq!(finding.advice.starts_with("to have it: "), facts != Facts::Attached, "{finding:?}");
        }
        assert!(judge(&Facts::OnDisk).advice.contains("modprobe tls"));
    }
}
