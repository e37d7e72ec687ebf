//! One question to a generic netlink family, and its answers.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use netlink_packet_core::{
    Emitable, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload, ParseableParametrized,
};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};
use netlink_sys::protocols::NETLINK_GENERIC;
use netlink_sys::{Socket, SocketAddr};
use rustix::net::sockopt::{Timeout, set_socket_timeout};

/// Longest wait for the kernel, which answers at once or not at all.
const LIMIT: Duration = Duration::from_secs(1);
/// Room for a datagram. The kernel makes its datagrams as long as the longest room it has seen, up to this, and gives
/// up on an answer that does not fit.
const DATAGRAM_BYTES: usize = 32 << 10;
/// Messages that are taken; an interface is one.
const MESSAGES_MAX: usize = 8_192;

/// What can be sent to a family and read from it.
pub(crate) trait Message:
    GenlFamily + Emitable + ParseableParametrized<[u8], GenlHeader> + Clone + Debug
{
}

impl<F> Message for F where F: GenlFamily + Emitable + ParseableParametrized<[u8], GenlHeader> + Clone + Debug {}

/// Sends `question` to its family and answers everything that the kernel says to it.
///
/// # Errors
/// Without netlink or the family (an old kernel, some sandboxes), or if the kernel gives no answer.
pub(crate) fn dump<F: Message>(question: F) -> io::Result<Vec<F>> {
    send(question, NLM_F_DUMP)
}

/// The same for a question that has one answer, or a wish that has none.
///
/// # Errors
/// As [`dump`], and what the kernel has against it.
pub(crate) fn ask<F: Message>(question: F) -> io::Result<Vec<F>> {
    send(question, NLM_F_ACK)
}

fn send<F: Message>(question: F, flags: u16) -> io::Result<Vec<F>> {
    let mut socket = Socket::new(NETLINK_GENERIC)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(LIMIT))?;

    let name = GenlCtrlAttrs::FamilyName(F::family_name().to_owned());
    let ask = GenlCtrl { cmd: GenlCtrlCmd::GetFamily, nlas: vec![name] };
    let families = exchange(&socket, GenlMessage::from_payload(ask), NLM_F_REQUEST)?;
    let id = families.iter().flat_map(|family| &family.nlas).find_map(|attribute| match attribute {
        GenlCtrlAttrs::FamilyId(id) => Some(*id),
        _ => None,
    });
    let mut message = GenlMessage::from_payload(question);
    message.set_resolved_family_id(id.ok_or(io::ErrorKind::NotFound)?);
    exchange(&socket, message, NLM_F_REQUEST | flags)
}

/// Sends a message and collects the answers: one, or all of a dump.
fn exchange<F: Message>(socket: &Socket, mut message: GenlMessage<F>, flags: u16) -> io::Result<Vec<F>> {
    message.finalize();
    let mut message = NetlinkMessage::from(message);
    message.header.flags = flags;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;

    let mut answers = Vec::new();
    let mut datagram = Vec::with_capacity(DATAGRAM_BYTES);
    while answers.len() < MESSAGES_MAX {
        datagram.clear();
        socket.recv(&mut datagram, 0)?;
        if take(&datagram, &mut answers)? || flags & NLM_F_DUMP != NLM_F_DUMP {
            return Ok(answers);
        }
    }
    Err(io::Error::other("the kernel does not come to an end"))
}

/// Takes the messages of a datagram; whether they end the answer.
fn take<F: Message>(mut datagram: &[u8], answers: &mut Vec<F>) -> io::Result<bool> {
    while !datagram.is_empty() {
        let message = NetlinkMessage::<GenlMessage<F>>::deserialize(datagram).map_err(io::Error::other)?;
        match message.payload {
            NetlinkPayload::Done(done) if done.code == 0 => return Ok(true),
            NetlinkPayload::Done(done) => {
                return Err(io::Error::from_raw_os_error(done.code.saturating_neg()));
            }
            NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
            NetlinkPayload::InnerMessage(inner) => answers.push(inner.payload),
            _ => {}
        }
        // Messages begin at multiples of four bytes.
        let len = (message.header.length as usize).next_multiple_of(4).max(4);
        datagram = datagram.get(len..).unwrap_or_default();
    }
    Ok(false)
}
