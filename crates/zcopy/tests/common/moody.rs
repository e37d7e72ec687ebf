//! A kernel that misbehaves, at the seam that [`Calls`] is.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pagewire_zcopy::{
    Calls, Completion, DirectFile, FileRange, MappedFile, MappedRange, OsCalls, Residency, Splice,
    route::SocketKind,
};
#[cfg(feature = "uring")]
use pagewire_zcopy::{Ring, RingBuffer};

/// A kernel that takes at most so many bytes at a time, and is interrupted, refuses or fails when told to.
#[derive(Default)]
pub struct Moody {
    /// Done once, before the first call of all.
    pub before_send: Option<Box<dyn Fn() + Send + Sync>>,
    /// The most that a send, sendfile or splice takes, by turns; empty: all.
    pub shorts: Vec<usize>,
    /// About every n-th call is interrupted; 0: none.
    pub interrupt_every: u64,
    /// What sendfile answers instead of working.
    pub sendfile_error: Option<i32>,
    /// The most that splice takes out of a pipe; 0: all.
    pub splice_out_max: usize,
    /// What splice answers on its way into a pipe instead of working.
    pub splice_in_error: Option<i32>,
    /// What splice answers on its way out of a pipe instead of working.
    pub splice_out_error: Option<i32>,
    /// What send answers instead of working.
    pub send_error: Option<i32>,
    /// What every write to a file answers instead of working, once so many bytes have been written.
    pub write_error: Option<(i32, u64)>,
    /// Bytes written to files.
    pub written: Arc<AtomicU64>,
    /// What every read of a file answers instead of working.
    pub read_error: Option<i32>,
    /// What every read without waiting answers instead of working.
    pub read_now_error: Option<i32>,
    /// Questions about residency.
    pub looks: Arc<AtomicU64>,
    /// Every n-th question about residency is answered with `Cold`; 0: none.
    pub cold_every: u64,
    /// Reads without waiting find nothing.
    pub reads_are_cold: bool,
    /// Whether corking is refused, as a unix socket does.
    pub no_cork: bool,
    /// What mapping a file answers instead of working.
    pub map_error: Option<i32>,
    /// What a send out of a map answers instead of working.
    pub mapped_error: Option<i32>,
    /// What a send with `MSG_ZEROCOPY` answers instead of working.
    pub zerocopy_error: Option<i32>,
    /// What `SO_ZEROCOPY` answers instead of working.
    pub enable_error: Option<i32>,
    /// What every completion says instead of the truth: whether it was copied.
    pub copied: Option<bool>,
    /// Just before something is sent out of a map, its file is cut to so many bytes.
    pub cut_to: Option<u64>,
    /// Which of the questions where a file ends, counted from 1, is answered with what instead of the truth.
    pub file_end_error: Option<(u64, i32)>,
    /// Questions where a file ends.
    pub file_ends: Arc<AtomicU64>,
    /// What says which device a file is on.
    pub device: Option<fn(BorrowedFd<'_>) -> u64>,
    /// What kind of socket all of them are.
    pub kind: SocketKind,
    /// Questions about the kind of socket.
    pub kinds: Arc<AtomicU64>,
    /// Maps made.
    pub maps: Arc<AtomicU64>,
    /// What opening a file for direct reads answers instead of working.
    pub open_direct_error: Option<i32>,
    /// What a direct read answers instead of working.
    pub read_direct_error: Option<i32>,
    /// The first so many rings are not set up, for this reason.
    pub ring_errors: (u64, i32),
    /// Rings asked for.
    pub rings: Arc<AtomicU64>,
    /// What sending out of a ring's buffer answers instead of working.
    pub send_zc_error: Option<i32>,
    /// The most that a direct read says it got; 0: the truth.
    pub read_direct_max: usize,
    /// Done while the first ring is being made.
    pub on_ring: Option<Box<dyn Fn() + Send + Sync>>,
    /// About every n-th send, whichever call it is made by, finds the socket full though it has room, and every n-th
    /// receive finds nothing though there is something; 0: none. A reactor would wait for ever.
    pub full_every: u64,
    /// Times it said so.
    pub fulls: Arc<AtomicU64>,
    /// Direct reads made.
    pub direct_reads: Arc<AtomicU64>,
    /// Corks put in and taken out.
    pub corks: Arc<(AtomicU64, AtomicU64)>,
    pub count: AtomicU64,
}

impl std::fmt::Debug for Moody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moody").finish_non_exhaustive()
    }
}

impl Moody {
    fn next(&self) -> u64 {
        let turn = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        if turn == 1
            && let Some(first) = &self.before_send
        {
            first();
        }
        turn
    }

