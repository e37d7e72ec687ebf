//! A shard: all groups of one partition of `__consumer_offsets`, and the only door to them.
//!
//! Loading: [`Shard::replay`] every record of the partition in order, then [`Shard::loaded`] once. Running:
//! [`Shard::handle`] for each input, [`Shard::on_time`] when [`Shard::next_deadline`] has come; each returns [`Effects`].
//! Hand every append back ([`Shard::appended`] or [`Shard::append_failed`]) before the next input, in order.
//!
//! What is in the log comes from the log: offsets and the disappearance of groups change only by their records. What a
//! record cannot hold (who waits, whose session ends when) lives here alone and begins anew after a restart, as in Kafka.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::answer::{Answer, JoinAnswer};
use crate::any_group::AnyGroup;
use crate::consumer;
use crate::effects::{Append, Effects, Then};
use crate::error::Error;
use crate::group::{Group, Turn};
use crate::input::{GroupTiming, Input, Token};
use crate::now::Now;
use crate::offsets::{Jumps, Offsets, Pending};
use crate::records::{ConsumerRecord, DecodeError, Decoded, GroupMetadata, OffsetKey, OffsetValue, Record};
use crate::settings::Settings;
use crate::timers::{TimerKey, Timers};
use crate::topics::{TopicTable, Topics};

/// A group, and a topic among its offsets; none before the first.
pub(crate) type Cursor = (Arc<str>, Option<Arc<str>>);

/// Groups and offsets of one partition of `__consumer_offsets`.
#[derive(Clone, Debug)]
pub struct Shard {
    settings: Settings,
    topics: Arc<dyn Topics>,
    groups: BTreeMap<Arc<str>, AnyGroup>,
    /// Bytes of all groups, without their offsets.
    group_bytes: usize,
    offsets: Offsets,
    pending: Pending,
    /// What may be held now, whatever the settings allow.
    pub(crate) bytes_allowed: usize,
    /// Where the look for what expired goes on.
    pub(crate) expiry_at: Option<Cursor>,
    pub(crate) jumps: Jumps,
    pub(crate) timers: Timers,
}

