//! What the tests share: files with known bytes, sockets with tiny buffers, kernels that misbehave, and what a process
//! holds.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "every test file uses its part of this")]

mod availability;
mod moody;
mod process;
mod tasks;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pagewire_zcopy::{
    BufferPool, Calls, FileRange, IoPool, MapAccess, MappedFile, MappedRange, Piece, PoolOptions, Residency,
    Route, SendPlan, Sent, Transfer, TransferOptions, residency,
};
use rustix::fs::{Advice, fadvise};

pub use availability::{is_available, ring_is_available};
pub use moody::Moody;
pub use process::{descriptors, is_alone, maps_of, pipes_open};
pub use tasks::{for_tokio, once, runtime};

/// Bytes of a page, or of part of one.
const PAGE: u64 = 4096;

/// Long enough for a busy machine, short enough to end a test that hangs.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Bytes that differ from their neighbours and from page to page.
pub fn pattern(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

/// An unlinked file with these bytes, on the disk the build runs on.
pub fn file_of(bytes: &[u8]) -> Arc<File> {
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary file");
    file.write_all(bytes).expect("writing it");
    Arc::new(file)
}

/// A connected TCP pair. With `tiny`, both ends have the smallest buffers the kernel gives.
pub fn tcp_pair(tiny: bool) -> (TcpStream, TcpStream) {
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    if tiny {
        listener.set_recv_buffer_size(1).expect("a tiny receive buffer");
    }
    listener.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
    listener.listen(1).expect("listening");
    let listener = TcpListener::from(listener);
    let sender = TcpStream::connect(listener.local_addr().expect("its address")).expect("connecting");
    if tiny {
        socket2::SockRef::from(&sender).set_send_buffer_size(1).expect("a tiny send buffer");
    }
    sender.set_nodelay(true).expect("no delay");
    sender.set_write_timeout(Some(LIMIT)).expect("a time limit");
    let (receiver, _) = listener.accept().expect("accepting");
    receiver.set_read_timeout(Some(LIMIT)).expect("a time limit");
    (sender, receiver)
}

/// As [`tcp_pair`], with a sender for tokio.
pub fn tokio_pair(tiny: bool) -> (tokio::net::TcpStream, TcpStream) {
    let (sender, receiver) = tcp_pair(tiny);
    (for_tokio(sender), receiver)
}

/// Reads `len` bytes in a thread of its own, in small pieces, so that the sender meets a full socket.
pub fn read_in_background(mut from: TcpStream, len: u64) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut piece = [0; 1777];
        while (bytes.len() as u64) < len {
            match from.read(&mut piece).expect("reading") {
                0 => break,
                n => bytes.extend_from_slice(&piece[..n]),
            }
        }
        bytes
    })
}

/// The bytes a plan stands for, read the plain way.
pub fn expected(plan: &SendPlan) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in plan.pieces() {
        match piece {
            Piece::Bytes(part) => bytes.extend_from_slice(part),
            Piece::File(range) => bytes.extend(range.read_to_vec().expect("a whole range")),
            Piece::Mapped(range) => bytes.extend(range.file_range().read_to_vec().expect("a whole range")),
        }
    }
    bytes
}

/// A plan of a header, a range and a trailer.
pub fn framed(range: FileRange) -> SendPlan {
    let mut plan = SendPlan::new();
    plan.push_bytes(Bytes::from_static(b"header of the response"));
    plan.push_file(range);
    plan.push_bytes(Bytes::from_static(b"trailer"));
    plan
}

pub fn transfer(options: TransferOptions) -> Transfer {
    Transfer::new(options, BufferPool::new(PoolOptions::default()), IoPool::new(2, 16))
}

pub fn transfer_over(options: TransferOptions, calls: impl Calls + 'static) -> Transfer {
    let (buffers, io) = (BufferPool::new(PoolOptions::default()), IoPool::new(2, 16));
    Transfer::with_calls(options, buffers, io, Box::new(calls))
}

/// A transfer that sends every file piece by `route`.
pub fn forced(route: Route) -> TransferOptions {
    TransferOptions { route: Some(route), ..TransferOptions::default() }
}

/// All of `file`, mapped to be sent.
pub fn mapped(file: &Arc<File>) -> MappedRange {
    let len = file.metadata().expect("its length").len();
    let map = MappedFile::new(&FileRange::new(Arc::clone(file), 0, len), MapAccess::Read).expect("a map");
    map.part(0, map.len())
}

/// A plan of one range.
pub fn only(range: FileRange) -> SendPlan {
    let mut plan = SendPlan::new();
    plan.push_file(range);
    plan
}

/// Waits for what another thread or the kernel does.
pub fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < LIMIT, "{what}");
        std::thread::yield_now();
    }
}

/// Sends a plan over TCP to a peer that reads, and returns what that got.
pub fn send_blocking(transfer: &Transfer, plan: &mut SendPlan, tiny: bool) -> (Sent, Vec<u8>) {
    let (sender, receiver) = tcp_pair(tiny);
    let reader = read_in_background(receiver, plan.total());
    let sent = transfer.send_blocking(&sender, plan).expect("sending");
    drop(sender);
    (sent, reader.join().expect("the reader"))
}

/// Overwrites a file in place.
pub fn overwrite(file: &File, byte: u8, len: usize) {
    file.write_all_at(&vec![byte; len], 0).expect("overwriting");
}

/// Writes the file out and drops its pages. Whether all of them are gone: a file system in memory keeps them, and one
/// may not tell.
pub fn chill(file: &File, len: u64) -> bool {
    for _ in 0..50 {
        file.sync_all().expect("writing out");
        fadvise(file, 0, NonZeroU64::new(len), Advice::DontNeed).expect("advice");
        let is_gone = |&at: &u64| residency(file, at, PAGE.min(len - at)) == Residency::Cold;
        if (0..len).step_by(PAGE as usize).all(|at| is_gone(&at)) {
            return true;
        }
    }
    eprintln!("the pages stay, or nobody tells: nothing can be seen of what is cold in the target directory");
    false
}
