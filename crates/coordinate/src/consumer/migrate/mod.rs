//! Groups that change sides while their members stay, and members that speak the classic protocol in a consumer group
//! (KIP-848, "online migration").
//!
//! ```text
//!   classic group ── a member of the consumer protocol joins ──────────► consumer group
//!                    its members go on, in the classic protocol
//!   consumer group ── the last member of the consumer protocol goes ───► classic group, rebalancing
//!                     classic ones are left
//! ```
//!
//! To a classic member the member epoch is its generation. It is answered at once: nobody waits for the others in a
//! consumer group. When it has to give partitions back, or may have more, its heartbeat says that a rebalance is in
//! progress; what it has then is what it names in its next join.

mod downgrade;
mod embedded;
mod heartbeat;
mod join;
mod leave;
mod sync;
mod upgrade;

use std::sync::Arc;

use super::group::Group;
use super::member::Member;
use super::plan::{Plan, Timed};
use crate::error::Error;

pub(crate) use downgrade::Downgrade;
pub(crate) use upgrade::upgrade;

/// The classic member that a request speaks of.
fn classic_member<'a>(
    group: &'a Group,
    member_id: &str,
    instance_id: Option<&str>,
) -> Result<(&'a Arc<str>, &'a Member), Error> {
    let id = match instance_id {
        None => member_id,
        Some(instance_id) => match group.static_member(instance_id) {
            None => return Err(Error::UnknownMemberId),
            Some(holder) if **holder != *member_id => return Err(Error::FencedInstanceId),
            Some(_) => member_id,
        },
    };
    let found = group.entry(id).ok_or(Error::UnknownMemberId)?;
    if found.1.classic.is_some() { Ok(found) } else { Err(Error::UnknownMemberId) }
}

impl Plan<'_> {
    /// Sessions of all classic members begin.
    pub(crate) fn renew_all_classic(&mut self) {
        let group = self.group;
        for (member_id, member) in group.members() {
            if let Some(classic) = &member.classic {
                self.timed.push(Timed::Session(member_id.clone(), classic.session_timeout_ms));
            }
        }
    }
}
