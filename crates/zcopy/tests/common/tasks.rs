//! Futures by hand.

use std::future::Future;
use std::net::TcpStream;
use std::pin::Pin;
use std::task::Poll;

/// An event loop on the calling thread.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A socket for tokio; inside a runtime.
pub fn for_tokio(socket: TcpStream) -> tokio::net::TcpStream {
    socket.set_nonblocking(true).expect("non-blocking");
    tokio::net::TcpStream::from_std(socket).expect("inside a runtime")
}

/// Polls a future once.
pub async fn once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
