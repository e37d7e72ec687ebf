//! Reading alone: all partitions, or those that were named, without a trace at the broker.

use super::reading::Reading;
use super::{Plan, held_back};
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
            chunk = reading.next(&mut client) => match chunk {
                Ok(chunk) => reading.print(&mut plan, &chunk)?,
                Err(error) => {
                    // What was read comes before what is said of the rest.
                    plan.out.flush()?;
                    return Err(error);
                }
            },
        }
    }
    plan.out.flush()?;
    held_back::tell(&mut client, &plan, places).await;
    Ok(())
}
