//! One HTTP request over a connection of its own, for programs that are told what to do by REST.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::PATIENCE;

/// An answer larger than this is a fault of the test.
const ANSWER_MAX: u64 = 16 << 20;

/// Status and body of the answer. A body is sent as JSON. HTTP 1.0, so that an answer ends where its connection does.
pub fn request(address: &str, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot reach {address}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nAccept: application/json\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer))
}

fn parse(answer: &str) -> Result<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("no answer: {answer}"))?;
    let mut words = head.split_whitespace();
    let version = words.next().unwrap_or_default();
    ensure!(version.starts_with("HTTP/"), "no answer: {head}");
    let status = words.next().and_then(|word| word.parse().ok());
    Ok((status.with_context(|| format!("no status: {head}"))?, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_status_and_what_follows_the_empty_line() {
        let answer = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n{\"a\":\r\n\r\n1}";
        assert_eq!(parse(answer).ok(), Some((201, "{\"a\":\r\n\r\n1}".to_owned())));
        for wrong in ["", "HTTP/1.1 200 OK\r\n", "SSH 200 OK\r\n\r\n", "HTTP/1.1 fine\r\n\r\n"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
