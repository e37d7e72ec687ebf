//! Interfaces and TCP.

pub(crate) mod backlog;
pub(crate) mod congestion;
mod ethtool;
pub(crate) mod interfaces;
pub(crate) mod memory;
mod netlink;
pub(crate) mod qdisc;
