//! A broker under load: where it is, and its process if that can be measured.

use std::net::SocketAddr;

use super::client::{Dial, Error, Result, Transactional};
use super::process::{self, Found};
use super::target::Target;

/// A broker that answered.
#[derive(Debug, Clone)]
pub(super) struct Broker {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    /// Its process, or why its CPU is unknown.
    pub(super) process: Found,
    /// Whether its most memory is told round by round, and not since it began.
    pub(super) forgets_peak: bool,
    /// The congestion control of this side's sockets to it.
    pub(super) congestion_control: String,
    /// Whether it offers transactions.
    pub(super) has_transactions: bool,
    pub(super) dial: Dial,
}

impl Broker {
    /// Looks it up, speaks to it and finds its process.
    pub(super) fn meet(target: &Target, dial: &Dial) -> Result<Self> {
        let address = dial.resolve(&target.host, target.port)?;
        let connection = dial.open(address)?;
        let process = match target.pid {
            Some(pid) => Ok(existing(pid)?),
            None => process::find(address),
        };
        let congestion_control = connection.congestion_control().unwrap_or_default();
        let forgets_peak = process.as_ref().is_ok_and(|pid| process::forget_peak(*pid));
        Ok(Self {
            name: target.name.clone(),
            address,
            process,
            forgets_peak,
            congestion_control,
            has_transactions: Transactional::offered(connection.versions()),
            dial: dial.clone(),
        })
    }

    /// The process, if there is one to measure.
    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().ok().copied()
    }
}

/// The process that was named: a wrong number shall be told before the work and not after it.
fn existing(pid: u32) -> Result<u32> {
    process::cpu(pid).map(|_| pid).map_err(|error| Error::Local {
        what: format!("process {pid} cannot be measured"),
        advice: format!(
            "{error:#}; correct the number behind the comma, or leave it out and it is looked for"
        ),
    })
}
