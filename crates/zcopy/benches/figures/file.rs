//! The file that is sent, the sockets it is sent over, and the clocks that say what it took.

use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use pagewire_zcopy::{FileRange, IoPool, Residency, residency};
use rustix::fs::{Advice, fadvise};
use rustix::time::{ClockId, clock_gettime};
use socket2::{Domain, Socket, Type};

/// An unlinked file of `len` bytes, all of them written and on the disk.
pub(crate) fn file(len: u64) -> Arc<File> {
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary file");
    let part: Vec<u8> = (0..1 << 20).map(|at: u32| (at % 253) as u8).collect();
    for _ in 0..len.div_ceil(part.len() as u64) {
        file.write_all(&part).expect("writing");
    }
    file.sync_all().expect("a sync");
    Arc::new(file)
}

/// Takes a range out of the page cache, or puts it in. `false`: this system does not let go of it.
pub(crate) fn set_cold(range: &FileRange, cold: bool) -> bool {
    if cold {
        let _ = fadvise(range.file(), range.offset(), std::num::NonZero::new(range.len()), Advice::DontNeed);
        residency(range.file(), range.offset(), range.len()) != Residency::Resident
    } else {
        pagewire_zcopy::read_ahead_blocking(range, u64::MAX).is_ok()
    }
}

/// A connected pair whose congestion control does not pace: timers would cost more than what is measured. It has to be there
/// before they connect: BBR's timers stay.
pub(crate) fn pair() -> (TcpStream, TcpStream) {
    let socket = || {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let _ = socket.set_tcp_congestion(b"cubic").or_else(|_| socket.set_tcp_congestion(b"reno"));
        socket
    };
    let (listener, sender) = (socket(), socket());
    listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
    listener.listen(1).expect("listening");
    sender.connect(&listener.local_addr().expect("its address")).expect("connecting");
    let (receiver, _) = listener.accept().expect("accepting");
    for socket in [&sender, &receiver] {
        socket.set_tcp_nodelay(true).expect("no delay");
    }
    (sender.into(), receiver.into())
}

/// Reads and discards until the end, in a thread of its own.
pub(crate) fn drain(receiver: TcpStream) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut buffer = vec![std::mem::MaybeUninit::uninit(); 1 << 20];
        let socket = socket2::Socket::from(receiver);
        let _ = socket.set_recv_buffer_size(4 << 20);
        let mut all = 0;
        loop {
            match socket.recv_with_flags(&mut buffer, rustix::net::RecvFlags::TRUNC.bits() as i32) {
                Ok(0) | Err(_) => return all,
                Ok(n) => all += n as u64,
            }
        }
    })
}

/// An event loop on the calling thread.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A socket for tokio; inside a runtime.
pub(crate) fn for_tokio(socket: TcpStream) -> tokio::net::TcpStream {
    socket.set_nonblocking(true).expect("non-blocking");
    tokio::net::TcpStream::from_std(socket).expect("inside a runtime")
}

/// Waits until the one thread of `io` has done all it was asked to: what it still reads ahead is nobody else's.
pub(crate) fn settled(io: &IoPool) {
    let (tell, told) = std::sync::mpsc::channel();
    loop {
        let tell = tell.clone();
        if io.submit(move || tell.send(()).expect("somebody waits")).is_ok() {
            break told.recv().expect("it has come to that");
        }
        std::thread::yield_now();
    }
}

/// CPU seconds of the calling thread.
pub(crate) fn thread_cpu() -> f64 {
    seconds(ClockId::ThreadCPUTime)
}

/// CPU seconds of all threads of this process.
pub(crate) fn process_cpu() -> f64 {
    seconds(ClockId::ProcessCPUTime)
}

fn seconds(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
