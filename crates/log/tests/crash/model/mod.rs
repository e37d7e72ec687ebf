//! What a partition should hold, kept beside the log and by other means than the log's own.

mod harm;
mod partition;
mod producers;
mod sent;
mod txns;

pub(crate) use harm::{Harm, Hit};
pub(crate) use partition::Partition;
pub(crate) use producers::{Known, replay};
pub(crate) use sent::{Sent, Shape};
pub(crate) use txns::{Fate, fates};