impl Shard {
    /// An empty shard.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            topics: Arc::new(TopicTable::default()),
            groups: BTreeMap::new(),
            group_bytes: 0,
            offsets: Offsets::default(),
            pending: Pending::default(),
            bytes_allowed: usize::MAX,
            expiry_at: None,
            jumps: Jumps::default(),
            timers: Timers::default(),
        }
    }

    /// The settings in force.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// New settings act from the next event on.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Topics look like this from the next event on.
    pub fn set_topics(&mut self, topics: Arc<dyn Topics>) {
        self.topics = topics;
    }

    pub(crate) const fn topics(&self) -> &Arc<dyn Topics> {
        &self.topics
    }

    /// Takes over one record of the log while loading. `wall_ms` is the time of a group whose record does not tell its own.
    ///
    /// # Errors
    /// The record cannot be read. The shard is as before; the caller decides whether to go on without it.
    pub fn replay(&mut self, key: &[u8], value: Option<&[u8]>, wall_ms: i64) -> Result<(), DecodeError> {
        match Record::decode(key, value)? {
            Decoded::Skipped { .. } => {}
            Decoded::Record(Record::Offset { key, value }) => self.replay_offset(&key, value, wall_ms),
            Decoded::Record(Record::Group { group_id, value: None }) => self.forget_group(&group_id),
            Decoded::Record(Record::Group { group_id, value: Some(value) }) => {
                self.insert_group(AnyGroup::Classic(Group::from_record(group_id, &value, wall_ms)));
            }
            Decoded::Record(Record::Consumer { group_id, record }) => self.apply(&group_id, record),
        }
        Ok(())
    }

    /// The log is read to its end: sessions begin to count, and groups that are larger than allowed rebalance. `timing_of`:
    /// what is set for a consumer group.
    pub fn loaded(&mut self, timing_of: impl Fn(&str) -> GroupTiming, now: Now) -> Effects {
        let mut out = Effects::default();
        self.group_strays(now);
        self.consumers_loaded(&timing_of, now);
        let max = self.settings.max_size.min(self.settings.limits.members);
        for group_id in self.groups.keys().cloned().collect::<Vec<_>>() {
            self.with_group(&group_id, now, &mut out, |turn| {
                for id in turn.group.member_ids() {
                    turn.renew_session(&id);
                }
                if turn.group.len() > max {
                    turn.prepare_rebalance();
                }
            });
        }
        self.jumps.look(now);
        self.schedule_expiry(now);
        out
    }

    /// Lets an input act.
    pub fn handle(&mut self, input: Input, now: Now) -> Effects {
        let mut out = Effects::default();
        self.dispatch(input, now, &mut out);
        out
    }

    /// Lets everything act that is due. What that sets anew is due at the next millisecond at the earliest.
    pub fn on_time(&mut self, now: Now) -> Effects {
        let mut out = Effects::default();
        self.timers.begin_acting(now.steady_ms);
        while let Some(key) = self.timers.pop_due(now.steady_ms) {
            match key {
                TimerKey::Join(group_id) => self.with_group(&group_id, now, &mut out, |turn| {
                    turn.join_deadline();
                }),
                TimerKey::Sync(group_id) => self.with_group(&group_id, now, &mut out, |turn| {
                    turn.sync_deadline();
                }),
                TimerKey::Session(group_id, member_id) if self.consumer_group(&group_id).is_none() => {
                    self.with_group(&group_id, now, &mut out, |turn| turn.session_deadline(&member_id));
                }
                TimerKey::Session(..)
                | TimerKey::Revoke(..)
                | TimerKey::MemberJoin(..)
                | TimerKey::MemberSync(..) => self.member_deadline(key, now, &mut out),
                TimerKey::Resolve(group_id) => self.look_up_expressions(&group_id, &mut out),
                TimerKey::Retention => self.expire(now, &mut out),
            }
            if !out.appends.is_empty() {
                // What is due next may depend on what these records change: the caller comes back at once.
                break;
            }
        }
        self.timers.end_acting();
        out
    }

    /// When [`Shard::on_time`] wants to be called, by the steady clock; none before the shard is loaded.
    pub fn next_deadline(&self) -> Option<i64> {
        self.timers.next_deadline()
    }

    /// The records of an append are in the log. The replies may go out once they are as durable as was asked.
    pub fn appended(&mut self, append: Append, now: Now) -> Effects {
        let mut out = Effects::default();
        for record in append.records {
            match (record, append.in_txn) {
                (Record::Offset { key, value: Some(value) }, Some(producer)) => {
                    self.replay_pending(producer.producer_id, &key, value, now.wall_ms);
                }
                (Record::Offset { key, value }, _) => self.replay_offset(&key, value, now.wall_ms),
                (Record::Group { group_id, value: None }, _) => {
                    self.send_away(&group_id, Error::RebalanceInProgress, &mut out);
                    self.forget_group(&group_id);
                }
                (Record::Consumer { group_id, record }, _) => self.apply(&group_id, record),
                // The living group is what the record was made from.
                (Record::Group { value: Some(_), .. }, _) => {}
            }
        }
        match append.then {
            Then::Nothing => {}
            Then::Reply(reply) => out.replies.push(reply),
            Then::Assign { group_id, generation, assignments } => {
                self.with_group(&group_id, now, &mut out, |turn| {
                    turn.assignment_kept(generation, &assignments);
                });
            }
            Then::Replace { group_id, undo } => {
                self.with_group(&group_id, now, &mut out, |turn| turn.replacement_kept(&undo));
            }
            Then::Join(join) => self.join_successor(*join, now, &mut out),
            Then::Consumer(outcome) => self.outcome_kept(*outcome, now, &mut out),
        }
        out
    }

    /// The records of an append could not be written; whoever waited for them is refused with `error`.
    pub fn append_failed(&mut self, append: Append, error: Error, now: Now) -> Effects {
        let mut out = Effects::default();
        match append.then {
            Then::Nothing => {}
            Then::Reply(reply) => out.reply(reply.token, reply.answer.refuse(error)),
            Then::Assign { group_id, generation, .. } => {
                self.with_group(&group_id, now, &mut out, |turn| {
                    turn.assignment_failed(generation, error);
                });
            }
            Then::Replace { group_id, undo } => {
                self.with_group(&group_id, now, &mut out, |turn| turn.replacement_failed(*undo, error));
            }
            Then::Join(join) => {
                let answer = JoinAnswer::refused(join.member_id.as_str(), error);
                out.reply(join.token, Answer::Join(answer));
            }
            Then::Consumer(outcome) => self.outcome_failed(*outcome, error, now, &mut out),
        }
        out
    }

    /// Ends the waiting of everyone, with `error`: the shard is about to be given up.
    pub fn close(&mut self, error: Error) -> Effects {
        let mut out = Effects::default();
        for group in self.groups.values_mut() {
            if let AnyGroup::Classic(group) = group {
                group.send_everyone_away(error, &mut out);
            }
        }
        self.timers = Timers::default();
        out
    }

    pub(crate) fn any_group(&self, group_id: &str) -> Option<&AnyGroup> {
        self.groups.get(group_id)
    }

    /// The classic group of this name.
    pub(crate) fn group(&self, group_id: &str) -> Option<&Group> {
        match self.groups.get(group_id)? {
            AnyGroup::Classic(group) => Some(group),
            AnyGroup::Consumer(_) => None,
        }
    }

    /// The consumer group of this name.
    pub(crate) fn consumer_group(&self, group_id: &str) -> Option<&consumer::Group> {
        match self.groups.get(group_id)? {
            AnyGroup::Consumer(group) => Some(group),
            AnyGroup::Classic(_) => None,
        }
    }

    pub(crate) fn consumer_groups(&self) -> impl Iterator<Item = &consumer::Group> {
        self.groups.values().filter_map(|group| match group {
            AnyGroup::Consumer(group) => Some(group),
            AnyGroup::Classic(_) => None,
        })
    }

    /// For what is not in the log.
    pub(crate) fn consumer_group_mut(&mut self, group_id: &str) -> Option<&mut consumer::Group> {
        match self.groups.get_mut(group_id)? {
            AnyGroup::Consumer(group) => Some(group),
            AnyGroup::Classic(_) => None,
        }
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = &AnyGroup> {
        self.groups.values()
    }

    /// The groups from this one on, by name.
    pub(crate) fn groups_from(&self, group_id: Option<&Arc<str>>) -> impl Iterator<Item = &AnyGroup> {
        let from = group_id.map_or(Bound::Unbounded, |id| Bound::Included(&**id));
        self.groups.range::<str, _>((from, Bound::Unbounded)).map(|(_, group)| group)
    }

    /// Bytes that groups and offsets take in memory, about.
    pub const fn bytes(&self) -> usize {
        self.group_bytes + self.offsets.bytes() + self.pending.bytes()
    }

    /// The most bytes that one append of a clean-up may have from now on: what the log takes.
    pub const fn limit_append(&mut self, bytes: usize) {
        self.settings.limits.append_bytes = bytes;
    }

    /// The most bytes that one record may have from now on.
    pub const fn limit_record(&mut self, bytes: usize) {
        self.settings.limits.record_bytes = bytes;
    }

    /// The most bytes that may be held from now on, if that is less than [`Limits::bytes`](crate::Limits::bytes): others
    /// take from the same memory.
    pub const fn limit_bytes(&mut self, bytes: usize) {
        self.bytes_allowed = bytes;
    }

    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// How many offsets are committed.
    pub const fn offset_count(&self) -> usize {
        self.offsets.len()
    }

    pub(crate) const fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    pub(crate) const fn pending(&self) -> &Pending {
        &self.pending
    }

    pub(crate) const fn pending_mut(&mut self) -> &mut Pending {
        &mut self.pending
    }

    pub(crate) fn with_group(
        &mut self,
        group_id: &str,
        now: Now,
        out: &mut Effects,
        act: impl FnOnce(&mut Turn<'_>),
    ) {
        let Some(AnyGroup::Classic(group)) = self.groups.get_mut(group_id) else { return };
        self.group_bytes -= group.bytes();
        let mut turn = Turn { group, timers: &mut self.timers, settings: &self.settings, out, now };
        act(&mut turn);
        self.group_bytes += turn.group.bytes();
    }

    /// Lets a record of a consumer group act. A classic group of that name gives way.
    fn apply(&mut self, group_id: &Arc<str>, record: ConsumerRecord) {
        if self.consumer_group(group_id).is_none() {
            if record.is_tombstone() {
                return;
            }
            self.insert_group(AnyGroup::Consumer(consumer::Group::new(group_id.clone())));
        }
        let Some(AnyGroup::Consumer(group)) = self.groups.get_mut(group_id) else { return };
        let gone = match &record {
            ConsumerRecord::Member { member_id, value: None } => Some(member_id.clone()),
            _ => None,
        };
        self.group_bytes -= group.bytes();
        let stays = group.apply(record);
        self.group_bytes += group.bytes();
        if !stays {
            self.forget_group(group_id);
        }
        if let Some(member_id) = gone {
            self.forget_member_deadlines(group_id, &member_id);
        }
    }

    /// Whoever waits for an answer of a classic group gets an error instead.
    fn send_away(&mut self, group_id: &str, error: Error, out: &mut Effects) {
        if let Some(AnyGroup::Classic(group)) = self.groups.get_mut(group_id) {
            group.send_everyone_away(error, out);
        }
    }

    pub(crate) fn insert_group(&mut self, group: AnyGroup) {
        self.group_bytes += group.bytes();
        if let Some(old) = self.groups.insert(group.id().clone(), group) {
            self.group_bytes -= old.bytes();
        }
    }

    pub(crate) fn remove_group(&mut self, group_id: &str) -> Option<AnyGroup> {
        let group = self.groups.remove(group_id)?;
        self.group_bytes -= group.bytes();
        Some(group)
    }

    /// Makes a group that nobody joined yet.
    pub(crate) fn create_group(&mut self, group_id: &str, wall_ms: i64) {
        if !self.groups.contains_key(group_id) {
            self.insert_group(AnyGroup::Classic(Group::new(Arc::from(group_id), wall_ms)));
        }
    }

    pub(crate) fn schedule_expiry(&mut self, now: Now) {
        let next_ms = now.deadline(self.settings.offsets_retention_check_interval_ms.max(1));
        self.timers.set(TimerKey::Retention, next_ms);
    }

    /// The look for what expired is not through: it goes on after what else is due.
    pub(crate) fn resume_expiry(&mut self, now: Now) {
        self.timers.set(TimerKey::Retention, now.deadline(1));
    }

    fn replay_offset(&mut self, key: &OffsetKey, value: Option<OffsetValue>, wall_ms: i64) {
        let Some(value) = value else {
            self.offsets.remove(key);
            return self.pending.forget(key);
        };
        self.pending.overtaken(key);
        self.settle_offset(key, value, wall_ms);
    }

    /// An offset is committed: offsets of a group that nobody joined make the group.
    pub(crate) fn settle_offset(&mut self, key: &OffsetKey, value: OffsetValue, wall_ms: i64) {
        self.create_group(&key.group_id, wall_ms);
        self.offsets.put(key, value);
    }

    /// Offsets that a group left behind whose successor was not written get a group: they can be seen and deleted, and expire.
    fn group_strays(&mut self, now: Now) {
        let strays = self.offsets.groups().map(|(group_id, _)| group_id);
        let strays: Vec<Arc<str>> = strays.filter(|id| !self.groups.contains_key(*id)).cloned().collect();
        for group_id in strays {
            self.create_group(&group_id, now.wall_ms);
        }
    }

    /// Undoes [`Shard::create_group`] for a group that nobody was let into.
    pub(crate) fn discard_group(&mut self, group_id: &str) {
        self.remove_group(group_id);
    }

    fn forget_group(&mut self, group_id: &str) {
        match self.remove_group(group_id) {
            None => {}
            Some(AnyGroup::Consumer(group)) => self.forget_deadlines(&group),
            Some(AnyGroup::Classic(group)) => {
                let id = group.id.clone();
                self.timers.cancel(&TimerKey::Join(id.clone()));
                self.timers.cancel(&TimerKey::Sync(id.clone()));
                for member_id in group.members().map(|(member_id, _)| member_id).chain(group.pending_ids()) {
                    self.timers.cancel(&TimerKey::Session(id.clone(), member_id.clone()));
                }
            }
        }
    }

    /// What a restart would bring back of a group, were its record written now; none if there is no such group.
    pub fn snapshot(&self, group_id: &str) -> Option<GroupMetadata> {
        self.group(group_id).map(|group| GroupMetadata::of(group, |_, member| member.assignment.clone()))
    }

    /// Every committed offset, in no particular order.
    pub fn committed(&self) -> impl Iterator<Item = (OffsetKey, &OffsetValue)> {
        self.offsets.groups().flat_map(|(group_id, topics)| {
            topics.iter().flat_map(move |(topic, partitions)| {
                partitions.iter().map(move |(partition, value)| {
                    let key =
                        OffsetKey { group_id: group_id.clone(), topic: topic.clone(), partition: *partition };
                    (key, value)
                })
            })
        })
    }

    /// Every request that waits for an answer.
    pub fn waiting(&self) -> Vec<Token> {
        let classic = self.groups.values().filter_map(|group| match group {
            AnyGroup::Classic(group) => Some(group),
            AnyGroup::Consumer(_) => None,
        });
        classic.flat_map(Group::waiting).collect()
    }
}
