//! The library's one call for one range, by the transfer that all of a program share: what somebody gets who looks for
//! `transferTo` and makes no plan.

use std::fs::File;
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::ensure;
use bytes::Bytes;
use pagewire_zcopy::transfer_to_blocking;

use super::{Carry, Moved, head};

/// Sends by [`transfer_to_blocking`].
pub(super) struct TransferTo {
    file: Arc<File>,
}

impl TransferTo {
    pub(super) fn new(file: Arc<File>) -> Self {
        Self { file }
    }
}

impl Carry for TransferTo {
    fn carry(&mut self, socket: &TcpStream, header: &Bytes, offset: u64, len: u64) -> anyhow::Result<Moved> {
        let calls = head::send(socket, header)?;
        let mut at = offset;
        let moved = transfer_to_blocking(&self.file, &mut at, len, socket)?;
        ensure!(moved.bytes == len, "the file ends before the part that is to be sent");
        // It says by which route the last bytes went, not by which all did: that is no count by route.
        Ok(Moved { by_way: len, calls: calls + moved.calls, ..Moved::default() })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_call_sends_the_header_and_the_range_and_nothing_beside() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..40_000_u32).map(|number| (number % 251) as u8).collect();
        file.write_all(&bytes).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        let mut way = TransferTo::new(Arc::new(file));
        let moved = way.carry(&socket, &Bytes::from_static(b"head"), 100, 30_000).unwrap();
        assert!(moved.by_way == 30_000 && moved.calls >= 2, "{moved:?}");
        drop(socket);
        let mut got = Vec::new();
        peer.read_to_end(&mut got).unwrap();
        assert_eq!(got, [b"head", &bytes[100..30_100]].concat());
    }
}
