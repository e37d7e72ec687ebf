//! Reading as a member of a group.
//!
//! ```text
//! join ── share ── read, print, commit every few seconds ──> enough, a signal, nothing more to read: commit, leave
//!  ^                              │
//!  └── commit ── others came or went
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use pagewire_wire::ErrorCode;
use tokio_util::sync::CancellationToken;

use super::reading::Reading;
use super::{Plan, held_back};
use crate::client::membership::{Lost, Member};
use crate::client::{Client, Error, Place};
use crate::commands::{positions, stop};
use crate::output::complain;

/// Time between two commits.
const COMMIT_EVERY: Duration = Duration::from_secs(5);
/// Times the last commit is tried, each in a new generation.
const LAST_COMMITS: usize = 3;

/// How a session ended.
enum End {
    /// It is enough, or a signal came.
    Enough,
    /// The membership has to be renewed.
    Lost(Lost),
    /// No more can be read.
    Unread(anyhow::Error),
}

/// Prints until it is enough, or a signal comes; always leaves the group.
pub(super) async fn run(
    mut client: Client,
    mut plan: Plan,
    group: &str,
    commits: bool,
) -> anyhow::Result<()> {
    let stop = stop::on_signal()?;
    let mut member = Member::new(group, std::slice::from_ref(&plan.topic));
    let result = sessions(&mut client, &mut plan, &mut member, commits, &stop).await;
    let left = member.leave(&mut client).await;
    result?;
    if let Err(error) = left {
        complain(format_args!("leaving group {group}: {error}"));
    }
    plan.out.flush()
}

/// Session after session, until one ends for good.
async fn sessions(
    client: &mut Client,
    plan: &mut Plan,
    member: &mut Member,
    commits: bool,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let share = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            share = member.join(client) => share?,
        };
        let mut reading = begin(client, plan, member, &share).await?;
        match session(client, plan, member, commits, stop, &mut reading).await? {
            End::Enough => {
                plan.out.flush()?;
                if commits {
                    commit_last(client, plan, member, &reading).await?;
                }
                held_back::tell(client, plan, &share).await;
                return Ok(());
            }
            End::Unread(error) => {
                plan.out.flush()?;
                if commits && let Err(refused) = commit_last(client, plan, member, &reading).await {
                    complain(format_args!("what was printed last is not committed: {refused:#}"));
                }
                return Err(error);
            }
            End::Lost(lost) => {
                // Who is forgotten may not commit any more; what it printed since then is printed again.
                if commits && lost != Lost::Forgotten {
                    commit(client, plan, member, &reading).await?;
                }
                if lost == Lost::Forgotten {
                    member.forget();
                }
            }
        }
    }
}

/// Where the group has committed, or where the options say.
async fn begin(
    client: &mut Client,
    plan: &Plan,
    member: &Member,
    share: &[Place],
) -> anyhow::Result<Reading> {
    let committed = client.committed(&member.committer().group).await?;
    let limits = positions::limits(client, share, plan.isolation).await?;
    let (known, new): (BTreeMap<_, _>, BTreeMap<_, _>) = limits
        .iter()
        .map(|(place, limits)| (place.clone(), *limits))
        .partition(|(place, _)| committed.contains_key(place));
    let mut starts = positions::resolve(client, plan.from, &new, plan.isolation).await?;
    starts.extend(committed.into_iter().filter(|(place, _)| known.contains_key(place)));
    Ok(Reading::new(plan, starts, &limits))
}

/// Reads until it is enough, no more can be read, or the membership has to be renewed.
async fn session(
    client: &mut Client,
    plan: &mut Plan,
    member: &mut Member,
    commits: bool,
    stop: &CancellationToken,
    reading: &mut Reading,
) -> anyhow::Result<End> {
    let mut tick = tokio::time::interval(COMMIT_EVERY);
    tick.reset();
    while !reading.is_finished(plan) {
        tokio::select! {
            () = stop.cancelled() => return Ok(End::Enough),
            lost = member.lost() => return Ok(End::Lost(lost)),
            _ = tick.tick(), if commits => commit(client, plan, member, reading).await?,
            chunk = reading.next(client) => match chunk {
                Ok(chunk) => reading.print(plan, &chunk)?,
                Err(error) => return Ok(End::Unread(error)),
            },
        }
    }
    Ok(End::Enough)
}

/// Commits what was printed. A group that has moved on says so, and the next heartbeat does too.
async fn commit(
    client: &mut Client,
    plan: &mut Plan,
    member: &Member,
    reading: &Reading,
) -> anyhow::Result<()> {
    plan.out.flush()?;
    match client.commit(&member.committer(), &reading.done(&plan.topic)).await {
        Err(error) if !has_moved_on(&error) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Before leaving: if the group has moved on, joins once more and commits what is still ours.
async fn commit_last(
    client: &mut Client,
    plan: &Plan,
    member: &mut Member,
    reading: &Reading,
) -> anyhow::Result<()> {
    let mut offsets = reading.done(&plan.topic);
    for attempt in 1.. {
        match client.commit(&member.committer(), &offsets).await {
            Err(error) if has_moved_on(&error) && attempt < LAST_COMMITS => {
                let share = member.join(client).await?;
                offsets.retain(|place, _| share.contains(place));
            }
            result => return Ok(result?),
        }
    }
    Ok(())
}

fn has_moved_on(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration | ErrorCode::UnknownMemberId)
    )
}
