//! Read into a buffer, write the buffer, and again: what most programs do. The buffer is page-aligned, because what
//! lies elsewhere is copied several times slower on some CPUs (see the claim about alignment).

use std::fs::File;
use std::io::IoSlice;
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use pagewire_zcopy::DirectBuffer;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags};

use super::{Carry, Moved};

/// Sends by a loop of its own.
pub(super) struct ReadWrite {
    file: Arc<File>,
    buffer: DirectBuffer,
}

impl ReadWrite {
    pub(super) fn new(file: Arc<File>, buffer_bytes: usize) -> anyhow::Result<Self> {
        let buffer = DirectBuffer::unpooled(buffer_bytes).context("a buffer")?;
        Ok(Self { file, buffer })
    }
}

impl Carry for ReadWrite {
    fn carry(&mut self, socket: &TcpStream, header: &Bytes, offset: u64, len: u64) -> anyhow::Result<Moved> {
        let (mut at, end, mut calls) = (offset, offset + len, 0);
        let mut header = header.as_ref();
        while at < end {
            let want = usize::try_from((self.buffer.len() as u64).min(end - at))?;
            let into = self.buffer.get_mut(..want).unwrap_or_default();
            calls += 1;
            let got = rustix::io::retry_on_intr(|| rustix::io::pread(&*self.file, &mut *into, at))?;
            anyhow::ensure!(got > 0, "the file ends before the part that is to be sent");
            at += got as u64;
            calls += write(socket, header, into.get(..got).unwrap_or_default(), at < end)?;
            header = &[];
        }
        Ok(Moved { by_way: len, calls, ..Moved::default() })
    }
}

/// Writes all of both; how many calls it took.
fn write(socket: &TcpStream, mut head: &[u8], mut body: &[u8], more: bool) -> anyhow::Result<u64> {
    let flags = SendFlags::NOSIGNAL | if more { SendFlags::MORE } else { SendFlags::empty() };
    let mut calls = 0;
    while !(head.is_empty() && body.is_empty()) {
        calls += 1;
        let parts = [IoSlice::new(head), IoSlice::new(body)];
        match rustix::net::sendmsg(socket, &parts, &mut SendAncillaryBuffer::default(), flags) {
            Ok(sent) => {
                let of_head = sent.min(head.len());
                head = head.get(of_head..).unwrap_or_default();
                body = body.get(sent - of_head..).unwrap_or_default();
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(calls)
}
