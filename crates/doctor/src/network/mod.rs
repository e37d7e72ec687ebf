//! Interfaces and TCP.

pub(crate) mod backlog;
pub(crate) mod congestion;
pub(crate) mod interfaces;
pub(crate) mod memory;
pub(crate) mod qdisc;
