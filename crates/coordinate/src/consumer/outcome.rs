//! A decision that is made: its records on their way into the log, and what follows once they are there, or are not.

use std::sync::Arc;

use super::group::Group;
use super::migrate::Downgrade;
use super::plan::{Plan, Timed};
use crate::answer::{Answer, Reply};
use crate::effects::{Effects, Then};
use crate::error::Error;
use crate::input::Token;
use crate::note::Event;
use crate::now::Now;
use crate::records::Record;
use crate::shard::Shard;
use crate::timers::TimerKey;

/// The deadline of a member that could not be put out comes again after this.
const EXPEL_AGAIN_MS: i64 = 500;

/// A plan without the group that it was made for.
pub(crate) struct Planned {
    pub(crate) group_id: Arc<str>,
    pub(crate) records: Vec<Record>,
    pub(crate) timed: Vec<Timed>,
    notes: Vec<Event>,
    topics_seen: Option<u64>,
    next_target_ms: Option<i32>,
}

impl Plan<'_> {
    pub(crate) fn done(self) -> Planned {
        Planned {
            group_id: self.group.id.clone(),
            records: self.records,
            timed: self.timed,
            notes: self.notes,
            topics_seen: self.topics_seen,
            next_target_ms: self.next_target_ms,
        }
    }
}

/// What follows when the records of a decision are in the log.
#[derive(Debug)]
pub(crate) struct Outcome {
    group_id: Arc<str>,
    timed: Vec<Timed>,
    reply: Option<Reply>,
    /// A member is out because this deadline had come.
    expelled: Option<TimerKey>,
    /// There is a new target; the next one not before this long.
    next_target_ms: Option<i32>,
    /// Expressions are resolved against this version of the topics.
    pub(crate) topics_resolved: Option<u64>,
    pub(crate) downgrade: Option<Downgrade>,
}

impl Outcome {
    pub(crate) const fn new(group_id: Arc<str>, timed: Vec<Timed>, reply: Option<Reply>) -> Self {
        Self {
            group_id,
            timed,
            reply,
            expelled: None,
            next_target_ms: None,
            topics_resolved: None,
            downgrade: None,
        }
    }

    pub(crate) fn expels(mut self, because: TimerKey) -> Self {
        self.expelled = Some(because);
        self
    }
}

impl Shard {
    /// Writes what was decided; the answer follows when it is in the log.
    pub(crate) fn carry_out(
        &mut self,
        planned: Planned,
        answer: Option<(Token, Answer)>,
        now: Now,
        out: &mut Effects,
    ) {
        let (records, outcome) = self.outcome(planned, answer, out);
        self.finish(records, outcome, now, out);
    }

    /// Takes apart what was decided.
    pub(crate) fn outcome(
        &mut self,
        planned: Planned,
        answer: Option<(Token, Answer)>,
        out: &mut Effects,
    ) -> (Vec<Record>, Outcome) {
        let Planned { group_id, records, timed, notes, topics_seen, next_target_ms } = planned;
        for event in notes {
            out.note(&group_id, event);
        }
        if let (Some(seen), Some(group)) = (topics_seen, self.consumer_group_mut(&group_id)) {
            group.topics_seen = Some(seen);
        }
        let reply = answer.map(|(token, answer)| Reply { token, answer });
        (records, Outcome { next_target_ms, ..Outcome::new(group_id, timed, reply) })
    }

    pub(crate) fn finish(&mut self, records: Vec<Record>, outcome: Outcome, now: Now, out: &mut Effects) {
        if records.is_empty() {
            self.outcome_kept(outcome, now, out);
        } else {
            out.append(records, Then::Consumer(Box::new(outcome)));
        }
    }

    /// Its records are in the log, or it had none.
    pub(crate) fn outcome_kept(&mut self, outcome: Outcome, now: Now, out: &mut Effects) {
        let Outcome { group_id, timed, reply, next_target_ms, topics_resolved, downgrade, .. } = outcome;
        for timed in timed {
            self.set_deadline(&group_id, timed, now);
        }
        if let (Some(_), Some(group)) = (next_target_ms, self.consumer_group_mut(&group_id)) {
            (group.target_steady_ms, group.next_target_ms) = (Some(now.steady_ms), next_target_ms);
        }
        if let (Some(version), Some(group)) = (topics_resolved, self.consumer_group_mut(&group_id)) {
            (group.look.topics_version, group.look.failed) = (Some(version), false);
        }
        if let Some(downgrade) = downgrade {
            self.downgraded(downgrade, now, out);
        }
        out.replies.extend(reply);
    }

    /// Its records could not be written: all is as before. Whoever gave a sign of life is still alive.
    pub(crate) fn outcome_failed(&mut self, outcome: Outcome, error: Error, now: Now, out: &mut Effects) {
        let Outcome { group_id, timed, reply, expelled, .. } = outcome;
        for timed in timed {
            let is_member = |id: &Arc<str>| {
                self.consumer_group(&group_id).is_some_and(|group| group.member(id).is_some())
            };
            if matches!(&timed, Timed::Session(id, _) if is_member(id)) {
                self.set_deadline(&group_id, timed, now);
            }
        }
        if let Some(key) = expelled {
            self.timers.set(key, now.deadline(EXPEL_AGAIN_MS));
        }
        if let Some(reply) = reply {
            out.reply(reply.token, reply.answer.refuse(error));
        }
    }

    fn set_deadline(&mut self, group_id: &Arc<str>, timed: Timed, now: Now) {
        let group = || group_id.clone();
        let after = |ms: i32| now.deadline(i64::from(ms));
        match timed {
            Timed::Session(id, ms) => self.timers.set(TimerKey::Session(group(), id), after(ms)),
            Timed::Revoke(id, ms) => self.timers.set(TimerKey::Revoke(group(), id), after(ms)),
            Timed::Revoked(id) => self.timers.cancel(&TimerKey::Revoke(group(), id)),
            Timed::Join(id, ms) => {
                let key = TimerKey::MemberJoin(group(), id);
                if !self.timers.has(&key) {
                    self.timers.set(key, after(ms));
                }
            }
            Timed::Joined(id) => self.timers.cancel(&TimerKey::MemberJoin(group(), id)),
            Timed::Sync(id, ms) => self.timers.set(TimerKey::MemberSync(group(), id), after(ms)),
            Timed::Synced(id) => self.timers.cancel(&TimerKey::MemberSync(group(), id)),
            Timed::Resolve => self.timers.set(TimerKey::Resolve(group()), now.deadline(0)),
        }
    }

    /// A member is gone: nothing of it is due any more.
    pub(crate) fn forget_member_deadlines(&mut self, group_id: &Arc<str>, member_id: &Arc<str>) {
        let ids = || (group_id.clone(), member_id.clone());
        let key_of = |of: fn(Arc<str>, Arc<str>) -> TimerKey| {
            let (group_id, member_id) = ids();
            of(group_id, member_id)
        };
        self.timers.cancel(&key_of(TimerKey::Session));
        self.timers.cancel(&key_of(TimerKey::Revoke));
        self.timers.cancel(&key_of(TimerKey::MemberJoin));
        self.timers.cancel(&key_of(TimerKey::MemberSync));
    }

    /// A group is gone.
    pub(crate) fn forget_deadlines(&mut self, group: &Group) {
        self.timers.cancel(&TimerKey::Resolve(group.id.clone()));
        for (member_id, _) in group.members() {
            self.forget_member_deadlines(&group.id, member_id);
        }
    }
}
