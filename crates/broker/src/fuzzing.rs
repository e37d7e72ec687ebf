//! What reads bytes that are no Kafka client's, for the fuzz targets: nothing that a broker needs.

use tokio::io::AsyncBufRead;

use crate::{backup, control};

/// Reads a request as the control socket does, and answers with the line that is written back; none where the client is
/// gone. Nothing is done.
pub async fn control_request(from: &mut (impl AsyncBufRead + Unpin)) -> Option<Vec<u8>> {
    control::understood(from).await
}

/// Reads a backup's manifest; whether it is one. What was read is written and read again, and is the same. With
/// `sealed` a last line is added that fits the others.
pub fn manifest(lines: &[u8], sealed: bool) -> bool {
    backup::reads_again(lines, sealed)
}
