//! Sockets: who may connect, reading frames, replies in request order.
//!
//! `listener` accepts and enforces the connection limits; `connection` is the loop that owns one socket. Neither
//! knows what a request means: a frame goes to `dispatch`, a `SendPlan` comes back.

mod behind;
mod congestion;
mod connection;
mod descriptors;
mod limits;
mod listener;
mod peer;
mod queue;
mod reply;

pub(crate) use descriptors::{answer_files_max, open_files_max};
pub use descriptors::{connections_with, raise_descriptor_limit};
pub(crate) use limits::ConnectionLimits;
pub(crate) use listener::{Bound, Listener, bind};
pub(crate) use peer::Peer;
pub(crate) use reply::{Close, Outcome, Reply};
