//! The page cache, which `sendfile` sends from.

use std::fs::File;
use std::net::TcpStream;
use std::time::Instant;

use pagewire_zcopy::{Residency, residency};

use super::{Bench, Tried, connection, figures, words};
use crate::measure::worker::{chill, filled};
use crate::proof::compared::Compared;

/// Bytes of one call: fits into a socket that is read meanwhile.
const CALL_BYTES: usize = 256 << 10;
const CALLS: usize = 11;
/// Cold calls that take so much longer than hot ones wait for the disk.
const CLEARLY: f64 = 2.0;

/// Microseconds that one call takes, and whether it moved anything.
fn call_us(sender: &TcpStream, file: &File, bytes: usize) -> anyhow::Result<(f64, usize)> {
    let mut at = 0;
    let began = Instant::now();
    let sent = rustix::fs::sendfile(sender, file, Some(&mut at), bytes)?;
    Ok((began.elapsed().as_secs_f64() * 1e6, sent))
}

pub(super) fn cold_call(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let (mut hot, mut cold) = (Vec::new(), Vec::new());
    for _ in 0..CALLS {
        bench.go_on()?;
        // A file for each, since a socket may still hold the pages of the one before; and a connection for each, so
        // that none finds the socket full.
        let file = filled(bench.dir, b'C', CALL_BYTES as u64)?;
        chill(&file, CALL_BYTES as u64)?;
        cold.push(call_us(&connection::discarded()?, &file, CALL_BYTES)?.0);
        hot.push(call_us(&connection::discarded()?, &file, CALL_BYTES)?.0);
    }
    let compared = Compared::of(&cold, &hot)?;
    let told = compared.told(
        "one call for 256 KiB on a non-blocking socket took, with the file on the disk alone,",
        "with the file in the page cache",
        "us",
        0,
    );
    let holds = compared.is_below(CLEARLY);
    let follows = words(
        holds,
        "the cold call was hardly longer, and did not wait for a disk here",
        "what is longer is the wait for the disk, and the thread waits in the call",
    );
    Ok(Tried {
        holds,
        evidence: format!("{told}: {follows}"),
        figures: compared.figures("cold_call_us", "hot_call_us"),
    })
}

pub(super) fn needs_the_cache(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let file = filled(bench.dir, b'C', CALL_BYTES as u64)?;
    chill(&file, CALL_BYTES as u64)?;
    let (_, sent) = call_us(&connection::discarded()?, &file, CALL_BYTES)?;
    let residency = residency(&file, 0, sent as u64);
    let cached = residency == Residency::Resident;
    Ok(Tried {
        holds: (residency != Residency::Unknown).then_some(!cached),
        evidence: format!(
            "of a file that was not in the page cache sendfile sent {sent} bytes; afterwards they {} in it",
            if cached { "are" } else { "are not" }
        ),
        figures: figures([("sent_bytes", sent as f64), ("resident", f64::from(u8::from(cached)))]),
    })
}
