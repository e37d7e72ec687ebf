//! `sendfile(2)` in a loop and nothing around it: what the library's routes are compared with.

use std::fs::File;
use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use rustix::io::Errno;

use super::{Carry, Moved, head};

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
        let mut calls = head::send(socket, header)?;
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
