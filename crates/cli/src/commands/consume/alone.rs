//! Reading alone: all partitions, or those that were named, without a trace at the broker.

use super::Plan;
use super::reading::Reading;
use crate::client::{Client, Place};
use crate::commands::{positions, stop};

/// Prints until it is enough, or a signal comes.
pub(super) async fn run(mut client: Client, mut plan: Plan, places: &[Place]) -> anyhow::Result<()> {
    let stop = stop::on_signal()?;
    let limits = positions::limits(&mut client, places, plan.isolation).await?;
    let starts = positions::resolve(&mut client, plan.from, &limits, plan.isolation).await?;
    let mut reading = Reading::new(&plan, starts, &limits);
    while !reading.is_finished(&plan) {
        tokio::select! {
            () = stop.cancelled() => break,
            chunk = reading.next(&mut client) => reading.print(&mut plan, &chunk?)?,
        }
    }
    plan.out.flush()
}
