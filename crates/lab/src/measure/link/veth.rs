//! A pair of virtual Ethernet interfaces, each end in a network namespace of its own: as near to two machines as one
//! comes. Needs root.
//!
//! The namespaces have no name, they belong to the two workers; a namespace goes when its last process ends, and takes
//! its interface with it. So nothing has to be removed, and nothing can be left behind.

use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use nix::sched::{CloneFlags, unshare};
use pagewire_offload::SCATTER_GATHER;

/// The ends' names, each in its own namespace.
pub(crate) const SENDER: &str = "pagewire0";
const RECEIVER: &str = "pagewire1";
/// Their addresses, of a range kept for documentation: nobody else sees them.
const SENDER_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const RECEIVER_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

/// Moves this process into a network namespace of its own.
pub(crate) fn isolate() -> anyhow::Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).context("a network namespace of its own needs root")
}

/// Makes the pair, from the sender's side.
pub(crate) fn wire(peer: u32, scatter_gather: bool) -> anyhow::Result<()> {
    let peer = peer.to_string();
    ip(&["link", "add", SENDER, "type", "veth", "peer", "name", RECEIVER, "netns", &peer])?;
    set_up(SENDER, SENDER_ADDRESS.into(), scatter_gather)
}

/// Sets the receiver's end up.
pub(crate) fn address(scatter_gather: bool) -> anyhow::Result<()> {
    set_up(RECEIVER, RECEIVER_ADDRESS, scatter_gather)
}

fn set_up(interface: &str, address: IpAddr, scatter_gather: bool) -> anyhow::Result<()> {
    ip(&["link", "set", "lo", "up"])?;
    ip(&["address", "add", &format!("{address}/30"), "dev", interface])?;
    if !scatter_gather {
        pagewire_offload::set(interface, SCATTER_GATHER, false)
            .with_context(|| format!("{SCATTER_GATHER} of {interface}"))?;
    }
    ip(&["link", "set", interface, "up"])
}

/// Runs `ip`.
pub(crate) fn ip(args: &[&str]) -> anyhow::Result<()> {
    let run = Command::new("ip").args(args).stdin(Stdio::null()).output();
    let output = run.context("the program `ip` (iproute2) is needed and cannot be started")?;
    if !output.status.success() {
        bail!("ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
