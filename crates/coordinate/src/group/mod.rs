//! One classic group: its members, what they offer, who leads, and in which state it is.
//!
//! ```text
//!                 first join                    all joined or time up
//!      Empty ─────────────────► PreparingRebalance ─────────────────► CompletingRebalance
//!        ▲                        ▲   │      ▲                              │     │
//!        └── nobody came back ────┼───┘      └── join, leave, timeout ──────┘     │ leader's assignment is kept
//!                                 └────── join, leave, timeout ────── Stable ◄────┘
//! ```
//!
//! A group that is deleted leaves the shard: `Dead` exists only in answers about groups that are not there. The
//! transitions live one family per file beside this one, on [`Turn`]; this file keeps the counts true that they rely on.

mod heartbeat;
mod join;
mod leave;
mod member;
mod protocols;
mod rebalance;
mod statics;
mod subscription;
mod sync;
mod turn;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use crate::error::Error;
use crate::input::{Protocol, Token};
use crate::memory::{TIMER_BYTES, text_bytes, tree_bytes};
use crate::records::{GroupMetadata, members_of};

pub(crate) use member::{Member, weight_of, weight_of_newcomer};
pub(crate) use statics::Undo;
pub(crate) use turn::Turn;

/// The states of KIP-848's "classic" groups, spelt as DescribeGroups and ListGroups spell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupState {
    /// No members; offsets may remain.
    Empty,
    /// Waiting for members to join.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// Members work on their assignments.
    Stable,
    /// Not there (any more).
    Dead,
}

impl GroupState {
    /// The name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::PreparingRebalance => "PreparingRebalance",
            Self::CompletingRebalance => "CompletingRebalance",
            Self::Stable => "Stable",
            Self::Dead => "Dead",
        }
    }
}

impl fmt::Display for GroupState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// What the join deadline means when it comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum JoinWait {
    /// Time is up for members that have not come back.
    #[default]
    Rebalance,
    /// The first members of an empty group: wait once more if others arrived and time remains.
    Initial { delay_ms: i32, remaining_ms: i32 },
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: Arc<str>,
    state: GroupState,
    previous_state: GroupState,
    pub(crate) state_since_ms: Option<i64>,
    pub(crate) protocol_type: Option<Arc<str>>,
    pub(crate) protocol: Option<Arc<str>>,
    pub(crate) generation: i32,
    pub(crate) leader: Option<Arc<str>>,
    members: BTreeMap<Arc<str>, Member>,
    /// Instance id to member id.
    statics: BTreeMap<Arc<str>, Arc<str>>,
    /// Ids given out whose owners have not joined with them yet.
    pending_join: BTreeSet<Arc<str>>,
    /// Members of the new generation that have not synced yet.
    pub(crate) pending_sync: BTreeSet<Arc<str>>,
    /// How many members wait in a join.
    awaiting_join: usize,
    /// How many members offer a protocol.
    support: HashMap<Arc<str>, usize>,
    /// Topics that members of protocol type `consumer` subscribe to; none when that is not known.
    pub(crate) subscribed: Option<BTreeSet<Arc<str>>>,
    /// A member arrived since the initial wait was last prolonged.
    pub(crate) new_member_added: bool,
    pub(crate) join_wait: JoinWait,
    /// What ids and members take in memory, about, without their places in maps.
    bytes: usize,
}

/// What a group without members takes, about: itself with its place in the shard, and two texts.
pub(crate) const fn new_group_bytes(id: &str) -> usize {
    // Maps of groups are large: their leaves are half full.
    2 * size_of::<(Arc<str>, Group)>() + 2 * text_bytes(id)
}

/// The places of so many members in the maps of their group: as a member, as one that has not synced, as a supporter.
pub(crate) const fn places_bytes(members: usize) -> usize {
    tree_bytes::<(Arc<str>, Member)>(members) + tree_bytes::<Arc<str>>(members)
}

/// An id that was given out, with its deadline.
const fn pending_bytes(id: &str) -> usize {
    TIMER_BYTES + text_bytes(id)
}

impl Group {
    pub(crate) fn new(id: Arc<str>, wall_ms: i64) -> Self {
        Self {
            bytes: new_group_bytes(&id),
            id,
            state: GroupState::Empty,
            previous_state: GroupState::Dead,
            state_since_ms: Some(wall_ms),
            protocol_type: None,
            protocol: None,
            generation: 0,
            leader: None,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            pending_join: BTreeSet::new(),
            pending_sync: BTreeSet::new(),
            awaiting_join: 0,
            support: HashMap::new(),
            subscribed: None,
            new_member_added: false,
            join_wait: JoinWait::Rebalance,
        }
    }