    fn interrupted(&self, turn: u64) -> io::Result<()> {
        match self.interrupt_every {
            0 => Ok(()),
            every if scattered(turn).is_multiple_of(every) => Err(io::ErrorKind::Interrupted.into()),
            _ => Ok(()),
        }
    }

    fn full(&self, turn: u64) -> io::Result<()> {
        let every = self.full_every;
        // Apart from interruptions, which are scattered by the turn itself.
        let is_full = every != 0 && scattered(!turn).is_multiple_of(every);
        if !is_full {
            return Ok(());
        }
        self.fulls.fetch_add(1, Ordering::Relaxed);
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn cut(&self, part: &MappedRange) {
        if let Some(len) = self.cut_to {
            part.file_range().file().set_len(len).expect("cutting");
        }
    }

    fn short(&self, turn: u64, offered: usize) -> usize {
        match self.shorts.len() {
            0 => offered,
            n => self.shorts[turn as usize % n].clamp(1, offered),
        }
    }
}

/// The first `len` bytes of `parts`.
fn first_bytes<'p>(parts: &'p [IoSlice<'_>], len: usize) -> Vec<IoSlice<'p>> {
    let mut left = len;
    let part = |part: &'p IoSlice<'_>| {
        let n = part.len().min(left);
        left -= n;
        (n > 0).then(|| IoSlice::new(&part[..n]))
    };
    parts.iter().map_while(part).collect()
}

/// Without any rhythm: one in which interruptions come in pairs interrupts a read and then the send of what was read,
/// and that for ever. (The last steps of SplitMix64.)
fn scattered(turn: u64) -> u64 {
    let mut bits = turn.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

fn fail(error: Option<i32>) -> io::Result<()> {
    error.map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)))
}

impl Calls for Moody {
    fn send(&self, socket: BorrowedFd<'_>, parts: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        let turn = self.next();
        self.interrupted(turn)?;
        self.full(turn)?;
        fail(self.send_error)?;
        let mut left = self.short(turn, parts.iter().map(|part| part.len()).sum());
        let mut cut = Vec::new();
        for part in parts {
            let len = part.len().min(left);
            cut.push(IoSlice::new(&part[..len]));
            left -= len;
        }
        OsCalls.send(socket, &cut, more)
    }

    fn sendfile(
        &self,
        socket: BorrowedFd<'_>,
        file: BorrowedFd<'_>,
        offset: u64,
        count: usize,
    ) -> io::Result<usize> {
        let turn = self.next();
        self.interrupted(turn)?;
        self.full(turn)?;
        fail(self.sendfile_error)?;
        OsCalls.sendfile(socket, file, offset, self.short(turn, count))
    }

    fn receive(&self, socket: BorrowedFd<'_>, into: &mut [u8], now: bool) -> io::Result<usize> {
        let turn = self.next();
        self.interrupted(turn)?;
        self.full(turn)?;
        let len = self.short(turn, into.len());
        OsCalls.receive(socket, &mut into[..len], now)
    }

    fn write(&self, file: BorrowedFd<'_>, from: &[u8], offset: u64) -> io::Result<usize> {
        let turn = self.next();
        self.interrupted(turn)?;
        let mut len = self.short(turn, from.len());
        if let Some((error, after)) = self.write_error {
            let left = after.saturating_sub(self.written.load(Ordering::Relaxed));
            if left == 0 {
                fail(Some(error))?;
            }
            len = len.min(left as usize);
        }
        let n = OsCalls.write(file, &from[..len], offset)?;
        self.written.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }

    fn splice(&self, leg: Splice<'_>, count: usize) -> io::Result<usize> {
        let turn = self.next();
        self.interrupted(turn)?;
        // What a file says is not a socket's word.
        if matches!(leg, Splice::SocketToPipe { .. } | Splice::PipeToSocket { .. }) {
            self.full(turn)?;
        }
        let out = matches!(leg, Splice::PipeToSocket { .. } | Splice::PipeToFile { .. });
        fail(if out { self.splice_out_error } else { self.splice_in_error })?;
        let count = if out && self.splice_out_max > 0 { count.min(self.splice_out_max) } else { count };
        OsCalls.splice(leg, self.short(turn, count))
    }

