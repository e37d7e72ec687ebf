//! Offloads of an interface, read and set by the kernel's ethtool messages (generic netlink, family `ethtool`).
//!
//! ```text
//!   HEADER { DEV_NAME }  WANTED { BITS { BIT { NAME, VALUE? } } }      set: the named bits, on with VALUE
//!   HEADER { .. }        ACTIVE { BITS { BIT { NAME .. } .. } }        told: the bits that are on
//! ```
//!
//! <https://docs.kernel.org/networking/ethtool-netlink.html>

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NLM_F_ACK, NLM_F_REQUEST, NetlinkDeserializable, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable, NlasIterator, Parseable, ParseableParametrized,
};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};

/// Parts of a packet may lie in different pages; without it every packet is copied together.
pub(crate) const SCATTER_GATHER: &str = "tx-scatter-gather";
/// The offloads that decide what zero copy is worth, by the kernel's names, and what people call them.
const TOLD: [(&str, &str); 4] = [
    (SCATTER_GATHER, "scatter-gather"),
    ("tx-checksum-ip-generic", "tx-checksum"),
    ("tx-tcp-segmentation", "tcp-segmentation"),
    ("tx-generic-segmentation", "generic-segmentation"),
];

const FEATURES_GET: u8 = 11;
const FEATURES_SET: u8 = 12;
const A_HEADER: u16 = 1;
const A_WANTED: u16 = 3;
const A_ACTIVE: u16 = 4;
const A_HEADER_DEV_NAME: u16 = 2;
const A_BITSET_BITS: u16 = 3;
const A_BITS_BIT: u16 = 1;
const A_BIT_NAME: u16 = 2;
const A_BIT_VALUE: u16 = 3;
const NESTED: u16 = netlink_packet_core::NLA_F_NESTED;
/// An answer with all features and their names is some KiB.
const ANSWER_BYTES: usize = 64 << 10;

/// What the interface does itself, of what matters here: name -> `on` or `off`.
pub(crate) fn telling(interface: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let active = active(interface).with_context(|| format!("the offloads of {interface}"))?;
    let state = |kernel: &str| if active.iter().any(|name| name == kernel) { "on" } else { "off" };
    Ok(TOLD.into_iter().map(|(kernel, told)| (told.to_owned(), state(kernel).to_owned())).collect())
}

/// Turns an offload on or off, and makes sure of it.
pub(crate) fn set(interface: &str, feature: &str, on: bool) -> anyhow::Result<()> {
    let mut bit = vec![text(A_BIT_NAME, feature)];
    if on {
        bit.push(DefaultNla::new(A_BIT_VALUE, Vec::new()));
    }
    let bits = nested(A_BITSET_BITS, &[nested(A_BITS_BIT, &bit)]);
    let wanted = vec![header(interface), nested(A_WANTED, &[bits])];
    ask(Features { command: FEATURES_SET, attributes: wanted })
        .with_context(|| format!("{feature} of {interface}"))?;
    if active(interface)?.iter().any(|name| name == feature) != on {
        bail!("{feature} of {interface} cannot be changed");
    }
    Ok(())
}

fn active(interface: &str) -> anyhow::Result<Vec<String>> {
    let answer = ask(Features { command: FEATURES_GET, attributes: vec![header(interface)] })?;
    let answer = answer.context("the kernel tells no features")?;
    Ok(answer.active())
}

/// Sends a message to the family; what comes back, if it is more than "done".
fn ask(message: Features) -> anyhow::Result<Option<Features>> {
    let mut socket = Socket::new(NETLINK_GENERIC)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let family = family_id(&socket)?;
    let mut message = GenlMessage::from_payload(message);
    message.set_resolved_family_id(family);
    let flags = NLM_F_REQUEST | if message.payload.command == FEATURES_SET { NLM_F_ACK } else { 0 };
    exchange(&socket, message, flags)
}

fn family_id(socket: &Socket) -> anyhow::Result<u16> {
    let name = GenlCtrlAttrs::FamilyName(Features::family_name().to_owned());
    let ask = GenlCtrl { cmd: GenlCtrlCmd::GetFamily, nlas: vec![name] };
    let told: Option<GenlCtrl> = exchange(socket, GenlMessage::from_payload(ask), NLM_F_REQUEST)?;
    let told = told.context("this kernel has no ethtool messages")?;
    let id = told.nlas.iter().find_map(|attribute| match attribute {
        GenlCtrlAttrs::FamilyId(id) => Some(*id),
        _ => None,
    });
    id.context("this kernel has no ethtool messages")
}

