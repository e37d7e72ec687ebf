//! A file receiver: whatever a peer sends over one TCP connection, until it closes, ends up in a file.
//!
//! ```text
//! cargo run --release -p pagewire-zcopy --example receive_file -- 127.0.0.1:9000 received.bin
//! nc -N 127.0.0.1 9000 < some.file
//! ```
//!
//! Begun files are gone on with (at `--offset`, or where they end with `--resume`). Ctrl-C stops it, and it says how
//! many bytes are safe.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io;

use pagewire_zcopy::{
    BufferPool, IoPool, PoolOptions, Route, Transfer, TransferOptions, Transferred, start_writeback,
};
use tokio::net::{TcpListener, TcpStream};

const USAGE: &str = "usage: receive_file [--splice] [--resume | --offset BYTES] ADDRESS FILE
Receives one connection's bytes into FILE, in place of what is in it. Port 0 takes a free one.
  --splice        through a pipe, without a copy to this program
  --resume        goes on behind what FILE has
  --offset BYTES  begins at this byte of FILE, and keeps the others";

/// Bytes between two lines about how far it came; written back at the same steps, so that dirty pages do not pile up.
const STEP_BYTES: u64 = 64 << 20;

#[derive(Debug, Default)]
struct Arguments {
    splice: bool,
    resume: bool,
    offset: Option<u64>,
    words: Vec<String>,
}

fn arguments() -> Result<Option<Arguments>, Box<dyn Error>> {
    let mut arguments = Arguments::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--splice" => arguments.splice = true,
            "--resume" => arguments.resume = true,
            "--offset" => {
                arguments.offset = Some(words.next().ok_or("--offset wants a number of bytes")?.parse()?);
            }
            _ => arguments.words.push(word),
        }
    }
    Ok(Some(arguments))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(arguments) = arguments()? else {
        eprintln!("{USAGE}");
        return Ok(());
    };
    let [address, path] = &arguments.words[..] else { return Err(USAGE.into()) };
    let anew = !arguments.resume && arguments.offset.is_none();
    let file = OpenOptions::new().write(true).create(true).truncate(anew).open(path)?;
    let mut offset = if arguments.resume { file.metadata()?.len() } else { arguments.offset.unwrap_or(0) };

    let options =
        TransferOptions { route: arguments.splice.then_some(Route::Splice), ..TransferOptions::default() };
    let transfer = Transfer::new(options, BufferPool::new(PoolOptions::default()), IoPool::new(1, 1));

    let listener = TcpListener::bind(address).await?;
    eprintln!("listening on {}", listener.local_addr()?);
    let received = tokio::select! {
        received = receive(&listener, &transfer, &file, &mut offset) => received,
        stopped = tokio::signal::ctrl_c() => stopped.map(|()| None).map_err(Into::into),
    };
    // Also after an error, and a Ctrl-C: what came is worth keeping.
    file.sync_data()?;
    eprintln!("{offset} bytes of {path} are safe");
    if let Some(last) = received? {
        eprintln!("by {}: {}", last.route, last.why);
    }
    Ok(())
}

/// Receives from the first who connects. May be dropped at any await: `offset` says how far it came.
async fn receive(
    listener: &TcpListener,
    transfer: &Transfer,
    file: &File,
    offset: &mut u64,
) -> Result<Option<Transferred>, Box<dyn Error>> {
    let (socket, peer): (TcpStream, _) = listener.accept().await?;
    eprintln!("receiving from {peer}");
    loop {
        let start = *offset;
        let moved = transfer.transfer_from(&socket, file, offset, STEP_BYTES).await?;
        if moved.eof {
            return Ok(Some(moved));
        }
        eprintln!("{offset} bytes");
        unless_unsupported(start_writeback(file, start, moved.bytes))?;
    }
}

/// Writing back early is a help where the system has it.
fn unless_unsupported(answer: io::Result<()>) -> io::Result<()> {
    match answer {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        answer => answer,
    }
}
