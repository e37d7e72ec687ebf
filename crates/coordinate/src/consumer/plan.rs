//! A decision about a consumer group while it is being made: the group as it is, and what is to be written. What has not
//! been decided to the end leaves no trace.

use std::sync::Arc;

use super::group::Group;
use crate::error::Error;
use crate::note::Event;
use crate::now::Now;
use crate::records::{ConsumerRecord, GroupEpoch, Record};
use crate::settings::Settings;
use crate::topics::Topics;

/// Why a request is refused, in words that go to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) error: Error,
    pub(crate) message: String,
}

pub(crate) fn refuse<T>(error: Error, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { error, message: message.into() })
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, message: error.to_string() }
    }
}

/// A deadline of a member, to be set or lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Timed {
    /// It must give a sign of life.
    Session(Arc<str>, i32),
    /// It must give partitions back.
    Revoke(Arc<str>, i32),
    /// It has.
    Revoked(Arc<str>),
    /// It must join again, if it has not been told so already.
    Join(Arc<str>, i32),
    /// It has.
    Joined(Arc<str>),
    /// It must fetch its assignment.
    Sync(Arc<str>, i32),
    /// It has.
    Synced(Arc<str>),
    /// Expressions are to be resolved, at once.
    Resolve,
}

pub(crate) struct Plan<'a> {
    /// As it is; or as it is going to be, if it is made from a classic one at the same time.
    pub(crate) group: &'a Group,
    pub(crate) topics: &'a dyn Topics,
    pub(crate) settings: &'a Settings,
    pub(crate) now: Now,
    pub(crate) records: Vec<Record>,
    pub(crate) timed: Vec<Timed>,
    pub(crate) notes: Vec<Event>,
    /// Expressions are being resolved.
    pub(crate) resolving: bool,
    /// The topics of this version look as those that the group was assigned by.
    pub(crate) topics_seen: Option<u64>,
    /// There is a new target; the next one not before this long.
    pub(crate) next_target_ms: Option<i32>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(group: &'a Group, topics: &'a dyn Topics, settings: &'a Settings, now: Now) -> Self {
        let (records, timed, notes) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            group,
            topics,
            settings,
            now,
            records,
            timed,
            notes,
            resolving: false,
            topics_seen: None,
            next_target_ms: None,
        }
    }

    pub(crate) fn write(&mut self, record: ConsumerRecord) {
        self.records.push(Record::Consumer { group_id: self.group.id.clone(), record });
    }

    /// The next epoch.
    pub(crate) fn raise_epoch(&mut self, metadata_hash: i64) -> i32 {
        let epoch = self.group.epoch.saturating_add(1);
        self.write(ConsumerRecord::Epoch(Some(GroupEpoch { epoch, metadata_hash })));
        self.notes.push(Event::Epoch { epoch });
        epoch
    }

    pub(crate) fn forget_member(&mut self, member_id: &Arc<str>) {
        self.write(ConsumerRecord::Current { member_id: member_id.clone(), value: None });
        self.write(ConsumerRecord::Target { member_id: member_id.clone(), value: None });
        self.write(ConsumerRecord::Member { member_id: member_id.clone(), value: None });
    }
}
