//! What every fact needs: a broker in this process on a free port, and a client that speaks raw frames to it.
//!
//! A broker lives in a directory of its own and is gone with it. Nothing here waits by the clock: a client that waits
//! for an answer waits until it comes, and only a test that would hang forever is ended by the read timeout.

mod batches;
mod broker;
mod calls;
mod client;
mod waiting;

pub(crate) use batches::{Read, batch, batch_of, keyed, now_ms, records_of, values_of};
pub(crate) use broker::{Broker, config, runtime};
pub(crate) use calls::{FetchAt, Fetched, produce_request};
pub(crate) use client::Client;
pub(crate) use waiting::until;
