//! What network interfaces do for a sender by themselves: gather a packet from several pages, sum it, cut it. Whether
//! `sendfile` saves a copy hangs on it. Asked of the kernel, and changed, by its ethtool messages (Linux 5.6 and
//! later).
//!
//! ```text
//!   all, of, set ── features   what a message says: an interface, and the names of features that are on
//!                └─ netlink    one question to the kernel, and its answers
//! ```
//!
//! Asking needs no privilege; changing needs root of the interface's network namespace.

mod features;
mod netlink;
mod offloads;

use std::collections::BTreeMap;
use std::io;

use self::features::Features;
pub use self::offloads::{Offloads, SCATTER_GATHER};

/// The offloads of every interface of this network namespace, by name.
///
/// # Errors
/// Without netlink or its ethtool family (an old kernel, some sandboxes), or if the kernel gives no answer.
pub fn all() -> io::Result<BTreeMap<String, Offloads>> {
    let answers = netlink::dump(Features::of_all())?;
    Ok(answers.into_iter().map(|answer| (answer.interface(), Offloads::of(&answer.on()))).collect())
}

/// The offloads of one.
///
/// # Errors
/// As [`all`]; `ENODEV` if there is no such interface.
pub fn of(interface: &str) -> io::Result<Offloads> {
    on(interface).map(|on| Offloads::of(&on))
}

/// Turns a feature on or off, by the kernel's name for it, and makes sure.
///
/// # Errors
/// As [`of`]; `EPERM`; [`io::ErrorKind::Unsupported`] if the interface stays as it was.
pub fn set(interface: &str, feature: &str, is_on: bool) -> io::Result<()> {
    netlink::ask(Features::wanted(interface, feature, is_on))?;
    if on(interface)?.iter().any(|name| name == feature) != is_on {
        return Err(io::Error::new(io::ErrorKind::Unsupported, format!("{feature} of {interface} is fixed")));
    }
    Ok(())
}

/// Names of the features that are on.
fn on(interface: &str) -> io::Result<Vec<String>> {
    let answers = netlink::ask(Features::of_one(interface))?;
    Ok(answers.first().ok_or(io::ErrorKind::NotFound)?.on())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_is_told_of_or_the_kernel_says_why_it_does_not_tell() {
        match all() {
            Ok(found) => {
                assert!(found.get("lo").is_none_or(|lo| lo.scatter_gather), "{found:?}");
                let names = std::fs::read_dir("/sys/class/net").expect("interfaces");
                let names = names.map(|entry| entry.expect("an interface").file_name());
                for name in names.filter(|name| name != "bonding_masters") {
                    assert!(found.contains_key(name.to_str().expect("a name")), "{name:?} {found:?}");
                }
            }
            Err(error) => eprintln!("this kernel does not tell of offloads: {error}"),
        }
    }

    #[test]
    fn one_is_told_of_as_among_all_and_one_that_is_not_there_is_an_error() {
        match (all(), of("lo")) {
            (Ok(all), Ok(lo)) => assert_eq!(all.get("lo"), Some(&lo)),
            (all, lo) => eprintln!("this kernel does not tell of offloads: {all:?} {lo:?}"),
        }
        assert!(of("no-such-interface").is_err());
        assert!(set("no-such-interface", SCATTER_GATHER, true).is_err());
    }
}
