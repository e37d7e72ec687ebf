//! `sendfile(2)` in a loop and nothing around it: what the library's routes are compared with.

use std::fs::File;
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::Errno;
use rustix::net::SendFlags;

use super::{Carry, Moved};

/// Bytes of one call at most.
const CALL_BYTES: u64 = 1 << 20;

/// Sends by a loop of its own.
pub(super) struct SendfileBare {
    file: Arc<File>,
}

impl SendfileBare {
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { file }
    }
}

impl Carry for SendfileBare {
    fn carry(&mut self, socket: &TcpStream, header: &Bytes, offset: u64, len: u64) -> anyhow::Result<Moved> {
        let mut calls = 0;
        let mut rest = header.as_ref();
        while !rest.is_empty() {
            calls += 1;
            match rustix::net::send(socket, rest, SendFlags::MORE | SendFlags::NOSIGNAL) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        let mut at = offset;
        let end = offset + len;
        while at < end {
            calls += 1;
            let count = usize::try_from(CALL_BYTES.min(end - at))?;
            match rustix::fs::sendfile(socket, &*self.file, Some(&mut at), count) {
                Ok(0) => anyhow::bail!("the file ends before the part that is to be sent"),
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(Moved { by_way: len, calls, ..Moved::default() })
    }
}
