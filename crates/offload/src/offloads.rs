//! The offloads that decide what it costs to send.

/// The kernel's name for gathering: parts of a packet may lie in different pages. Without it every packet is copied
/// together.
pub const SCATTER_GATHER: &str = "tx-scatter-gather";

/// What an interface does for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offloads {
    /// It gathers a packet from several pages ([`SCATTER_GATHER`]).
    pub scatter_gather: bool,
    /// It computes checksums (`tx-checksum-…`).
    pub checksum: bool,
    /// It cuts large packets (`tx-tcp-segmentation`).
    pub tcp_segmentation: bool,
    /// The kernel cuts them just above it (`tx-generic-segmentation`).
    pub generic_segmentation: bool,
}

impl Offloads {
    /// Of the names of everything that is on.
    pub(crate) fn of(on: &[String]) -> Self {
        let is_on = |names: &[&str]| on.iter().any(|name| names.contains(&name.as_str()));
        Self {
            scatter_gather: is_on(&[SCATTER_GATHER]),
            checksum: is_on(&["tx-checksum-ipv4", "tx-checksum-ipv6", "tx-checksum-ip-generic"]),
            tcp_segmentation: is_on(&["tx-tcp-segmentation"]),
            generic_segmentation: is_on(&["tx-generic-segmentation"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_of_checksum_is_enough_and_what_is_not_told_is_off() {
        let on = ["tx-checksum-ipv6", "rx-gro"].map(str::to_owned);
        assert_eq!(Offloads::of(&on), Offloads { checksum: true, ..Offloads::default() });
        assert_eq!(Offloads::of(&[]), Offloads::default());
    }
}
