//! A mapped file that becomes shorter while it is mapped.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use anyhow::ensure;
use pagewire_zcopy::{FileRange, MapAccess, MappedFile, SendError};

use super::{Bench, Tried, figures};
use crate::measure::worker::filled;

const BYTES: usize = 64 << 10;

/// The process that tries it is this one: if the claim held, nobody would be left to say so.
pub(super) fn kills(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let file = Arc::new(filled(bench.dir, b'M', BYTES as u64)?);
    let map = MappedFile::new(&FileRange::new(Arc::clone(&file), 0, BYTES as u64), MapAccess::Read)?;
    let all = map.part(0, BYTES);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let socket = TcpStream::connect(listener.local_addr()?)?;
    let sent = all.send_once(&socket, false)?;
    file.set_len(0)?;
    let answer = all.send_once(&socket, false);
    let Err(SendError::FileShrunk { missing }) = answer else {
        ensure!(answer.is_err(), "bytes that the file has no more were sent");
        anyhow::bail!("the send failed otherwise: {answer:?}");
    };
    Ok(Tried {
        holds: Some(false),
        evidence: format!(
            "the whole file went out of the map ({sent} bytes); truncated to nothing, the same send was an error \
             ({missing} bytes are missing) and this process goes on. What kills (SIGBUS) is a load by the program, and a \
             MappedFile has none"
        ),
        figures: figures([("sent_bytes", sent as f64), ("missing_bytes", missing as f64)]),
    })
}
