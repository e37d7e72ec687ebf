//! One line in, lines out: bounded in length and in time.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::{Answer, LINE_MAX, READ_WITHIN, WRITE_WITHIN};

/// Why there is no request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoLine {
    /// The client is gone; nobody hears an answer.
    Gone,
    /// What to tell the client.
    Refused(&'static str),
}

/// The request's line, without its end.
pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin)) -> Result<Vec<u8>, NoLine> {
    let mut line = Vec::new();
    let mut bounded = from.take(LINE_MAX as u64);
    match timeout(READ_WITHIN, bounded.read_until(b'\n', &mut line)).await {
        Err(_) => Err(NoLine::Refused("no whole request came in time")),
        Ok(Ok(_)) if line.pop_if(|last| *last == b'\n').is_some() => Ok(line),
        Ok(Ok(read)) if read == LINE_MAX => Err(NoLine::Refused("the request is longer than 64 KiB")),
        Ok(_) => Err(NoLine::Gone),
    }
}

/// Writes a line of an answer.
pub(super) async fn write(to: &mut (impl AsyncWrite + Unpin), answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    if line.len() > LINE_MAX {
        line = serde_json::to_vec(&Answer::Error("the answer is longer than 64 KiB".to_owned()))?;
        line.push(b'\n');
    }
    timeout(WRITE_WITHIN, to.write_all(&line)).await.map_err(|_| io::ErrorKind::TimedOut)?
}

#[cfg(test)]
mod tests {
    use tokio::io::BufReader;

    use super::*;

    async fn of(bytes: &[u8]) -> Result<Vec<u8>, NoLine> {
        read(&mut BufReader::new(bytes)).await
    }

    #[tokio::test]
    async fn a_request_is_one_line_of_at_most_64_kib() {
        assert_eq!(of(b"{}\nmore").await, Ok(b"{}".to_vec()));
        assert_eq!(of(b"{}").await, Err(NoLine::Gone));
        let mut longest = vec![b'x'; LINE_MAX - 1];
        longest.push(b'\n');
        assert_eq!(of(&longest).await.map(|line| line.len()), Ok(LINE_MAX - 1));
        longest.insert(0, b'x');
        assert!(matches!(of(&longest).await, Err(NoLine::Refused(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_is_refused_after_a_while() {
        let (_client, server) = tokio::io::duplex(64);
        assert!(matches!(read(&mut BufReader::new(server)).await, Err(NoLine::Refused(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_counts_as_gone() {
        let (_client, mut server) = tokio::io::duplex(8);
        let answer = Answer::Error("longer than eight bytes".to_owned());
        assert_eq!(write(&mut server, &answer).await.map_err(|e| e.kind()), Err(io::ErrorKind::TimedOut));
    }
}
