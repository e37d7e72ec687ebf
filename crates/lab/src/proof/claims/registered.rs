//! What registering buffers with io_uring saves: they are pinned once instead of by each operation.

use std::net::TcpStream;
use std::os::fd::AsFd;

use anyhow::{Context, bail};
use pagewire_zcopy::Ring;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::clock::thread_cpu_ns;
use super::{Bench, Tried, connection, words};
use crate::proof::bench::ROUNDS;
use crate::proof::compared::Compared;

const BUFFERS: usize = 16;
const BUFFER_BYTES: usize = 256 << 10;
/// Bytes of one measurement.
const SENT_BYTES: usize = 32 << 20;
/// The kernel is done with a buffer when the peer has its bytes; so long is waited at a time, and so often.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
const WAITS_MAX: u32 = 5_000;

pub(super) fn buffers(bench: &mut Bench<'_>) -> anyhow::Result<Tried> {
    let ring = |registered, what| Ring::new(BUFFERS, BUFFER_BYTES, registered).context(what);
    let mut registered = ring(true, "a ring with registered buffers")?;
    let mut others = ring(false, "a ring")?;
    let (mut once, mut each) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bench.go_on()?;
        once.push(send(&mut registered)?);
        each.push(send(&mut others)?);
    }
    let compared = Compared::of(&once, &each)?;
    let holds = compared.is_below(1.0);
    let follows = words(holds, "registering pays", "registering costs more than it saves");
    Ok(Tried {
        holds,
        evidence: format!(
            "{}: {follows}",
            compared.told(
                "IORING_OP_SEND_ZC of 256 KiB at a time over loopback: out of registered buffers",
                "out of others",
                "CPU s/GB",
                3
            )
        ),
        figures: compared.figures("registered_cpu_s_per_gb", "unregistered_cpu_s_per_gb"),
    })
}

/// CPU seconds of this thread per GB.
fn send(ring: &mut Ring) -> anyhow::Result<f64> {
    let socket = connection::discarded()?;
    let before = thread_cpu_ns();
    let (mut left, mut waits) = (SENT_BYTES, 0);
    while left > 0 {
        let Some(buffer) = ring.take() else {
            wait(&socket, PollFlags::empty(), &mut waits)?;
            continue;
        };
        match ring.send_zc(socket.as_fd(), buffer, 0..BUFFER_BYTES.min(left), true) {
            Ok(sent) => left -= sent,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                wait(&socket, PollFlags::OUT, &mut waits)?;
            }
            Err(error) => return Err(error).context("IORING_OP_SEND_ZC"),
        }
    }
    Ok(thread_cpu_ns().saturating_sub(before) as f64 / SENT_BYTES as f64)
}

/// Until the socket is ready for `flags`, or a moment has passed.
fn wait(socket: &TcpStream, flags: PollFlags, waits: &mut u32) -> anyhow::Result<()> {
    *waits += 1;
    if *waits > WAITS_MAX {
        bail!("the peer does not take what is sent");
    }
    poll(&mut [PollFd::new(socket, flags)], Some(&WAIT))?;
    Ok(())
}
