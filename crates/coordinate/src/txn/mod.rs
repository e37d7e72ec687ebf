//! Transactions: what is known of each transactional id, in Kafka's formats.

mod record;
mod state;

pub use record::{
    NO_PRODUCER_EPOCH, NO_PRODUCER_ID, TxnDecodeError, TxnDecoded, TxnRecord, TxnTopic, TxnValue,
};
pub use state::{Outcome, TxnState};
