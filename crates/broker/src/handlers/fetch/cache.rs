//! The bounded memory of fetch sessions.
//!
//! A full cache is not an error: the answer carries session id 0 and the client goes on with full fetches. A new
//! session takes the place of one that was unused for two minutes, or of a smaller one of at least that age (KIP-227:
//! the larger a session, the more it saves).
//!
//! Locks: a session's own first, the map's second, never the other way round. What the map needs to know of a session
//! stands in the map.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use pagewire_wire::{ErrorCode, messages::fetch_request::FetchRequest};
use parking_lot::Mutex;
use uuid::Uuid;

use super::{
    read::Answers,
    session::{FINAL_EPOCH, INITIAL_EPOCH, Kind, Scope, Session, Told},
    wanted::{self, Wanted, wanted_of},
};

/// A session younger, or used more recently, than this is not evicted.
const EVICTABLE_AFTER_MS: i64 = 120_000;
/// Partitions remembered by all sessions together: about 40 MiB at 200 bytes each.
const PARTITIONS_MAX: usize = 200_000;

/// All fetch sessions.
pub(crate) struct FetchSessions {
    slots: usize,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    by_id: HashMap<i32, Entry, RandomState>,
    /// The sum of all sizes.
    partitions: usize,
}

struct Entry {
    session: Arc<Mutex<Session>>,
    /// Partitions of the session, as counted in the sum.
    size: usize,
    created_ms: i64,
    used_ms: i64,
}

impl FetchSessions {
    pub(crate) fn new(slots: usize) -> Self {
        Self { slots, sessions: Mutex::default() }
    }

    /// Finds out what a fetch request covers.
    pub(super) fn open(&self, request: &FetchRequest, version: i16, now_ms: i64) -> Result<Scope, ErrorCode> {
        let by_id = version >= 13;
        let named = wanted_of(request)?;
        if matches!(request.session_epoch, INITIAL_EPOCH | FINAL_EPOCH) {
            if request.session_id != 0 {
                self.end(request.session_id);
            }
            let kind =
                if request.session_epoch == FINAL_EPOCH { Kind::Sessionless } else { Kind::Full { by_id } };
            return Ok(Scope::new(kind, named));
        }
        let found = self.find(request.session_id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        let mut session = found.lock();
        if session.by_id != by_id {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        session.advance(request.session_epoch, &named, &request.forgotten_topics_data)?;
        let wanted = session.wanted();
        let kept = !wanted.is_empty() && self.used(&session, now_ms);
        drop(session);
        if !kept {
            self.end(request.session_id);
            return Ok(Scope::new(Kind::Sessionless, wanted));
        }
        Ok(Scope::new(Kind::Incremental(found), wanted))
    }

    /// Remembers the answers where there is a session, and decides which of them must be sent.
    pub(super) fn tell(&self, scope: &Scope, answers: &Answers, now_ms: i64) -> Told {
        let everything = |session_id| Told { session_id, included: vec![true; answers.partitions.len()] };
        match &scope.kind {
            Kind::Sessionless => everything(0),
            Kind::Full { by_id } => everything(self.create(scope.wanted(), answers, *by_id, now_ms)),
            Kind::Incremental(session) => session.lock().tell(scope.wanted(), answers),
        }
    }

    /// Remembers a full fetch. Answers its session id, 0 if there is no room.
    fn create(&self, wanted: &[Wanted], answers: &Answers, by_id: bool, now_ms: i64) -> i32 {
        if !self.sessions.lock().make_room(self.slots, wanted.len(), now_ms) {
            return 0;
        }
        let mut session = Session::new(0, by_id);
        for want in wanted {
            session.put(want);
        }
        session.tell(wanted, answers);
        let size = session.len();
        let mut sessions = self.sessions.lock();
        if !sessions.make_room(self.slots, size, now_ms) {
            return 0;
        }
        let id = sessions.unused_id();
        session.id = id;
        let session = Arc::new(Mutex::new(session));
        sessions.partitions += size;
        sessions.by_id.insert(id, Entry { session, size, created_ms: now_ms, used_ms: now_ms });
        id
    }

    fn find(&self, id: i32) -> Option<Arc<Mutex<Session>>> {
        self.sessions.lock().by_id.get(&id).map(|entry| Arc::clone(&entry.session))
    }

    fn end(&self, id: i32) {
        self.sessions.lock().remove(id);
    }

    /// Keeps the sum and the time. `false`: the session was evicted meanwhile, or grew beyond what it or all together
    /// may remember.
    fn used(&self, session: &Session, now_ms: i64) -> bool {
        let size = session.len();
        let mut sessions = self.sessions.lock();
        let Sessions { by_id, partitions, .. } = &mut *sessions;
        let Some(entry) = by_id.get_mut(&session.id) else { return false };
        *partitions = *partitions - entry.size + size;
        entry.size = size;
        entry.used_ms = now_ms;
        *partitions <= PARTITIONS_MAX && size <= wanted::PARTITIONS_MAX
    }
}

impl Sessions {
    fn remove(&mut self, id: i32) {
        if let Some(entry) = self.by_id.remove(&id) {
            self.partitions -= entry.size;
        }
    }

    fn make_room(&mut self, slots: usize, partitions: usize, now_ms: i64) -> bool {
        if slots == 0 || partitions > PARTITIONS_MAX {
            return false;
        }
        while self.by_id.len() >= slots || self.partitions + partitions > PARTITIONS_MAX {
            let Some(id) = self.evictable(partitions, now_ms) else { return false };
            self.remove(id);
        }
        true
    }

    /// The longest unused session if it was unused long enough, else the smallest old one that is smaller than the new.
    fn evictable(&self, partitions: usize, now_ms: i64) -> Option<i32> {
        let old = |since_ms: i64| now_ms.saturating_sub(since_ms) >= EVICTABLE_AFTER_MS;
        let unused = self.by_id.iter().filter(|(_, entry)| old(entry.used_ms));
        let smaller = self.by_id.iter().filter(|(_, entry)| old(entry.created_ms) && entry.size < partitions);
        unused
            .min_by_key(|(_, entry)| entry.used_ms)
            .or_else(|| smaller.min_by_key(|(_, entry)| entry.size))
            .map(|(id, _)| *id)
    }

    /// An id nobody can know: a client of before a restart, or of another broker, ends what it takes for its session.
    fn unused_id(&self) -> i32 {
        loop {
            let [a, b, c, d, ..] = Uuid::new_v4().into_bytes();
            let id = i32::from_be_bytes([a & 0x7f, b, c, d]);
            if id != 0 && !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests;
