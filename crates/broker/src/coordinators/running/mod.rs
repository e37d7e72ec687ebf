//! What every running shard has, whatever its machine decides.
//!
//! ```text
//!   Life      whether it answers, and the lock around the machine
//!   Waiting   who waits for an answer
//!   Journal   the partition that its records are appended to
//!   Alarm     the deadline that its task sleeps for
//!   Attempts  to load it
//! ```

mod alarm;
mod attempts;
mod journal;
mod life;
mod waiting;

pub(super) use alarm::Alarm;
pub(super) use attempts::{Attempts, on_pool};
pub(super) use journal::{Journal, NotWritten, Unstable, Words, stable};
pub(super) use life::{Life, State};
pub(super) use waiting::{Answered, Waiting};