    /// The group that a record describes: stable with its members, or empty.
    pub(crate) fn from_record(id: Arc<str>, value: &GroupMetadata, wall_ms: i64) -> Self {
        let mut group = Self::new(id, wall_ms);
        group.state_since_ms = value.state_since_ms;
        group.protocol_type = Some(value.protocol_type.clone()).filter(|name| !name.is_empty());
        group.protocol.clone_from(&value.protocol);
        group.generation = value.generation;
        for (member_id, member) in members_of(value) {
            group.insert(member_id, member);
        }
        group.leader = value.leader.clone().filter(|leader| group.members.contains_key(leader));
        if !group.members.is_empty() {
            group.state = GroupState::Stable;
            if group.leader.is_none() {
                group.leader = group.members.keys().next().cloned();
            }
        }
        group.subscribed = group.compute_subscribed();
        group
    }

    /// A group of consumers that have what they are to have: what is left of a consumer group.
    pub(crate) fn stable(
        id: Arc<str>,
        generation: i32,
        members: impl IntoIterator<Item = (Arc<str>, Member)>,
        wall_ms: i64,
    ) -> Self {
        let mut group = Self::new(id, wall_ms);
        group.generation = generation;
        for (member_id, member) in members {
            group.add(member_id, member, "consumer");
        }
        group.protocol = group.choose_protocol();
        group.subscribed = group.compute_subscribed();
        group.enter(GroupState::Stable, wall_ms);
        group
    }

    pub(crate) const fn state(&self) -> GroupState {
        self.state
    }

    pub(crate) const fn previous_state(&self) -> GroupState {
        self.previous_state
    }

    pub(crate) fn is(&self, state: GroupState) -> bool {
        self.state == state
    }

