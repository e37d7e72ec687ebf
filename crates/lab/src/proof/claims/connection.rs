//! A connection within this process, whose other end discards whatever comes.

use std::io::Read;
use std::net::{TcpListener, TcpStream};

const READ_BYTES: usize = 256 << 10;

/// The end to send from; a thread reads from the other one until this is closed.
pub(super) fn discarded() -> std::io::Result<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut reader, _) = listener.accept()?;
    std::thread::spawn(move || {
        let mut bytes = vec![0; READ_BYTES];
        while reader.read(&mut bytes).is_ok_and(|got| got > 0) {}
    });
    sender.set_nonblocking(true)?;
    Ok(sender)
}
