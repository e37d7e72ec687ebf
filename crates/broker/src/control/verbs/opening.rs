//! How far the opening of a log directory is: whoever asked for it hears, and whoever asks how the broker stands.

use pagewire_log::Loading;
use serde::Serialize;

#[derive(Serialize)]
pub(in crate::control::verbs) struct Opening {
    logs: u64,
    logs_total: u64,
    /// Bytes that were checked, of those that must be; none after an orderly stop.
    bytes: u64,
    bytes_total: u64,
}

impl From<Loading> for Opening {
    fn from(at: Loading) -> Self {
        Self { logs: at.logs, logs_total: at.logs_total, bytes: at.bytes, bytes_total: at.bytes_total }
    }
}