    pub(crate) fn enter(&mut self, state: GroupState, wall_ms: i64) {
        self.previous_state = self.state;
        self.state = state;
        self.state_since_ms = Some(wall_ms);
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = (&Arc<str>, &Member)> {
        self.members.iter()
    }

    pub(crate) fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    pub(crate) fn member_ids(&self) -> Vec<Arc<str>> {
        self.members.keys().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn has_member(&self, id: &str) -> bool {
        self.members.contains_key(id)
    }

    pub(crate) fn has_no_members(&self) -> bool {
        self.members.is_empty()
    }

    /// Bytes it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        let subscribed = self.subscribed.as_ref().map_or(0, BTreeSet::len);
        self.bytes
            + places_bytes(self.members.len())
            + tree_bytes::<(Arc<str>, Arc<str>)>(self.statics.len())
            + tree_bytes::<Arc<str>>(self.pending_join.len())
            + tree_bytes::<Arc<str>>(subscribed)
            + subscribed * text_bytes("")
    }

    pub(crate) fn is_leader(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    /// The member that holds an instance id.
    pub(crate) fn static_member(&self, instance_id: &str) -> Option<&Arc<str>> {
        self.statics.get(instance_id)
    }

    pub(crate) fn is_pending(&self, id: &str) -> bool {
        self.pending_join.contains(id)
    }

    pub(crate) fn pending_len(&self) -> usize {
        self.pending_join.len()
    }

    pub(crate) fn pending_ids(&self) -> impl Iterator<Item = &Arc<str>> {
        self.pending_join.iter()
    }

    pub(crate) fn add_pending(&mut self, id: Arc<str>) {
        let bytes = pending_bytes(&id);
        if self.pending_join.insert(id) {
            self.bytes += bytes;
        }
    }

    fn remove_pending(&mut self, id: &str) {
        if self.pending_join.remove(id) {
            self.bytes -= pending_bytes(id);
        }
    }

    pub(crate) const fn awaiting_join_len(&self) -> usize {
        self.awaiting_join
    }

    pub(crate) fn all_joined(&self) -> bool {
        self.members.len() == self.awaiting_join && self.pending_join.is_empty()
    }

    /// The longest rebalance timeout of any member.
    pub(crate) fn rebalance_timeout_ms(&self) -> i32 {
        self.members.values().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0).max(0)
    }

    pub(crate) fn is_consumer(&self) -> bool {
        self.protocol_type.as_deref() == Some("consumer")
    }

    /// Adds a member that is not there yet. The first one sets the protocol type; the first without a leader leads.
    pub(crate) fn add(&mut self, id: Arc<str>, member: Member, protocol_type: &str) {
        if self.members.is_empty() {
            self.protocol_type = Some(Arc::from(protocol_type));
        }
        if self.leader.is_none() {
            self.leader = Some(id.clone());
        }
        self.remove_pending(&id);
        self.insert(id, member);
    }

    fn insert(&mut self, id: Arc<str>, member: Member) {
        self.remove(&id);
        if let Some(instance_id) = &member.instance_id {
            self.statics.insert(instance_id.clone(), id.clone());
        }
        self.count_support(&member.protocols);
        self.awaiting_join += usize::from(member.awaiting_join.is_some());
        self.bytes += member.weight(&id);
        self.members.insert(id, member);
    }

    /// Takes a member out; the leader's place goes to another member. Whoever waited for an answer is the caller's care.
    pub(crate) fn remove(&mut self, id: &str) -> Option<Member> {
        self.remove_pending(id);
        self.pending_sync.remove(id);
        let member = self.members.remove(id)?;
        self.bytes -= member.weight(id);
        self.discount_support(&member.protocols);
        self.awaiting_join -= usize::from(member.awaiting_join.is_some());
        if let Some(instance_id) = &member.instance_id
            && self.statics.get(instance_id).is_some_and(|holder| &**holder == id)
        {
            self.statics.remove(instance_id);
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// Lets a member wait in a join. The token of an earlier join of the same member comes back: nobody else answers it.
    pub(crate) fn park_join(&mut self, id: &str, token: Token) -> Option<Token> {
        let old = self.members.get_mut(id)?.awaiting_join.replace(token);
        self.awaiting_join += usize::from(old.is_none());
        old
    }

    /// Ends a member's wait in a join.
    pub(crate) fn take_join(&mut self, id: &str) -> Option<Token> {
        let token = self.members.get_mut(id)?.awaiting_join.take();
        self.awaiting_join -= usize::from(token.is_some());
        token
    }

    /// Changes what needs no count kept.
    pub(crate) fn with_member(&mut self, id: &str, change: impl FnOnce(&mut Member)) {
        if let Some(member) = self.members.get_mut(id) {
            let (waits, offers) = (member.awaiting_join, member.protocols.len());
            self.bytes -= member.assignment.len();
            change(member);
            self.bytes += member.assignment.len();
            debug_assert_eq!((waits, offers), (member.awaiting_join, member.protocols.len()));
        }
    }

    /// Takes over what a join of a known member says.
    pub(crate) fn update_member(
        &mut self,
        id: &str,
        protocols: Vec<Protocol>,
        rebalance_timeout_ms: i32,
        session_timeout_ms: i32,
    ) {
        self.count_support(&protocols);
        let Some(member) = self.members.get_mut(id) else {
            self.discount_support(&protocols);
            return;
        };
        self.bytes += weight_of(&protocols);
        let old = std::mem::replace(&mut member.protocols, protocols);
        self.bytes -= weight_of(&old);
        member.rebalance_timeout_ms = rebalance_timeout_ms;
        member.session_timeout_ms = session_timeout_ms;
        self.discount_support(&old);
    }

    /// Gives a static member a new id, everything else as it was. Who waited under the old id is the caller's care.
    pub(crate) fn rename_static(&mut self, instance_id: &Arc<str>, old_id: &str, new_id: &Arc<str>) {
        let Some(member) = self.members.remove(old_id) else { return };
        self.bytes += new_id.len();
        self.bytes -= old_id.len();
        self.members.insert(new_id.clone(), member);
        self.statics.insert(instance_id.clone(), new_id.clone());
        if self.pending_sync.remove(old_id) {
            self.pending_sync.insert(new_id.clone());
        }
        if self.is_leader(old_id) {
            self.leader = Some(new_id.clone());
        }
    }

    /// Whether a request may act for this member: its instance id must be held by exactly this member id.
    pub(crate) fn validate_member(&self, id: &str, instance_id: Option<&str>) -> Result<(), Error> {
        if let Some(instance_id) = instance_id {
            match self.static_member(instance_id) {
                None => return Err(Error::UnknownMemberId),
                Some(holder) if &**holder != id => return Err(Error::FencedInstanceId),
                Some(_) => {}
            }
        }
        if self.has_member(id) { Ok(()) } else { Err(Error::UnknownMemberId) }
    }
}
