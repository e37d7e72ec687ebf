//! The offloads of interfaces, as the kernel's ethtool family tells them (Linux 5.6 and later).
//!
//! ```text
//!   FEATURES_GET reply   1 header ─▶ 2 name
//!                        4 active ─▶ 3 bits ─▶ 1 bit ─▶ 2 name      only what is on is listed
//! ```
//!
//! <https://docs.kernel.org/networking/ethtool-netlink.html#features-get>

use std::collections::BTreeMap;
use std::io;

use netlink_packet_core::{DecodeError, Emitable, NLA_F_NESTED, NlasIterator, ParseableParametrized};
use netlink_packet_generic::{GenlFamily, GenlHeader};

use super::netlink;

/// `ETHTOOL_MSG_FEATURES_GET`, and the version of the family.
const FEATURES_GET: u8 = 11;
const VERSION: u8 = 1;
/// `ETHTOOL_A_FEATURES_HEADER`, `ETHTOOL_A_HEADER_DEV_NAME`.
const HEADER: u16 = 1;
const HEADER_NAME: u16 = 2;
/// `ETHTOOL_A_FEATURES_ACTIVE`, `ETHTOOL_A_BITSET_BITS`, `ETHTOOL_A_BITSET_BITS_BIT`, `ETHTOOL_A_BITSET_BIT_NAME`.
const ACTIVE: u16 = 4;
const BITS: u16 = 3;
const BIT: u16 = 1;
const BIT_NAME: u16 = 2;
/// Bytes before an attribute's value: its length and its kind.
const ATTRIBUTE_HEADER: usize = 4;

/// What an interface does for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Offloads {
    /// It gathers a packet from several pages (`tx-scatter-gather`).
    pub(super) scatter_gather: bool,
    /// It computes checksums (`tx-checksum-…`).
    pub(super) checksum: bool,
    /// It cuts large packets (`tx-tcp-segmentation`).
    pub(super) tcp_segmentation: bool,
    /// The kernel cuts them just above it (`tx-generic-segmentation`).
    pub(super) generic_segmentation: bool,
}

/// The offloads of every interface, by name.
///
/// # Errors
/// Without netlink or its ethtool family, or if the kernel gives no answer.
pub(super) fn offloads() -> io::Result<BTreeMap<String, Offloads>> {
    let answers = netlink::dump(Features::default())?;
    Ok(answers.into_iter().map(|answer| (answer.interface, answer.offloads)).collect())
}

/// The question about all interfaces (empty), or the answer about one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Features {
    interface: String,
    offloads: Offloads,
}

impl GenlFamily for Features {
    fn family_name() -> &'static str {
        "ethtool"
    }

    fn command(&self) -> u8 {
        FEATURES_GET
    }

    fn version(&self) -> u8 {
        VERSION
    }
}

impl Emitable for Features {
    fn buffer_len(&self) -> usize {
        ATTRIBUTE_HEADER
    }

    /// A header that names no interface: a length and a type, both in the byte order of the machine.
    fn emit(&self, buffer: &mut [u8]) {
        let header = [4, HEADER | NLA_F_NESTED].map(u16::to_ne_bytes);
        buffer.copy_from_slice(header.as_flattened());
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Features {
    fn parse_with_param(attributes: &[u8], _: GenlHeader) -> Result<Self, DecodeError> {
        let mut features = Self::default();
        let interface = nested(attributes, HEADER)?.map(|header| nested(header, HEADER_NAME));
        if let Some(name) = interface.transpose()?.flatten() {
            features.interface = text(name);
        }
        let bits = nested(attributes, ACTIVE)?.map(|set| nested(set, BITS)).transpose()?.flatten();
        for bit in NlasIterator::new(bits.unwrap_or_default()) {
            let bit = bit?;
            if bit.kind() == BIT
                && let Some(name) = nested(bit.value(), BIT_NAME)?
            {
                features.offloads.note(&text(name));
            }
        }
        Ok(features)
    }
}

/// What the first attribute of a kind holds.
fn nested(attributes: &[u8], kind: u16) -> Result<Option<&[u8]>, DecodeError> {
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute?;
        if attribute.kind() == kind {
            let len = usize::from(attribute.length());
            return Ok(attribute.into_inner().get(ATTRIBUTE_HEADER..len));
        }
    }
    Ok(None)
}

/// Text ends with a zero.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

impl Offloads {
    /// Notes a feature that is on, by the kernel's name for it.
    fn note(&mut self, feature: &str) {
        match feature {
            "tx-scatter-gather" => self.scatter_gather = true,
            "tx-checksum-ipv4" | "tx-checksum-ipv6" | "tx-checksum-ip-generic" => self.checksum = true,
            "tx-tcp-segmentation" => self.tcp_segmentation = true,
            "tx-generic-segmentation" => self.generic_segmentation = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = (value.len() as u16 + 4).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn bit(name: &str) -> Vec<u8> {
        // An index comes first; that of scatter-gather is 0.
        let parts = [attribute(1, &[0; 4]), attribute(BIT_NAME, format!("{name}\0").as_bytes())];
        attribute(BIT | NLA_F_NESTED, &parts.concat())
    }

    fn parsed(attributes: &[u8]) -> Result<Features, DecodeError> {
        Features::parse_with_param(attributes, GenlHeader { cmd: FEATURES_GET, version: VERSION })
    }

    #[test]
    fn an_answer_names_the_interface_and_what_is_on() {
        let bits = [bit("tx-scatter-gather"), bit("tx-checksum-ipv6"), bit("rx-gro")].concat();
        let bits = attribute(BITS | NLA_F_NESTED, &bits);
        let header = attribute(HEADER_NAME, b"eth7\0");
        let answer =
            [attribute(HEADER | NLA_F_NESTED, &header), attribute(ACTIVE | NLA_F_NESTED, &bits)].concat();
        let offloads = Offloads { scatter_gather: true, checksum: true, ..Offloads::default() };
        let expected = Features { interface: "eth7".to_owned(), offloads };
        assert_eq!(parsed(&answer).expect("parsed"), expected);
        for len in 0..answer.len() {
            // Cut anywhere, it is an answer or an error.
            let _ = parsed(&answer[..len]);
        }
        assert_eq!(parsed(&[]).expect("parsed"), Features::default());
    }

    #[test]
    fn every_interface_is_told_of_or_the_kernel_says_why_it_does_not_tell() {
        match offloads() {
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
}
