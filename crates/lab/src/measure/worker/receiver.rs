//! The receiving process: discards or reads, and says when it has everything.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};
use pagewire_zcopy::{DirectBuffer, set_receive_low_water};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::RecvFlags;

use super::protocol::{Receive, Received};
use super::{LIMIT, connection};
use crate::measure::gauge::{Usage, monotonic_ns};
use crate::record::Receiver;

/// Bytes taken by one call at most.
const CALL_BYTES: usize = 1 << 20;
/// The receiver is woken for no less: each wake-up costs as much as copying 64 KiB, and the sender pays for it.
const LOW_WATER_BYTES: u32 = 256 << 10;

/// How often, and how long, it is waited for bytes that are on their way.
const ARRIVAL_LOOKS: u32 = 200;
const ARRIVAL_LOOK: Duration = Duration::from_millis(1);

/// The mark while `left` bytes are still to come. A call that has taken some bytes, but fewer than the mark, waits for
/// the whole mark once more: so that it is never waited for in vain, twice the mark must be to come.
pub(crate) fn low_water(left: u64) -> u32 {
    if left >= 2 * u64::from(LOW_WATER_BYTES) { LOW_WATER_BYTES } else { 1 }
}

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

    /// Waits until `len` bytes wait to be read, or no more come: the peer may have to wait for room.
    pub(super) fn wait_for(&mut self, len: u64) -> anyhow::Result<()> {
        let socket = self.parked.as_ref().context("no connection is parked")?;
        for _ in 0..ARRIVAL_LOOKS {
            if rustix::io::ioctl_fionread(socket)? >= len {
                break;
            }
            std::thread::sleep(ARRIVAL_LOOK);
        }
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
        let (mut left, mut mark) = (len, 0);
        while left > 0 {
            let now = low_water(left);
            if now != mark {
                set_receive_low_water(socket, now).context("the receiver's low-water mark")?;
                mark = now;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_never_more_than_half_of_what_is_to_come() {
        for left in [1, 2, 1000, u64::from(LOW_WATER_BYTES), 2 * u64::from(LOW_WATER_BYTES), 1 << 40] {
            let mark = u64::from(low_water(left));
            assert!(mark == 1 || 2 * mark <= left, "{left}");
        }
    }
}