    fn cork(&self, socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
        if self.no_cork {
            return Err(io::Error::from_raw_os_error(95));
        }
        OsCalls.cork(socket, on)?;
        let (put_in, taken_out) = &*self.corks;
        if on { put_in } else { taken_out }.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn read_now(&self, file: BorrowedFd<'_>, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.interrupted(self.next())?;
        fail(self.read_error)?;
        fail(self.read_now_error)?;
        if self.reads_are_cold {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        OsCalls.read_now(file, into, offset)
    }

    fn read(&self, file: BorrowedFd<'_>, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.interrupted(self.next())?;
        fail(self.read_error)?;
        OsCalls.read(file, into, offset)
    }

    fn open_direct(&self, file: BorrowedFd<'_>) -> io::Result<DirectFile> {
        fail(self.open_direct_error)?;
        OsCalls.open_direct(file)
    }

    fn read_direct(&self, file: &DirectFile, into: &mut [u8], offset: u64) -> io::Result<usize> {
        self.interrupted(self.next())?;
        fail(self.read_direct_error)?;
        self.direct_reads.fetch_add(1, Ordering::Relaxed);
        let n = OsCalls.read_direct(file, into, offset)?;
        Ok(if self.read_direct_max > 0 { n.min(self.read_direct_max) } else { n })
    }

    #[cfg(feature = "uring")]
    fn ring(&self, buffers: usize, bytes: usize, registered: bool) -> io::Result<Ring> {
        let (times, code) = self.ring_errors;
        let ring = self.rings.fetch_add(1, Ordering::Relaxed);
        if ring == 0
            && let Some(meanwhile) = &self.on_ring
        {
            meanwhile();
        }
        fail((ring < times).then_some(code))?;
        OsCalls.ring(buffers, bytes, registered)
    }

    #[cfg(feature = "uring")]
    fn send_zc(
        &self,
        ring: &mut Ring,
        socket: BorrowedFd<'_>,
        buffer: RingBuffer,
        range: std::ops::Range<usize>,
        more: bool,
    ) -> io::Result<usize> {
        let turn = self.next();
        let answer =
            self.interrupted(turn).and_then(|()| self.full(turn)).and_then(|()| fail(self.send_zc_error));
        if let Err(error) = answer {
            ring.put_back(buffer);
            return Err(error);
        }
        let end = range.start + self.short(turn, range.len());
        OsCalls.send_zc(ring, socket, buffer, range.start..end, more)
    }

    fn residency(&self, file: BorrowedFd<'_>, offset: u64, len: u64) -> Residency {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let turn = self.next();
        if self.cold_every != 0 && turn.is_multiple_of(self.cold_every) {
            return Residency::Cold;
        }
        OsCalls.residency(file, offset, len)
    }

    fn file_end(&self, file: BorrowedFd<'_>) -> io::Result<Option<u64>> {
        let turn = self.file_ends.fetch_add(1, Ordering::Relaxed) + 1;
        fail(self.file_end_error.filter(|&(which, _)| which == turn).map(|(_, code)| code))?;
        OsCalls.file_end(file)
    }

    fn device(&self, file: BorrowedFd<'_>) -> Option<u64> {
        self.device.map_or_else(|| OsCalls.device(file), |device| Some(device(file)))
    }

    fn socket_kind(&self, _socket: BorrowedFd<'_>) -> SocketKind {
        self.kinds.fetch_add(1, Ordering::Relaxed);
        self.kind
    }

    fn map(&self, range: &FileRange) -> io::Result<MappedFile> {
        fail(self.map_error)?;
        self.maps.fetch_add(1, Ordering::Relaxed);
        OsCalls.map(range)
    }

    fn send_mapped(
        &self,
        socket: BorrowedFd<'_>,
        memory: &[IoSlice<'_>],
        part: &MappedRange,
        more: bool,
    ) -> io::Result<usize> {
        let turn = self.next();
        self.interrupted(turn)?;
        self.full(turn)?;
        fail(self.mapped_error)?;
        self.cut(part);
        // Short of the memory in front as well, and then of that alone.
        let in_front: usize = memory.iter().map(|slice| slice.len()).sum();
        match self.short(turn, in_front + part.len()) {
            short if short < in_front => OsCalls.send(socket, &first_bytes(memory, short), more),
            short => OsCalls.send_mapped(socket, memory, &part.part(0, short - in_front), more),
        }
    }

    fn send_zerocopy(&self, socket: BorrowedFd<'_>, part: &MappedRange, more: bool) -> io::Result<usize> {
        let turn = self.next();
        self.interrupted(turn)?;
        self.full(turn)?;
        fail(self.zerocopy_error)?;
        self.cut(part);
        OsCalls.send_zerocopy(socket, &part.part(0, self.short(turn, part.len())), more)
    }

    fn enable_zerocopy(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        fail(self.enable_error)?;
        OsCalls.enable_zerocopy(socket)
    }

    fn completion(&self, socket: BorrowedFd<'_>) -> io::Result<Option<Completion>> {
        let told = OsCalls.completion(socket)?;
        Ok(told.map(|told| Completion { copied: self.copied.unwrap_or(told.copied), ..told }))
    }
}
