//! Membership of a classic consumer group: join, share out as leader, sync, heartbeats, leave.
//!
//! ```text
//! join ── MEMBER_ID_REQUIRED: join again with the id given ──┐
//!  │  <──────────────────────────────────────────────────────┘
//! (leader shares the partitions out)
//! sync ── assignment ── heartbeats ... until the group rebalances: commit, join again
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use pagewire_wire::messages::heartbeat_request::HeartbeatRequest;
use pagewire_wire::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use pagewire_wire::messages::join_group_response::JoinGroupResponse;
use pagewire_wire::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use pagewire_wire::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use pagewire_wire::{ErrorCode, Str};
use tokio::task::JoinSet;

use super::assignor;
use super::deadline::{Deadline, Retry};
use super::error::Error;
use super::offsets::Committer;
use super::routing::{Client, Target, Which};
use super::{Connection, Place, Result};

/// A member that is silent for so long is thrown out.
const SESSION_MS: i32 = 45_000;
/// A rebalance waits so long for its members.
const REBALANCE_MS: i32 = 60_000;
/// Time between two heartbeats.
const BEAT: Duration = Duration::from_secs(3);
/// From this version on a list of members leaves.
const LEAVE_SEVERAL: i16 = 3;

/// A member of a group.
#[derive(Debug)]
pub(crate) struct Member {
    group: Str,
    topics: Vec<String>,
    id: Str,
    generation: i32,
    beats: JoinSet<Lost>,
}

/// Why a membership has to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Others came or went.
    Rebalance,
    /// The group no longer knows this member or its generation.
    Forgotten,
    /// The coordinator moved or cannot be reached.
    Coordinator,
}

impl Member {
    /// Of `group`, for `topics`; joins nothing yet.
    pub(crate) fn new(group: &str, topics: &[String]) -> Self {
        Self {
            group: Str::from(group.to_owned()),
            topics: topics.to_vec(),
            id: Str::new(),
            generation: -1,
            beats: JoinSet::new(),
        }
    }

    /// In whose name to commit.
    pub(crate) fn committer(&self) -> Committer {
        Committer { group: self.group.to_string(), member: self.id.clone(), generation: self.generation }
    }

    /// Joins, or joins again, and returns this member's share once the group has agreed on it. Other members may be waited
    /// for; a group that cannot be joined is tried no longer than anything else.
    pub(crate) async fn join(&mut self, client: &mut Client) -> Result<Vec<Place>> {
        self.beats.abort_all();
        let mut retry = client.retry();
        let agreed = Deadline::after(client.timeout() + Duration::from_millis(REBALANCE_MS as u64));
        let mut rebalances = Retry::until(agreed);
        loop {
            match self.join_once(client, (retry.deadline(), agreed)).await {
                Ok(share) => return Ok(share),
                Err(error) => match error.code() {
                    Some(ErrorCode::MemberIdRequired) => {}
                    Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration) => self.forget(),
                    Some(ErrorCode::RebalanceInProgress) => {
                        rebalances.after(rejoin(error)).await?;
                        // The group answers, so it can be joined.
                        retry = client.retry();
                    }
                    _ => client.wait_for_group(&mut retry, error).await?,
                },
            }
        }
    }

    /// The group knows this member no more: the next join is that of a newcomer.
    pub(crate) fn forget(&mut self) {
        self.id = Str::new();
        self.generation = -1;
    }

    /// One attempt: to find the coordinator until the first deadline, to agree with the other members until the second.
    async fn join_once(
        &mut self,
        client: &mut Client,
        (deadline, agreed): (Deadline, Deadline),
    ) -> Result<Vec<Place>> {
        let node = client.coordinator_once(&self.group, deadline).await?;
        let mut connection = client.dedicated(node, deadline).await?;
        let request = self.join_request();
        let joined = connection.ask(i16::MAX, agreed, |_| request).await?;
        if !joined.member_id.is_empty() {
            self.id = joined.member_id.detach();
        }
        Error::check(joined.error_code, None, || format!("joining group {}", self.group))?;
        self.generation = joined.generation_id;
        let leads = joined.leader == joined.member_id && !joined.skip_assignment;
        let assignments = if leads { share_out(client, &joined).await? } else { Vec::new() };
        let sync = SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            protocol_type: Some(Str::from_static("consumer")),
            protocol_name: Some(Str::from_static(assignor::RANGE)),
            assignments,
            ..SyncGroupRequest::default()
        };
        let synced = connection.ask(i16::MAX, agreed, |_| sync).await?;
        Error::check(synced.error_code, None, || format!("joining group {}", self.group))?;
        self.beats = JoinSet::new();
        self.beats.spawn(beat(connection, self.heartbeat()));
        Ok(assignor::assigned(synced.assignment))
    }

    fn join_request(&self) -> JoinGroupRequest {
        let metadata = assignor::subscription(&self.topics);
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: REBALANCE_MS,
            member_id: self.id.clone(),
            protocol_type: Str::from_static("consumer"),
            protocols: vec![JoinGroupRequestProtocol { name: Str::from_static(assignor::RANGE), metadata }],
            ..JoinGroupRequest::default()
        }
    }

    fn heartbeat(&self) -> HeartbeatRequest {
        HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            ..HeartbeatRequest::default()
        }
    }

    /// Ends when the membership has to be renewed. May be dropped and called again.
    pub(crate) async fn lost(&mut self) -> Lost {
        match self.beats.join_next().await {
            Some(Ok(lost)) => lost,
            _ => Lost::Coordinator,
        }
    }

    /// Leaves at once, so that the others need not wait for the session to end.
    pub(crate) async fn leave(mut self, client: &mut Client) -> Result<()> {
        self.beats.abort_all();
        if self.id.is_empty() {
            return Ok(());
        }
        let deadline = client.deadline().at_most(BEAT);
        let node = client.coordinator_once(&self.group, deadline).await?;
        let answer = client
            .call_once(Target::Node(node), i16::MAX, deadline, |version| {
                let member = MemberIdentity { member_id: self.id.clone(), ..MemberIdentity::default() };
                let group_id = self.group.clone();
                if version < LEAVE_SEVERAL {
                    LeaveGroupRequest { group_id, member_id: self.id.clone(), members: Vec::new() }
                } else {
                    LeaveGroupRequest { group_id, member_id: Str::new(), members: vec![member] }
                }
            })
            .await?;
        Error::check(answer.error_code, None, || format!("leaving group {}", self.group))
    }
}