fn exchange<F>(socket: &Socket, message: GenlMessage<F>, flags: u16) -> anyhow::Result<Option<F>>
where
    F: GenlFamily + std::fmt::Debug,
    GenlMessage<F>: NetlinkSerializable + NetlinkDeserializable,
{
    let mut message = message;
    message.finalize();
    let mut message = NetlinkMessage::from(message);
    message.header.flags = flags;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let mut answer = Vec::with_capacity(ANSWER_BYTES);
    socket.recv(&mut answer, 0)?;
    let answer = NetlinkMessage::<GenlMessage<F>>::deserialize(&answer)
        .map_err(|error| anyhow::anyhow!("an answer that makes no sense: {error}"))?;
    match answer.payload {
        NetlinkPayload::InnerMessage(told) => Ok(Some(told.payload)),
        NetlinkPayload::Error(error) if error.code.is_some() => Err(error.to_io().into()),
        _ => Ok(None),
    }
}

/// A message of the family: its attributes as they are.
#[derive(Debug)]
struct Features {
    command: u8,
    attributes: Vec<DefaultNla>,
}

impl Features {
    /// Names of the bits that are on.
    fn active(&self) -> Vec<String> {
        let set = |kind: u16| move |bytes: &[u8]| inner(bytes, kind);
        let all = encoded(&self.attributes);
        let bits = inner(&all, A_ACTIVE).into_iter().flat_map(|set_of| inner(&set_of, A_BITSET_BITS));
        let names = bits.flat_map(|bits| inner(&bits, A_BITS_BIT)).flat_map(|bit| set(A_BIT_NAME)(&bit));
        names.map(|name| String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned()).collect()
    }
}

/// Values of the attributes of that kind.
fn inner(bytes: &[u8], kind: u16) -> Vec<Vec<u8>> {
    let found = NlasIterator::new(bytes).filter_map(Result::ok).filter(|attribute| attribute.kind() == kind);
    found.map(|attribute| attribute.value().to_vec()).collect()
}

fn encoded(attributes: &[DefaultNla]) -> Vec<u8> {
    let mut bytes = vec![0; attributes.buffer_len()];
    attributes.emit(&mut bytes);
    bytes
}

fn nested(kind: u16, attributes: &[DefaultNla]) -> DefaultNla {
    DefaultNla::new(kind | NESTED, encoded(attributes))
}

fn text(kind: u16, text: &str) -> DefaultNla {
    DefaultNla::new(kind, [text.as_bytes(), b"\0"].concat())
}

fn header(interface: &str) -> DefaultNla {
    nested(A_HEADER, &[text(A_HEADER_DEV_NAME, interface)])
}

impl GenlFamily for Features {
    fn family_name() -> &'static str {
        "ethtool"
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        1
    }
}

impl Emitable for Features {
    fn buffer_len(&self) -> usize {
        self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.as_slice().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Features {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        let attributes = NlasIterator::new(bytes).map(|attribute| DefaultNla::parse(&attribute?));
        Ok(Self { command: header.cmd, attributes: attributes.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_that_are_on_are_found_in_what_the_kernel_tells() {
        let bit = |name| nested(A_BITS_BIT, &[text(A_BIT_NAME, name)]);
        let bits = nested(A_BITSET_BITS, &[bit(SCATTER_GATHER), bit("rx-gro")]);
        let told =
            Features { command: FEATURES_GET, attributes: vec![header("lo"), nested(A_ACTIVE, &[bits])] };
        assert_eq!(told.active(), [SCATTER_GATHER, "rx-gro"]);
    }

    #[test]
    fn loopback_gathers_as_far_as_this_kernel_tells() {
        match telling("lo") {
            Ok(told) => assert_eq!(told.get("scatter-gather").map(String::as_str), Some("on"), "{told:?}"),
            Err(error) => eprintln!("offloads cannot be read here: {error:#}"),
        }
        assert!(telling("no-such-interface").is_err());
    }
}
