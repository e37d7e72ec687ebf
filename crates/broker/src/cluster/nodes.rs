//! The brokers clients are sent to. Today there is one: this one.
//!
//! A client is told to come back to the address it dialled, because that address evidently works for it; only
//! `advertised.listeners` overrides that (one broker behind a proxy or with a public name), for each listener apart:
//! who comes from the inside is told another address than who comes from the outside.

use std::collections::BTreeMap;

use crate::net::Peer;

/// A broker as clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) rack: Option<String>,
}

/// Who this node is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) node_id: i32,
    pub(crate) cluster_id: String,
    pub(crate) rack: Option<String>,
    /// The least epoch that its partitions are led by; see `ClusterRecord`.
    pub(crate) leader_epoch: i32,
    /// `advertised.listeners`: host and port by the name of the listener.
    pub(crate) advertised: BTreeMap<String, (String, u16)>,
}

impl Identity {
    /// This node, as the client at the other end of `peer` reaches it.
    pub(crate) fn node_for(&self, peer: &Peer) -> Node {
        let (host, port) = match self.advertised.get(&*peer.listener) {
            Some((host, port)) => (host.clone(), *port),
            None => (peer.local.ip().to_string(), peer.local.port()),
        };
        Node { id: self.node_id, host, port, rack: self.rack.clone() }
    }
}