/// A rebalance that came in between is over soon: the same error, as one that passes.
fn rejoin(error: Error) -> Error {
    match error {
        Error::Api { what, message, .. } => {
            Error::Api { what, code: ErrorCode::CoordinatorLoadInProgress.code(), message }
        }
        other => other,
    }
}

/// The leader's work: the partitions of all wanted topics, in ranges.
async fn share_out(
    client: &mut Client,
    joined: &JoinGroupResponse,
) -> Result<Vec<SyncGroupRequestAssignment>> {
    let wish = |member: &pagewire_wire::messages::join_group_response::JoinGroupResponseMember| {
        (member.member_id.to_string(), assignor::subscribed(member.metadata.clone()))
    };
    let wishes: BTreeMap<String, Vec<String>> = joined.members.iter().map(wish).collect();
    let names: BTreeSet<&str> = wishes.values().flatten().map(String::as_str).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let topics = client.metadata(Which::Named(&names)).await?;
    let count =
        |topic: &super::Topic| (topic.name.clone(), i32::try_from(topic.partitions.len()).unwrap_or(0));
    let shares = assignor::range(&wishes, &topics.iter().map(count).collect());
    let share = |(member, places): (String, Vec<Place>)| SyncGroupRequestAssignment {
        member_id: Str::from(member),
        assignment: assignor::assignment(&places),
    };
    Ok(shares.into_iter().map(share).collect())
}

/// Says "I live" until that no longer serves.
async fn beat(mut connection: Connection, heartbeat: HeartbeatRequest) -> Lost {
    loop {
        tokio::time::sleep(BEAT).await;
        let deadline = Deadline::after(Duration::from_millis(SESSION_MS as u64));
        let Ok(answer) = connection.ask(i16::MAX, deadline, |_| heartbeat.clone()).await else {
            return Lost::Coordinator;
        };
        match ErrorCode::from_code(answer.error_code) {
            Some(ErrorCode::None) => {}
            Some(ErrorCode::RebalanceInProgress) => return Lost::Rebalance,
            Some(ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration | ErrorCode::FencedInstanceId) => {
                return Lost::Forgotten;
            }
            _ => return Lost::Coordinator,
        }
    }
}
