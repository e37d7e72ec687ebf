//! One member of a group.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::input::{Join, Protocol, Token};
use crate::memory::{TIMER_BYTES, text_bytes};

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) instance_id: Option<Arc<str>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) session_timeout_ms: i32,
    pub(crate) protocols: Vec<Protocol>,
    pub(crate) assignment: Bytes,
    pub(crate) awaiting_join: Option<Token>,
    pub(crate) awaiting_sync: Option<Token>,
    /// Has never been part of a generation: it cannot know its id, so it sends no heartbeats.
    pub(crate) is_new: bool,
}

/// What a protocol takes besides its name and metadata.
const PROTOCOL_BYTES: usize = size_of::<Protocol>() + 64;

/// Bytes that offers take, about.
pub(crate) fn weight_of(protocols: &[Protocol]) -> usize {
    protocols.iter().map(|offer| PROTOCOL_BYTES + offer.name.len() + offer.metadata.len()).sum()
}

/// Bytes that a member takes for its texts and its deadline, about.
fn weight_of_texts(texts: [&str; 4]) -> usize {
    TIMER_BYTES + texts.into_iter().map(text_bytes).sum::<usize>()
}

/// Bytes that whoever joins for the first time is going to take, about, without places in the group's maps.
pub(crate) fn weight_of_newcomer(join: &Join) -> usize {
    // Its id is the name of its client or instance with a random tail.
    let instance_id = join.instance_id.as_deref().unwrap_or("");
    let stem = if instance_id.is_empty() { &join.client_id } else { instance_id };
    let texts = [stem, instance_id, &join.client_id, &join.client_host];
    weight_of_texts(texts) + join.fresh_id.len() + weight_of(&join.protocols)
}

impl Member {
    /// Bytes it takes, about, without its places in the group's maps.
    pub(crate) fn weight(&self, id: &str) -> usize {
        let texts = [id, self.instance_id.as_deref().unwrap_or(""), &self.client_id, &self.client_host];
        weight_of_texts(texts) + weight_of(&self.protocols) + self.assignment.len()
    }

    pub(crate) const fn is_static(&self) -> bool {
        self.instance_id.is_some()
    }

    /// Its metadata for a protocol; empty if it does not offer it.
    pub(crate) fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols
            .iter()
            .find(|offer| &*offer.name == protocol)
            .map_or_else(Bytes::new, |o| o.metadata.clone())
    }

    /// The same protocols with the same metadata in the same order.
    pub(crate) fn offers(&self, protocols: &[Protocol]) -> bool {
        self.protocols == protocols
    }

    /// Its first protocol among the candidates.
    pub(crate) fn vote<'a>(&self, candidates: &HashSet<&'a Arc<str>>) -> Option<&'a Arc<str>> {
        self.protocols.iter().find_map(|offer| candidates.get(&offer.name).copied())
    }

    /// A member that waits for the group cannot send heartbeats and counts as alive, unless it is new: a client that
    /// gave up waiting must not stay for ever.
    pub(crate) const fn is_alive_without_heartbeat(&self) -> bool {
        !self.is_new && (self.awaiting_join.is_some() || self.awaiting_sync.is_some())
    }
}
