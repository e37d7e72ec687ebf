//! The receiving process: discards or reads, and says when it has everything.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};

use anyhow::{Context, ensure};
use pagewire_zcopy::{DirectBuffer, set_receive_low_water};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::RecvFlags;

use super::{LIMIT, connection};
use super::protocol::{Receive, Received};
use crate::measure::gauge::{Usage, monotonic_ns};
use crate::record::Receiver;

/// Bytes taken by one call at most.
const CALL_BYTES: usize = 1 << 20;
/// The receiver is woken for no less: each wake-up costs as much as copying 64 KiB, and the sender pays for it.
const LOW_WATER_BYTES: u32 = 256 << 10;

/// What the receiver keeps between orders.
pub(super) struct Receiving {
    listener: TcpListener,
    buffer: DirectBuffer,
    parked: Option<TcpStream>,
}

impl Receiving {
    pub(super) fn listen(address: IpAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((address, 0)).context("no free port")?;
        let buffer = DirectBuffer::unpooled(CALL_BYTES).context("a buffer")?;
        Ok(Self { listener, buffer, parked: None })
    }

    pub(super) fn port(&self) -> anyhow::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    pub(super) fn receive(&mut self, order: &Receive) -> anyhow::Result<Received> {
        let mut socket = self.accept()?;
        set_receive_low_water(&socket, LOW_WATER_BYTES).context("the receiver's low-water mark")?;
        self.take(&socket, order.load.warm().total(), order.receiver)?;
        let began = Usage::now()?;
        socket.write_all(b"w")?;
        self.take(&socket, order.load.total(), order.receiver)?;
        let ended_ns = monotonic_ns();
        let usage = Usage::now()?.since(began);
        socket.write_all(b"d")?;
        Ok(Received { usage, ended_ns })
    }

    /// Accepts a connection and leaves what comes where it is.
    pub(super) fn park(&mut self) -> anyhow::Result<()> {
        self.parked = Some(self.accept()?);
        Ok(())
    }

    /// Reads `len` bytes of the parked connection, and counts those that were overwritten in time.
    pub(super) fn count(&mut self, len: u64) -> anyhow::Result<u64> {
        let mut socket = self.parked.take().context("no connection is parked")?;
        let mut bytes = vec![0; usize::try_from(len)?];
        socket.read_exact(&mut bytes).context("reading what was queued")?;
        ensure!(bytes.iter().all(|byte| b"AB".contains(byte)), "bytes arrived that nobody sent");
        Ok(bytes.iter().map(|&byte| u64::from(byte == b'B')).sum())
    }

    fn take(&mut self, socket: &TcpStream, len: u64, receiver: Receiver) -> anyhow::Result<()> {
        let flags = match receiver {
            Receiver::Drain => RecvFlags::TRUNC,
            Receiver::Read => RecvFlags::empty(),
        };
        let mut left = len;
        while left > 0 {
            // The call waits for the low-water mark or for as much as it asks for, whichever is less: asking for no
            // more than is to come, it always ends.
            let want = usize::try_from(left.min(CALL_BYTES as u64))?;
            let into = self.buffer.get_mut(..want).unwrap_or_default();
            let (_, got) = rustix::io::retry_on_intr(|| rustix::net::recv(socket, &mut *into, flags))?;
            ensure!(got > 0, "the sender has gone");
            left -= got as u64;
        }
        Ok(())
    }

    fn accept(&self) -> anyhow::Result<TcpStream> {
        // A sender that failed before it connected is not waited for for ever.
        let limit = Timespec { tv_sec: i64::try_from(LIMIT.as_secs())?, tv_nsec: 0 };
        let ready = poll(&mut [PollFd::new(&self.listener, PollFlags::IN)], Some(&limit))?;
        ensure!(ready > 0, "nobody connects");
        let (socket, _) = self.listener.accept().context("accepting")?;
        connection(&socket)?;
        Ok(socket)
    }
}
