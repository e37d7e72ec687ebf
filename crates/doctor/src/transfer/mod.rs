//! The ways from a file to a socket, each of them tried.

mod bench;
pub(crate) mod cachestat;
pub(crate) mod ktls;
mod measured;
pub(crate) mod nowait;
pub(crate) mod routes;
pub(crate) mod thresholds;
pub(crate) mod uring;
