//! A static file server without a runtime: a thread for each connection, the same answers as `static_server`.
//!
//! ```text
//! cargo run --release -p pagewire-zcopy --example static_server_blocking -- FOLDER [ADDRESS]
//! curl -r 0-99 http://127.0.0.1:8080/some/file
//! ```

#![allow(clippy::print_stdout, reason = "a program for a terminal")]

mod http;

use std::io::{self, Read};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HEAD_MAX, answer, read_head};
use pagewire_zcopy::Transfer;

/// Connections served at a time; more are closed at once.
const CONNECTIONS_MAX: usize = 256;
/// A client may be silent for so long, or not read its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a client may have sent that nobody wanted.
const LEFTOVER_MAX: u64 = 1 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let Some(folder) = words.next().filter(|word| !word.starts_with('-')) else {
        eprintln!(
            "usage: static_server_blocking FOLDER [ADDRESS]\n\nServes the files of FOLDER on ADDRESS, by default 127.0.0.1:8080."
        );
        std::process::exit(2);
    };
    let root: Arc<Path> = PathBuf::from(folder).canonicalize()?.into();
    let listener = TcpListener::bind(words.next().as_deref().unwrap_or("127.0.0.1:8080"))?;
    println!("serving {} on http://{}", root.display(), listener.local_addr()?);
    let open = Arc::new(AtomicUsize::new(0));
    for socket in listener.incoming() {
        let socket = match socket {
            Ok(socket) if open.load(Ordering::Relaxed) < CONNECTIONS_MAX => socket,
            Ok(_) => continue,
            Err(error) => {
                eprintln!("accepting: {error}");
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
        };
        open.fetch_add(1, Ordering::Relaxed);
        let (root, open) = (Arc::clone(&root), Arc::clone(&open));
        std::thread::spawn(move || {
            if let Err(error) = serve(socket, &root) {
                eprintln!("{error}");
            }
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
    Ok(())
}

/// Answers one connection's requests in order.
fn serve(mut socket: TcpStream, root: &Path) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    let (mut arrived, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let head = loop {
            match read_head(&arrived) {
                Ok(None) if arrived.len() <= HEAD_MAX => match socket.read(&mut part)? {
                    0 => return Ok(()),
                    n => arrived.extend_from_slice(&part[..n]),
                },
                Ok(None) => break Err(http::HeadError::TooLong),
                Ok(Some((head, len))) => {
                    arrived.drain(..len);
                    break Ok(head);
                }
                Err(error) => break Err(error),
            }
        };
        let mut answer = answer(root, head);
        Transfer::shared().send_blocking(&socket, &mut answer.plan).map_err(io::Error::other)?;
        if !answer.keep_alive {
            // Lets the answer arrive: a socket closed with unread bytes resets the connection.
            socket.shutdown(Shutdown::Write)?;
            return io::copy(&mut socket.take(LEFTOVER_MAX), &mut io::sink()).map(drop);
        }
    }
}
