//! Sends a region of a file over TCP, out of a map:
//! `cargo run -p pagewire-zcopy --example send_mapped -- FILE OFFSET LENGTH ADDRESS`.
//!
//! The program names the bytes and never looks at them: the kernel copies them from the page cache into the socket. If
//! somebody cuts the file off meanwhile, that is an error with a name; a load from the map would have killed the
//! process.

#![allow(clippy::print_stdout, reason = "a program talks to its user")]

use std::error::Error;
use std::fs::File;
use std::net::TcpStream;
use std::sync::Arc;

use pagewire_zcopy::{
    BufferPool, FileRange, IoPool, MapAccess, MapAdvice, MappedFile, PoolOptions, SendPlan, Sent, Transfer,
    TransferOptions,
};

const USAGE: &str = "usage: send_mapped FILE OFFSET LENGTH ADDRESS
Sends LENGTH bytes of FILE from byte OFFSET to a TCP address such as 127.0.0.1:9000, behind a line with their number.";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{USAGE}");
        return Ok(());
    }
    let sent = run(&arguments)?;
    let way = sent.last_route.map(|(route, why)| format!(" by {route}: {why}")).unwrap_or_default();
    println!("sent {} bytes in {} calls{way}", sent.bytes, sent.calls);
    Ok(())
}

/// What the program does with its arguments.
pub(crate) fn run(arguments: &[String]) -> Result<Sent, Box<dyn Error>> {
    let [file, offset, len, address] = arguments else { return Err(USAGE.into()) };
    let region = FileRange::new(Arc::new(File::open(file)?), offset.parse()?, len.parse()?);
    let map = MappedFile::new(&region, MapAccess::Read)?;
    map.advise(0, map.len(), MapAdvice::Sequential)?;

    let mut plan = SendPlan::new();
    plan.push_bytes(format!("{}\n", map.len()).into());
    plan.push_mapped(map.part(0, map.len()));

    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let buffers = BufferPool::new(PoolOptions::default());
    let transfer = Transfer::new(TransferOptions::default(), buffers, IoPool::new(1, 1));
    Ok(transfer.send_blocking(&socket, &mut plan)?)
}
