//! A static file server on tokio: HTTP/1.1 with ranges and keep-alive, file bodies by whatever route is cheapest.
//!
//! ```text
//! cargo run --release -p pagewire-zcopy --example static_server -- FOLDER [ADDRESS]
//! curl -r 0-99 http://127.0.0.1:8080/some/file
//! ```
//!
//! Ctrl-C stops it and prints how the bytes travelled.

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

mod http;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{HEAD_MAX, answer, read_head};
use pagewire_zcopy::{BufferPool, IoPool, PoolOptions, Transfer, TransferOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Connections served at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 1024;
/// A client may be silent for so long, or not read its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a client may have sent that nobody wanted.
const LEFTOVER_MAX: u64 = 1 << 20;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let Some(folder) = words.next().filter(|word| !word.starts_with('-')) else {
        eprintln!(
            "usage: static_server FOLDER [ADDRESS]\n\nServes the files of FOLDER on ADDRESS, by default 127.0.0.1:8080."
        );
        std::process::exit(2);
    };
    let root: Arc<Path> = PathBuf::from(folder).canonicalize()?.into();
    let listener = TcpListener::bind(words.next().as_deref().unwrap_or("127.0.0.1:8080")).await?;
    println!("serving {} on http://{}", root.display(), listener.local_addr()?);
    let transfer = Transfer::new(
        TransferOptions::default(),
        BufferPool::new(PoolOptions::default()),
        IoPool::new(4, 256),
    );
    tokio::select! {
        failed = accept_all(&listener, &root, &transfer) => failed?,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    for route in transfer.stats().snapshot().routes.iter().filter(|route| route.bytes > 0) {
        println!("{} bytes by {} in {} calls", route.bytes, route.route, route.calls);
    }
    Ok(())
}

/// Serves who comes, as many at a time as there are slots. Ends only with an error.
async fn accept_all(
    listener: &TcpListener,
    root: &Arc<Path>,
    transfer: &Transfer,
) -> Result<(), tokio::sync::AcquireError> {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let slot = Arc::clone(&slots).acquire_owned().await?;
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: others will close theirs.
                eprintln!("accepting: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (root, transfer) = (Arc::clone(root), transfer.clone());
        tokio::spawn(async move {
            if let Err(error) = serve(socket, &root, &transfer).await {
                eprintln!("{peer}: {error}");
            }
            drop(slot);
        });
    }
}

/// Answers one connection's requests in order.
async fn serve(mut socket: TcpStream, root: &Arc<Path>, transfer: &Transfer) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut arrived = Vec::with_capacity(1024);
    loop {
        let head = loop {
            match read_head(&arrived) {
                Ok(None) if arrived.len() <= HEAD_MAX => {
                    let read = socket.read_buf(&mut arrived);
                    match timeout(PATIENCE, read).await {
                        Ok(Ok(0)) | Err(_) => return Ok(()),
                        Ok(read) => read?,
                    };
                }
                Ok(None) => break Err(http::HeadError::TooLong),
                Ok(Some((head, len))) => {
                    arrived.drain(..len);
                    break Ok(head);
                }
                Err(error) => break Err(error),
            }
        };
        // Finding and opening a file may wait for a disk.
        let root = Arc::clone(root);
        let mut answer = tokio::task::spawn_blocking(move || answer(&root, head)).await?;
        // Whoever reads nothing at all for so long is gone; the cursor tells.
        while !answer.plan.is_done() {
            let before = answer.plan.sent();
            match timeout(PATIENCE, transfer.send(&socket, &mut answer.plan)).await {
                Ok(sent) => drop(sent.map_err(io::Error::other)?),
                Err(_) if answer.plan.sent() > before => {}
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        if !answer.keep_alive {
            return close(socket).await;
        }
    }
}

/// Lets the answer arrive: a socket closed with unread bytes resets the connection.
async fn close(mut socket: TcpStream) -> io::Result<()> {
    socket.shutdown().await?;
    let (mut unread, mut nowhere) = (socket.take(LEFTOVER_MAX), tokio::io::sink());
    let _ = timeout(PATIENCE, tokio::io::copy(&mut unread, &mut nowhere)).await;
    Ok(())
}
