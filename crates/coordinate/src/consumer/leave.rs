//! Members that go: by their own word, by an administrator's, or because they kept silent.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::counts::Counts;
use super::member::{LEAVE_FOR_A_WHILE, Member, Owned};
use super::membership::{check_instance, not_a_member};
use super::plan::{Plan, Refusal, Timed, refuse};
use crate::answer::ConsumerHeartbeatAnswer;
use crate::error::Error;
use crate::input::ConsumerHeartbeat;
use crate::note::Event;
use crate::records::ConsumerRecord;

impl Plan<'_> {
    /// The member that a heartbeat with epoch -1 or -2 speaks of.
    pub(crate) fn leaver(&self, beat: &ConsumerHeartbeat) -> Result<Arc<str>, Refusal> {
        let Some(instance_id) = &beat.instance_id else {
            return match self.group.member(&beat.member_id) {
                Some(_) => Ok(Arc::from(beat.member_id.as_str())),
                None => refuse(Error::UnknownMemberId, not_a_member(&beat.member_id, &self.group.id)),
            };
        };
        let Some(holder) = self.group.static_member(instance_id) else {
            return refuse(Error::UnknownMemberId, format!("Instance id {instance_id} is unknown."));
        };
        check_instance(holder, &beat.member_id, instance_id)?;
        Ok(holder.clone())
    }

    /// A static member goes for a while: it keeps its place and its partitions until its session ends. What it had to give
    /// back it has given back, by going.
    pub(crate) fn leave_for_a_while(&mut self, member_id: &Arc<str>) {
        let Some(mut away) = self.group.member(member_id).cloned() else { return };
        away.epoch = LEAVE_FOR_A_WHILE;
        away.revoking = Owned::new();
        for epoch in away.assigned.values_mut().flat_map(BTreeMap::values_mut) {
            // Whoever takes its place has them from the beginning.
            *epoch = 0;
        }
        let value = Some(away.current());
        self.write(ConsumerRecord::Current { member_id: member_id.clone(), value });
        self.timed.push(Timed::Revoked(member_id.clone()));
        self.notes.push(Event::Left { member_id: member_id.clone(), reason: None });
    }

    /// Members are out. The next assignment is due.
    pub(crate) fn take_out(&mut self, ids: &[Arc<str>]) {
        let group = self.group;
        let gone: Vec<(&Arc<str>, &Member)> =
            ids.iter().filter_map(|id| Some((id, group.member(id)?))).collect();
        if gone.is_empty() {
            return;
        }
        for (id, _) in &gone {
            self.forget_member(id);
        }
        let expressions = self.orphaned(&gone);
        for expression in &expressions {
            self.write(ConsumerRecord::Regex { expression: expression.clone(), value: None });
        }
        let hash = self.hash_without(&gone, &expressions);
        self.raise_epoch(hash);
    }

    /// Expressions that nobody else names.
    fn orphaned(&self, gone: &[(&Arc<str>, &Member)]) -> Vec<Arc<str>> {
        let mut counts = Counts::default();
        gone.iter().filter_map(|(_, member)| member.expression()).for_each(|name| counts.add(name));
        let all = counts.iter().filter(|(name, count)| self.group.expressions.of(name) == *count);
        all.map(|(name, _)| name.clone()).collect()
    }
}

/// What a member that goes is told.
pub(crate) fn farewell(beat: &ConsumerHeartbeat, member_id: &Arc<str>) -> ConsumerHeartbeatAnswer {
    ConsumerHeartbeatAnswer {
        error: None,
        message: None,
        member_id: Some(member_id.clone()),
        member_epoch: beat.member_epoch,
        heartbeat_interval_ms: 0,
        assignment: None,
    }
}
