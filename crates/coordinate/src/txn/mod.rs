//! The transaction coordinator as a pure state machine, as Kafka 4.3's: which producer has a transactional id, which
//! partitions take part in its transaction, and how that ends. Inputs and the time go in, [`Effects`] come out.
//!
//! ```text
//!              Input, Now ─►┌─────────┐─► replies      ─► connections
//!                           │  Shard  │─► appends      ─► a partition of __transaction_state ─┐
//!         next_deadline() ◄─└─────────┘◄─ appended / append_failed ◄────────────────────────┘
//!                                │ ▲
//!                        markers ▼ │ markers_written / markers_failed
//!                        the partitions that take part
//! ```
//!
//! A [`Shard`] is one partition of `__transaction_state`; [`partition_for`](crate::partition_for) tells which one a
//! transactional id belongs to. Names here are those of transactions, beside those of groups in the crate's root. Leaves to the
//! caller: protocol versions, authorisation, producer ids (it hands them over), what a marker looks like, durability.
//!
//! A transaction ends in three steps, each in the log before the next: the decision, the markers, that they are written. So
//! whatever stops in between, what was decided is done, by this coordinator or the one that reads its log.
//!
//! Sources: KIP-98, 360, 447, 588, 664, 890, 994, 1152.

mod add;
mod answer;
mod deadlines;
mod effects;
mod end;
mod ending;
mod error;
mod init;
mod input;
mod look;
mod note;
mod overdue;
mod record;
mod settings;
mod shard;
mod state;
mod transaction;

pub use answer::{Answer, Producer, Reply};
pub use effects::{Append, Effects, Marked, Markers, MarkersOf};
pub use error::Error;
pub use input::{Add, End, Init, Input, TxnVersion};
pub use look::{Described, Filter, Listed};
pub use note::{Event, Note};
pub use record::{
    NO_PRODUCER_EPOCH, NO_PRODUCER_ID, TxnDecodeError, TxnDecoded, TxnRecord, TxnTopic, TxnValue,
};
pub use settings::{Limits, Settings};
pub use shard::Shard;
pub use state::{Outcome, TxnState};
