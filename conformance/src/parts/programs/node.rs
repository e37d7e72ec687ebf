//! A broker that programs run on: ours, or a node of Apache Kafka.

use anyhow::Result;

use crate::harness::Broker;
use crate::parts::kafka::Kafka;

/// Either. It dies with this value.
pub(in crate::parts) enum Node<'c> {
    Ours(Broker),
    Kafka(Kafka<'c>),
}

impl Node<'_> {
    /// Where it serves: `HOST:PORT`.
    pub(in crate::parts) fn address(&self) -> &str {
        match self {
            Self::Ours(broker) => broker.address(),
            Self::Kafka(kafka) => kafka.address(),
        }
    }

    /// SIGKILL, and a new start on what that left, at the same address.
    pub(in crate::parts) fn kill_and_start_again(&mut self) -> Result<()> {
        match self {
            Self::Ours(broker) => {
                broker.kill();
                broker.start_again()
            }
            Self::Kafka(kafka) => {
                kafka.kill();
                kafka.start()
            }
        }
    }

    /// The end of what it said, for whoever looks into a failure.
    pub(in crate::parts) fn said(&self) -> String {
        match self {
            Self::Ours(broker) => broker.log_tail(),
            Self::Kafka(kafka) => {
                kafka.said().map_or_else(|error| error.to_string(), |said| last_lines(&said))
            }
        }
    }
}

/// What a failure tells of somebody's output.
pub(super) fn last_lines(text: &str) -> String {
    const TOLD: usize = 8;
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(TOLD)..).unwrap_or_default().join(" | ")
}
