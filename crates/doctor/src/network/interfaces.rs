//! Interfaces: what `sendfile` queues stays references to pages only if the card gathers and computes checksums; if
//! not, the kernel copies every byte after all, however it was sent.

use std::fs;
use std::io;
use std::path::Path;

use pagewire_offload::Offloads;

use crate::finding::Finding;
use crate::{Plan, read};

/// Interfaces that are looked at; a machine of many containers has thousands.
const INTERFACES_MAX: usize = 32;
/// `ARPHRD_LOOPBACK`, as `/sys/class/net/<name>/type` says it.
const LOOPBACK: u64 = 772;
const DIR: &str = "/sys/class/net";

#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    name: String,
    is_up: bool,
    is_loopback: bool,
    mtu: Option<u64>,
    /// Mbit/s; what is virtual has none.
    speed: Option<u64>,
    /// `None`: the kernel does not tell.
    offloads: Option<Offloads>,
}

pub(crate) fn look(_: &Plan) -> Vec<Finding> {
    let offloads = pagewire_offload::all();
    let names = match names() {
        Ok(names) => names,
        Err(error) => return vec![Finding::unseen("interfaces", &error)],
    };
    let facts: Vec<Facts> = names
        .iter()
        .take(INTERFACES_MAX)
        .map(|name| facts(name, offloads.as_ref().ok().and_then(|all| all.get(name)).copied()))
        .collect();
    let mut findings: Vec<Finding> = facts.iter().filter(|facts| facts.is_up).map(judge).collect();
    findings.extend(others(&facts, names.len()));
    findings.extend(offloads.err().map(|error| Finding::unseen("offloads", &error)));
    findings
}

fn names() -> io::Result<Vec<String>> {
    // Drivers keep files of their own beside the interfaces.
    let entries = fs::read_dir(DIR)?.flatten().filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn facts(name: &str, offloads: Option<Offloads>) -> Facts {
    let dir = Path::new(DIR).join(name);
    let number = |file: &str| read::number(dir.join(file)).ok();
    // Bit 0 of the flags is IFF_UP; the loopback's operstate is always "unknown".
    let flags = read::text(dir.join("flags")).unwrap_or_default();
    let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or(0);
    let is_down = read::text(dir.join("operstate")).is_ok_and(|state| state == "down");
    Facts {
        name: name.to_owned(),
        is_up: flags & 1 != 0 && !is_down,
        is_loopback: number("type") == Some(LOOPBACK),
        mtu: number("mtu"),
        speed: number("speed"),
        offloads,
    }
}

fn judge(facts: &Facts) -> Finding {
    let check = format!("interface {}", facts.name);
    let mut found = facts.mtu.map_or_else(|| "MTU unknown".to_owned(), |mtu| format!("MTU {mtu}"));
    if let Some(speed) = facts.speed {
        found = format!("{found}, {speed} Mbit/s");
    }
    let Some(offloads) = facts.offloads else {
        return Finding::ok(check, format!("{found}; the kernel does not tell its offloads"));
    };
    let on = |is_on| if is_on { "on" } else { "off" };
    found = format!(
        "{found}, scatter-gather {}, checksum {}, TCP segmentation {}, generic segmentation {}",
        on(offloads.scatter_gather),
        on(offloads.checksum),
        on(offloads.tcp_segmentation),
        on(offloads.generic_segmentation),
    );
    let name = &facts.name;
    if !offloads.scatter_gather || !offloads.checksum {
        let advice = format!(
            "without both, the kernel copies what sendfile and MSG_ZEROCOPY only refer to: ethtool -K {name} tx on \
             sg on, if the driver can"
        );
        return Finding::better(check, found, advice);
    }
    if !offloads.tcp_segmentation && !offloads.generic_segmentation {
        let advice =
            format!("each packet of the MTU's size is handled alone: ethtool -K {name} tso on gso on");
        return Finding::better(check, found, advice);
    }
    if facts.is_loopback {
        found += "; what is received over it is copied once, whatever the sender does";
    }
    Finding::ok(check, found)
}

/// Those that are down or beyond the limit, in one line.
fn others(facts: &[Facts], total: usize) -> Option<Finding> {
    let down: Vec<&str> =
        facts.iter().filter(|facts| !facts.is_up).map(|facts| facts.name.as_str()).collect();
    let mut found = if down.is_empty() { String::new() } else { format!("down: {}", down.join(", ")) };
    if total > facts.len() {
        let more = format!("{} more not looked at", total - facts.len());
        found = if found.is_empty() { more } else { format!("{found}; {more}") };
    }
    (!found.is_empty()).then(|| Finding::ok("other interfaces", found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    fn up(offloads: Option<Offloads>) -> Facts {
        let name = "eth7".to_owned();
        Facts { name, is_up: true, is_loopback: false, mtu: Some(1500), speed: None, offloads }
    }

    const ALL: Offloads =
        Offloads { scatter_gather: true, checksum: true, tcp_segmentation: true, generic_segmentation: true };

    #[test]
    fn a_card_that_does_not_gather_could_be_better_and_says_which_command_helps() {
        assert_eq!(judge(&up(Some(ALL))).state, State::Ok);
        let finding = judge(&up(Some(Offloads { scatter_gather: false, ..ALL })));
        assert!(finding.state == State::CouldBeBetter && finding.advice.contains("ethtool -K eth7"));
        let finding = judge(&up(Some(Offloads { checksum: false, ..ALL })));
        assert_eq!(finding.state, State::CouldBeBetter);
    }

    #[test]
    fn one_kind_of_segmentation_is_enough() {
        let generic = Offloads { tcp_segmentation: false, ..ALL };
        assert_eq!(judge(&up(Some(generic))).state, State::Ok);
        let none = Offloads { generic_segmentation: false, ..generic };
        assert_eq!(judge(&up(Some(none))).state, State::CouldBeBetter);
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_not_held_against_the_card() {
        let finding = judge(&up(None));
        assert!(finding.state == State::Ok && finding.found.contains("does not tell"));
    }

    #[test]
    fn interfaces_that_are_down_share_a_line() {
        let down = |name: &str| Facts { name: name.to_owned(), is_up: false, ..up(None) };
        let found = others(&[down("a"), down("b"), up(None)], 5).expect("a line").found;
        assert_eq!(found, "down: a, b; 2 more not looked at");
        assert_eq!(others(&[up(None)], 1), None);
    }
}
