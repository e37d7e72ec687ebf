//! The neutral client: blocking connections to any Kafka broker from 2.1 on, frames made once, answers checked.
//!
//! ```text
//!   Dial (how to connect, when to end) -> Connection (frames, versions agreed with this broker)
//!                                           | ProduceFrame    made once, sent many times
//!                                           | Fetch           one partition; records seen, counted, thrown away
//!                                           | topic           make, find leaders, remove
//!                                           | Transactional   transactions in one partition, committed or aborted
//! ```
//!
//! A thread per connection: what is measured is the broker, and a client without a runtime has little of its own.

mod batch;
mod connection;
mod dial;
mod error;
mod fetch;
mod produce;
mod ready;
pub mod topic;
mod transaction;
mod versions;

pub(crate) use batch::value;
pub use batch::{batch, now_ms, records_in};
pub use connection::{ANSWER_MAX, Connection};
pub use dial::{Dial, Stop};
pub use error::Error;
pub use fetch::{Fetch, FetchMany, Fetched};
pub use produce::{Acks, ProduceFrame};
pub use transaction::{Content, End, Transactional};
pub use versions::Versions;

/// A result of this client.
pub type Result<T, E = Error> = std::result::Result<T, E>;
