//! The page cache, which `sendfile` sends from.

use std::fs::File;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use pagewire_zcopy::{Residency, residency};

use super::{Bench, Tried, figures};
use crate::measure::worker::{chill, filled};
use crate::spread::Spread;

/// Bytes of one call: fits into a socket that is read meanwhile.
const CALL_BYTES: usize = 256 << 10;
const CALLS: usize = 11;
/// Cold calls that take so much longer than hot ones wait for the disk.
const CLEARLY: f64 = 2.0;

/// A non-blocking sender, and a thread that reads whatever comes.
fn connection() -> anyhow::Result<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let sender = TcpStream::connect(listener.local_addr()?)?;
    let (mut reader, _) = listener.accept()?;
    std::thread::spawn(move || {
        let mut bytes = vec![0; CALL_BYTES];
        while reader.read(&mut bytes).is_ok_and(|got| got > 0) {}
    });
    sender.set_nonblocking(true)?;
    Ok(sender)
}

/// Microseconds that one call takes, and whether it moved anything.
fn call_us(sender: &TcpStream, file: &File, bytes: usize) -> anyhow::Result<(f64, usize)> {
    let mut at = 0;
    let began = Instant::now();
    let sent = rustix::fs::sendfile(sender, file, Some(&mut at), bytes)?;
    Ok((began.elapsed().as_secs_f64() * 1e6, sent))
}

pub(super) fn cold_call(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let file = filled(bench.dir, b'C', CALL_BYTES as u64)?;
    let (mut hot, mut cold) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        // A connection for each, so that none finds the socket full.
        chill(&file, CALL_BYTES as u64)?;
        cold.push(call_us(&connection()?, &file, CALL_BYTES)?.0);
        hot.push(call_us(&connection()?, &file, CALL_BYTES)?.0);
    }
    let middle =
        |samples: &[f64]| Spread::of(samples).map_or((0.0, 0.0), |spread| (spread.median, spread.max));
    let ((hot, _), (cold, worst)) = (middle(&hot), middle(&cold));
    Ok(Tried {
        holds: cold < hot * CLEARLY,
        evidence: format!(
            "one call for 256 KiB on a non-blocking socket: {hot:.0} us with the file in the page cache, {cold:.0} us \
             without ({worst:.0} us at worst); it waits for the disk, and the thread with it"
        ),
        figures: figures([("hot_call_us", hot), ("cold_call_us", cold), ("cold_call_max_us", worst)]),
    })
}

pub(super) fn needs_the_cache(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let file = filled(bench.dir, b'C', CALL_BYTES as u64)?;
    chill(&file, CALL_BYTES as u64)?;
    let (_, sent) = call_us(&connection()?, &file, CALL_BYTES)?;
    let cached = residency(&file, 0, sent as u64) == Residency::Resident;
    Ok(Tried {
        holds: !cached,
        evidence: format!(
            "of a file that was not in the page cache sendfile sent {sent} bytes; afterwards they {} in it",
            if cached { "are" } else { "are not" }
        ),
        figures: figures([("sent_bytes", sent as f64), ("resident", f64::from(u8::from(cached)))]),
    })
}
